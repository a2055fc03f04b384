//! What one run is: which subject, which experiment, how large.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use surfaceport::{PresentMode, Size};

/// How a side waits for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// In the kernel.
    Asleep,
    /// Looking again and again.
    Awake,
}

/// Which frames the consumer gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The newest one; what it did not get to is superseded.
    Newest,
    /// Every one, in order.
    Every,
}

/// How much of a frame is written, and read on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// Nothing: the hand-off alone.
    Nothing,
    /// 64 bytes.
    Stamp,
    /// All of it.
    Whole,
}

/// Where the two processes run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Both on one core.
    OneCore,
    /// Each on its own.
    CoreEach,
    /// Where the scheduler puts them.
    Scheduler,
}

/// What the child does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// A frame for each request.
    Answer,
    /// Frames as fast as it can.
    Flood,
    /// Frames by its own clock, so many a second.
    Paced(u32),
    /// The same, but it computes in between: the consumer sleeps before each
    /// frame, and the child does not.
    Busy(u32),
}

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $word),+ })
            }
        }
        impl FromStr for $type {
            type Err = String;
            fn from_str(word: &str) -> Result<Self, String> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    other => Err(format!("{other:?} is none of: {}", [$($word),+].join(", "))),
                }
            }
        }
    };
}

words!(Wait { Asleep = "asleep", Awake = "awake" });
words!(Delivery { Newest = "newest", Every = "every" });
words!(Touch { Nothing = "nothing", Stamp = "stamp", Whole = "whole" });
words!(Placement { OneCore = "one-core", CoreEach = "core-each", Scheduler = "scheduler" });

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer => f.write_str("answer"),
            Self::Flood => f.write_str("flood"),
            Self::Paced(fps) => write!(f, "paced-{fps}"),
            Self::Busy(fps) => write!(f, "busy-{fps}"),
        }
    }
}

impl FromStr for Task {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "answer" => Ok(Self::Answer),
            "flood" => Ok(Self::Flood),
            other => {
                let of = |prefix| other.strip_prefix(prefix)?.parse().ok();
                let paced = of("paced-").map(Self::Paced);
                let task = paced.or_else(|| of("busy-").map(Self::Busy));
                task.ok_or_else(|| format!("{other:?} is no task"))
            }
        }
    }
}

/// One run of one subject.
#[derive(Clone, Debug)]
pub struct Run {
    /// What the child does.
    pub task: Task,
    /// How both sides wait.
    pub wait: Wait,
    /// Which frames the consumer gets.
    pub delivery: Delivery,
    /// How much of them is written and read.
    pub touch: Touch,
    /// Where the two run.
    pub placement: Placement,
    /// The frames' size.
    pub size: Size,
    /// Slots, where the subject has any.
    pub slots: usize,
    /// How long the consumer keeps each frame, in ms, to look at it again.
    pub keep_ms: u64,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            task: Task::Answer,
            wait: Wait::Asleep,
            delivery: Delivery::Newest,
            touch: Touch::Nothing,
            placement: Placement::Scheduler,
            size: Size::new(1920, 1080),
            slots: 3,
            keep_ms: 0,
        }
    }
}

impl Run {
    /// What the library calls its delivery.
    pub(crate) fn mode(&self) -> PresentMode {
        match self.delivery {
            Delivery::Newest => PresentMode::Mailbox,
            Delivery::Every => PresentMode::Fifo,
        }
    }

    /// Bytes of a frame.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.size.width as usize * self.size.height as usize * 4
    }

    /// As the child gets it: one argument.
    #[must_use]
    pub fn to_argument(&self) -> String {
        let Self { task, wait, delivery, touch, placement, size, slots, keep_ms } = self;
        format!("{task},{wait},{delivery},{touch},{placement},{size},{slots},{keep_ms}")
    }

    /// From the child's argument.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn from_argument(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',');
        let mut next = || parts.next().ok_or_else(|| format!("{text:?} is no run"));
        Ok(Self {
            task: next()?.parse()?,
            wait: next()?.parse()?,
            delivery: next()?.parse()?,
            touch: next()?.parse()?,
            placement: next()?.parse()?,
            size: next()?.parse().map_err(|_| "no size".to_owned())?,
            slots: next()?.parse().map_err(|_| "no number of slots".to_owned())?,
            keep_ms: next()?.parse().map_err(|_| "no time".to_owned())?,
        })
    }
}

/// What a child is told on its command line.
#[derive(Clone, Debug)]
pub struct ChildArguments {
    /// The subject's name.
    pub subject: String,
    /// The run.
    pub run: Run,
    /// The run's account.
    pub board: PathBuf,
    /// What the subject's host said to its child: paths, numbers of fds.
    pub rest: Vec<String>,
}

impl ChildArguments {
    /// The command line after the word that makes a program a child.
    #[must_use]
    pub fn to_arguments(&self) -> Vec<String> {
        let mut all = vec![
            self.subject.clone(),
            self.run.to_argument(),
            self.board.to_string_lossy().into_owned(),
        ];
        all.extend(self.rest.iter().cloned());
        all
    }

    /// From the command line.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut next = || arguments.next().ok_or("a benchmark's child is started by its host");
        let (subject, run, board) = (next()?, next()?, next()?);
        Ok(Self {
            subject,
            run: Run::from_argument(&run)?,
            board: board.into(),
            rest: arguments.collect(),
        })
    }
}

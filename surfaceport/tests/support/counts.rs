//! Both sides' accounts of the same frames, and frames that are looked at twice.

use std::time::Duration;

use surfaceport::{
    Deadline, Error, Event, Exit, Frame, Outcome, Renderer, RendererEvent, Session, Stats,
    Swapchain,
};

use super::{Fault, check, draw, parameter, swapchain};

/// A host that waits longer than this for anything hangs.
pub const WATCHDOG: Duration = Duration::from_secs(60);
/// What a host sends to a child that is to stop drawing.
pub const STOP: &[u8] = b"stop";

/// What the release build does, and a tenth of it in the dev build.
pub fn scaled(count: u64) -> u64 {
    if cfg!(debug_assertions) { count / 10 } else { count }
}

/// A small generator of random numbers (xorshift64*).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }
}

/// What a side knows of what became of its frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub presented: u64,
    pub shown: u64,
    pub superseded: u64,
    pub stale: u64,
    pub lost: u64,
}

impl From<Stats> for Counts {
    fn from(stats: Stats) -> Self {
        let Stats { presented, shown, superseded, stale, lost, .. } = stats;
        Self { presented, shown, superseded, stale, lost }
    }
}

impl Counts {
    /// Whether each frame has its outcome.
    pub fn is_settled(&self) -> bool {
        self.presented == self.shown + self.superseded + self.stale + self.lost
    }

    /// Child: adds the outcomes that came.
    pub fn collect(&mut self, swapchain: &Swapchain) {
        for (_, outcome) in swapchain.outcomes() {
            match outcome {
                Outcome::Shown { .. } => self.shown += 1,
                Outcome::Superseded => self.superseded += 1,
                Outcome::Stale => self.stale += 1,
                Outcome::Lost => self.lost += 1,
                _ => panic!("an unknown outcome"),
            }
        }
    }

    /// Child: waits until all outcomes are in, or the host says Bye, and tells
    /// the host what it counted.
    pub fn settle(mut self, renderer: &Renderer, swapchain: &Swapchain) -> Result<(), Error> {
        loop {
            self.collect(swapchain);
            if self.is_settled() {
                break;
            }
            if let Some(RendererEvent::Bye) = renderer.next_event(Duration::from_millis(2))? {
                self.collect(swapchain);
                break;
            }
        }
        assert_eq!(swapchain.outcomes_missed(), 0);
        let Self { presented, shown, superseded, stale, lost } = self;
        renderer.send(format!("counts {presented} {shown} {superseded} {stale} {lost}").as_bytes())
    }

    /// Host: what a child said that it counted, if the message is that.
    pub fn from_message(message: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(message).ok()?.strip_prefix("counts ")?;
        let numbers: Vec<u64> = text.split(' ').map_while(|word| word.parse().ok()).collect();
        let [presented, shown, superseded, stale, lost] = numbers.try_into().ok()?;
        Some(Self { presented, shown, superseded, stale, lost })
    }
}

/// A child that draws `FRAMES`, or until it is told to stop (it listens every
/// `LISTEN` frames), and accounts for them.
pub fn accountant() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let swapchain = swapchain(&renderer)?;
    let listen: u64 = parameter("LISTEN", u64::MAX);
    let pause = Duration::from_micros(parameter("PAUSE_US", 0));
    let mut counts = Counts::default();
    for sequence in 1..=parameter("FRAMES", u64::MAX) {
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        draw(&mut canvas, sequence);
        canvas.present(surfaceport::Damage::FULL)?;
        counts.presented += 1;
        counts.collect(&swapchain);
        if sequence % listen == 0 && renderer.dispatch()? == Some(stop()) {
            break;
        }
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
    }
    counts.settle(&renderer, &swapchain)
}

/// The event that tells a child to stop.
pub fn stop() -> RendererEvent {
    RendererEvent::Message(STOP.to_vec())
}

/// Looks at the frames of one child.
#[derive(Debug, Default)]
pub struct Observer {
    pub pid: Option<u32>,
    pub last: u64,
    pub taken: u64,
    pub torn: u64,
    pub stale: u64,
    pub foreign: u64,
    pub disordered: u64,
}

impl Observer {
    /// A frame was taken.
    pub fn took(&mut self, frame: &Frame) {
        let sequence = frame.id().sequence;
        self.taken += 1;
        self.disordered += u64::from(sequence <= self.last);
        self.last = sequence;
        self.look(frame);
    }

    /// It is looked at, once more.
    pub fn look(&mut self, frame: &Frame) {
        match check(frame, self.pid) {
            Ok(()) => {}
            Err(Fault::Torn) => self.torn += 1,
            Err(Fault::Stale) => self.stale += 1,
            Err(Fault::Foreign) => self.foreign += 1,
        }
    }

    /// Fails if there was anything wrong.
    pub fn assert_clean(&self) {
        let faults = [self.torn, self.stale, self.foreign, self.disordered];
        assert_eq!(faults, [0; 4], "{self:?}");
    }
}

/// The end of a session: how it was, and the messages that came.
pub fn end(session: &mut Session) -> (Exit, Vec<Vec<u8>>) {
    let mut messages = Vec::new();
    loop {
        match session.dispatch().unwrap() {
            Some(Event::Message(message)) => messages.push(message),
            Some(Event::Frame(_)) => panic!("a frame after the end"),
            Some(_) => {}
            None => break,
        }
    }
    (session.exit().expect("the session is over").clone(), messages)
}

/// The end of a session with an accountant: both accounts are closed and agree.
pub fn settle(session: &mut Session) -> Counts {
    let (exit, messages) = end(session);
    let ours = Counts::from(session.stats());
    assert!(ours.is_settled(), "{ours:?} {exit}");
    let theirs = messages.iter().find_map(|message| Counts::from_message(message));
    assert_eq!(theirs, Some(ours), "{exit}");
    ours
}

/// Takes frames until the child ends; the error that is not its end is a
/// failure, and so is a wait without end.
pub fn each_frame(session: &mut Session, mut frame: impl FnMut(&mut Session, Frame)) {
    loop {
        match session.next_frame(WATCHDOG) {
            Ok(Some(next)) => frame(session, next),
            Ok(None) => panic!("no frame for {WATCHDOG:?}: {:?}", session.stats()),
            Err(Error::ChildGone(_)) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Sleeps until the session's fd is readable, as an event loop does.
pub fn wait_for(session: &Session) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let patience = Timespec { tv_sec: WATCHDOG.as_secs().cast_signed(), tv_nsec: 0 };
    let ready = poll(&mut [PollFd::new(session, PollFlags::IN)], Some(&patience)).unwrap();
    assert!(ready > 0, "the session's fd stayed silent for {WATCHDOG:?}");
}

//! What a line of the table says.

use std::time::Duration;

use surfaceport::{ExitReason, Limits, Restart, Session, Stats, Violation};

use crate::bad::Bad;

/// One way to misbehave.
#[derive(Clone, Debug)]
pub struct Behaviour {
    pub name: &'static str,
    /// Rows of the catalogue of faults.
    pub rows: &'static [u8],
    pub what: &'static str,
    pub start: Start,
    pub expect: Expect,
    /// It draws into what it presented: its own pixels change.
    pub spoils: bool,
    pub limits: Limits,
    pub restart: Restart,
    /// What the host does meanwhile, again and again.
    pub host: fn(&mut Session),
    pub child: fn(&mut Bad),
}

/// How far the child gets before it misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It has the socket.
    Nothing,
    /// Hello and Welcome are said.
    Greeted,
    /// The host shows a frame.
    Shown,
    /// A process that was not started by the host, and connects by name.
    Peer,
}

/// What is to come of it.
#[derive(Clone, Copy, Debug)]
pub enum Expect {
    /// The child is ended for this, which is counted.
    Ends(Violation),
    /// The same, for any of what a word can be wrong in.
    EndsByWord,
    /// It ends like this, without a violation.
    Exits(fn(&ExitReason) -> bool, &'static str),
    /// It is started again until the host gives up.
    GivesUp,
    /// It lives on, and its next good frame is shown. The host counts that.
    Lives(Counter),
}

/// What the host counts.
#[derive(Clone, Copy, Debug)]
pub struct Counter(pub &'static str, pub fn(&Stats) -> u64);

/// Nothing: what was done has no effect.
pub const IGNORED: Counter = Counter("", |_| 1);
pub const REFUSED: Counter = Counter("setups_refused", |stats| stats.setups_refused);
pub const BELLS_MUTED: Counter = Counter("bells_muted", |stats| stats.bells_muted);
pub const MESSAGES_MUTED: Counter = Counter("messages_muted", |stats| stats.messages_muted);
pub const OUTPUT_MUTED: Counter = Counter("output_muted", |stats| stats.output_muted);
pub const STALLS: Counter = Counter("stalls", |stats| stats.stalls);
pub const SUPERSEDED: Counter = Counter("superseded", |stats| stats.superseded);

/// What the word, and what goes with it, can be wrong in.
pub const OF_THE_WORD: &[Violation] = &[
    Violation::SlotOutOfRange,
    Violation::SlotHeld,
    Violation::SequenceNotNewer,
    Violation::BadWord,
    Violation::FreeOutOfRange,
    Violation::FreeHeld,
    Violation::RingMismatch,
    Violation::TooManyUnread,
    Violation::BadGeometry,
];

impl Expect {
    /// In words.
    pub fn text(&self) -> String {
        match self {
            Self::Ends(violation) => format!("ended: `{violation:?}`"),
            Self::EndsByWord => "ended: by what is wrong with the word".into(),
            Self::Exits(_, what) => (*what).into(),
            Self::GivesUp => "started again, then given up".into(),
            Self::Lives(Counter("", _)) => "lives on".into(),
            Self::Lives(Counter(name, _)) => format!("lives on; counted: `{name}`"),
        }
    }
}

/// A line of the table.
pub fn row(
    name: &'static str,
    rows: &'static [u8],
    start: Start,
    expect: Expect,
    what: &'static str,
    child: fn(&mut Bad),
) -> Behaviour {
    Behaviour {
        name,
        rows,
        what,
        start,
        expect,
        spoils: false,
        // A loaded machine takes its time to start a program; the rest is short.
        limits: Limits::default()
            .handshake(Duration::from_secs(20))
            .exit(Duration::from_millis(20))
            // More than by default, for what can be done with them.
            .open_files(1024),
        restart: Restart::never(),
        host: |_| {},
        child,
    }
}

impl Behaviour {
    pub fn spoils(self) -> Self {
        Self { spoils: true, ..self }
    }

    pub fn limits(self, limits: fn(Limits) -> Limits) -> Self {
        Self { limits: limits(self.limits), ..self }
    }

    pub fn restart(self, restart: Restart) -> Self {
        Self { restart, ..self }
    }

    pub fn host(self, host: fn(&mut Session)) -> Self {
        Self { host, ..self }
    }
}

//! The wait set: a kqueue for all that a side waits for (kqueue(2)).
//!
//! Not everything that lasts is an event that lasts: a process ends once, a
//! connection is over, a queue has room, a timer is past. The set remembers
//! these and keeps the kqueue readable for as long as one of them holds, so
//! that whoever polls it from outside sees the same.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use super::bell::BellPort;
use super::kern::{self, PipeReader, Queue, Watched};
use super::message::End;
use super::process::Exit;
use super::rights::ReceiveRight;
use super::{lock, now};
use crate::error::Error;
use crate::sys::Trigger;
use crate::time::{Deadline, Timestamp};

/// What can be waited on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a>(pub(super) What<'a>);

/// An fd that the system's own calls can wait on.
#[cfg(target_os = "macos")]
pub(crate) fn from_fd(fd: std::os::fd::BorrowedFd<'_>) -> Source<'_> {
    Source(What::Fd(fd))
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What<'a> {
    End(&'a Arc<End>),
    Bell(&'a Arc<BellPort>),
    Exit(&'a Arc<Exit>),
    Port(&'a ReceiveRight),
    Pipe(&'a PipeReader),
    #[cfg(target_os = "macos")]
    Fd(std::os::fd::BorrowedFd<'a>),
    /// What never fires.
    Nothing,
}

/// How many events one wait takes; more come with the next.
const EVENTS: usize = 16;

/// By which a source is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Port(kern::Name),
    Process(i32),
    Pipe(usize),
    Nothing,
}

impl What<'_> {
    fn key(self) -> Key {
        match self {
            Self::End(end) => Key::Port(end.port().name()),
            Self::Bell(bell) => Key::Port(bell.port().name()),
            Self::Exit(exit) => Key::Process(exit.pid()),
            Self::Port(port) => Key::Port(port.name()),
            Self::Pipe(pipe) => Key::Pipe(pipe.key()),
            #[cfg(target_os = "macos")]
            Self::Fd(fd) => Key::Pipe(kern::fd_key(fd)),
            Self::Nothing => Key::Nothing,
        }
    }
}

/// What the set remembers of a source. Weak: what is closed doesn't fire.
#[derive(Debug)]
enum Kept {
    End(Weak<End>),
    Bell(Weak<BellPort>),
    Exit(Weak<Exit>),
    Plain,
}

#[derive(Debug)]
struct Entry {
    key: Key,
    kept: Kept,
    /// Its events are called by this number times two, those of its room by the
    /// one after.
    number: u64,
    token: u64,
    when: Trigger,
    /// A bell that had rung before it came here, which is still news.
    rung: bool,
}

impl Entry {
    /// Whether it fires by itself, without an event.
    fn lasts(&self) -> bool {
        match &self.kept {
            Kept::End(end) => end.upgrade().is_some_and(|end| {
                let room = self.when == Trigger::LevelAndRoom && end.has_room();
                room || (self.when != Trigger::Edge && end.is_closed())
            }),
            Kept::Bell(bell) => self.rung && bell.upgrade().is_some_and(|bell| bell.is_rung()),
            Kept::Exit(exit) => exit.upgrade().is_some_and(|exit| exit.has_ended()),
            Kept::Plain => false,
        }
    }

    /// Whether an event of its is one for those who wait.
    fn hears(&mut self, of_room: bool) -> bool {
        match &self.kept {
            Kept::End(end) if of_room => end.upgrade().is_some_and(|end| {
                end.hear_of_room();
                end.has_room()
            }),
            Kept::Bell(bell) => bell.upgrade().is_some_and(|bell| bell.take_ring()),
            Kept::Exit(exit) => {
                if let Some(exit) = exit.upgrade() {
                    exit.note_end();
                }
                true
            }
            Kept::End(_) | Kept::Plain => true,
        }
    }
}

/// Sleeps until one of its sources or its timer fires; itself pollable.
#[derive(Debug)]
pub(crate) struct WaitSet {
    queue: Queue,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    last_number: u64,
    timer: Option<Timestamp>,
    awake: bool,
}

impl WaitSet {
    /// An empty set.
    pub(crate) fn new() -> Result<Self, Error> {
        let doing = "creating a wait set";
        let queue = kern::queue().map_err(|source| Error::Os { doing, source })?;
        Ok(Self { queue, state: Mutex::default() })
    }

    /// Adds a source; `token`, any number but the highest, says later which one
    /// fired.
    pub(crate) fn add(&self, source: Source<'_>, token: u64, when: Trigger) -> Result<(), Error> {
        let mut state = lock(&self.state);
        let key = source.0.key();
        if state.entries.iter().any(|entry| entry.key == key) {
            let source = std::io::ErrorKind::AlreadyExists.into();
            return Err(Error::Os { doing: "adding to a wait set", source });
        }
        self.enter(&mut state, source.0, token, when)?;
        self.settle(&mut state);
        Ok(())
    }

    /// Changes when a source fires.
    pub(crate) fn change(&self, source: Source<'_>, token: u64, when: Trigger) {
        let mut state = lock(&self.state);
        if self.leave(&mut state, source.0) {
            // It was in, so the kernel takes it again, unless memory is short:
            // then it is silent, and the layers above look when they time out.
            let _entered = self.enter(&mut state, source.0, token, when);
        }
        self.settle(&mut state);
    }

    /// Removes a source.
    pub(crate) fn remove(&self, source: Source<'_>) {
        let mut state = lock(&self.state);
        self.leave(&mut state, source.0);
        self.settle(&mut state);
    }

    fn enter(
        &self,
        state: &mut State,
        what: What<'_>,
        token: u64,
        when: Trigger,
    ) -> Result<(), Error> {
        let failed = |errno| Error::Os {
            doing: "adding to a wait set",
            source: std::io::Error::from_raw_os_error(errno),
        };
        state.last_number += 1;
        let number = state.last_number;
        let edge = when == Trigger::Edge;
        let watch = |watched, edge, id| self.queue.watch(watched, edge, id).map_err(failed);
        let mut rung = false;
        let kept = match what {
            What::End(end) => {
                watch(Watched::Port(end.port().name()), edge, number * 2)?;
                if when == Trigger::LevelAndRoom {
                    let room = end
                        .room_port()
                        .and_then(|port| watch(Watched::Port(port.name()), false, number * 2 + 1));
                    if let Err(error) = room {
                        self.queue.forget(Watched::Port(end.port().name()));
                        return Err(error);
                    }
                }
                Kept::End(Arc::downgrade(end))
            }
            What::Bell(bell) => {
                // What rings is taken out at once, so the level is an edge.
                watch(Watched::Port(bell.port().name()), false, number * 2)?;
                rung = bell.is_rung();
                Kept::Bell(Arc::downgrade(bell))
            }
            What::Exit(exit) => {
                if exit.has_ended()
                    || watch(Watched::Process(exit.pid()), true, number * 2).is_err()
                {
                    // Nobody is there to be watched (ESRCH).
                    exit.note_end();
                }
                Kept::Exit(Arc::downgrade(exit))
            }
            What::Port(port) => {
                watch(Watched::Port(port.name()), edge, number * 2)?;
                Kept::Plain
            }
            What::Pipe(pipe) => {
                watch(Watched::Pipe(pipe), edge, number * 2)?;
                Kept::Plain
            }
            #[cfg(target_os = "macos")]
            What::Fd(fd) => {
                watch(Watched::Fd(fd), edge, number * 2)?;
                Kept::Plain
            }
            What::Nothing => Kept::Plain,
        };
        state.entries.push(Entry { key: what.key(), kept, number, token, when, rung });
        Ok(())
    }

    fn leave(&self, state: &mut State, what: What<'_>) -> bool {
        let key = what.key();
        let before = state.entries.len();
        state.entries.retain(|entry| entry.key != key);
        if state.entries.len() == before {
            return false;
        }
        match what {
            What::End(end) => {
                self.queue.forget(Watched::Port(end.port().name()));
                if let Some(port) = end.room_port_if_any() {
                    self.queue.forget(Watched::Port(port.name()));
                }
            }
            What::Bell(bell) => self.queue.forget(Watched::Port(bell.port().name())),
            What::Exit(exit) => self.queue.forget(Watched::Process(exit.pid())),
            What::Port(port) => self.queue.forget(Watched::Port(port.name())),
            What::Pipe(pipe) => self.queue.forget(Watched::Pipe(pipe)),
            #[cfg(target_os = "macos")]
            What::Fd(fd) => self.queue.forget(Watched::Fd(fd)),
            What::Nothing => {}
        }
        true
    }

    /// Sets the timer, or switches it off.
    pub(crate) fn set_timer(&self, at: Option<Timestamp>) {
        let mut state = lock(&self.state);
        state.timer = at;
        self.queue.set_timer(at.map(|at| at.since(now())));
        self.settle(&mut state);
    }

    /// Keeps the kqueue readable while something lasts.
    fn settle(&self, state: &mut State) {
        let due = state.timer.is_some_and(|at| at <= now());
        let awake = due || state.entries.iter().any(Entry::lasts);
        if std::mem::replace(&mut state.awake, awake) != awake {
            self.queue.keep_awake(awake);
        }
    }

    /// Waits until something fires or the time is over, and calls `fired` with
    /// each token, `None` for the timer.
    pub(crate) fn wait(
        &self,
        timeout: Option<Duration>,
        fired: impl FnMut(Option<u64>),
    ) -> Result<(), Error> {
        let deadline = timeout.map_or(Deadline::NEVER, Deadline::from);
        let found = loop {
            // Before looking, so that what comes until then is found.
            let over = deadline.passed();
            let found =
                self.look(if over { Some(Duration::ZERO) } else { deadline.remaining() })?;
            if over || !found.is_empty() {
                break found;
            }
        };
        found.into_iter().for_each(fired);
        Ok(())
    }

    /// What fires, within so long; nothing, if it was for nothing.
    fn look(&self, timeout: Option<Duration>) -> Result<Vec<Option<u64>>, Error> {
        let mut found = Vec::new();
        {
            let mut state = lock(&self.state);
            self.settle(&mut state);
            if state.awake {
                found = lasting(&mut state);
            }
        }
        let timeout = if found.is_empty() { timeout } else { Some(Duration::ZERO) };
        let events = self.queue.wait(timeout, EVENTS);
        let events = events.map_err(|errno| Error::Os {
            doing: "waiting",
            source: std::io::Error::from_raw_os_error(errno),
        })?;
        let mut state = lock(&self.state);
        for id in events {
            let entry = state.entries.iter_mut().find(|entry| entry.number == id / 2);
            let Some(entry) = entry else { continue };
            let token = Some(entry.token);
            if entry.hears(id % 2 == 1) && !found.contains(&token) {
                found.push(token);
            }
        }
        if state.timer.is_some_and(|at| at <= now()) && !found.contains(&None) {
            found.push(None);
        }
        self.settle(&mut state);
        Ok(found)
    }

    /// The kqueue, which others may poll.
    #[cfg(target_os = "macos")]
    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }
}

/// What lasts, of those that fire by themselves.
fn lasting(state: &mut State) -> Vec<Option<u64>> {
    let mut found = Vec::new();
    if state.timer.is_some_and(|at| at <= now()) {
        found.push(None);
    }
    for entry in state.entries.iter_mut().filter(|entry| entry.lasts()) {
        entry.rung = false;
        found.push(Some(entry.token));
    }
    found
}

#[cfg(target_os = "macos")]
impl std::os::fd::AsFd for WaitSet {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.queue().as_fd()
    }
}

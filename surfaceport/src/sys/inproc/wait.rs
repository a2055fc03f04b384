//! The wait set: a condition variable, and signals that know who waits on them.

use std::io::ErrorKind;
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::time::Duration;

use super::{lock, now, os};
use crate::error::Error;
use crate::sys::Trigger;
use crate::time::{Deadline, Timestamp};

/// What can be waited on.
pub(crate) type Source<'a> = &'a Arc<Signal>;

/// Whether something is ready, and who sleeps until it is.
///
/// Locks are taken in this order: what a signal belongs to, the signal, the
/// sleeper.
#[derive(Debug, Default)]
pub(crate) struct Signal(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    readable: bool,
    room: bool,
    /// Counts the times that it became ready, ready before or not.
    events: u64,
    sleepers: Vec<Weak<Sleeper>>,
}

/// A wait set as signals know it.
#[derive(Debug, Default)]
struct Sleeper {
    /// Counts changes, so that none is missed between looking and sleeping.
    changes: Mutex<u64>,
    changed: Condvar,
}

impl Signal {
    /// There is something to read, and something new.
    pub(super) fn ready(&self) {
        let mut state = lock(&self.0);
        state.readable = true;
        state.tell();
    }

    /// There is nothing to read any more.
    pub(super) fn empty(&self) {
        lock(&self.0).readable = false;
    }

    /// There is room to write, or none.
    pub(super) fn room(&self, room: bool) {
        let mut state = lock(&self.0);
        state.room = room;
        if room {
            state.tell();
        }
    }
}

impl State {
    fn tell(&mut self) {
        self.events += 1;
        self.sleepers.retain(|sleeper| {
            let Some(sleeper) = sleeper.upgrade() else { return false };
            sleeper.wake();
            true
        });
    }
}

#[derive(Debug)]
struct Entry {
    /// Weak: what is closed doesn't fire any more.
    source: Weak<Signal>,
    token: u64,
    when: Trigger,
    /// The event that was reported last; none for a new entry, which fires if
    /// it is ready.
    reported: Option<u64>,
}

impl Entry {
    fn fires(&mut self) -> bool {
        let Some(source) = self.source.upgrade() else { return false };
        let state = lock(&source.0);
        match self.when {
            Trigger::Edge => {
                let new = self.reported.replace(state.events) != Some(state.events);
                state.readable && new
            }
            Trigger::Level => state.readable,
            Trigger::LevelAndRoom => state.readable || state.room,
        }
    }

    fn is_of(&self, source: Source<'_>) -> bool {
        std::ptr::eq(self.source.as_ptr(), Arc::as_ptr(source))
    }
}

/// Sleeps until one of its sources or its timer fires.
#[derive(Debug)]
pub(crate) struct WaitSet {
    sleeper: Arc<Sleeper>,
    entries: Mutex<Vec<Entry>>,
    timer: Mutex<Option<Timestamp>>,
}

impl WaitSet {
    /// An empty set.
    pub(crate) fn new() -> Result<Self, Error> {
        let (sleeper, entries, timer) = Default::default();
        Ok(Self { sleeper, entries, timer })
    }

    /// Adds a source; `token`, any number but the highest, says later which one
    /// fired.
    pub(crate) fn add(&self, source: Source<'_>, token: u64, when: Trigger) -> Result<(), Error> {
        let mut entries = lock(&self.entries);
        if entries.iter().any(|entry| entry.is_of(source)) {
            return Err(os("adding to a wait set", ErrorKind::AlreadyExists));
        }
        entries.push(Entry { source: Arc::downgrade(source), token, when, reported: None });
        lock(&source.0).sleepers.push(Arc::downgrade(&self.sleeper));
        self.sleeper.wake();
        Ok(())
    }

    /// Changes when a source fires.
    pub(crate) fn change(&self, source: Source<'_>, token: u64, when: Trigger) {
        for entry in lock(&self.entries).iter_mut().filter(|entry| entry.is_of(source)) {
            (entry.token, entry.when, entry.reported) = (token, when, None);
        }
        self.sleeper.wake();
    }

    /// Removes a source.
    pub(crate) fn remove(&self, source: Source<'_>) {
        lock(&self.entries).retain(|entry| !entry.is_of(source));
        let this = Arc::downgrade(&self.sleeper);
        lock(&source.0).sleepers.retain(|sleeper| !sleeper.ptr_eq(&this));
    }

    /// Sets the timer, or switches it off.
    pub(crate) fn set_timer(&self, at: Option<Timestamp>) {
        *lock(&self.timer) = at;
        self.sleeper.wake();
    }

    /// Waits until something fires or the time is over, and calls `fired` with
    /// each token, `None` for the timer.
    pub(crate) fn wait(
        &self,
        timeout: Option<Duration>,
        fired: impl FnMut(Option<u64>),
    ) -> Result<(), Error> {
        let deadline = timeout.map_or(Deadline::NEVER, Deadline::from);
        loop {
            let seen = *lock(&self.sleeper.changes);
            // Before looking, so that what comes until then is found.
            let over = deadline.passed();
            let timer = *lock(&self.timer);
            let mut found = Vec::new();
            found.extend(timer.filter(|at| *at <= now()).map(|_| None));
            lock(&self.entries).retain_mut(|entry| {
                found.extend(entry.fires().then_some(Some(entry.token)));
                entry.source.strong_count() > 0
            });
            if over || !found.is_empty() {
                found.into_iter().for_each(fired);
                return Ok(());
            }
            let until_timer = timer.map(|at| at.since(now()));
            let left = match (deadline.remaining(), until_timer) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            self.sleeper.sleep(seen, left);
        }
    }
}

impl Sleeper {
    /// Has the set look again.
    fn wake(&self) {
        *lock(&self.changes) += 1;
        self.changed.notify_all();
    }

    /// Until something changes or the time is over, or shorter.
    fn sleep(&self, seen: u64, left: Option<Duration>) {
        let changes = lock(&self.changes);
        if *changes == seen {
            match left {
                Some(left) => drop(self.changed.wait_timeout(changes, left)),
                None => drop(self.changed.wait(changes)),
            }
        }
    }
}

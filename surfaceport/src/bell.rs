//! Wake-ups: hints, never the truth.

use crate::error::Error;
use crate::rate::Allowance;
use crate::sys::{self, Handle, Source};
use crate::time::Timestamp;
use std::time::Duration;

pub(crate) use crate::sys::Ringer;

/// A new bell for the host, and the handle by which a child rings it.
pub(crate) fn to_host() -> Result<(HostBell, Handle), Error> {
    let (bell, ringer) = sys::bell_to_host()?;
    let for_nothing = Allowance::new(HostBell::PATIENCE, HostBell::BURST);
    Ok((HostBell { bell, for_nothing, muted_until: None }, ringer))
}

/// What the host rings a child with, and the handle that the child waits on.
pub(crate) fn to_child() -> Result<(Ringer, Handle), Error> {
    sys::bell_to_child()
}

/// The host's bell. One that keeps ringing for nothing is not listened to for a
/// while; then the word is looked at instead.
#[derive(Debug)]
pub(crate) struct HostBell {
    bell: sys::Bell,
    for_nothing: Allowance,
    muted_until: Option<Timestamp>,
}

impl HostBell {
    /// An honest child rings once for each time that the host went to sleep;
    /// that can cross with a frame that the host saw by itself, so one is
    /// forgiven for each frame. Beyond that one in so long is, and a few at once.
    const PATIENCE: Duration = Duration::from_millis(8);
    const BURST: u32 = 16;
    const MUTED_FOR: Duration = Duration::from_millis(8);

    /// It rang, and there was no frame. `true`: it is to leave the wait set.
    pub(crate) fn rang_for_nothing(&mut self, now: Timestamp) -> bool {
        let mute = !self.for_nothing.spend(now) && self.muted_until.is_none();
        if mute {
            self.muted_until = Some(now + Self::MUTED_FOR);
        }
        mute
    }

    /// There was a frame.
    pub(crate) fn had_reason(&mut self) {
        self.for_nothing.earn();
    }

    /// When it is to be listened to again.
    pub(crate) fn muted_until(&self) -> Option<Timestamp> {
        self.muted_until
    }

    /// `true`: the time has come, it is to be in the wait set again.
    pub(crate) fn unmute(&mut self, now: Timestamp) -> bool {
        let over = self.muted_until.is_some_and(|until| until <= now);
        if over {
            self.muted_until = None;
        }
        over
    }

    /// What to wait on, edge-triggered.
    pub(crate) fn source(&self) -> Source<'_> {
        self.bell.source()
    }
}

/// The child's bell. It is waited on edge-triggered and emptied only now and
/// then, so that a wake-up costs one system call.
#[derive(Debug)]
pub(crate) struct ChildBell {
    bell: sys::Bell,
    wakes: u32,
}

impl ChildBell {
    /// Between two wake-ups the host rings at most once for each slot of two
    /// generations and once for a begin-frame: 33 bytes, of the 4096 that the
    /// smallest pipe holds.
    const DRAIN_EVERY: u32 = 64;

    /// The bell that came with Welcome.
    pub(crate) fn new(handle: Handle) -> Self {
        Self { bell: sys::Bell::from_handle(handle), wakes: 0 }
    }

    /// It woke this process.
    pub(crate) fn woke(&mut self) {
        self.wakes += 1;
        if self.wakes >= Self::DRAIN_EVERY {
            self.wakes = 0;
            self.bell.drain();
        }
    }

    /// What to wait on, edge-triggered.
    pub(crate) fn source(&self) -> Source<'_> {
        self.bell.source()
    }
}

//! The frames that a pane holds: until the server needs them no more.

use crate::geometry::Damage;
use crate::outcome::Outcome;
use crate::surface::{Feedback, Lease};

use super::buffers::Key;
use super::fit::Place;
use super::server::Request;

/// A frame, and who still reads it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) lease: Lease,
    /// What changed since the frame that was on its way before it. Not the lease's:
    /// whoever shares that one has not missed what this pane has.
    pub(super) damage: Damage,
    feedback: Option<Feedback>,
    /// The last request that reads its surface.
    pub(super) last_read: Request,
    /// Presents of its own pixmap that the server has not called idle.
    pub(super) busy: u32,
}

impl Held {
    pub(super) fn new(mut lease: Lease) -> Self {
        let feedback = lease.take_feedback();
        let damage = lease.damage();
        Self { lease, damage, feedback, last_read: 0, busy: 0 }
    }

    pub(super) fn key(&self) -> Key {
        Key::of(&self.lease)
    }

    /// Says what became of it, unless that has been said. Whether it had not.
    pub(super) fn report(&mut self, outcome: Outcome) -> bool {
        self.feedback.take().map(|feedback| feedback.report(outcome)).is_some()
    }
}

/// A frame on its way to the display. There is one at a time: what is under way
/// can't be taken back, and would appear where the pane is no more.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) key: Key,
    pub(super) serial: u32,
    /// The request that shows it.
    pub(super) request: Request,
    pub(super) place: Place,
}

/// What a present that is not idle reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    /// A surface.
    Surface(Key),
    /// A pixmap of the pool.
    Pool(u32),
}

/// All frames that are held. They are few: one on display, one on its way, one
/// that waits, and what the server has not let go of.
#[derive(Debug, Default)]
pub(super) struct Frames {
    held: Vec<Held>,
    /// The newest one, if it has to wait for the one on its way.
    pub(super) next: Option<Held>,
    pub(super) flight: Option<Flight>,
    /// The frame that is in the window, and where.
    pub(super) window: Option<(Key, Place)>,
    /// Presents that are not idle, by serial.
    reading: Vec<(u32, Reads)>,
    /// How far the server has come.
    pub(super) handled: Request,
}

impl Frames {
    pub(super) fn hold(&mut self, held: Held) {
        self.held.push(held);
    }

    pub(super) fn get(&self, key: Key) -> Option<&Held> {
        self.held.iter().find(|held| held.key() == key)
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Held> {
        self.held.iter_mut().find(|held| held.key() == key)
    }

    /// A request reads this frame.
    pub(super) fn read_by(&mut self, key: Key, request: Request) {
        if let Some(held) = self.get_mut(key) {
            held.last_read = request;
        }
    }

    /// A present reads it until it is idle.
    pub(super) fn presented(&mut self, serial: u32, reads: Reads) {
        self.reading.push((serial, reads));
        if let Reads::Surface(key) = reads
            && let Some(held) = self.get_mut(key)
        {
            held.busy += 1;
        }
    }

    /// A present is idle. What it read; `None`: there was no such present.
    pub(super) fn idle(&mut self, serial: u32) -> Option<Reads> {
        let at = self.reading.iter().position(|(one, _)| *one == serial)?;
        let (_, reads) = self.reading.swap_remove(at);
        if let Reads::Surface(key) = reads
            && let Some(held) = self.get_mut(key)
        {
            held.busy = held.busy.saturating_sub(1);
        }
        Some(reads)
    }

    /// Presents of the surfaces' own pixmaps will not be heard of any more.
    pub(super) fn forget_presents(&mut self) {
        self.reading.retain(|(_, reads)| matches!(reads, Reads::Pool(_)));
        self.held.iter_mut().for_each(|held| held.busy = 0);
    }

    /// Takes a frame back that could not be shown.
    pub(super) fn take(&mut self, key: Key) -> Option<Held> {
        let at = self.held.iter().position(|held| held.key() == key)?;
        Some(self.held.swap_remove(at))
    }

    /// Gives back what nobody needs: not the window, not the server.
    pub(super) fn release(&mut self) {
        let window = self.window.map(|(key, _)| key);
        let flight = self.flight.as_ref().map(|flight| flight.key);
        let handled = self.handled;
        self.held.retain(|held| {
            let key = Some(held.key());
            key == window || key == flight || held.busy > 0 || held.last_read > handled
        });
    }

    /// Whether a surface's frame is held.
    pub(super) fn holds(&self, key: Key) -> bool {
        self.get(key).is_some() || self.next.as_ref().is_some_and(|held| held.key() == key)
    }
}

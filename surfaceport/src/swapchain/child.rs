//! The child's side of the word: which slots are its own, and its transitions.
//!
//! The child trusts the host. It takes nothing out of the word but by an
//! operation whose result says what it got, because the host carries bits off
//! and gives them back while it takes a frame.

use super::MAX_SLOTS;
use super::word::{CHILD_SLEEPS, FREE, Word};
use crate::mode::PresentMode;
use crate::sync::{AtomicU64, Ordering};

/// What `present` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Presented {
    /// The new frame's number, from 1.
    pub(crate) sequence: u64,
    /// The number of the frame that this one superseded, if it was unread.
    pub(crate) superseded: Option<u64>,
    /// The host sleeps: ring.
    pub(crate) ring: bool,
}

/// The child's private account of one generation.
#[derive(Debug)]
pub(crate) struct Child {
    mode: PresentMode,
    /// Slots that can be acquired.
    free: u32,
    /// The last frame presented.
    sequence: u64,
    /// Which frame each slot last held; 0 is none.
    content: [u64; MAX_SLOTS],
}

impl Child {
    /// A new generation of `slots` slots, all of them the child's own.
    pub(crate) fn new(slots: usize, mode: PresentMode) -> Self {
        Self { mode, free: (1 << slots) - 1, sequence: 0, content: [0; MAX_SLOTS] }
    }

    /// Takes a slot to draw into; `None` if the host has or is offered all.
    ///
    /// Of several it gives the one with the newest content, which needs the
    /// least drawn again. An unread frame is left alone: if `acquire` took it
    /// back, a child slower than the host's tick would never be seen.
    pub(crate) fn acquire(&mut self, word: &AtomicU64) -> Option<u8> {
        if self.free == 0 {
            self.free = Word(word.fetch_and(!(FREE | CHILD_SLEEPS), Ordering::AcqRel)).free();
        }
        let mut newest = None;
        let mut left = self.free;
        while left != 0 {
            let slot = left.trailing_zeros() as usize;
            left &= left - 1;
            newest = newest.max(self.content.get(slot).map(|content| (*content, slot)));
        }
        let slot = u8::try_from(newest?.1).ok()?;
        self.free &= !(1 << slot);
        Some(slot)
    }

    /// Whether there is a slot that can be acquired. It only looks: a child that
    /// waits awake does not take the word's cache line from the host.
    #[inline]
    pub(crate) fn has_free(&self, word: &AtomicU64) -> bool {
        self.free != 0 || Word(word.load(Ordering::Relaxed)).free() != 0
    }

    /// Says that the child is going to sleep until a slot comes back. `false`:
    /// one is there already, do not sleep.
    pub(crate) fn sleep(word: &AtomicU64) -> bool {
        Word(word.fetch_or(CHILD_SLEEPS, Ordering::AcqRel)).free() == 0
    }

    /// Gives back an acquired slot without a frame. Its content is undefined
    /// if something was drawn.
    pub(crate) fn cancel(&mut self, slot: u8, drawn: bool) {
        self.free |= 1 << slot;
        if drawn && let Some(content) = self.content.get_mut(usize::from(slot)) {
            *content = 0;
        }
    }

    /// How many frames ago the slot's content was presented, counting from the
    /// frame that is about to be drawn: 1 is the frame before, 0 is undefined.
    pub(crate) fn age(&self, slot: u8) -> u64 {
        match self.content.get(usize::from(slot)) {
            Some(&content) if content != 0 => self.sequence + 1 - content,
            _ => 0,
        }
    }

    /// The number that the next frame will have.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.sequence + 1
    }

    /// Publishes an acquired slot as the newest frame: one swap, which also
    /// collects what was given back and takes a superseded frame back.
    pub(crate) fn present(&mut self, word: &AtomicU64, ring: &[AtomicU64], slot: u8) -> Presented {
        self.sequence += 1;
        if let Some(content) = self.content.get_mut(usize::from(slot)) {
            *content = self.sequence;
        }
        let frame = Word::frame(slot, self.sequence);
        if self.mode == PresentMode::Fifo
            && let Some(entry) = fifo_entry(ring, self.sequence)
        {
            entry.store(frame.0, Ordering::Release);
        }
        let before = Word(word.swap(frame.0, Ordering::AcqRel));
        self.free |= before.free();
        let mut superseded = None;
        if self.mode == PresentMode::Mailbox
            && let Some(slot) = before.slot()
        {
            self.free |= 1 << slot;
            // Only `present` publishes, so an unread frame is the one before.
            superseded = Some(self.sequence - 1);
        }
        Presented { sequence: self.sequence, superseded, ring: before.host_sleeps() }
    }
}

#[cfg(test)]
impl Child {
    /// A child that has presented so many frames, all of them long gone.
    pub(super) fn at(slots: usize, mode: PresentMode, sequence: u64) -> Self {
        Self { sequence, ..Self::new(slots, mode) }
    }
}

/// A frame's entry in the fifo ring, which has as many entries as slots are used.
pub(super) fn fifo_entry(ring: &[AtomicU64], sequence: u64) -> Option<&AtomicU64> {
    let index = sequence.checked_rem(ring.len() as u64)?;
    ring.get(usize::try_from(index).ok()?)
}

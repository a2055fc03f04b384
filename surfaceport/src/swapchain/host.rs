//! The host's side of the word: its account of every slot, and its transitions.
//!
//! The word is hostile. Each transition reads it once into a local and judges
//! that value against the private account; [`Host::judge`] is a total function
//! of the two. An impossible value is a [`Violation`], which ends the session.
//!
//! No operation here loops. A `fetch_and` or `fetch_or` whose result is used
//! compiles to a compare-and-swap loop on x86-64, which a child could keep
//! failing for ever; so the result of each `fetch_or` is dropped and the word is
//! loaded after it. `cargo xtask disasm` looks at the machine code.

use super::MAX_SLOTS;
use super::child::fifo_entry;
use super::word::{CHILD_SLEEPS, FREE, HOST_SLEEPS, Word, widen};
use crate::error::Violation;
use crate::mode::PresentMode;
use crate::sync::{AtomicBool, AtomicU64, Ordering};

/// Which slots the host holds. Private memory, shared by the session, which
/// takes, and the frames, which give back from any thread.
///
/// Giving back costs one locked operation beside the word's, taking none: a slot's
/// flag is written by who has the slot, and only the session takes.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// For each slot, whether it is held.
    held: [AtomicBool; MAX_SLOTS],
    /// How many frames were taken. Only the session writes it.
    taken: AtomicU64,
    /// How many were given back, counted down from 0. Once no more will be taken,
    /// what was taken is added: how many are out then, and bit 63. A release counts
    /// only when it is done with the word, else its late bit could fall into a word
    /// that the child has emptied for the generation after the next.
    out: AtomicU64,
}

const RETIRING: u64 = 1 << 63;

/// What giving a slot back did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Released {
    /// The child sleeps: ring.
    pub(crate) ring: bool,
    /// It was the last frame of a generation that is being retired: nothing
    /// touches that one's block any more.
    pub(crate) last: bool,
}

impl Account {
    /// Nothing is held.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Which of these slots, a mask, are held. No others are looked at: most words
    /// tell of one.
    fn held(&self, of: u32) -> u32 {
        let (mut held, mut left) = (of, of);
        while left != 0 {
            let slot = left.trailing_zeros() as usize;
            left &= left - 1;
            if !self.held.get(slot).is_some_and(|held| held.load(Ordering::Acquire)) {
                held &= !(1 << slot);
            }
        }
        held
    }

    fn hold(&self, slot: u8) {
        self.set_held(slot, true);
        self.taken.store(self.taken.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    fn set_held(&self, slot: u8, is_held: bool) {
        if let Some(held) = self.held.get(usize::from(slot)) {
            held.store(is_held, Ordering::Release);
        }
    }

    /// A frame is out no more. Whether it was the last one of a generation that is
    /// being retired.
    fn done(&self) -> bool {
        self.out.fetch_sub(1, Ordering::AcqRel) == RETIRING | 1
    }

    /// Says that no more frames will be taken. `true`: none is out either, so
    /// the generation is over; else the release of the last one says so.
    pub(crate) fn retire(&self) -> bool {
        let taken = self.taken.swap(0, Ordering::Relaxed);
        self.out.fetch_add(RETIRING + taken, Ordering::AcqRel).wrapping_add(taken) == 0
    }

    /// Whether it is retired and no frame is out: nothing touches the block.
    pub(crate) fn is_over(&self) -> bool {
        self.out.load(Ordering::Acquire) == RETIRING
    }

    /// Gives a held slot back.
    ///
    /// The account is cleared first: once the bit is in the word, the child may
    /// present the slot again at once, on another processor.
    #[inline(never)]
    pub(crate) fn release(&self, word: &AtomicU64, slot: u8) -> Released {
        self.set_held(slot, false);
        let ring = give_back(word, 1 << slot);
        Released { ring, last: self.done() }
    }
}

/// Puts bits back into the word. `true`: the child sleeps although a slot is
/// free for it, ring.
#[inline(always)]
fn give_back(word: &AtomicU64, bits: u64) -> bool {
    word.fetch_or(bits, Ordering::AcqRel);
    let now = Word(word.load(Ordering::Acquire));
    now.child_sleeps() && now.free() != 0
}

/// A frame that the host now holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Its slot, below the swapchain's count and not held before.
    pub(crate) slot: u8,
    /// Its number, from 1, widened.
    pub(crate) sequence: u64,
    /// How many frames before it were superseded unseen.
    pub(crate) superseded: u64,
}

/// What one take did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Take {
    /// The frame, if there was one.
    pub(crate) frame: Option<Taken>,
    /// The child sleeps although a slot is free for it: ring.
    pub(crate) ring: bool,
}

/// What was unread when a generation ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Drained {
    /// Frames that nobody will see.
    pub(crate) unread: u64,
    /// Frames that those had superseded.
    pub(crate) superseded: u64,
}

/// A frame as the word shows it, found possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) slot: u8,
    pub(super) sequence: u64,
}

/// The host's private account of one generation, but for what [`Account`] has.
#[derive(Debug)]
pub(crate) struct Host {
    mode: PresentMode,
    slots: u8,
    /// The last frame taken.
    last: u64,
    /// The newest frame that the child is known to have presented: ahead of
    /// `last` only in fifo.
    newest: u64,
}

impl Host {
    /// A new generation; nothing is presented yet.
    pub(crate) fn new(slots: u8, mode: PresentMode) -> Self {
        Self { mode, slots, last: 0, newest: 0 }
    }

    /// Takes all that is unread and holds none of it: how many frames there
    /// were, and how many they superseded.
    pub(crate) fn drain(
        &mut self,
        account: &Account,
        word: &AtomicU64,
        ring: &[AtomicU64],
    ) -> Result<Drained, Violation> {
        let mut drained = Drained::default();
        // No more than there are slots: what a child adds meanwhile is its own loss.
        for _ in 0..self.slots {
            let Some(frame) = self.take(account, word, ring)?.frame else { break };
            account.set_held(frame.slot, false);
            account.done();
            drained.unread += 1;
            drained.superseded += frame.superseded;
        }
        Ok(drained)
    }

    /// Whether frames are known of that were not taken yet (fifo).
    pub(crate) fn has_unread(&self) -> bool {
        self.newest != self.last
    }

    /// Says that the host is going to sleep until a frame is there. `false`: one
    /// is there already, do not sleep.
    #[inline(never)]
    pub(crate) fn arm(&self, word: &AtomicU64) -> bool {
        // In fifo the word is empty while frames that it told of are unread.
        if self.has_unread() {
            return false;
        }
        word.fetch_or(HOST_SLEEPS, Ordering::AcqRel);
        Word(word.load(Ordering::Acquire)).slot_field() == 0
    }

    /// Judges a value of the word that should hold a frame, and may be any of 2⁶⁴, by
    /// which of its slots are held.
    pub(super) fn judge(&self, held: u32, seen: Word) -> Result<Seen, Violation> {
        if u64::from(seen.free()) >> self.slots != 0 {
            return Err(Violation::FreeOutOfRange);
        }
        if seen.free() & held != 0 {
            return Err(Violation::FreeHeld);
        }
        // There was one a moment ago, and it goes away only by being taken.
        let slot = seen.slot().ok_or(Violation::BadWord)?;
        if slot >= self.slots {
            return Err(Violation::SlotOutOfRange);
        }
        let bit = 1_u32 << slot;
        if held & bit != 0 {
            return Err(Violation::SlotHeld);
        }
        if seen.free() & bit != 0 {
            return Err(Violation::BadWord);
        }
        let sequence = widen(self.newest, seen.sequence()).ok_or(Violation::SequenceNotNewer)?;
        if self.mode == PresentMode::Fifo && sequence - self.last > u64::from(self.slots) {
            return Err(Violation::TooManyUnread);
        }
        Ok(Seen { slot, sequence })
    }

    /// Takes the next frame: the newest (mailbox) or the oldest unread (fifo).
    #[inline(never)]
    pub(crate) fn take(
        &mut self,
        account: &Account,
        word: &AtomicU64,
        ring: &[AtomicU64],
    ) -> Result<Take, Violation> {
        let mut rung = false;
        let mut seen = None;
        if !self.has_unread() {
            // A hint: what counts is the value that the swap brings.
            if Word(word.load(Ordering::Relaxed)).slot_field() == 0 {
                return Ok(Take::default());
            }
            let carried = Word(word.swap(0, Ordering::AcqRel));
            let frame = self.judge(account.held(carried.slots()), carried)?;
            let back = carried.0 & (FREE | CHILD_SLEEPS);
            rung = back != 0 && give_back(word, back);
            self.newest = frame.sequence;
            seen = Some(frame);
        }
        let frame = match (self.mode, seen) {
            (PresentMode::Mailbox, Some(seen)) => {
                let superseded = seen.sequence - self.last - 1;
                Taken { slot: seen.slot, sequence: seen.sequence, superseded }
            }
            _ => self.next_of_fifo(account, ring)?,
        };
        self.last = frame.sequence;
        account.hold(frame.slot);
        Ok(Take { frame: Some(frame), ring: rung })
    }

    fn next_of_fifo(&self, account: &Account, ring: &[AtomicU64]) -> Result<Taken, Violation> {
        let sequence = self.last + 1;
        let entry = fifo_entry(ring, sequence).ok_or(Violation::RingMismatch)?;
        let entry = Word(entry.load(Ordering::Acquire));
        let slot = entry.slot().ok_or(Violation::RingMismatch)?;
        if entry != Word::frame(slot, sequence) {
            return Err(Violation::RingMismatch);
        }
        if slot >= self.slots {
            return Err(Violation::SlotOutOfRange);
        }
        if account.held(1 << slot) != 0 {
            return Err(Violation::SlotHeld);
        }
        Ok(Taken { slot, sequence, superseded: 0 })
    }
}

#[cfg(test)]
impl Account {
    /// These slots are held, all at once.
    pub(super) fn holding(slots: u32) -> Self {
        let account = Self::new();
        (0..crate::mode::MAX_SLOTS)
            .filter(|slot| slots & 1 << slot != 0)
            .for_each(|slot| account.hold(slot));
        account
    }

    /// The slots that are held, as a mask.
    pub(super) fn mask(&self) -> u32 {
        self.held(u32::MAX)
    }
}

#[cfg(any(test, fuzzing))]
impl Account {
    /// How many frames are out: held, or just being given back.
    pub(super) fn count(&self) -> u64 {
        let out = self.out.load(Ordering::Acquire);
        self.taken.load(Ordering::Acquire).wrapping_add(out) & !RETIRING
    }
}

#[cfg(test)]
impl Host {
    /// A host that is somewhere in a session.
    pub(super) fn at(slots: u8, mode: PresentMode, last: u64, newest: u64) -> Self {
        Self { mode, slots, last, newest }
    }
}

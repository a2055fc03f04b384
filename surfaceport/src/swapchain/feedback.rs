//! The feedback ring: what became of frames, from the host to the child.
//!
//! Feedback can come after the release (a display says late when a frame was
//! shown), so entries are keyed by generation and sequence. The host writes and
//! never reads back; it does not wait for the child, so a child that does not
//! look for 64 entries misses some, and learns how many. The oldest of 64 counts
//! as missed already: the host may be writing over it.

use super::at;
use super::word::SEQUENCE_SPAN;
use crate::outcome::{FrameId, Outcome};
use crate::sync::{AtomicU64, Ordering, fence};
use crate::time::Timestamp;

/// How many outcomes the ring holds; a reader gets the newest 63 of them.
pub(crate) const FEEDBACK_ENTRIES: usize = 64;

/// The count on a line of its own, then 64 entries of 16 bytes (fewer in tests).
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct FeedbackRing<const N: usize = FEEDBACK_ENTRIES> {
    /// How many outcomes were ever written.
    written: AtomicU64,
    reserved: [AtomicU64; 15],
    entries: [Entry; N],
}

impl<const N: usize> Default for FeedbackRing<N> {
    fn default() -> Self {
        Self {
            written: AtomicU64::default(),
            reserved: Default::default(),
            entries: core::array::from_fn(|_| Entry::default()),
        }
    }
}

/// Key: bits 0–37 the sequence, 38–61 the generation, 62–63 the outcome
/// (0 shown, 1 superseded, 2 stale, 3 lost). Then the time in ns, for shown.
#[derive(Debug, Default)]
#[repr(C)]
struct Entry {
    key: AtomicU64,
    at: AtomicU64,
}

const GENERATION_SHIFT: u32 = 38;
const GENERATION_SPAN: u64 = 1 << 24;
const OUTCOME_SHIFT: u32 = 62;

fn pack(id: FrameId, outcome: Outcome) -> (u64, u64) {
    let (code, at) = match outcome {
        Outcome::Shown { at } => (0, at.as_nanos()),
        Outcome::Superseded => (1, 0),
        Outcome::Stale => (2, 0),
        Outcome::Lost => (3, 0),
    };
    let generation = u64::from(id.generation) % GENERATION_SPAN;
    let key =
        (code << OUTCOME_SHIFT) | (generation << GENERATION_SHIFT) | (id.sequence % SEQUENCE_SPAN);
    (key, at)
}

fn unpack(key: u64, at: u64) -> (FrameId, Outcome) {
    let generation = ((key >> GENERATION_SHIFT) % GENERATION_SPAN) as u32;
    let outcome = match key >> OUTCOME_SHIFT {
        0 => Outcome::Shown { at: Timestamp::from_nanos(at) },
        1 => Outcome::Superseded,
        2 => Outcome::Stale,
        _ => Outcome::Lost,
    };
    (FrameId { generation, sequence: key % SEQUENCE_SPAN }, outcome)
}

/// The host's end: counts privately what it wrote.
#[derive(Debug, Default)]
pub(crate) struct FeedbackWriter {
    written: u64,
}

impl FeedbackWriter {
    /// Tells the child what became of a frame.
    pub(crate) fn write<const N: usize>(
        &mut self,
        ring: &FeedbackRing<N>,
        id: FrameId,
        outcome: Outcome,
    ) {
        let entry = at(&ring.entries, self.written);
        let (key, time) = pack(id, outcome);
        // Whoever sees a part of this entry also sees the count of the one
        // before, and so knows that the entry's former content is gone.
        fence(Ordering::Release);
        entry.key.store(key, Ordering::Relaxed);
        entry.at.store(time, Ordering::Relaxed);
        self.written += 1;
        ring.written.store(self.written, Ordering::Release);
    }
}

/// The child's end.
#[derive(Debug, Default)]
pub(crate) struct FeedbackReader {
    read: u64,
    missed: u64,
}

impl FeedbackReader {
    /// The next outcome, if there is one.
    pub(crate) fn next<const N: usize>(
        &mut self,
        ring: &FeedbackRing<N>,
    ) -> Option<(FrameId, Outcome)> {
        loop {
            let written = ring.written.load(Ordering::Acquire);
            if written == self.read {
                return None;
            }
            // The oldest entry is the next to be overwritten: already suspect.
            let oldest = (written + 1).saturating_sub(N as u64);
            if self.read < oldest {
                self.missed += oldest - self.read;
                self.read = oldest;
                continue;
            }
            let entry = at(&ring.entries, self.read);
            let key = entry.key.load(Ordering::Relaxed);
            let time = entry.at.load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            let after = ring.written.load(Ordering::Relaxed);
            if after.wrapping_sub(self.read) >= N as u64 {
                continue;
            }
            self.read += 1;
            return Some(unpack(key, time));
        }
    }

    /// How many outcomes were overwritten before they were read.
    pub(crate) fn missed(&self) -> u64 {
        self.missed
    }
}

//! Where the words of the control page lie.
//!
//! All fields are 64-bit atomics in native byte order, so any bytes at all are
//! a valid page. What the two sides write lies on cache lines of its own (128
//! bytes: processors prefetch pairs of 64).

use super::at;
use super::damage::DamageRing;
use super::feedback::FeedbackRing;
use super::record::Record;
use super::{MAX_SLOTS, begin_frame::BeginFrameWord};
use crate::sync::{AtomicU64, Ordering};

/// The control page of a connection.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(crate) struct ControlPage {
    /// Host to child: when the display wants the next frame.
    pub(crate) begin_frame: BeginFrameWord,
    /// Host to child: what became of frames.
    pub(crate) feedback: FeedbackRing,
    /// Generation g uses block g modulo 2.
    blocks: [Block; 2],
}

impl ControlPage {
    /// The block of a generation.
    pub(crate) fn block(&self, generation: u32) -> &Block {
        at(&self.blocks, u64::from(generation))
    }
}

/// What one generation uses.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(crate) struct Block {
    /// The hand-off.
    pub(crate) word: Line,
    /// Fifo: the unread frames, by sequence modulo the number of slots.
    ring: [AtomicU64; MAX_SLOTS],
    /// What the child says of the frame in each slot.
    records: [Record; MAX_SLOTS],
    /// What changed from frame to frame.
    pub(crate) damage: DamageRing,
}

/// A word on a line of its own.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(crate) struct Line(pub(crate) AtomicU64);

impl Block {
    /// The fifo ring of a swapchain with this many slots.
    pub(crate) fn ring(&self, slots: u8) -> &[AtomicU64] {
        self.ring.get(..usize::from(slots)).unwrap_or(&self.ring)
    }

    /// The record of a slot.
    pub(crate) fn record(&self, slot: u8) -> &Record {
        at(&self.records, u64::from(slot))
    }

    /// Empties the block for a new generation. The child does so before it
    /// sends the Setup, when the host has retired the block's last user.
    pub(crate) fn reset(&self) {
        self.damage.reset();
        self.ring.iter().for_each(|entry| entry.store(0, Ordering::Relaxed));
        self.records.iter().for_each(Record::reset);
        self.word.0.store(0, Ordering::Release);
    }
}

#[cfg(any(test, fuzzing))]
impl Block {
    /// Every word in the order of its offset, for whoever wants to write
    /// nonsense there.
    pub(super) fn words(&self) -> impl Iterator<Item = &AtomicU64> {
        core::iter::once(&self.word.0)
            .chain(&self.ring)
            .chain(self.records.iter().flat_map(Record::words))
            .chain(self.damage.words())
    }
}

/// The page's length in bytes, before rounding up to the system's pages.
pub(crate) const PAGE_BYTES: usize = 14_080;

#[cfg(not(loom))]
const _: () = {
    // The offsets that PROTOCOL.md states.
    assert!(size_of::<ControlPage>() == PAGE_BYTES);
    assert!(core::mem::offset_of!(ControlPage, feedback) == 128);
    assert!(core::mem::offset_of!(ControlPage, blocks) == 1280);
    assert!(size_of::<Block>() == 6400);
    assert!(core::mem::offset_of!(Block, ring) == 128);
    assert!(core::mem::offset_of!(Block, records) == 256);
    assert!(core::mem::offset_of!(Block, damage) == 2304);
};

//! Where the words of the control page lie.
//!
//! All fields are 64-bit atomics in native byte order, so any bytes at all are
//! a valid page. What the two sides write lies on cache lines of its own (128
//! bytes: processors prefetch pairs of 64).

use super::at;
use super::damage::{DamageRing, KeptDamage};
use super::feedback::FeedbackRing;
use super::note::Note;
use super::record::{FrameRecord, Record};
use super::{MAX_SLOTS, begin_frame::BeginFrameWord};
use crate::geometry::{Damage, Size};
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
    pub(crate) word: AtomicU64,
    /// What the child says of the newest frame, on the same line.
    note: Note,
    reserved: [AtomicU64; 8],
    /// Fifo: the unread frames, by sequence modulo the number of slots.
    ring: [AtomicU64; MAX_SLOTS],
    /// What the child says of the frame in each slot.
    records: [Record; MAX_SLOTS],
    /// What changed from frame to frame.
    damage: DamageRing,
}

impl Block {
    /// The fifo ring of a swapchain with this many slots.
    pub(crate) fn ring(&self, slots: u8) -> &[AtomicU64] {
        self.ring.get(..usize::from(slots)).unwrap_or(&self.ring)
    }

    fn record(&self, slot: u8) -> &Record {
        at(&self.records, u64::from(slot))
    }

    /// Child: says of a frame what there is to say, before it is presented.
    #[inline]
    pub(crate) fn describe(&self, slot: u8, sequence: u64, record: &FrameRecord, damage: &Damage) {
        self.record(slot).write(record);
        let rects = damage.rects();
        let header = self.damage.write(sequence, rects);
        // Last: from its first store on the word's line is the child's, and the
        // host, which looks at the word, is to find it changed when it gets it.
        self.note.write(header, record, rects.unwrap_or(&[]));
    }

    /// Host: keeps what the child says of a frame that was taken, and what changed
    /// since the one that was taken before.
    #[inline]
    pub(crate) fn keep(&self, slot: u8, before: u64, sequence: u64, kept: &Description) {
        if self.note.keep(sequence, kept) {
            let alone = before != 0 && before + 1 == sequence;
            if alone || kept.damage.is_full() {
                return;
            }
        } else {
            kept.record.write(&self.record(slot).read());
        }
        kept.damage.set(&self.damage.since(before, sequence));
    }

    /// Empties the block for a new generation. The child does so before it
    /// sends the Setup, when the host has retired the block's last user.
    pub(crate) fn reset(&self) {
        self.damage.reset();
        self.ring.iter().for_each(|entry| entry.store(0, Ordering::Relaxed));
        self.records.iter().for_each(Record::reset);
        self.note.reset();
        self.word.store(0, Ordering::Release);
    }
}

#[cfg(any(test, fuzzing))]
impl Block {
    /// What is kept of a frame.
    pub(super) fn description(
        &self,
        slot: u8,
        before: u64,
        sequence: u64,
    ) -> (FrameRecord, Damage) {
        let kept = Description::default();
        self.keep(slot, before, sequence, &kept);
        (kept.record(), kept.damage())
    }

    /// Every word in the order of its offset, for whoever wants to write
    /// nonsense there.
    pub(super) fn words(&self) -> impl Iterator<Item = &AtomicU64> {
        core::iter::once(&self.word)
            .chain(self.note.words())
            .chain(&self.reserved)
            .chain(&self.ring)
            .chain(self.records.iter().flat_map(Record::words))
            .chain(self.damage.words())
    }
}

/// What the child said of a frame that the host has taken, in the host's own
/// memory: words once more, and private ones, so that what is there for most frames
/// goes from the page to where it stays without another copy.
#[derive(Debug, Default)]
pub(crate) struct Description {
    pub(super) record: Record,
    pub(super) damage: KeptDamage,
}

impl Description {
    /// Says this of a frame.
    pub(crate) fn set(&self, record: &FrameRecord, damage: &Damage) {
        self.record.write(record);
        self.damage.set(damage);
    }

    /// Says something else of what changed with it.
    pub(crate) fn set_damage(&self, damage: &Damage) {
        self.damage.set(damage);
    }

    /// Its record.
    #[inline]
    pub(crate) fn record(&self) -> FrameRecord {
        self.record.read()
    }

    /// What changed with it.
    pub(crate) fn damage(&self) -> Damage {
        self.damage.get()
    }

    /// The same within a surface of this size. `false`: of that the frame says to use
    /// more than there is.
    #[inline]
    pub(crate) fn fit(&self, whole: Size) -> bool {
        if !self.damage.is_full() {
            self.damage.set(&self.damage.get().clipped(whole));
        }
        self.record.read().extent.is_none_or(|size| size.is_valid() && size.fits(whole))
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
    assert!(core::mem::offset_of!(Block, note) == 8);
    assert!(size_of::<Note>() == 56);
    assert!(core::mem::offset_of!(Block, ring) == 128);
    assert!(core::mem::offset_of!(Block, records) == 256);
    assert!(core::mem::offset_of!(Block, damage) == 2304);
};

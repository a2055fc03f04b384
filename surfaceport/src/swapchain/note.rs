//! The note: what the child says of the newest frame, once more, beside the word.
//!
//! A frame's record and its damage lie on cache lines of their own, and each
//! line that one processor wrote and another reads costs as much as the word
//! itself. The note lies on the word's line, which has to travel anyway. It has
//! room for most frames, and for one at a time: a host that finds no note of its
//! frame, since there is none or a newer one, looks at the record and the ring.

use super::damage::{FULL, count_of, header_of, pack, unpack};
use super::record::FrameRecord;
use crate::geometry::Damage;
use crate::sync::{AtomicU64, Ordering, fence};

/// Rectangles that a note has room for.
pub(crate) const NOTE_RECTS: usize = 4;

/// 56 bytes, that follow the word. The header is as in the damage ring.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Note {
    header: AtomicU64,
    presented_at: AtomicU64,
    begin_frame: AtomicU64,
    rects: [AtomicU64; NOTE_RECTS],
}

impl Note {
    /// Child: notes a frame that is about to be presented, if there is room for
    /// what it has to say.
    #[inline]
    pub(crate) fn write(&self, sequence: u64, record: &FrameRecord, damage: &Damage) {
        // A reader between the first store and the last finds no valid note.
        self.header.store(0, Ordering::Relaxed);
        let rects = damage.rects().unwrap_or(&[]);
        if record.user.is_some() || record.extent.is_some() || rects.len() > NOTE_RECTS {
            return;
        }
        fence(Ordering::Release);
        self.presented_at.store(record.presented_at, Ordering::Relaxed);
        self.begin_frame.store(record.begin_frame, Ordering::Relaxed);
        for (word, rect) in self.rects.iter().zip(rects) {
            word.store(pack(*rect), Ordering::Relaxed);
        }
        self.header.store(header_of(sequence, damage), Ordering::Release);
    }

    /// Host: the note of a frame, if it is this one's.
    #[inline]
    pub(crate) fn read(&self, sequence: u64) -> Option<(FrameRecord, Damage)> {
        let header = self.header.load(Ordering::Acquire);
        let count = count_of(header, sequence)?;
        let record = FrameRecord {
            presented_at: self.presented_at.load(Ordering::Relaxed),
            begin_frame: self.begin_frame.load(Ordering::Relaxed),
            ..FrameRecord::default()
        };
        let mut damage = if header & FULL != 0 { Damage::FULL } else { Damage::NONE };
        for word in self.rects.iter().take(count) {
            damage.add(unpack(word.load(Ordering::Relaxed)));
        }
        fence(Ordering::Acquire);
        (self.header.load(Ordering::Relaxed) == header).then_some((record, damage))
    }

    /// Child: empties the note.
    pub(super) fn reset(&self) {
        self.header.store(0, Ordering::Relaxed);
    }
}

#[cfg(any(test, fuzzing))]
impl Note {
    /// Every word, for whoever wants to write nonsense there.
    pub(super) fn words(&self) -> impl Iterator<Item = &AtomicU64> {
        [&self.header, &self.presented_at, &self.begin_frame].into_iter().chain(&self.rects)
    }
}

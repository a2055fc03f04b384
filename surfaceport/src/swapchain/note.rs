//! The note: what the child says of the newest frame, once more, beside the word.
//!
//! A frame's record and its damage lie on cache lines of their own, and each
//! line that one processor wrote and another reads costs as much as the word
//! itself. The note lies on the word's line, which has to travel anyway. It has
//! room for most frames, and for one at a time: a host that finds no note of its
//! frame, since there is none or a newer one, looks at the record and the ring.

use super::damage::{FULL, count_of, read_rects, write_rects};
use super::page::Description;
use super::record::FrameRecord;
use crate::geometry::Rect;
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
    /// what it has to say. The header is that of its damage.
    #[inline]
    pub(crate) fn write(&self, header: u64, record: &FrameRecord, rects: &[Rect]) {
        // A reader between the first store and the last finds no valid note.
        self.header.store(0, Ordering::Relaxed);
        if record.user.is_some() || record.extent.is_some() || rects.len() > NOTE_RECTS {
            return;
        }
        fence(Ordering::Release);
        self.presented_at.store(record.presented_at, Ordering::Relaxed);
        self.begin_frame.store(record.begin_frame, Ordering::Relaxed);
        write_rects(&self.rects, rects);
        self.header.store(header, Ordering::Release);
    }

    /// Host: keeps the note of a frame. `false`: there is none of this one, and
    /// what is kept now is nothing.
    #[inline]
    pub(crate) fn keep(&self, sequence: u64, kept: &Description) -> bool {
        let header = self.header.load(Ordering::Acquire);
        let Some(count) = count_of(header, sequence) else { return false };
        kept.record.set_times(
            self.presented_at.load(Ordering::Relaxed),
            self.begin_frame.load(Ordering::Relaxed),
        );
        if header & FULL != 0 {
            kept.damage.set_full();
        } else {
            kept.damage.set(&read_rects(&self.rects, count));
        }
        fence(Ordering::Acquire);
        self.header.load(Ordering::Relaxed) == header
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

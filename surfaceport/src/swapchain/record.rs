//! What the child says of the frame in a slot.
//!
//! The child writes a record while the slot is its own and publishes it with
//! the frame; the host reads each word once, after it took the frame. A child
//! that writes out of turn garbles what it says of its own frame.

use crate::geometry::Size;
use crate::sync::{AtomicU64, Ordering};

/// Bytes of a frame's user data.
pub(crate) const USER_BYTES: usize = 64;
const USER_WORDS: usize = USER_BYTES / 8;

/// One slot's record: 128 bytes.
///
/// | word | meaning |
/// |---|---|
/// | 0 | when the frame was presented, ns |
/// | 1 | which begin-frame it answers, ns; 0 is none |
/// | 2 | size in use: width, height << 32; 0 is the whole surface |
/// | 3 | bit 0: there is user data; others reserved |
/// | 4–7 | reserved |
/// | 8–15 | user data |
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(crate) struct Record {
    presented_at: AtomicU64,
    begin_frame: AtomicU64,
    extent: AtomicU64,
    flags: AtomicU64,
    reserved: [AtomicU64; 4],
    user: [AtomicU64; USER_WORDS],
}

const HAS_USER: u64 = 1;

/// A record's content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FrameRecord {
    pub(crate) presented_at: u64,
    pub(crate) begin_frame: u64,
    /// The part of the surface that is in use; `None` is all of it.
    pub(crate) extent: Option<Size>,
    pub(crate) user: Option<[u8; USER_BYTES]>,
}

impl Record {
    /// Child: writes the record of a frame that is about to be presented.
    pub(crate) fn write(&self, record: &FrameRecord) {
        let extent =
            record.extent.map_or(0, |size| u64::from(size.width) | (u64::from(size.height) << 32));
        self.presented_at.store(record.presented_at, Ordering::Relaxed);
        self.begin_frame.store(record.begin_frame, Ordering::Relaxed);
        self.extent.store(extent, Ordering::Relaxed);
        self.flags.store(u64::from(record.user.is_some()) * HAS_USER, Ordering::Relaxed);
        if let Some(user) = &record.user {
            for (word, bytes) in self.user.iter().zip(user.as_chunks().0) {
                word.store(u64::from_le_bytes(*bytes), Ordering::Relaxed);
            }
        }
    }

    /// Host: copies the record out.
    pub(crate) fn read(&self) -> FrameRecord {
        let extent = self.extent.load(Ordering::Relaxed);
        let user = (self.flags.load(Ordering::Relaxed) & HAS_USER != 0).then(|| {
            let mut user = [0; USER_BYTES];
            for (bytes, word) in user.as_chunks_mut().0.iter_mut().zip(&self.user) {
                *bytes = word.load(Ordering::Relaxed).to_le_bytes();
            }
            user
        });
        #[expect(clippy::cast_possible_truncation, reason = "two halves of a word")]
        let size = Size::new(extent as u32, (extent >> 32) as u32);
        FrameRecord {
            presented_at: self.presented_at.load(Ordering::Relaxed),
            begin_frame: self.begin_frame.load(Ordering::Relaxed),
            extent: (extent != 0).then_some(size),
            user,
        }
    }

    /// Host: the record of a frame with nothing but its times.
    #[inline]
    pub(crate) fn set_times(&self, presented_at: u64, begin_frame: u64) {
        self.presented_at.store(presented_at, Ordering::Relaxed);
        self.begin_frame.store(begin_frame, Ordering::Relaxed);
        self.extent.store(0, Ordering::Relaxed);
        self.flags.store(0, Ordering::Relaxed);
    }

    /// Child: empties the record.
    pub(super) fn reset(&self) {
        self.flags.store(0, Ordering::Relaxed);
        self.extent.store(0, Ordering::Relaxed);
    }
}

#[cfg(any(test, fuzzing))]
impl Record {
    /// Every word, for whoever wants to write nonsense there.
    pub(super) fn words(&self) -> impl Iterator<Item = &AtomicU64> {
        [&self.presented_at, &self.begin_frame, &self.extent, &self.flags]
            .into_iter()
            .chain(&self.reserved)
            .chain(&self.user)
    }
}

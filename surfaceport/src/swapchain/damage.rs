//! The damage ring: what changed from each frame to the next.
//!
//! Damage is relative to the frame before, and that frame may never have been
//! shown. So the child writes an entry a frame, keyed by its sequence, and the
//! host unions all entries since the frame that it took before. A gap (an entry
//! that was overwritten, or is being written) means that all may have changed.

use super::at;
use super::word::SEQUENCE_SPAN;
use crate::geometry::{Damage, Rect};
use crate::sync::{AtomicU64, Ordering, fence};

/// How many frames back the ring reaches.
pub(crate) const DAMAGE_ENTRIES: usize = 64;

/// 64 entries of 64 bytes, by sequence modulo 64 (fewer in tests).
#[derive(Debug)]
#[repr(C)]
pub(crate) struct DamageRing<const N: usize = DAMAGE_ENTRIES> {
    entries: [Entry; N],
}

impl<const N: usize> Default for DamageRing<N> {
    fn default() -> Self {
        Self { entries: core::array::from_fn(|_| Entry::default()) }
    }
}

/// Header: bits 0–37 the sequence, 40–42 the number of rectangles, 43 "full",
/// 63 "valid". A rectangle: x, y, width, height, 16 bits each, x lowest.
#[derive(Debug, Default)]
#[repr(C)]
struct Entry {
    header: AtomicU64,
    rects: [AtomicU64; Damage::MAX_RECTS],
}

const COUNT_SHIFT: u32 = 40;
/// Everything may have changed.
pub(super) const FULL: u64 = 1 << 43;
const VALID: u64 = 1 << 63;

/// The header of what a frame changes: these, or all.
pub(super) fn header_of(sequence: u64, rects: Option<&[Rect]>) -> u64 {
    let what = rects.map_or(FULL, |rects| (rects.len() as u64) << COUNT_SHIFT);
    VALID | (sequence % SEQUENCE_SPAN) | what
}

/// How many rectangles follow a header, if it is valid and of this frame.
pub(super) fn count_of(header: u64, sequence: u64) -> Option<usize> {
    let key = header & (VALID | (SEQUENCE_SPAN - 1));
    let count = if header & FULL == 0 { ((header >> COUNT_SHIFT) & 7) as usize } else { 0 };
    (key == VALID | (sequence % SEQUENCE_SPAN)).then_some(count)
}

fn pack(rect: Rect) -> u64 {
    let side = |value: u32| u64::from(u16::try_from(value).unwrap_or(u16::MAX));
    side(rect.x) | (side(rect.y) << 16) | (side(rect.width) << 32) | (side(rect.height) << 48)
}

fn unpack(word: u64) -> Rect {
    let side = |shift: u32| ((word >> shift) & 0xffff) as u32;
    Rect::new(side(0), side(16), side(32), side(48))
}

/// Writes rectangles, as many as there are words for.
#[inline]
pub(super) fn write_rects<const N: usize>(words: &[AtomicU64; N], rects: &[Rect]) {
    for (word, rect) in words.iter().zip(rects) {
        word.store(pack(*rect), Ordering::Relaxed);
    }
}

/// Reads so many rectangles, or as many as there are words.
#[inline]
pub(super) fn read_rects<const N: usize>(words: &[AtomicU64; N], count: usize) -> Damage {
    let mut damage = Damage::NONE;
    for word in words.iter().take(count) {
        damage.add(unpack(word.load(Ordering::Relaxed)));
    }
    damage
}

impl Entry {
    /// What follows a header, if it is valid, of this frame, and not all.
    fn damage(&self, header: u64, sequence: u64) -> Option<Damage> {
        let count = count_of(header, sequence).filter(|_| header & FULL == 0)?;
        Some(read_rects(&self.rects, count))
    }
}

impl<const N: usize> DamageRing<N> {
    /// Child: says what changes with a frame, these or all, before it is presented.
    /// The header of that, for the note.
    pub(crate) fn write(&self, sequence: u64, rects: Option<&[Rect]>) -> u64 {
        let entry = at(&self.entries, sequence);
        let header = header_of(sequence, rects);
        let Some(rects) = rects else {
            entry.header.store(header, Ordering::Release);
            return header;
        };
        // A reader between the first store and the last finds no valid entry.
        entry.header.store(0, Ordering::Relaxed);
        fence(Ordering::Release);
        write_rects(&entry.rects, rects);
        entry.header.store(header, Ordering::Release);
        header
    }

    /// Host: what changed with one frame; full if that is not known any more.
    fn read(&self, sequence: u64) -> Damage {
        let entry = at(&self.entries, sequence);
        let header = entry.header.load(Ordering::Acquire);
        let Some(damage) = entry.damage(header, sequence) else { return Damage::FULL };
        fence(Ordering::Acquire);
        if entry.header.load(Ordering::Relaxed) == header { damage } else { Damage::FULL }
    }

    /// Host: what changed after frame `from` up to and with frame `to`. Looks
    /// at no more entries than the ring has.
    pub(crate) fn since(&self, from: u64, to: u64) -> Damage {
        let known = from != 0 && to.checked_sub(from).is_some_and(|frames| frames <= N as u64);
        if !known {
            return Damage::FULL;
        }
        let mut all = Damage::NONE;
        for before in from..to {
            all.union(&self.read(before + 1));
            if all == Damage::FULL {
                break;
            }
        }
        all
    }

    /// Child: empties the ring.
    pub(super) fn reset(&self) {
        self.entries.iter().for_each(|entry| entry.header.store(0, Ordering::Relaxed));
    }
}

/// What changed with a frame that the host has, in the host's own memory.
#[derive(Debug, Default)]
pub(crate) struct KeptDamage(Entry);

impl KeptDamage {
    /// Keeps it.
    pub(crate) fn set(&self, damage: &Damage) {
        let rects = damage.rects();
        write_rects(&self.0.rects, rects.unwrap_or(&[]));
        self.0.header.store(header_of(0, rects), Ordering::Relaxed);
    }

    /// Everything may have changed.
    #[inline]
    pub(crate) fn set_full(&self) {
        self.0.header.store(VALID | FULL, Ordering::Relaxed);
    }

    /// Whether everything may have changed.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.0.header.load(Ordering::Relaxed) & FULL != 0
    }

    /// What was kept last.
    pub(crate) fn get(&self) -> Damage {
        let header = self.0.header.load(Ordering::Relaxed);
        self.0.damage(header, 0).unwrap_or(Damage::FULL)
    }
}

#[cfg(any(test, fuzzing))]
impl<const N: usize> DamageRing<N> {
    /// Every word, for whoever wants to write nonsense there.
    pub(super) fn words(&self) -> impl Iterator<Item = &AtomicU64> {
        self.entries.iter().flat_map(|entry| core::iter::once(&entry.header).chain(&entry.rects))
    }
}

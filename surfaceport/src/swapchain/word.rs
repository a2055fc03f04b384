//! The word that is the whole hand-off.
//!
//! | bits | meaning |
//! |---|---|
//! | 0–15 | slots that the host has given back |
//! | 16–23 | the unread frame's slot + 1; 0 is none |
//! | 24–61 | its sequence, modulo 2³⁸ |
//! | 62 | the child sleeps until a slot is given back |
//! | 63 | the host sleeps until a frame is there |

use super::MAX_SLOTS;

/// Bits 0–15.
pub(crate) const FREE: u64 = (1 << MAX_SLOTS) - 1;
/// Bit 62.
pub(crate) const CHILD_SLEEPS: u64 = 1 << 62;
/// Bit 63.
pub(crate) const HOST_SLEEPS: u64 = 1 << 63;

const SLOT_SHIFT: u32 = 16;
const SLOT_BITS: u64 = 0xff;
const SEQUENCE_SHIFT: u32 = 24;
/// Sequences count modulo this.
pub(crate) const SEQUENCE_SPAN: u64 = 1 << 38;

/// One value of the word, read once into a local.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) u64);

impl Word {
    /// The word that publishes a frame.
    pub(crate) fn frame(slot: u8, sequence: u64) -> Self {
        Self(((u64::from(slot) + 1) << SLOT_SHIFT) | ((sequence % SEQUENCE_SPAN) << SEQUENCE_SHIFT))
    }

    /// The slots given back, as a mask.
    pub(crate) fn free(self) -> u32 {
        (self.0 & FREE) as u32
    }

    /// The slot field: an unread frame's slot + 1, or 0.
    pub(crate) fn slot_field(self) -> u8 {
        ((self.0 >> SLOT_SHIFT) & SLOT_BITS) as u8
    }

    /// The slot of the unread frame. Not checked against the swapchain's size.
    pub(crate) fn slot(self) -> Option<u8> {
        self.slot_field().checked_sub(1)
    }

    /// All slots that it tells of, given back or unread, as a mask. Not checked
    /// against the swapchain's size; of those that no mask has room for, none.
    pub(crate) fn slots(self) -> u32 {
        let unread = self.slot().and_then(|slot| 1_u32.checked_shl(slot.into()));
        self.free() | unread.unwrap_or(0)
    }

    /// The sequence field.
    pub(crate) fn sequence(self) -> u64 {
        (self.0 >> SEQUENCE_SHIFT) % SEQUENCE_SPAN
    }

    /// Whether the child sleeps.
    pub(crate) fn child_sleeps(self) -> bool {
        self.0 & CHILD_SLEEPS != 0
    }

    /// Whether the host sleeps.
    pub(crate) fn host_sleeps(self) -> bool {
        self.0 & HOST_SLEEPS != 0
    }
}

/// The whole number of a sequence of which the word shows the low 38 bits, if
/// it is ahead of `last` by less than half the span. A child that leaps as far
/// as it may with each frame reaches the end of a u64 after 2²⁷ frames: there it
/// ends, instead of starting again from 0.
pub(crate) fn widen(last: u64, seen: u64) -> Option<u64> {
    let ahead = seen.wrapping_sub(last) % SEQUENCE_SPAN;
    if ahead != 0 && ahead < SEQUENCE_SPAN / 2 { last.checked_add(ahead) } else { None }
}

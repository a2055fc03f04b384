//! Sequences modulo 2³⁸, and the word's fields.

use proptest::prelude::*;

use super::sequences;
use crate::swapchain::word::{SEQUENCE_SPAN, Word, widen};

proptest! {
    #[test]
    fn fields_come_back(slot in 0..16_u8, sequence in sequences()) {
        let word = Word::frame(slot, sequence);
        prop_assert_eq!(word.slot(), Some(slot));
        prop_assert_eq!(word.sequence(), sequence % SEQUENCE_SPAN);
        prop_assert_eq!((word.free(), word.child_sleeps(), word.host_sleeps()), (0, false, false));
    }

    /// The low 38 bits are enough to find a number that is a little ahead.
    #[test]
    fn widens(last in sequences(), ahead in 1..SEQUENCE_SPAN / 2) {
        let whole = last.checked_add(ahead);
        prop_assert_eq!(widen(last, last.wrapping_add(ahead) % SEQUENCE_SPAN), whole);
    }

    #[test]
    fn refuses_what_is_not_ahead(last in sequences(), behind in 0..=SEQUENCE_SPAN / 2) {
        prop_assert_eq!(widen(last, last.wrapping_sub(behind) % SEQUENCE_SPAN), None);
    }
}

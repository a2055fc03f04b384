//! Property tests: the transitions over all values, the pair against a plain
//! sequential model, and what lies beside the word.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests may panic; clippy knows them by `cfg(test)` alone"
)]

mod beside;
mod edges;
mod feedback;
mod host;
mod model;
mod sequence;

use proptest::prelude::*;

use crate::mode::PresentMode;

fn modes() -> impl Strategy<Value = PresentMode> {
    prop_oneof![Just(PresentMode::Mailbox), Just(PresentMode::Fifo)]
}

/// The last sequence of a session: at the start, about where the 38 bits of the
/// word wrap around, at the end of a u64, or anywhere.
fn sequences() -> impl Strategy<Value = u64> {
    let around = |place: u64| (0..8_u64).prop_map(move |by| place.wrapping_add(by).wrapping_sub(4));
    prop_oneof![
        Just(0),
        around(1 << 37),
        around(1 << 38),
        around(5 << 38),
        around(u64::MAX - 4),
        around(u64::MAX - (1 << 37)),
        any::<u64>(),
    ]
}

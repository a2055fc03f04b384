//! Outcomes through the ring: all whole, in order, and counted when missed.

use proptest::prelude::*;

use crate::outcome::{FrameId, Outcome};
use crate::swapchain::feedback::{FEEDBACK_ENTRIES, FeedbackReader, FeedbackRing, FeedbackWriter};
use crate::time::Timestamp;

fn outcomes() -> impl Strategy<Value = (FrameId, Outcome)> {
    let outcome = prop_oneof![
        any::<u64>().prop_map(|at| Outcome::Shown { at: Timestamp::from_nanos(at) }),
        Just(Outcome::Superseded),
        Just(Outcome::Stale),
        Just(Outcome::Lost),
    ];
    let id = (0..1_u32 << 24, 0..1_u64 << 38);
    (id.prop_map(|(generation, sequence)| FrameId { generation, sequence }), outcome)
}

proptest! {
    /// The reader gets the newest 63 that it has not read and counts the others.
    #[test]
    fn missed_is_counted_exactly(
        rounds in prop::collection::vec(
            (prop::collection::vec(outcomes(), 0..150), 0..100_usize),
            1..6,
        ),
    ) {
        let ring = <FeedbackRing>::default();
        let (mut writer, mut reader) = (FeedbackWriter::default(), FeedbackReader::default());
        let mut written = Vec::new();
        let (mut read, mut missed) = (0, 0);
        for (outcomes, reads) in rounds {
            for (id, outcome) in outcomes {
                writer.write(&ring, id, outcome);
                written.push((id, outcome));
            }
            for _ in 0..reads {
                let keeps = written.len().saturating_sub(FEEDBACK_ENTRIES - 1);
                if read < keeps {
                    missed += keeps - read;
                    read = keeps;
                }
                prop_assert_eq!(reader.next(&ring), written.get(read).copied());
                prop_assert_eq!(reader.missed(), missed as u64);
                read = written.len().min(read + 1);
            }
        }
    }

    /// Larger numbers come back modulo what the entry has room for.
    #[test]
    fn numbers_are_cut(generation: u32, sequence: u64) {
        let ring = <FeedbackRing>::default();
        FeedbackWriter::default().write(&ring, FrameId { generation, sequence }, Outcome::Stale);
        let cut = FrameId { generation: generation % (1 << 24), sequence: sequence % (1 << 38) };
        prop_assert_eq!(FeedbackReader::default().next(&ring), Some((cut, Outcome::Stale)));
    }
}

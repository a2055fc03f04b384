//! The judgement of a word, for each value at an edge of each field with each of
//! all others, in each state at an edge.

use super::host::{SPAN, State, rule};
use crate::mode::PresentMode::{Fifo, Mailbox};
use crate::swapchain::word::Word;

/// Slots that are held or given back: each set of a few, some of many.
fn masks(slots: u8) -> Vec<u32> {
    match slots {
        0..=4 => (0..1 << slots).collect(),
        _ => vec![0, 1, 1 << 15, 0x7fff, 0xfffe, 0x5555, 0xaaaa, 0xffff],
    }
}

fn states(slots: u8) -> Vec<State> {
    let ends = [SPAN / 2 - 1, SPAN / 2, SPAN - 1, SPAN, 5 * SPAN + 1];
    let last = [u64::MAX - SPAN / 2, u64::MAX - SPAN / 2 + 1, u64::MAX - 1, u64::MAX];
    let mut states = Vec::new();
    for newest in [0, 1, 2].into_iter().chain(ends).chain(last) {
        for held in masks(slots) {
            states.push(State { mode: Mailbox, slots, held, last: newest, newest });
            for unread in [0, 1, slots.into()] {
                let last = newest.saturating_sub(unread);
                states.push(State { mode: Fifo, slots, held, last, newest });
            }
        }
    }
    states
}

#[test]
fn a_word_of_every_edge() {
    for slots in [2, 3, 16] {
        let count = u64::from(slots);
        let fields: Vec<u64> = (0..=count + 1).chain([127, 128, 254, 255]).collect();
        let beyond = [1 << (slots - 1), 1 << slots.min(15), 1 << 15, 0xffff];
        let free: Vec<u32> = masks(slots).into_iter().chain(beyond).collect();
        for state in states(slots) {
            let host = state.host();
            for ahead in [0, 1, 2, count, count + 1, SPAN / 2 - 1, SPAN / 2, SPAN - 1] {
                let sequence = state.newest.wrapping_add(ahead) % SPAN;
                for field in &fields {
                    for free in &free {
                        for flags in [0, 3] {
                            let word =
                                u64::from(*free) | field << 16 | sequence << 24 | flags << 62;
                            let judged = host.judge(state.held, Word(word));
                            let judged = judged.map(|seen| (seen.slot, seen.sequence));
                            assert_eq!(judged, rule(&state, word), "{state:?} {word:#x}");
                        }
                    }
                }
            }
        }
    }
}

/// Every slot that the field can say, in every swapchain that there can be.
#[test]
fn every_slot_of_every_swapchain() {
    for slots in 2..=16 {
        for held in 0..=u32::from(u16::MAX) >> (16 - slots) {
            let state = State { mode: Mailbox, slots, held, last: 7, newest: 7 };
            // All of the fields for some, and around the end for the rest.
            let most = if held % 257 == 0 { 255 } else { u64::from(slots) + 1 };
            for field in 0..=most {
                let word = field << 16 | 8 << 24;
                let judged = state.host().judge(held, Word(word)).map(|seen| (seen.slot, 8));
                assert_eq!(judged, rule(&state, word), "{state:?} {field}");
            }
        }
    }
}

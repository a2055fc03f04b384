//! A child that puts whatever it likes into the word and the ring while the
//! host takes, arms and gives back.
//!
//! All sequences of up to three steps out of an alphabet with at least one value
//! for each branch of the validation; what counts is that the host stays
//! whatever it was: never a slot twice or one that does not exist, an account
//! that agrees with what it holds, and no panic. That every violation was met at
//! least once is checked at the end.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc as StdArc, Mutex as StdMutex};
use std::time::Instant;

use loom::sync::Arc;
use loom::thread;

use super::{bound, count_executions, report};
use crate::error::Violation;
use crate::mode::PresentMode::{self, Fifo, Mailbox};
use crate::swapchain::host::{Account, Host, Taken};
use crate::swapchain::word::{CHILD_SLEEPS, HOST_SLEEPS, SEQUENCE_SPAN, Word};
use crate::sync::{AtomicU64, Ordering};

const SLOTS: u8 = 2;

/// What the child does in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Store(u64),
    Swap(u64),
    /// Into the ring, at an index.
    Ring(usize, u64),
}

struct Words {
    word: AtomicU64,
    ring: [AtomicU64; SLOTS as usize],
}

impl Words {
    fn step(&self, step: Step) {
        match step {
            Step::Store(value) => self.word.store(value, Ordering::Release),
            Step::Swap(value) => _ = self.word.swap(value, Ordering::AcqRel),
            Step::Ring(index, value) => self.ring[index].store(value, Ordering::Release),
        }
    }
}

fn frame(slot: u8, sequence: u64) -> u64 {
    Word::frame(slot, sequence).0
}

/// The host's session: three takes, with an arm after each, and one release.
/// What ended it, if anything did.
fn session(words: &Words, mode: PresentMode) -> Option<Violation> {
    let account = Account::new();
    let mut host = Host::new(SLOTS, mode);
    let mut held: Vec<Taken> = Vec::new();
    let mut last = 0;
    let mut end = None;
    for round in 0..3 {
        match host.take(&account, &words.word, &words.ring) {
            Ok(take) => {
                if let Some(taken) = take.frame {
                    assert!(taken.slot < SLOTS, "a slot that does not exist");
                    assert!(held.iter().all(|other| other.slot != taken.slot), "held twice");
                    assert!(taken.sequence > last, "not newer");
                    assert_eq!(taken.superseded, taken.sequence - last - 1);
                    last = taken.sequence;
                    held.push(taken);
                }
            }
            Err(violation) => {
                end = Some(violation);
                break;
            }
        }
        assert_eq!(account.count() as usize, held.len());
        let _ = host.arm(&words.word);
        if round == 1 && !held.is_empty() {
            let _ = account.release(&words.word, held.remove(0).slot);
        }
    }
    for taken in held {
        let _ = account.release(&words.word, taken.slot);
    }
    assert_eq!(account.count(), 0);
    end
}

/// How often each violation ended a session, and after which steps of the child.
#[derive(Default)]
struct Met(HashMap<Violation, (usize, HashSet<Vec<Step>>)>);

impl Met {
    fn add(&mut self, violation: Violation, steps: &[Step]) {
        let (count, all) = self.0.entry(violation).or_default();
        *count += 1;
        if !all.contains(steps) {
            all.insert(steps.to_vec());
        }
    }

    /// Whether a violation was met without this step: for another reason.
    fn without(&self, violation: Violation, step: Step) -> bool {
        self.0.get(&violation).is_some_and(|(_, all)| all.iter().any(|s| !s.contains(&step)))
    }

    fn assert_all(&self, violations: &[Violation]) {
        for violation in violations {
            assert!(self.0.contains_key(violation), "{violation:?} was never met");
        }
    }
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = Violation::ALL.iter().filter_map(|one| Some((one, self.0.get(one)?.0)));
        f.debug_map().entries(all).finish()
    }
}

/// Explores all sequences of 1 to `longest` steps.
fn all_sequences(
    name: &str,
    mode: PresentMode,
    alphabet: &[Step],
    longest: u32,
    preemptions: Option<usize>,
) -> Met {
    let start = Instant::now();
    let met = StdArc::new(StdMutex::new(Met::default()));
    let mut executions = 0;
    for length in 1..=longest {
        for number in 0..alphabet.len().pow(length) {
            let steps: Vec<Step> = (0..length)
                .map(|place| alphabet[number / alphabet.len().pow(place) % alphabet.len()])
                .collect();
            let met = StdArc::clone(&met);
            executions += count_executions(preemptions, move || {
                let words = Arc::new(Words {
                    word: AtomicU64::new(0),
                    ring: [AtomicU64::new(0), AtomicU64::new(0)],
                });
                let childs = Arc::clone(&words);
                let script = steps.clone();
                let child = thread::spawn(move || script.into_iter().for_each(|s| childs.step(s)));
                if let Some(violation) = session(&words, mode) {
                    met.lock().unwrap().add(violation, &steps);
                }
                child.join().unwrap();
            });
        }
    }
    report(&format!(
        "{name}, up to {longest} of {} steps: {executions} executions, {}, {:.1} s",
        alphabet.len(),
        bound(preemptions),
        start.elapsed().as_secs_f64()
    ));
    let met = std::mem::take(&mut *met.lock().unwrap());
    report(&format!("{name}: {met}"));
    met
}

/// A frame whose own slot is given back with it.
const OWN_SLOT_FREE: fn() -> u64 = || frame(0, 1) | 1;

/// One value or more for each branch of the validation of the word.
fn word_alphabet() -> Vec<u64> {
    vec![
        // What an honest child might leave, and what it might not.
        frame(0, 1),
        frame(1, 2) | CHILD_SLEEPS,
        frame(0, 2) | HOST_SLEEPS,
        // A free slot that does not exist; one that the host holds.
        frame(0, 1) | 1 << SLOTS,
        frame(1, 2) | 1,
        OWN_SLOT_FREE(),
        // No frame: met between the hint and the swap.
        1 << 24,
        frame(SLOTS, 1),
        // Not ahead.
        frame(0, 0),
        u64::MAX,
    ]
}

const OF_THE_WORD: [Violation; 6] = [
    Violation::FreeOutOfRange,
    Violation::FreeHeld,
    Violation::BadWord,
    Violation::SlotOutOfRange,
    Violation::SlotHeld,
    Violation::SequenceNotNewer,
];

#[test]
fn any_word_swapped() {
    let alphabet: Vec<_> = word_alphabet().into_iter().map(Step::Swap).collect();
    let met = all_sequences("a child that swaps", Mailbox, &alphabet, 3, Some(3));
    met.assert_all(&OF_THE_WORD);
    assert!(
        met.without(Violation::BadWord, Step::Swap(OWN_SLOT_FREE())),
        "no frame that went away"
    );
}

/// A store lets the host's loads see older values too.
#[test]
fn any_word_stored() {
    let more = [0, frame(254, 1), frame(0, SEQUENCE_SPAN / 2), frame(1, SEQUENCE_SPAN / 2 - 1)];
    let alphabet: Vec<_> = word_alphabet().into_iter().chain(more).map(Step::Store).collect();
    let met = all_sequences("a child that stores", Mailbox, &alphabet, 2, Some(3));
    met.assert_all(&OF_THE_WORD);
    assert!(
        met.without(Violation::BadWord, Step::Store(OWN_SLOT_FREE())),
        "no frame that went away"
    );
}

#[test]
fn any_fifo() {
    let [outside, again] = [Step::Swap(frame(SLOTS, 1)), Step::Swap(frame(0, 2) | CHILD_SLEEPS)];
    let alphabet = [
        Step::Swap(frame(0, 1)),
        Step::Swap(frame(1, 2)),
        again,
        Step::Swap(frame(1, 2) | 1),
        Step::Swap(frame(0, 1) | 1 << SLOTS),
        outside,
        Step::Swap(frame(0, 0)),
        // One more than there are slots.
        Step::Swap(frame(0, u64::from(SLOTS) + 1)),
        Step::Ring(1, frame(0, 1)),
        Step::Ring(0, frame(1, 2)),
        Step::Ring(0, frame(0, 2)),
        Step::Ring(1, frame(SLOTS, 1)),
        Step::Ring(1, frame(0, 1) | CHILD_SLEEPS),
    ];
    let met = all_sequences("a child with a ring", Fifo, &alphabet, 3, Some(3));
    met.assert_all(&OF_THE_WORD.map(|one| match one {
        // Its branches are those of the other mode.
        Violation::BadWord => Violation::RingMismatch,
        other => other,
    }));
    met.assert_all(&[Violation::TooManyUnread]);
    assert!(met.without(Violation::SlotOutOfRange, outside), "not by the ring");
    assert!(met.without(Violation::SlotHeld, again), "not by the ring");
}

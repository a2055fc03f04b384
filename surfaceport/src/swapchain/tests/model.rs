//! An honest pair against a model that a child could follow: lists, and one
//! owner for each slot.

use proptest::prelude::*;
use proptest::sample::Index;

use super::modes;
use crate::mode::PresentMode::{self, Fifo, Mailbox};
use crate::swapchain::child::Child;
use crate::swapchain::host::{Account, Drained, Host, Released, Taken};
use crate::sync::AtomicU64;

#[derive(Clone, Debug)]
enum Step {
    Acquire,
    Cancel(Index, bool),
    Present(Index),
    ChildSleeps,
    Take,
    Arm,
    Release(Index),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Acquire),
        1 => (any::<Index>(), any::<bool>()).prop_map(|(which, drawn)| Step::Cancel(which, drawn)),
        4 => any::<Index>().prop_map(Step::Present),
        1 => Just(Step::ChildSleeps),
        4 => Just(Step::Take),
        1 => Just(Step::Arm),
        3 => any::<Index>().prop_map(Step::Release),
    ]
}

/// Who has a slot: the states of PROTOCOL.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    ChildFree,
    ChildDrawing,
    Unread(u64),
    Held(u64),
    GivenBack,
}

/// All that is known, in plain lists.
struct Model {
    mode: PresentMode,
    owners: Vec<Owner>,
    /// The frame that each slot last held, whole.
    contents: Vec<Option<u64>>,
    presented: u64,
    last_taken: u64,
    superseded: u64,
    /// Each side went to sleep, and nothing has happened to wake it.
    child_asleep: bool,
    host_asleep: bool,
    /// Each side said that it would sleep, and the other has not seen to it.
    child_said: bool,
    host_said: bool,
}

impl Model {
    fn having(&self, wanted: impl Fn(Owner) -> bool) -> Vec<u8> {
        (0..).zip(&self.owners).filter(|(_, owner)| wanted(**owner)).map(|(slot, _)| slot).collect()
    }

    fn set(&mut self, slot: u8, owner: Owner) {
        self.owners[usize::from(slot)] = owner;
    }

    /// The unread frames, oldest first.
    fn unread(&self) -> Vec<(u64, u8)> {
        let mut unread: Vec<_> = (0..)
            .zip(&self.owners)
            .filter_map(|(slot, owner)| match owner {
                Owner::Unread(frame) => Some((*frame, slot)),
                _ => None,
            })
            .collect();
        unread.sort_unstable();
        unread
    }

    fn collect(&mut self) {
        for slot in self.having(|owner| owner == Owner::GivenBack) {
            self.set(slot, Owner::ChildFree);
        }
    }
}

/// The real thing beside the model.
struct Pair {
    word: AtomicU64,
    ring: Vec<AtomicU64>,
    child: Child,
    account: Account,
    host: Host,
    model: Model,
}

impl Pair {
    fn new(slots: u8, mode: PresentMode, start: u64) -> Self {
        let count = usize::from(slots);
        Self {
            word: AtomicU64::new(0),
            ring: (0..count).map(|_| AtomicU64::new(0)).collect(),
            child: Child::at(count, mode, start),
            account: Account::new(),
            host: Host::at(slots, mode, start, start),
            model: Model {
                mode,
                owners: vec![Owner::ChildFree; count],
                contents: vec![None; count],
                presented: start,
                last_taken: start,
                superseded: 0,
                child_asleep: false,
                host_asleep: false,
                child_said: false,
                host_said: false,
            },
        }
    }

    fn step(&mut self, step: &Step) {
        let pick = |which: &Index, of: Vec<u8>| (!of.is_empty()).then(|| *which.get(&of));
        let drawing = self.model.having(|owner| owner == Owner::ChildDrawing);
        let held = self.model.having(|owner| matches!(owner, Owner::Held(_)));
        match step {
            Step::Acquire => _ = self.acquire(),
            Step::Cancel(which, drawn) => {
                if let Some(slot) = pick(which, drawing) {
                    self.cancel(slot, *drawn);
                }
            }
            Step::Present(which) => {
                if let Some(slot) = pick(which, drawing) {
                    self.present(slot);
                }
            }
            Step::ChildSleeps => self.child_sleeps(),
            Step::Take => _ = self.take(),
            Step::Arm => {
                let armed = self.host.arm(&self.word);
                assert_eq!(armed, self.model.unread().is_empty());
                self.model.host_asleep = armed;
                self.model.host_said = true;
            }
            Step::Release(which) => {
                if let Some(slot) = pick(which, held) {
                    self.release(slot);
                }
            }
        }
    }

    fn acquire(&mut self) -> Option<u8> {
        if self.model.having(|owner| owner == Owner::ChildFree).is_empty() {
            self.model.collect();
            self.model.child_said = false;
        }
        self.model.child_asleep = false;
        let free = self.model.having(|owner| owner == Owner::ChildFree);
        let slot = self.child.acquire(&self.word);
        let Some(slot) = slot else {
            assert!(free.is_empty(), "{free:?} are the child's");
            return None;
        };
        assert!(free.contains(&slot), "slot {slot} is not the child's");
        let content = |slot: u8| self.model.contents[usize::from(slot)];
        let newest = free.iter().map(|other| content(*other)).max().flatten();
        assert_eq!(content(slot), newest, "an older content than need be");
        let next = self.model.presented + 1;
        assert_eq!(self.child.next_sequence(), next);
        assert_eq!(self.child.age(slot), content(slot).map_or(0, |frame| next - frame));
        self.model.set(slot, Owner::ChildDrawing);
        Some(slot)
    }

    fn cancel(&mut self, slot: u8, drawn: bool) {
        self.child.cancel(slot, drawn);
        self.model.child_asleep = false;
        self.model.set(slot, Owner::ChildFree);
        if drawn {
            self.model.contents[usize::from(slot)] = None;
        }
    }

    fn present(&mut self, slot: u8) {
        let presented = self.child.present(&self.word, &self.ring, slot);
        let model = &mut self.model;
        model.presented += 1;
        assert_eq!(presented.sequence, model.presented);
        let mut superseded = None;
        if model.mode == Mailbox
            && let Some((frame, slot)) = model.unread().pop()
        {
            model.set(slot, Owner::ChildFree);
            model.superseded += 1;
            superseded = Some(frame);
        }
        assert_eq!(presented.superseded, superseded);
        assert!(presented.ring || !model.host_asleep, "the host sleeps on");
        assert!(!presented.ring || model.host_said, "rung for nothing");
        (model.host_asleep, model.host_said) = (false, false);
        (model.child_asleep, model.child_said) = (false, false);
        model.collect();
        model.set(slot, Owner::Unread(model.presented));
        model.contents[usize::from(slot)] = Some(model.presented);
    }

    /// A child sleeps only when it has no slot.
    fn child_sleeps(&mut self) {
        if !self.model.having(|owner| owner == Owner::ChildFree).is_empty() {
            return;
        }
        let given_back = self.model.having(|owner| owner == Owner::GivenBack);
        let sleeps = Child::sleep(&self.word);
        assert_eq!(sleeps, given_back.is_empty());
        self.model.child_asleep = sleeps;
        self.model.child_said = true;
    }

    fn take(&mut self) -> Option<Taken> {
        let take = self.host.take(&self.account, &self.word, &self.ring).expect("an honest child");
        let model = &mut self.model;
        let given_back = !model.having(|owner| owner == Owner::GivenBack).is_empty();
        assert!(!take.ring || (model.child_said && given_back), "rung for nothing");
        model.host_asleep = false;
        let unread = model.unread();
        let Some(taken) = take.frame else {
            assert!(unread.is_empty(), "{unread:?} are there");
            return None;
        };
        assert!(model.mode == Fifo || unread.len() == 1);
        assert_eq!((taken.sequence, taken.slot), unread[0]);
        assert_eq!(taken.superseded, taken.sequence - model.last_taken - 1);
        assert_eq!(taken.superseded, std::mem::take(&mut model.superseded));
        model.last_taken = taken.sequence;
        model.set(taken.slot, Owner::Held(taken.sequence));
        Some(taken)
    }

    fn release(&mut self, slot: u8) {
        let Released { ring, last } = self.account.release(&self.word, slot);
        assert!(!last, "nobody retires it");
        let model = &mut self.model;
        assert!(ring || !model.child_asleep, "the child sleeps on");
        assert!(!ring || model.child_said, "rung for nothing");
        model.set(slot, Owner::GivenBack);
    }

    fn check(&self) {
        let held = self.model.having(|owner| matches!(owner, Owner::Held(_)));
        assert_eq!(self.account.mask(), held.iter().map(|slot| 1 << slot).sum::<u32>());
        assert_eq!(self.account.count() as usize, held.len());
    }

    /// The host takes and gives back all, the child drops what it draws: then
    /// each slot is the child's, once.
    fn wind_up(mut self) {
        while self.take().is_some() {}
        assert!(!self.host.has_unread());
        for slot in self.model.having(|owner| matches!(owner, Owner::Held(_))) {
            self.release(slot);
        }
        for slot in self.model.having(|owner| owner == Owner::ChildDrawing) {
            self.cancel(slot, false);
        }
        let mut slots: Vec<_> = std::iter::from_fn(|| self.acquire()).collect();
        slots.sort_unstable();
        let count = u8::try_from(self.model.owners.len()).unwrap();
        assert_eq!(slots, (0..count).collect::<Vec<_>>());
    }
}

impl Pair {
    /// The generation ends: what is unread is counted, and the last frame that
    /// comes back says so.
    fn retire(mut self) {
        let unread = self.model.unread();
        let drained = self.host.drain(&self.account, &self.word, &self.ring);
        let superseded = if unread.is_empty() { 0 } else { self.model.superseded };
        assert_eq!(drained, Ok(Drained { unread: unread.len() as u64, superseded }));
        for (_, slot) in unread {
            self.model.set(slot, Owner::ChildFree);
        }
        self.check();
        let held = self.model.having(|owner| matches!(owner, Owner::Held(_)));
        assert!(!self.account.is_over());
        assert_eq!(self.account.retire(), held.is_empty());
        assert_eq!(self.account.is_over(), held.is_empty());
        for (left, slot) in (0..held.len()).rev().zip(held) {
            let released = self.account.release(&self.word, slot);
            assert_eq!(released.last, left == 0);
            assert_eq!(self.account.is_over(), left == 0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_pair_does_what_the_model_does(
        slots in 2..=16_u8,
        mode in modes(),
        start in prop_oneof![
            Just(0),
            Just((1 << 37) - 3),
            Just((1 << 38) - 3),
            Just((7 << 38) - 20),
        ],
        steps in prop::collection::vec(steps(), 0..200),
        retired: bool,
    ) {
        let mut pair = Pair::new(slots, mode, start);
        for step in &steps {
            pair.step(step);
            pair.check();
        }
        if retired { pair.retire() } else { pair.wind_up() }
    }
}

/// A mailbox child with a slot more than the host keeps, and one to draw in,
/// never waits, however slow the host is.
#[test]
fn a_slow_host_never_slows_a_mailbox_child() {
    let mut pair = Pair::new(3, Mailbox, 0);
    for round in 0..100_u64 {
        let slot = pair.acquire().expect("a free slot");
        pair.present(slot);
        if round % 10 == 9 {
            for old in pair.model.having(|owner| matches!(owner, Owner::Held(_))) {
                pair.release(old);
            }
            let taken = pair.take().expect("the newest frame");
            assert_eq!((taken.sequence, taken.superseded), (round + 1, 9));
        }
    }
    pair.wind_up();
}

/// Acquiring leaves an unread frame alone, else a slow child would never be
/// seen.
#[test]
fn acquire_takes_no_frame_back() {
    let mut pair = Pair::new(2, Mailbox, 0);
    let slot = pair.acquire().unwrap();
    pair.present(slot);
    let _other = pair.acquire().unwrap();
    assert_eq!(pair.acquire(), None);
    assert_eq!(pair.take().unwrap().sequence, 1);
    pair.wind_up();
}

//! The host's transitions over all values of the word and the ring, in any state
//! of its account: total, and exactly what PROTOCOL.md says.

use proptest::prelude::*;

use super::{modes, sequences};
use crate::error::Violation;
use crate::mode::PresentMode;
use crate::swapchain::MAX_SLOTS;
use crate::swapchain::host::{Account, Drained, Host, Released, Take, Taken};
use crate::swapchain::hostile::control_page;
use crate::sync::{AtomicU64, Ordering};

/// What a host knows: all of it is private memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) mode: PresentMode,
    pub(super) slots: u8,
    /// Held slots.
    pub(super) held: u32,
    /// Last frame taken, and the newest known.
    pub(super) last: u64,
    pub(super) newest: u64,
}

impl State {
    pub(super) fn host(&self) -> Host {
        Host::at(self.slots, self.mode, self.last, self.newest)
    }

    fn holds(&self, slot: u64) -> bool {
        (self.held >> slot) % 2 == 1
    }
}

pub(super) const SPAN: u64 = 1 << 38;

/// The slot field: 0, or a slot + 1.
fn field_of(word: u64) -> u64 {
    (word >> 16) % 256
}

/// The table of violations of a word in PROTOCOL.md, line by line: the first
/// that fits. `Ok` is the frame's slot and whole sequence.
pub(super) fn rule(state: &State, word: u64) -> Result<(u8, u64), Violation> {
    let given_back = |slot: u64| (word >> slot) % 2 == 1;
    let slots = u64::from(state.slots);
    let field = field_of(word);
    let sequence = (word >> 24) % SPAN;
    if (slots..16).any(given_back) {
        return Err(Violation::FreeOutOfRange);
    }
    if (0..16).any(|slot| given_back(slot) && state.holds(slot)) {
        return Err(Violation::FreeHeld);
    }
    if field == 0 {
        return Err(Violation::BadWord);
    }
    let slot = field - 1;
    if slot >= slots {
        return Err(Violation::SlotOutOfRange);
    }
    if state.holds(slot) {
        return Err(Violation::SlotHeld);
    }
    if given_back(slot) {
        return Err(Violation::BadWord);
    }
    let newest = u128::from(state.newest);
    let ahead = (u128::from(sequence) + u128::from(SPAN) - newest % u128::from(SPAN)) as u64 % SPAN;
    let whole = newest + u128::from(ahead);
    if ahead == 0 || ahead >= SPAN / 2 || whole > u128::from(u64::MAX) {
        return Err(Violation::SequenceNotNewer);
    }
    if state.mode == PresentMode::Fifo && whole - u128::from(state.last) > u128::from(slots) {
        return Err(Violation::TooManyUnread);
    }
    Ok((slot as u8, whole as u64))
}

/// The same for the ring's entry of the frame after the last.
fn ring_rule(state: &State, entry: u64) -> Result<(u8, u64), Violation> {
    let next = state.last + 1;
    let field = field_of(entry);
    let as_presented = (field << 16) | ((next % SPAN) << 24);
    if field == 0 || entry != as_presented {
        return Err(Violation::RingMismatch);
    }
    if field > u64::from(state.slots) {
        return Err(Violation::SlotOutOfRange);
    }
    if state.holds(field - 1) {
        return Err(Violation::SlotHeld);
    }
    Ok(((field - 1) as u8, next))
}

/// What a take should do, and leave in the word.
fn take_rule(state: &State, word: u64, ring: &[u64]) -> (Result<Take, Violation>, u64) {
    let mut ring_bell = false;
    let mut left = word;
    let mut seen = None;
    if state.newest == state.last {
        if field_of(word) == 0 {
            return (Ok(Take::default()), word);
        }
        left = 0;
        match rule(state, word) {
            Err(violation) => return (Err(violation), left),
            Ok(frame) => seen = Some(frame),
        }
        left = word & ((1 << 62) | 0xffff);
        ring_bell = (word >> 62) % 2 == 1 && word & 0xffff != 0;
    }
    let frame = if state.mode == PresentMode::Mailbox {
        let (slot, sequence) = seen.expect("known frames are fifo's");
        Taken { slot, sequence, superseded: sequence - state.last - 1 }
    } else {
        let index = (state.last + 1) % u64::from(state.slots);
        match ring_rule(state, ring[index as usize]) {
            Err(violation) => return (Err(violation), left),
            Ok((slot, sequence)) => Taken { slot, sequence, superseded: 0 },
        }
    };
    (Ok(Take { frame: Some(frame), ring: ring_bell }), left)
}

prop_compose! {
    fn states()(
        mode in modes(),
        slots in 2..=16_u8,
        held in any::<u32>(),
        kind in 0..3_u8,
        newest in sequences(),
        unread in 0..=16_u64,
    ) -> State {
        let held = if kind == 0 { 0 } else { held % (1 << slots) };
        let unread = if mode == PresentMode::Fifo { unread.min(slots.into()) } else { 0 };
        State { mode, slots, held, last: newest.saturating_sub(unread), newest }
    }
}

/// Words that are nonsense, and words that nearly are a frame.
fn words(state: State) -> impl Strategy<Value = u64> {
    let some_bits = prop_oneof![3 => Just(0_u64), 1 => any::<u64>()];
    let nearly = (some_bits, 0..18_u64, -1..20_i64, 0..4_u64, 0..40_u32).prop_map(
        move |(free, field, ahead, flags, bit)| {
            let from = if bit % 2 == 0 { state.newest } else { state.last };
            let sequence = match bit {
                0..36 => from.wrapping_add_signed(ahead),
                36 => from.wrapping_add(SPAN / 2),
                37 => from.wrapping_add(SPAN / 2 - 1),
                _ => 0,
            };
            let free = free & ((1 << state.slots) - 1) & !u64::from(state.held);
            let own = if field > 0 && bit % 8 != 0 { 1 << (field - 1) } else { 0 };
            let stray = if bit == 5 { 1 << (ahead.unsigned_abs() % 16) } else { 0 };
            let free = ((free & !own) | stray) & 0xffff;
            free | (field << 16) | ((sequence % SPAN) << 24) | (flags << 62)
        },
    );
    prop_oneof![1 => any::<u64>(), 6 => nearly]
}

/// Ring entries: nonsense, the frame that is next, or nearly that.
fn entries(state: State) -> impl Strategy<Value = u64> {
    let nearly = (1..=17_u64, 0..4_u64, 0..8_u32).prop_map(move |(field, ahead, kind)| {
        let ahead = if kind == 0 { ahead } else { 1 };
        let flags = if kind == 1 { 1 << 63 } else { 0 };
        (field << 16) | ((state.last.wrapping_add(ahead) % SPAN) << 24) | flags
    });
    prop_oneof![1 => any::<u64>(), 6 => nearly]
}

prop_compose! {
    fn cases()(state in states())(
        state in Just(state),
        word in words(state),
        ring in prop::collection::vec(entries(state), MAX_SLOTS),
    ) -> (State, u64, Vec<u64>) {
        (state, word, ring)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    /// Every value of the word and the ring, in every state.
    #[test]
    fn take_does_what_the_table_says((state, word, ring) in cases()) {
        let (expected, left) = take_rule(&state, word, &ring);
        let shared = AtomicU64::new(word);
        let entries: Vec<_> = ring.into_iter().map(AtomicU64::new).collect();
        let account = Account::holding(state.held);
        let mut host = state.host();
        let taken = host.take(&account, &shared, &entries[..state.slots.into()]);
        prop_assert_eq!(taken, expected);
        prop_assert_eq!(shared.load(Ordering::Relaxed), left);
        // It holds what it held, and the frame that it took and did not hold.
        let new = taken.ok().and_then(|take| take.frame).map_or(0, |frame| 1 << frame.slot);
        prop_assert_eq!(state.held & new, 0);
        prop_assert_eq!(account.mask(), state.held | new);
        prop_assert_eq!(account.count(), account.mask().count_ones().into());
        prop_assert_eq!(new >> state.slots, 0);
    }

    /// After a refusal the host is still whole: it can be asked again and again.
    #[test]
    fn a_refusal_leaves_the_host_whole(
        (state, word, ring) in cases(),
        more in prop::collection::vec(any::<u64>(), 4),
    ) {
        let shared = AtomicU64::new(word);
        let entries: Vec<_> = ring.into_iter().map(AtomicU64::new).collect();
        let account = Account::holding(state.held);
        let mut host = state.host();
        let mut held = state.held;
        for word in more {
            if let Ok(Take { frame: Some(frame), .. }) =
                host.take(&account, &shared, &entries[..state.slots.into()])
            {
                prop_assert!(frame.slot < state.slots);
                prop_assert_eq!(held & (1 << frame.slot), 0, "held twice");
                held |= 1 << frame.slot;
            }
            prop_assert_eq!(account.mask(), held);
            shared.store(word, Ordering::Relaxed);
        }
    }

    #[test]
    fn judge_does_what_the_table_says((state, word, _) in cases()) {
        let judged = state.host().judge(state.held, crate::swapchain::word::Word(word));
        let judged = judged.map(|seen| (seen.slot, seen.sequence));
        prop_assert_eq!(judged, rule(&state, word));
    }

    /// Draining is taking until there is nothing, and holding none of it. A child
    /// that goes on meanwhile is not followed for ever.
    #[test]
    fn drain_does_what_takes_do((state, word, ring) in cases()) {
        let entries: Vec<_> = ring.into_iter().map(AtomicU64::new).collect();
        let entries = &entries[..state.slots.into()];
        let (one, other) = (AtomicU64::new(word), AtomicU64::new(word));
        let mut host = state.host();
        let mut expected = Ok(Drained::default());
        for _ in 0..state.slots {
            let account = Account::holding(state.held);
            match host.take(&account, &one, entries) {
                Err(violation) => expected = Err(violation),
                Ok(take) => if let (Some(frame), Ok(drained)) = (take.frame, &mut expected) {
                    drained.unread += 1;
                    drained.superseded += frame.superseded;
                    continue;
                },
            }
            break;
        }
        let account = Account::holding(state.held);
        prop_assert_eq!(state.host().drain(&account, &other, entries), expected);
        prop_assert_eq!(account.mask(), state.held);
        prop_assert_eq!(account.count(), state.held.count_ones().into());
        prop_assert_eq!(one.load(Ordering::Relaxed), other.load(Ordering::Relaxed));
    }

    /// Arming sets one bit and says whether a frame is there; it sets none when
    /// the host knows of an unread one.
    #[test]
    fn arm_does_what_the_table_says((state, word, _) in cases()) {
        let shared = AtomicU64::new(word);
        let armed = state.host().arm(&shared);
        let known = state.newest != state.last;
        prop_assert_eq!(armed, !known && field_of(word) == 0);
        let left = if known { word } else { word | (1 << 63) };
        prop_assert_eq!(shared.load(Ordering::Relaxed), left);
    }

    /// Giving back sets one bit, clears one in the account, and rings exactly
    /// for a sleeping child.
    #[test]
    fn release_does_what_the_table_says(
        (state, word, _) in cases(),
        which in 0..16_u8,
        retire: bool,
    ) {
        let slot = which % state.slots;
        let account = Account::holding(state.held | 1 << slot);
        let count = account.count();
        let shared = AtomicU64::new(word);
        let retiring = retire && !account.retire();
        let ring = (word >> 62) % 2 == 1;
        let last = retiring && count == 1;
        prop_assert_eq!(account.release(&shared, slot), Released { ring, last });
        prop_assert_eq!(shared.load(Ordering::Relaxed), word | 1 << slot);
        prop_assert_eq!(account.mask(), state.held & !(1 << slot));
        prop_assert_eq!(account.count(), count - 1);
        prop_assert_eq!(account.is_over(), retire && count == 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// What the fuzz target runs.
    #[test]
    fn a_child_made_of_bytes(data in prop::collection::vec(any::<u8>(), 0..512)) {
        control_page(&data);
    }
}

/// A child that leaps as far as it may with every frame gets to the end of a
/// u64 after 2²⁷ of them, and no further.
#[test]
fn the_end_of_the_sequences() {
    let account = Account::new();
    let leap = SPAN / 2 - 1;
    let last = u64::MAX - leap;
    let mut host = Host::at(2, PresentMode::Mailbox, last, last);
    let word = AtomicU64::new((1 << 16) | ((u64::MAX % SPAN) << 24));
    let taken = host.take(&account, &word, &[]).unwrap().frame.unwrap();
    assert_eq!((taken.sequence, taken.superseded), (u64::MAX, leap - 1));
    word.store(2 << 16, Ordering::Relaxed);
    assert_eq!(host.take(&account, &word, &[]), Err(Violation::SequenceNotNewer));
}

/// In fifo the word is empty after the first take though more frames are there:
/// a host that armed then would sleep with them unread.
#[test]
fn no_sleep_with_unread_frames() {
    use crate::swapchain::child::Child;
    let mode = PresentMode::Fifo;
    let (account, word) = (Account::new(), AtomicU64::new(0));
    let ring: Vec<_> = (0..3).map(|_| AtomicU64::new(0)).collect();
    let (mut child, mut host) = (Child::new(3, mode), Host::new(3, mode));
    for _ in 0..2 {
        let slot = child.acquire(&word).unwrap();
        child.present(&word, &ring, slot);
    }
    assert_eq!(host.take(&account, &word, &ring).unwrap().frame.unwrap().sequence, 1);
    assert!(!host.arm(&word), "frame 2 is there already");
    assert_eq!(host.take(&account, &word, &ring).unwrap().frame.unwrap().sequence, 2);
    assert!(host.arm(&word));
}

//! Damage, records, the begin-frame word and the page they lie in.

use proptest::prelude::*;

use super::sequences;
use crate::geometry::{Damage, Rect, Size};
use crate::swapchain::begin_frame::{BeginFrame, BeginFrameWord};
use crate::swapchain::damage::{DAMAGE_ENTRIES, DamageRing};
use crate::swapchain::page::ControlPage;
use crate::swapchain::record::{FrameRecord, Record, USER_BYTES};
use crate::sync::Ordering;

/// The surface of the damage tests: small enough to look at every pixel.
const SIDE: u32 = 12;

fn small_rects() -> impl Strategy<Value = Rect> {
    (0..SIDE, 0..SIDE, 0..5_u32, 0..5_u32).prop_map(|(x, y, w, h)| Rect::new(x, y, w, h))
}

/// What one frame changed: some rectangles, or everything.
fn changes() -> impl Strategy<Value = Option<Vec<Rect>>> {
    prop_oneof![
        12 => prop::collection::vec(small_rects(), 0..3).prop_map(Some),
        2 => prop::collection::vec(small_rects(), 0..12).prop_map(Some),
        1 => Just(None),
    ]
}

fn damage_of(change: &Option<Vec<Rect>>) -> Damage {
    let Some(rects) = change else { return Damage::FULL };
    let mut damage = Damage::NONE;
    rects.iter().for_each(|rect| damage.add(*rect));
    damage
}

fn covers(rects: &[Rect], x: u32, y: u32) -> bool {
    let inside = |r: &Rect| x >= r.x && x - r.x < r.width && y >= r.y && y - r.y < r.height;
    rects.iter().any(inside)
}

proptest! {
    /// The union of the frames since one never says less than what they changed,
    /// and no more than the rectangles around it.
    #[test]
    fn damage_never_says_less(
        start in prop_oneof![Just(0), Just((1 << 38) - 40), 0..1_u64 << 40],
        frames in prop::collection::vec(changes(), 1..160),
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
    ) {
        let ring = <DamageRing>::default();
        for (frame, change) in (start + 1..).zip(&frames) {
            ring.write(frame, damage_of(change).rects());
        }
        let to = to.index(frames.len()) + 1;
        let from = from.index(to + 1);
        let got = ring.since(start + from as u64, start + to as u64);
        let since = &frames[from..to];
        let overwritten = from < to && from + DAMAGE_ENTRIES < frames.len();
        if start + from as u64 == 0 || overwritten || since.iter().any(Option::is_none) {
            prop_assert_eq!(got, Damage::FULL);
            return Ok(());
        }
        let changed: Vec<_> = since.iter().flatten().flatten().copied().collect();
        let got = got.rects().expect("all is known");
        let count = changed.iter().filter(|rect| !rect.is_empty()).count();
        for (x, y) in (0..2 * SIDE).flat_map(|y| (0..2 * SIDE).map(move |x| (x, y))) {
            if covers(&changed, x, y) {
                prop_assert!(covers(got, x, y), "({}, {}) changed", x, y);
            } else if count <= Damage::MAX_RECTS {
                prop_assert!(!covers(got, x, y), "({}, {}) did not change", x, y);
            }
        }
    }

    /// What is left of an older generation, or of no frame at all, is a gap.
    #[test]
    fn a_gap_is_full(written in 1..200_u64, from in 1..400_u64, frames in 1..80_u64) {
        let ring = <DamageRing>::default();
        ring.write(written, Some(&[]));
        let known = from + 1 == written && frames == 1;
        let expected = if known { Damage::NONE } else { Damage::FULL };
        prop_assert_eq!(ring.since(from, from + frames), expected);
    }

    /// Rectangles up to the largest surface come back as they are; what reaches
    /// beyond it still covers it.
    #[test]
    fn rectangles_come_back(x in 0..=16_384_u32, y in 0..=16_384_u32, width: u32, height: u32) {
        let ring = <DamageRing>::default();
        ring.write(7, Damage::from(Rect::new(x, y, width, height)).rects());
        let surface = Size::new(16_384, 16_384);
        let expected = Damage::from(Rect::new(x, y, width, height)).clipped(surface);
        prop_assert_eq!(ring.since(6, 7).clipped(surface), expected);
    }

    /// Any numbers at all, and any words in the ring.
    #[test]
    fn damage_is_total(
        from in sequences(),
        frames in 0..70_u64,
        backwards: bool,
        words in prop::collection::vec(any::<u64>(), 8),
        valid: bool,
    ) {
        let ring = <DamageRing>::default();
        for (index, word) in ring.words().enumerate() {
            let mut value = words[index % 8];
            if valid && index % 8 == 0 {
                let frame = from.wrapping_add(frames);
                value = (1 << 63) | (frame % (1 << 38)) | (value & (7 << 40));
            }
            word.store(value, Ordering::Relaxed);
        }
        let to = from.saturating_add(frames);
        if backwards && to != from {
            prop_assert_eq!(ring.since(to, from), Damage::FULL);
        } else {
            let _ = ring.since(from, to).clipped(Size::new(SIDE, SIDE));
        }
    }

    #[test]
    fn records_come_back(
        presented_at: u64,
        begin_frame: u64,
        extent in prop::option::of((1..=u32::MAX, any::<u32>())),
        user in prop::option::of(any::<[u8; 32]>()),
    ) {
        let record = Record::default();
        prop_assert_eq!(record.read(), FrameRecord::default());
        let written = FrameRecord {
            presented_at,
            begin_frame,
            extent: extent.map(|(width, height)| Size::new(width, height)),
            user: user.map(|half| std::array::from_fn(|index| half[index / 2] ^ index as u8)),
        };
        record.write(&written);
        prop_assert_eq!(record.read(), written);
        record.reset();
        let read = record.read();
        prop_assert_eq!((read.extent, read.user), (None, None));
    }

    #[test]
    fn records_are_total(words in prop::collection::vec(any::<u64>(), 16)) {
        let record = Record::default();
        record.words().zip(&words).for_each(|(word, value)| word.store(*value, Ordering::Relaxed));
        let read = record.read();
        prop_assert_eq!(read.presented_at, words[0]);
        prop_assert_eq!(read.user.is_some(), words[3] % 2 == 1);
    }

    /// The child is rung exactly when it said that it sleeps since the last post,
    /// and it sleeps exactly when it knows what was posted.
    #[test]
    fn begin_frames_come_back(
        posts in prop::collection::vec((1..100_u64, any::<bool>(), any::<Option<bool>>()), 0..20),
    ) {
        let word = BeginFrameWord::default();
        prop_assert_eq!(word.read(), BeginFrame::default());
        let mut state = BeginFrame::default();
        let mut said = false;
        for (later, hidden, sleeps) in posts {
            if let Some(knows) = sleeps {
                let known = if knows { state } else { BeginFrame { time: state.time + 1, ..state } };
                prop_assert_eq!(word.sleep(known), knows);
                said = true;
            }
            state = BeginFrame { time: state.time + later, hidden };
            prop_assert_eq!(word.post(state), said);
            prop_assert_eq!(word.read(), state);
            said = false;
        }
    }
}

/// Nothing was shown before the first frame, so all of it is new.
#[test]
fn the_first_frame_is_all_new() {
    let ring = <DamageRing>::default();
    ring.write(1, Some(&[]));
    ring.write(2, Some(&[]));
    assert_eq!(ring.since(0, 1), Damage::FULL);
    assert_eq!(ring.since(0, 2), Damage::FULL);
    assert_eq!(ring.since(1, 2), Damage::NONE);
}

#[test]
fn a_user_word_is_bytes_in_order() {
    let record = Record::default();
    let user = std::array::from_fn(|index| index as u8);
    record.write(&FrameRecord { user: Some(user), ..FrameRecord::default() });
    let words: Vec<_> = record.words().map(|word| word.load(Ordering::Relaxed)).collect();
    assert_eq!(words[8].to_le_bytes(), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(words[15].to_le_bytes(), [56, 57, 58, 59, 60, 61, 62, 63]);
}

fn records() -> impl Strategy<Value = FrameRecord> {
    let extents = prop::option::weighted(0.2, (1..=SIDE, 1..=SIDE));
    (any::<u64>(), any::<u64>(), extents, prop::option::weighted(0.2, any::<u8>())).prop_map(
        |(presented_at, begin_frame, extent, user)| FrameRecord {
            presented_at,
            begin_frame,
            extent: extent.map(|(width, height)| Size::new(width, height)),
            user: user.map(|byte| [byte; USER_BYTES]),
        },
    )
}

proptest! {
    /// The note is a short cut: with it and without it the host hears the same
    /// of the newest frame, and of an older one that it holds.
    #[test]
    fn the_note_says_what_record_and_ring_say(
        start in prop_oneof![Just(0), Just((1 << 38) - 3), 0..1_u64 << 40],
        frames in prop::collection::vec((records(), changes()), 1..8),
        before in any::<prop::sample::Index>(),
        of in any::<prop::sample::Index>(),
    ) {
        let page = ControlPage::default();
        let block = page.block(0);
        let slot = |sequence: u64| (sequence % 16) as u8;
        for (sequence, (record, change)) in (start + 1..).zip(&frames) {
            block.describe(slot(sequence), sequence, record, &damage_of(change));
        }
        let of = of.index(frames.len());
        let sequence = start + 1 + of as u64;
        let before = start + before.index(of + 1) as u64;
        let noted = block.description(slot(sequence), before, sequence);
        block.words().nth(1).unwrap().store(0, Ordering::Relaxed);
        prop_assert_eq!(noted, block.description(slot(sequence), before, sequence));
        prop_assert_eq!(noted.0, frames[of].0);
    }

    /// Any words in the note, and any frame.
    #[test]
    fn the_note_is_total(words in prop::collection::vec(any::<u64>(), 7), sequence in sequences()) {
        let page = ControlPage::default();
        let block = page.block(0);
        let note = block.words().skip(1);
        note.zip(&words).for_each(|(word, value)| word.store(*value, Ordering::Relaxed));
        let key = (1 << 63) | (sequence % (1 << 38));
        block.words().nth(1).unwrap().store(words[0] & (0xf << 40) | key, Ordering::Relaxed);
        let (record, _) = block.description(0, sequence, sequence.wrapping_add(1));
        prop_assert_eq!(record, FrameRecord::default());
        let (record, damage) = block.description(0, sequence.saturating_sub(1), sequence);
        prop_assert_eq!((record.presented_at, record.begin_frame), (words[1], words[2]));
        let _ = damage.clipped(Size::new(SIDE, SIDE));
    }
}

/// Two generations never share a block; the one after the next has the first's
/// again, emptied.
#[test]
fn blocks_take_turns() {
    let page = ControlPage::default();
    let at = |generation| std::ptr::from_ref(page.block(generation));
    assert_ne!(at(1), at(2));
    assert_eq!(at(1), at(3));
    assert_eq!(at(2), at(u32::MAX - 1));
    assert_eq!(page.block(1).ring(3).len(), 3);
    assert_eq!(page.block(1).words().count() * 8, 128 + 128 + 2048 + 4096);
    let (presented_at, begin_frame) = (1, 2);
    let record = FrameRecord { presented_at, begin_frame, ..FrameRecord::default() };
    for block in [page.block(1), page.block(2)] {
        block.words().for_each(|word| word.store(u64::MAX, Ordering::Relaxed));
    }
    let user = Some([7; USER_BYTES]);
    page.block(1).describe(0, 5, &FrameRecord { user, ..record }, &Damage::NONE);
    page.block(1).reset();
    assert_eq!(page.block(1).description(0, 4, 5), (record, Damage::FULL));
    page.block(1).describe(0, 5, &record, &Damage::NONE);
    page.block(1).reset();
    assert_eq!(page.block(1).word.load(Ordering::Relaxed), 0);
    assert!(page.block(1).ring(16).iter().all(|entry| entry.load(Ordering::Relaxed) == 0));
    assert_eq!(page.block(1).description(0, 4, 5), (record, Damage::FULL));
    assert_eq!(page.block(2).word.load(Ordering::Relaxed), u64::MAX, "the other generation");
}

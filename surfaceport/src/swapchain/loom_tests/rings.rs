//! The rings beside the word: a reader never sees a mix of two entries. The
//! rings are shorter than those that ship, so that a few writes go around them.

use loom::sync::Arc;
use loom::thread;

use super::{World, explore};
use crate::geometry::{Damage, Rect, Size};
use crate::mode::PresentMode::Mailbox;
use crate::outcome::{FrameId, Outcome};
use crate::swapchain::damage::{DamageRing, header_of};
use crate::swapchain::feedback::{FeedbackReader, FeedbackRing, FeedbackWriter};
use crate::swapchain::note::Note;
use crate::swapchain::page::Description;
use crate::swapchain::record::{FrameRecord, Record};
use crate::sync::{AtomicU64, Ordering};
use crate::time::Timestamp;

/// The n-th outcome, in which every part says which one it is.
fn outcome(n: u64) -> (FrameId, Outcome) {
    let generation = u32::try_from(n).unwrap();
    let outcome = match n % 2 {
        1 => Outcome::Shown { at: Timestamp::from_nanos(n * 10) },
        _ => Outcome::Lost,
    };
    (FrameId { generation, sequence: n * 100 }, outcome)
}

fn feedback<const N: usize>(outcomes: u64, preemptions: Option<usize>) {
    let name = format!("{outcomes} outcomes through a ring of {N}");
    explore(&name, preemptions, move || {
        let ring = Arc::new(FeedbackRing::<N>::default());
        let childs = Arc::clone(&ring);
        let child = thread::spawn(move || {
            let mut reader = FeedbackReader::default();
            let mut read = 0;
            for _ in 0..2 {
                let Some(got) = reader.next(&*childs) else { continue };
                read += 1;
                assert_eq!(got, outcome(read + reader.missed()), "a mix, or a wrong count");
            }
            (reader, read)
        });
        let mut writer = FeedbackWriter::default();
        for n in 1..=outcomes {
            let (id, outcome) = outcome(n);
            writer.write(&*ring, id, outcome);
        }
        let (mut reader, mut read) = child.join().unwrap();
        while let Some(got) = reader.next(&*ring) {
            read += 1;
            assert_eq!(got, outcome(read + reader.missed()));
        }
        assert_eq!(read + reader.missed(), outcomes);
    });
}

#[test]
fn outcomes_are_whole_and_counted() {
    feedback::<2>(3, None);
    feedback::<2>(4, Some(3));
    feedback::<3>(5, Some(3));
}

/// What frame n changes: one or two rectangles, or all.
fn damage(n: u64) -> Damage {
    let place = u32::try_from(n).unwrap() * 100;
    let mut damage = Damage::from(Rect::new(place, place + 1, 10, 11));
    match n % 3 {
        0 => return Damage::FULL,
        1 => damage.add(Rect::new(place + 50, place + 51, 20, 21)),
        _ => {}
    }
    damage
}

fn damages<const N: usize>(frames: u64) {
    let name = format!("damage of {frames} frames through a ring of {N}");
    explore(&name, None, move || {
        // What the word does in life: says up to which frame there is something.
        let shared = Arc::new((DamageRing::<N>::default(), AtomicU64::new(0)));
        let childs = Arc::clone(&shared);
        let child = thread::spawn(move || {
            for frame in 1..=frames {
                childs.0.write(frame, damage(frame).rects());
                childs.1.swap(frame, Ordering::AcqRel);
            }
        });
        let to = shared.1.load(Ordering::Acquire);
        for from in 0..=to {
            let mut whole = if from == 0 { Damage::FULL } else { Damage::NONE };
            (from + 1..=to).for_each(|frame| whole.union(&damage(frame)));
            let got = shared.0.since(from, to);
            assert!(got == whole || got == Damage::FULL, "{from}..{to}: {got:?}");
        }
        child.join().unwrap();
        let last = shared.0.since(frames - 1, frames);
        assert_eq!(last, damage(frames), "nobody writes: the last frame is there");
    });
}

#[test]
fn damage_is_whole_or_full() {
    damages::<1>(3);
    damages::<2>(4);
    damages::<2>(5);
}

/// The note is one frame's, or none's.
#[test]
fn notes_are_whole_or_none() {
    const FRAMES: u64 = 3;
    fn record(n: u64) -> FrameRecord {
        FrameRecord { presented_at: n * 10, begin_frame: n * 10 + 1, ..FrameRecord::default() }
    }
    explore("notes of 3 frames", None, || {
        let shared = Arc::new((Note::default(), AtomicU64::new(0)));
        let childs = Arc::clone(&shared);
        let child = thread::spawn(move || {
            for frame in 1..=FRAMES {
                let damage = damage(frame);
                let header = header_of(frame, damage.rects());
                childs.0.write(header, &record(frame), damage.rects().unwrap_or(&[]));
                childs.1.swap(frame, Ordering::AcqRel);
            }
        });
        let taken = shared.1.load(Ordering::Acquire);
        let kept = Description::default();
        let got = || (kept.record(), kept.damage());
        if shared.0.keep(taken, &kept) {
            assert_eq!(got(), (record(taken), damage(taken)), "a mix of two frames");
        }
        child.join().unwrap();
        assert!(shared.0.keep(FRAMES, &kept), "nobody writes: it is there");
        assert_eq!(got(), (record(FRAMES), damage(FRAMES)));
    });
}

/// A record travels with its frame.
#[test]
fn records_belong_to_their_frames() {
    const FRAMES: u64 = 4;
    fn record(n: u64) -> FrameRecord {
        let extent = Some(Size::new(u32::try_from(n).unwrap(), 7));
        FrameRecord { presented_at: n, begin_frame: n + 1, extent, user: None }
    }
    explore("records of 4 frames in 2 slots", Some(3), || {
        let shared = Arc::new((World::new(2, Mailbox), [Record::default(), Record::default()]));
        let childs = Arc::clone(&shared);
        let child = thread::spawn(move || {
            let (world, records) = &*childs;
            let mut child = world.child();
            for frame in 1..=FRAMES {
                let slot = world.acquire(&mut child);
                records[usize::from(slot)].write(&record(frame));
                if child.present(&world.word, &world.ring, slot).ring {
                    world.host_bell.notify();
                }
            }
        });
        let (world, records) = &*shared;
        let mut host = world.host();
        let mut last = 0;
        while last < FRAMES {
            let taken = loop {
                let take = host.take(&world.account, &world.word, &world.ring).unwrap();
                if take.ring {
                    world.child_bell.notify();
                }
                if let Some(taken) = take.frame {
                    break taken;
                }
                if host.arm(&world.word) {
                    world.host_bell.wait();
                }
            };
            last = taken.sequence;
            assert_eq!(records[usize::from(taken.slot)].read(), record(last));
            if world.account.release(&world.word, taken.slot).ring {
                world.child_bell.notify();
            }
        }
        child.join().unwrap();
    });
}

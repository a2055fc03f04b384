//! What it writes into the control page, and into surfaces.

use std::time::Duration;

use surfaceport::Violation;

use crate::bad::{Bad, meanwhile};
use crate::support::raw::{Hookup, Setup, frame_word};
use crate::table::Expect::{Ends, EndsByWord, Lives};
use crate::table::Start::{Greeted, Nothing, Shown};
use crate::table::{Behaviour, IGNORED, STALLS, SUPERSEDED, row};

/// Where the ring of a block starts.
const RING: u64 = 128;
const PAGE: u64 = 14_080;

fn word(bad: &Bad, word: u64) {
    bad.hookup().store(bad.block(), word);
    bad.hookup().ring();
}

fn fifo(bad: &mut Bad) {
    bad.set_up(Setup { fifo: true, ..Setup::small(1) });
}

/// Small noise, without end.
fn noise(mut seed: u64) -> impl FnMut() -> u64 {
    move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    }
}

/// Writes noise over a part of the page for ever, and rings.
fn scribble(hookup: Hookup, from: u64, to: u64, seed: u64) {
    let mut random = noise(seed);
    meanwhile(move || {
        let at = from + random() % ((to - from) / 8) * 8;
        hookup.store(at, random());
        hookup.ring();
    });
}

#[rustfmt::skip]
pub fn rows() -> Vec<Behaviour> {
    use Violation::{
        BadWord, FreeHeld, FreeOutOfRange, RingMismatch, SequenceNotNewer, SlotHeld, SlotOutOfRange,
    };
    vec![
        row("noise all over the page", &[41], Shown, EndsByWord,
            "writes random words everywhere, for ever", |bad| {
                scribble(bad.second_hookup(), 0, PAGE, 1);
                scribble(bad.second_hookup(), 0, PAGE, 2);
                // The word itself is hit once in 1,760 times.
                scribble(bad.second_hookup(), bad.block(), bad.block() + 8, 3);
            }),
        row("noise before there is a Setup", &[41], Greeted, Lives(IGNORED),
            "writes random words everywhere, and then starts properly", |bad| {
                let mut random = noise(4);
                for word in 0..PAGE / 8 {
                    bad.hookup().store(word * 8, random());
                }
                for word in Hookup::block(1) / 8..PAGE / 8 {
                    bad.hookup().store(word * 8, 0);
                }
                bad.set_up(Setup::small(1));
                bad.live();
            }),
        row("the word, while the host arms and takes", &[41, 44, 51], Shown, EndsByWord,
            "three threads write the word as fast as they can, frames that could be among noise", |bad| {
                for seed in 5..8 {
                    let (hookup, block) = (bad.second_hookup(), bad.block());
                    let mut random = noise(seed);
                    meanwhile(move || {
                        let frame = frame_word(random() % 3, random() % 64);
                        let word = if random().is_multiple_of(8) { random() } else { frame | random() << 62 };
                        hookup.store(block, word);
                        if random().is_multiple_of(4) { hookup.ring(); }
                    });
                }
            }),
        row("valid words, flipped", &[44], Shown, EndsByWord,
            "changes the word between two frames that could be, in turn, while the host checks", |bad| {
                let (hookup, block) = (bad.second_hookup(), bad.block());
                let mut next = 2;
                meanwhile(move || {
                    next += 1;
                    hookup.store(block, frame_word(1, next));
                    hookup.store(block, frame_word(2, next + 1));
                    hookup.ring();
                });
            }),
        row("a record, flipped", &[44], Shown, Ends(Violation::BadGeometry),
            "changes the size in use between good and impossible while frames are taken", |bad| {
                let (hookup, block) = (bad.second_hookup(), bad.block());
                meanwhile(move || {
                    for slot in 0..3 {
                        hookup.store(block + 256 + 128 * slot + 16, 0);
                        hookup.store(block + 256 + 128 * slot + 16, u64::MAX);
                    }
                });
                loop { bad.show(); }
            }),
        row("the same frame again", &[42, 43], Shown, Ends(SequenceNotNewer),
            "presents another slot under the sequence that is shown", |bad| word(bad, frame_word(1, bad.sequence))),
        row("an older frame", &[42], Shown, Ends(SequenceNotNewer),
            "counts back by one", |bad| word(bad, frame_word(1, bad.sequence - 1))),
        row("half the span ahead", &[42], Shown, Ends(SequenceNotNewer),
            "counts on by 2³⁷, which is neither before nor behind", |bad| word(bad, frame_word(1, bad.sequence + (1 << 37)))),
        row("far ahead", &[42, 51], Shown, Lives(SUPERSEDED),
            "leaps by 2³⁷-1 frames, as far as it may", |bad| {
                for _ in 0..5 {
                    bad.sequence += (1 << 37) - 2;
                    bad.show();
                }
                bad.live();
            }),
        row("a slot that does not exist", &[35], Shown, Ends(SlotOutOfRange),
            "presents slot 3 of 3", |bad| word(bad, frame_word(3, bad.sequence + 1))),
        row("slot 254", &[35], Shown, Ends(SlotOutOfRange),
            "presents the highest slot that the word can say", |bad| word(bad, frame_word(254, bad.sequence + 1))),
        row("a slot that is shown", &[35, 43], Shown, Ends(SlotHeld),
            "presents the slot that the host holds", |bad| word(bad, frame_word(0, bad.sequence + 1))),
        row("a free slot that does not exist", &[35, 50], Shown, Ends(FreeOutOfRange),
            "says that slot 15 of 3 was given back", |bad| word(bad, frame_word(1, bad.sequence + 1) | 1 << 15)),
        row("a free slot that is shown", &[50], Shown, Ends(FreeHeld),
            "says for the host that it gave the shown slot back", |bad| word(bad, frame_word(1, bad.sequence + 1) | 1)),
        row("its own slot, given back", &[50], Shown, Ends(BadWord),
            "presents slot 1 and says that it is free", |bad| word(bad, frame_word(1, bad.sequence + 1) | 1 << 1)),
        row("draws into what is shown", &[45], Shown, Lives(IGNORED),
            "goes on to draw into the surface that the host holds", |bad| {
                for _ in 0..50 {
                    rustix::io::pwrite(&bad.surfaces[0], &[0xee; 4096], 0).unwrap();
                }
                bad.live();
            })
            .spoils(),
        row("never presents", &[46], Greeted, Lives(STALLS),
            "sets up a swapchain, lets the host wait for 20 ms, and goes on late", |bad| {
                bad.set_up(Setup::small(1));
                std::thread::sleep(Duration::from_millis(200));
                bad.live();
            })
            .limits(|limits| limits.stall(Duration::from_millis(20))),
        row("never presents again", &[46, 55], Shown,
            crate::table::Expect::Exits(|reason| *reason == surfaceport::ExitReason::Stalled, "ended: stalled, by the host's policy"),
            "shows one frame and then gives no sign of life", |_| {})
            .limits(|limits| limits.stall(Duration::from_millis(20)).end_stalled(true)),
        row("misses begin-frames", &[46, 55], Shown,
            crate::table::Expect::Exits(|reason| *reason == surfaceport::ExitReason::Stalled, "ended: stalled, by the host's policy"),
            "leaves three begin-frames without an answer", |_| {})
            .limits(|limits| limits.begin_frames(3).end_stalled(true))
            .host(|session| session.begin_frame(surfaceport::Timestamp::now())),
        row("a million frames a second", &[48], Nothing, Lives(SUPERSEDED),
            "presents as fast as it can", |_| {
                use surfaceport::{Damage, Deadline, Renderer, Size, SwapchainDescriptor};
                let renderer = Renderer::connect().unwrap();
                let chain = renderer.swapchain(SwapchainDescriptor::new(Size::new(16, 16))).unwrap();
                for frame in 0_u64.. {
                    let mut canvas = chain.acquire(Deadline::NEVER).unwrap();
                    if frame > 20_000 { canvas.set_user_data(crate::bad::ALIVE); }
                    canvas.present(Damage::FULL).unwrap();
                }
            }),
        row("presents without a bell", &[54], Shown, Lives(IGNORED),
            "takes the host's sleep out of the word, and does not ring", Bad::live_unheard)
            .limits(|limits| limits.stall(Duration::from_millis(50))),
        row("forges what the host writes", &[50], Shown, Lives(IGNORED),
            "overwrites begin-frames and outcomes", |bad| {
                for word in 0..1280 / 8 {
                    bad.hookup().store(word * 8, u64::MAX);
                }
                bad.show();
                bad.show();
                bad.live();
            })
            .host(|session| session.begin_frame(surfaceport::Timestamp::now())),
        row("always asleep", &[51, 54], Shown, Lives(IGNORED),
            "says in both words that it sleeps, so that the host rings each time", |bad| {
                let (hookup, block) = (bad.second_hookup(), bad.block());
                for _ in 0..40 {
                    hookup.store(0, 1 << 62);
                    bad.show();
                    hookup.store(block, 1 << 62);
                }
                bad.live();
            })
            .host(|session| session.begin_frame(surfaceport::Timestamp::now())),
        row("fifo without a frame", &[41], Greeted, Ends(RingMismatch),
            "says in the word that there is a frame, and nothing in the ring", |bad| {
                fifo(bad);
                word(bad, frame_word(0, 1));
            }),
        row("fifo out of order", &[41, 42], Greeted, Ends(RingMismatch),
            "puts frame 3 where frame 1 belongs", |bad| {
                fifo(bad);
                bad.hookup().store(bad.block() + RING + 8, frame_word(0, 3));
                word(bad, frame_word(0, 1));
            }),
        row("fifo of too many", &[42, 48], Greeted, Ends(Violation::TooManyUnread),
            "says that 100 frames are unread in 3 slots", |bad| {
                fifo(bad);
                word(bad, frame_word(0, 100));
            }),
        row("fifo of one slot", &[35, 43], Greeted, EndsByWord,
            "presents one slot three times in a row", |bad| {
                fifo(bad);
                for sequence in 1..4 {
                    bad.hookup().store(bad.block() + RING + 8 * (sequence % 3), frame_word(0, sequence));
                }
                word(bad, frame_word(0, 3));
            }),
        row("noise in the fifo ring", &[41, 44], Greeted, EndsByWord,
            "writes noise over the ring for ever while it presents", |bad| {
                fifo(bad);
                scribble(bad.second_hookup(), bad.block() + RING, bad.block() + RING + 24, 9);
                for sequence in 1.. {
                    word(bad, frame_word(sequence % 3, sequence));
                    std::thread::sleep(Duration::from_micros(100));
                }
            }),
    ]
}

//! Sizes, strides, formats, slots and quotas.

use surfaceport::{Size, Violation};

use crate::bad::Bad;
use crate::support::raw::Setup;
use crate::table::Expect::{Ends, Lives};
use crate::table::Start::{Greeted, Shown};
use crate::table::{Behaviour, IGNORED, REFUSED, row};

/// Says something of the frame that is presented next.
fn record(bad: &Bad, word: u64, value: u64) {
    bad.hookup().store(bad.block() + 256 + 128 * bad.slot() + 8 * word, value);
}

/// Refused, it goes on where it was.
fn refused(bad: &mut Bad, setup: &Setup) {
    bad.raw.set_up(setup);
    while bad.raw.receive().is_some_and(|(message, _)| message[0] != 8) {}
    bad.live();
}

#[rustfmt::skip]
pub fn rows() -> Vec<Behaviour> {
    use Violation::{BadFormat, BadGeometry, BadSlotCount, WrongLength};
    vec![
        row("width 0", &[32], Greeted, Ends(BadGeometry), "has no width", |bad| bad.send_patched(16, 0, 4)),
        row("height 0", &[32], Greeted, Ends(BadGeometry), "has no height", |bad| bad.send_patched(20, 0, 4)),
        row("height 16,385", &[32], Greeted, Ends(BadGeometry), "is one row too high", |bad| bad.send_patched(20, 16_385, 4)),
        row("negative width", &[32], Greeted, Ends(BadGeometry), "is -1 wide", |bad| bad.send_patched(16, u64::MAX, 4)),
        row("giant size", &[32, 34], Greeted, Ends(BadGeometry), "is 2³²-1 by 2³²-1", |bad| bad.send_patched(16, u64::MAX, 8)),
        row("stride below a row", &[33], Greeted, Ends(BadGeometry), "has a row of 1040 pixels in 256 bytes", |bad| bad.send_patched(16, 65, 4)),
        row("odd stride", &[33], Greeted, Ends(BadGeometry), "has a stride of 255", |bad| bad.send_patched(32, 255, 4)),
        row("giant stride", &[33, 34], Greeted, Ends(BadGeometry), "has a stride of 4 GiB less 256", |bad| bad.send_patched(32, 0xffff_ff00, 4)),
        row("slots too short for the image", &[34], Greeted, Ends(WrongLength), "says a byte less than the image has", |bad| bad.send_patched(48, 4095, 8)),
        row("slots much too long", &[34], Greeted, Ends(WrongLength), "says 3 MiB for 4 KiB", |bad| bad.send_patched(48, 3 << 20, 8)),
        row("slots of 16 EiB", &[34], Greeted, Ends(WrongLength), "says 2⁶⁴-1 bytes", |bad| bad.send_patched(48, u64::MAX, 8)),
        row("no slots", &[35], Greeted, Ends(BadSlotCount), "has 0 slots", |bad| bad.send_patched(36, 0, 4)),
        row("1 slot", &[35], Greeted, Ends(BadSlotCount), "has 1 slot", |bad| bad.send_patched(36, 1, 4)),
        row("17 slots", &[35], Greeted, Ends(BadSlotCount), "has 17 slots", |bad| bad.send_patched(36, 17, 4)),
        row("4 billion slots", &[35], Greeted, Ends(BadSlotCount), "has 2³²-1 slots", |bad| bad.send_patched(36, u64::MAX, 4)),
        row("unknown format", &[36], Greeted, Ends(BadFormat), "draws in format 7", |bad| bad.send_patched(24, 7, 4)),
        row("unknown colour space", &[36], Greeted, Ends(BadFormat), "draws in colour space 9", |bad| bad.send_patched(28, 9, 4)),
        row("unknown mode", &[36], Greeted, Ends(Violation::BadField), "presents in mode 2", |bad| bad.send_patched(40, 2, 4)),
        row("damage outside", &[37], Shown, Lives(IGNORED), "has 7 damaged rectangles, all of them far outside", |bad| {
            let entry = bad.block() + 2304 + 64 * ((bad.sequence + 1) % 64);
            for rect in 1..8 {
                bad.hookup().store(entry + 8 * rect, u64::MAX);
            }
            bad.hookup().store(entry, 1 << 63 | 7 << 40 | (bad.sequence + 1));
            bad.live();
        }),
        row("damage of nothing", &[37], Shown, Lives(IGNORED), "fills the whole damage ring with noise", |bad| {
            for word in 0..512 {
                bad.hookup().store(bad.block() + 2304 + 8 * word, word.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            }
            bad.live();
        }),
        row("resize storm", &[38], Shown, Lives(IGNORED), "sets up 50 generations, each as soon as it may", |bad| {
            for generation in 2..52 {
                if generation > 2 {
                    // The one before the last is retired.
                    while bad.raw.receive().is_some_and(|(message, _)| message[0] != 4) {}
                }
                bad.set_up(Setup::small(generation));
                bad.show();
            }
            bad.live();
        }),
        row("frame larger than its surface", &[32, 39], Shown, Ends(BadGeometry), "says a size in use of 17 by 16", |bad| {
            record(bad, 2, 17 | 16 << 32);
            bad.live();
        }),
        row("frame of no width", &[32], Shown, Ends(BadGeometry), "says a size in use of 0 by 16", |bad| {
            record(bad, 2, 16 << 32);
            bad.live();
        }),
        row("frame smaller than its surface", &[39], Shown, Lives(IGNORED), "says a size in use of 1 by 1", |bad| {
            record(bad, 2, 1 | 1 << 32);
            bad.live();
        }),
        row("times that can't be", &[37], Shown, Lives(IGNORED), "presented at the end of time, for a begin-frame that never was", |bad| {
            record(bad, 0, u64::MAX);
            record(bad, 1, u64::MAX);
            bad.live();
        }),
        row("over the quota", &[40], Shown, Lives(REFUSED), "asks for more memory than is granted", |bad| {
            refused(bad, &Setup { height: 4096, bytes_per_slot: 1 << 20, ..Setup::small(2) });
        })
        .limits(|limits| limits.surface_bytes(1 << 20)),
        row("over the size", &[40], Shown, Lives(REFUSED), "asks for a larger surface than the host takes", |bad| {
            refused(bad, &Setup { height: 101, bytes_per_slot: 28_672, ..Setup::small(2) });
        })
        .limits(|limits| limits.surface_size(Size::new(100, 100))),
        row("over the quota, again and again", &[40, 11], Shown, Lives(REFUSED), "asks 200 times", |bad| {
            for _ in 0..200 {
                bad.raw.set_up(&Setup { height: 101, bytes_per_slot: 28_672, ..Setup::small(2) });
                while bad.raw.receive().is_some_and(|(message, _)| message[0] != 8) {}
            }
            bad.live();
        })
        .limits(|limits| limits.surface_size(Size::new(100, 100))),
    ]
}

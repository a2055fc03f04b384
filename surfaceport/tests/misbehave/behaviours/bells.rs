//! What it does to wake-ups, and to the processor.

use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::epoll;
use surfaceport::{Timestamp, Violation};

use crate::bad::{Bad, meanwhile};
use crate::table::Expect::{Ends, Lives};
use crate::table::Start::{Greeted, Shown};
use crate::table::{BELLS_MUTED, Behaviour, IGNORED, row};

/// Hangs so many watchers on its end of something: `sets` epoll sets, each with
/// all of `copies` handles of it.
fn crowd(fd: impl AsFd, events: epoll::EventFlags, sets: usize, copies: usize) {
    let fd = fd.as_fd();
    let copies: Vec<_> = (0..copies).map(|_| fd.try_clone_to_owned().unwrap()).collect();
    for _ in 0..sets {
        let set = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        for copy in &copies {
            let data = epoll::EventData::new_u64(0);
            epoll::add(&set, copy, data, events | epoll::EventFlags::ET).unwrap();
        }
        std::mem::forget(set);
    }
    std::mem::forget(copies);
}

/// As many as 300 files allow: 20,000.
fn crowd_of_20_000(fd: impl AsFd, events: epoll::EventFlags) {
    crowd(fd, events, 100, 200);
}

/// Says that it sleeps, so that the host rings.
fn ask_for_rings(bad: &Bad) {
    let hookup = bad.second_hookup();
    meanwhile(move || {
        hookup.store(0, 1 << 62);
        std::thread::sleep(Duration::from_micros(200));
    });
}

#[rustfmt::skip]
pub fn rows() -> Vec<Behaviour> {
    vec![
        row("bell flood", &[53], Shown, Lives(BELLS_MUTED),
            "rings without end, for nothing", |bad| {
                let bell = bad.second_hookup();
                meanwhile(move || bell.ring());
                std::thread::sleep(Duration::from_millis(30));
                bad.live();
            }),
        row("bell flood without a frame", &[53], Greeted, Lives(BELLS_MUTED),
            "rings without end before there is anything to show", |bad| {
                let bell = bad.second_hookup();
                meanwhile(move || bell.ring());
                std::thread::sleep(Duration::from_millis(30));
                bad.set_up(bad.setup);
                bad.live();
            }),
        row("one ring at a time", &[53], Shown, Lives(BELLS_MUTED),
            "rings so that each ring wakes the host by itself", |bad| {
                let bell = bad.second_hookup();
                meanwhile(move || {
                    bell.ring();
                    std::thread::sleep(Duration::from_micros(50));
                });
                std::thread::sleep(Duration::from_millis(60));
                bad.live();
            }),
        row("a frame for every 15 rings", &[53], Shown, Lives(BELLS_MUTED),
            "has a reason now and then, and rings for nothing in between", |bad| {
                for _ in 0..40 {
                    for _ in 0..15 {
                        bad.hookup().ring();
                        std::thread::sleep(Duration::from_micros(50));
                    }
                    bad.show();
                }
                bad.live();
            }),
        row("a bell that is drained", &[54], Shown, Lives(IGNORED),
            "reads the host's bell empty, again and again, while it presents", |bad| {
                let bell = bad.second_hookup();
                meanwhile(move || { let _empty = rustix::io::read(&bell.to_host, &mut [0_u8; 8]); });
                for _ in 0..5 { bad.show(); }
                bad.live();
            })
            .limits(|limits| limits.stall(Duration::from_millis(20))),
        row("a bell that is full", &[54], Shown, Lives(IGNORED),
            "adds 2⁶⁴-2 to the bell's count", |bad| {
                let _added = rustix::io::write(&bad.hookup().to_host, &(u64::MAX - 1).to_ne_bytes());
                bad.live();
            }),
        row("a crowd on its bell", &[53], Shown, Ends(Violation::CrowdedHandle),
            "hangs 20,000 epoll watchers on its end of the bell, and asks for rings", |bad| {
                crowd_of_20_000(&bad.hookup().to_child, epoll::EventFlags::IN);
                ask_for_rings(bad);
            })
            .host(|session| session.begin_frame(Timestamp::now())),
        row("a crowd on its socket", &[53], Shown, Ends(Violation::CrowdedHandle),
            "hangs 20,000 epoll watchers on its end of the connection, which the host writes to", |bad| {
                crowd_of_20_000(&bad.raw, epoll::EventFlags::IN);
                loop {
                    bad.raw.receive();
                }
            })
            .host(|session| { let _gone = session.send(b"hello"); }),
        row("a crowd that waits for room", &[53, 11], Shown, Ends(Violation::CrowdedHandle),
            "hangs 20,000 epoll watchers on the room in its socket, and sends now and then", |bad| {
                crowd_of_20_000(&bad.raw, epoll::EventFlags::OUT);
                loop {
                    std::thread::sleep(Duration::from_micros(500));
                    bad.raw.send(&crate::support::raw::packet(6, b"x"), &[]);
                }
            }),
        row("a crowd on the host's bell", &[53], Shown, Lives(IGNORED),
            "hangs 20,000 epoll watchers on the bell that it rings itself: it pays itself", |bad| {
                crowd_of_20_000(&bad.hookup().to_host, epoll::EventFlags::IN);
                for _ in 0..3 { bad.show(); }
                bad.live();
            }),
        row("busy for ever", &[58], Shown, Lives(IGNORED),
            "spins on every processor", |bad| {
                for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
                    meanwhile(std::hint::spin_loop);
                }
                std::thread::sleep(Duration::from_millis(20));
                bad.live();
            }),
    ]
}

//! Processes that the host did not start, and that come by name.

use std::time::Duration;

use surfaceport::{ExitReason, Violation};

use crate::bad::{Bad, stay};
use crate::support::raw::{Setup, frame_word, hello, packet};
use crate::table::Expect::{Ends, Exits, Lives};
use crate::table::Start::Peer;
use crate::table::{Behaviour, IGNORED, row};

fn start(bad: &mut Bad) {
    bad.greet();
    bad.set_up(Setup::small(1));
    bad.show();
}

#[rustfmt::skip]
pub fn rows() -> Vec<Behaviour> {
    let gone = Exits(|reason| *reason == ExitReason::Disconnected, "its session ends: disconnected");
    vec![
        row("peer: text for Hello", &[1, 10], Peer, Ends(Violation::LengthMismatch),
            "speaks HTTP", |bad| { bad.raw.send(b"GET / HTTP/1.1\r\n\r\n", &[]); }),
        row("peer: silence", &[5, 10], Peer, Ends(Violation::HandshakeTimeout),
            "connects and says nothing", |_| stay())
            .limits(|limits| limits.handshake(Duration::from_millis(20))),
        row("peer: bad word", &[35], Peer, Ends(Violation::SlotOutOfRange),
            "presents a slot that does not exist", |bad| {
                start(bad);
                bad.hookup().store(bad.block(), frame_word(9, 2));
                bad.hookup().ring();
            }),
        row("peer: reads nothing", &[12], Peer, Ends(Violation::NotReading),
            "never reads, while the host has a lot to say", |bad| { bad.greet(); })
            .host(|session| { let _full = session.send(&[7; 16_000]); }),
        row("peer: vanishes", &[6, 10], Peer, gone,
            "closes the connection before Hello", |bad| bad.raw.shut_down()),
        row("peer: vanishes while shown", &[6], Peer, gone,
            "closes the connection while its frame is shown", |bad| {
                start(bad);
                bad.raw.shut_down();
            }),
        row("peer: second Hello", &[7], Peer, Ends(Violation::WrongState),
            "says Hello again", |bad| {
                bad.greet();
                bad.raw.send(&hello(1, 1, 0, 0), &[]);
            }),
        row("peer: unknown message", &[8, 1], Peer, Ends(Violation::UnknownMessage),
            "sends a message of no kind while its frame is shown", |bad| {
                start(bad);
                bad.raw.send(&packet(99, &[]), &[]);
            }),
        row("peer: storm", &[10], Peer, Lives(IGNORED),
            "connects and disconnects 30 times, and is then a good child", |bad| {
                bad.raw.shut_down();
                for _ in 0..30 {
                    Bad::dial().shut_down();
                }
                bad.raw = Bad::dial();
                bad.greet();
                bad.set_up(Setup::small(1));
                bad.live();
            }),
        row("peer: crowd at the door", &[10], Peer, Lives(IGNORED),
            "holds 20 connections that say nothing, and is a good child on one more", |bad| {
                let idle: Vec<_> = (0..20).map(|_| Bad::dial()).collect();
                bad.raw = Bad::dial();
                bad.greet();
                bad.set_up(Setup::small(1));
                bad.live();
                std::mem::forget(idle);
            }),
    ]
}

//! What it says.

use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::Shutdown;
use surfaceport::{ExitReason, Violation};

use crate::bad::{Bad, meanwhile, stay};
use crate::support::raw::{Raw, Setup, hello, packet, packet_of};
use crate::table::Expect::{Ends, Exits, Lives};
use crate::table::Start::{Greeted, Nothing, Shown};
use crate::table::{Behaviour, IGNORED, MESSAGES_MUTED, OUTPUT_MUTED, row};

/// Its handshake is over, and the connection closed without a word.
const DISCONNECTED: crate::table::Expect =
    Exits(|reason| *reason == ExitReason::Disconnected, "ended: disconnected");

fn say(bad: &Bad, bytes: &[u8]) {
    bad.raw.send(bytes, &[]);
}

#[rustfmt::skip]
pub fn rows() -> Vec<Behaviour> {
    vec![
        row("text for Hello", &[1], Nothing, Ends(Violation::LengthMismatch),
            "speaks HTTP", |bad| say(bad, b"GET / HTTP/1.1\r\n\r\n")),
        row("short packet", &[1], Nothing, Ends(Violation::ShortMessage),
            "sends less than a header", |bad| say(bad, b"hello")),
        row("half a Hello", &[1, 3], Nothing, Ends(Violation::ShortMessage),
            "sends a header that is right about a Hello that is too short", |bad| say(bad, &packet(1, &[0; 8]))),
        row("long packet", &[1, 2], Nothing, Ends(Violation::LongMessage),
            "sends one byte more than any message has", |bad| say(bad, &packet(6, &[0; 16_385]))),
        row("giant packet", &[2], Nothing, Ends(Violation::LongMessage),
            "sends 100 KiB in one packet, of which the host has room for a part", |bad| say(bad, &packet(6, &[0; 100 << 10]))),
        row("length too small", &[1, 3], Greeted, Ends(Violation::LengthMismatch),
            "says a length below the packet's", |bad| say(bad, &[6, 0, 0, 0, 8, 0, 0, 0, 1, 2, 3])),
        row("length too large", &[1, 3], Greeted, Ends(Violation::LengthMismatch),
            "says a length of 4 GiB", |bad| say(bad, &[6, 0, 0, 0, 255, 255, 255, 255, 1, 2, 3])),
        row("unknown message", &[1], Greeted, Ends(Violation::UnknownMessage),
            "sends a message of a kind that is set aside", |bad| say(bad, &packet(64, &[]))),
        row("random packets", &[1], Greeted, Ends(Violation::LengthMismatch),
            "sends noise", |bad| {
                let mut noise = 7_u32;
                loop {
                    let bytes: Vec<u8> = (0..200).map(|_| {
                        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        (noise >> 24) as u8
                    }).collect();
                    say(bad, &bytes);
                }
            }),
        row("the host's message", &[1, 8], Greeted, Ends(Violation::UnknownMessage),
            "sends a Welcome", |bad| say(bad, &packet(2, &[0; 56]))),
        row("no magic number", &[1], Nothing, Ends(Violation::BadMagic),
            "says Hello without the magic number", |bad| say(bad, &packet(1, &[0; 24]))),
        row("version 0", &[1, 4], Nothing, Ends(Violation::BadField),
            "offers versions from 0", |bad| say(bad, &hello(0, 1, 0, 0))),
        row("versions backwards", &[1, 4], Nothing, Ends(Violation::BadField),
            "offers versions from 2 to 1", |bad| say(bad, &hello(2, 1, 0, 0))),
        row("features that it lacks", &[1, 4], Nothing, Ends(Violation::BadField),
            "can't do without a feature that it has not", |bad| say(bad, &hello(1, 1, 0, 1))),
        row("no version in common", &[4], Nothing,
            Exits(|reason| *reason == ExitReason::VersionMismatch { ours: (1, 1), theirs: (7, 9) }, "refused: both versions are named"),
            "speaks versions 7 to 9, and exits when it is refused", |bad| {
                say(bad, &hello(7, 9, 0, 0));
                bad.raw.receive();
                std::process::exit(0);
            }),
        row("no feature in common", &[4], Nothing,
            Exits(|reason| *reason == ExitReason::FeatureMismatch { missing: 0x30 }, "refused: the missing features are named"),
            "needs features that the host lacks", |bad| {
                say(bad, &hello(1, 1, 0x31, 0x30));
                bad.raw.receive();
                std::process::exit(0);
            }),
        row("silence", &[5], Nothing, Ends(Violation::HandshakeTimeout),
            "never says Hello (20 ms are granted)", |_| stay())
            .limits(|limits| limits.handshake(Duration::from_millis(20))),
        row("Hello, without reading", &[5, 6], Nothing, Lives(IGNORED),
            "reads its Welcome late", |bad| {
                say(bad, &hello(1, 1, 0, 0));
                std::thread::sleep(Duration::from_millis(20));
                let (welcome, handles) = bad.raw.receive().unwrap();
                bad.adopt(welcome, handles);
                bad.set_up(Setup::small(1));
                bad.live();
            }),
        row("deaf", &[6], Shown, Lives(IGNORED),
            "closes its receiving direction; the host goes on to send", |bad| {
                bad.raw.shut(Shutdown::Read);
                std::thread::sleep(Duration::from_millis(10));
                bad.live();
            })
            .host(|session| { let _closed = session.send(b"do you hear me?"); }),
        row("dumb", &[6], Greeted, DISCONNECTED,
            "closes its sending direction and stays", |bad| bad.raw.shut(Shutdown::Write)),
        row("disconnected before Hello", &[6], Nothing, DISCONNECTED,
            "closes the connection and stays", |bad| bad.raw.shut_down()),
        row("disconnected while shown", &[6], Shown, DISCONNECTED,
            "closes the connection and stays", |bad| bad.raw.shut_down()),
        row("empty packet", &[1, 6], Greeted, DISCONNECTED,
            "sends a packet of no bytes, which looks like the end", |bad| say(bad, &[])),
        row("second Hello", &[7], Greeted, Ends(Violation::WrongState),
            "says Hello again", |bad| say(bad, &hello(1, 1, 0, 0))),
        row("two Hellos at once", &[7], Nothing, Ends(Violation::WrongState),
            "says Hello again before Welcome", |bad| {
                say(bad, &hello(1, 1, 0, 0));
                say(bad, &hello(1, 1, 0, 0));
            }),
        row("the same generation twice", &[7, 9], Shown, Ends(Violation::WrongGeneration),
            "sets up generation 1 again", |bad| { bad.raw.set_up(&Setup::small(1)); }),
        row("Setup before Hello", &[8], Nothing, Ends(Violation::WrongState),
            "starts with a Setup", |bad| { bad.raw.set_up(&Setup::small(1)); }),
        row("message before Hello", &[8], Nothing, Ends(Violation::WrongState),
            "starts with a user message", |bad| say(bad, &packet(6, b"hi"))),
        row("Bye before Hello", &[8], Nothing, Ends(Violation::WrongState),
            "starts with Bye", |bad| say(bad, &packet(7, &[0; 4]))),
        row("a future generation", &[9], Shown, Ends(Violation::WrongGeneration),
            "sets up generation 3 after 1", |bad| { bad.raw.set_up(&Setup::small(3)); }),
        row("generation 0", &[9], Greeted, Ends(Violation::BadField),
            "sets up generation 0", |bad| { bad.raw.set_up(&Setup::small(0)); }),
        row("frame in an old generation", &[9], Shown, Lives(IGNORED),
            "presents where nobody looks any more", |bad| {
                bad.set_up(Setup::small(2));
                bad.show();
                bad.hookup().publish(1, 9, 77);
                bad.live();
            }),
        row("frame in no generation", &[9], Greeted, Lives(IGNORED),
            "presents before there is a Setup", |bad| {
                bad.hookup().publish(1, 9, 77);
                bad.hookup().publish(2, 9, 77);
                bad.set_up(Setup::small(1));
                bad.live();
            }),
        row("message flood", &[11], Shown, Lives(MESSAGES_MUTED),
            "sends small messages without end", |bad| {
                let raw = bad.raw.try_clone();
                meanwhile(move || { raw.send(&packet(6, b"x"), &[]); });
                std::thread::sleep(Duration::from_millis(30));
                bad.live();
            }),
        row("trickle of messages", &[11], Shown, Lives(MESSAGES_MUTED),
            "sends one message at a time, and each is to wake the host", |bad| {
                let raw = bad.raw.try_clone();
                meanwhile(move || {
                    raw.send(&packet(6, b"x"), &[]);
                    std::thread::sleep(Duration::from_micros(50));
                });
                std::thread::sleep(Duration::from_millis(30));
                bad.live();
            })
            .limits(|limits| limits.message_rate(500)),
        row("flood of large messages", &[11, 13], Shown, Lives(MESSAGES_MUTED),
            "sends messages of 16 KiB without end", |bad| {
                let raw = bad.raw.try_clone();
                meanwhile(move || { raw.send(&packet(6, &[7; 16_384]), &[]); });
                std::thread::sleep(Duration::from_millis(30));
                bad.live();
            }),
        row("reads nothing", &[12], Greeted, Ends(Violation::NotReading),
            "never reads, while the host has a lot to say", |_| stay())
            .host(|session| { let _full = session.send(&[7; 16_000]); }),
        row("output flood", &[13], Shown, Lives(OUTPUT_MUTED),
            "writes lines to stderr without end", |bad| {
                meanwhile(|| eprintln!("{}", "spam ".repeat(50)));
                std::thread::sleep(Duration::from_millis(30));
                bad.live();
            }),
        row("one endless line", &[13], Shown, Lives(OUTPUT_MUTED),
            "writes binary garbage without a line's end to stdout", |bad| {
                use std::io::Write as _;
                meanwhile(|| { let _gone = std::io::stderr().write_all(&[0xfe; 8192]); });
                std::thread::sleep(Duration::from_millis(30));
                bad.live();
            }),
        row("output a byte at a time", &[13], Shown, Lives(IGNORED),
            "writes to stderr in single bytes, and each is to wake the host", |bad| {
                use std::io::Write as _;
                meanwhile(|| { let _gone = std::io::stderr().write_all(b"x"); });
                std::thread::sleep(Duration::from_millis(30));
                bad.live();
            }),
        row("Setup flood", &[11, 38], Shown, Ends(Violation::TooManyGenerations),
            "sets up generations without waiting for the old ones", |bad| {
                for generation in 2..100 {
                    bad.raw.set_up(&Setup::small(generation));
                }
            }),
        row("word after Bye", &[8], Shown,
            Exits(|reason| *reason == ExitReason::Closed, "ended: closed"),
            "says Bye, and goes on to talk and to draw", |bad| {
                say(bad, &packet(7, &[0; 4]));
                say(bad, &packet(6, b"and another thing"));
                bad.live();
            }),
        row("Bye with a reason", &[8], Shown,
            Exits(|reason| *reason == ExitReason::Closed, "ended: closed"),
            "says Bye for a reason that has no meaning, and stays", |bad| say(bad, &packet(7, &[255; 4]))),
        row("shared end", &[15, 28], Shown, Lives(IGNORED),
            "gives its end of the connection away, and goes on", |bad| {
                let (a, _b) = pair();
                Raw::from_fd(a).send(b"x", &[bad.raw.as_fd()]);
                bad.live();
            }),
        row("credentials", &[15], Shown, Lives(IGNORED),
            "sends its credentials beside a message", |bad| {
                bad.raw.send_credentials(&packet(6, b"me"));
                bad.live();
            }),
        row("reserved bits of a Setup", &[1], Greeted, Ends(Violation::BadField),
            "sets the reserved field", |bad| bad.send_patched(44, 1, 4)),
        row("Setup with a tail", &[1], Greeted, Ends(Violation::LongMessage),
            "sends a Setup of 64 bytes", |bad| {
                let mut long = packet_of(&Setup::small(1));
                long.extend([0; 8]);
                long[4] = 64;
                say(bad, &long);
            }),
    ]
}

/// Two connected ends.
pub fn pair() -> (std::os::fd::OwnedFd, std::os::fd::OwnedFd) {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
}

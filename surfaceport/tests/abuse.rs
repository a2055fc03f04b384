//! What a child can do to make its host hang, spin or grow: nothing.
#![cfg(target_os = "linux")]
#![allow(missing_docs)]

mod support;

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use support::raw::{Hookup, Raw, Setup, packet};
use support::{
    Role, await_connected, event, event_within, is_readable, name_directory, parameter, run_child,
    start, start_plain, watchdog,
};
use surfaceport::{Deadline, Error, Event, Exit, ExitReason, Listener, Restart, Session};

/// Not a test of its own: what the others start.
#[test]
fn child() {
    let own: &[Role<'_>] = &[
        ("chatter", chatter),
        ("setup storm", setup_storm),
        ("talks before it listens", talks_before_it_listens),
        ("peer", peer),
    ];
    run_child(own);
}

fn stay() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}

fn spawn(role: &str) -> Session {
    Session::spawn(start(role).restart(Restart::never())).unwrap()
}

fn gone(session: &mut Session) -> Exit {
    loop {
        match session.next_frame(Deadline::NEVER) {
            Ok(_) => {}
            Err(Error::ChildGone(exit)) => return *exit,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Small writes to stderr from two threads, without end.
fn chatter() -> Result<(), Error> {
    let raw = Raw::inherited();
    let _hookup = raw.greet();
    let write = || {
        loop {
            std::io::stderr().write_all(b"x").unwrap();
            raw.send(&packet(6, b"x"), &[]);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(write);
        scope.spawn(write);
    });
    Ok(())
}

#[test]
fn a_chattering_child_does_not_move_the_deadline() {
    let _watchdog = watchdog("chatter");
    let mut session = spawn("chatter");
    await_connected(&mut session);
    for _ in 0..100 {
        assert!(session.next_frame(Deadline::NOW).unwrap().is_none());
        assert!(session.next_frame(Duration::from_millis(1)).unwrap().is_none());
    }
}

/// Generation after generation, of the same surfaces.
fn setup_storm() -> Result<(), Error> {
    let raw = Raw::inherited();
    let _hookup = raw.greet();
    let surfaces = raw.set_up(&Setup::small(1));
    let handles: Vec<_> = surfaces.iter().map(std::os::fd::AsFd::as_fd).collect();
    for generation in 2..=parameter("SETUPS", 0) {
        raw.send(&support::raw::packet_of(&Setup::small(generation)), &handles);
        // It says of each that the one before is retired.
        raw.receive();
    }
    raw.send(&packet(6, b"done"), &[]);
    stay();
}

#[test]
fn events_that_nobody_fetches_do_not_pile_up() {
    let _watchdog = watchdog("setup storm");
    let command = start("setup storm").env("SETUPS", "3000");
    let mut session = Session::spawn(command).unwrap();
    while session.stats().events_dropped < 1500 {
        assert!(session.next_frame(Duration::from_millis(10)).unwrap().is_none());
    }
    let mut events = 0;
    let mut last = 0;
    while let Some(event) = event_within(&mut session, Duration::from_millis(200)) {
        if let Event::Setup { generation, .. } = event {
            last = generation;
        }
        events += 1;
    }
    assert_eq!(last, 3000);
    // One a Setup, the connection, and the message.
    assert_eq!(events + session.stats().events_dropped, 3002);
}

/// Sends more than the host hears at a time, and only then reads.
fn talks_before_it_listens() -> Result<(), Error> {
    let raw = Raw::inherited();
    let _hookup = raw.greet();
    // The host fills its queue meanwhile.
    raw.send(&packet(6, b"go"), &[]);
    std::thread::sleep(Duration::from_millis(100));
    for _ in 0..80 {
        raw.send(&packet(6, b"x"), &[]);
    }
    std::thread::sleep(Duration::from_millis(100));
    for _ in 0..40 {
        raw.receive();
    }
    raw.send(&packet(6, b"all read"), &[]);
    stay();
}

#[test]
fn messages_wait_for_room_and_are_not_forgotten() {
    let _watchdog = watchdog("queue");
    let mut session = spawn("talks before it listens");
    let until = |text: &[u8], session: &mut Session| loop {
        if let Event::Message(bytes) = event(session)
            && bytes == text
        {
            break;
        }
    };
    until(b"go", &mut session);
    for _ in 0..40 {
        session.send(&[7; 16_000]).unwrap();
    }
    until(b"all read", &mut session);
}

/// A peer that connected by name, and can't be killed: it breaks a rule (`HOW`)
/// and stays.
fn peer() -> Result<(), Error> {
    let name: String = parameter("NAME", String::new());
    let raw = Raw::connect(&name_directory().join(format!("{name}.sock")));
    let how: String = parameter("HOW", String::new());
    if how == "never says Hello" {
        stay();
    }
    let hookup: Hookup = raw.greet();
    let _surfaces = raw.set_up(&Setup::small(1));
    match how.as_str() {
        "bad word" => hookup.publish(1, 9, 1),
        "frames" => hookup.publish(1, 0, 1),
        _ => {}
    }
    stay();
}

fn with_peer(how: &str, test: impl FnOnce(&mut Session)) {
    let name = format!("test.abuse.{}.{}", std::process::id(), how.replace(' ', "-"));
    let limits = surfaceport::Limits::default().handshake(Duration::from_millis(100));
    let mut listener = Listener::bind(&name).unwrap().limits(limits);
    let mut peer = start_plain("peer")
        .env("NAME", &name)
        .env("HOW", how)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut session = listener.accept(Duration::from_secs(20)).unwrap().unwrap();
    test(&mut session);
    // Nothing of it is left to wake for.
    while session.dispatch().unwrap().is_some() {}
    assert!(!is_readable(&session, Duration::from_millis(20)));
    assert!(peer.try_wait().unwrap().is_none(), "it lives on: it is not ours to end");
    peer.kill().unwrap();
    peer.wait().unwrap();
    std::fs::remove_file(name_directory().join(format!("{name}.lock"))).unwrap();
}

#[test]
fn a_peer_can_be_disconnected() {
    let _watchdog = watchdog("peer, kill_child");
    with_peer("frames", |session| {
        let held = session.next_frame(Duration::from_secs(20)).unwrap().unwrap();
        session.kill_child();
        assert_eq!(gone(session).reason, ExitReason::Disconnected);
        drop(held);
    });
    with_peer("frames", |session| {
        drop(session.next_frame(Duration::from_secs(20)).unwrap().unwrap());
        assert_eq!(session.close_child(Duration::from_millis(20)).reason, ExitReason::Closed);
        assert!(session.exit().is_some());
    });
}

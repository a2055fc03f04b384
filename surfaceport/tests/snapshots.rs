//! Snapshot mode: what is shown is the host's own copy.
#![cfg(target_os = "linux")]
#![allow(missing_docs)]

mod support;

use std::time::{Duration, Instant};

use support::raw::{Hookup, Raw, Setup};
use support::{Role, await_connected, check, frame, hash, run_child, start, watchdog};
use surfaceport::{Error, Frame, HeadlessPane, Restart, Session, Size, View};

/// Not a test of its own: what the others start.
#[test]
fn child() {
    let own: &[Role<'_>] = &[("scribbler", scribbler)];
    run_child(&[support::roles::ROLES, own].concat());
}

/// Presents frames, and draws into all its surfaces without end.
fn scribbler() -> Result<(), Error> {
    let raw = Raw::inherited();
    let hookup = raw.greet();
    let surfaces = raw.set_up(&Setup::small(1));
    std::thread::spawn(move || {
        for colour in (0..=255_u8).cycle() {
            for surface in &surfaces {
                rustix::io::pwrite(surface, &[colour; 4096], 0).unwrap();
            }
        }
    });
    for sequence in 1.. {
        hookup.publish(1, sequence % 3, sequence);
        while hookup.load(Hookup::block(1)) >> 16 & 0xff != 0 {
            std::thread::sleep(Duration::from_micros(100));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn pixels(frame: &Frame) -> u64 {
    let mut bytes = vec![0; 1024];
    frame.copy_to(&mut bytes).unwrap();
    hash(bytes.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word)))
}

/// How many of 20 held frames change while they are held.
fn changed(snapshots: bool) -> usize {
    let mut session = Session::spawn(start("scribbler").restart(Restart::never())).unwrap();
    session.set_snapshots(snapshots);
    let mut changed = 0;
    for _ in 0..20 {
        let frame = session.next_frame(Duration::from_secs(20)).unwrap().expect("a frame");
        let seen = pixels(&frame);
        let until = Instant::now() + Duration::from_millis(10);
        let mut looks = 0;
        while looks < 20 || Instant::now() < until {
            looks += 1;
            if pixels(&frame) != seen {
                changed += 1;
                break;
            }
        }
    }
    assert_eq!(session.stats().host_copies, if snapshots { 20 } else { 0 });
    changed
}

#[test]
fn nothing_that_is_shown_changes() {
    let _watchdog = watchdog("snapshots");
    assert!(changed(false) > 0, "the child does not even try");
    assert_eq!(changed(true), 0);
}

/// The slot goes back at once, the copies are the generation's number of slots,
/// and the frames are whole.
#[test]
fn frames_of_an_honest_child_are_copied_whole() {
    let _watchdog = watchdog("honest snapshots");
    let mut session = Session::spawn(start("free").restart(Restart::never())).unwrap();
    session.set_snapshots(true);
    await_connected(&mut session);
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(frame(&mut session));
    }
    // All copies are held.
    assert!(session.next_frame(Duration::from_millis(50)).unwrap().is_none());
    held.remove(1);
    held.push(frame(&mut session));
    assert_eq!(session.stats().host_copies, 4);
    assert!(held.iter().all(|frame| check(frame, None).is_ok()));
    drop(held);
    for _ in 0..300 {
        drop(frame(&mut session));
    }
    session.close_child(Duration::ZERO);
    let stats = session.stats();
    assert_eq!(stats.presented, stats.shown + stats.superseded + stats.stale + stats.lost);
    assert_eq!(stats.host_copies, stats.shown);
}

/// A pane shows copies as it shows anything.
#[test]
fn a_pane_need_not_know() {
    let _watchdog = watchdog("a pane of snapshots");
    let mut session = Session::spawn(start("paced")).unwrap();
    session.set_snapshots(true);
    let mut view = View::new(session, HeadlessPane::new(Size::new(64, 64))).unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while view.pane().shown() < 10 {
        assert!(Instant::now() < until);
        view.next_event(Duration::from_millis(20)).unwrap();
    }
    assert!(view.session().stats().host_copies >= 10);
    assert!(view.pane().on_display().is_some());
}

//! What only this platform can get wrong: rights that leak or are given back
//! twice, on every path, and messages that no honest peer sends.
//!
//! The simulation panics when a right is given back that is not there; what is
//! left over is seen by comparing a task's table of names before and after.

mod poc;

use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::kern::sim::{Snapshot, fail_after, in_task};
use super::kern::{self, Geometry, option};
use super::message::{Loose, MESSAGE};
use super::rights::{Beside, ReceiveRight, SendRight, Target, send};
use super::*;
use crate::error::{ExitReason, Violation};
use crate::format::{ColorSpace, Format};
use crate::geometry::{Size, SurfaceDescriptor};
use crate::sys::mach_frame::{Disposition, Outgoing, Port, with_length};
use crate::sys::{Received, Sent, Trigger};
use crate::time::Deadline;

mod life;

const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until a task has what it had before: threads may still be at it.
fn settles(before: &Snapshot) {
    let start = Instant::now();
    while Snapshot::take() != *before {
        let late = start.elapsed() > PATIENCE;
        assert!(!late, "before {before:?}, after {:?}", Snapshot::take());
        std::thread::yield_now();
    }
}

/// Makes each call fail in turn, until none is left to fail: whatever happens,
/// the task ends with the names that it began with.
fn whatever_fails(what: impl Fn() -> Result<(), Error>) {
    let mut failures = 0;
    loop {
        let (failed, result) = in_task(|| {
            let before = Snapshot::take();
            fail_after(Some(failures));
            let result = what();
            let failed = fail_after(None);
            settles(&before);
            (failed, result)
        });
        if !failed {
            result.unwrap();
            assert!(failures > 0, "there was nothing to fail");
            return;
        }
        failures += 1;
        assert!(failures < 1000, "it never comes to an end");
    }
}

fn receive(endpoint: &Endpoint) -> Result<Vec<Handle>, Error> {
    let mut handles = Vec::new();
    match endpoint.receive(&mut [0; 64], &mut handles)? {
        Received::Message(_) => Ok(handles),
        other => panic!("{other:?}"),
    }
}

#[test]
fn connections_leak_nothing_whatever_fails() {
    whatever_fails(|| {
        let (a, b) = Endpoint::pair()?;
        let memory = Memory::create("test", 1)?;
        for _ in 0..3 {
            a.send(b"x", &[memory.handle(), memory.handle()])?;
        }
        receive(&b)?;
        // The rest is never received.
        b.send(b"y", &[])?;
        receive(&a)?;
        Ok(())
    });
}

#[test]
fn full_queues_leak_nothing_whatever_fails() {
    whatever_fails(|| {
        let (a, b) = Endpoint::pair()?;
        let memory = Memory::create("test", 1)?;
        let set = WaitSet::new()?;
        set.add(a.source(), 1, Trigger::LevelAndRoom)?;
        while a.send(b"x", &[memory.handle()])? == Sent::Done {}
        let before = Snapshot::take();
        assert_eq!(a.send(b"x", &[memory.handle()])?, Sent::Full);
        assert_eq!(a.send(b"x", &[memory.handle()])?, Sent::Full);
        assert_eq!(Snapshot::take(), before);
        drop(receive(&b)?);
        let mut tokens = Vec::new();
        set.wait(Some(Duration::ZERO), |token| tokens.push(token))?;
        assert_eq!(tokens, [Some(1)]);
        assert_eq!(a.send(b"x", &[memory.handle()])?, Sent::Done);
        assert_eq!(a.send(b"x", &[memory.handle()])?, Sent::Full);
        // The peer dies with the request for room still there.
        drop(b);
        set.wait(Some(Duration::ZERO), |_| ())?;
        assert_eq!(a.send(b"x", &[memory.handle()])?, Sent::Closed);
        Ok(())
    });
}

#[test]
fn bells_leak_nothing_whatever_fails() {
    whatever_fails(|| {
        let (a, b) = Endpoint::pair()?;
        let (bell, ringer) = bell_to_host()?;
        let (to_child, waits) = bell_to_child()?;
        a.send(b"x", &[&ringer, &waits])?;
        let mut handles = receive(&b)?;
        let theirs = Bell::from_handle(handles.pop().unwrap());
        let rings = Ringer::from_handle(handles.pop().unwrap());
        let set = WaitSet::new()?;
        set.add(bell.source(), 1, Trigger::Edge)?;
        for _ in 0..5 {
            rings.ring();
            to_child.ring();
        }
        set.wait(Some(Duration::ZERO), |_| ())?;
        theirs.drain();
        set.remove(bell.source());
        drop(bell);
        rings.ring();
        Ok(())
    });
}

fn descriptor() -> SurfaceDescriptor {
    SurfaceDescriptor::new(Size::new(100, 30), Format::Bgra8).unwrap()
}

#[test]
fn memory_and_surfaces_leak_nothing_whatever_fails() {
    whatever_fails(|| {
        let (a, b) = Endpoint::pair()?;
        let memory = Memory::create("test", 5000)?;
        let surface = SurfaceMemory::create(&descriptor())?;
        a.send(b"x", &[memory.handle(), surface.handle()])?;
        let mut handles = receive(&b)?;
        let theirs = SurfaceMemory::import(handles.pop().unwrap(), &descriptor(), surface.len())?;
        let shared = Memory::import(handles.pop().unwrap(), memory.len())?;
        let _maps = (shared.map()?, theirs.map()?);
        surface.begin_drawing();
        surface.end_drawing();
        theirs.read_at(0, &mut [0; 8])
    });
}

#[test]
fn names_leak_nothing_whatever_fails() {
    static NEXT: Mutex<u32> = Mutex::new(0);
    whatever_fails(|| {
        let number = {
            let mut next = lock(&NEXT);
            *next += 1;
            *next
        };
        let name = format!("com.example.leak{number}");
        let listener = Listener::bind(&name)?;
        let client = Endpoint::connect(&name, Deadline::from(Duration::from_millis(20)));
        // Nobody takes the second one.
        let _second = Endpoint::connect(&name, Deadline::from(Duration::from_millis(20)));
        let server = listener.accept()?;
        if let (Ok(client), Some((server, _))) = (&client, &server) {
            client.send(b"x", &[])?;
            receive(server)?;
        }
        // What fails behind the door fails for the guest.
        client.map(drop)
    });
}

#[test]
fn processes_leak_nothing_whatever_fails() {
    fn main(role: &str) -> i32 {
        match role {
            "hook" => match Endpoint::inherited() {
                Ok(host) => i32::from(host.send(b"hello", &[]).unwrap() != Sent::Done),
                Err(_) => 9,
            },
            _ => 0,
        }
    }
    for role in ["hook", "leave"] {
        whatever_fails(|| {
            let spawn = testing::child(main, "sys::macos::tests::leaks", role);
            let mut spawned = spawn.start()?;
            let ended = spawned.process.ended(PATIENCE);
            let reason = ended.then(|| spawned.process.reap()).flatten();
            // What failed behind the door fails for the child.
            if reason == Some(ExitReason::Exited(0)) && role == "hook" {
                receive(&spawned.endpoint)?;
            }
            Ok(())
        });
    }
}

/// What unwound out of a destructor would lose the value that a function is about
/// to return: a leak that no program of a Mac's has, which does not unwind when
/// it is killed.
#[test]
fn what_the_dead_drop_does_not_unwind() {
    /// The child can be killed, and whether it went quietly.
    static CHILD: Mutex<(bool, Option<bool>)> = Mutex::new((false, None));
    fn main(_: &str) -> i32 {
        let host = Endpoint::inherited().unwrap();
        let port = ReceiveRight::new(1).unwrap();
        let right = port.sender().unwrap();
        tell(&right, MESSAGE, &[right.lend()], b"x");
        let message = port.receive(64, 0).unwrap();
        lock(&CHILD).0 = true;
        assert!(catch_unwind(testing::rest).is_err(), "it was not killed");
        let all = (message, right, port, host);
        lock(&CHILD).1 = Some(catch_unwind(AssertUnwindSafe(|| drop(all))).is_ok());
        0
    }
    in_task(|| {
        let spawned = testing::child(main, "sys::macos::tests::dead", "").start().unwrap();
        until(|| lock(&CHILD).0);
        spawned.process.kill();
        assert!(spawned.process.ended(PATIENCE));
    });
    until(|| lock(&CHILD).1.is_some());
    assert_eq!(lock(&CHILD).1, Some(true));
}

fn until(mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < PATIENCE, "it never comes to that");
        std::thread::yield_now();
    }
}

/// A connection of which this side holds the other end's rights as they are.
fn half() -> (Endpoint, Loose) {
    let (own, theirs) = Loose::pair().unwrap();
    (Endpoint::new(own).unwrap(), theirs)
}

fn tell(to: &SendRight, id: i32, ports: &[Port], payload: &[u8]) {
    let mut beside = Beside { lent: ports, moved: &mut None };
    send(Target::Send(to), id, &mut beside, payload, 0, 0).unwrap();
}

#[test]
fn what_no_honest_peer_sends_is_destroyed() {
    in_task(|| {
        let (a, peer) = half();
        let own = ReceiveRight::new(1).unwrap();
        let memory = Memory::create("test", 1).unwrap();
        let Handle::Send(right) = memory.handle() else { panic!("it is a send right") };
        let good = with_length(b"x");
        let lent = right.lend();
        let once = own.make_send_once();
        let before = Snapshot::take();
        let check = |id, ports: &[Port], payload: &[u8], expected| {
            tell(&peer.peer, id, ports, payload);
            let mut handles = Vec::new();
            match a.receive(&mut [0; 64], &mut handles) {
                Err(Error::Violation(violation)) => assert_eq!(violation, expected),
                other => panic!("{expected:?} expected, not {other:?}"),
            }
            assert!(handles.is_empty());
            // A send-once right that is destroyed is heard of where it leads.
            while own.receive(64, 0).is_ok() {}
            assert_eq!(Snapshot::take(), before, "{expected:?}");
            assert_eq!(a.receive(&mut [0; 64], &mut handles).unwrap(), Received::Empty);
        };
        for id in [0, 66, 70, 71, 72, 1000, 2000, MESSAGE + 1, -1] {
            check(id, &[lent; 3], &good, Violation::UnknownMessage);
        }
        check(MESSAGE, &[lent; 17], &good, Violation::TooManyHandles);
        check(MESSAGE, &[once], &good, Violation::MissingHandles);
        check(MESSAGE, &[lent, once, lent], &good, Violation::MissingHandles);
        check(MESSAGE, &[lent; 2], &[1, 0], Violation::LengthMismatch);
        check(MESSAGE, &[lent; 2], &[], Violation::ShortMessage);
        check(MESSAGE, &[lent; 2], &[9, 0, 0, 0, 1], Violation::LengthMismatch);
        check(MESSAGE, &[lent], &with_length(&[7; 65]), Violation::LongMessage);
        check(MESSAGE, &[lent], &with_length(&[7; 6000]), Violation::LongMessage);

        // A right that died on the way.
        let gone = ReceiveRight::new(1).unwrap();
        let to_gone = gone.sender().unwrap();
        drop(gone);
        tell(&peer.peer, MESSAGE, &[lent, to_gone.lend()], &good);
        drop(to_gone);
        let refused = a.receive(&mut [0; 64], &mut Vec::new());
        assert!(matches!(refused, Err(Error::Violation(Violation::MissingHandles))));
        assert_eq!(Snapshot::take(), before);
    });
}

#[test]
fn nobody_can_speak_for_the_kernel() {
    in_task(|| {
        let (a, peer) = half();
        let note = [&[0, 0, 0, 0, 1, 0, 0, 0][..], &[0; 4]].concat();
        for id in [kern::notify::NO_SENDERS, kern::notify::DEAD_NAME] {
            tell(&peer.peer, id, &[], &note);
            assert!(a.receive(&mut [0; 64], &mut Vec::new()).is_err());
            tell(&peer.peer, MESSAGE, &[], &with_length(b"still here"));
            assert_eq!(receive(&a).unwrap().len(), 0);
        }
    });
}

#[test]
fn strangers_are_not_heard() {
    let name = CString::new("com.example.strangers").unwrap();
    in_task(|| {
        let public = ReceiveRight::own(kern::check_in(&name).unwrap());
        let own = public.sender().unwrap();
        let peer = public.sender().unwrap();
        let a = Endpoint::new(Loose { receive: public, peer }).unwrap();
        tell(&own, MESSAGE, &[], &with_length(b"first"));
        receive(&a).unwrap();
        let before = Snapshot::take();
        in_task(|| {
            let leaked = SendRight::own(kern::look_up(&name).unwrap());
            let memory = Memory::create("test", 1).unwrap();
            let Handle::Send(right) = memory.handle() else { panic!("it is a send right") };
            tell(&leaked, MESSAGE, &[right.lend()], &with_length(b"me too"));
        });
        assert_eq!(a.receive(&mut [0; 64], &mut Vec::new()).unwrap(), Received::Empty);
        assert_eq!(Snapshot::take(), before);
        tell(&own, MESSAGE, &[], &with_length(b"second"));
        receive(&a).unwrap();
    });
}

#[test]
fn what_is_given_away_comes_back_if_nothing_is_sent() {
    in_task(|| {
        let (a, b) = Endpoint::pair().unwrap();
        let (ringer, waits) = bell_to_child().unwrap();
        while a.send(b"x", &[]).unwrap() == Sent::Done {}
        let before = Snapshot::take();
        assert_eq!(a.send(b"bell", &[&waits]).unwrap(), Sent::Full);
        assert_eq!(Snapshot::take(), before);
        receive(&b).unwrap();
        assert_eq!(a.send(b"bell", &[&waits]).unwrap(), Sent::Done);
        // And it is gone after that.
        let again = a.send(b"bell", &[&waits]);
        assert!(matches!(again, Err(Error::Violation(Violation::UnexpectedHandles))));
        drop(b);
        ringer.ring();
        let (_ringer, waits) = bell_to_child().unwrap();
        assert_eq!(a.send(b"bell", &[&waits]).unwrap(), Sent::Closed);
        let Handle::Receive(slot) = &waits else { panic!("it is a receive right") };
        assert!(lock(slot).is_some());
    });
}

#[test]
fn only_the_child_gets_in() {
    fn main(_: &str) -> i32 {
        // Another process got hold of the name, and knocks first.
        let name = kern::take_variable("SURFACEPORT_NAME").unwrap();
        let name = CString::new(name.into_encoded_bytes()).unwrap();
        let refused = in_task(|| {
            let deadline = Deadline::from(Duration::from_millis(50));
            matches!(door::ask(&name, deadline), Ok(door::Answer::Nobody | door::Answer::Late))
        });
        match door::ask(&name, Deadline::from(PATIENCE)) {
            Ok(door::Answer::End(host, who)) if who.pid() == kern::parent_pid() => {
                host.send(b"hello", &[]).unwrap();
                i32::from(!refused)
            }
            other => panic!("{other:?}"),
        }
    }
    in_task(|| {
        let mut spawned = testing::child(main, "sys::macos::tests::thief", "").start().unwrap();
        assert!(spawned.process.ended(PATIENCE));
        assert_eq!(spawned.process.reap(), Some(ExitReason::Exited(0)));
        receive(&spawned.endpoint).unwrap();
    });
}

#[test]
fn the_name_is_given_up_once_the_child_is_in() {
    fn main(_: &str) -> i32 {
        let name = kern::take_variable("SURFACEPORT_NAME").unwrap();
        let name = CString::new(name.into_encoded_bytes()).unwrap();
        let end = door::ask(&name, Deadline::from(PATIENCE)).unwrap();
        assert!(matches!(end, door::Answer::End(..)));
        let start = Instant::now();
        while kern::look_up(&name).map(SendRight::own).is_ok() {
            assert!(start.elapsed() < PATIENCE, "the name is there for ever");
        }
        0
    }
    in_task(|| {
        let mut spawned = testing::child(main, "sys::macos::tests::name", "").start().unwrap();
        assert!(spawned.process.ended(PATIENCE));
        assert_eq!(spawned.process.reap(), Some(ExitReason::Exited(0)));
    });
}

#[test]
fn surfaces_are_asked_and_not_believed() {
    in_task(|| {
        let (a, b) = Endpoint::pair().unwrap();
        let mut surface = SurfaceMemory::create(&descriptor()).unwrap();
        let import = |surface: &SurfaceMemory, descriptor: &SurfaceDescriptor| {
            a.send(b"x", &[surface.handle()]).unwrap();
            let handle = receive(&b).unwrap().pop().unwrap();
            SurfaceMemory::import(handle, descriptor, surface.len())
        };
        let with = |width, height, format| {
            SurfaceDescriptor::new(Size::new(width, height), format).unwrap()
        };
        let before = Snapshot::take();
        for other in [
            with(99, 30, Format::Bgra8),
            with(100, 29, Format::Bgra8),
            with(100, 30, Format::Rgba8),
            with(100, 30, Format::Bgr10a2),
            with(30, 100, Format::Bgra8),
        ] {
            let refused = import(&surface, &other);
            assert!(matches!(refused, Err(Error::Violation(_))), "{other:?}: {refused:?}");
            assert_eq!(Snapshot::take(), before);
        }
        // Nor is one whose rows or planes are others than those of a plain image.
        let plain = surface.kernels().geometry();
        for other in [
            Geometry { planes: 2, ..plain },
            Geometry { element: (2, 1), ..plain },
            Geometry {
                bytes_per_row: plain.bytes_per_row + 256,
                alloc_size: plain.alloc_size * 2,
                ..plain
            },
            Geometry { bytes_per_element: 2, ..plain },
        ] {
            let made = kern::Surface::create(other).unwrap();
            let port = Handle::Send(SendRight::own(made.create_port().unwrap()));
            a.send(b"x", &[&port]).unwrap();
            let handle = receive(&b).unwrap().pop().unwrap();
            let len = u64::try_from(made.geometry().alloc_size).unwrap();
            let refused = SurfaceMemory::import(handle, &descriptor(), len);
            assert!(matches!(refused, Err(Error::Violation(_))), "{other:?}: {refused:?}");
        }
        assert_eq!(Snapshot::take(), before);
        // It is used for as long as a port for it lives, and not longer.
        let theirs = import(&surface, &descriptor()).unwrap();
        assert!(theirs.is_in_use());
        surface.forget_handle();
        assert!(!theirs.is_in_use());
        // What was forgotten can't be sent.
        assert!(a.send(b"x", &[surface.handle()]).is_err());
    });
}

/// What another process would get of a surface.
fn imported(surface: &SurfaceMemory, descriptor: &SurfaceDescriptor) -> SurfaceMemory {
    let (a, b) = Endpoint::pair().unwrap();
    a.send(b"x", &[surface.handle()]).unwrap();
    let handle = receive(&b).unwrap().pop().unwrap();
    SurfaceMemory::import(handle, descriptor, surface.len()).unwrap()
}

#[test]
fn a_surface_means_what_setup_said() {
    in_task(|| {
        let descriptor = descriptor().with_color_space(ColorSpace::DisplayP3);
        let surface = SurfaceMemory::create(&descriptor).unwrap();
        assert_eq!(surface.kernels().color_space(), Some(ColorSpace::DisplayP3));
        // The child changes its mind before the host looks.
        surface.kernels().set_color_space(ColorSpace::Bt2020Pq);
        let theirs = imported(&surface, &descriptor);
        assert_eq!(theirs.kernels().color_space(), Some(ColorSpace::DisplayP3));
    });
}

#[test]
fn only_drawing_changes_the_seed() {
    in_task(|| {
        let surface = SurfaceMemory::create(&descriptor()).unwrap();
        let theirs = imported(&surface, &descriptor());
        let seed = theirs.kernels().seed();
        theirs.read_at(0, &mut [0; 8]).unwrap();
        assert_eq!(theirs.kernels().seed(), seed, "looking is no drawing");
        surface.begin_drawing();
        assert_eq!(theirs.kernels().seed(), seed, "it is not done yet");
        surface.end_drawing();
        assert_eq!(theirs.kernels().seed(), seed + 1);
        // Not locked, for a GPU draws.
        surface.end_drawing();
        assert_eq!(theirs.kernels().seed(), seed + 1);
    });
}

#[test]
fn a_surface_is_in_use_until_the_last_user_lets_go_or_dies() {
    in_task(|| {
        let mut surface = SurfaceMemory::create(&descriptor()).unwrap();
        let theirs = imported(&surface, &descriptor());
        surface.forget_handle();
        assert!(!theirs.is_in_use());
        // What the window server does with what it shows.
        in_task(|| {
            theirs.kernels().use_it();
            theirs.kernels().use_it();
            assert!(surface.is_in_use());
            theirs.kernels().use_it_no_more();
            assert!(surface.is_in_use(), "the counts are added up");
            theirs.kernels().use_it_no_more();
            assert!(!surface.is_in_use());
            theirs.kernels().use_it();
        });
        assert!(!surface.is_in_use(), "its process has ended");
    });
}

#[test]
fn messages_that_cannot_be_are_refused_before_a_right_is_taken() {
    in_task(|| {
        let (_a, peer) = half();
        let before = Snapshot::take();
        let to = peer.peer.lend();
        let mut bytes = Outgoing { to, id: 1, ports: &[], payload: &[] }.encode();
        // A size that is not that of the buffer.
        bytes[4] = 28;
        let options = option::SEND | option::SEND_TIMEOUT;
        assert_eq!(kern::send(&mut bytes, options, 0), Code::SEND_MSG_TOO_SMALL);
        // A right that is not there.
        let nobody = Port { name: 0x1233, disposition: Disposition::CopySend };
        let mut bytes = Outgoing { to, id: 1, ports: &[nobody], payload: &[] }.encode();
        assert_eq!(kern::send(&mut bytes, options, 0), Code::SEND_INVALID_RIGHT);
        assert_eq!(Snapshot::take(), before);
    });
}

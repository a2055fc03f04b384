// Messages: whole, in order, with their handles, and never blocking.

use super::super::{A_WHILE, PATIENCE};
use super::tools::*;
use crate::error::Violation;
use crate::sync::Ordering;
use crate::sys::{Received, Sent, Trigger};
use sys::testing::words;
use sys::{Endpoint, Memory};

#[test]
fn keep_their_boundaries_and_order() {
    let (a, b) = Endpoint::pair().unwrap();
    let message = |number: u8| vec![number; 1 + usize::from(number) * 7];
    for number in 0..40 {
        send(&a, &message(number));
        send(&b, &message(number + 100));
    }
    for number in 0..40 {
        assert_eq!(receive(&b).0, message(number));
        assert_eq!(receive(&a).0, message(number + 100));
    }
    assert_eq!(look(&a), Received::Empty);
    assert_eq!(look(&b), Received::Empty);
}

#[test]
fn may_be_long() {
    let (a, b) = Endpoint::pair().unwrap();
    let message: Vec<u8> = (0..70_000_u32).map(|i| (i % 251) as u8).collect();
    send(&a, &message);
    assert_eq!(receive(&b).0, message);
}

#[test]
fn too_long_is_a_violation_and_the_next_is_whole() {
    let (a, b) = Endpoint::pair().unwrap();
    let memory = Memory::create("conformance", 1).unwrap();
    let before = sys::testing::copies(memory.handle());
    assert_eq!(a.send(&[1; 17], &[memory.handle()]).unwrap(), Sent::Done);
    assert_eq!(a.send(&[2; 16], &[memory.handle()]).unwrap(), Sent::Done);

    let mut handles = Vec::new();
    let mut bytes = [0; 16];
    assert_violation(b.receive(&mut bytes, &mut handles), Violation::LongMessage);
    assert!(handles.is_empty());
    // In a queue they are no handles of this process on every system, so they
    // are counted once the queue is empty.
    assert_eq!(b.receive(&mut bytes, &mut handles).unwrap(), Received::Message(16));
    assert_eq!(bytes, [2; 16]);
    assert_eq!(sys::testing::copies(memory.handle()), before + 1);
}

#[test]
fn carry_handles_that_work() {
    let (a, b) = Endpoint::pair().unwrap();
    let memories: Vec<_> =
        (1..=3).map(|pages| Memory::create("conformance", pages * 65_536).unwrap()).collect();
    for (number, memory) in (100..).zip(&memories) {
        words(&memory.map().unwrap())[0].store(number, Ordering::Relaxed);
    }
    let handles: Vec<_> = memories.iter().map(Memory::handle).collect();
    assert_eq!(a.send(b"three", &handles).unwrap(), Sent::Done);

    let (bytes, handles) = receive(&b);
    assert_eq!(bytes, b"three");
    assert_eq!(handles.len(), 3);
    for ((number, memory), handle) in (100..).zip(&memories).zip(handles) {
        let theirs = Memory::import(handle, memory.len()).unwrap();
        assert_eq!(words(&theirs.map().unwrap())[0].load(Ordering::Relaxed), number);
    }
}

#[test]
fn carry_sixteen_handles_and_no_more() {
    let (a, b) = Endpoint::pair().unwrap();
    let memory = Memory::create("conformance", 1).unwrap();
    let before = sys::testing::copies(memory.handle());
    for count in [17, 18, 19, 20, 21, 64, 253, 254] {
        let many = vec![memory.handle(); count];
        assert_violation(a.send(b"many", &many), Violation::TooManyHandles);
    }
    assert_eq!(look(&b), Received::Empty);

    assert_eq!(a.send(b"full", &[memory.handle(); 16]).unwrap(), Sent::Done);
    let (bytes, handles) = receive(&b);
    assert_eq!((bytes.as_slice(), handles.len()), (&b"full"[..], 16));
    assert_eq!(sys::testing::copies(memory.handle()), before + 16);
    drop(handles);
    assert_eq!(sys::testing::copies(memory.handle()), before);
}

#[test]
fn leave_the_handles_that_came_before() {
    let (a, b) = Endpoint::pair().unwrap();
    let memory = Memory::create("conformance", 1).unwrap();
    let before = sys::testing::copies(memory.handle());
    let mut handles = Vec::new();
    let mut bytes = [0; 8];
    for count in 1..=3 {
        assert_eq!(a.send(b"one", &[memory.handle()]).unwrap(), Sent::Done);
        assert_eq!(b.receive(&mut bytes, &mut handles).unwrap(), Received::Message(3));
        assert_eq!(handles.len(), count);
    }
    assert_eq!(a.send(b"far too long", &[memory.handle()]).unwrap(), Sent::Done);
    assert_violation(b.receive(&mut bytes, &mut handles), Violation::LongMessage);
    assert_eq!(handles.len(), 3);
    assert_eq!(sys::testing::copies(memory.handle()), before + 3);
}

#[test]
fn leak_no_handles_that_nobody_receives() {
    let memory = Memory::create("conformance", 1).unwrap();
    let before = sys::testing::copies(memory.handle());
    for _ in 0..20 {
        let (a, b) = Endpoint::pair().unwrap();
        assert_eq!(a.send(b"unread", &[memory.handle(); 4]).unwrap(), Sent::Done);
        drop(b);
        while a.send(b"for nobody", &[memory.handle()]).unwrap() != Sent::Closed {}
    }
    assert_eq!(sys::testing::copies(memory.handle()), before);
}

#[test]
fn full_is_said_and_recovers() {
    let (a, b) = Endpoint::pair().unwrap();
    let set = set_of(a.source(), 7, Trigger::LevelAndRoom);
    wait_for(&set, Some(7));
    let (mut sent, mut received) = (0_u32, 0_u32);
    for _round in 0..3 {
        while a.send(&sent.to_ne_bytes(), &[]).unwrap() == Sent::Done {
            sent += 1;
            assert!(sent < 1_000_000, "it is never full");
        }
        // It stays full, and waiting for room waits.
        assert_eq!(a.send(&[0; 4], &[]).unwrap(), Sent::Full);
        assert_eq!(wait(&set, A_WHILE), []);
        // What was refused was not sent, and nothing was lost.
        while received < sent {
            let (bytes, _) = receive(&b);
            assert_eq!(bytes, received.to_ne_bytes());
            received += 1;
        }
        assert_eq!(look(&b), Received::Empty);
        wait_for(&set, Some(7));
    }
}

#[test]
fn full_queues_take_nothing_of_a_message() {
    let (a, b) = Endpoint::pair().unwrap();
    let memory = Memory::create("conformance", 1).unwrap();
    let before = sys::testing::copies(memory.handle());
    while a.send(&[0; 4000], &[]).unwrap() == Sent::Done {}
    assert_eq!(a.send(&[1; 4000], &[memory.handle()]).unwrap(), Sent::Full);
    while look_long(&b) {}
    assert_eq!(sys::testing::copies(memory.handle()), before);
}

fn look_long(endpoint: &Endpoint) -> bool {
    let mut handles = Vec::new();
    let received = endpoint.receive(&mut [0; 4000], &mut handles).unwrap();
    assert!(handles.is_empty());
    received != Received::Empty
}

#[test]
fn from_a_peer_that_is_gone_come_first_then_the_end() {
    let (a, b) = Endpoint::pair().unwrap();
    // It went without reading this.
    send(&a, b"unread");
    send(&b, b"last");
    send(&b, b"words");
    drop(b);
    assert_eq!(receive_or_end(&a).unwrap().0, b"last");
    assert_eq!(receive_or_end(&a).unwrap().0, b"words");
    for _ in 0..3 {
        assert!(receive_or_end(&a).is_none());
        assert_eq!(a.send(b"hello?", &[]).unwrap(), Sent::Closed);
    }
}

#[test]
fn to_a_peer_that_is_gone_are_refused_first_then_the_last_ones_come() {
    let (a, b) = Endpoint::pair().unwrap();
    send(&a, b"unread");
    send(&b, b"last words");
    drop(b);
    let start = std::time::Instant::now();
    // Another thread that starts a process may hold the other end a little longer.
    while a.send(b"hello?", &[]).unwrap() != Sent::Closed {
        assert!(start.elapsed() < PATIENCE, "the peer is never gone");
    }
    assert_eq!(receive_or_end(&a).unwrap().0, b"last words");
    assert!(receive_or_end(&a).is_none());
}

#[test]
fn a_peer_that_is_gone_is_heard_of() {
    let (a, b) = Endpoint::pair().unwrap();
    let set = set_of(a.source(), 3, Trigger::Level);
    assert_eq!(wait(&set, A_WHILE), []);
    drop(b);
    wait_for(&set, Some(3));
    assert_eq!(look(&a), Received::Closed);
    // For as long as nobody takes it out of the set.
    wait_for(&set, Some(3));
}

#[test]
fn empty_are_no_messages() {
    let (a, b) = Endpoint::pair().unwrap();
    assert_eq!(a.send(&[], &[]).unwrap(), Sent::Done);
    assert_eq!(look(&b), Received::Closed);
}

#[test]
fn go_between_threads() {
    const ROUNDS: u32 = 500;
    let (a, b) = Endpoint::pair().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while let Some((bytes, _)) = receive_or_end(&b) {
                send(&b, &bytes);
            }
        });
        for round in 0..ROUNDS {
            send(&a, &round.to_ne_bytes());
            assert_eq!(receive(&a).0, round.to_ne_bytes());
        }
        drop(a);
    });
}

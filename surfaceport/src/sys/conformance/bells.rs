// Bells: hints that wake, coalesce, and never hold anybody up.

use super::super::{A_WHILE, PATIENCE};
use super::tools::*;
use crate::sync::{AtomicU64, Ordering};
use crate::sys::{Sent, Trigger};
use sys::{Bell, Endpoint, Handle, Ringer};

/// A handle as the peer gets it.
fn sent(handle: &Handle) -> Handle {
    let (a, b) = Endpoint::pair().unwrap();
    assert_eq!(a.send(b"bell", &[sys::borrow(handle)]).unwrap(), Sent::Done);
    receive(&b).1.pop().unwrap()
}

fn to_host() -> (Bell, Ringer) {
    let (bell, ringer) = sys::bell_to_host().unwrap();
    (bell, Ringer::from_handle(sent(&ringer)))
}

fn to_child() -> (Bell, Ringer) {
    let (ringer, bell) = sys::bell_to_child().unwrap();
    (Bell::from_handle(sent(&bell)), ringer)
}

/// The two kinds.
fn both() -> [(Bell, Ringer); 2] {
    [to_host(), to_child()]
}

#[test]
fn wake_whoever_waits() {
    for (bell, ringer) in both() {
        let set = set_of(bell.source(), 1, Trigger::Edge);
        assert_eq!(wait(&set, A_WHILE), []);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(A_WHILE);
                ringer.ring();
            });
            wait_for(&set, Some(1));
        });
    }
}

#[test]
fn ring_ahead_of_the_wait() {
    for (bell, ringer) in both() {
        let set = set_of(bell.source(), 1, Trigger::Edge);
        ringer.ring();
        wait_for(&set, Some(1));
    }
}

#[test]
fn ring_ahead_of_the_wait_set() {
    for (bell, ringer) in both() {
        ringer.ring();
        let set = set_of(bell.source(), 1, Trigger::Edge);
        wait_for(&set, Some(1));
        // Out and in again looks anew.
        set.remove(bell.source());
        set.add(bell.source(), 2, Trigger::Edge).unwrap();
        wait_for(&set, Some(2));
    }
}

#[test]
fn fire_once_for_many_rings() {
    for (bell, ringer) in both() {
        let set = set_of(bell.source(), 1, Trigger::Edge);
        for _ in 0..100 {
            ringer.ring();
        }
        wait_for(&set, Some(1));
        assert_eq!(wait(&set, A_WHILE), []);
    }
}

#[test]
fn fire_for_each_new_ring_though_nobody_reads() {
    for (bell, ringer) in both() {
        let set = set_of(bell.source(), 1, Trigger::Edge);
        for _ in 0..1000 {
            ringer.ring();
            wait_for(&set, Some(1));
            assert_eq!(wait(&set, std::time::Duration::ZERO), []);
        }
    }
}

#[test]
fn can_be_emptied() {
    let (bell, ringer) = to_child();
    let set = set_of(bell.source(), 1, Trigger::Edge);
    bell.drain();
    for _ in 0..3 {
        ringer.ring();
        ringer.ring();
        bell.drain();
        assert_eq!(wait(&set, A_WHILE), []);
        ringer.ring();
        wait_for(&set, Some(1));
    }
    for _ in 0..2000 {
        ringer.ring();
    }
    bell.drain();
    assert_eq!(wait(&set, A_WHILE), []);
}

#[test]
fn never_block_the_ringer() {
    for (bell, ringer) in both() {
        let set = set_of(bell.source(), 1, Trigger::Edge);
        for _ in 0..100_000 {
            ringer.ring();
        }
        wait_for(&set, Some(1));
    }
    // Once it is emptied, it rings again.
    let (bell, ringer) = to_child();
    let set = set_of(bell.source(), 1, Trigger::Edge);
    for _ in 0..100_000 {
        ringer.ring();
    }
    bell.drain();
    assert_eq!(wait(&set, A_WHILE), []);
    ringer.ring();
    wait_for(&set, Some(1));
}

#[test]
fn may_ring_for_nobody() {
    for (bell, ringer) in both() {
        drop(bell);
        for _ in 0..1000 {
            ringer.ring();
        }
    }
    // What the child never took.
    let (ringer, bell) = sys::bell_to_child().unwrap();
    drop(bell);
    ringer.ring();
    let (bell, ringer) = sys::bell_to_host().unwrap();
    let set = set_of(bell.source(), 1, Trigger::Edge);
    drop(ringer);
    assert_eq!(wait(&set, A_WHILE), []);
}

#[test]
fn of_another_kind_of_handle_are_harmless() {
    let memory = sys::Memory::create("conformance", 1).unwrap();
    let (a, b) = Endpoint::pair().unwrap();
    assert_eq!(a.send(b"no bell", &[memory.handle()]).unwrap(), Sent::Done);
    let handle = receive(&b).1.pop().unwrap();
    Ringer::from_handle(handle).ring();
}

#[test]
fn lose_no_wake_up() {
    const ROUNDS: u64 = 2000;
    for (bell, ringer) in both() {
        // The ringer says what it rings for first, as the layers above do.
        let (said, heard) = (AtomicU64::new(0), AtomicU64::new(0));
        let set = set_of(bell.source(), 1, Trigger::Edge);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 1..=ROUNDS {
                    said.store(round, Ordering::SeqCst);
                    ringer.ring();
                    let start = std::time::Instant::now();
                    while heard.load(Ordering::SeqCst) != round {
                        assert!(start.elapsed() < PATIENCE, "ring {round} woke nobody");
                        std::thread::yield_now();
                    }
                }
            });
            for round in 1..=ROUNDS {
                let start = std::time::Instant::now();
                while said.load(Ordering::SeqCst) != round {
                    wait(&set, PATIENCE);
                    assert!(start.elapsed() < PATIENCE, "ring {round} woke nobody");
                }
                heard.store(round, Ordering::SeqCst);
            }
        });
    }
}

// The wait set: who fires, when, how often, and the timer.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::super::{A_WHILE, PATIENCE};
use super::tools::*;
use crate::sys::Trigger;
use crate::time::Timestamp;
use sys::{Bell, Endpoint, Handle, Memory, Ringer, WaitSet, now};

#[test]
fn level_fires_for_as_long_as_there_is_something() {
    let (a, b) = Endpoint::pair().unwrap();
    let set = set_of(b.source(), 5, Trigger::Level);
    assert_eq!(wait(&set, Duration::ZERO), []);
    send(&a, b"1");
    send(&a, b"2");
    for _ in 0..2 {
        wait_for(&set, Some(5));
        wait_for(&set, Some(5));
        receive(&b);
    }
    assert_eq!(wait(&set, A_WHILE), []);
}

#[test]
fn edge_fires_once_for_what_is_new() {
    let (a, b) = Endpoint::pair().unwrap();
    let set = set_of(b.source(), 5, Trigger::Edge);
    for _ in 0..10 {
        send(&a, b"unread");
        wait_for(&set, Some(5));
        assert_eq!(wait(&set, Duration::ZERO), []);
    }
    // Taken before anybody looked: nothing to report.
    send(&a, b"read");
    for _ in 0..11 {
        receive(&b);
    }
    assert_eq!(wait(&set, A_WHILE), []);
}

#[test]
fn room_fires_for_as_long_as_there_is_room() {
    let (a, b) = Endpoint::pair().unwrap();
    let set = set_of(a.source(), 5, Trigger::LevelAndRoom);
    wait_for(&set, Some(5));
    wait_for(&set, Some(5));
    // Something to read fires it, too.
    while a.send(&[0; 4000], &[]).unwrap() == crate::sys::Sent::Done {}
    assert_eq!(wait(&set, A_WHILE), []);
    send(&b, b"x");
    wait_for(&set, Some(5));
}

#[test]
fn changes_take_effect() {
    let (a, b) = Endpoint::pair().unwrap();
    let set = set_of(b.source(), 1, Trigger::Level);
    assert_eq!(wait(&set, A_WHILE), []);
    set.change(b.source(), 2, Trigger::LevelAndRoom);
    wait_for(&set, Some(2));
    set.change(b.source(), 3, Trigger::Level);
    assert_eq!(wait(&set, A_WHILE), []);
    send(&a, b"x");
    wait_for(&set, Some(3));
    set.change(b.source(), 4, Trigger::Edge);
    wait_for(&set, Some(4));
    assert_eq!(wait(&set, A_WHILE), []);
    // Of a source that isn't there: nothing happens.
    set.change(a.source(), 9, Trigger::LevelAndRoom);
    assert_eq!(wait(&set, A_WHILE), []);
}

#[test]
fn what_was_removed_is_silent_and_can_come_back() {
    let (a, b) = Endpoint::pair().unwrap();
    let set = set_of(b.source(), 1, Trigger::Level);
    send(&a, b"x");
    wait_for(&set, Some(1));
    set.remove(b.source());
    set.remove(b.source());
    assert_eq!(wait(&set, A_WHILE), []);
    send(&a, b"y");
    assert_eq!(wait(&set, A_WHILE), []);
    set.add(b.source(), 2, Trigger::Level).unwrap();
    wait_for(&set, Some(2));
}

#[test]
fn a_source_can_be_in_a_set_once_and_in_two_sets() {
    let (a, b) = Endpoint::pair().unwrap();
    let one = set_of(b.source(), 1, Trigger::Level);
    assert!(one.add(b.source(), 2, Trigger::Level).is_err());
    let two = set_of(b.source(), 2, Trigger::Edge);
    send(&a, b"x");
    wait_for(&one, Some(1));
    wait_for(&two, Some(2));
    drop(one);
    send(&a, b"y");
    wait_for(&two, Some(2));
}

#[test]
fn what_was_closed_is_silent() {
    let (a, b) = Endpoint::pair().unwrap();
    let (own, _peer) = Endpoint::pair().unwrap();
    let set = set_of(b.source(), 1, Trigger::Level);
    set.add(own.source(), 2, Trigger::Level).unwrap();
    send(&a, b"x");
    wait_for(&set, Some(1));
    // As everybody must: another process may have it open still.
    set.remove(b.source());
    drop(b);
    assert_eq!(wait(&set, A_WHILE), []);
}

#[test]
fn tokens_say_who() {
    const SOURCES: u64 = 40;
    let set = WaitSet::new().unwrap();
    let pairs: Vec<_> = (0..SOURCES).map(|_| Endpoint::pair().unwrap()).collect();
    let token = |index: u64| index << 32 | 7;
    for (index, (_, own)) in (0..).zip(&pairs) {
        set.add(own.source(), token(index), Trigger::Edge).unwrap();
    }
    for (peer, _) in &pairs {
        send(peer, b"x");
    }
    // More than one wait reports.
    let mut seen = Vec::new();
    while seen.len() < pairs.len() {
        let tokens = wait(&set, PATIENCE);
        assert!(!tokens.is_empty());
        seen.extend(tokens);
    }
    seen.sort_unstable();
    let all: Vec<_> = (0..SOURCES).map(|index| Some(token(index))).collect();
    assert_eq!(seen, all);
    assert_eq!(wait(&set, Duration::ZERO), []);

    let (_, last) = &pairs[39];
    set.change(last.source(), 0, Trigger::Level);
    wait_for(&set, Some(0));
    set.change(last.source(), u64::MAX - 1, Trigger::Level);
    wait_for(&set, Some(u64::MAX - 1));
}

#[test]
fn nobody_is_left_out() {
    // More sources are ready all the time than one wait reports.
    let set = WaitSet::new().unwrap();
    let pairs: Vec<_> = (0..40).map(|_| Endpoint::pair().unwrap()).collect();
    for (index, (peer, own)) in (0..).zip(&pairs) {
        set.add(own.source(), index, Trigger::Level).unwrap();
        send(peer, b"x");
    }
    let mut seen = BTreeMap::new();
    for _ in 0..40 {
        set.wait(Some(PATIENCE), |token| *seen.entry(token).or_insert(0) += 1).unwrap();
    }
    assert_eq!(seen.len(), pairs.len());
    assert!(seen.values().all(|count| *count >= 10), "{seen:?}");
}

#[test]
fn timeouts_are_not_cut_short() {
    let set = WaitSet::new().unwrap();
    for micros in [0, 1, 700, 5_000, 20_300] {
        let timeout = Duration::from_micros(micros);
        let start = Instant::now();
        // No signal comes to this thread, so nothing ends the wait early.
        assert_eq!(wait(&set, timeout), []);
        assert!(start.elapsed() >= timeout);
    }
}

#[test]
fn the_longest_timeouts_wait() {
    let (a, b) = Endpoint::pair().unwrap();
    let set = set_of(b.source(), 1, Trigger::Edge);
    for timeout in [Some(Duration::MAX), Some(Duration::from_secs(u64::MAX)), None] {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(A_WHILE);
                send(&a, b"x");
            });
            let mut tokens = Vec::new();
            set.wait(timeout, |token| tokens.push(token)).unwrap();
            assert_eq!(tokens, [Some(1)]);
        });
    }
}

#[test]
fn the_timer_fires_at_its_time_until_it_is_set_anew() {
    let set = WaitSet::new().unwrap();
    for micros in [0, 100, 3_000, 20_000] {
        let at = now() + Duration::from_micros(micros);
        set.set_timer(Some(at));
        wait_for(&set, None);
        assert!(now() >= at);
        wait_for(&set, None);
        wait_for(&set, None);
    }
    set.set_timer(None);
    assert_eq!(wait(&set, A_WHILE), []);
}

#[test]
fn the_timer_may_be_in_the_past() {
    let set = WaitSet::new().unwrap();
    let past = now().as_nanos() - 1_000_000_000;
    for at in [past, 2, 1, 0] {
        set.set_timer(Some(Timestamp::from_nanos(at)));
        wait_for(&set, None);
        set.set_timer(None);
        assert_eq!(wait(&set, Duration::ZERO), []);
    }
}

#[test]
fn the_timer_may_be_off_or_far_away() {
    let set = WaitSet::new().unwrap();
    let hour = now() + Duration::from_secs(3600);
    let at = [None, Some(hour), Some(Timestamp::from_nanos(u64::MAX)), Some(hour)];
    for at in at {
        set.set_timer(Some(now()));
        set.set_timer(at);
        assert_eq!(wait(&set, A_WHILE), []);
    }
    // And nearer again.
    set.set_timer(Some(now() + A_WHILE));
    wait_for(&set, None);
}

#[test]
fn the_timer_and_a_source_fire_together() {
    let (a, b) = Endpoint::pair().unwrap();
    let set = set_of(b.source(), 1, Trigger::Level);
    set.set_timer(Some(now()));
    send(&a, b"x");
    let mut seen = Vec::new();
    while seen.len() < 2 {
        for token in wait(&set, PATIENCE) {
            if !seen.contains(&token) {
                seen.push(token);
            }
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, [None, Some(1)]);
}

#[test]
fn another_thread_wakes_a_wait_without_end() {
    let (a, b) = Endpoint::pair().unwrap();
    let set = set_of(b.source(), 1, Trigger::Level);
    // The set itself may live on another thread than the one that made it.
    let waiter = std::thread::spawn(move || {
        let mut tokens = Vec::new();
        while tokens.is_empty() {
            set.wait(None, |token| tokens.push(token)).unwrap();
        }
        drop(b);
        tokens
    });
    std::thread::sleep(A_WHILE);
    send(&a, b"x");
    assert_eq!(waiter.join().unwrap(), [Some(1)]);
}

#[test]
fn the_clock_never_goes_back() {
    let start = Instant::now();
    let first = now();
    let mut last = first;
    for _ in 0..10_000 {
        let next = now();
        assert!(next >= last);
        last = next;
    }
    std::thread::sleep(Duration::from_millis(2));
    let passed = now().since(first);
    assert!(passed >= Duration::from_millis(2));
    assert!(passed <= start.elapsed());
}

#[test]
fn what_the_layers_above_move_between_threads_can_be_moved() {
    fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<Endpoint>();
    send_and_sync::<Memory>();
    send_and_sync::<sys::Mapping>();
    send_and_sync::<Bell>();
    send_and_sync::<Ringer>();
    send_and_sync::<WaitSet>();
    send_and_sync::<Handle>();
    send_and_sync::<sys::Process>();
    send_and_sync::<sys::StderrPipe>();
    send_and_sync::<sys::Listener>();
}

#[test]
fn sleep_is_no_work() {
    let before = sys::thread_time();
    std::thread::sleep(A_WHILE);
    let worked = sys::thread_time().checked_sub(before);
    assert!(worked.is_some_and(|worked| worked < A_WHILE), "{worked:?}");
}

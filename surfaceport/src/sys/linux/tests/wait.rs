//! The wait set as a file that others poll, and signals.

use std::os::fd::AsFd;
use std::sync::mpsc;
use std::time::Instant;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, epoll};

use super::*;

/// Whether poll(2) says that there is something.
fn polls(set: &WaitSet) -> bool {
    let mut polled = [PollFd::new(set, PollFlags::IN)];
    rustix::event::poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() > 0
}

fn wait(set: &WaitSet) -> Vec<Option<u64>> {
    let mut tokens = Vec::new();
    set.wait(Some(Duration::ZERO), |token| tokens.push(token)).unwrap();
    tokens
}

#[test]
fn can_be_polled() {
    let (bell, ringer) = bell_to_host().unwrap();
    let ringer = Ringer::from_handle(ringer);
    let (own, peer) = Endpoint::pair().unwrap();
    let set = WaitSet::new().unwrap();
    set.add(bell.source(), 1, Trigger::Edge).unwrap();
    set.add(own.source(), 2, Trigger::Level).unwrap();
    assert!(!polls(&set));
    for _ in 0..3 {
        ringer.ring();
        assert!(polls(&set));
        assert!(polls(&set));
        assert_eq!(wait(&set), [Some(1)]);
        // Though nobody read the bell.
        assert!(!polls(&set));
    }
    peer.send(b"x", &[]).unwrap();
    assert!(polls(&set));
    assert_eq!(wait(&set), [Some(2)]);
    assert!(polls(&set));
    own.receive(&mut [0; 8], &mut Vec::new()).unwrap();
    assert!(!polls(&set));
    set.set_timer(Some(now()));
    while !polls(&set) {}
    assert_eq!(wait(&set), [None]);
    assert!(polls(&set));
    set.set_timer(None);
    assert!(!polls(&set));
}

#[test]
fn can_be_in_another_epoll_set() {
    let (bell, ringer) = bell_to_host().unwrap();
    let ringer = Ringer::from_handle(ringer);
    let set = WaitSet::new().unwrap();
    set.add(bell.source(), 1, Trigger::Edge).unwrap();
    for flags in [epoll::EventFlags::IN, epoll::EventFlags::IN | epoll::EventFlags::ET] {
        let outer = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        epoll::add(&outer, set.as_fd(), epoll::EventData::new_u64(9), flags).unwrap();
        let outer_fires = |millis: i64| {
            let mut events = Vec::<epoll::Event>::with_capacity(4);
            let timeout = Timespec { tv_sec: 0, tv_nsec: millis * 1_000_000 };
            epoll::wait(&outer, spare_capacity(&mut events), Some(&timeout)).unwrap();
            !events.is_empty()
        };
        for _ in 0..3 {
            assert!(!outer_fires(1));
            ringer.ring();
            assert!(outer_fires(900));
            assert_eq!(wait(&set), [Some(1)]);
        }
    }
}

/// Sends a signal that does nothing to the thread that runs `body`, all the while.
fn with_signals(body: impl FnOnce()) {
    extern "C" fn nothing(_: libc::c_int) {}
    let handler = nothing as extern "C" fn(libc::c_int);
    // SAFETY: all zero is a valid sigaction: no flags, so calls are interrupted.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    // SAFETY: the handler does nothing, which is async-signal-safe.
    let result = unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) };
    assert_eq!(result, 0);
    // SAFETY: a plain call.
    let this = unsafe { libc::pthread_self() };
    let (stop, stopped) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while stopped.recv_timeout(Duration::from_micros(500))
                == Err(mpsc::RecvTimeoutError::Timeout)
            {
                // SAFETY: the thread waits for this one, so it is there.
                unsafe { libc::pthread_kill(this, libc::SIGUSR1) };
            }
        });
        body();
        drop(stop);
    });
}

#[test]
fn signals_disturb_nothing() {
    alone!("signals_disturb_nothing", || with_signals(|| {
        for _ in 0..10 {
            let spawn = Spawn {
                program: "sh".into(),
                args: vec!["-c".into(), "sleep 0.02; exit 4".into()],
                ..Spawn::default()
            };
            let mut spawned = spawn.start().unwrap();
            let start = Instant::now();
            // On a busy machine it has ended before this looks.
            if !spawned.process.ended(Duration::from_millis(5)) {
                assert!(start.elapsed() >= Duration::from_millis(5));
            }
            assert!(spawned.process.ended(PATIENCE));
            let code = crate::error::ExitReason::Exited(4);
            assert_eq!(spawned.process.reap(), Some(code));
            Memory::create("test", 4 << 20).unwrap().map().unwrap();
            let listener = Listener::bind("signals").unwrap();
            Endpoint::connect("signals", crate::time::Deadline::NOW).unwrap();
            listener.accept().unwrap().unwrap();
            // Only a wait ends early, with nothing fired.
            let set = WaitSet::new().unwrap();
            let start = Instant::now();
            set.set_timer(Some(now() + Duration::from_millis(10)));
            let mut fired = false;
            while !fired {
                set.wait(Some(PATIENCE), |_| fired = true).unwrap();
            }
            assert!(start.elapsed() >= Duration::from_millis(10));
        }
    }));
}

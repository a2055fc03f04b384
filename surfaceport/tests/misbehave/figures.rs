//! Figures of the host beside children that die and flood; each as long as one
//! likes: `cargo xtask figure NAME --number N`.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime};
use surfaceport::{Damage, Deadline, Error, Event, Renderer, Restart, Session};

use super::gaps::Gaps;
use super::host::{Holdings, Host, resident};
use crate::support::counts::Random;
use crate::support::raw::{Raw, Setup, packet};
use crate::support::{await_connected, event, is_instrumented, parameter, start, swapchain};

/// Shows one frame and crashes.
pub fn short_life() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let chain = swapchain(&renderer)?;
    chain.acquire(Deadline::NEVER)?.present(Damage::FULL)?;
    std::process::exit(7);
}

/// Rings, sends and writes without end.
pub fn flood() -> Result<(), Error> {
    let raw = Raw::inherited();
    let hookup = raw.greet();
    let _surfaces = raw.set_up(&Setup::small(1));
    hookup.publish(1, 0, 1);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            loop {
                hookup.ring();
            }
        });
        scope.spawn(|| {
            loop {
                raw.send(&packet(6, b"x"), &[]);
            }
        });
        loop {
            eprintln!("spam spam spam spam");
        }
    })
}

/// Children that crash and are started again: what the host holds is the same
/// each time, and its memory does not grow.
pub fn restarts() {
    let wanted: u64 = parameter("NUMBER", 100);
    let restart =
        Restart::default().limit(u32::MAX).window(Duration::from_millis(1)).delay(Duration::ZERO);
    let mut session = Session::spawn(start("short life").restart(restart)).unwrap();
    let (mut first, mut memory) = (None, 0);
    let mut frames = 0_u64;
    let began = Instant::now();
    while session.stats().restarts < wanted {
        match event(&mut session) {
            Event::Exited { exit, restart_in } => {
                assert!(restart_in.is_some(), "{exit}");
                // Between two children: nothing of either.
                let now = Holdings::count();
                match &first {
                    // What is set up once is there after some.
                    _ if session.stats().restarts < 10 => {}
                    None => (first, memory) = (Some(now), resident()),
                    Some(first) => assert_eq!(now, *first, "after {}", session.stats().restarts),
                }
            }
            Event::Frame(_) => frames += 1,
            _ => {}
        }
    }
    let grown = resident().saturating_sub(memory);
    println!(
        "{wanted} restarts in {:?}, {frames} frames: handles, mappings of shared memory, threads and \
         children constant, {} KiB more resident",
        began.elapsed(),
        grown >> 10
    );
    // It keeps what was freed.
    assert!(is_instrumented() || grown <= 1 << 20, "{grown}");
}

/// From a child's death to the host's event.
pub fn deaths() {
    let wanted: usize = parameter("NUMBER", 50);
    let mut random = Random::new(3);
    let mut took: Vec<_> = (0..wanted)
        .map(|_| {
            let mut session = Session::spawn(start("free").restart(Restart::never())).unwrap();
            await_connected(&mut session);
            let until = Instant::now() + Duration::from_micros(random.below(5000));
            while Instant::now() < until {
                let _frame = session.dispatch().unwrap();
            }
            let pid = session.child_pid().unwrap();
            let killed = Instant::now();
            crate::support::signal(pid, Signal::KILL);
            while !matches!(event(&mut session), Event::Exited { .. }) {}
            killed.elapsed()
        })
        .collect();
    took.sort();
    let [half, p99] = [50, 99].map(|percent| took[(wanted * percent / 100).min(wanted - 1)]);
    println!("{wanted} deaths: the event after {half:?} (median), {p99:?} (99th percentile)");
}

/// Two good children beside nobody and beside a child that floods, in turns: at a
/// display's rate, and at the suite's own, where each delay is a larger part.
pub fn neighbours() {
    let rounds: u32 = parameter("NUMBER", 2);
    let mut host = Host::new();
    for tick in [Duration::from_secs(1) / 60, host.tick] {
        host.tick = tick;
        beside_a_flood(&mut host, rounds);
    }
}

fn beside_a_flood(host: &mut Host, rounds: u32) {
    let cpu = || {
        let used = clock_gettime(ClockId::ProcessCPUTime);
        Duration::new(used.tv_sec.cast_unsigned(), u32::try_from(used.tv_nsec).unwrap())
    };
    let mut gaps = [Gaps::default(), Gaps::default()];
    let mut used = [Duration::ZERO; 2];
    const TURN: Duration = Duration::from_secs(2);
    for turn in 0..2 * rounds {
        let flooded = turn % 2 == 1;
        let mut sessions: Vec<_> =
            flooded.then(|| Session::spawn(start("flood")).unwrap()).into_iter().collect();
        // Not its start.
        host.observe(&mut sessions, Duration::from_millis(300));
        let before = cpu();
        let seen = host.observe(&mut sessions, TURN);
        used[usize::from(flooded)] += cpu() - before;
        gaps[usize::from(flooded)].add(&seen);
    }
    let p99 = gaps.map(|gaps| gaps.percentile(99));
    let share = used.map(|used| 100.0 * used.as_secs_f64() / (TURN * rounds).as_secs_f64());
    println!(
        "a frame each {:?}, {rounds} turns of {TURN:?}: 99th percentile of the neighbours' frame \
         interval {:?} alone, {:?} beside a flood, ratio {:.3}; the host's processor time {:.1} % and \
         {:.1} % of a core: {:.1} % for the flood",
        host.tick,
        p99[0],
        p99[1],
        p99[1].as_secs_f64() / p99[0].as_secs_f64(),
        share[0],
        share[1],
        share[1] - share[0]
    );
}

//! Sessions and renderers in foreign event loops: poll(2), a level-triggered
//! and an edge-triggered epoll. No wake-up is lost, and nothing spins.
#![cfg(target_os = "linux")]
#![allow(missing_docs)]

mod support;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use support::counts::{Counts, Observer, Random, WATCHDOG, accountant, scaled, settle};
use support::{Fault, check, draw, parameter, run_child, start, swapchain};
use surfaceport::{
    Damage, Deadline, Error, Event, Frame, Limits, Renderer, RendererEvent, Session, Timestamp,
};

/// Not a test of its own: what the others start.
#[test]
fn child() {
    run_child(&[
        ("account", accountant),
        ("restless", restless),
        ("resting", resting),
        ("polled", polled),
        ("polled and paced", polled_and_paced),
        ("told while polled", told_while_polled),
        ("deaf", deaf),
    ]);
}

/// An outer event loop that knows nothing of what it waits for but the fd.
enum Outer {
    Poll,
    Epoll(OwnedFd, bool),
}

impl Outer {
    fn level() -> Self {
        Self::Epoll(epoll::create(epoll::CreateFlags::CLOEXEC).unwrap(), false)
    }

    fn edge() -> Self {
        Self::Epoll(epoll::create(epoll::CreateFlags::CLOEXEC).unwrap(), true)
    }

    fn all() -> [(&'static str, Self); 3] {
        [("poll", Self::Poll), ("level", Self::level()), ("edge", Self::edge())]
    }

    fn add(&self, fd: impl AsFd, number: u64) {
        if let Self::Epoll(epoll, edge) = self {
            let edge = if *edge { epoll::EventFlags::ET } else { epoll::EventFlags::empty() };
            let data = epoll::EventData::new_u64(number);
            epoll::add(epoll, fd, data, epoll::EventFlags::IN | edge).unwrap();
        }
    }

    /// Sleeps until some of the fds are readable; `false`: they stayed silent.
    fn sleep(&self, fds: &[BorrowedFd<'_>], patience: Duration) -> bool {
        let patience = Timespec {
            tv_sec: patience.as_secs().cast_signed(),
            tv_nsec: i64::from(patience.subsec_nanos()),
        };
        match self {
            Self::Poll => {
                let mut fds: Vec<_> = fds.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
                poll(&mut fds, Some(&patience)).unwrap() > 0
            }
            Self::Epoll(epoll, _) => {
                let mut events = Vec::with_capacity(8);
                let events = rustix::buffer::spare_capacity(&mut events);
                epoll::wait(epoll, events, Some(&patience)).unwrap() > 0
            }
        }
    }

    fn sleep_for(&self, session: &Session) {
        let woke = self.sleep(&[session.as_fd()], WATCHDOG);
        assert!(woke, "a wake-up was lost: {:?}", session.stats());
    }
}

/// A child that draws `FRAMES`, each after a random pause or none, and says
/// something now and then.
fn restless() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let swapchain = swapchain(&renderer)?;
    let mut random = Random::new(parameter("SEED", 1));
    let mut counts = Counts::default();
    let mut said = 0_u64;
    for sequence in 1..=parameter("FRAMES", 0) {
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        draw(&mut canvas, sequence);
        canvas.present(Damage::FULL)?;
        counts.presented += 1;
        counts.collect(&swapchain);
        if random.one_in(16) {
            said += 1;
            renderer.send(format!("said {said} before {sequence}").as_bytes())?;
        }
        pause(&mut random);
    }
    counts.settle(&renderer, &swapchain)
}

/// None at all, a few microseconds awake, or asleep: every crossing of one
/// side's going to sleep with what the other does has its chance.
fn pause(random: &mut Random) {
    match random.below(16) {
        0 => std::thread::sleep(Duration::from_micros(random.below(100))),
        1..8 => {
            let end = Instant::now() + Duration::from_micros(random.below(20));
            while Instant::now() < end {
                std::hint::spin_loop();
            }
        }
        _ => {}
    }
}

#[test]
fn every_frame_arrives_in_every_loop() {
    let frames = 20_000;
    for (name, outer) in Outer::all() {
        for (slots, fifo) in [(4, true), (3, false)] {
            let command = start("restless")
                .env("FRAMES", frames.to_string())
                .env("SIZE", "8x8")
                .env("SLOTS", slots.to_string())
                .env("FIFO", u8::from(fifo).to_string());
            let mut session = Session::spawn(command).unwrap();
            outer.add(&session, 0);
            let mut seen = Observer { pid: session.child_pid(), ..Observer::default() };
            let mut random = Random::new(slots as u64);
            let (mut said, mut wakes, mut theirs) = (0_u64, 0_u64, None);
            let started = Instant::now();
            loop {
                match session.dispatch().unwrap() {
                    Some(Event::Frame(frame)) => {
                        assert!(!fifo || frame.id().sequence == seen.last + 1);
                        seen.took(&frame);
                        pause(&mut random);
                    }
                    Some(Event::Message(message)) => match Counts::from_message(&message) {
                        Some(counts) => theirs = Some(counts),
                        None => {
                            said += 1;
                            let text = String::from_utf8(message).unwrap();
                            assert!(text.starts_with(&format!("said {said} ")), "{text}");
                        }
                    },
                    Some(_) => {}
                    None if session.exit().is_some() => break,
                    None => {
                        outer.sleep_for(&session);
                        wakes += 1;
                        pause(&mut random);
                    }
                }
            }
            let ours = Counts::from(session.stats());
            println!(
                "{name}, {slots} slots: {} of {} frames, {said} messages, {wakes} wake-ups in {:?}",
                seen.taken,
                ours.presented,
                started.elapsed()
            );
            seen.assert_clean();
            let exit = session.exit();
            assert_eq!(
                (theirs, ours.presented, ours.shown),
                (Some(ours), frames, seen.taken),
                "{exit:?}"
            );
            assert!(!fifo || seen.taken == frames);
            assert_eq!(session.stats().bells_lost, 0);
        }
    }
}

/// A child that presents two frames, and then rests, or hangs.
fn resting() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let swapchain = swapchain(&renderer)?;
    for sequence in 1..=2 {
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        draw(&mut canvas, sequence);
        canvas.present(Damage::FULL)?;
    }
    if parameter("HANGS", false) {
        std::thread::sleep(WATCHDOG);
    }
    while renderer.next_event(Deadline::NEVER)? != Some(RendererEvent::Bye) {}
    Ok(())
}

/// Dispatches all there is; gives the frames.
fn drain(session: &mut Session, mut event: impl FnMut(&Event)) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some(next) = session.dispatch().unwrap() {
        event(&next);
        if let Event::Frame(frame) = next {
            frames.push(frame);
        }
    }
    frames
}

#[test]
fn nothing_spins_while_the_child_rests() {
    for (name, outer) in Outer::all() {
        for wants_frames in [true, false] {
            let mut session = Session::spawn(start("resting").env("FIFO", "1")).unwrap();
            outer.add(&session, 0);
            let mut frames = Vec::new();
            while frames.len() < 2 {
                frames.extend(drain(&mut session, |_| {}));
                if frames.len() < 2 {
                    outer.sleep_for(&session);
                }
            }
            session.set_wants_frames(wants_frames);
            let (mut wakes, end) = (0, Instant::now() + Duration::from_secs(1));
            loop {
                assert!(drain(&mut session, |_| {}).is_empty());
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() || !outer.sleep(&[session.as_fd()], left) {
                    break;
                }
                wakes += 1;
            }
            println!("{name}: {wakes} wake-ups in a second of rest");
            assert!(wakes < 20, "{name}: {wakes}");
        }
    }
}

/// An unread frame that is not wanted wakes nobody; wanted again, it comes.
#[test]
fn frames_that_are_wanted_again_come() {
    for (name, outer) in Outer::all() {
        let mut session = Session::spawn(start("resting")).unwrap();
        session.set_wants_frames(false);
        outer.add(&session, 0);
        let mut is_set_up = false;
        while !is_set_up {
            drain(&mut session, |event| is_set_up |= matches!(event, Event::Setup { .. }));
            if !is_set_up {
                outer.sleep_for(&session);
            }
        }
        // Both frames are there, and nobody looks.
        std::thread::sleep(Duration::from_millis(50));
        assert!(drain(&mut session, |_| {}).is_empty());
        session.set_wants_frames(true);
        // From a display's callback, say: the loop sleeps on without a dispatch.
        outer.sleep_for(&session);
        let frames = drain(&mut session, |_| {});
        assert_eq!(frames.last().map(|frame| frame.id().sequence), Some(2), "{name}");
    }
}

#[test]
fn the_timer_wakes_the_loop() {
    for (name, outer) in Outer::all() {
        let limits = Limits::default().stall(Duration::from_millis(80));
        let command = start("resting").env("HANGS", "true").limits(limits);
        let mut session = Session::spawn(command).unwrap();
        outer.add(&session, 0);
        let (mut last, mut before) = (0, Instant::now());
        while last < 2 {
            before = Instant::now();
            last = drain(&mut session, |_| {}).last().map_or(last, |frame| frame.id().sequence);
            if last < 2 {
                outer.sleep_for(&session);
            }
        }
        // A frame is asked for and does not come. The loop sleeps on at once:
        // a display's tick need not dispatch.
        session.begin_frame(Timestamp::now());
        let mut stalled = false;
        while !stalled {
            outer.sleep_for(&session);
            drain(&mut session, |event| stalled |= matches!(event, Event::Stalled));
        }
        assert!(before.elapsed() >= Duration::from_millis(80), "{name}: too early");

        let due = Timestamp::now() + Duration::from_millis(60);
        session.wake_at(due);
        while Timestamp::now() < due {
            outer.sleep_for(&session);
            assert!(drain(&mut session, |_| {}).is_empty());
        }
        // Set by itself, it is over: nothing wakes the loop any more.
        assert!(!outer.sleep(&[session.as_fd()], Duration::from_millis(100)), "{name}");
    }
}

/// What waits for the next event has nothing to draw; it does not hang.
#[test]
fn a_child_at_rest_is_not_stalled() {
    let limits = Limits::default().stall(Duration::from_millis(60)).begin_frames(3);
    let mut session = Session::spawn(start("resting").limits(limits)).unwrap();
    let (mut last, mut asked) = (0, 0);
    while last < 2 || asked < 10 {
        if last == 2 {
            std::thread::sleep(Duration::from_millis(20));
            session.begin_frame(Timestamp::now());
            asked += 1;
        }
        let stalled = |event: &Event| assert!(!matches!(event, Event::Stalled));
        last = drain(&mut session, stalled).last().map_or(last, |frame| frame.id().sequence);
    }
    assert_eq!(session.stats().stalls, 0);
}

/// A child that never blocks in the library: it polls, with work of its own.
fn polled() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let outer = outer_of_child();
    outer.add(&renderer, 0);
    let swapchain = swapchain(&renderer)?;
    let mut random = Random::new(parameter("SEED", 1));
    let mut counts = Counts::default();
    let frames = parameter("FRAMES", 0);
    while counts.presented < frames {
        while renderer.dispatch()?.is_some() {}
        match swapchain.acquire(Deadline::NOW) {
            Ok(mut canvas) => {
                draw(&mut canvas, counts.presented + 1);
                canvas.present(Damage::FULL)?;
                counts.presented += 1;
                counts.collect(&swapchain);
                pause(&mut random);
            }
            Err(Error::NoFreeSlot) => {
                assert!(outer.sleep(&[renderer.as_fd()], WATCHDOG), "a free slot, and no wake-up");
            }
            Err(error) => return Err(error),
        }
    }
    counts.settle(&renderer, &swapchain)
}

fn outer_of_child() -> Outer {
    match parameter("OUTER", String::new()).as_str() {
        "level" => Outer::level(),
        "edge" => Outer::edge(),
        _ => Outer::Poll,
    }
}

#[test]
fn a_polled_child_misses_no_free_slot() {
    let frames = scaled(50_000);
    for (name, _) in Outer::all() {
        for (slots, fifo) in [(2, true), (2, false), (5, true)] {
            let command = start("polled")
                .env("OUTER", name)
                .env("FRAMES", frames.to_string())
                .env("SIZE", "8x8")
                .env("SLOTS", slots.to_string())
                .env("FIFO", u8::from(fifo).to_string());
            let mut session = Session::spawn(command).unwrap();
            let mut seen = Observer { pid: session.child_pid(), ..Observer::default() };
            let mut random = Random::new(slots as u64);
            let mut held = None;
            support::counts::each_frame(&mut session, |_, frame| {
                seen.took(&frame);
                // Held for a while, so that the child runs out of slots.
                drop(held.take());
                pause(&mut random);
                held = (seen.last < frames).then_some(frame);
            });
            let counts = settle(&mut session);
            seen.assert_clean();
            assert_eq!((counts.presented, counts.shown), (frames, seen.taken));
        }
    }
}

/// The same, and it draws only when the display wants a frame.
fn polled_and_paced() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let outer = outer_of_child();
    outer.add(&renderer, 0);
    let swapchain = swapchain(&renderer)?;
    let mut sequence = 0;
    loop {
        while renderer.dispatch()?.is_some() {}
        match swapchain.wait_begin_frame(Deadline::NOW) {
            Ok(_) => {
                sequence += 1;
                let mut canvas = swapchain.acquire(Deadline::NEVER)?;
                draw(&mut canvas, sequence);
                canvas.present(Damage::FULL)?;
            }
            Err(Error::TimedOut { .. } | Error::Hidden) => {
                assert!(outer.sleep(&[renderer.as_fd()], WATCHDOG), "a begin-frame, no wake-up");
            }
            Err(error) => return Err(error),
        }
    }
}

#[test]
fn a_polled_child_misses_no_begin_frame() {
    for (name, outer) in Outer::all() {
        let mut session = Session::spawn(start("polled and paced").env("OUTER", name)).unwrap();
        outer.add(&session, 0);
        let mut random = Random::new(7);
        let mut last = 0;
        while last < scaled(20_000) {
            match session.dispatch().unwrap() {
                Some(Event::Frame(frame)) => {
                    assert_eq!(check(&frame, session.child_pid()), Ok(()));
                    assert_eq!(frame.id().sequence, last + 1);
                    last += 1;
                    pause(&mut random);
                    session.begin_frame(Timestamp::now());
                }
                Some(Event::Exited { exit, .. }) => panic!("{exit}"),
                Some(_) => {}
                None => outer.sleep_for(&session),
            }
        }
    }
}

/// What the host says while the child looks for a slot is heard of all the same.
fn told_while_polled() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let outer = outer_of_child();
    outer.add(&renderer, 0);
    let swapchain = swapchain(&renderer)?;
    for sequence in 1..=2 {
        let mut canvas = swapchain.acquire(Deadline::NOW)?;
        draw(&mut canvas, sequence);
        canvas.present(Damage::FULL)?;
    }
    let mut heard = 0;
    while heard < 3 {
        renderer.send(b"ready")?;
        // The message comes in here.
        let refused = swapchain.acquire(Duration::from_millis(50)).map(|_| ());
        assert!(matches!(refused, Err(Error::NoFreeSlot)), "{refused:?}");
        assert!(outer.sleep(&[renderer.as_fd()], WATCHDOG), "a message, and no wake-up");
        while let Some(event) = renderer.dispatch()? {
            assert!(matches!(event, RendererEvent::Message(_)), "{event:?}");
            heard += 1;
        }
    }
    // Now it is silent: the loop sleeps.
    assert!(!outer.sleep(&[renderer.as_fd()], Duration::from_millis(20)));
    renderer.send(b"heard all")
}

#[test]
fn a_polled_child_misses_no_message() {
    for (name, outer) in Outer::all() {
        let command = start("told while polled").env("OUTER", name).env("FIFO", "1");
        let mut session = Session::spawn(command.env("SLOTS", "2")).unwrap();
        outer.add(&session, 0);
        let (mut frames, mut done) = (Vec::new(), false);
        while !done {
            let mut ready = 0;
            frames.extend(drain(&mut session, |event| match event {
                Event::Message(message) if message == b"ready" => ready += 1,
                Event::Message(message) => done = message == b"heard all",
                Event::Exited { exit, .. } => assert!(done, "{exit}"),
                _ => {}
            }));
            for _ in 0..ready {
                session.send(b"hear this").unwrap();
            }
            if !done {
                outer.sleep_for(&session);
            }
        }
        assert_eq!(frames.len(), 2);
    }
}

#[test]
fn four_children_in_one_loop() {
    let frames = scaled(20_000);
    for (name, outer) in Outer::all() {
        let mut sessions: Vec<_> = (0..4_u64)
            .map(|number| {
                let command = start("restless")
                    .env("FRAMES", frames.to_string())
                    .env("SEED", number.to_string())
                    .env("SIZE", "8x8")
                    .env("FIFO", (number % 2).to_string());
                let session = Session::spawn(command).unwrap();
                outer.add(&session, number);
                let seen = Observer { pid: session.child_pid(), ..Observer::default() };
                (session, seen)
            })
            .collect();
        while sessions.iter().any(|(session, _)| session.exit().is_none()) {
            for (session, seen) in &mut sessions {
                for frame in drain(session, |_| {}) {
                    seen.took(&frame);
                }
            }
            let live: Vec<_> = sessions
                .iter()
                .filter(|(session, _)| session.exit().is_none())
                .map(|(session, _)| session.as_fd())
                .collect();
            assert!(live.is_empty() || outer.sleep(&live, WATCHDOG), "a wake-up was lost");
        }
        for (session, seen) in &sessions {
            let counts = Counts::from(session.stats());
            seen.assert_clean();
            assert!(counts.is_settled(), "{name}: {counts:?}");
            assert_eq!((counts.presented, counts.shown), (frames, seen.taken), "{name}");
        }
    }
}

/// All slots are held, the child sleeps, the session's thread sleeps in its
/// loop: a frame that is dropped elsewhere starts it all again.
#[test]
fn a_frame_dropped_on_another_thread_wakes_the_child() {
    for (name, outer) in Outer::all() {
        for fifo in ["0", "1"] {
            let command = start("account").env("SLOTS", "2").env("FIFO", fifo);
            let mut session = Session::spawn(command).unwrap();
            let pid = session.child_pid();
            outer.add(&session, 0);
            let mut held: Vec<Frame> = Vec::new();
            let mut threads = Vec::new();
            for round in 0..50 {
                while held.len() < 2 {
                    outer.sleep_for(&session);
                    held.extend(drain(&mut session, |_| {}));
                }
                // Now and then the child has time to fall asleep.
                let nap = Duration::from_micros(if round % 10 == 0 { 10_000 } else { round * 4 });
                let frame = held.remove(0);
                threads.push(std::thread::spawn(move || {
                    std::thread::sleep(nap);
                    let checked = check(&frame, pid);
                    drop(frame);
                    checked
                }));
            }
            let checked: Vec<Result<(), Fault>> =
                threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            assert!(checked.iter().all(Result::is_ok), "{name}: {checked:?}");
        }
    }
}

/// A child that talks a lot at once, and does not listen meanwhile.
fn deaf() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    for _ in 0..65 {
        renderer.send(b"chatter")?;
    }
    std::thread::sleep(Duration::from_millis(200));
    for _ in 0..parameter("MESSAGES", 0) {
        match renderer.next_event(WATCHDOG)? {
            Some(RendererEvent::Message(_)) => {}
            other => panic!("{other:?} instead of a message"),
        }
    }
    renderer.send(b"heard all")
}

/// Messages that found no room while the child was not listened to, because it
/// had talked too much, are sent once there is room.
#[test]
fn messages_that_wait_for_room_are_sent() {
    // More than the socket holds, no more than may wait.
    const MESSAGES: u32 = 64;
    for (_, outer) in Outer::all() {
        let mut session =
            Session::spawn(start("deaf").env("MESSAGES", MESSAGES.to_string())).unwrap();
        outer.add(&session, 0);
        let long = [7; surfaceport::MAX_USER_BYTES];
        let (mut heard, mut done) = (0, false);
        while !done {
            // At its 65th message the child is not listened to for a while.
            match session.dispatch().unwrap() {
                Some(Event::Message(message)) if message == b"heard all" => done = true,
                Some(Event::Message(_)) => {
                    heard += 1;
                    if heard == 1 {
                        (0..MESSAGES).for_each(|_| session.send(&long).unwrap());
                    }
                }
                Some(Event::Exited { exit, .. }) => panic!("{exit}"),
                Some(_) => {}
                None => outer.sleep_for(&session),
            }
        }
    }
}

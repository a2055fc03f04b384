//! Neither side slows the other, and the display's wishes reach the child.
#![cfg(target_os = "linux")]
#![allow(missing_docs)]

mod support;

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

use support::counts::{
    Counts, Observer, STOP, WATCHDOG, each_frame, end, scaled, settle, stop, wait_for,
};
use support::trace::{MARK, by_name, trace};
use support::{check, draw, paced, parameter, run_child, start, swapchain};
use surfaceport::{
    Damage, Deadline, Error, Event, Renderer, RendererEvent, Scale, Session, Size,
    SwapchainDescriptor, Timestamp,
};

/// Not a test of its own: what the others start.
#[test]
fn child() {
    run_child(&[
        ("ticking", ticking),
        ("slower", slower),
        ("dead slow", dead_slow),
        ("chatty", chatty),
        ("unblocked host", unblocked_host),
        ("paced", paced),
        ("hidden", hidden),
        ("late", late),
    ]);
}

/// A child that presents about once a millisecond and never waits for a slot.
fn ticking() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let swapchain = swapchain(&renderer)?;
    let (mut presented, mut refused) = (0_u64, 0_u64);
    while renderer.dispatch()? != Some(stop()) {
        match swapchain.acquire(Deadline::NOW) {
            Ok(mut canvas) => {
                draw(&mut canvas, presented + 1);
                canvas.present(Damage::FULL)?;
                presented += 1;
            }
            Err(Error::NoFreeSlot) => refused += 1,
            Err(error) => return Err(error),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    renderer.send(&[presented.to_le_bytes(), refused.to_le_bytes()].concat())
}

/// A host that takes 200 ms for each frame, and holds it meanwhile.
fn slow_host(slots: usize) -> (u64, u64, u64) {
    let command = start("ticking").env("SLOTS", slots.to_string());
    let mut session = Session::spawn(command).unwrap();
    let mut seen = Observer { pid: session.child_pid(), ..Observer::default() };
    each_frame(&mut session, |session, frame| {
        seen.took(&frame);
        std::thread::sleep(Duration::from_millis(200));
        seen.look(&frame);
        if seen.taken == 10 {
            session.send(STOP).unwrap();
        }
    });
    seen.assert_clean();
    let (_, messages) = end(&mut session);
    let numbers: Vec<_> =
        messages[0].as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
    (numbers[0], numbers[1], seen.taken)
}

#[test]
fn a_slow_host_never_slows_a_mailbox_child_with_three_slots() {
    let (presented, refused, taken) = slow_host(3);
    println!("3 slots: {presented} presented, {refused} times no slot, {taken} taken");
    assert_eq!(refused, 0);
    // All those that the host did not take were drawn while it held another.
    assert!(presented > taken);
}

#[test]
fn a_slow_host_slows_a_child_with_two_slots_to_its_own_pace() {
    let (presented, refused, taken) = slow_host(2);
    println!("2 slots: {presented} presented, {refused} times no slot, {taken} taken");
    assert!(refused > 0);
    // Never without a slot for longer than the host holds its frame.
    assert!(presented >= taken);
}

/// A child that draws for longer than two ticks of its host, of which it hears.
fn slower() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let swapchain = swapchain(&renderer)?;
    let mut counts = Counts::default();
    for sequence in 1..=parameter("FRAMES", 0) {
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        // Ticks of which it was told before do not count: a tick that is heard
        // of later is over, look at the frame included, when the next is.
        while renderer.dispatch()?.is_some() {}
        for _ in 0..2 {
            renderer.next_event(Deadline::NEVER)?;
        }
        draw(&mut canvas, sequence);
        canvas.present(Damage::FULL)?;
        counts.presented += 1;
        counts.collect(&swapchain);
    }
    counts.settle(&renderer, &swapchain)
}

#[test]
fn a_child_slower_than_the_hosts_tick_is_seen_at_every_frame() {
    let frames = scaled(2_000);
    for slots in [2, 3, 4] {
        let command =
            start("slower").env("FRAMES", frames.to_string()).env("SLOTS", slots.to_string());
        let mut session = Session::spawn(command).unwrap();
        let mut seen = Observer { pid: session.child_pid(), ..Observer::default() };
        let (mut ticks, mut tick) = (0_u64, Duration::ZERO);
        let started = Instant::now();
        // Ticks on after the last frame: a frame more would be one too many.
        let end = loop {
            // A child that is not connected yet, or that has done, hears no tick.
            let _unheard = session.send(b"tick");
            ticks += 1;
            match session.next_frame(Deadline::NOW) {
                Ok(Some(frame)) => {
                    assert_eq!(frame.id().sequence, seen.last + 1, "a frame was never seen");
                    seen.took(&frame);
                    tick = Duration::ZERO;
                }
                Ok(None) => {}
                Err(error) => break error,
            }
            assert!(started.elapsed() < WATCHDOG);
            // Ticks that nobody hears must not pile up.
            tick = (tick * 2).clamp(Duration::from_micros(50), Duration::from_millis(20));
            std::thread::sleep(tick);
        };
        assert!(matches!(end, Error::ChildGone(_)), "{end}");
        let counts = settle(&mut session);
        println!("{slots} slots: {ticks} ticks, {counts:?}");
        seen.assert_clean();
        assert_eq!((counts.presented, counts.shown), (frames, frames));
    }
}

/// A child that presents one frame and then draws for ever.
fn dead_slow() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let swapchain = swapchain(&renderer)?;
    let mut canvas = swapchain.acquire(Deadline::NEVER)?;
    draw(&mut canvas, 1);
    canvas.present(Damage::FULL)?;
    let mut canvas = swapchain.acquire(Deadline::NEVER)?;
    canvas.bytes_mut().fill(1);
    loop {
        std::thread::park();
    }
}

/// A child that never stops talking, a byte at a time: as soon as the host has
/// read one, there is another.
fn chatty() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let swapchain = swapchain(&renderer)?;
    let mut canvas = swapchain.acquire(Deadline::NEVER)?;
    draw(&mut canvas, 1);
    canvas.present(Damage::FULL)?;
    loop {
        let _unheard = std::io::stderr().write(b"x");
    }
}

/// A host that asks a thousand times, in all ways, for frames that do not come.
fn unblocked_host() -> Result<(), Error> {
    let child: String = parameter("CHILD", String::new());
    let path: std::path::PathBuf = parameter("MARKS", "".into());
    let marks = File::options().write(true).open(path).unwrap();
    let mut session = Session::spawn(start(&child))?;
    let frame = session.next_frame(WATCHDOG)?.expect("the only frame");
    marks.write_all_at(MARK, 0).unwrap();
    for _ in 0..1_000 {
        assert!(session.next_frame(Deadline::NOW)?.is_none());
        session.begin_frame(Timestamp::now());
        for _ in 0..100 {
            if session.dispatch()?.is_none() {
                break;
            }
        }
        assert_eq!(check(&frame, session.child_pid()), Ok(()));
    }
    marks.write_all_at(MARK, 0).unwrap();
    Ok(())
}

/// Every call of the host that could sleep was told not to.
#[test]
fn a_dead_slow_child_never_blocks_the_host() {
    for child in ["dead slow", "chatty"] {
        let marks = std::env::temp_dir().join(format!("surfaceport-marks-{}", std::process::id()));
        std::fs::write(&marks, []).unwrap();
        let parameters = [("CHILD", child), ("MARKS", marks.to_str().unwrap())];
        let traced = trace("unblocked host", &parameters);
        std::fs::remove_file(&marks).unwrap();
        let Some((_, calls)) = traced else { return };
        println!("beside a {child} child: {:?}", by_name(&calls));
        for call in &calls {
            match &*call.name {
                "epoll_pwait2" => {
                    assert!(call.text.contains("{tv_sec=0, tv_nsec=0}"), "{}", call.text);
                }
                // None of these waits, for all of their fds are non-blocking.
                "timerfd_settime" | "epoll_ctl" | "recvmsg" | "sendmsg" | "read" | "write"
                | "clock_gettime" | "brk" | "mmap" | "munmap" | "mremap" | "madvise" => {}
                other => panic!("{other} could block: {}", call.text),
            }
        }
    }
}

/// The same without strace, and with a watchdog of its own.
#[test]
fn a_chatty_child_does_not_keep_the_host() {
    let mut session = Session::spawn(start("chatty")).unwrap();
    let frame = session.next_frame(WATCHDOG).unwrap().expect("the only frame");
    let started = Instant::now();
    for _ in 0..200 {
        assert!(session.next_frame(Deadline::NOW).unwrap().is_none());
        assert!(started.elapsed() < WATCHDOG);
    }
    println!("200 looks beside a chatty child: {:?}", started.elapsed());
    drop(frame);
}

#[test]
fn begin_frames_pace_the_child() {
    for (slots, fifo) in [(2, false), (3, false), (3, true)] {
        let command =
            start("paced").env("SLOTS", slots.to_string()).env("FIFO", u8::from(fifo).to_string());
        let mut session = Session::spawn(command).unwrap();
        let mut last_time = None;
        for sequence in 1..=scaled(5_000) {
            let frame = session.next_frame(WATCHDOG).unwrap().expect("one a begin-frame");
            assert_eq!(check(&frame, session.child_pid()), Ok(()));
            assert_eq!(frame.id().sequence, sequence, "one frame for each begin-frame");
            assert_eq!(frame.begin_frame(), last_time, "the begin-frame that it answers");
            let time = Timestamp::now();
            last_time = Some(time);
            session.begin_frame(time);
        }
        // It has one more to draw, and then it rests.
        let frame = session.next_frame(WATCHDOG).unwrap().expect("the last");
        drop(frame);
        assert!(session.next_frame(Duration::from_millis(100)).unwrap().is_none());
        // Twice the same time is a later time the second time.
        session.begin_frame(last_time.unwrap());
        assert!(session.next_frame(WATCHDOG).unwrap().is_some());
        let exit = session.close_child(Deadline::NOW);
        assert!(exit.connected && exit.pid.is_some(), "{exit:?}");
    }
}

/// A child that waits for begin-frames for a while at a time, and tells what
/// it got instead.
fn hidden() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let swapchain = swapchain(&renderer)?;
    let mut sequence = 0;
    loop {
        let waited = swapchain.wait_begin_frame(Duration::from_millis(50));
        let mut wanted = waited.is_ok();
        while let Some(event) = renderer.dispatch()? {
            match event {
                RendererEvent::Bye => return Ok(()),
                // The wait may have ended for it, or it came just now.
                RendererEvent::Configure { .. } => wanted = true,
                _ => {}
            }
        }
        if wanted {
            sequence += 1;
            let mut canvas = swapchain.acquire(Deadline::NEVER)?;
            draw(&mut canvas, sequence);
            canvas.present(Damage::FULL)?;
            continue;
        }
        match waited {
            Ok(_) => {}
            Err(Error::Hidden) => renderer.send(b"hidden")?,
            Err(Error::TimedOut { .. }) => renderer.send(b"timed out")?,
            Err(error) => return Err(error),
        }
    }
}

/// The session's next events until one is looked for; frames are dropped and
/// counted.
fn until(session: &mut Session, frames: &mut u64, wanted: impl Fn(&Event) -> bool) {
    loop {
        match session.dispatch().unwrap() {
            Some(event) => {
                *frames += u64::from(matches!(event, Event::Frame(_)));
                if wanted(&event) {
                    return;
                }
            }
            None => wait_for(session),
        }
    }
}

fn says(text: &[u8]) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::Message(message) if message == text)
}

#[test]
fn a_hidden_child_rests() {
    let mut session = Session::spawn(start("hidden")).unwrap();
    let mut frames = 0;
    // The first frame needs no begin-frame; then it waits for one.
    until(&mut session, &mut frames, says(b"timed out"));
    assert_eq!(frames, 1);
    session.set_hidden(true);
    until(&mut session, &mut frames, says(b"hidden"));
    for _ in 0..5 {
        until(&mut session, &mut frames, says(b"hidden"));
    }
    assert_eq!(frames, 1, "a hidden child rests");
    // A Configure wakes it for one frame.
    session.configure(Size::default(), Scale::ONE).unwrap();
    until(&mut session, &mut frames, |event| matches!(event, Event::Frame(_)));
    until(&mut session, &mut frames, says(b"hidden"));
    until(&mut session, &mut frames, says(b"hidden"));
    assert_eq!(frames, 2);
    session.set_hidden(false);
    until(&mut session, &mut frames, says(b"timed out"));
    assert_eq!(frames, 2, "to be seen is no begin-frame");
    session.begin_frame(Timestamp::now());
    until(&mut session, &mut frames, |event| matches!(event, Event::Frame(_)));
    until(&mut session, &mut frames, says(b"timed out"));
    assert_eq!(frames, 3);
}

/// A child that makes up its mind about the size, and then is slow.
fn late() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let size = renderer.wanted_size().unwrap_or(Size::new(8, 8));
    renderer.send(b"decided")?;
    // What comes now is not known to the child when it sets up its swapchain.
    std::thread::sleep(Duration::from_millis(200));
    let descriptor = SwapchainDescriptor::new(size);
    let mut swapchain = renderer.swapchain(descriptor)?;
    loop {
        match renderer.next_event(Deadline::NEVER)? {
            Some(RendererEvent::Configure { size, .. }) => {
                swapchain = renderer.swapchain(SwapchainDescriptor::new(size.unwrap()))?;
                let mut canvas = swapchain.acquire(Deadline::NEVER)?;
                draw(&mut canvas, 1);
                canvas.present(Damage::FULL)?;
            }
            Some(RendererEvent::Bye) => {
                drop(swapchain);
                return Ok(());
            }
            _ => {}
        }
    }
}

#[test]
fn a_setup_answers_only_what_the_child_knew() {
    let mut session = Session::spawn(start("late")).unwrap();
    let mut frames = 0;
    until(&mut session, &mut frames, says(b"decided"));
    let wanted = Size::new(20, 10);
    let asked = session.configure(wanted, Scale::ONE).unwrap();
    for (expected, size) in [(0, Size::new(8, 8)), (asked, wanted)] {
        until(&mut session, &mut frames, |event| match event {
            Event::Setup { serial, surface, .. } => {
                assert_eq!((*serial, surface.size()), (expected, size));
                true
            }
            _ => false,
        });
    }
}

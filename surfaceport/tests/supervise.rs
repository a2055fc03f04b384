//! A child's life under supervision: how it is started, talked to, restarted,
//! resized, paced and ended.
#![allow(missing_docs)]

mod support;

use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use support::roles::{ROLES, show_one};
use support::{
    Role, await_connected, await_sleep, await_stop, check, draw, drawn_by, event, event_within,
    frame, has_ended, is_readable, name_directory, parameter, pidfd, run_child, signal, start,
    start_plain, swapchain, watchdog,
};
use surfaceport::{
    Damage, Deadline, Error, Event, Exit, ExitReason, Listener, MAX_USER_BYTES, Renderer,
    RendererEvent, Restart, Scale, Session, Size, SwapchainDescriptor, Timestamp,
};

/// Not a test of its own: what the others start.
#[test]
fn child() {
    let own: &[Role<'_>] = &[
        ("crash", crash),
        ("exit", exit),
        ("report", report),
        ("echo", echo),
        ("flood", flood),
        ("last words", last_words),
        ("obedient", obedient),
        ("hiding", hiding),
        ("named", named),
        ("forwarding host", forwarding_host),
        ("listening host", listening_host),
    ];
    run_child(&[ROLES, own].concat());
}

fn exited(session: &mut Session) -> (Exit, Option<Duration>) {
    loop {
        if let Event::Exited { exit, restart_in } = event(session) {
            return (exit, restart_in);
        }
    }
}

fn message(session: &mut Session) -> Vec<u8> {
    loop {
        match event(session) {
            Event::Message(bytes) => return bytes,
            Event::Exited { exit, .. } => panic!("{exit}"),
            _ => {}
        }
    }
}

/// Draws a frame and fails.
fn crash() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    show_one(&swapchain(&renderer)?, 1)?;
    // Until the frame was taken, so that the order of events is always the same.
    renderer.next_event(Deadline::NEVER)?;
    std::process::exit(3);
}

#[test]
fn a_child_that_fails_is_started_again_a_few_times() {
    let _watchdog = watchdog("restart");
    let delay = Duration::from_millis(10);
    let restart = Restart::default().delay(delay).limit(2);
    let mut session = Session::spawn(start("crash").restart(restart)).unwrap();
    let mut pids = Vec::new();
    let mut earliest = None;
    for expected in [Some(delay), Some(delay * 2), None] {
        let Event::Connected { pid: Some(pid) } = event(&mut session) else { panic!() };
        // The session began to count a little earlier than this test.
        let early = Duration::from_millis(5);
        assert!(earliest.is_none_or(|at| Instant::now() + early >= at));
        assert!(!pids.contains(&pid));
        assert_eq!(session.child_pid(), Some(pid));
        pids.push(pid);
        assert!(matches!(event(&mut session), Event::Setup { generation: 1, slots: 3, .. }));
        let Event::Frame(frame) = event(&mut session) else { panic!() };
        assert_eq!(check(&frame, Some(pid)), Ok(()));
        session.send(b"now").unwrap();
        let (exit, restart_in) = exited(&mut session);
        let ended = Instant::now();
        assert_eq!(exit.reason, ExitReason::Exited(3));
        assert_eq!(exit.pid, Some(pid));
        assert_eq!(restart_in, expected);
        assert_eq!(session.child_pid(), None);
        assert!(matches!(session.send(b"nobody"), Err(Error::NotConnected)));
        earliest = restart_in.map(|delay| ended + delay);
    }
    assert!(session.dispatch().unwrap().is_none());
    assert_eq!(session.stats().restarts, 2);
    assert_eq!(session.exit().unwrap().pid, pids.last().copied());
    assert!(matches!(session.next_frame(Deadline::NEVER), Err(Error::ChildGone(_))));
}

/// Ends with `CODE`, having connected if `CONNECT` says so.
fn exit() -> Result<(), Error> {
    let renderer = (parameter("CONNECT", 0) != 0).then(Renderer::connect).transpose()?;
    eprintln!("these were my last words");
    drop(renderer);
    std::process::exit(parameter("CODE", 0));
}

#[test]
fn a_child_that_is_done_or_never_connected_is_not_started_again() {
    let _watchdog = watchdog("no restart");
    for (code, connect) in [(0, "1"), (0, "0"), (1, "0")] {
        let command = start("exit").env("CODE", code.to_string()).env("CONNECT", connect);
        let mut session = Session::spawn(command).unwrap();
        let (exit, restart_in) = exited(&mut session);
        assert_eq!(exit.reason, ExitReason::Exited(code));
        assert_eq!(restart_in, None);
        assert_eq!(exit.connected, connect == "1");
        assert!(exit.last_lines.last().unwrap().ends_with("these were my last words"));
    }
}

/// Says what it sees of the world.
fn report() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let mut stdin = Vec::new();
    std::io::stdin().read_to_end(&mut stdin).unwrap();
    let group = rustix::process::getpgid(None).unwrap();
    let text = format!(
        "args={} set={:?} removed={:?} cwd={} stdin={} group={} fd={:?}",
        std::env::args().skip(1).filter(|arg| arg.starts_with("--skip")).count(),
        std::env::var("SET").ok(),
        std::env::var("CARGO_MANIFEST_DIR").ok(),
        std::env::current_dir().unwrap().display(),
        stdin.len(),
        group.as_raw_pid(),
        std::env::var("SURFACEPORT_FD").is_ok(),
    );
    renderer.send(text.as_bytes())?;
    renderer.next_event(Deadline::NEVER).map(drop)
}

#[test]
fn a_child_gets_its_world_from_the_command() {
    let _watchdog = watchdog("world");
    let command = start("report")
        .arg("--skip=one")
        .args(["--skip=two", "--skip=three"])
        .env("SET", "a value")
        .env_remove("CARGO_MANIFEST_DIR")
        .current_dir("/");
    let mut session = Session::spawn(command).unwrap();
    let report = String::from_utf8(message(&mut session)).unwrap();
    let pid = session.child_pid().unwrap();
    let expected =
        format!("args=3 set=Some(\"a value\") removed=None cwd=/ stdin=0 group={pid} fd=true");
    assert_eq!(report, expected);
    // Its group is its own, so that Ctrl-C is the host's.
    assert_ne!(rustix::process::getpgid(None).unwrap(), Pid::from_raw(pid as i32).unwrap());
}

#[test]
fn an_empty_environment_still_has_the_connection() {
    let _watchdog = watchdog("env_clear");
    let command = surfaceport::Command::new("/usr/bin/env").env_clear().env("ONLY", "this");
    let mut session = Session::spawn(command).unwrap();
    let (exit, _) = exited(&mut session);
    let mut lines = exit.last_lines;
    lines.sort();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0], "ONLY=this");
    assert!(lines[1].starts_with("SURFACEPORT_FD="));
}

fn forwarding_host() -> Result<(), Error> {
    for forward in [false, true] {
        let word = if forward { "heard" } else { "kept" };
        let command = surfaceport::Command::new("/bin/sh")
            .args(["-c", &format!("echo {word} out; echo {word} err >&2")])
            .forward_output(forward);
        let mut session = Session::spawn(command)?;
        let (exit, _) = exited(&mut session);
        assert_eq!(exit.last_lines, [format!("{word} out"), format!("{word} err")]);
    }
    Ok(())
}

#[test]
fn output_is_forwarded_if_wanted() {
    let _watchdog = watchdog("forward_output");
    let host = start_plain("forwarding host").stdout(Stdio::null()).output().unwrap();
    assert!(host.status.success());
    assert_eq!(String::from_utf8(host.stderr).unwrap(), "heard out\nheard err\n");
}

#[test]
fn a_child_is_closed_politely() {
    let _watchdog = watchdog("polite");
    let mut session = Session::spawn(start("connected")).unwrap();
    await_connected(&mut session);
    let pid = session.child_pid();
    let exit = session.close_child(Duration::from_secs(20));
    assert_eq!((exit.reason.clone(), exit.pid, exit.connected), (ExitReason::Closed, pid, true));
    assert_eq!(session.exit(), Some(&exit));
    assert!(matches!(event(&mut session), Event::Exited { restart_in: None, .. }));
    assert!(session.dispatch().unwrap().is_none());
    // Again is no matter.
    assert_eq!(session.close_child(Deadline::NOW), exit);
}

#[test]
fn a_child_that_is_closed_before_it_connects_ends_quietly() {
    let _watchdog = watchdog("closed early");
    let mut session = Session::spawn(start("connected")).unwrap();
    let exit = session.close_child(Duration::from_secs(20));
    assert_eq!(exit.reason, ExitReason::Closed);
    let said = exit.last_lines.join("\n");
    assert!(!said.contains("protocol"), "{said}");
}

#[test]
fn a_child_that_does_not_listen_is_closed_by_force() {
    let _watchdog = watchdog("force");
    for patience in [Duration::ZERO, Duration::from_millis(30)] {
        let mut session = Session::spawn(start("spinning")).unwrap();
        let held = frame(&mut session);
        let pid = session.child_pid().unwrap();
        let process = pidfd(pid);
        let started = Instant::now();
        let exit = session.close_child(patience);
        assert!(started.elapsed() >= patience);
        assert_eq!((exit.reason.clone(), exit.pid), (ExitReason::Closed, Some(pid)));
        assert_eq!(session.exit(), Some(&exit));
        assert!(has_ended(&process, Duration::ZERO));
        let (same, restart_in) = exited(&mut session);
        assert_eq!((same, restart_in), (exit, None));
        assert!(session.dispatch().unwrap().is_none());
        assert_eq!(check(&held, Some(pid)), Ok(()));
    }
}

#[test]
fn a_session_closed_in_back_off_is_over() {
    let _watchdog = watchdog("closed in back-off");
    let restart = Restart::default().delay(Duration::from_millis(30));
    let mut session = Session::spawn(start("paced").restart(restart)).unwrap();
    frame(&mut session);
    session.kill_child();
    assert!(exited(&mut session).1.is_some());
    let exit = session.close_child(Duration::from_secs(20));
    assert_eq!(exit.reason, ExitReason::Closed);
    assert_eq!(session.exit(), Some(&exit));
    assert!(matches!(event(&mut session), Event::Exited { restart_in: None, .. }));
    // Nothing more comes of the restart that had been due.
    assert!(event_within(&mut session, Duration::from_millis(100)).is_none());
    assert_eq!(session.stats().restarts, 0);
    assert!(matches!(session.next_frame(Deadline::NEVER), Err(Error::ChildGone(_))));
}

#[test]
fn a_killed_child_counts_as_crashed() {
    let _watchdog = watchdog("kill_child");
    let restart = Restart::default().delay(Duration::from_millis(1));
    let mut session = Session::spawn(start("paced").restart(restart)).unwrap();
    let first = frame(&mut session);
    session.kill_child();
    let second = frame(&mut session);
    assert_ne!(drawn_by(&first), drawn_by(&second));
    let (exit, restart_in) = exited(&mut session);
    assert!(matches!(exit.reason, ExitReason::Signalled { signal: 9, .. }));
    assert!(restart_in.is_some());
}

#[test]
fn a_dropped_session_ends_its_child_at_once() {
    let _watchdog = watchdog("drop");
    for role in ["silent", "connected", "free", "spinning"] {
        let session = Session::spawn(start(role)).unwrap();
        let process = pidfd(session.child_pid().unwrap());
        drop(session);
        assert!(has_ended(&process, Duration::ZERO));
    }
}

/// Sends back what it gets, and tries what is too long.
fn echo() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let too_long = renderer.send(&vec![0; MAX_USER_BYTES + 1]);
    assert!(matches!(too_long, Err(Error::MessageTooLong { len: 16385, max: 16384 })));
    loop {
        if let Some(RendererEvent::Message(bytes)) = renderer.next_event(Deadline::NEVER)? {
            renderer.send(&bytes)?;
        }
    }
}

#[test]
fn messages_travel_both_ways() {
    let _watchdog = watchdog("messages");
    let mut session = Session::spawn(start("echo")).unwrap();
    assert!(matches!(session.send(b"too early"), Err(Error::NotConnected)));
    await_connected(&mut session);
    for len in [0, 1, 7, 4096, MAX_USER_BYTES - 1, MAX_USER_BYTES] {
        let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        session.send(&bytes).unwrap();
        assert_eq!(message(&mut session), bytes);
    }
    let too_long = session.send(&vec![0; MAX_USER_BYTES + 1]);
    assert!(matches!(too_long, Err(Error::MessageTooLong { len: 16385, max: 16384 })));
    // More at once than the socket holds; in order, none lost.
    for i in 0..40_u8 {
        session.send(&[i; MAX_USER_BYTES]).unwrap();
    }
    for i in 0..40_u8 {
        assert_eq!(message(&mut session), [i; MAX_USER_BYTES]);
    }
}

/// Messages without end, and frames too.
fn flood() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let chain = swapchain(&renderer)?;
    for sequence in 1.. {
        let mut canvas = chain.acquire(Deadline::NEVER)?;
        draw(&mut canvas, sequence);
        canvas.present(Damage::FULL)?;
        for _ in 0..200 {
            match renderer.send(&[1; 1000]) {
                Ok(()) | Err(Error::QueueFull) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

#[test]
fn a_flood_of_messages_starves_nothing() {
    let _watchdog = watchdog("flood");
    let mut session = Session::spawn(start("flood")).unwrap();
    for _ in 0..50 {
        frame(&mut session);
    }
    assert!(session.stats().messages_dropped > 0, "{:?}", session.stats());
    session.kill_child();
    let mut messages = 0;
    loop {
        match event(&mut session) {
            Event::Message(_) => messages += 1,
            Event::Exited { .. } => break,
            _ => {}
        }
    }
    // Those that were kept, and what still lay in the socket.
    assert!((1..=1000).contains(&messages), "{messages}");
}

/// As many messages as there is room for, and the end.
fn last_words() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    for i in 0_u32.. {
        match renderer.send(&i.to_le_bytes()) {
            Ok(()) => {}
            Err(Error::QueueFull) => break,
            Err(error) => return Err(error),
        }
    }
    std::process::exit(0);
}

#[test]
fn messages_sent_before_the_end_arrive() {
    let _watchdog = watchdog("last words");
    let mut session = Session::spawn(start("last words")).unwrap();
    let process = pidfd(session.child_pid().unwrap());
    await_connected(&mut session);
    // All that it says is there, and so is its end.
    assert!(has_ended(&process, Duration::from_secs(20)));
    let mut said = 0_u32;
    let exit = loop {
        match event(&mut session) {
            Event::Message(message) => {
                assert_eq!(message, said.to_le_bytes());
                said += 1;
            }
            Event::Exited { exit, .. } => break exit,
            _ => {}
        }
    };
    assert_eq!(exit.reason, ExitReason::Exited(0));
    // More than are kept for a host that does not fetch them.
    assert!(said > 256, "{said}");
    assert_eq!(session.stats().messages_dropped, 0);
}

/// Does as it is configured, once a message says so.
fn obedient() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let mut events = Vec::new();
    loop {
        match renderer.next_event(Deadline::NEVER)? {
            Some(RendererEvent::Configure { serial, size, scale }) => {
                events.push(format!("{serial} {size:?} {}", scale.get()));
            }
            Some(RendererEvent::Message(_)) => {
                // What else came meanwhile is one event.
                std::thread::sleep(Duration::from_millis(100));
                while let Some(event) = renderer.dispatch()? {
                    if let RendererEvent::Configure { serial, size, scale } = event {
                        events.push(format!("{serial} {size:?} {}", scale.get()));
                    }
                }
                let said = events.join("; ");
                renderer.send(&said.as_bytes()[..said.len().min(MAX_USER_BYTES)])?;
                events.clear();
                let size = renderer.wanted_size().unwrap_or(Size::new(8, 8));
                let chain = renderer.swapchain(SwapchainDescriptor::new(size))?;
                show_one(&chain, 1)?;
            }
            _ => {}
        }
    }
}

#[test]
fn configures_coalesce_and_are_answered() {
    let _watchdog = watchdog("configure");
    let restart = Restart::default().delay(Duration::from_millis(1));
    let mut session = Session::spawn(start("obedient").restart(restart)).unwrap();
    await_connected(&mut session);
    session.send(b"go").unwrap();
    std::thread::sleep(Duration::from_millis(20));
    let mut last = 0;
    for side in 20..=40 {
        let scale = Scale::from_120ths(120 + side).unwrap();
        let serial = session.configure(Size::new(side, side), scale).unwrap();
        assert!(serial > last);
        last = serial;
    }
    let seen = String::from_utf8(message(&mut session)).unwrap();
    assert_eq!(seen, format!("{last} {:?} 160", Some(Size::new(40, 40))));
    let setup = event(&mut session);
    let Event::Setup { serial, surface, .. } = setup else { panic!("{setup:?}") };
    assert_eq!((serial, surface.size()), (last, Size::new(40, 40)));
    assert_eq!(frame(&mut session).size(), Size::new(40, 40));
    assert!(matches!(
        session.configure(Size::new(0, 5), Scale::default()),
        Err(Error::Geometry(_))
    ));

    // The next child knows it from the start.
    session.kill_child();
    exited(&mut session);
    await_connected(&mut session);
    session.send(b"go").unwrap();
    assert_eq!(message(&mut session), b"");
    assert_eq!(frame(&mut session).size(), Size::new(40, 40));
}

#[test]
fn configures_to_a_stopped_child_do_not_end_it() {
    let _watchdog = watchdog("many configures");
    let mut session = Session::spawn(start("obedient")).unwrap();
    await_connected(&mut session);
    let pid = session.child_pid().unwrap();
    signal(pid, Signal::STOP);
    await_stop(pid);
    // A window that is dragged by its corner for a minute.
    for i in 0..3600 {
        session.configure(Size::new(100 + i, 100), Scale::default()).unwrap();
        assert!(session.dispatch().unwrap().is_none());
    }
    signal(pid, Signal::CONT);
    // The last one arrives. A frame that a Configure overtakes is stale.
    loop {
        session.send(b"go").unwrap();
        let frame = session.next_frame(Duration::from_millis(200)).unwrap();
        if frame.is_some_and(|frame| frame.size() == Size::new(3699, 100)) {
            break;
        }
    }
    assert_eq!(session.child_pid(), Some(pid));
}

#[test]
fn a_third_generation_waits_for_the_first() {
    let _watchdog = watchdog("generations");
    for polled in [false, true] {
        let command = start("resizing").restart(Restart::never());
        let mut session = Session::spawn(command).unwrap();
        let first = frame(&mut session);
        session.send(b"resize").unwrap();
        let second = frame(&mut session);
        session.send(b"resize").unwrap();
        assert!(session.next_frame(Duration::from_millis(200)).unwrap().is_none());
        assert_eq!([first.id().generation, second.id().generation], [1, 2]);
        assert_eq!(check(&first, session.child_pid()), Ok(()));
        // Dropped elsewhere while the host sleeps.
        let dropper = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            drop(first);
        });
        let third = if polled {
            loop {
                if let Event::Frame(frame) = event(&mut session) {
                    break frame;
                }
            }
        } else {
            session.next_frame(Deadline::NEVER).unwrap().unwrap()
        };
        assert_eq!(third.id().generation, 3);
        for frame in [&second, &third] {
            assert_eq!(check(frame, session.child_pid()), Ok(()));
        }
        dropper.join().unwrap();
        // Dropped here, before the child asks.
        drop(second);
        session.send(b"resize").unwrap();
        assert_eq!(frame(&mut session).id().generation, 4);
        session.kill_child();
        while session.next_frame(Deadline::NEVER).is_ok() {}
        drop(third);
        let stats = session.stats();
        assert_eq!((stats.presented, stats.shown), (4, 4));
    }
}

/// Says what its waits for a begin-frame say.
fn hiding() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let chain = swapchain(&renderer)?;
    let mut sequence = 0;
    loop {
        let begin = match chain.wait_begin_frame(Duration::from_millis(50)) {
            Ok(begin) => begin,
            Err(Error::Hidden) => {
                renderer.send(b"hidden")?;
                continue;
            }
            Err(Error::TimedOut { .. }) => {
                renderer.send(b"timed out")?;
                continue;
            }
            Err(error) => return Err(error),
        };
        let mut canvas = match chain.acquire(Duration::from_millis(50)) {
            Ok(canvas) => canvas,
            Err(Error::Hidden) => {
                renderer.send(b"no slot, hidden")?;
                continue;
            }
            Err(error) => return Err(error),
        };
        sequence += 1;
        draw(&mut canvas, sequence);
        canvas.present(Damage::FULL)?;
        renderer.send(format!("drew for {}", begin.time.as_nanos()).as_bytes())?;
    }
}

fn await_message(session: &mut Session, wanted: &str) {
    while message(session) != wanted.as_bytes() {}
}

#[test]
fn a_hidden_child_rests_and_a_begin_frame_wakes_it() {
    let _watchdog = watchdog("hidden");
    let mut session = Session::spawn(start("hiding").env("FIFO", "1").env("SLOTS", "2")).unwrap();
    // The first frame needs none.
    let first = frame(&mut session);
    await_message(&mut session, "timed out");
    session.set_hidden(true);
    await_message(&mut session, "hidden");
    // A Configure wakes it for one frame, hidden or not.
    session.configure(Size::new(5, 5), Scale::default()).unwrap();
    let second = frame(&mut session);
    assert_eq!(second.id().sequence, 2);
    await_message(&mut session, "hidden");
    assert!(session.next_frame(Duration::from_millis(100)).unwrap().is_none());
    // Both slots are held.
    let now = Timestamp::now();
    session.begin_frame(now);
    await_message(&mut session, "no slot, hidden");
    drop((first, second));
    session.set_hidden(false);
    await_message(&mut session, "timed out");
    // Times go forward, whatever the host says.
    for _ in 0..3 {
        session.begin_frame(now);
        let third = frame(&mut session);
        assert!(third.begin_frame().unwrap() > now);
    }
}

/// Connects by name, and draws.
fn named() -> Result<(), Error> {
    let renderer = Renderer::connect_to(&std::env::var("NAME").unwrap())?;
    let chain = swapchain(&renderer)?;
    show_one(&chain, 1)?;
    loop {
        match renderer.next_event(Deadline::NEVER)? {
            Some(RendererEvent::Message(bytes)) => renderer.send(&bytes)?,
            Some(RendererEvent::Bye) => return Ok(()),
            _ => {}
        }
    }
}

fn start_named(name: &str) -> std::process::Child {
    start_plain("named").env("NAME", name).stdout(Stdio::null()).spawn().unwrap()
}

/// Takes a name, says so, and waits to be killed.
fn listening_host() -> Result<(), Error> {
    let _listener = Listener::bind(&std::env::var("NAME").unwrap())?;
    println!("listening");
    std::io::stdout().flush().unwrap();
    std::thread::sleep(Duration::from_secs(60));
    Ok(())
}

#[test]
fn a_name_leads_from_the_child_to_the_host() {
    if cfg!(target_os = "macos") {
        println!("not run: whose process a named child is, is not known there");
        return;
    }
    let _watchdog = watchdog("named");
    let name = format!("test.supervise.{}", std::process::id());
    // A host that was killed leaves its socket behind.
    let mut dead = start_plain("listening host");
    let mut dead = dead.env("NAME", &name).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = dead.stdout.take().unwrap();
    let mut said = String::new();
    while !said.contains("listening") {
        let mut bytes = [0; 100];
        let count = stdout.read(&mut bytes).unwrap();
        assert_ne!(count, 0, "{said}");
        said += std::str::from_utf8(&bytes[..count]).unwrap();
    }
    assert!(matches!(Listener::bind(&name), Err(Error::NameInUse(taken)) if taken == name));
    dead.kill().unwrap();
    dead.wait().unwrap();
    assert!(name_directory().join(format!("{name}.sock")).exists());
    assert!(matches!(Renderer::connect_to(&name), Err(Error::NoSuchName(_))));

    let mut listener = Listener::bind(&name).unwrap();
    assert!(listener.accept(Duration::from_millis(5)).unwrap().is_none());
    // Two children at a time, each with its own session.
    let mut children = [start_named(&name), start_named(&name)];
    let mut sessions: Vec<_> =
        (0..2).map(|_| listener.accept(Duration::from_secs(20)).unwrap().unwrap()).collect();
    let mut held = Vec::new();
    for session in &mut sessions {
        let frame = frame(session);
        let pid = session.child_pid().unwrap();
        assert_eq!(drawn_by(&frame), pid);
        held.push(frame);
        session.send(&pid.to_le_bytes()).unwrap();
        assert_eq!(message(session), pid.to_le_bytes());
    }
    // One is closed politely, one dies.
    let polite = sessions.remove(0);
    let polite_pid = polite.child_pid().unwrap();
    let (polite_child, other_child) = {
        let [a, b] = &mut children;
        if a.id() == polite_pid { (a, b) } else { (b, a) }
    };
    let mut polite = polite;
    assert_eq!(polite.close_child(Duration::from_secs(20)).reason, ExitReason::Closed);
    assert!(polite_child.wait().unwrap().success());
    other_child.kill().unwrap();
    let session = &mut sessions[0];
    let (exit, restart_in) = exited(session);
    assert_eq!((exit.reason, exit.connected), (ExitReason::Disconnected, true));
    assert_eq!(restart_in, None);
    other_child.wait().unwrap();
    for frame in &held {
        assert_eq!(check(frame, None), Ok(()));
    }
    // The session's end is the child's: it is told, although nobody kills it.
    let mut third = start_named(&name);
    let mut session = listener.accept(Duration::from_secs(20)).unwrap().unwrap();
    frame(&mut session);
    await_sleep(third.id());
    drop(session);
    assert!(third.wait().unwrap().success());
    drop(listener);
    assert!(matches!(Renderer::connect_to(&name), Err(Error::NoSuchName(_))));
    std::fs::remove_file(name_directory().join(format!("{name}.lock"))).unwrap();
}

#[test]
fn a_wish_after_the_last_dispatch_is_heard_by_poll() {
    let _watchdog = watchdog("wishes");
    let mut session = Session::spawn(start("paced")).unwrap();
    let first = frame(&mut session);
    while event_within(&mut session, Duration::from_millis(50)).is_some() {}
    session.wake_at(Timestamp::now() + Duration::from_millis(20));
    assert!(is_readable(&session, Duration::from_secs(20)));
    assert!(session.dispatch().unwrap().is_none());
    assert!(!is_readable(&session, Duration::from_millis(20)));
    // Frames that came while none were wanted.
    session.set_wants_frames(false);
    session.begin_frame(Timestamp::now());
    await_sleep(session.child_pid().unwrap());
    std::thread::sleep(Duration::from_millis(20));
    assert!(session.dispatch().unwrap().is_none());
    assert!(!is_readable(&session, Duration::from_millis(20)));
    session.set_wants_frames(true);
    assert!(is_readable(&session, Duration::from_secs(20)));
    assert!(matches!(session.dispatch().unwrap(), Some(Event::Frame(_))));
    drop(first);
}

#[test]
fn restarts_that_were_meant_are_forgotten() {
    let _watchdog = watchdog("forgotten restarts");
    let restart = Restart::default().delay(Duration::from_millis(1)).limit(1);
    let mut session = Session::spawn(start("paced").restart(restart)).unwrap();
    for _ in 0..3 {
        frame(&mut session);
        session.forget_restarts();
        session.kill_child();
        assert_eq!(exited(&mut session).1, Some(Duration::from_millis(1)));
    }
    frame(&mut session);
    session.kill_child();
    assert_eq!(exited(&mut session).1, None);
}

#[test]
fn frames_unread_at_the_end_wait_until_they_are_wanted() {
    let _watchdog = watchdog("unread at the end");
    for (fifo, wanted) in [("1", vec![1, 2]), ("0", vec![2])] {
        let mut session =
            Session::spawn(start("free").env("FRAMES", "2").env("FIFO", fifo)).unwrap();
        session.set_wants_frames(false);
        assert_eq!(exited(&mut session), (session.exit().unwrap().clone(), None));
        assert!(!session.is_over());
        assert!(event_within(&mut session, Duration::from_millis(20)).is_none());
        session.set_wants_frames(true);
        assert!(is_readable(&session, Duration::from_secs(20)));
        for sequence in wanted {
            assert_eq!(frame(&mut session).id().sequence, sequence);
        }
        assert!(session.is_over());
        let stats = session.stats();
        assert_eq!((stats.presented, stats.shown + stats.superseded), (2, 2), "{stats:?}");
    }
}

#[test]
fn a_child_that_is_asked_to_end_is_heard_out() {
    let _watchdog = watchdog("heard out");
    let restart = Restart::default().delay(Duration::from_millis(1));
    for wanted in [true, false] {
        let mut session = Session::spawn(start("resizing").restart(restart)).unwrap();
        session.set_wants_frames(false);
        await_connected(&mut session);
        assert!(matches!(event(&mut session), Event::Setup { .. }));
        await_sleep(session.child_pid().unwrap());
        session.ask_to_end();
        session.ask_to_end();
        let (exit, restart_in) = exited(&mut session);
        assert_eq!((exit.reason, restart_in), (ExitReason::Closed, None));
        if wanted {
            session.set_wants_frames(true);
            assert!(matches!(event(&mut session), Event::Frame(_)));
        } else {
            assert!(!session.is_over());
            session.close_child(Deadline::NOW);
        }
        assert!(session.is_over());
        let stats = session.stats();
        let lost = u64::from(!wanted);
        assert_eq!((stats.presented, stats.shown, stats.lost), (1, 1 - lost, lost));
        // Nobody is left to be asked.
        session.ask_to_end();
        assert!(session.dispatch().unwrap().is_none());
    }
}

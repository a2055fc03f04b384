//! Death in every state of a session: of the child, and of the host.
#![cfg(target_os = "linux")]
#![allow(missing_docs)]

mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use support::raw::Raw;
use support::roles::{ROLES, show_one};
use support::{
    Role, await_connected, await_sleep, await_stop, check, drawn_by, event, event_within, frame,
    has_ended, has_no_children, is_readable, open_fds, parameter, pidfd, run_child, signal, start,
    start_plain, swapchain, watchdog,
};
use surfaceport::{
    Command, Deadline, Error, Event, Exit, ExitReason, Frame, Limits, Renderer, RendererEvent,
    Restart, Session, Stats,
};

/// The tests look at what the process has open: one at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// A session moves to the thread that is to use it.
const _: fn() = || {
    fn is_send<T: Send>() {}
    is_send::<Session>();
    is_send::<surfaceport::Listener>();
    is_send::<Frame>();
};

/// Not a test of its own: what the others start.
#[test]
fn child() {
    let own: &[Role<'_>] = &[
        ("host", host),
        ("survivor", survivor),
        ("raw_closes", raw_closes),
        ("has_grandchild", has_grandchild),
    ];
    run_child(&[ROLES, own].concat());
}

/// How to get a session into a state.
struct State {
    name: &'static str,
    role: &'static str,
    env: &'static [(&'static str, &'static str)],
    /// Brings it there; the frames that the host holds then.
    reach: fn(&mut Session) -> Vec<Frame>,
    /// Whether the child had said Hello.
    connected: bool,
    /// The frames that are unread then, and nobody may lose.
    unread: &'static [u64],
}

impl State {
    const NONE: Self =
        Self { name: "", role: "", env: &[], reach: |_| Vec::new(), connected: true, unread: &[] };

    fn command(&self) -> Command {
        self.env.iter().fold(start(self.role), |command, (key, value)| command.env(key, value))
    }
}

const FIFO: &[(&str, &str)] = &[("FIFO", "1"), ("SLOTS", "4")];

const STATES: &[State] = &[
    State { name: "greeting", role: "silent", connected: false, ..State::NONE },
    State { name: "live, no setup", role: "connected", reach: reach_connected, ..State::NONE },
    State { name: "drawing", role: "free", reach: reach_drawing, ..State::NONE },
    State {
        name: "drawing slowly",
        role: "free",
        env: &[("PAUSE_US", "2000")],
        reach: reach_drawing,
        ..State::NONE
    },
    State {
        name: "frames held by the host",
        role: "free",
        env: &[("SLOTS", "4")],
        reach: reach_held,
        ..State::NONE
    },
    State {
        name: "resizing, two generations live",
        role: "resizing",
        reach: reach_resizing,
        ..State::NONE
    },
    State {
        name: "asleep in acquire, fifo unread",
        role: "free",
        env: FIFO,
        reach: reach_full,
        unread: &[1, 2, 3, 4],
        ..State::NONE
    },
    State {
        name: "asleep in acquire, all held",
        role: "free",
        env: &[("FIFO", "1"), ("SLOTS", "2")],
        reach: reach_all_held,
        ..State::NONE
    },
    State { name: "asleep in wait_begin_frame", role: "paced", reach: reach_one, ..State::NONE },
    State {
        name: "one frame unread",
        role: "paced",
        reach: reach_unread,
        unread: &[1],
        ..State::NONE
    },
    State {
        name: "after bye, fifo unread",
        role: "bye",
        env: &[("FIFO", "1"), ("SLOTS", "4"), ("FRAMES", "3")],
        reach: reach_bye,
        unread: &[1, 2, 3],
        ..State::NONE
    },
    State {
        name: "spinning, never calls again",
        role: "spinning",
        reach: reach_one,
        ..State::NONE
    },
    State { name: "stopped", role: "free", reach: reach_stopped, ..State::NONE },
];

fn reach_connected(session: &mut Session) -> Vec<Frame> {
    await_connected(session);
    Vec::new()
}

fn reach_drawing(session: &mut Session) -> Vec<Frame> {
    for _ in 0..10 {
        frame(session);
    }
    Vec::new()
}

fn reach_held(session: &mut Session) -> Vec<Frame> {
    (0..2).map(|_| frame(session)).collect()
}

fn reach_resizing(session: &mut Session) -> Vec<Frame> {
    let old = frame(session);
    session.send(b"resize").unwrap();
    let new = frame(session);
    assert_eq!([old.id().generation, new.id().generation], [1, 2]);
    vec![old, new]
}

/// Fifo: the child presents all its slots and then waits for one.
fn reach_full(session: &mut Session) -> Vec<Frame> {
    session.set_wants_frames(false);
    await_setup(session);
    await_sleep(session.child_pid().unwrap());
    session.set_wants_frames(true);
    Vec::new()
}

fn reach_all_held(session: &mut Session) -> Vec<Frame> {
    let held = vec![frame(session), frame(session)];
    await_sleep(session.child_pid().unwrap());
    held
}

fn reach_one(session: &mut Session) -> Vec<Frame> {
    vec![frame(session)]
}

fn reach_unread(session: &mut Session) -> Vec<Frame> {
    session.set_wants_frames(false);
    await_setup(session);
    await_sleep(session.child_pid().unwrap());
    session.set_wants_frames(true);
    Vec::new()
}

fn reach_bye(session: &mut Session) -> Vec<Frame> {
    session.set_wants_frames(false);
    await_setup(session);
    while session.is_connected() {
        let _nothing = event_within(session, Duration::from_millis(10));
    }
    session.set_wants_frames(true);
    Vec::new()
}

fn reach_stopped(session: &mut Session) -> Vec<Frame> {
    let held = vec![frame(session)];
    signal(session.child_pid().unwrap(), Signal::STOP);
    held
}

fn await_setup(session: &mut Session) {
    while !matches!(event(session), Event::Setup { .. }) {}
}

/// Every frame is counted once. Nothing may be held.
fn assert_adds_up(stats: Stats) {
    let Stats { presented, shown, superseded, stale, lost, .. } = stats;
    assert_eq!(presented, shown + superseded + stale + lost, "{stats:?}");
}

fn assert_killed(exit: &Exit, state: &State) {
    assert!(matches!(exit.reason, ExitReason::Signalled { signal: 9, .. }), "{exit:?}");
    assert_eq!(exit.connected, state.connected, "{exit:?}");
}

/// What comes after the last frame that was taken: frames of the old child,
/// each whole, all that were unread.
fn assert_unread(frames: &[Frame], pid: u32, state: &State) {
    for frame in frames {
        assert_eq!(check(frame, Some(pid)), Ok(()));
    }
    if state.unread.is_empty() {
        // In mailbox there may be one.
        assert!(frames.len() <= 1, "{frames:?}");
    } else {
        let sequences: Vec<_> = frames.iter().map(|frame| frame.id().sequence).collect();
        assert_eq!(sequences, state.unread);
    }
}

#[test]
fn child_killed_in_every_state() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // What is made once and stays: the thread that starts children.
    drop(Session::spawn(start("silent")).unwrap());
    for state in STATES {
        println!("child killed, {}", state.name);
        let _watchdog = watchdog(state.name);
        let before = open_fds();
        child_killed(state);
        assert_eq!(open_fds(), before);
        assert!(has_no_children());

        println!("child killed and started again, {}", state.name);
        child_killed_and_restarted(state);
        assert_eq!(open_fds(), before);
        assert!(has_no_children());
    }
}

/// Blocking, and no next child.
fn child_killed(state: &State) {
    let mut session = Session::spawn(state.command().restart(Restart::never())).unwrap();
    let mut held = (state.reach)(&mut session);
    let pid = session.child_pid().unwrap();
    signal(pid, Signal::KILL);
    let mut unread = Vec::new();
    let exit = loop {
        match session.next_frame(Duration::from_secs(20)) {
            Ok(frame) => unread.push(frame.expect("the end within 20 s")),
            Err(Error::ChildGone(exit)) => break exit,
            Err(error) => panic!("{error}"),
        }
    };
    assert_killed(&exit, state);
    assert_eq!(exit.pid, Some(pid));
    assert_eq!(session.exit(), Some(&*exit));
    assert_unread(&unread, pid, state);
    held.append(&mut unread);
    for frame in &held {
        assert_eq!(check(frame, Some(pid)), Ok(()));
    }
    held.truncate(1);
    assert!(matches!(session.next_frame(Deadline::NEVER), Err(Error::ChildGone(_))));
    // One lives longer than the session.
    let stats = session.stats();
    assert_eq!(stats.lost, 0);
    drop(session);
    for frame in &held {
        assert_eq!(check(frame, Some(pid)), Ok(()));
    }
}

/// Polled, and the next child takes over.
fn child_killed_and_restarted(state: &State) {
    let restart = Restart::default().delay(Duration::from_millis(1)).limit(1);
    let mut session = Session::spawn(state.command().restart(restart)).unwrap();
    let held = (state.reach)(&mut session);
    let pid = session.child_pid().unwrap();
    signal(pid, Signal::KILL);
    let (unread, exit, restart_in) = events_until_exit(&mut session);
    assert_killed(&exit, state);
    assert_unread(&unread, pid, state);
    drop(unread);
    assert_eq!(restart_in.is_some(), state.connected);
    if state.connected {
        loop {
            match event(&mut session) {
                Event::Connected { pid: Some(next) } => assert_ne!(next, pid),
                // The others draw as soon as they live.
                Event::Setup { generation: 1, .. } if state.role != "connected" => {}
                Event::Frame(frame) => {
                    assert_eq!(Some(drawn_by(&frame)), session.child_pid());
                    assert_eq!(check(&frame, None), Ok(()));
                    break;
                }
                other => panic!("{other:?}"),
            }
            if state.role == "connected" {
                break;
            }
        }
        for frame in &held {
            assert_eq!(check(frame, Some(pid)), Ok(()));
        }
        session.kill_child();
        let (_, exit, restart_in) = events_until_exit(&mut session);
        assert_eq!(restart_in, None);
        assert_killed(&exit, state);
        assert_eq!(session.stats().restarts, 1);
    }
    assert!(session.dispatch().unwrap().is_none());
    for frame in held {
        assert_eq!(check(&frame, Some(pid)), Ok(()));
    }
    assert_adds_up(session.stats());
}

fn events_until_exit(session: &mut Session) -> (Vec<Frame>, Exit, Option<Duration>) {
    let mut frames = Vec::new();
    loop {
        match event(session) {
            Event::Frame(frame) => frames.push(frame),
            Event::Exited { exit, restart_in } => {
                // Frames that were unread come behind it, or came before.
                return (frames, exit, restart_in);
            }
            Event::Connected { .. } | Event::Setup { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Where nothing happens, nothing wakes the host: no fd stays readable.
#[test]
fn a_session_in_which_nothing_happens_sleeps() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for state in STATES.iter().filter(|state| !state.name.starts_with("drawing")) {
        println!("asleep, {}", state.name);
        let _watchdog = watchdog(state.name);
        let mut session = Session::spawn(state.command()).unwrap();
        let mut held = (state.reach)(&mut session);
        // A child that draws without end does so until all its slots are held.
        while let Some(event) = event_within(&mut session, Duration::from_millis(30)) {
            if let Event::Frame(frame) = event {
                held.push(frame);
            }
        }
        // One wake-up may be a timer's that was set for what came earlier.
        let mut wakes = 0;
        while wakes < 10 && is_readable(&session, Duration::from_millis(50)) {
            assert!(session.dispatch().unwrap().is_none());
            wakes += 1;
        }
        assert!(wakes <= 1, "woke {wakes} times for nothing");
    }
}

/// A host that dies while its child is being started again leaves nothing, and
/// neither does a session that is dropped then.
#[test]
fn session_dropped_in_back_off() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let _watchdog = watchdog("back-off");
    drop(Session::spawn(start("silent")).unwrap());
    let before = open_fds();
    let restart = Restart::default().delay(Duration::from_millis(50));
    let mut session = Session::spawn(start("paced").restart(restart)).unwrap();
    let last = frame(&mut session);
    session.kill_child();
    assert!(matches!(events_until_exit(&mut session), (_, _, Some(_))));
    assert!(session.child_pid().is_none());
    drop(session);
    assert_eq!(check(&last, None), Ok(()));
    drop(last);
    assert_eq!(open_fds(), before);
    std::thread::sleep(Duration::from_millis(100));
    assert!(has_no_children());
}

/// The child dies while the host waits for a frame.
#[test]
fn child_killed_while_the_host_waits() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let _watchdog = watchdog("host in next_frame");
    for restarted in [false, true] {
        println!("child killed, host in next_frame, restarted: {restarted}");
        let restart = Restart::default().delay(Duration::from_millis(1)).limit(restarted.into());
        let mut session = Session::spawn(start("paced").restart(restart)).unwrap();
        let first = frame(&mut session);
        let pid = session.child_pid().unwrap();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            signal(pid, Signal::KILL);
        });
        match session.next_frame(Deadline::NEVER) {
            Ok(frame) if restarted => assert_ne!(drawn_by(&frame.unwrap()), pid),
            Err(Error::ChildGone(exit)) if !restarted => assert_eq!(exit.pid, Some(pid)),
            other => panic!("{other:?}"),
        }
        assert_eq!(check(&first, Some(pid)), Ok(()));
        killer.join().unwrap();
    }
}

/// The process in the middle: it starts a child, gets into a state, says so, and
/// is killed.
fn host() -> Result<(), Error> {
    let name: String = parameter("STATE", String::new());
    let die = parameter("DIE", 1) != 0;
    let restart = Restart::default().delay(Duration::from_secs(60));
    let host = move |state: &State| {
        let command = state.command().die_with_host(die).restart(restart);
        let mut session = Session::spawn(command).unwrap();
        let held = (state.reach)(&mut session);
        (session, held)
    };
    let state = STATES.iter().find(|state| state.name == name);
    let (mut session, held) = match (name.as_str(), state) {
        (_, Some(state)) => host(state),
        // The one that called is not the one that stays.
        ("thread ended", _) => std::thread::spawn(move || host(&STATES[2])).join().unwrap(),
        ("in back-off", _) => {
            let (mut session, held) = host(&STATES[2]);
            session.kill_child();
            events_until_exit(&mut session);
            println!("READY 0");
            std::io::stdout().flush().unwrap();
            (session, held)
        }
        ("in next_frame", _) => {
            let mut session = Session::spawn(start("paced").die_with_host(die)).unwrap();
            let first = frame(&mut session);
            (session, vec![first])
        }
        ("survivor", _) => {
            let mode = parameter("MODE", String::new());
            let command = start("survivor").die_with_host(die).env("MODE", &mode);
            let mut session = Session::spawn(command).unwrap();
            let first = frame(&mut session);
            // Now it may replace the swapchain, which makes unread frames stale.
            session.send(b"seen").unwrap();
            (session, vec![first])
        }
        _ => panic!("{name}"),
    };
    if let Some(pid) = session.child_pid() {
        println!("READY {pid}");
        std::io::stdout().flush().unwrap();
    }
    let more = (name == "in next_frame").then(|| session.next_frame(Deadline::NEVER));
    std::thread::sleep(Duration::from_secs(60));
    drop((held, more));
    Ok(())
}

/// Starts a host in the middle and kills it in a state; the child's pidfd.
fn kill_host(configure: impl FnOnce(&mut std::process::Command)) -> Option<std::os::fd::OwnedFd> {
    let mut command = start_plain("host");
    command.stdout(Stdio::piped());
    configure(&mut command);
    let mut host = command.spawn().unwrap();
    let child = BufReader::new(host.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap)
        .find_map(|line| line.split_once("READY ").map(|(_, pid)| pid.parse::<u32>().unwrap()))
        .expect("the host gets ready");
    let child = (child != 0).then(|| pidfd(child));
    std::thread::sleep(Duration::from_millis(10));
    host.kill().unwrap();
    host.wait().unwrap();
    child
}

/// Processes that were started with this mark in their environment and live.
fn marked(mark: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        let environment = std::fs::read(format!("/proc/{name}/environ")).ok()?;
        environment.windows(mark.len()).any(|window| window == mark.as_bytes()).then_some(name)
    });
    processes.collect()
}

#[test]
fn host_killed_in_every_state() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let others = ["thread ended", "in back-off", "in next_frame"];
    for name in STATES.iter().map(|state| state.name).chain(others) {
        println!("host killed, {name}");
        let _watchdog = watchdog(name);
        let mark = format!("host-killed-{}-{name}", std::process::id());
        let child = kill_host(|command| {
            command.env("STATE", name).env("MARK", &mark);
        });
        if let Some(child) = child {
            assert!(has_ended(&child, Duration::from_secs(20)), "the child lives on");
        }
        let until = Instant::now() + Duration::from_secs(20);
        while !marked(&mark).is_empty() {
            assert!(Instant::now() < until, "left behind: {:?}", marked(&mark));
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A child that the kernel does not end: what its next call says.
fn survivor() -> Result<(), Error> {
    let mode: String = parameter("MODE", String::new());
    let report: String = parameter("REPORT", String::new());
    let renderer = Renderer::connect()?;
    let chain = swapchain(&renderer)?;
    show_one(&chain, 1)?;
    let seen = renderer.next_event(Deadline::NEVER)?;
    assert_eq!(seen, Some(RendererEvent::Message(b"seen".to_vec())));
    let mut sequence = 1;
    let end = loop {
        let step = match mode.as_str() {
            "acquire" => show_one(&chain, sequence + 1),
            "acquire and give back" => chain.acquire(Deadline::NEVER).map(drop),
            "wait_begin_frame" => chain.wait_begin_frame(Deadline::NEVER).map(drop),
            "next_event" => renderer.next_event(Deadline::NEVER).map(drop),
            "dispatch" => renderer.dispatch().map(drop),
            "send" => renderer.send(b"hello"),
            "swapchain" => swapchain(&renderer).map(drop),
            _ => panic!("{mode}"),
        };
        sequence += 1;
        match step {
            Ok(()) => std::thread::sleep(Duration::from_micros(500)),
            // A host that does not listen any more.
            Err(Error::QueueFull | Error::TimedOut { .. }) => {}
            Err(error) => break error,
        }
    };
    std::fs::write(report, format!("{end:?}")).unwrap();
    Ok(())
}

#[test]
fn a_child_that_outlives_its_host_is_told() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let modes = [
        ("acquire", "0"),
        ("acquire", "1"),
        ("acquire and give back", "0"),
        ("wait_begin_frame", "0"),
        ("next_event", "0"),
        ("dispatch", "0"),
        ("send", "0"),
        ("swapchain", "0"),
    ];
    let report = std::env::temp_dir().join(format!("surfaceport-death-{}", std::process::id()));
    for (mode, fifo) in modes {
        println!("host killed, child in {mode}, fifo: {fifo}");
        let _watchdog = watchdog(mode);
        let _old = std::fs::remove_file(&report);
        let child = kill_host(|command| {
            command.env("STATE", "survivor").env("DIE", "0").env("MODE", mode).env("FIFO", fifo);
            command.env("REPORT", &report);
        });
        assert!(has_ended(&child.unwrap(), Duration::from_secs(20)), "the child hangs");
        assert_eq!(std::fs::read_to_string(&report).unwrap(), "HostGone");
    }
    std::fs::remove_file(&report).unwrap();
}

/// Says Hello by hand, closes the connection, and stays.
fn raw_closes() -> Result<(), Error> {
    let raw = Raw::inherited();
    let _hookup = raw.greet();
    raw.shut_down();
    std::thread::sleep(Duration::from_millis(parameter("STAY_MS", 60_000)));
    std::process::exit(5);
}

/// The child exited in time, and it is the host that comes late.
#[test]
fn an_exit_in_time_that_is_seen_late_is_an_exit() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let _watchdog = watchdog("late host");
    let limits = Limits::default().exit(Duration::from_millis(500));
    let command = start("raw_closes").env("STAY_MS", "50").limits(limits).restart(Restart::never());
    let mut session = Session::spawn(command).unwrap();
    let process = pidfd(session.child_pid().unwrap());
    assert!(matches!(event(&mut session), Event::Connected { .. }));
    while session.is_connected() {
        assert!(event_within(&mut session, Duration::from_millis(5)).is_none());
    }
    assert!(has_ended(&process, Duration::from_secs(20)));
    std::thread::sleep(Duration::from_millis(600));
    let (_, exit, _) = events_until_exit(&mut session);
    assert_eq!(exit.reason, ExitReason::Exited(5));
}

#[test]
fn a_child_that_closes_and_stays_is_ended() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for (role, reason) in [("raw_closes", ExitReason::Disconnected), ("bye", ExitReason::Closed)] {
        let _watchdog = watchdog(role);
        let limits = Limits::default().exit(Duration::from_millis(100));
        let command = start(role).limits(limits).restart(Restart::never());
        let mut session = Session::spawn(command).unwrap();
        let started = Instant::now();
        let (_, exit, restart_in) = events_until_exit(&mut session);
        assert!(started.elapsed() >= Duration::from_millis(100));
        assert_eq!(exit.reason, reason);
        assert!(exit.connected);
        assert_eq!(restart_in, None);
    }
}

/// Starts a process that inherits the socket, and lives longer than this one.
fn has_grandchild() -> Result<(), Error> {
    #[expect(clippy::zombie_processes, reason = "it outlives this process on purpose")]
    let grandchild =
        std::process::Command::new("sleep").arg("60").process_group(0).spawn().unwrap();
    let renderer = Renderer::connect()?;
    let chain = swapchain(&renderer)?;
    renderer.send(&grandchild.id().to_le_bytes())?;
    show_one(&chain, 1)?;
    loop {
        renderer.next_event(Deadline::NEVER)?;
    }
}

#[test]
fn a_grandchild_with_the_socket_delays_nothing() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let _watchdog = watchdog("grandchild");
    let mut session = Session::spawn(start("has_grandchild").restart(Restart::never())).unwrap();
    // In either order: frames and messages travel by different ways.
    let (mut grandchild, mut held) = (None, None);
    while grandchild.is_none() || held.is_none() {
        match event(&mut session) {
            Event::Message(bytes) => {
                grandchild = Some(u32::from_le_bytes(bytes.try_into().unwrap()));
            }
            Event::Frame(frame) => held = Some(frame),
            _ => {}
        }
    }
    let (grandchild, held) = (grandchild.unwrap(), held.unwrap());
    let pid = session.child_pid().unwrap();
    let watched = pidfd(grandchild);
    signal(pid, Signal::KILL);
    let (_, exit, _) = events_until_exit(&mut session);
    assert_eq!(exit.pid, Some(pid));
    assert!(!has_ended(&watched, Duration::ZERO), "the grandchild lived when the end was told");
    // Nothing of it makes the session wake again and again; a timer that was set
    // before may do so once.
    assert!(session.dispatch().unwrap().is_none());
    if is_readable(&session, Duration::from_millis(20)) {
        assert!(session.dispatch().unwrap().is_none());
    }
    assert!(!is_readable(&session, Duration::from_millis(20)));
    assert_eq!(check(&held, Some(pid)), Ok(()));
    signal(grandchild, Signal::KILL);
}

#[test]
fn a_stopped_child_stalls_and_goes_on() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let _watchdog = watchdog("stopped");
    let limits = Limits::default().stall(Duration::from_millis(100));
    let mut session = Session::spawn(start("paced").limits(limits)).unwrap();
    let first = loop {
        if let Event::Frame(frame) = event(&mut session) {
            break frame;
        }
    };
    let pid = session.child_pid().unwrap();
    signal(pid, Signal::STOP);
    await_stop(pid);
    // As a display does it: nothing is dispatched between this and the poll.
    assert!(session.dispatch().unwrap().is_none());
    session.begin_frame(surfaceport::Timestamp::now());
    let stalled = event(&mut session);
    assert!(matches!(stalled, Event::Stalled), "{stalled:?}");
    let waited = surfaceport::Timestamp::now().since(first.taken_at());
    assert!(waited >= Duration::from_millis(100));
    // Once, not again and again.
    assert!(event_within(&mut session, Duration::from_millis(300)).is_none());
    assert_eq!(check(&first, Some(pid)), Ok(()));
    assert_eq!(session.child_pid(), Some(pid));
    signal(pid, Signal::CONT);
    let next = frame(&mut session);
    assert_eq!(next.id().sequence, 2);
}

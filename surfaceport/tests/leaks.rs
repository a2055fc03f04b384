//! A thousand children live and die, and the host is as it was. Alone in its
//! binary, because it counts what the process has.
#![cfg(target_os = "linux")]
#![allow(missing_docs)]

mod support;

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use support::raw::Raw;
use support::roles::ROLES;
use support::{
    Role, await_connected, check, draw, event, frame, has_no_children, name_directory, open_fds,
    run_child, start, start_plain,
};
use surfaceport::{
    Command, Damage, Deadline, Error, Event, ExitReason, Limits, Listener, Renderer, Restart,
    Session, Size, SwapchainDescriptor, Violation,
};

/// Not a test of its own: what the other starts.
#[test]
fn child() {
    let own: &[Role<'_>] = &[
        ("garbage", garbage),
        ("bad word", bad_word),
        ("talkative", talkative),
        ("fails", fails),
        ("too large", too_large),
        ("named", named),
    ];
    run_child(&[ROLES, own].concat());
}

/// What a process can leak.
#[derive(Debug, PartialEq, Eq)]
struct Belongings {
    fds: Vec<String>,
    /// Mappings that have a name, as shared memory and files have: how many of each.
    mappings: BTreeMap<String, usize>,
    threads: usize,
    /// Resident memory in MiB, for what is only bounded, and anonymous mappings:
    /// the allocator's own.
    heap: Heap,
}

/// Equal if not much larger.
#[derive(Debug)]
struct Heap {
    resident: u64,
    anonymous: usize,
}

impl PartialEq for Heap {
    fn eq(&self, other: &Self) -> bool {
        self.resident.abs_diff(other.resident) <= 8 && self.anonymous.abs_diff(other.anonymous) <= 4
    }
}

impl Eq for Heap {}

impl Belongings {
    fn now() -> Self {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mut mappings = BTreeMap::new();
        let mut anonymous = 0;
        // AddressSanitizer maps by itself.
        for line in maps.lines().filter(|_| !support::is_instrumented()) {
            // Five fields, then the name.
            match line.split_whitespace().nth(5) {
                None => anonymous += 1,
                Some("[heap]" | "[stack]") => {}
                Some(name) => *mappings.entry(name.to_owned()).or_default() += 1,
            }
        }
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kib: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
        let kib = if support::is_instrumented() { 0 } else { kib };
        Self {
            fds: open_fds(),
            mappings,
            threads: std::fs::read_dir("/proc/self/task").unwrap().count(),
            heap: Heap { resident: kib >> 10, anonymous },
        }
    }

    /// Ends that are under way (of the test harness's own threads) may take a moment.
    fn assert_are(before: &Self) {
        let until = Instant::now() + Duration::from_secs(10);
        while Self::now() != *before && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(Self::now(), *before);
        assert!(has_no_children());
        for task in std::fs::read_dir("/proc/self/task").unwrap() {
            // Where the kernel is built with it.
            let children = std::fs::read_to_string(task.unwrap().path().join("children"));
            assert_eq!(children.unwrap_or_default(), "");
        }
    }
}

type Round = (&'static str, fn());

const ROUNDS: &[Round] = &[
    ("dropped at once", || drop(Session::spawn(start("silent")).unwrap())),
    ("killed before Hello", || {
        let mut session = Session::spawn(start("silent")).unwrap();
        session.kill_child();
        assert!(matches!(session.next_frame(Deadline::NEVER), Err(Error::ChildGone(_))));
    }),
    ("killed after Hello", || {
        let mut session = spawn(start("connected"));
        await_connected(&mut session);
        session.kill_child();
        assert!(matches!(session.next_frame(Deadline::NEVER), Err(Error::ChildGone(_))));
    }),
    ("dropped after Setup", || {
        let mut session = spawn(start("free"));
        while !matches!(event(&mut session), Event::Setup { .. }) {}
    }),
    ("killed after frames", || {
        let mut session = spawn(start("free"));
        for _ in 0..3 {
            frame(&mut session);
        }
        session.kill_child();
        while session.next_frame(Deadline::NEVER).is_ok() {}
    }),
    ("dropped after frames", || {
        let mut session = spawn(start("free"));
        for _ in 0..3 {
            frame(&mut session);
        }
    }),
    ("frames live longer", || {
        let mut session = spawn(start("free").env("SLOTS", "4"));
        let held = [frame(&mut session), frame(&mut session)];
        drop(session);
        for frame in held {
            assert_eq!(check(&frame, None), Ok(()));
            std::thread::spawn(move || drop(frame)).join().unwrap();
        }
    }),
    ("fifo, unread frames", || {
        let mut session = spawn(start("free").env("FIFO", "1"));
        let held = frame(&mut session);
        session.kill_child();
        assert!(!matches!(session.next_frame(Deadline::NEVER), Ok(None)));
        drop(session);
        drop(held);
    }),
    ("started again", || {
        let restart = Restart::default().delay(Duration::from_millis(1)).limit(1);
        let mut session = Session::spawn(start("paced").restart(restart)).unwrap();
        let first = frame(&mut session);
        session.kill_child();
        let second = frame(&mut session);
        assert_ne!(first.user_data(), second.user_data());
        drop(session);
    }),
    ("dropped in back-off", || {
        let mut session = Session::spawn(start("paced")).unwrap();
        let _held = frame(&mut session);
        session.kill_child();
        while !matches!(event(&mut session), Event::Exited { .. }) {}
    }),
    ("messages in flight", || {
        let mut session = spawn(start("talkative"));
        await_connected(&mut session);
        while session.send(&[7; 10_000]).is_ok() {}
    }),
    ("resized", || {
        let mut session = spawn(start("resizing"));
        let old = frame(&mut session);
        session.send(b"resize").unwrap();
        let new = frame(&mut session);
        drop(old);
        session.send(b"resize").unwrap();
        let newest = frame(&mut session);
        drop(session);
        drop((new, newest));
    }),
    ("closed politely", || {
        let mut session = spawn(start("connected"));
        await_connected(&mut session);
        let exit = session.close_child(Duration::from_secs(20));
        assert_eq!(exit.reason, ExitReason::Closed);
    }),
    ("closed by force", || {
        let mut session = spawn(start("spinning"));
        frame(&mut session);
        session.close_child(Deadline::NOW);
    }),
    ("exited with a code", || {
        let mut session = spawn(start("fails"));
        let Err(Error::ChildGone(exit)) = session.next_frame(Deadline::NEVER) else { panic!() };
        assert_eq!(exit.reason, ExitReason::Exited(1));
    }),
    ("could not be started", || {
        let program = Command::new("/no/such/program");
        assert!(matches!(Session::spawn(program), Err(Error::Spawn { .. })));
    }),
    ("wrote garbage", || {
        let mut session = spawn(start("garbage"));
        while session.next_frame(Deadline::NEVER).is_ok() {}
        assert_eq!(session.violations(Violation::LengthMismatch), 1);
    }),
    ("published garbage", || {
        let mut session = spawn(start("bad word"));
        while session.next_frame(Deadline::NEVER).is_ok() {}
        assert_eq!(session.violations(Violation::SlotOutOfRange), 1);
    }),
    ("was refused", || {
        let limits = Limits::default().surface_bytes(10_000);
        let mut session = spawn(start("too large").limits(limits));
        while session.next_frame(Deadline::NEVER).is_ok() {}
        assert_eq!(session.stats().setups_refused, 1);
    }),
];

fn spawn(command: Command) -> Session {
    Session::spawn(command.restart(Restart::never())).unwrap()
}

/// A message whose length is wrong, with handles.
fn garbage() -> Result<(), Error> {
    let raw = Raw::inherited();
    let _hookup = raw.greet();
    let handle = support::raw::surface(4096);
    let handle = std::os::fd::AsFd::as_fd(&handle);
    raw.send(b"ten thousand monkeys", &[handle; 5]);
    std::thread::sleep(Duration::from_secs(60));
    Ok(())
}

/// Frames, and then a word that can't be.
fn bad_word() -> Result<(), Error> {
    let raw = Raw::inherited();
    let hookup = raw.greet();
    let _surfaces = raw.set_up(&support::raw::Setup::small(1));
    hookup.publish(1, 0, 1);
    std::thread::sleep(Duration::from_millis(2));
    hookup.publish(1, 9, 2);
    std::thread::sleep(Duration::from_secs(60));
    Ok(())
}

/// Writes messages and reads none.
fn talkative() -> Result<(), Error> {
    let raw = Raw::inherited();
    let _hookup = raw.greet();
    while raw.send(&support::raw::packet(6, &[1; 10_000]), &[]) {}
    Ok(())
}

fn fails() -> Result<(), Error> {
    let _renderer = Renderer::connect()?;
    Err(Error::NoFreeSlot)
}

/// More than it may, and then it goes by itself.
fn too_large() -> Result<(), Error> {
    let raw = Raw::inherited();
    let _hookup = raw.greet();
    raw.set_up(&support::raw::Setup::small(1));
    let (refused, _) = raw.receive().unwrap();
    assert_eq!(refused[0], 8);
    Ok(())
}

#[test]
fn a_thousand_children_leave_nothing() {
    let mut slowest = BTreeMap::new();
    let mut round = |index: usize| {
        let (name, round) = ROUNDS[index % ROUNDS.len()];
        let started = Instant::now();
        round();
        let time = slowest.entry(name).or_insert(Duration::ZERO);
        *time = started.elapsed().max(*time);
    };
    // What is made once and stays: the thread that starts children, the
    // allocator's arenas, lazily loaded code.
    (0..2 * ROUNDS.len()).for_each(&mut round);
    // The other test's thread ends.
    std::thread::sleep(Duration::from_millis(50));
    let before = Belongings::now();
    assert!(has_no_children());
    for index in 0..1000 {
        round(index);
        if index % 100 == 99 {
            println!("{} rounds", index + 1);
            Belongings::assert_are(&before);
        }
    }
    println!("slowest: {slowest:#?}");
    named_rounds();
}

/// Children that connect by name, to a name that comes and goes too.
fn named_rounds() {
    let name = format!("test.leaks.{}", std::process::id());
    let mut listener = None;
    let mut before = None;
    for index in 0..100 {
        named_round(index, &name, &mut listener);
        if index % 10 == 9 {
            drop(listener.take());
            Belongings::assert_are(before.get_or_insert_with(Belongings::now));
        }
    }
    // The lock file stays, so that nobody ever has another one locked.
    std::fs::remove_file(name_directory().join(format!("{name}.lock"))).unwrap();
}

fn named_round(index: usize, name: &str, listener: &mut Option<Listener>) {
    let listener = listener.get_or_insert_with(|| Listener::bind(name).unwrap());
    let mut child = start_plain("named");
    child.env("NAME", name).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = child.spawn().unwrap();
    let mut session = listener.accept(Duration::from_secs(20)).unwrap().unwrap();
    match index % 4 {
        0 => {
            let held = frame(&mut session);
            drop(session);
            drop(held);
        }
        1 => {
            let _held = frame(&mut session);
            child.kill().unwrap();
            while session.next_frame(Deadline::NEVER).is_ok() {}
        }
        2 => drop(session),
        _ => {
            await_connected(&mut session);
            session.close_child(Duration::from_millis(5));
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

fn named() -> Result<(), Error> {
    let renderer = Renderer::connect_to(&std::env::var("NAME").unwrap())?;
    let swapchain = renderer.swapchain(SwapchainDescriptor::new(Size::new(32, 32)))?;
    for sequence in 1.. {
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        draw(&mut canvas, sequence);
        canvas.present(Damage::FULL)?;
    }
    Ok(())
}

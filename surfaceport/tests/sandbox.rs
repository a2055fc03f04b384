//! A child in a sandbox draws, and gets out of it by none of the ways in
//! `sandbox/probes.rs`.
#![cfg(target_os = "linux")]
#![allow(missing_docs)]

mod support;

mod sandbox {
    pub(crate) mod landlock;
    pub(crate) mod probes;
}

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sandbox::landlock;
use sandbox::probes::{Denial, Outside, PROBES, Probe, Target};
use support::roles::{ROLES, show_one};
use support::{Role, event, frame, parameter, run_child, start, swapchain};
use surfaceport::{
    Command, Deadline, Error, Event, ExitReason, Frame, Limits, Renderer, RendererEvent, Restart,
    Sandbox, SandboxGap, Session,
};

/// Not a test of its own: what the others start.
#[test]
fn child() {
    let own: &[Role<'_>] = &[
        ("probing", probing),
        ("host", landlock::host),
        ("loud", loud),
        ("rounds", rounds),
        ("threads", threads),
        ("aborts", aborts),
    ];
    run_child(&[ROLES, own].concat());
}

/// Draws, tries what it was asked to, and draws again.
fn probing() -> Result<(), Error> {
    let target = Target::from_environment();
    let wanted: String = parameter("PROBE", String::new());
    let at_start = parameter("AT_START", 0) != 0;
    let deadly = |probe: &Probe| probe.inside == Denial::Deadly && parameter("DEADLY", 0) == 0;
    let probes: Vec<_> = if wanted.is_empty() {
        PROBES.iter().filter(|probe| !deadly(probe)).collect()
    } else {
        PROBES.iter().filter(|probe| probe.name == wanted).collect()
    };
    let run = || -> String {
        probes.iter().map(|probe| format!("{}={}\n", probe.name, (probe.run)(&target))).collect()
    };
    let early = at_start.then(run);
    let renderer = Renderer::connect()?;
    let swapchain = swapchain(&renderer)?;
    show_one(&swapchain, 1)?;
    let results = early.unwrap_or_else(run);
    renderer.send(results.as_bytes())?;
    show_one(&swapchain, 2)?;
    while renderer.next_event(Deadline::NEVER)? != Some(RendererEvent::Bye) {}
    Ok(())
}

/// What there is to reach in this process.
struct Prey {
    folder: PathBuf,
    _unix: UnixListener,
    _nameless: UnixListener,
    tcp: TcpListener,
    _udp: UdpSocket,
    file: std::fs::File,
    secret: Box<u64>,
}

impl Prey {
    fn new() -> Self {
        static NEXT: std::sync::Mutex<u32> = std::sync::Mutex::new(0);
        let mut next = NEXT.lock().unwrap();
        *next += 1;
        let folder = format!("surfaceport-sandbox-{}-{next}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir(&folder).unwrap();
        let mut file = std::fs::File::create(folder.join("file")).unwrap();
        file.write_all(b"the host's own").unwrap();
        let name = SocketAddr::from_abstract_name(folder.file_name().unwrap().as_encoded_bytes());
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            _unix: UnixListener::bind(folder.join("socket")).unwrap(),
            _nameless: UnixListener::bind_addr(&name.unwrap()).unwrap(),
            _udp: UdpSocket::bind(tcp.local_addr().unwrap()).unwrap(),
            tcp,
            file,
            secret: Box::new(7),
            folder,
        }
    }

    /// A child that knows of it.
    fn hunted_by(&self, sandbox: Option<Sandbox>) -> Command {
        let command = start("probing")
            .restart(Restart::never())
            .env("HOST", std::process::id().to_string())
            .env("GROUP", rustix::process::getpgrp().as_raw_pid().to_string())
            .env("FOLDER", &self.folder)
            .env("ABSTRACT", self.folder.file_name().unwrap())
            .env("PORT", self.tcp.local_addr().unwrap().port().to_string())
            .env("FD", self.file.as_raw_fd().to_string())
            .env("ADDRESS", (&raw const *self.secret as usize).to_string());
        match sandbox {
            Some(level) => command.sandbox(level),
            None => command,
        }
    }
}

impl Drop for Prey {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

/// Runs a child that draws, probes, and draws: what it found.
fn hunt(command: Command) -> BTreeMap<String, i32> {
    let mut session = Session::spawn(command).unwrap();
    let mut results = BTreeMap::new();
    let mut last: Option<Frame> = None;
    while results.is_empty() || last.as_ref().is_none_or(|frame| frame.id().sequence < 2) {
        match event(&mut session) {
            Event::Frame(frame) => {
                assert_eq!(support::check(&frame, session.child_pid()), Ok(()));
                last = Some(frame);
            }
            Event::Message(bytes) => {
                for line in String::from_utf8(bytes).unwrap().lines() {
                    let (name, errno) = line.split_once('=').unwrap();
                    results.insert(name.to_owned(), errno.parse().unwrap());
                }
            }
            Event::Exited { exit, .. } => panic!("{exit}"),
            _ => {}
        }
    }
    results
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The code that a probe must have got; `None`: it is allowed there.
fn denied(probe: &Probe, level: Sandbox, at_start: bool) -> Option<i32> {
    let renderer = level == Sandbox::Renderer;
    let opens = at_start || !renderer;
    match probe.inside {
        Denial::Never => Some(libc::EPERM),
        Denial::Deadly => panic!("{} is the end", probe.name),
        Denial::Absent => Some(libc::ENOSYS),
        Denial::File => Some(if opens { libc::EACCES } else { libc::EPERM }),
        Denial::Writing => Some(if renderer { libc::EPERM } else { libc::EACCES }),
        Denial::Look | Denial::Code => (!opens).then_some(libc::EPERM),
        Denial::Either => (!at_start).then_some(libc::EPERM),
    }
}

/// All but, where there is no Landlock, what only it keeps the child from: reading.
fn denied_but_files(
    results: &BTreeMap<String, i32>,
    level: Sandbox,
    at_start: bool,
    no_landlock: bool,
) {
    let wrong: Vec<_> = PROBES
        .iter()
        .filter(|probe| probe.inside != Denial::Deadly)
        .filter(|probe| !no_landlock || denied(probe, level, at_start) != Some(libc::EACCES))
        .filter_map(|probe| {
            let wanted = denied(probe, level, at_start)?;
            let got = results[probe.name];
            (got != wanted).then(|| format!("{}: {got} and not {wanted}", probe.name))
        })
        .collect();
    assert!(wrong.is_empty(), "{level:?}, at start: {at_start}: {wrong:#?}");
}

fn skip() -> bool {
    if support::is_instrumented() {
        println!("not run: the sandbox under AddressSanitizer, which looks at /proc by itself");
        return true;
    }
    let ready = surfaceport::os::linux::has_seccomp() && surfaceport::os::linux::landlock_abi() > 0;
    if !ready {
        println!("not run: the sandbox, which needs a kernel with Landlock and seccomp");
    }
    !ready
}

#[test]
fn the_probes_work_without_a_sandbox() {
    let prey = Prey::new();
    let results = hunt(prey.hunted_by(None).env("DEADLY", "1"));
    let (mut wrong, mut lacking) = (Vec::new(), Vec::new());
    let mut unproved = 0;
    for probe in PROBES {
        let got = results[probe.name];
        let fits = match probe.outside {
            Outside::Works => got == 0,
            Outside::Fails(errors, _) => errors.contains(&got),
            Outside::IfBuilt(errors) => {
                if errors.contains(&got) {
                    lacking.push(probe.name);
                }
                got == 0 || errors.contains(&got)
            }
        };
        if probe.root && !is_root() {
            unproved += 1;
        } else if !fits {
            wrong.push(format!("{}: {got}, not {:?}", probe.name, probe.outside));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    if !lacking.is_empty() {
        println!("not run: that these probes work, for what this kernel lacks: {lacking:?}");
    }
    if unproved > 0 {
        println!("not run: that {unproved} probes would work for root, which this is not");
    }
}

#[test]
fn nothing_gets_out() {
    if skip() {
        return;
    }
    let prey = Prey::new();
    for level in [Sandbox::Renderer, Sandbox::Gpu] {
        for at_start in [false, true] {
            let early = if at_start { "1" } else { "0" };
            let results = hunt(prey.hunted_by(Some(level)).env("AT_START", early));
            denied_but_files(&results, level, at_start, false);
            let denied = |probe: &&Probe| {
                probe.inside == Denial::Deadly || denied(probe, level, at_start).is_some()
            };
            let count = PROBES.iter().filter(denied).count();
            println!("{level:?}, at start: {at_start}: {count} of {} denied", PROBES.len());
            assert!(count >= 40);
        }
    }
}

#[test]
fn what_only_an_attacker_calls_is_its_end() {
    if skip() {
        return;
    }
    let prey = Prey::new();
    let deadly: Vec<_> =
        PROBES.iter().filter(|probe| probe.inside == Denial::Deadly).map(|p| p.name).collect();
    assert!(deadly.len() >= 12);
    for level in [Sandbox::Renderer, Sandbox::Gpu] {
        for name in &deadly {
            for at_start in ["0", "1"] {
                let command = prey.hunted_by(Some(level)).env("PROBE", name);
                let mut session = Session::spawn(command.env("AT_START", at_start)).unwrap();
                let exit = loop {
                    match event(&mut session) {
                        Event::Exited { exit, .. } => break exit,
                        Event::Message(bytes) => panic!("{name}: {bytes:?}"),
                        _ => {}
                    }
                };
                assert_eq!(exit.reason, ExitReason::ForbiddenCall, "{name}: {exit}");
                assert_eq!(exit.connected, at_start == "0", "{name}");
            }
        }
    }
}

#[test]
fn it_holds_on_every_version_of_landlock() {
    if skip() {
        return;
    }
    let abi = surfaceport::os::linux::landlock_abi();
    for version in servers::landlock::versions(abi) {
        let version = version.to_string();
        println!("{}", support::trace::run_alone("host", &[("ABI", &version)]));
    }
    // Built in, but not enabled.
    let errno = libc::EOPNOTSUPP.to_string();
    println!("{}", support::trace::run_alone("host", &[("ABI", "0"), ("ERRNO", &errno)]));
}

/// What became of the sandbox, and a frame.
fn confined(command: Command) -> (Session, String) {
    let mut session = Session::spawn(command.restart(Restart::never())).unwrap();
    drop(frame(&mut session));
    let confinement = session.sandbox().unwrap().clone();
    println!("{confinement}");
    assert_eq!(confinement.gaps(), []);
    let means = confinement.means().to_owned();
    (session, means)
}

#[test]
fn it_says_what_it_achieved() {
    if skip() {
        return;
    }
    let abi = surfaceport::os::linux::landlock_abi();
    for level in [Sandbox::Renderer, Sandbox::Gpu] {
        let (_, means) = confined(start("free").require_sandbox(level));
        assert_eq!(means, format!("Landlock {abi}, seccomp, limits"));
    }
    let mut open = Session::spawn(start("free")).unwrap();
    drop(frame(&mut open));
    assert_eq!(open.sandbox(), None);
}

/// A child that was never told, or does not use the library.
#[test]
fn a_child_that_stays_open_is_reported_or_refused() {
    if skip() {
        return;
    }
    // In the place of another language's: the library is not told.
    let stays = |command: Command| {
        let shell = "unset SURFACEPORT_SANDBOX; exec \"$0\" \"$@\"";
        let program = std::env::current_exe().unwrap();
        command
            .args(["-c", shell])
            .arg(&program)
            .args(["--exact", "child", "--nocapture", "--test-threads=1"])
            .env("SURFACEPORT_TEST_ROLE", "free")
            .sandbox_read(program)
            .restart(Restart::never())
    };
    let command = stays(Command::new("sh")).sandbox(Sandbox::Renderer);
    let mut session = Session::spawn(command).unwrap();
    drop(frame(&mut session));
    assert_eq!(session.sandbox().unwrap().gaps(), [SandboxGap::NotClosed]);

    let command = stays(Command::new("sh")).require_sandbox(Sandbox::Renderer);
    let mut session = Session::spawn(command).unwrap();
    let Err(Error::ChildGone(exit)) = session.next_frame(Deadline::NEVER) else { panic!() };
    assert_eq!(exit.reason, ExitReason::NotSandboxed(SandboxGap::NotClosed));
    assert!(!exit.connected);
}

/// A thread that was there before the sandbox closed, and new ones that draw.
fn threads() -> Result<(), Error> {
    let barrier = std::sync::Arc::new(std::sync::Barrier::new(2));
    let other = std::sync::Arc::clone(&barrier);
    let readable = || std::fs::File::open("/usr/bin/env").is_ok();
    let old = std::thread::spawn(move || {
        let before = readable();
        other.wait();
        other.wait();
        (before, readable())
    });
    barrier.wait();
    let renderer = Renderer::connect()?;
    barrier.wait();
    let (before, after) = old.join().unwrap();
    let swapchain = swapchain(&renderer)?;
    let mut canvas = swapchain.acquire(Deadline::NEVER)?;
    let mut rows: Vec<_> = canvas.rows_mut().collect();
    std::thread::scope(|scope| {
        for rows in rows.chunks_mut(16) {
            scope.spawn(move || {
                let picture = vec![7; 1 << 20];
                rows.iter_mut().for_each(|row| row.copy_from_slice(&picture[..row.len()]));
            });
        }
    });
    canvas.present(surfaceport::Damage::FULL)?;
    renderer.send(format!("{before} {after}").as_bytes())?;
    while renderer.next_event(Deadline::NEVER)? != Some(RendererEvent::Bye) {}
    Ok(())
}

/// A host that starts sandboxed children, one after the other, for long.
fn rounds() -> Result<(), Error> {
    let round = |command: Command| -> Result<_, Error> {
        let started = Instant::now();
        let mut session = Session::spawn(command)?;
        drop(frame(&mut session));
        Ok(started.elapsed())
    };
    let free = || start("free");
    round(free().sandbox(Sandbox::Renderer))?;
    let before = support::open_fds();
    let (mut open, mut sandboxed) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..50 {
        open += round(free())?;
        sandboxed += round(free().sandbox(Sandbox::Renderer))?;
    }
    assert_eq!(support::open_fds(), before);
    assert!(support::has_no_children());
    println!("first frame after {:?}, in a sandbox {:?}", open / 50, sandboxed / 50);
    Ok(())
}

#[test]
fn sandboxes_leave_nothing_in_the_host() {
    if !skip() {
        println!("{}", support::trace::run_alone("rounds", &[]));
    }
}

fn aborts() -> Result<(), Error> {
    let _renderer = Renderer::connect()?;
    std::process::abort()
}

#[test]
fn all_threads_are_in_it_and_new_ones_draw() {
    if skip() {
        return;
    }
    let mut session = Session::spawn(start("threads").sandbox(Sandbox::Renderer)).unwrap();
    let frame = session.next_frame(Deadline::NEVER).unwrap().unwrap();
    let mut pixels = vec![0; 64 * 64 * 4];
    frame.copy_to(&mut pixels).unwrap();
    assert!(pixels.iter().all(|byte| *byte == 7));
    assert_eq!(message(&mut session), "true false");
}

#[test]
fn abort_is_still_what_it_is() {
    if skip() {
        return;
    }
    let command = start("aborts").sandbox(Sandbox::Renderer).restart(Restart::never());
    let mut session = Session::spawn(command).unwrap();
    let Err(Error::ChildGone(exit)) = session.next_frame(Deadline::NEVER) else { panic!() };
    assert_eq!(exit.reason, ExitReason::Signalled { signal: libc::SIGABRT, core_dumped: false });
}

/// Says what it has: limits, and descriptors.
fn loud() -> Result<(), Error> {
    use rustix::process::{Resource, getrlimit};
    // SAFETY: borrowed for the one call, which fails cleanly where it is not open.
    let fd = |number| unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
    let open = (0..1024).filter(|number| rustix::io::fcntl_getfd(fd(*number)).is_ok()).count();
    let renderer = Renderer::connect()?;
    let limits = [Resource::Nofile, Resource::Core, Resource::As].map(getrlimit);
    let limits = limits.map(|limit| limit.maximum.map_or(-1, u64::cast_signed));
    renderer.send(format!("{limits:?} {open}").as_bytes())?;
    while renderer.next_event(Deadline::NEVER)? != Some(RendererEvent::Bye) {}
    Ok(())
}

fn message(session: &mut Session) -> String {
    loop {
        match event(session) {
            Event::Message(bytes) => return String::from_utf8(bytes).unwrap(),
            Event::Exited { exit, .. } => panic!("{exit}"),
            _ => {}
        }
    }
}

fn limits_of(command: Command) -> String {
    message(&mut Session::spawn(command.restart(Restart::never())).unwrap())
}

#[test]
fn limits_hold_with_and_without_it() {
    let core = rustix::process::getrlimit(rustix::process::Resource::Core).maximum;
    let core = core.map_or(-1, u64::cast_signed);
    // A descriptor that this host, by mistake, lets its children inherit.
    let leaked = rustix::io::dup(std::io::stdin()).unwrap();
    assert!(!rustix::io::fcntl_getfd(&leaked).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
    let of = |command| {
        let text = limits_of(command);
        let (limits, open) = text.rsplit_once(' ').unwrap();
        (limits.to_owned(), open.parse::<usize>().unwrap())
    };
    // Three, the channel, and what leaked.
    let (limits, open) = of(start("loud"));
    assert_eq!(limits, format!("[256, {core}, -1]"));
    assert!(open >= 5, "{open}");
    let wanted = Limits::default().open_files(100);
    if support::is_instrumented() {
        println!("not run: a limit of address space, of which AddressSanitizer takes terabytes");
        assert_eq!(of(start("loud").limits(wanted)).0, format!("[100, {core}, -1]"));
    } else {
        let (limits, _) = of(start("loud").limits(wanted.address_space(1 << 40)));
        assert_eq!(limits, format!("[100, {core}, {}]", 1_u64 << 40));
    }
    if !skip() {
        assert_eq!(limits_of(start("loud").sandbox(Sandbox::Renderer)), "[64, 0, -1] 4");
        assert_eq!(limits_of(start("loud").sandbox(Sandbox::Gpu)), "[256, 0, -1] 4");
    }
    drop(leaked);
}

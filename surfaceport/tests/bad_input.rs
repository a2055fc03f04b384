//! What goes wrong is a typed error whose text names the cause.
#![cfg(target_os = "linux")]
#![allow(missing_docs)]

mod support;

use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{Resource, Rlimit};
use support::raw::{Raw, Setup, hello, packet};
use support::roles::ROLES;
use support::{
    Role, event, frame, has_ended, has_no_children, name_directory, open_fds, pidfd, run_child,
    start, start_plain, start_under, watchdog,
};
use surfaceport::{
    Command, Deadline, Error, Event, Exit, ExitReason, Limits, Listener, Renderer, Restart,
    Session, Size, SwapchainDescriptor, Violation,
};

/// Not a test of its own: what the others start.
#[test]
fn child() {
    let own: &[Role<'_>] = &[
        ("large", large),
        ("raw large", raw_large),
        ("other version", other_version),
        ("other features", other_features),
        ("host", host),
        ("poor host", poor_host),
        ("name", name),
    ];
    run_child(&[ROLES, own].concat());
}

fn end_of(command: Command) -> Exit {
    let mut session = Session::spawn(command.restart(Restart::never())).unwrap();
    loop {
        match session.next_frame(Duration::from_secs(20)) {
            Ok(frame) => assert!(frame.is_some(), "no end within 20 s"),
            Err(Error::ChildGone(exit)) => return *exit,
            Err(error) => panic!("{error}"),
        }
    }
}

fn says(text: &impl ToString, parts: &[&str]) {
    let text = text.to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

#[test]
fn a_program_that_is_no_child() {
    let _watchdog = watchdog("no child");
    for program in ["/bin/true", "/bin/cat"] {
        let exit = end_of(Command::new(program));
        assert_eq!((exit.reason.clone(), exit.connected), (ExitReason::Exited(0), false));
        says(&exit, &["exited with code 0", "is it a surfaceport child?"]);
    }
    let script = "i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo line $i >&2; done; exit 7";
    let exit = end_of(Command::new("sh").args(["-c", script]));
    assert_eq!(exit.reason, ExitReason::Exited(7));
    let expected: Vec<_> = (11..=30).map(|i| format!("line {i}")).collect();
    assert_eq!(exit.last_lines, expected);
    says(&exit, &["exited with code 7", "| line 11", "| line 30"]);
    let exit = end_of(Command::new("sh").args(["-c", "echo ouch; kill -SEGV $$"]));
    assert!(matches!(exit.reason, ExitReason::Signalled { signal: 11, .. }));
    says(&exit, &["signal 11", "ouch"]);
}

#[test]
fn a_program_that_never_says_hello() {
    let _watchdog = watchdog("handshake");
    let limits = Limits::default().handshake(Duration::from_millis(100));
    let started = Instant::now();
    let exit = end_of(Command::new("sleep").arg("60").limits(limits));
    assert!(started.elapsed() >= Duration::from_millis(100));
    assert_eq!(exit.reason, ExitReason::Violation(Violation::HandshakeTimeout));
    says(&exit, &["no Hello", "is it a surfaceport child?"]);
}

/// A host that was busy meanwhile still says what happened.
#[test]
fn an_end_before_the_deadline_that_is_seen_after_it() {
    let _watchdog = watchdog("busy host");
    let limits = Limits::default().handshake(Duration::from_millis(50));
    let command = Command::new("sh").args(["-c", "exit 5"]).limits(limits);
    let mut session = Session::spawn(command).unwrap();
    let process = pidfd(session.child_pid().unwrap());
    assert!(has_ended(&process, Duration::from_secs(20)));
    std::thread::sleep(Duration::from_millis(100));
    let Err(Error::ChildGone(exit)) = session.next_frame(Deadline::NEVER) else { panic!() };
    assert_eq!(exit.reason, ExitReason::Exited(5));
}

#[test]
fn a_program_that_can_not_be_started() {
    let text = std::env::temp_dir().join(format!("surfaceport-text-{}", std::process::id()));
    // By another process: while this one writes it, a test beside it may fork, and what a fork
    // holds open to write can not be started (execve(2), ETXTBSY).
    let write = "echo no program >\"$0\"";
    let written = std::process::Command::new("sh").args(["-c", write]).arg(&text).status();
    assert!(written.unwrap().success());
    let cases = [
        ("/no/such/program".into(), std::io::ErrorKind::NotFound, "No such file"),
        ("no-such-program-on-the-path".into(), std::io::ErrorKind::NotFound, "No such file"),
        (text.clone(), std::io::ErrorKind::PermissionDenied, "Permission denied"),
        (PathBuf::from("/"), std::io::ErrorKind::PermissionDenied, "Permission denied"),
    ];
    for (program, kind, why) in cases {
        let error = Session::spawn(Command::new(&program)).unwrap_err();
        assert!(matches!(&error, Error::Spawn { source, .. } if source.kind() == kind), "{error}");
        says(&error, &[program.to_str().unwrap(), why]);
    }
    std::fs::set_permissions(&text, std::fs::Permissions::from_mode(0o755)).unwrap();
    // What is no program is a script to the system.
    let exit = end_of(Command::new(&text));
    assert_eq!(exit.reason, ExitReason::Exited(127));
    says(&exit, &["not found", "is it a surfaceport child?"]);
    std::fs::remove_file(&text).unwrap();
    let error = Session::spawn(Command::new("true").current_dir("/no/such/dir")).unwrap_err();
    says(&error, &["/no/such/dir", "No such file"]);
}

/// Asks for too much, by the library, which knows the limits.
fn large() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let largest = renderer.largest_size();
    assert_eq!(largest, Size::new(200, 100));
    for size in [Size::new(201, 100), Size::new(200, 101), Size::new(16_384, 16_384)] {
        let error = renderer.swapchain(SwapchainDescriptor::new(size)).unwrap_err();
        assert!(matches!(error, Error::OverSize { asked, largest: most }
            if asked == size && most == largest));
        says(&error, &["200x100", &size.to_string(), "Limits::surface_size"]);
    }
    for size in [Size::new(0, 1), Size::new(16_385, 1)] {
        let error = renderer.swapchain(SwapchainDescriptor::new(size)).unwrap_err();
        assert!(matches!(error, Error::Geometry(_)), "{error}");
    }
    for slots in [0, 1, 17, 1000] {
        let descriptor = SwapchainDescriptor::new(largest).slots(slots);
        let error = renderer.swapchain(descriptor).unwrap_err();
        assert!(matches!(error, Error::SlotCount(count) if count == slots));
        says(&error, &["2 to 16", &slots.to_string()]);
    }
    let error = renderer.swapchain(SwapchainDescriptor::new(largest).slots(16)).unwrap_err();
    assert!(matches!(error, Error::OverQuota { granted: 500_000, .. }), "{error}");
    says(&error, &["500000", "Limits::surface_bytes"]);
    // It lives on, with less.
    let chain = renderer.swapchain(SwapchainDescriptor::new(largest).slots(2))?;
    support::roles::show_one(&chain, 1)?;
    renderer.next_event(Deadline::NEVER).map(drop)
}

fn small_limits() -> Limits {
    Limits::default().surface_size(Size::new(200, 100)).surface_bytes(500_000)
}

#[test]
fn too_large_a_swapchain() {
    let _watchdog = watchdog("too large");
    let mut session = Session::spawn(start("large").limits(small_limits())).unwrap();
    assert_eq!(frame(&mut session).size(), Size::new(200, 100));
    assert_eq!(session.stats().setups_refused, 0, "the child's side knew");
}

/// Asks for too much by hand.
fn raw_large() -> Result<(), Error> {
    let raw = Raw::inherited();
    let hookup = raw.greet();
    let refused = |setup: Setup| {
        let _surfaces = raw.set_up(&setup);
        let (packet, _) = raw.receive().expect("lives on");
        let word = |at: usize| u32::from_le_bytes(packet[at..at + 4].try_into().unwrap());
        assert_eq!((word(0), word(8)), (8, 1));
        word(12)
    };
    let small = Setup::small(1);
    // Its presented frame is lost with it.
    assert_eq!(refused(Setup { width: 201, stride: 1024, bytes_per_slot: 16_384, ..small }), 4);
    assert_eq!(refused(Setup { height: 101, bytes_per_slot: 28_672, ..small }), 4);
    assert_eq!(refused(Setup { slots: 16, bytes_per_slot: 65_536, ..small }), 3);
    let _surfaces = raw.set_up(&small);
    hookup.publish(1, 0, 1);
    std::thread::sleep(Duration::from_secs(60));
    Ok(())
}

#[test]
fn too_large_a_setup_is_refused_and_the_child_lives() {
    let _watchdog = watchdog("raw too large");
    let mut session = Session::spawn(start("raw large").limits(small_limits())).unwrap();
    let frame = session.next_frame(Duration::from_secs(20)).unwrap().unwrap();
    assert_eq!(frame.size(), Size::new(16, 16));
    assert_eq!(session.stats().setups_refused, 3);
}

#[test]
fn names() {
    let _watchdog = watchdog("names");
    for bad in ["", ".hidden", "a/b", "a b", "name\n", &"x".repeat(65)] {
        for error in [Listener::bind(bad).unwrap_err(), Renderer::connect_to(bad).unwrap_err()] {
            assert!(matches!(&error, Error::BadName(name) if name == bad));
            says(&error, &[&format!("{bad:?}"), "1 to 64"]);
        }
    }
    let name = format!("test.bad.{}", std::process::id());
    let error = Renderer::connect_to(&name).unwrap_err();
    assert!(matches!(&error, Error::NoSuchName(no) if *no == name));
    says(&error, &["nobody is listening", &name]);
    let _listener = Listener::bind(&name).unwrap();
    let error = Listener::bind(&name).unwrap_err();
    assert!(matches!(&error, Error::NameInUse(taken) if *taken == name));
    says(&error, &["in use", &name]);
    std::fs::remove_file(name_directory().join(format!("{name}.lock"))).unwrap();

    // Started by nobody.
    let error = Renderer::connect().unwrap_err();
    assert!(matches!(error, Error::NoHost { .. }));
    says(&error, &["SURFACEPORT_FD", "no host"]);
}

/// Takes a name in a directory of the test's choice, and says what came of it.
fn name() -> Result<(), Error> {
    match Listener::bind("a-name") {
        Ok(_) => println!("RESULT fine"),
        Err(error) => println!("RESULT {error:?} {error}"),
    }
    Ok(())
}

#[test]
fn directories_that_others_can_reach() {
    let base = std::env::temp_dir().join(format!("surfaceport-names-{}", std::process::id()));
    std::fs::create_dir(&base).unwrap();
    let names = base.join("surfaceport");
    let result = || {
        let output = start_plain("name").env("XDG_RUNTIME_DIR", &base).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().find_map(|line| line.split_once("RESULT ")).unwrap().1.to_owned()
    };
    assert_eq!(result(), "fine");
    assert_eq!(std::fs::metadata(&names).unwrap().permissions().mode() & 0o777, 0o700);
    std::fs::set_permissions(&names, std::fs::Permissions::from_mode(0o755)).unwrap();
    says(&result(), &["UnsafeDirectory", names.to_str().unwrap(), "0700"]);
    std::fs::remove_dir_all(&names).unwrap();
    std::os::unix::fs::symlink("/tmp", &names).unwrap();
    says(&result(), &["UnsafeDirectory", "not a directory"]);
    std::fs::remove_dir_all(&base).unwrap();
}

/// Speaks versions that the host does not.
fn other_version() -> Result<(), Error> {
    let raw = Raw::inherited();
    raw.send(&hello(7, 9, 0, 0), &[]);
    let (refused, _) = raw.receive().unwrap();
    assert_eq!(refused[..16], [8, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(refused[16..], [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    assert!(raw.receive().is_none(), "the host closes");
    Ok(())
}

/// Can't do without what the host lacks.
fn other_features() -> Result<(), Error> {
    let raw = Raw::inherited();
    raw.send(&hello(1, 1, 0x31, 0x30), &[]);
    let (refused, _) = raw.receive().unwrap();
    assert_eq!((refused[0], refused[12], refused[16]), (8, 2, 0x30));
    std::thread::sleep(Duration::from_secs(60));
    Ok(())
}

#[test]
fn nothing_in_common() {
    let _watchdog = watchdog("versions");
    let exit = end_of(start("other version"));
    let (ours, theirs) = ((1, 1), (7, 9));
    assert_eq!(exit.reason, ExitReason::VersionMismatch { ours, theirs });
    assert!(!exit.connected);
    says(&exit, &["1 to 1", "7 to 9"]);
    let exit = end_of(start("other features"));
    assert_eq!(exit.reason, ExitReason::FeatureMismatch { missing: 0x30 });
    says(&exit, &["0x30"]);
}

/// A host by hand, that refuses.
fn refused_by_a_host(refusal: &[u8]) -> String {
    let none = SocketFlags::empty();
    let (host, child) =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, none, None).unwrap();
    let process = start_plain("connected")
        .env("SURFACEPORT_FD", child.as_raw_fd().to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child);
    rustix::net::send(&host, refusal, rustix::net::SendFlags::NOSIGNAL).unwrap();
    let output = process.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn nothing_in_common_as_the_child_says_it() {
    let _watchdog = watchdog("versions, child");
    let refused = |code: u32, a: u64, b: u64| {
        let mut body = [0_u32.to_le_bytes(), code.to_le_bytes()].concat();
        body.extend([a.to_le_bytes(), b.to_le_bytes()].concat());
        packet(8, &body)
    };
    says(&refused_by_a_host(&refused(1, 7, 9)), &["speaks 1 to 1", "other 7 to 9"]);
    says(&refused_by_a_host(&refused(2, 0x30, 0)), &["0x30"]);
    says(&refused_by_a_host(b"nonsense"), &["broke the protocol"]);
}

/// Starts a child and shows a frame; says what came of it.
fn host() -> Result<(), Error> {
    let before = open_fds();
    let result = Session::spawn(start("free")).and_then(|mut session| {
        session.next_frame(Duration::from_secs(20)).map(|frame| assert!(frame.is_some()))
    });
    match result {
        Ok(()) => println!("RESULT fine"),
        Err(error) => println!("RESULT {error:?} {error}"),
    }
    assert_eq!(open_fds(), before);
    assert!(has_no_children());
    println!("CLEAN");
    Ok(())
}

fn has_strace() -> bool {
    let found = std::process::Command::new("strace").arg("-V").output().is_ok();
    if !found {
        println!("not run: faults in system calls: needs strace");
    }
    found
}

/// Faults in the host's system calls.
#[test]
fn a_system_that_lacks_something() {
    if !has_strace() {
        return;
    }
    let cases: &[(&str, &[&str])] = &[
        ("memfd_create:error=ENOSYS", &["Unsupported", "memfd_create", "Linux 3.17"]),
        ("memfd_create:error=EPERM", &["Unsupported", "memfd_create", "sandbox"]),
        // Before Linux 6.3 a flag is unknown: it does without.
        ("memfd_create:error=EINVAL:when=1", &["fine"]),
        ("pidfd_open:error=ENOSYS", &["Unsupported", "pidfd_open", "Linux 5.3"]),
        ("epoll_pwait2:error=ENOSYS", &["Unsupported", "epoll_pwait2", "Linux 5.11"]),
        ("fallocate:error=ENOSPC", &["NoSpace", "bytes"]),
        ("fallocate:error=EINTR:when=1", &["fine"]),
        ("ftruncate:error=ENOSPC", &["NoSpace", "bytes"]),
        ("socketpair:error=EMFILE", &["HandleLimit", "socket pair", "too many open files"]),
        ("timerfd_create:error=EMFILE", &["HandleLimit", "wait set", "too many open files"]),
        ("eventfd2:error=ENFILE", &["HandleLimit", "bell", "too many open files"]),
        ("pipe2:error=EMFILE", &["HandleLimit", "too many open files"]),
        ("epoll_pwait2:error=EINTR:when=1..3", &["fine"]),
    ];
    for (inject, parts) in cases {
        println!("{inject}");
        let _watchdog = watchdog(inject);
        let output = std::process::Command::new("strace")
            .args(["-f", "-o", "/dev/null", "-e"])
            .arg(format!("trace={}", inject.split(':').next().unwrap()))
            .args(["-e", &format!("inject={inject}")])
            .arg(std::env::current_exe().unwrap())
            .args(start_plain("host").get_args())
            .envs(start_plain("host").get_envs().filter_map(|(key, value)| Some((key, value?))))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let result = text.lines().find_map(|line| line.split_once("RESULT "));
        let (_, result) = result.unwrap_or_else(|| {
            panic!("{inject}: {text} {output:?}", output = String::from_utf8_lossy(&output.stderr))
        });
        says(&result, parts);
        says(&text, &["CLEAN"]);
    }
}

/// Faults in the child's system calls.
#[test]
fn a_child_without_space() {
    if !has_strace() {
        return;
    }
    let _watchdog = watchdog("no space");
    let trace = ["strace", "-f", "-o", "/dev/null", "-e", "trace=fallocate,memfd_create", "-e"];
    for (inject, part) in [
        ("inject=fallocate:error=ENOSPC", "no memory for"),
        ("inject=memfd_create:error=ENOSYS", "this system has no memfd_create"),
        ("inject=memfd_create:error=EMFILE", "too many open files"),
    ] {
        let under: Vec<_> = trace.into_iter().chain([inject]).collect();
        let exit = end_of(start_under(&under, "free"));
        assert_eq!(exit.reason, ExitReason::Exited(1));
        assert!(exit.connected);
        says(&exit, &["exited with code 1", part]);
    }
}

/// Starts children with fewer and fewer files to open.
fn poor_host() -> Result<(), Error> {
    drop(Session::spawn(start("silent"))?);
    let before = open_fds();
    let full = rustix::process::getrlimit(Resource::Nofile);
    let mut refused = 0;
    let mut fine = 0;
    for limit in (before.len() as u64..64).rev() {
        let poor = Rlimit { current: Some(limit), maximum: full.maximum };
        rustix::process::setrlimit(Resource::Nofile, poor).unwrap();
        let result = Session::spawn(start("silent")).map(drop);
        rustix::process::setrlimit(Resource::Nofile, full).unwrap();
        match result {
            Ok(()) => fine += 1,
            Err(error @ Error::HandleLimit { .. }) => {
                refused += 1;
                println!("{limit}: {error}");
                says(&error, &["too many open files", "ulimit -n"]);
            }
            Err(error) => panic!("{limit}: {error:?}"),
        }
        assert_eq!(open_fds(), before);
        assert!(has_no_children());
    }
    println!("RESULT {refused} refused {fine} fine");
    assert!(refused > 5 && fine > 5);
    Ok(())
}

#[test]
fn too_many_open_files() {
    let _watchdog = watchdog("ulimit");
    let output = start_plain("poor host").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}\n{errors}");
    says(&text, &["RESULT"]);
}

/// The events of a child that connects are in order even if it is refused.
#[test]
fn a_refused_child_is_no_connection() {
    let _watchdog = watchdog("refused");
    let mut session = Session::spawn(start("other version")).unwrap();
    assert!(matches!(event(&mut session), Event::Exited { restart_in: None, .. }));
    assert!(session.dispatch().unwrap().is_none());
}

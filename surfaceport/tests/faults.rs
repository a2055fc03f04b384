//! Every system call of the library fails in turn, with each error that it may
//! have, and both processes are killed before and after each of them and stopped
//! there: no panic, no hang, no leak, and a typed error where there is one.
//!
//! strace does it (`inject` in its manual). A scenario (handshake, frames, a message,
//! a resize, a crash and restart, the end) is traced once as it is; that gives the
//! list of calls. `cargo test` runs a selection, `cargo xtask faults` all of it.
#![allow(missing_docs)]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command as Program, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process_group};
use support::roles::show_one;
use support::{Role, check, open_fds, parameter, run_child, start, start_under};
use surfaceport::{
    Command, Error, Event, Exit, ExitReason, Frame, Limits, Renderer, RendererEvent, Restart,
    Sandbox, Scale, Session, Size, SwapchainDescriptor,
};

/// What a run may take before it counts as hung. The longest waits of the library
/// in the scenario are a few seconds.
const PATIENCE: Duration = Duration::from_secs(40);
/// For what the other side does.
const WAIT: Duration = Duration::from_secs(8);
/// How often what was stopped is continued.
const CONTINUE: Duration = Duration::from_millis(40);

/// Without the usual harness, which runs tests on threads of their own: strace is to
/// follow the main thread alone, or it would inject into the child, too.
fn main() {
    let roles: &[Role<'_>] = &[("drawing", drawing), ("hosting", hosting)];
    run_child(roles);
    let name = "faults_on_both_sides";
    let mut filters = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let wanted = filters.next().is_none_or(|filter| name.contains(&filter));
    if !wanted {
        println!("test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 1 filtered out");
        return;
    }
    println!("running 1 test");
    if std::panic::catch_unwind(faults_on_both_sides).is_err() {
        println!("test {name} ... FAILED");
        println!("test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out");
        std::process::exit(101);
    }
    println!("test {name} ... ok");
    println!("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
}

// ---- the scenario ----

/// In the trace: from the first to the second, the calls count.
const BEGIN: &str = "/surfaceport/mark/begin";
const END: &str = "/surfaceport/mark/end";

fn mark(path: &str) {
    assert!(!Path::new(path).exists());
}

/// The child: draws, echoes, follows sizes, until it is told to end.
fn drawing() -> Result<(), Error> {
    mark(BEGIN);
    let result = draw();
    mark(END);
    match result {
        Err(Error::HostGone) => Ok(()),
        done => done,
    }
}

fn draw() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let size = renderer.wanted_size().unwrap_or(Size::new(64, 64));
    let mut current = renderer.swapchain(SwapchainDescriptor::new(size))?;
    let mut sequence = 0;
    loop {
        while let Some(event) = renderer.dispatch()? {
            match event {
                RendererEvent::Configure { size: Some(size), .. } => {
                    current = renderer.swapchain(SwapchainDescriptor::new(size))?;
                    sequence = 0;
                }
                RendererEvent::Message(bytes) => renderer.send(&bytes)?,
                RendererEvent::Bye => return Ok(()),
                _ => {}
            }
        }
        sequence += 1;
        match show_one(&current, sequence) {
            Ok(()) => {}
            // The generation's, not the connection's.
            Err(Error::Refused) => {
                let size = current.surface().size();
                current = renderer.swapchain(SwapchainDescriptor::new(size))?;
                sequence = 0;
            }
            Err(error) => return Err(error),
        }
        current.outcomes().for_each(drop);
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// How a scenario went on: to its end, or to this.
#[derive(Debug)]
#[expect(dead_code, reason = "they are printed")]
enum Told {
    Done,
    Failed(Error),
    /// The child was not heard of in time. It may be at fault, or a wake-up lost.
    Silent(String),
}

impl From<Error> for Told {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

fn next(session: &mut Session, what: &'static str) -> Result<Frame, Told> {
    let frame = session.next_frame(WAIT)?.ok_or(Told::Silent(what.into()))?;
    // The first one maps it, or says why not.
    frame.view()?;
    match check(&frame, None) {
        Ok(()) => Ok(frame),
        Err(fault) => panic!("{what}: {fault:?}"),
    }
}

/// The host's side of the scenario: what became of it, and of the child.
fn host(
    command: Command,
    restarts: bool,
    started: impl FnOnce(u32),
) -> (Result<(), Told>, Option<Exit>) {
    let limits = Limits::default()
        .handshake(Duration::from_secs(4))
        .stall(Duration::from_millis(200))
        .exit(Duration::from_secs(1));
    let restart = Restart::default().delay(Duration::from_millis(1)).limit(u32::from(restarts));
    let mut session = match Session::spawn(command.limits(limits).restart(restart)) {
        Ok(session) => session,
        Err(error) => return (Err(error.into()), None),
    };
    session.child_pid().map(started);
    let told = scenario(&mut session, restarts);
    let exit = session.close_child(Duration::from_secs(2));
    (told, Some(exit))
}

fn scenario(session: &mut Session, restarts: bool) -> Result<(), Told> {
    for _ in 0..3 {
        drop(next(session, "a frame")?);
    }
    session.send(b"echo")?;
    let until = Instant::now() + WAIT;
    loop {
        match session.next_event(Duration::from_secs(1))? {
            Some(Event::Message(bytes)) => {
                assert_eq!(bytes, b"echo");
                break;
            }
            // It may have ended by now, and be started again.
            Some(Event::Exited { .. }) => break,
            _ if Instant::now() > until => return Err(Told::Silent("an echo".into())),
            _ => {}
        }
    }
    let held = next(session, "a frame to hold")?;
    let wanted = Size::new(48, 80);
    session.configure(wanted, Scale::default())?;
    while next(session, "a resized frame")?.size() != wanted {
        if Instant::now() > until + WAIT {
            return Err(Told::Silent("a resize".into()));
        }
    }
    drop(held);
    if restarts {
        let first = session.child_pid();
        session.kill_child();
        while session.child_pid() == first {
            let _frame = next(session, "a crash")?;
        }
        drop(next(session, "a frame of the next child")?);
    }
    Ok(())
}

/// What a process can leak, by name: fds, and mappings of shared memory.
fn belongings() -> (Vec<String>, BTreeMap<String, usize>) {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut mappings = BTreeMap::new();
    for name in maps.lines().filter_map(|line| line.split_whitespace().nth(5)) {
        if name.contains("memfd") {
            *mappings.entry(name.to_owned()).or_default() += 1;
        }
    }
    (open_fds(), mappings)
}

/// The host as a process of its own: says how it went, and what it left.
fn hosting() -> Result<(), Error> {
    let before = belongings();
    mark(BEGIN);
    let command = match parameter("SANDBOX", 0) {
        0 => start("drawing"),
        _ => start("drawing").sandbox(Sandbox::Renderer),
    };
    let (told, _) = host(command, true, drop);
    let told = told.err().unwrap_or(Told::Done);
    mark(END);
    let mut left = false;
    println!("told: {told:?}");
    if let Told::Failed(error) = &told {
        println!("that is: {error}");
    }
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Err(_) if belongings() == before => break,
            // Nobody has reaped it.
            Ok(Some(_)) => left = true,
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    if belongings() != before {
        println!("leaked: {before:?} became {:?}", belongings());
    }
    if left || !support::has_no_children() {
        println!("left: a child");
    }
    println!("over");
    Ok(())
}

// ---- what is injected ----

/// What a call may fail with, from its manual page.
struct Fails {
    call: &'static str,
    with: &'static [&'static str],
    but: But,
}

/// What an injected error brings about by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum But {
    Nothing,
    /// Something is left behind.
    Leaks,
    /// It says that the peer is gone, which it is not: a message is lost.
    Loses,
}

const fn fails(call: &'static str, with: &'static [&'static str]) -> Fails {
    Fails { call, with, but: But::Nothing }
}

/// Left out: `close` and `munmap` of a whole mapping do their work whatever they
/// say, and strace would keep them from it; signals to a child of ours fail only if
/// it has taken another user's identity; `timerfd_settime` with valid arguments and
/// `fcntl` beyond duplicating and sealing do not fail; what the C library and std
/// call for themselves (`brk`, `futex`, private `mmap`, ...) is theirs.
const FAILS: &[Fails] = &[
    fails("clone", &["EAGAIN", "ENOMEM"]),
    fails("clone3", &["EAGAIN", "ENOMEM", "ENOSYS"]),
    fails("epoll_create1", &["EMFILE", "ENFILE", "ENOMEM"]),
    fails("epoll_ctl", &["ENOMEM", "ENOSPC"]),
    fails("epoll_pwait2", &["EINTR", "ENOSYS", "EPERM"]),
    fails("eventfd2", &["EMFILE", "ENFILE", "ENODEV", "ENOMEM"]),
    fails("fallocate", &["EINTR", "ENOSPC", "ENOMEM", "EFBIG", "EOPNOTSUPP"]),
    fails("fcntl", &["EMFILE", "EBUSY", "EPERM", "EINTR"]),
    fails("fstat", &["ENOMEM", "EOVERFLOW"]),
    fails("fstatfs", &["EINTR", "EIO", "ENOMEM", "ENOSYS"]),
    fails("ftruncate", &["EINTR", "EFBIG", "EIO", "EPERM"]),
    fails("getsockopt", &["ENOBUFS", "ENOMEM"]),
    fails("memfd_create", &["EMFILE", "ENFILE", "ENOMEM", "EINVAL", "ENOSYS", "EPERM"]),
    fails("mmap", &["ENOMEM", "EAGAIN", "EPERM", "ENFILE"]),
    fails("pidfd_open", &["EMFILE", "ENFILE", "ENOMEM", "ENODEV", "ENOSYS", "EPERM"]),
    fails("pipe2", &["EMFILE", "ENFILE"]),
    fails("poll", &["EINTR", "ENOMEM"]),
    fails("ppoll", &["EINTR", "ENOMEM"]),
    fails("pread64", &["EINTR", "EIO"]),
    fails("read", &["EINTR", "EAGAIN", "EIO"]),
    fails("recvmsg", &["EINTR", "EAGAIN", "ECONNRESET", "ENOMEM", "ENOTCONN"]),
    fails("sendmsg", &["EINTR", "EAGAIN", "ENOBUFS", "ENOMEM"]),
    // With handles alone: too many in flight, or a peer that takes none.
    fails("sendmsg", &["ETOOMANYREFS", "EPERM"]),
    Fails { call: "sendmsg", with: &["ECONNRESET", "EPIPE"], but: But::Loses },
    fails("socketpair", &["EMFILE", "ENFILE", "ENOMEM", "EAFNOSUPPORT"]),
    // Where a sandbox refuses it.
    fails("sysinfo", &["EPERM"]),
    fails("timerfd_create", &["EMFILE", "ENFILE", "ENODEV", "ENOMEM"]),
    fails("waitid", &["EINTR"]),
    Fails { call: "waitid", with: &["ECHILD"], but: But::Leaks },
    fails("write", &["EINTR"]),
];

/// Calls of the scenario that are neither made to fail nor reported. Two are the
/// kernel's own and seen only now and then, on virtual machines: its way on with a
/// call that was broken off, and the clock when the vDSO can't tell.
const NOT_OURS: &[&str] = &[
    "brk",
    "clock_gettime",
    "clock_nanosleep",
    "close",
    "exit_group",
    "futex",
    "getpid",
    "gettid",
    "getrandom",
    "kill",
    "madvise",
    "mprotect",
    "munmap",
    "pidfd_send_signal",
    "prlimit64",
    "readlink",
    "restart_syscall",
    "rt_sigaction",
    "rt_sigprocmask",
    "rseq",
    "sched_getaffinity",
    "sched_yield",
    "set_robust_list",
    "sigaltstack",
    "statx",
    "timerfd_settime",
];

/// One call of the scenario.
#[derive(Clone, Debug)]
struct Call {
    name: String,
    /// The how-manieth of its name since the process started.
    number: usize,
    text: String,
}

impl Call {
    /// Whether it is the library's, so that it may be made to fail.
    fn may_fail(&self, error: &str) -> bool {
        match self.name.as_str() {
            "sendmsg" => {
                self.text.contains("SCM_RIGHTS") || !["ETOOMANYREFS", "EPERM"].contains(&error)
            }
            "mmap" => self.text.contains("MAP_SHARED"),
            "fcntl" => self.text.contains("F_DUPFD") || self.text.contains("F_ADD_SEALS"),
            // The printing of the harness.
            "write" | "read" => !self.text.starts_with("write(1,"),
            _ => true,
        }
    }
}

/// One fault.
#[derive(Clone, Debug)]
struct Fault {
    call: Call,
    what: String,
    but: But,
}

impl Fault {
    fn kills(&self) -> bool {
        ["signal=SIGKILL", "signal=SIGTERM"].contains(&self.what.as_str())
    }

    fn argument(&self) -> String {
        format!("inject={}:{}:when={}", self.call.name, self.what, self.call.number)
    }
}

/// The calls between the marks, of the one process that was traced.
fn calls(trace: &str) -> Vec<Call> {
    let mut counts = BTreeMap::<&str, usize>::new();
    let mut between = false;
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((name, _)) = line.split_once('(') else { continue };
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            continue;
        }
        let number = counts.entry(name).or_default();
        *number += 1;
        if line.contains(BEGIN) {
            between = true;
        } else if line.contains(END) {
            between = false;
        } else if between {
            calls.push(Call { name: name.into(), number: *number, text: line.into() });
        }
    }
    calls
}

/// All faults of a traced scenario, errors first.
fn faults(calls: &[Call]) -> (Vec<Fault>, Vec<Fault>) {
    let mut errors = Vec::new();
    for Fails { call, with, but } in FAILS {
        for error in *with {
            let of = calls.iter().filter(|one| one.name == *call && one.may_fail(error));
            let of: Vec<_> = of.collect();
            let Some(last) = of.len().checked_sub(1) else { continue };
            let mut picked = if is_all() { (0..=last).collect() } else { vec![0, last / 2, last] };
            picked.dedup();
            for index in picked {
                let what = format!("error={error}");
                errors.push(Fault { call: of[index].clone(), what, but: *but });
            }
        }
    }
    let signal = |signal: &'static str| {
        let at = calls.iter().filter(|call| call.name != "exit_group");
        at.map(move |call| Fault {
            call: call.clone(),
            what: format!("signal={signal}"),
            but: But::Nothing,
        })
    };
    // strace sends them as the call is entered. SIGKILL ends the process before the
    // kernel carries the call out, the others take effect after it (a stop after one
    // call is the stop before the next).
    let signals = signal("SIGKILL").chain(signal("SIGTERM")).chain(signal("SIGSTOP"));
    (errors, signals.collect())
}

/// All faults, or a selection that is always the same.
fn is_all() -> bool {
    std::env::var("SURFACEPORT_FAULTS").is_ok_and(|wanted| wanted == "all")
}

/// What was found by this test and mended: it is in every selection.
const FOUND: &[(&str, &str)] =
    &[("sendmsg", "error=ENOMEM"), ("fstatfs", "error=EINTR"), ("write", "error=EINTR")];

fn select(faults: Vec<Fault>, one_in: usize) -> Vec<Fault> {
    let one_in = if is_all() { 1 } else { one_in };
    let found = |fault: &Fault| FOUND.contains(&(&fault.call.name, &fault.what));
    let picked = |(i, fault): &(usize, Fault)| i % one_in == 0 || found(fault);
    faults.into_iter().enumerate().filter(picked).map(|(_, fault)| fault).collect()
}

/// What the thread that starts children calls, and the forked child before it is
/// another program; strace follows all processes then, so these are calls that
/// nobody else makes.
const SPAWNING: &[(&str, &[&str])] = &[
    ("clone", &["EAGAIN", "ENOMEM"]),
    ("dup2", &["EINTR", "EBUSY", "EMFILE"]),
    ("prctl", &["EPERM", "EINVAL"]),
    ("setpgid", &["EPERM", "EACCES"]),
];

/// What a sandbox takes, in the host, the forked child, and the child that closes it.
const SANDBOXING: &[(&str, &[&str])] = &[
    ("capset", &["EPERM"]),
    ("close_range", &["EMFILE", "ENOSYS"]),
    ("landlock_add_rule", &["ENOMEM"]),
    ("landlock_create_ruleset", &["ENOSYS", "EOPNOTSUPP", "EMFILE", "ENOMEM"]),
    ("landlock_restrict_self", &["E2BIG", "EPERM"]),
    ("prlimit64", &["EPERM"]),
    ("seccomp", &["EINVAL", "ENOMEM"]),
];

/// All of them, at the first calls of each process.
fn at_first(calls: &[(&str, &[&str])], times: usize) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (call, errors) in calls {
        for error in *errors {
            for number in 1..=times {
                let call = Call { name: (*call).into(), number, text: String::new() };
                let what = format!("error={error}");
                faults.push(Fault { call, what, but: But::Nothing });
            }
        }
    }
    faults
}

// ---- the runs ----

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = format!("surfaceport-faults-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// What a host in a process of its own did.
struct Ran {
    output: String,
    errors: String,
    trace: String,
    signal: Option<i32>,
    code: Option<i32>,
    hung: bool,
}

/// Runs the host's scenario under strace, with faults.
fn run_host(folder: &Path, sandbox: bool, arguments: &[&str]) -> Ran {
    let log = folder.join("host.log");
    let (output, errors) = (folder.join("host.out"), folder.join("host.err"));
    let to = |path: &Path| Stdio::from(std::fs::File::create(path).unwrap());
    let mut command = Program::new("strace");
    command.arg("-qq").arg("-o").arg(&log);
    command.args(arguments);
    let mut process = command
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env("SURFACEPORT_TEST_ROLE", "hosting")
        .env("SANDBOX", u8::from(sandbox).to_string())
        .stdin(Stdio::null())
        .stdout(to(&output))
        .stderr(to(&errors))
        .process_group(0)
        .spawn()
        .unwrap();
    let group = Pid::from_child(&process);
    let start = Instant::now();
    let (status, hung) = loop {
        if let Some(status) = process.try_wait().unwrap() {
            break (status, false);
        }
        if start.elapsed() > PATIENCE {
            let _gone = kill_process_group(group, Signal::KILL);
            break (process.wait().unwrap(), true);
        }
        std::thread::sleep(Duration::from_millis(2));
        if start.elapsed() > CONTINUE {
            let _stopped = kill_process_group(group, Signal::CONT);
        }
    };
    let _rest = kill_process_group(group, Signal::KILL);
    let read = |path: &Path| {
        String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
    };
    Ran {
        output: read(&output),
        errors: read(&errors),
        trace: read(&log),
        signal: status.signal(),
        code: status.code(),
        hung,
    }
}

/// Orphans come to this process: whether all have ended.
fn no_orphans() -> bool {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Err(_) => return true,
            Ok(Some(_)) => {}
            Ok(None) if Instant::now() > until => return false,
            Ok(None) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn judge_host(fault: &Fault, ran: &Ran, hit: bool) -> Result<bool, String> {
    let killed = fault.kills();
    if !hit && !ran.hung {
        // Before or after the scenario, where the test is at work.
        no_orphans();
        return Ok(false);
    }
    let mut wrong = String::new();
    if ran.hung {
        wrong += "hung; ";
    }
    if ran.errors.contains("panicked") || ran.code == Some(101) {
        wrong += "panicked; ";
    }
    if !no_orphans() {
        wrong += "a process is left; ";
    }
    if killed && matches!(ran.signal, Some(9 | 15)) {
        // It died of it, as it was to.
    } else if ran.signal.is_some() {
        let _ = write!(wrong, "signal {:?}; ", ran.signal);
    } else if !ran.output.contains("over") {
        wrong += "no end; ";
    } else if ran.output.contains("told: Silent") && fault.but != But::Loses {
        wrong += "hung; ";
    } else if fault.but != But::Leaks
        && (ran.output.contains("leaked: ") || ran.output.contains("left: "))
    {
        wrong += "leaked; ";
    } else if fault.what == "signal=SIGSTOP" && !ran.output.contains("told: Done") {
        wrong += "did not go on; ";
    }
    if wrong.is_empty() {
        return Ok(hit);
    }
    let Ran { output, errors, .. } = ran;
    Err(format!("{}: {wrong}\n  {}\n{output}{errors}", fault.argument(), fault.call.text))
}

fn report(side: &str, kind: &str, total: usize, hit: usize, wrong: &[String], since: Instant) {
    println!(
        "{side}, {kind}: {total} faults, {hit} hit, {} wrong, {:.0?}",
        wrong.len(),
        since.elapsed()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // A fault can miss: what comes how often depends on who is faster.
    assert!(hit * 10 >= total * 6, "only {hit} of {total} faults hit");
}

fn has_strace() -> bool {
    if support::is_instrumented() {
        println!("not run: faults under AddressSanitizer, which calls the system by itself");
        return false;
    }
    let works = Program::new("strace")
        .args(["-o", "/dev/null", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let works = works.is_ok_and(|status| status.success());
    if !works {
        println!("not run: faults need strace, and the right to trace");
    }
    works
}

fn faults_on_both_sides() {
    if !has_strace() {
        return;
    }
    // Elsewhere there is no strace, so it does not get here.
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
    let folder = Folder::new();
    host_side(&folder.0);
    child_side(&folder.0);
}

fn host_side(folder: &Path) {
    let clean = run_host(folder, false, &[]);
    assert!(clean.output.contains("told: Done"), "{}{}", clean.output, clean.errors);
    let calls = calls(&clean.trace);
    let names = tell("host", &calls);
    assert!(names.len() >= 15, "{names:?}");
    let (errors, signals) = faults(&calls);
    for (kind, faults) in [("errors", select(errors, 2)), ("signals", select(signals, 7))] {
        let since = Instant::now();
        let (mut hit, mut wrong) = (0, Vec::new());
        for fault in &faults {
            let ran = run_host(folder, false, &["-e", &fault.argument()]);
            match judge_host(fault, &ran, is_hit(&ran.trace)) {
                Ok(it) => hit += usize::from(it),
                Err(why) => wrong.push(why),
            }
        }
        report("host", kind, faults.len(), hit, &wrong, since);
    }
    for (kind, sandbox, faults) in [
        ("errors while it starts a child", false, at_first(SPAWNING, 2)),
        ("errors around a sandbox", true, at_first(SANDBOXING, 4)),
    ] {
        let since = Instant::now();
        let (mut hit, mut wrong) = (0, Vec::new());
        for fault in &faults {
            let ran = run_host(folder, sandbox, &["-f", "-e", &fault.argument()]);
            match judge_host(fault, &ran, ran.trace.contains("INJECTED")) {
                Ok(it) => hit += usize::from(it),
                Err(why) => wrong.push(why),
            }
        }
        report("host", kind, faults.len(), hit, &wrong, since);
    }
}

/// The calls of a scenario by name, and those of which no fault is known.
fn tell<'a>(side: &str, calls: &'a [Call]) -> BTreeMap<&'a str, usize> {
    let mut names = BTreeMap::new();
    for call in calls {
        *names.entry(call.name.as_str()).or_default() += 1;
    }
    println!("{side}: {} calls: {names:?}", calls.len());
    let known =
        |name: &&&str| FAILS.iter().any(|one| one.call == **name) || NOT_OURS.contains(*name);
    let unknown: Vec<_> = names.keys().filter(|name| !known(name)).collect();
    assert!(unknown.is_empty(), "{side}: calls without a known error: {unknown:?}");
    names
}

/// Runs the scenario with the child under strace, and this process as the host.
fn run_child_under(folder: &Path, arguments: &[String]) -> (Told, Option<Exit>, String) {
    let log = folder.join("child.log");
    let _none = std::fs::remove_file(&log);
    let mut program = vec!["strace", "-qq", "-o", log.to_str().unwrap()];
    for argument in arguments {
        program.extend(["-e", argument]);
    }
    let (sender, stopped) = std::sync::mpsc::channel();
    let (over, end) = std::sync::mpsc::channel::<()>();
    let go_on = std::thread::spawn(move || {
        let Ok(pid) = stopped.recv() else { return };
        let group = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        while end.recv_timeout(CONTINUE) == Err(RecvTimeoutError::Timeout) {
            let _running = kill_process_group(group, Signal::CONT);
        }
    });
    let started = move |pid| sender.send(pid).unwrap();
    let (told, exit) = host(start_under(&program, "drawing"), false, started);
    drop(over);
    go_on.join().unwrap();
    let trace = std::fs::read_to_string(&log).unwrap_or_default();
    (told.err().unwrap_or(Told::Done), exit, trace)
}

fn judge_child(fault: &Fault, told: &Told, exit: Option<&Exit>) -> Option<String> {
    let killed = fault.kills();
    let lines = exit.map(|exit| exit.last_lines.join("\n")).unwrap_or_default();
    let reason = exit.map(|exit| &exit.reason);
    let wrong = if lines.contains("panicked") || reason == Some(&ExitReason::Exited(101)) {
        "panicked"
    } else if matches!(told, Told::Silent(_)) && fault.but != But::Loses {
        "hung"
    } else if !killed && matches!(reason, Some(ExitReason::Signalled { .. })) {
        "crashed"
    } else if fault.what == "signal=SIGSTOP" && !matches!(told, Told::Done) {
        "did not go on"
    } else {
        return None;
    };
    let (argument, text) = (fault.argument(), &fault.call.text);
    Some(format!("{argument}: {wrong}: {told:?}, {exit:?}\n  {text}"))
}

fn child_side(folder: &Path) {
    let (told, exit, trace) = run_child_under(folder, &[]);
    assert!(matches!(told, Told::Done), "{told:?} {exit:?}");
    let calls = calls(&trace);
    let names = tell("child", &calls);
    assert!(names.len() >= 12, "{names:?}");
    let before = belongings();
    let (errors, signals) = faults(&calls);
    for (kind, faults) in [("errors", select(errors, 2)), ("signals", select(signals, 7))] {
        let since = Instant::now();
        let (mut hit, mut wrong) = (0, Vec::new());
        for fault in &faults {
            let (told, exit, trace) = run_child_under(folder, &[fault.argument()]);
            let is_hit = is_hit(&trace);
            hit += usize::from(is_hit);
            // Before or after the scenario the test is at work, not the library.
            if is_hit || matches!(told, Told::Silent(_)) {
                wrong.extend(judge_child(fault, &told, exit.as_ref()));
            }
            if belongings() != before || !no_orphans() {
                wrong.push(format!("{}: leaked: {:?}", fault.argument(), belongings()));
            }
        }
        report("child", kind, faults.len(), hit, &wrong, since);
    }
}

/// Whether the fault came to pass between the marks: strace says so of errors, and
/// the kernel of signals. What the scenario itself sends to others, or gets from a
/// child that ended, is none.
fn is_hit(trace: &str) -> bool {
    let after = trace.split_once(BEGIN).map_or("", |(_, after)| after);
    let between = after.split_once(END).map_or(after, |(between, _)| between);
    between.lines().any(|line| {
        let came = |signal: &&str| line.starts_with(&format!("--- {signal} "));
        line.ends_with("(INJECTED)")
            || line.starts_with("+++ killed by ")
            || ["SIGTERM", "SIGSTOP"].iter().any(came)
    })
}

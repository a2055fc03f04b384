//! What the process tests share: children that are this same binary, started
//! again in a role, and frames whose content tells what they are.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test uses a part")]

#[cfg(target_os = "linux")]
pub mod checked;
pub mod counts;
#[cfg(target_os = "linux")]
pub mod desk;
#[cfg(target_os = "macos")]
mod macos;
pub mod pattern;
#[cfg(target_os = "linux")]
pub mod raw;
pub mod roles;
#[cfg(target_os = "linux")]
pub mod trace;
#[cfg(target_os = "linux")]
pub mod window;

#[cfg(target_os = "macos")]
#[allow(unused_imports, reason = "each test uses a part")]
pub use macos::{await_sleep, await_stop, open_fds, pidfd};

use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, Signal};
use surfaceport::{
    Canvas, Command, Damage, Deadline, Error, Event, Frame, PresentMode, Renderer, Session, Size,
    Swapchain, SwapchainDescriptor,
};

const ROLE: &str = "SURFACEPORT_TEST_ROLE";

/// Whether this runs under AddressSanitizer, which allocates, maps and faults by
/// itself: there is no counting then.
pub fn is_instrumented() -> bool {
    std::env::var_os("ASAN_OPTIONS").is_some()
}

/// For children that crash: the end is the same signal under AddressSanitizer as
/// elsewhere, and none is searched for leaks, of which the dead have some.
pub fn crash_as_ever() -> Option<(&'static str, &'static str)> {
    let options = "detect_leaks=0:handle_segv=0:handle_abort=0:handle_sigbus=0:handle_sigfpe=0:\
                   handle_sigill=0:quarantine_size_mb=1";
    is_instrumented().then_some(("ASAN_OPTIONS", options))
}

/// This test binary again, in a role. Its one test named `child` runs
/// [`run_child`].
pub fn start(role: &str) -> Command {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
}

/// The same, run by another program.
pub fn start_under(program: &[&str], role: &str) -> Command {
    Command::new(program[0])
        .args(&program[1..])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
}

/// The same as a plain process, with no session: for a host in the middle.
pub fn start_plain(role: &str) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .stdin(std::process::Stdio::null());
    command
}

/// What a child does, by name.
pub type Role<'a> = (&'a str, fn() -> Result<(), Error>);

/// Runs the role that this process was started for, if it was for one.
pub fn run_child(roles: &[Role<'_>]) {
    let Ok(wanted) = std::env::var(ROLE) else { return };
    let (_, role) = roles.iter().find(|(name, _)| *name == wanted).expect("a known role");
    match role() {
        Ok(()) | Err(Error::HostGone) => std::process::exit(0),
        Err(error) => {
            eprintln!("{wanted}: {error}");
            std::process::exit(1);
        }
    }
}

/// A parameter for a role, from the environment.
pub fn parameter<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A hash of words, four lanes wide: fast enough for millions of frames.
pub fn hash(words: impl Iterator<Item = u64>) -> u64 {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |lane: u64, word: u64| (lane.rotate_left(23) ^ word).wrapping_mul(K);
    // By fold, which runs through nested iterators without asking each for its
    // next; the lanes take turns.
    let lanes = words.fold([1, 2, 3, 4], |[a, b, c, d], word| [b, c, d, mix(a, word)]);
    lanes.into_iter().fold(K, mix)
}

/// Draws a frame that differs from all others in every word, and puts its
/// hash, the child's id and the sequence that it will have into the user data.
pub fn draw(canvas: &mut Canvas<'_>, sequence: u64) {
    let id = u64::from(std::process::id());
    let seed = (id << 40 | sequence).wrapping_mul(0x2545_f491_4f6c_dd1d);
    let words = canvas.bytes_mut().as_chunks_mut::<8>().0;
    for (i, word) in (0_u64..).zip(words.iter_mut()) {
        *word = (seed ^ i.wrapping_mul(0x9e37_79b9)).to_ne_bytes();
    }
    let hash = hash(words.iter().map(|word| u64::from_ne_bytes(*word)));
    let mut user = [0; 24];
    for (to, value) in user.as_chunks_mut().0.iter_mut().zip([hash, id, sequence]) {
        *to = value.to_le_bytes();
    }
    canvas.set_user_data(&user);
}

/// What is wrong with a frame's content.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not the whole of one frame.
    Torn,
    /// It is another frame than the word says.
    Stale,
    /// Another child drew it.
    Foreign,
}

/// Checks a frame by its content.
pub fn check(frame: &Frame, pid: Option<u32>) -> Result<(), Fault> {
    let user = frame.user_data();
    let [claimed, id, sequence] = [0, 1, 2].map(|i| u64::from_le_bytes(user.as_chunks().0[i]));
    let view = frame.view().unwrap();
    let height = view.descriptor().size().height;
    let seen = hash((0..height).flat_map(|y| view.row_words(y).unwrap()));
    if seen != claimed {
        return Err(Fault::Torn);
    }
    if pid.is_some_and(|pid| u64::from(pid) != id) {
        return Err(Fault::Foreign);
    }
    if sequence != frame.id().sequence {
        return Err(Fault::Stale);
    }
    Ok(())
}

/// The usual child's swapchain, by parameters `SIZE`, `SLOTS`, `FIFO`.
pub fn swapchain(renderer: &Renderer) -> Result<Swapchain, Error> {
    let size = parameter("SIZE", Size::new(64, 64));
    let fifo = parameter("FIFO", 0) != 0;
    let mode = if fifo { PresentMode::Fifo } else { PresentMode::Mailbox };
    let descriptor = SwapchainDescriptor::new(size).slots(parameter("SLOTS", 3)).mode(mode);
    renderer.swapchain(descriptor)
}

/// The usual child: draws as fast as it can, up to `FRAMES`, with `PAUSE_US`
/// between frames.
pub fn free_running() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let swapchain = swapchain(&renderer)?;
    let pause = Duration::from_micros(parameter("PAUSE_US", 0));
    for sequence in 1..=parameter("FRAMES", u64::MAX) {
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        draw(&mut canvas, sequence);
        canvas.present(Damage::FULL)?;
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
    }
    Ok(())
}

/// The usual child, paced by the host's begin-frames.
pub fn paced() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let swapchain = swapchain(&renderer)?;
    for sequence in 1..=parameter("FRAMES", u64::MAX) {
        swapchain.wait_begin_frame(Deadline::NEVER)?;
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        draw(&mut canvas, sequence);
        canvas.present(Damage::FULL)?;
    }
    Ok(())
}

/// Ends the whole test, loudly, if it takes longer than it ever should.
#[derive(Debug)]
pub struct Watchdog(Option<mpsc::Sender<()>>, Option<JoinHandle<()>>);

/// Watches until dropped: 60 s, which no test comes near.
pub fn watchdog(what: &str) -> Watchdog {
    let what = what.to_owned();
    let (alive, end) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        if end.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Timeout) {
            let _nowhere = writeln!(std::io::stderr(), "hung: {what}");
            std::process::abort();
        }
    });
    Watchdog(Some(alive), Some(thread))
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.0.take());
        let _ended = self.1.take().map(JoinHandle::join);
    }
}

/// What this process has open.
#[cfg(target_os = "linux")]
pub fn open_fds() -> Vec<String> {
    let mut all: Vec<_> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let target = std::fs::read_link(&path).ok()?;
            Some(format!("{} -> {}", path.display(), target.display()))
        })
        // The directory that is being read.
        .filter(|line| !line.ends_with(&format!("/proc/{}/fd", std::process::id())))
        .collect();
    all.sort();
    all
}

/// Whether this process has no child at all, not even one that waits to be reaped.
pub fn has_no_children() -> bool {
    let any = rustix::process::wait(rustix::process::WaitOptions::NOHANG);
    matches!(any, Err(rustix::io::Errno::CHILD))
}

/// A hold on a process: it can't be taken for another one of the same number.
#[cfg(target_os = "linux")]
pub fn pidfd(pid: u32) -> OwnedFd {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())
        .expect("the process is there")
}

/// Waits until a process has ended. `false`: it still has not.
pub fn has_ended(process: &OwnedFd, patience: Duration) -> bool {
    is_readable(process, patience)
}

/// Sends a signal to a process.
pub fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Waits until the main thread of a process sleeps in a system call.
#[cfg(target_os = "linux")]
pub fn await_sleep(pid: u32) {
    loop {
        std::thread::sleep(Duration::from_millis(5));
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        if stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S')) {
            return;
        }
    }
}

/// Waits until every thread of a process has stopped: SIGSTOP takes its time.
#[cfg(target_os = "linux")]
pub fn await_stop(pid: u32) {
    let stopped = |task: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(task.path().join("stat")).unwrap();
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
    };
    while !std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(Result::unwrap).all(stopped)
    {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The next event of a session that is polled. `None`: none came for so long.
pub fn event_within(session: &mut Session, patience: Duration) -> Option<Event> {
    let until = Instant::now() + patience;
    loop {
        if let Some(event) = session.dispatch().unwrap() {
            return Some(event);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || !is_readable(&*session, left) {
            return session.dispatch().unwrap();
        }
    }
}

/// The next event of a session that is polled.
pub fn event(session: &mut Session) -> Event {
    event_within(session, Duration::from_secs(20)).expect("an event within 20 s")
}

/// Polls for reading.
pub fn is_readable(fd: impl AsFd, patience: Duration) -> bool {
    let patience = timespec(patience);
    let mut polled = [PollFd::new(&fd, PollFlags::IN)];
    rustix::event::poll(&mut polled, Some(&patience)).unwrap() > 0
}

fn timespec(duration: Duration) -> Timespec {
    let tv_sec = duration.as_secs().try_into().unwrap();
    Timespec { tv_sec, tv_nsec: duration.subsec_nanos().into() }
}

/// The next frame, which must come and be whole.
pub fn frame(session: &mut Session) -> Frame {
    let frame = session.next_frame(Duration::from_secs(20)).unwrap().expect("a frame within 20 s");
    assert_eq!(check(&frame, None), Ok(()));
    frame
}

/// Waits until the child has connected.
pub fn await_connected(session: &mut Session) {
    while !session.is_connected() {
        match event(session) {
            // It may have gone on to its end since.
            Event::Connected { .. } => return,
            Event::Exited { exit, .. } => panic!("{exit}"),
            Event::Frame(_) => panic!("a frame too early"),
            _ => {}
        }
    }
}

/// The child that drew a frame.
pub fn drawn_by(frame: &Frame) -> u32 {
    u64::from_le_bytes(frame.user_data().as_chunks().0[1]).try_into().unwrap()
}

/// Where named sockets lie, as PROTOCOL.md says.
pub fn name_directory() -> std::path::PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(runtime) => std::path::PathBuf::from(runtime).join("surfaceport"),
        None => {
            let uid = rustix::process::geteuid().as_raw();
            std::env::temp_dir().join(format!("surfaceport-{uid}"))
        }
    }
}

//! Child processes: started by std, watched and reaped by pidfd (pidfd_open(2)).

#![allow(unsafe_code, reason = "what runs between fork and exec")]

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::io::{Errno, FdFlags};
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal, WaitId, WaitIdOptions};

use super::message::{Endpoint, FD_VARIABLE};
use super::sandbox::{self, Fence, Plan, Raised};
use super::wait::{Source, timespec};
use super::{os, retry};
use crate::error::{Error, ExitReason};
use crate::sys::PipeRead;
use crate::time::Deadline;

/// How to start a child.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spawn {
    /// The program, found on `PATH` if it has no slash.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
    /// Variables to set (or remove) in its environment.
    pub(crate) env: Vec<(OsString, Option<OsString>)>,
    /// Start from an empty environment.
    pub(crate) env_clear: bool,
    /// Its working directory.
    pub(crate) current_dir: Option<PathBuf>,
    /// The kernel ends it when this process ends, however that happens.
    pub(crate) die_with_host: bool,
    /// How many files it may have open; never more than this process may.
    pub(crate) open_files: Option<u64>,
    /// How much memory it may map, in bytes.
    pub(crate) address_space: Option<u64>,
    /// What keeps it from the system.
    pub(crate) sandbox: Option<Plan>,
}

/// A child that was started.
#[derive(Debug)]
pub(crate) struct Spawned {
    pub(crate) process: Process,
    pub(crate) endpoint: Endpoint,
    pub(crate) stderr: StderrPipe,
    pub(crate) sandbox: Option<Raised>,
}

impl Spawn {
    /// Starts the child, with one end of a new connection inherited, in a
    /// process group of its own. Its stdin is empty; its stdout and stderr are
    /// one pipe.
    pub(crate) fn start(&self) -> Result<Spawned, Error> {
        let (endpoint, child_end) = Endpoint::pair()?;
        // Not among the first three, where the child's own stdio goes; they are
        // free in a host that has closed its own.
        let child_end = rustix::io::fcntl_dupfd_cloexec(child_end.into_socket(), 3)
            .map_err(|errno| os("creating a socket pair", errno))?;
        let doing = "creating a pipe";
        let (stderr, child_err) =
            rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|errno| os(doing, errno))?;
        // The reading end's description is ours alone: the child can't undo this.
        let flags = rustix::fs::fcntl_getfl(&stderr).map_err(|errno| os(doing, errno))?;
        rustix::fs::fcntl_setfl(&stderr, flags | rustix::fs::OFlags::NONBLOCK)
            .map_err(|errno| os(doing, errno))?;
        let child_out =
            rustix::io::fcntl_dupfd_cloexec(&child_err, 3).map_err(|errno| os(doing, errno))?;

        let mut command = Command::new(&self.program);
        command.args(&self.args).stdin(Stdio::null()).stdout(child_out).stderr(child_err);
        if self.env_clear {
            command.env_clear();
        }
        for (key, value) in &self.env {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        command.env(FD_VARIABLE, child_end.as_raw_fd().to_string());
        if let Some(dir) = &self.current_dir {
            command.current_dir(dir);
        }
        command.process_group(0);
        let fence = self.fence()?;
        if let Some(fence) = &fence {
            command.env(sandbox::VARIABLE, fence.name());
        } else {
            // Of a host that is in a sandbox itself.
            command.env_remove(sandbox::VARIABLE);
        }
        let mut raised = fence.as_ref().map(Fence::raised);
        let limits = self.resource_limits();
        let die_with_host = self.die_with_host;
        let host = rustix::process::getpid();
        let in_child = move || {
            // In the forked child there is one thread, and these are plain
            // system calls: all of it is async-signal-safe.
            if fence.is_some() {
                sandbox::close_all_on_exec()?;
            }
            rustix::io::fcntl_setfd(&child_end, FdFlags::empty())?;
            for (resource, limit) in limits.iter().flatten() {
                rustix::process::setrlimit(*resource, *limit)?;
            }
            if die_with_host {
                rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
                if rustix::process::getppid() != Some(host) {
                    return Err(io::Error::from(Errno::SRCH));
                }
            }
            fence.as_ref().map_or(Ok(()), Fence::raise)
        };
        // SAFETY: `in_child` runs between fork and exec; it makes system calls
        // through rustix and libc, which take no lock and allocate nothing, and
        // an `io::Error` of an errno holds a plain number.
        unsafe { command.pre_exec(in_child) };
        let (process, filters) = spawn_on_lasting_thread(command, raised.is_some(), &self.program)
            .map_err(|error| self.name_the_cause(error))?;
        if let Some(raised) = &mut raised {
            raised.started_by(filters);
        }
        Ok(Spawned { process, endpoint, stderr: StderrPipe(stderr), sandbox: raised })
    }

    fn fence(&self) -> Result<Option<Fence>, Error> {
        let Some(plan) = &self.sandbox else { return Ok(None) };
        let set =
            self.env.iter().rev().find(|(key, _)| key == "PATH").map(|(_, path)| path.clone());
        let inherited = || std::env::var_os("PATH").filter(|_| !self.env_clear);
        let path = set.unwrap_or_else(inherited);
        let folders = sandbox::folders(&self.program, path.as_deref(), self.current_dir.as_deref());
        Fence::new(plan, &self.program, &folders).map(Some)
    }

    /// What the child can't raise again: no more than this process has.
    fn resource_limits(&self) -> [Option<(Resource, Rlimit)>; 3] {
        let limit = |resource, wanted: u64| {
            let most = Some(wanted);
            (resource, Rlimit { current: most, maximum: most })
        };
        let at_most = |wanted: u64, resource| wanted.min(hard_limit(resource));
        let files = self.open_files.map(|files| at_most(files, libc::RLIMIT_NOFILE));
        let bytes = self.address_space.map(|bytes| at_most(bytes, libc::RLIMIT_AS));
        [
            files.map(|files| limit(Resource::Nofile, files)),
            bytes.map(|bytes| limit(Resource::As, bytes)),
            self.sandbox.is_some().then(|| limit(Resource::Core, 0)),
        ]
    }

    /// To the system a missing directory is just as missing as the program.
    fn name_the_cause(&self, error: Error) -> Error {
        match (error, &self.current_dir) {
            (Error::Spawn { program, source }, Some(dir)) if !dir.is_dir() => {
                let text = format!("its working directory {}: {source}", dir.display());
                Error::Spawn { program, source: io::Error::new(source.kind(), text) }
            }
            (error, _) => error,
        }
    }
}

/// What this process may not go beyond. rustix panics where a sandbox refuses to say.
fn hard_limit(resource: libc::__rlimit_resource_t) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the call writes one struct, which lives until it returns.
    let _unlimited = unsafe { libc::getrlimit(resource, &raw mut limit) };
    limit.rlim_max
}

/// A child to start.
struct Job {
    command: Command,
    sandboxed: bool,
    reply: mpsc::SyncSender<io::Result<Started>>,
}

/// A process, and, if it is sandboxed, the number of system-call filters that it has
/// from the thread that started it.
type Started = (Pid, Option<u32>);

/// Starts a process from a thread that lives as long as this process: the
/// parent-death signal follows the *thread* that forked (prctl(2)), and the
/// caller's may end at any time.
fn spawn_on_lasting_thread(
    command: Command,
    sandboxed: bool,
    program: &Path,
) -> Result<(Process, Option<u32>), Error> {
    /// The process that the thread is in, and its work.
    static SPAWNER: Mutex<Option<(u32, mpsc::Sender<Job>)>> = Mutex::new(None);
    let refused = |source: io::Error| match Errno::from_io_error(&source) {
        Some(errno @ (Errno::MFILE | Errno::NFILE)) => os("starting the child", errno),
        _ => Error::Spawn { program: program.into(), source },
    };
    let gone = || io::Error::other("the thread that starts children is gone");

    let (reply, answer) = mpsc::sync_channel(1);
    {
        let mut spawner = SPAWNER.lock().unwrap_or_else(PoisonError::into_inner);
        let this = std::process::id();
        let jobs = match &*spawner {
            Some((home, jobs)) if *home == this => jobs,
            // A process that forked has the sender, but no thread behind it.
            Some(_) => return Err(refused(io::Error::other("this process was forked"))),
            None => {
                let jobs = start_spawner().map_err(refused)?;
                &spawner.insert((this, jobs)).1
            }
        };
        jobs.send(Job { command, sandboxed, reply }).map_err(|_| refused(gone()))?;
    }
    let (pid, filters) = answer.recv().unwrap_or_else(|_| Err(gone())).map_err(refused)?;
    Ok((Process::own(pid)?, filters))
}

fn start_spawner() -> io::Result<mpsc::Sender<Job>> {
    let (sender, jobs) = mpsc::channel::<Job>();
    std::thread::Builder::new().name("surfaceport-spawn".into()).spawn(move || {
        for Job { mut command, sandboxed, reply } in jobs {
            // std's Child neither kills nor waits when it is dropped.
            let filters = || sandbox::filters_of("/proc/thread-self/status");
            let filters = sandboxed.then(filters).flatten();
            let started = command.spawn().map(|child| (Pid::from_child(&child), filters));
            drop(command);
            let _caller = reply.send(started);
        }
    })?;
    Ok(sender)
}

/// A process that is watched: a child of ours, or a peer that connected.
#[derive(Debug)]
pub(crate) struct Process {
    /// 0 for a peer whose process id this process can't see.
    pid: libc::pid_t,
    pidfd: OwnedFd,
    /// It is our child and not reaped yet, so its pid can't be anybody else's.
    unreaped: bool,
}

impl Process {
    fn own(pid: Pid) -> Result<Self, Error> {
        match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Self { pid: pid.as_raw_pid(), pidfd, unreaped: true }),
            // The number is nobody's, or soon somebody else's.
            Err(errno @ Errno::SRCH) => {
                Err(os("watching the child (is SIGCHLD ignored, or does somebody wait?)", errno))
            }
            Err(errno) => {
                // Unwatched it must not live; it is not reaped, so the pid is its own.
                let _gone = rustix::process::kill_process(pid, Signal::KILL);
                let _status =
                    retry(|| rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED));
                Err(match errno {
                    Errno::NOSYS | Errno::PERM => Error::Unsupported {
                        feature: "pidfd_open",
                        needs: "Linux 5.3 and a sandbox that allows it",
                    },
                    errno => os("watching the child", errno),
                })
            }
        }
    }

    /// A peer that is not our child: it can be watched, not reaped.
    pub(super) fn peer(pid: libc::pid_t, pidfd: OwnedFd) -> Self {
        Self { pid, pidfd, unreaped: false }
    }

    /// A child of which somebody else took the status, when its number is
    /// another's.
    #[cfg(test)]
    pub(super) fn stale(of: &Self, pid: libc::pid_t) -> Self {
        let pidfd = of.pidfd.try_clone().unwrap();
        Self { pid, pidfd, unreaped: true }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid.unsigned_abs()
    }

    /// Ends a child of ours, and what it left in its process group, at once.
    pub(crate) fn kill(&self) {
        if self.unreaped {
            // This works for one that has ended, too, unless somebody else (a
            // library in this process) took its status: then its number may be
            // another's by now.
            let signalled = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
            // Nobody has: the group's number is this child's.
            if let (Ok(()), Some(group)) = (signalled, Pid::from_raw(self.pid)) {
                let _gone = rustix::process::kill_process_group(group, Signal::KILL);
            }
        }
    }

    /// How it ended, if it has; reaps it. To be called until it says `Some`.
    pub(crate) fn reap(&mut self) -> Option<ExitReason> {
        if !self.unreaped {
            return self.ended(Duration::ZERO).then_some(ExitReason::Disconnected);
        }
        let wait = |options| {
            let options = options | WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
            retry(|| rustix::process::waitid(WaitId::PidFd(self.pidfd.as_fd()), options))
        };
        if let Ok(Some(_)) = wait(WaitIdOptions::NOWAIT) {
            // What it left in its group ends with it. Until it is reaped, the
            // group's number is nobody else's.
            self.kill();
        }
        let status = wait(WaitIdOptions::empty());
        let reason = match status {
            Ok(Some(status)) => {
                if let Some(code) = status.exit_status() {
                    ExitReason::Exited(code)
                } else if let Some(signal) = status.terminating_signal() {
                    ExitReason::Signalled { signal, core_dumped: status.dumped() }
                } else {
                    ExitReason::Disconnected
                }
            }
            // Somebody else waited for it, or SIGCHLD is ignored: once it is
            // gone, how is not to be had.
            Err(_) if self.ended(Duration::ZERO) => ExitReason::Disconnected,
            Ok(None) | Err(_) => return None,
        };
        self.unreaped = false;
        Some(reason)
    }

    /// Waits until it has ended, for so long at most.
    pub(crate) fn ended(&self, patience: Duration) -> bool {
        let deadline = Deadline::from(patience);
        loop {
            let left = deadline.remaining().map(timespec);
            let mut polled = [PollFd::new(&self.pidfd, PollFlags::IN)];
            match rustix::event::poll(&mut polled, left.as_ref()) {
                Ok(ready) => return ready > 0,
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }

    /// What to wait on for its end.
    pub(crate) fn source(&self) -> Source<'_> {
        self.pidfd.as_fd()
    }

    /// The pidfd, for the escape hatch.
    pub(crate) fn handle(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl Drop for Process {
    /// Ends and reaps a child of ours.
    fn drop(&mut self) {
        const PATIENCE: Duration = Duration::from_secs(2);
        if self.unreaped {
            self.kill();
            if self.ended(PATIENCE) {
                let _status = self.reap();
            } else if let Ok(pidfd) = self.pidfd.try_clone() {
                // Stuck in the kernel: somebody must wait for it, not the caller.
                let wait = move || {
                    let id = WaitId::PidFd(pidfd.as_fd());
                    let _status =
                        retry(|| rustix::process::waitid(id.clone(), WaitIdOptions::EXITED));
                };
                let _thread =
                    std::thread::Builder::new().name("surfaceport-reap".into()).spawn(wait);
            }
        }
    }
}

/// What a child writes to stdout and stderr.
#[derive(Debug)]
pub(crate) struct StderrPipe(OwnedFd);

impl StderrPipe {
    /// Reads what is there; `None` at the end or when nothing is there.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> PipeRead {
        match retry(|| rustix::io::read(&self.0, &mut *buffer)) {
            Ok(0) => PipeRead::End,
            Ok(count) => PipeRead::Bytes(count),
            Err(Errno::AGAIN) => PipeRead::Empty,
            Err(_) => PipeRead::End,
        }
    }

    /// What to wait on for more.
    pub(crate) fn source(&self) -> Source<'_> {
        self.0.as_fd()
    }
}

//! Child processes: posix_spawn, watched by a kqueue, always reaped.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::door::{Frame, Guests};
use super::kern::{self, PipeReader, Program, Reaped, Status, Watched};
use super::lock;
use super::message::{Endpoint, Loose};
use super::sandbox::{Plan, Raised};
use super::wait::{Source, What};
use crate::error::{Error, ExitReason};
use crate::sys::PipeRead;
use crate::time::Deadline;

/// How the name of the door is announced.
pub(super) const NAME_VARIABLE: &str = "SURFACEPORT_NAME";

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
    /// Not by the kernel, which can't: its connection ends, and its next call
    /// says so.
    #[allow(dead_code, reason = "the fields are the facade's")]
    pub(crate) die_with_host: bool,
    /// Not limited yet.
    #[allow(dead_code, reason = "the fields are the facade's")]
    pub(crate) open_files: Option<u64>,
    /// Not limited yet.
    #[allow(dead_code, reason = "the fields are the facade's")]
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
    #[cfg_attr(not(target_os = "macos"), expect(dead_code, reason = "for the layers above"))]
    pub(crate) sandbox: Option<Raised>,
}

impl Spawn {
    /// Starts the child, with one end of a new connection to be had at a door of
    /// its own, in a process group of its own. Its stdin is empty; its stdout
    /// and stderr are one pipe.
    pub(crate) fn start(&self) -> Result<Spawned, Error> {
        let sandbox = self.sandbox.as_ref().map(Plan::raise).transpose()?;
        let (own, theirs) = Loose::pair()?;
        let endpoint = Endpoint::new(own)?;
        let (frame, name) = Frame::random()?;
        let name = name.into_string().unwrap_or_default();
        let mut env = self.environment();
        env.push((NAME_VARIABLE.into(), name.into()));
        let (process, stderr) = self.launch(env)?;
        let guest =
            Guests::Child { pid: process.pid(), end: Arc::clone(endpoint.end()), loose: theirs };
        // If that fails, the process is ended as it is dropped.
        frame.open(guest, Some(Arc::clone(&process.exit)))?.detach();
        Ok(Spawned { process, endpoint, stderr, sandbox })
    }

    /// Starts it in this environment, without a way in.
    pub(super) fn launch(
        &self,
        env: Vec<(OsString, OsString)>,
    ) -> Result<(Process, StderrPipe), Error> {
        let piped = |source| Error::Os { doing: "creating a pipe", source };
        let (stderr, child_end) = kern::pipe().map_err(piped)?;
        let program = Program {
            path: &self.program,
            args: &self.args,
            env,
            current_dir: self.current_dir.as_ref(),
        };
        let pid = kern::spawn(&program, &child_end).map_err(|source| self.refused(source))?;
        Ok((Process::own(pid), StderrPipe(stderr)))
    }

    /// The child's environment, but for the name of its door.
    pub(super) fn environment(&self) -> Vec<(OsString, OsString)> {
        let mut all: Vec<_> =
            if self.env_clear { Vec::new() } else { std::env::vars_os().collect() };
        for (key, value) in &self.env {
            all.retain(|(known, _)| known != key);
            all.extend(value.clone().map(|value| (key.clone(), value)));
        }
        all.retain(|(key, _)| key != NAME_VARIABLE);
        all
    }

    /// To the system a missing directory is just as missing as the program.
    fn refused(&self, source: io::Error) -> Error {
        let program = self.program.clone();
        match &self.current_dir {
            Some(dir) if !dir.is_dir() => {
                let text = format!("its working directory {}: {source}", dir.display());
                Error::Spawn { program, source: io::Error::new(source.kind(), text) }
            }
            _ => Error::Spawn { program, source },
        }
    }
}

/// Whether a process has ended: known to all that wait for it.
#[derive(Debug)]
pub(super) struct Exit {
    pid: i32,
    ended: Mutex<bool>,
}

impl Exit {
    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    pub(super) fn has_ended(&self) -> bool {
        *lock(&self.ended)
    }

    pub(super) fn note_end(&self) {
        *lock(&self.ended) = true;
    }
}

/// A child that is watched.
#[derive(Debug)]
pub(crate) struct Process {
    exit: Arc<Exit>,
    /// It is not reaped yet, so its pid can't be anybody else's.
    unreaped: bool,
}

impl Process {
    fn own(pid: i32) -> Self {
        Self { exit: Arc::new(Exit { pid, ended: Mutex::new(false) }), unreaped: true }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.exit.pid.unsigned_abs()
    }

    /// Ends it, and what it left in its process group, at once.
    pub(crate) fn kill(&self) {
        if self.unreaped {
            kern::kill(self.exit.pid);
        }
    }

    /// How it ended, if it has; reaps it. To be called until it says `Some`.
    pub(crate) fn reap(&mut self) -> Option<ExitReason> {
        if !self.unreaped {
            return Some(ExitReason::Disconnected);
        }
        let reason = match kern::reap(self.exit.pid, false) {
            Reaped::Running => return None,
            Reaped::Ended(Status::Exited(code)) => ExitReason::Exited(code),
            Reaped::Ended(Status::Signalled { signal, core_dumped }) => {
                ExitReason::Signalled { signal, core_dumped }
            }
            // Somebody else waited for it, or SIGCHLD is ignored.
            Reaped::Nobody => ExitReason::Disconnected,
        };
        self.unreaped = false;
        self.exit.note_end();
        Some(reason)
    }

    /// Waits until it has ended, for so long at most.
    pub(crate) fn ended(&self, patience: Duration) -> bool {
        if self.exit.has_ended() {
            return true;
        }
        let deadline = Deadline::from(patience);
        let Ok(queue) = kern::queue() else { return false };
        if queue.watch(Watched::Process(self.exit.pid), true, 0).is_err() {
            // Nobody is there to be watched (ESRCH).
            self.exit.note_end();
            return true;
        }
        loop {
            let over = deadline.passed();
            match queue.wait(if over { Some(Duration::ZERO) } else { deadline.remaining() }, 1) {
                Ok(events) if !events.is_empty() => {
                    self.exit.note_end();
                    return true;
                }
                Ok(_) if !over => {}
                _ => return false,
            }
        }
    }

    /// What to wait on for its end.
    pub(crate) fn source(&self) -> Source<'_> {
        Source(What::Exit(&self.exit))
    }
}

impl Drop for Process {
    /// Ends and reaps it.
    fn drop(&mut self) {
        const PATIENCE: Duration = Duration::from_secs(2);
        if self.unreaped {
            self.kill();
            if self.ended(PATIENCE) {
                let _status = self.reap();
            } else {
                // Stuck in the kernel: somebody must wait for it, not the caller.
                let pid = self.exit.pid;
                let _thread = kern::thread("surfaceport-reap", move || {
                    let _status = kern::reap(pid, true);
                });
            }
        }
    }
}

/// What a child writes to stdout and stderr.
#[derive(Debug)]
pub(crate) struct StderrPipe(PipeReader);

impl StderrPipe {
    /// Reads what is there.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> PipeRead {
        match self.0.read(buffer) {
            Ok(Some(0)) | Err(_) => PipeRead::End,
            Ok(Some(count)) => PipeRead::Bytes(count),
            Ok(None) => PipeRead::Empty,
        }
    }

    /// What to wait on for more.
    pub(crate) fn source(&self) -> Source<'_> {
        Source(What::Pipe(&self.0))
    }
}

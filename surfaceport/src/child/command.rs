//! What to start.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::policy::{Limits, Restart};
use crate::sandbox::Sandbox;
use crate::sys::{Plan, Spawn};

/// A child program: what to start, and what it is allowed.
///
/// The child gets a nameless connection that only it can use, an empty stdin, a
/// process group of its own (Ctrl-C in a terminal is the host's), and one pipe
/// for stdout and stderr, of which the last 20 lines are in its [`Exit`]. It
/// ends when the host does.
///
/// ```
/// use std::time::Duration;
/// use surfaceport::{Command, Limits, Restart};
///
/// let command = Command::new("my-renderer")
///     .arg("--quality=high")
///     .env("MY_RENDERER_LOG", "1")
///     .limits(Limits::default().surface_bytes(64 << 20))
///     .restart(Restart::never());
/// # let _ = command;
/// ```
///
/// [`Exit`]: crate::Exit
#[derive(Clone, Debug)]
pub struct Command {
    spawn: Spawn,
    sandbox: Option<Sandbox>,
    sandbox_read: Vec<PathBuf>,
    sandbox_required: bool,
    pub(super) forward_output: bool,
    limits: Limits,
    restart: Restart,
}

impl Command {
    /// A program: a path, or a name that is found on `PATH`.
    pub fn new(program: impl AsRef<Path>) -> Self {
        let program = program.as_ref().to_owned();
        Self {
            spawn: Spawn { program, die_with_host: true, ..Spawn::default() },
            sandbox: None,
            sandbox_read: Vec::new(),
            sandbox_required: false,
            forward_output: false,
            limits: Limits::default(),
            restart: Restart::default(),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.spawn.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.spawn.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable in the child's environment.
    #[must_use]
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.spawn.env.push((key.as_ref().to_owned(), Some(value.as_ref().to_owned())));
        self
    }

    /// Removes a variable from the child's environment.
    #[must_use]
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.spawn.env.push((key.as_ref().to_owned(), None));
        self
    }

    /// Starts from an empty environment.
    #[must_use]
    pub fn env_clear(mut self) -> Self {
        self.spawn.env_clear = true;
        self
    }

    /// Sets the child's working directory.
    #[must_use]
    pub fn current_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.spawn.current_dir = Some(dir.as_ref().to_owned());
        self
    }

    /// Whether the kernel ends the child when the host ends, however that
    /// happens (`PR_SET_PDEATHSIG`). On by default. Without it the child hears
    /// of it from its next call ([`Error::HostGone`](crate::Error::HostGone)).
    #[must_use]
    pub fn die_with_host(mut self, on: bool) -> Self {
        self.spawn.die_with_host = on;
        self
    }

    /// Whether what the child writes to stdout and stderr is also written to
    /// the host's stderr, line by line. Off by default.
    #[must_use]
    pub fn forward_output(mut self, on: bool) -> Self {
        self.forward_output = on;
        self
    }

    /// Sets what the child is allowed.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Keeps the child from the system: from files, sockets, other processes, and
    /// nearly all system calls. What came of it is in
    /// [`Session::sandbox`](crate::Session::sandbox); what each level permits, in
    /// [`Sandbox`].
    #[must_use]
    pub fn sandbox(mut self, level: Sandbox) -> Self {
        self.sandbox = Some(level);
        self.sandbox_required = false;
        self
    }

    /// Lets a sandboxed child read a file, or all that is in a folder, and run
    /// programs from there: its own libraries, fonts, pictures.
    /// [`Sandbox::Renderer`] takes it away when the child connects.
    #[must_use]
    pub fn sandbox_read(mut self, path: impl AsRef<Path>) -> Self {
        self.sandbox_read.push(path.as_ref().to_owned());
        self
    }

    /// The same, and a gap in it is an error: [`Session::spawn`] fails with
    /// [`Error::Sandbox`] where the system lacks something, and a child that says
    /// Hello with its sandbox open is ended
    /// ([`ExitReason::NotSandboxed`](crate::ExitReason::NotSandboxed)).
    ///
    /// [`Session::spawn`]: crate::Session::spawn
    /// [`Error::Sandbox`]: crate::Error::Sandbox
    #[must_use]
    pub fn require_sandbox(mut self, level: Sandbox) -> Self {
        self.sandbox = Some(level);
        self.sandbox_required = true;
        self
    }

    /// Sets when a child that crashed is started again.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// All of it, for the system.
    pub(super) fn get_spawn(&self) -> Spawn {
        let (readable, required) = (self.sandbox_read.clone(), self.sandbox_required);
        Spawn {
            sandbox: self.sandbox.map(|level| Plan { level, required, readable }),
            open_files: Some(self.limits.get_open_files(self.sandbox)),
            address_space: self.limits.address_space,
            ..self.spawn.clone()
        }
    }

    pub(crate) fn get_limits(&self) -> Limits {
        self.limits
    }

    pub(crate) fn get_restart(&self) -> Restart {
        self.restart
    }
}

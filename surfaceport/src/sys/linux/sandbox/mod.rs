//! The sandbox: Landlock, seccomp, limits, and no way to new rights.
//!
//! All is prepared before the fork, so that between fork and exec there are only
//! system calls, in this order: close the host's files, lower the limits, the
//! parent-death signal, no new privileges, no capabilities, Landlock, seccomp. That
//! is inherited by whatever the child executes, so no code of the child ever runs
//! without it. What a starting program needs and a drawing one doesn't (files, code,
//! exec) is taken from it by [`close`], when it connects.

#![allow(unsafe_code, reason = "system calls that rustix lacks")]

mod calls;
mod files;
mod filter;

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::thread::{CapabilitySet, CapabilitySets};
use seccompiler::BpfProgram;

use super::process::Process;
use crate::error::Error;
use crate::sandbox::{Confinement, Sandbox, SandboxGap};
use filter::Filters;

pub(crate) use files::landlock_abi;

/// How a child is told to close its sandbox when it connects.
pub(super) const VARIABLE: &str = "SURFACEPORT_SANDBOX";

/// What a host wants around a child.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) level: Sandbox,
    /// Less than all of it is an error.
    pub(crate) required: bool,
    /// What the child may read besides.
    pub(crate) readable: Vec<PathBuf>,
}

/// Whether this system filters system calls.
pub(crate) fn has_seccomp() -> bool {
    filter::available()
}

/// What goes up around a child before its program starts.
#[derive(Debug)]
pub(super) struct Fence {
    rules: Option<OwnedFd>,
    filters: Filters,
    raised: Raised,
}

/// What went up.
#[derive(Clone, Debug)]
pub(crate) struct Raised {
    level: Sandbox,
    required: bool,
    landlock: u32,
    /// Filters of the host's own, which the child inherits, and those that were
    /// added: more are the child's doing.
    filters: Option<u32>,
    added: u32,
}

impl Fence {
    /// Prepares all that takes memory.
    pub(super) fn new(plan: &Plan, program: &Path, path: &[PathBuf]) -> Result<Self, Error> {
        let level = plan.level;
        let landlock = landlock_abi();
        let programs: Vec<_> = path.iter().map(|folder| folder.join(program)).collect();
        let rules = files::at_start(level, &programs, &plan.readable)?;
        let filters = Filters::at_start(level, landlock >= files::SIGNALS_ABI);
        let added = u32::try_from(filters.0.len()).unwrap_or(0);
        let raised = Raised { level, required: plan.required, landlock, filters: None, added };
        if let Some(gap) = raised.gaps().next().filter(|_| plan.required) {
            return Err(Error::Sandbox(gap));
        }
        Ok(Self { rules, filters, raised })
    }

    /// What a child in it is told.
    pub(super) fn name(&self) -> String {
        self.raised.level.to_string()
    }

    pub(super) fn raised(&self) -> Raised {
        self.raised.clone()
    }

    /// Puts it around this process, which has just been forked.
    ///
    /// Async-signal-safe: it makes system calls and allocates nothing.
    pub(super) fn raise(&self) -> io::Result<()> {
        rustix::thread::set_no_new_privs(true)?;
        let none = CapabilitySet::empty();
        let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
        rustix::thread::set_capabilities(None, none)?;
        if let Some(rules) = &self.rules {
            let restrict = libc::SYS_landlock_restrict_self;
            // SAFETY: the call takes a descriptor, which is open, and a number.
            done(unsafe { libc::syscall(restrict, rules.as_raw_fd(), 0) })?;
        }
        self.filters.0.iter().try_for_each(install)
    }
}

impl Raised {
    /// What the system lacks.
    fn gaps(&self) -> impl Iterator<Item = SandboxGap> + use<> {
        let files = (self.landlock == 0).then_some(SandboxGap::Files);
        let calls = (self.added == 0).then_some(SandboxGap::SystemCalls);
        files.into_iter().chain(calls)
    }

    /// The filters that the thread has which starts the child.
    pub(super) fn started_by(&mut self, filters: Option<u32>) {
        self.filters = filters;
    }

    /// The signal by which it ends a child, where it does.
    pub(crate) fn signal(&self) -> Option<i32> {
        (self.added > 0).then_some(libc::SIGSYS)
    }

    /// Whether nothing may be missing.
    pub(crate) fn is_required(&self) -> bool {
        self.required
    }

    /// What has become of it by now, as the kernel says.
    pub(crate) fn confinement(&self, process: &Process) -> Confinement {
        let inherited = self.filters.map(|filters| filters + self.added);
        let now = filters_of(&format!("/proc/{}/status", process.pid()));
        let closed = inherited.zip(now).is_some_and(|(inherited, now)| now > inherited);
        let open = (!closed).then_some(SandboxGap::NotClosed);
        let means = [
            (self.landlock > 0).then(|| format!("Landlock {}", self.landlock)),
            (self.added > 0).then(|| "seccomp".to_owned()),
            Some("limits".to_owned()),
        ];
        let means: Vec<_> = means.into_iter().flatten().collect();
        Confinement::new(self.level, means.join(", "), self.gaps().chain(open).collect())
    }
}

/// How many filters a task has (proc_pid_status(5), since Linux 5.9).
pub(super) fn filters_of(status: &str) -> Option<u32> {
    let text = std::fs::read_to_string(status).ok()?;
    text.lines().find_map(|line| line.strip_prefix("Seccomp_filters:"))?.trim().parse().ok()
}

/// Child: closes the sandbox, if it is in one. That it could not is for the host to
/// find: it looks for itself.
pub(crate) fn close() {
    let level = match std::env::var(VARIABLE).as_deref() {
        Ok("renderer") => Sandbox::Renderer,
        Ok("gpu") => Sandbox::Gpu,
        _ => return,
    };
    if level == Sandbox::Renderer {
        let _open = files::close();
    }
    if let Some(program) = Filters::closed(level, std::process::id()) {
        let _open = seccompiler::apply_filter_all_threads(&program);
    }
}

/// Marks all descriptors but the first three close-on-exec.
pub(super) fn close_all_on_exec() -> io::Result<()> {
    let (call, flag) = (libc::SYS_close_range, libc::CLOSE_RANGE_CLOEXEC);
    // SAFETY: the call takes three numbers and closes nothing yet.
    done(unsafe { libc::syscall(call, 3, libc::c_uint::MAX, flag) })
}

fn install(program: &BpfProgram) -> io::Result<()> {
    let filter = libc::sock_fprog {
        len: program.len().try_into().unwrap_or(0),
        filter: program.as_ptr().cast::<libc::sock_filter>().cast_mut(),
    };
    let (call, mode) = (libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER);
    // SAFETY: the kernel copies the program, which both crates lay out as
    // `struct sock_filter`, and keeps no pointer.
    done(unsafe { libc::syscall(call, mode, 0, &raw const filter) })
}

fn done(result: libc::c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Where a program of this name may be: for one without a slash in the folders of
/// `PATH`, else from the child's working directory.
pub(super) fn folders(
    program: &Path,
    path: Option<&std::ffi::OsStr>,
    directory: Option<&Path>,
) -> Vec<PathBuf> {
    if program.components().count() > 1 || program.is_absolute() {
        return vec![directory.map(Path::to_owned).unwrap_or_default()];
    }
    path.map(|path| std::env::split_paths(path).collect()).unwrap_or_default()
}

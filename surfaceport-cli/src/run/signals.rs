//! Ctrl-C and its like, as something to poll.

use std::io::Read as _;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustix::process::Signal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::{pipe, unregister};
use surfaceport::Session;

/// Sends a session's child a signal; `false` if there is no child.
#[cfg(target_os = "linux")]
pub(super) fn tell(session: &Session, signal: Signal) -> bool {
    let Some(process) = surfaceport::os::linux::child_pidfd(session) else { return false };
    // One that has just ended need not be told.
    let _ended = rustix::process::pidfd_send_signal(process, signal);
    true
}

/// The same; while the session has not reaped it, nobody else has its number.
#[cfg(target_os = "macos")]
pub(super) fn tell(session: &Session, signal: Signal) -> bool {
    let pid = surfaceport::os::macos::child_pid(session);
    let pid = pid.and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?));
    let Some(pid) = pid else { return false };
    let _ended = rustix::process::kill_process(pid, signal);
    true
}

/// The signals that ask for an end. While it lives they do nothing else.
pub(super) struct Signals {
    pipe: UnixStream,
    registered: Vec<signal_hook::SigId>,
}

impl Signals {
    pub(super) fn catch() -> std::io::Result<Self> {
        let (pipe, written) = UnixStream::pair()?;
        pipe.set_nonblocking(true)?;
        let registered = [SIGINT, SIGTERM, SIGHUP]
            .into_iter()
            .map(|signal| pipe::register(signal, written.try_clone()?))
            .collect::<Result<_, _>>()?;
        Ok(Self { pipe, registered })
    }

    /// How many came since the last call.
    pub(super) fn take(&mut self) -> usize {
        self.pipe.read(&mut [0; 64]).unwrap_or(0)
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            unregister(id);
        }
    }
}

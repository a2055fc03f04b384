//! Ctrl-C and its like, as something to poll.

use std::io::Read as _;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::{pipe, unregister};

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

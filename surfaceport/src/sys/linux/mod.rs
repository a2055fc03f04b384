//! Linux: memfds, Unix sockets, epoll, pidfds.

mod bell;
mod clock;
mod memory;
mod message;
mod name;
mod process;
mod sandbox;
mod surface;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod wait;

use std::io;

use rustix::io::Errno;

use crate::error::Error;

pub(crate) use bell::{Bell, Ringer, bell_to_child, bell_to_host};
pub(crate) use clock::{now, thread_time};
pub(crate) use memory::{Mapping, Memory};
pub(crate) use message::Endpoint;
pub(crate) use name::Listener;
pub(crate) use process::{Process, Spawn, StderrPipe};
pub(crate) use sandbox::{Plan, Raised, close as close_sandbox, has_seccomp, landlock_abi};
pub(crate) use surface::SurfaceMemory;
pub(crate) use wait::{Source, WaitSet, from_fd};

/// What travels beside a message.
pub(crate) type Handle = std::os::fd::OwnedFd;
/// The same, borrowed.
pub(crate) type BorrowedHandle<'a> = std::os::fd::BorrowedFd<'a>;

/// Lends a handle, to be sent.
pub(crate) fn borrow(handle: &Handle) -> BorrowedHandle<'_> {
    std::os::fd::AsFd::as_fd(handle)
}

/// Names the cause of a failed call.
fn os(doing: &'static str, errno: Errno) -> Error {
    match errno {
        Errno::MFILE | Errno::NFILE => Error::HandleLimit { doing },
        _ => Error::Os { doing, source: io::Error::from(errno) },
    }
}

/// Repeats a call that a signal interrupted.
fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return done,
        }
    }
}

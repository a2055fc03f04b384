//! Wake-ups.
//!
//! To the host: an eventfd that the child writes and the host only ever waits
//! on, edge-triggered. To the child: a pipe of which the child has the reading
//! end; the host writes without blocking. So the host never reads or writes a
//! description that the child also holds: a child that clears `O_NONBLOCK` and
//! fills everything can't hang it.

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::EventfdFlags;
use rustix::pipe::PipeFlags;

use super::wait::Source;
use super::{os, retry};
use crate::error::Error;

/// The end that is waited on.
#[derive(Debug)]
pub(crate) struct Bell(OwnedFd);

/// The end that rings.
#[derive(Debug)]
pub(crate) struct Ringer {
    write: OwnedFd,
    /// The host keeps the pipe's reading end open, and never reads it: with no
    /// reader left a ring would be a SIGPIPE.
    read: Option<OwnedFd>,
}

/// A bell for the host, and the handle by which the child rings it.
pub(crate) fn bell_to_host() -> Result<(Bell, OwnedFd), Error> {
    let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
    let host = rustix::event::eventfd(0, flags).map_err(|errno| os("creating a bell", errno))?;
    let child =
        rustix::io::fcntl_dupfd_cloexec(&host, 3).map_err(|errno| os("creating a bell", errno))?;
    Ok((Bell(host), child))
}

/// What the host rings the child with, and the handle that the child waits on.
pub(crate) fn bell_to_child() -> Result<(Ringer, OwnedFd), Error> {
    let doing = "creating a bell";
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
        .map_err(|errno| os(doing, errno))?;
    let child = rustix::io::fcntl_dupfd_cloexec(&read, 3).map_err(|errno| os(doing, errno))?;
    Ok((Ringer { write, read: Some(read) }, child))
}

impl Ringer {
    /// The child's ringer, as it came with Welcome.
    pub(crate) fn from_handle(handle: OwnedFd) -> Self {
        Self { write: handle, read: None }
    }

    /// Wakes the other side. It is a hint: where it can't be given, the bell is
    /// full of earlier ones or nobody is there any more.
    pub(crate) fn ring(&self) {
        // An eventfd takes a u64; in a pipe a byte does, and fills it less.
        let one = 1_u64.to_ne_bytes();
        let bytes = if self.read.is_some() { &[1][..] } else { &one[..] };
        let _hint = retry(|| rustix::io::write(&self.write, bytes));
    }
}

impl Bell {
    /// The child's bell, as it came with Welcome.
    pub(crate) fn from_handle(handle: OwnedFd) -> Self {
        Self(handle)
    }

    /// Child: empties the bell. It is waited on edge-triggered, so this is
    /// needed only now and then, before the pipe is full.
    pub(crate) fn drain(&self) {
        // A pipe has 64 KiB of room (pipe(7)); a host that rings all the while
        // doesn't keep us here.
        const READS: usize = 16;
        let mut sink = [0_u8; 4096];
        for _ in 0..READS {
            match rustix::io::read(&self.0, &mut sink[..]) {
                Ok(read) if read == sink.len() => {}
                _ => return,
            }
        }
    }

    /// What to wait on, edge-triggered.
    pub(crate) fn source(&self) -> Source<'_> {
        self.0.as_fd()
    }
}

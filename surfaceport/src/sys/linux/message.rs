//! Messages with handles: SOCK_SEQPACKET and SCM_RIGHTS (unix(7)).

#![allow(unsafe_code, reason = "taking over the inherited socket")]

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::OnceLock;

use rustix::cmsg_space;
use rustix::io::{Errno, FdFlags};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

use super::wait::Source;
use super::{os, retry};
use crate::error::{Error, Violation};
use crate::sys::{Received, Sent};

/// The most handles that ride beside a message.
const MAX_HANDLES: usize = 16;

/// How an inherited socket is announced.
pub(super) const FD_VARIABLE: &str = "SURFACEPORT_FD";

/// One end of a connection. No call blocks.
#[derive(Debug)]
pub(crate) struct Endpoint(OwnedFd);

impl Endpoint {
    /// Two connected ends.
    pub(crate) fn pair() -> Result<(Self, Self), Error> {
        let (a, b) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(|errno| os("creating a socket pair", errno))?;
        Ok((Self(a), Self(b)))
    }

    pub(super) fn from_socket(socket: OwnedFd) -> Self {
        Self(socket)
    }

    pub(crate) fn into_socket(self) -> OwnedFd {
        self.0
    }

    /// The end that this process was started with. It can be had once.
    pub(crate) fn inherited() -> Result<Self, Error> {
        static TAKEN: OnceLock<()> = OnceLock::new();
        let no_host = || Error::NoHost { variable: FD_VARIABLE };
        let number: RawFd = std::env::var(FD_VARIABLE)
            .ok()
            .and_then(|text| text.parse().ok())
            .filter(|number| *number > 2)
            .ok_or_else(no_host)?;
        // SAFETY: borrowed only for the two checks below, which fail cleanly
        // where the number is not open.
        let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
        if rustix::net::sockopt::socket_type(borrowed) != Ok(SocketType::SEQPACKET) {
            return Err(no_host());
        }
        rustix::io::fcntl_setfd(borrowed, FdFlags::CLOEXEC)
            .map_err(|errno| os("taking over the inherited socket", errno))?;
        if TAKEN.set(()).is_err() {
            return Err(no_host());
        }
        // SAFETY: the fd is open (checked above), nothing else in this process
        // was told its number, and `TAKEN` makes this the only owner.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(number) }))
    }

    /// Sends one message, with 16 handles at most.
    pub(crate) fn send(&self, bytes: &[u8], handles: &[BorrowedFd<'_>]) -> Result<Sent, Error> {
        // The space is rounded up, so it is no limit by itself.
        if handles.len() > MAX_HANDLES {
            return Err(Violation::TooManyHandles.into());
        }
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_HANDLES))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !handles.is_empty() && !control.push(SendAncillaryMessage::ScmRights(handles)) {
            return Err(Violation::TooManyHandles.into());
        }
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        match retry(|| rustix::net::sendmsg(&self.0, &[IoSlice::new(bytes)], &mut control, flags)) {
            Ok(_) => Ok(Sent::Done),
            // Out of memory just now is no other trouble than a full queue.
            Err(Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM) => Ok(Sent::Full),
            Err(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => Ok(Sent::Closed),
            // The user has too many handles in flight; the next try may do.
            Err(Errno::TOOMANYREFS) => Err(Error::HandleLimit { doing: "sending handles" }),
            Err(errno) => Err(os("sending a message", errno)),
        }
    }

    /// Receives one message into `bytes` and its handles, close-on-exec, behind
    /// those in `handles`.
    ///
    /// A message that is longer than `bytes` or has more handles than fit is a
    /// violation; what arrived of it is closed.
    pub(crate) fn receive(
        &self,
        bytes: &mut [u8],
        handles: &mut Vec<OwnedFd>,
    ) -> Result<Received, Error> {
        // One more than any message has, so that too many are seen as such.
        const SPACE: usize = cmsg_space!(ScmRights(MAX_HANDLES + 1));
        let mut space = [MaybeUninit::uninit(); SPACE];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let mut receive = || {
            retry(|| {
                rustix::net::recvmsg(&self.0, &mut [IoSliceMut::new(bytes)], &mut control, flags)
            })
        };
        let received = match receive() {
            // The peer went without reading all that we sent. The kernel says
            // so once, ahead of the last messages that the peer itself sent.
            Err(Errno::CONNRESET) => receive(),
            other => other,
        };
        let received = match received {
            Ok(received) => received,
            Err(Errno::AGAIN) => return Ok(Received::Empty),
            Err(Errno::CONNRESET | Errno::NOTCONN) => return Ok(Received::Closed),
            Err(errno) => return Err(os("receiving a message", errno)),
        };
        let before = handles.len();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                handles.extend(rights);
            }
        }
        let came = handles.len() - before;
        let refused = if came > MAX_HANDLES {
            // The space is rounded up, so this can be with or without CTRUNC.
            Some(Violation::TooManyHandles.into())
        } else if received.flags.contains(ReturnFlags::CTRUNC) {
            // There was room, so the kernel stopped at our limit on open files.
            Some(Error::HandleLimit { doing: "receiving handles" })
        } else if received.flags.contains(ReturnFlags::TRUNC) {
            Some(Violation::LongMessage.into())
        } else {
            None
        };
        if let Some(refused) = refused {
            handles.truncate(before);
            return Err(refused);
        }
        if received.bytes == 0 {
            // The end; an empty packet is no message either.
            handles.truncate(before);
            return Ok(Received::Closed);
        }
        Ok(Received::Message(received.bytes))
    }

    /// What to wait on for messages.
    pub(crate) fn source(&self) -> Source<'_> {
        self.0.as_fd()
    }
}

//! Messages with handles: a port for each direction.

use std::sync::{Arc, Mutex, OnceLock};

use super::kern::{Code, notify, option};
use super::rights::{Beside, ReceiveRight, ReceivedMessage, SendRight, Taken, Target, send};
use super::wait::{Source, What};
use super::{BorrowedHandle, Handle, lock, os};
use crate::error::{Error, Violation};
use crate::sys::mach_frame::{
    AuditToken, BODY_BYTES, HEADER_BYTES, PORT_BYTES, of_length, with_length,
};
use crate::sys::{Received, Sent};

/// The most handles that ride beside a message.
const MAX_HANDLES: usize = 16;
/// The most messages that wait to be received.
const ROOM: u32 = 128;
/// What our messages are called: "SP", and which.
pub(super) const MESSAGE: i32 = 0x5350_0001;
/// Messages of strangers and notes of the kernel that one look passes over.
const PASSED_OVER: usize = 64;

/// One end of a connection. No call blocks.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Dropped first: what the kernel still has to say about it, `end` hears.
    peer: SendRight,
    end: Arc<End>,
}

/// The end that is waited on.
#[derive(Debug)]
pub(super) struct End {
    receive: ReceiveRight,
    /// Where the kernel says that the peer's queue has room again; nobody else
    /// can send there.
    room: OnceLock<ReceiveRight>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Nobody can send here any more, and all that was sent has been received.
    closed: bool,
    /// The peer's queue has no room, and the kernel is going to say when.
    full: bool,
    /// The process whose messages count: the first one that sent one, unless
    /// the door said who it is. Others can't send here unless a right leaks.
    peer: Option<AuditToken>,
}

/// An end that nobody uses yet: it can be given to another process.
#[derive(Debug)]
pub(super) struct Loose {
    pub(super) receive: ReceiveRight,
    pub(super) peer: SendRight,
}

impl Loose {
    /// Two connected ends.
    pub(super) fn pair() -> Result<(Self, Self), Error> {
        let doing = "creating a connection";
        let port = || ReceiveRight::new(ROOM).map_err(|code| os(doing, code));
        let (a, b) = (port()?, port()?);
        let to_a = a.sender().map_err(|code| os(doing, code))?;
        let to_b = b.sender().map_err(|code| os(doing, code))?;
        Ok((Self { receive: a, peer: to_b }, Self { receive: b, peer: to_a }))
    }
}

impl Endpoint {
    /// Two connected ends, both here.
    #[cfg(test)]
    pub(crate) fn pair() -> Result<(Self, Self), Error> {
        let (a, b) = Loose::pair()?;
        Ok((Self::new(a)?, Self::new(b)?))
    }

    /// Takes an end into use.
    pub(super) fn new(loose: Loose) -> Result<Self, Error> {
        let Loose { receive, peer } = loose;
        receive.report_no_senders().map_err(|code| os("watching a connection", code))?;
        let end = End { receive, room: OnceLock::new(), state: Mutex::default() };
        Ok(Self { end: Arc::new(end), peer })
    }

    /// By which it is known who the peer is.
    pub(super) fn end(&self) -> &Arc<End> {
        &self.end
    }

    /// Sends one message, with 16 handles at most; one of them may be a port
    /// that is given away, which stands last and comes back if nothing is sent.
    pub(crate) fn send(&self, bytes: &[u8], handles: &[BorrowedHandle<'_>]) -> Result<Sent, Error> {
        if handles.len() > MAX_HANDLES {
            return Err(Violation::TooManyHandles.into());
        }
        let mut lent = Vec::with_capacity(handles.len());
        let mut given = None;
        for handle in handles {
            match handle {
                Handle::Send(right) if given.is_none() => lent.push(right.lend()),
                Handle::Receive(slot) if given.is_none() => given = Some(slot),
                _ => return Err(Violation::UnexpectedHandles.into()),
            }
        }
        let mut slot = given.map(|slot| lock(slot));
        let mut nothing = None;
        let moved = slot.as_deref_mut().unwrap_or(&mut nothing);
        if given.is_some() && moved.is_none() {
            // It was given away before.
            return Err(Violation::UnexpectedHandles.into());
        }
        let payload = with_length(bytes);
        let mut beside = Beside { lent: &lent, moved };
        let mut options = 0;
        loop {
            match send(Target::Send(&self.peer), MESSAGE, &mut beside, &payload, options, 0) {
                Ok(()) => return Ok(Sent::Done),
                Err(Code::SEND_INVALID_DEST) => return Ok(Sent::Closed),
                Err(Code::SEND_TIMED_OUT) if options != 0 => {
                    lock(&self.end.state).full = true;
                    return Ok(Sent::Full);
                }
                // Once more, and this time the kernel is to say when there is
                // room: if it fails again, it will.
                Err(Code::SEND_TIMED_OUT) => {
                    self.end.want_room(&self.peer)?;
                    options = option::SEND_NOTIFY;
                }
                Err(Code::SEND_INTERRUPTED) => {}
                Err(code) => return Err(os("sending a message", code)),
            }
        }
    }

    /// Receives one message into `bytes` and its handles behind those in
    /// `handles`.
    ///
    /// A message that is longer than `bytes`, has more handles than fit, or is
    /// no message of ours is a violation; what arrived of it is destroyed.
    pub(crate) fn receive(
        &self,
        bytes: &mut [u8],
        handles: &mut Vec<Handle>,
    ) -> Result<Received, Error> {
        const AROUND: usize = HEADER_BYTES + BODY_BYTES + MAX_HANDLES * PORT_BYTES + 8;
        for _ in 0..PASSED_OVER {
            let message = match self.end.receive.receive(bytes.len() + AROUND, 0) {
                Ok(message) => message,
                Err(Code::RCV_TIMED_OUT) => {
                    let closed = lock(&self.end.state).closed;
                    return Ok(if closed { Received::Closed } else { Received::Empty });
                }
                Err(Code::RCV_TOO_LARGE) => return Err(Violation::LongMessage.into()),
                Err(code) => return Err(os("receiving a message", code)),
            };
            if self.end.is_of_peer(&message)? {
                return unpack(message, bytes, handles);
            }
        }
        Ok(Received::Empty)
    }

    /// What to wait on for messages.
    pub(crate) fn source(&self) -> Source<'_> {
        Source(What::End(&self.end))
    }
}

/// The bytes and the handles of a message that the peer sent.
fn unpack(
    mut message: ReceivedMessage,
    bytes: &mut [u8],
    handles: &mut Vec<Handle>,
) -> Result<Received, Error> {
    let incoming = message.parse()?;
    if incoming.id != MESSAGE || incoming.has_remote {
        return Err(Violation::UnknownMessage.into());
    }
    let count = incoming.ports().len();
    if count > MAX_HANDLES {
        return Err(Violation::TooManyHandles.into());
    }
    let payload = of_length(incoming.payload)?;
    let into = bytes.get_mut(..payload.len()).ok_or(Violation::LongMessage)?;
    if payload.is_empty() {
        // As on Linux, where it looks like the end.
        return Ok(Received::Closed);
    }
    into.copy_from_slice(payload);
    let len = payload.len();
    let before = handles.len();
    for index in 0..count {
        let handle = match message.take(index) {
            Some(Taken::Send(right)) => Handle::Send(right),
            Some(Taken::Receive(right)) => Handle::Receive(Mutex::new(Some(right))),
            Some(Taken::Once(_)) | None => {
                handles.truncate(before);
                return Err(Violation::MissingHandles.into());
            }
        };
        handles.push(handle);
    }
    Ok(Received::Message(len))
}

impl End {
    /// The port that messages come in by.
    pub(super) fn port(&self) -> &ReceiveRight {
        &self.receive
    }

    /// Says whose messages count.
    pub(super) fn pin(&self, peer: AuditToken) {
        lock(&self.state).peer = Some(peer);
    }

    /// Whether the peer sent a message. What the kernel says is heard here;
    /// only the kernel has its token.
    fn is_of_peer(&self, message: &ReceivedMessage) -> Result<bool, Violation> {
        let incoming = message.parse()?;
        let sender = incoming.sender.ok_or(Violation::BadField)?;
        let mut state = lock(&self.state);
        if sender == AuditToken::KERNEL {
            state.closed |= incoming.id == notify::NO_SENDERS;
            return Ok(false);
        }
        Ok(*state.peer.get_or_insert(sender) == sender)
    }

    /// Whether the connection is over, with nothing left to receive.
    pub(super) fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    /// Whether the peer's queue had room when it was heard of last.
    pub(super) fn has_room(&self) -> bool {
        !lock(&self.state).full
    }

    /// Where the kernel says that there is room.
    pub(super) fn room_port(&self) -> Result<&ReceiveRight, Error> {
        if let Some(port) = self.room.get() {
            return Ok(port);
        }
        let port = ReceiveRight::new(1).map_err(|code| os("watching a connection", code))?;
        Ok(self.room.get_or_init(|| port))
    }

    /// The same, if it was ever wanted.
    pub(super) fn room_port_if_any(&self) -> Option<&ReceiveRight> {
        self.room.get()
    }

    /// Hears that there is room, if the kernel has said so.
    pub(super) fn hear_of_room(&self) {
        /// A failure is tried again; it can't last.
        const TRIES: usize = 8;
        let Some(port) = self.room.get() else { return };
        for _ in 0..TRIES {
            let message = match port.receive(64, 0) {
                Ok(message) => message,
                Err(Code::RCV_TIMED_OUT) => return,
                Err(_) => continue,
            };
            let Ok(incoming) = message.parse() else { continue };
            // An NDR_record_t, and the name that it is about (mach/notify.h).
            let [_, _, _, _, _, _, _, _, name @ ..] = incoming.payload else { continue };
            let (Ok(name), true) = (<[u8; 4]>::try_from(name), incoming.is_from_kernel()) else {
                continue;
            };
            let id = incoming.id;
            if matches!(id, notify::SEND_POSSIBLE | notify::DEAD_NAME) {
                lock(&self.state).full = false;
            }
            if id == notify::DEAD_NAME {
                // It holds a reference of its own (`ipc_right_check` of XNU).
                drop(SendRight::own(u32::from_le_bytes(name)));
            }
        }
    }

    fn want_room(&self, peer: &SendRight) -> Result<(), Error> {
        let port = self.room_port()?;
        self.hear_of_room();
        port.report_room(peer).map_err(|code| os("watching a connection", code))
    }
}

impl Drop for End {
    /// A note about a peer that died holds a reference.
    fn drop(&mut self) {
        self.hear_of_room();
    }
}

//! Owned rights: a type for each kind, so that one can't be given back twice or
//! forgotten.
//!
//! How many references a name has is the kernel's business: each value here is
//! one of them, and dropping it gives just that one back.

use std::fmt;

use super::kern::{self, Code, Name, notify, option};
use crate::error::Violation;
use crate::sys::mach_frame::{
    self, AuditToken, Disposition, Incoming, MAX_TRAILER_BYTES, Outgoing, Port,
};

/// The right to send to a port, or what is left of it when nobody receives.
#[derive(PartialEq, Eq)]
pub(crate) struct SendRight(Name);

/// The right to send one message to a port.
pub(crate) struct SendOnceRight(Name);

/// The right to receive from a port: the port itself.
pub(crate) struct ReceiveRight(Name);

impl SendRight {
    /// Takes over one reference of a name.
    pub(super) fn own(name: Name) -> Self {
        Self(name)
    }

    pub(super) fn name(&self) -> Name {
        self.0
    }

    /// Lends it to a message: the kernel makes another one for the receiver.
    pub(super) fn lend(&self) -> Port {
        Port { name: self.0, disposition: Disposition::CopySend }
    }
}

impl SendOnceRight {
    /// Takes over one.
    pub(super) fn own(name: Name) -> Self {
        Self(name)
    }

    /// A message has taken it along.
    fn forget(self) {
        std::mem::forget(self);
    }
}

impl ReceiveRight {
    /// A port of our own, with room for so many messages.
    pub(super) fn new(room: u32) -> Result<Self, Code> {
        kern::port_construct(room).map(Self)
    }

    /// Takes over a port.
    pub(super) fn own(name: Name) -> Self {
        Self(name)
    }

    pub(super) fn name(&self) -> Name {
        self.0
    }

    /// A message has taken it along, or brings it back.
    fn forget(self) {
        std::mem::forget(self);
    }

    /// A right to send to it.
    pub(super) fn sender(&self) -> Result<SendRight, Code> {
        kern::port_insert_send(self.0)?;
        Ok(SendRight(self.0))
    }

    /// Lends a message the means to make a right to send here.
    pub(super) fn make_send(&self) -> Port {
        Port { name: self.0, disposition: Disposition::MakeSend }
    }

    /// Lends a message the means to make a right to answer here, once.
    pub(super) fn make_send_once(&self) -> Port {
        Port { name: self.0, disposition: Disposition::MakeSendOnce }
    }

    /// Has the kernel say here when nobody can send here any more: behind all
    /// that was sent. At once, if nobody can.
    pub(super) fn report_no_senders(&self) -> Result<(), Code> {
        self.request(self.0, notify::NO_SENDERS)
    }

    /// Has the kernel say here when there is room for a message to `to` again,
    /// once a send has failed that asked for it.
    pub(super) fn report_room(&self, to: &SendRight) -> Result<(), Code> {
        self.request(to.0, notify::SEND_POSSIBLE)
    }

    fn request(&self, about: Name, id: i32) -> Result<(), Code> {
        // An earlier request that had not fired comes back to us.
        let earlier = kern::port_request(about, id, self.0)?;
        if earlier != 0 {
            drop(SendOnceRight::own(earlier));
        }
        Ok(())
    }

    /// The next message, within so many milliseconds.
    pub(super) fn receive(&self, most: usize, patience: u32) -> Result<ReceivedMessage, Code> {
        let mut buffer = Buffer::new(most + MAX_TRAILER_BYTES);
        let options = option::RECEIVE | option::RECEIVE_TIMEOUT | option::AUDIT_TRAILER;
        loop {
            match kern::receive(buffer.bytes(), self.0, options, patience) {
                Code::SUCCESS => return Ok(ReceivedMessage(buffer)),
                Code::RCV_INTERRUPTED => {}
                failed => return Err(failed),
            }
        }
    }
}

/// Where a message goes.
#[derive(Debug)]
pub(super) enum Target<'a> {
    /// A right that stays.
    Send(&'a SendRight),
    /// One that is used up, by a send that fails as well.
    Once(SendOnceRight),
    /// A port of our own.
    Own(&'a ReceiveRight),
}

/// What goes beside a message.
#[derive(Debug)]
pub(super) struct Beside<'a> {
    /// Rights that stay here as well.
    pub(super) lent: &'a [Port],
    /// A port that moves to the receiver; it is still here if the send fails.
    pub(super) moved: &'a mut Option<ReceiveRight>,
}

/// Sends a message, waiting so many milliseconds for room.
///
/// At most one right moves, and it stands last: so it can be told what became
/// of it when the kernel refuses. Everything else is copied or made.
pub(super) fn send(
    to: Target<'_>,
    id: i32,
    beside: &mut Beside<'_>,
    payload: &[u8],
    options: i32,
    patience: u32,
) -> Result<(), Code> {
    let target = match &to {
        Target::Send(right) => right.lend(),
        Target::Once(right) => Port { name: right.0, disposition: Disposition::MoveSendOnce },
        Target::Own(right) => right.make_send(),
    };
    let moved = beside
        .moved
        .as_ref()
        .map(|right| Port { name: right.0, disposition: Disposition::MoveReceive });
    let ports: Vec<Port> = beside.lent.iter().copied().chain(moved).collect();
    let message = Outgoing { to: target, id, ports: &ports, payload }.encode();
    let mut buffer = Buffer::new(message.len());
    buffer.bytes().copy_from_slice(&message);
    let options = option::SEND | option::SEND_TIMEOUT | options;
    let code = kern::send(buffer.bytes(), options, patience);
    match code {
        Code::SUCCESS => {
            if let Some(right) = beside.moved.take() {
                right.forget();
            }
        }
        // The kernel may have handed the message back, each right in it anew
        // (`mach_msg_receive_pseudo`): the port that was to move is taken out
        // of it, the rest destroyed. If it was refused before that, the names
        // still stand as they were written, and destroying it gives up what was
        // to move, and nothing else (`mach_msg_destroy_port` of XNU's
        // libsyscall).
        Code::SEND_INVALID_DEST | Code::SEND_TIMED_OUT | Code::SEND_INTERRUPTED => {
            if let Some(right) = beside.moved.take() {
                right.forget();
                let name = mach_frame::take_port(buffer.bytes(), ports.len() - 1);
                *beside.moved = Some(ReceiveRight(name));
            }
            kern::message_destroy(buffer.bytes());
        }
        // Refused before any right was taken: what was to move is still here.
        // (A name that is no right would be refused in the middle; that there
        // is none is what these types are for.)
        refused => return Err(refused),
    }
    if let Target::Once(right) = to {
        right.forget();
    }
    code.ok()
}

/// A message that came, and everything that came with it: what is not taken out
/// is destroyed with it.
pub(super) struct ReceivedMessage(Buffer);

impl ReceivedMessage {
    /// Its content, checked.
    pub(super) fn parse(&self) -> Result<Incoming<'_>, Violation> {
        Incoming::parse(self.0.as_slice())
    }

    /// Who sent it; `None` if the kernel does not say.
    pub(super) fn sender(&self) -> Option<AuditToken> {
        mach_frame::sender_of(self.0.as_slice())
    }

    /// Takes the right of a descriptor out of it; `None` if it is dead, or was
    /// taken.
    pub(super) fn take(&mut self, index: usize) -> Option<Taken> {
        let disposition = self.parse().ok()?.ports().nth(index)?.disposition;
        let name = mach_frame::take_port(self.0.bytes(), index);
        if name == 0 || name == kern::DEAD {
            return None;
        }
        Some(match disposition {
            Disposition::MoveReceive => Taken::Receive(ReceiveRight(name)),
            Disposition::MoveSendOnce => Taken::Once(SendOnceRight(name)),
            _ => Taken::Send(SendRight(name)),
        })
    }
}

/// A right that came beside a message.
#[derive(Debug)]
pub(super) enum Taken {
    Send(SendRight),
    Once(SendOnceRight),
    Receive(ReceiveRight),
}

impl Drop for ReceivedMessage {
    fn drop(&mut self) {
        kern::message_destroy(self.0.bytes());
    }
}

impl Drop for SendRight {
    fn drop(&mut self) {
        kern::port_deallocate(self.0);
    }
}

impl Drop for SendOnceRight {
    /// Whoever waits for the answer hears that there is none.
    fn drop(&mut self) {
        kern::port_deallocate(self.0);
    }
}

impl Drop for ReceiveRight {
    /// The port is gone, with all that nobody received.
    fn drop(&mut self) {
        kern::port_destruct(self.0);
    }
}

macro_rules! debug_by_name {
    ($($right:ident),+) => {
        $(impl fmt::Debug for $right {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($right), "({:#x})"), self.0)
            }
        })+
    };
}
debug_by_name!(SendRight, SendOnceRight, ReceiveRight);

/// Bytes for the kernel, at an address that is a multiple of 8.
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl Buffer {
    const ALIGN: usize = 8;

    fn new(len: usize) -> Self {
        let bytes = vec![0; len + Self::ALIGN];
        // The vector is never moved or grown. (`align_offset` may give up, and
        // then says so by a huge number.)
        let start = bytes.as_ptr().align_offset(Self::ALIGN).min(Self::ALIGN);
        Self { bytes, start, len }
    }

    fn bytes(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..self.start + self.len).unwrap_or_default()
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.start..self.start + self.len).unwrap_or_default()
    }
}

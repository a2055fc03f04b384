//! Mach messages as bytes: written, and checked to the last byte before a
//! field is used. Pure functions, compiled everywhere; only macOS sends them.
//!
//! The layout is that of `mach/message.h` for 64-bit programs, under
//! `#pragma pack(4)`: a header of 24 bytes; in a *complex* message the count of
//! the descriptors and 12 bytes for each port; the payload; and, behind the
//! size that the header names, the trailer that the kernel adds on receipt.
//!
//! ```text
//! 0   bits       bit 31: complex; bits 0-4: what is done with the remote right
//! 4   size       of all but the trailer, a multiple of 4
//! 8   remote     where it goes; received: where to answer
//! 12  local      where to answer; received: where it came in
//! 16  voucher    0
//! 20  id
//! 24  count      of descriptors, in a complex message alone
//! 28  name, 0, 0 (u16), disposition (u8), type (u8)      for each port
//! ..  payload
//! ```

pub(crate) mod poc;

use crate::error::Violation;

/// The name of a right in a task's own table; 0 is none.
pub(crate) type Name = u32;

/// `mach_msg_header_t`
pub(crate) const HEADER_BYTES: usize = 24;
/// `mach_msg_body_t`, behind the header of a complex message.
pub(crate) const BODY_BYTES: usize = 4;
/// `mach_msg_port_descriptor_t`
pub(crate) const PORT_BYTES: usize = 12;
/// `mach_msg_audit_trailer_t`
pub(crate) const AUDIT_TRAILER_BYTES: usize = 52;
/// `mach_msg_max_trailer_t`: room that a receiver leaves.
pub(crate) const MAX_TRAILER_BYTES: usize = 68;

const COMPLEX: u32 = 0x8000_0000;
/// `MACH_MSGH_BITS_USER`: what a received message may have set.
const USER_BITS: u32 = 0x801f_1f1f;
const PORT_DESCRIPTOR: u8 = 0;

/// `MACH_MSG_TYPE_*`: what is done with a right, or, received, what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Disposition {
    /// Received: a receive right.
    MoveReceive = 16,
    /// Received: a send right, however it was sent.
    MoveSend = 17,
    /// Received: a send-once right, however it was sent.
    MoveSendOnce = 18,
    CopySend = 19,
    MakeSend = 20,
    MakeSendOnce = 21,
}

impl Disposition {
    /// The three that a received descriptor can have.
    fn received(value: u8) -> Option<Self> {
        match value {
            16 => Some(Self::MoveReceive),
            17 => Some(Self::MoveSend),
            18 => Some(Self::MoveSendOnce),
            _ => None,
        }
    }

    /// Any of them.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn sent(value: u8) -> Option<Self> {
        match value {
            19 => Some(Self::CopySend),
            20 => Some(Self::MakeSend),
            21 => Some(Self::MakeSendOnce),
            other => Self::received(other),
        }
    }
}

/// A right beside a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) name: Name,
    pub(crate) disposition: Disposition,
}

/// A message to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outgoing<'a> {
    /// Where to, and what is done with that right.
    pub(crate) to: Port,
    pub(crate) id: i32,
    pub(crate) ports: &'a [Port],
    /// Padded with zeros to a multiple of 4.
    pub(crate) payload: &'a [u8],
}

impl Outgoing<'_> {
    /// The message's bytes. No reply port, no voucher; every byte is set, so
    /// nothing of this process's memory leaves with it.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let complex = !self.ports.is_empty();
        let body = if complex { BODY_BYTES + self.ports.len() * PORT_BYTES } else { 0 };
        let size = HEADER_BYTES + body + self.payload.len().next_multiple_of(4);
        let mut out = Vec::with_capacity(size);
        let bits = u32::from(self.to.disposition as u8) | if complex { COMPLEX } else { 0 };
        // A message that long is refused by the kernel.
        let words = [bits, u32::try_from(size).unwrap_or(u32::MAX), self.to.name, 0, 0];
        out.extend(words.into_iter().flat_map(u32::to_le_bytes));
        out.extend(self.id.to_le_bytes());
        if complex {
            out.extend(u32::try_from(self.ports.len()).unwrap_or(u32::MAX).to_le_bytes());
        }
        for port in self.ports {
            out.extend(port.name.to_le_bytes());
            out.extend([0; 6]);
            out.extend([port.disposition as u8, PORT_DESCRIPTOR]);
        }
        out.extend_from_slice(self.payload);
        out.resize(size, 0);
        out
    }
}

/// Who sent a message, as the kernel says in the trailer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct AuditToken(pub(crate) [u32; 8]);

impl AuditToken {
    /// The kernel's own: all zero, which no process has.
    pub(crate) const KERNEL: Self = Self([0; 8]);

    /// `audit_token_to_euid` (bsd/kern/kern_prot.c of XNU).
    pub(crate) fn euid(&self) -> u32 {
        self.0[1]
    }

    /// `audit_token_to_pid`; `val[7]` beside it tells processes with the same
    /// number apart.
    pub(crate) fn pid(&self) -> u32 {
        self.0[5]
    }
}

/// A received message, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Incoming<'a> {
    pub(crate) id: i32,
    /// A right to answer with came along.
    pub(crate) has_remote: bool,
    descriptors: &'a [u8],
    /// Everything behind the descriptors.
    pub(crate) payload: &'a [u8],
    /// `None`: the kernel added no such trailer.
    pub(crate) sender: Option<AuditToken>,
}

fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().copied().map(u32::from_le_bytes)
}

impl<'a> Incoming<'a> {
    /// What is in a buffer that the kernel filled: exact in every field, or a
    /// violation. Only ports travel; memory beside a message is refused.
    pub(crate) fn parse(buffer: &'a [u8]) -> Result<Self, Violation> {
        let field = |offset| word(buffer, offset).ok_or(Violation::ShortMessage);
        let (bits, size, remote, id) = (field(0)?, field(4)?, field(8)?, field(20)?);
        let size = usize::try_from(size).map_err(|_| Violation::LongMessage)?;
        if size < HEADER_BYTES {
            return Err(Violation::ShortMessage);
        }
        if size % 4 != 0 {
            return Err(Violation::LengthMismatch);
        }
        let message = buffer.get(..size).ok_or(Violation::LongMessage)?;
        if bits & !USER_BITS != 0 {
            return Err(Violation::BadField);
        }
        let rest = message.get(HEADER_BYTES..).ok_or(Violation::ShortMessage)?;
        let (descriptors, payload) =
            if bits & COMPLEX == 0 { (&[][..], rest) } else { Self::split(rest)? };
        for descriptor in descriptors.chunks_exact(PORT_BYTES) {
            // Its last two bytes; no check can fail for want of bytes.
            let [.., disposition, kind] = *descriptor else { return Err(Violation::BadField) };
            if kind != PORT_DESCRIPTOR || Disposition::received(disposition).is_none() {
                return Err(Violation::BadField);
            }
        }
        Ok(Self {
            id: i32::from_le_bytes(id.to_le_bytes()),
            has_remote: remote != 0,
            descriptors,
            payload,
            sender: buffer.get(size..).and_then(sender),
        })
    }

    /// The descriptors behind the header, and the payload behind them.
    fn split(rest: &[u8]) -> Result<(&[u8], &[u8]), Violation> {
        let count = word(rest, 0).ok_or(Violation::ShortMessage)?;
        if count == 0 {
            return Err(Violation::MissingHandles);
        }
        let count = usize::try_from(count).map_err(|_| Violation::TooManyHandles)?;
        let bytes = count.checked_mul(PORT_BYTES).ok_or(Violation::TooManyHandles)?;
        let behind = rest.get(BODY_BYTES..).ok_or(Violation::ShortMessage)?;
        behind.split_at_checked(bytes).ok_or(Violation::TooManyHandles)
    }

    /// The rights beside it.
    pub(crate) fn ports(&self) -> impl ExactSizeIterator<Item = Port> + 'a {
        self.descriptors.chunks_exact(PORT_BYTES).map(|descriptor| {
            let disposition = descriptor.get(10).copied().and_then(Disposition::received);
            Port {
                name: word(descriptor, 0).unwrap_or(0),
                // Checked by `parse`.
                disposition: disposition.unwrap_or(Disposition::MoveSend),
            }
        })
    }

    /// Whether it has just these rights, in this order.
    pub(crate) fn carries(&self, dispositions: &[Disposition]) -> bool {
        self.ports().map(|port| port.disposition).eq(dispositions.iter().copied())
    }

    /// Whether the kernel itself sent it.
    pub(crate) fn is_from_kernel(&self) -> bool {
        self.sender == Some(AuditToken::KERNEL)
    }
}

/// Who sent what is in a buffer that the kernel filled, whatever else is there.
pub(crate) fn sender_of(buffer: &[u8]) -> Option<AuditToken> {
    let size = usize::try_from(word(buffer, 4)?).ok()?;
    sender(buffer.get(size..)?)
}

/// The audit token of a trailer: format 0, and long enough to have one.
fn sender(trailer: &[u8]) -> Option<AuditToken> {
    let len = usize::try_from(word(trailer, 4)?).ok()?;
    if word(trailer, 0)? != 0 || len < AUDIT_TRAILER_BYTES || len > trailer.len() {
        return None;
    }
    let mut token = [0; 8];
    for (index, value) in token.iter_mut().enumerate() {
        *value = word(trailer, 20 + index * 4)?;
    }
    Some(AuditToken(token))
}

/// Takes the right of a descriptor out of a message: nobody who destroys the
/// message destroys it any more. `parse` has said that it is there.
pub(crate) fn take_port(buffer: &mut [u8], index: usize) -> Name {
    let offset = HEADER_BYTES + BODY_BYTES + index * PORT_BYTES;
    match buffer.get_mut(offset..).and_then(|rest| rest.first_chunk_mut()) {
        Some(name) => u32::from_le_bytes(std::mem::take(name)),
        None => 0,
    }
}

/// A payload that says how long it is: a length and as many bytes, with zeros
/// up to a multiple of 4 and nothing behind.
pub(crate) fn with_length(bytes: &[u8]) -> Vec<u8> {
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&len.to_le_bytes()[..], bytes].concat()
}

/// The bytes in such a payload.
pub(crate) fn of_length(payload: &[u8]) -> Result<&[u8], Violation> {
    let (len, rest) = payload.split_first_chunk().ok_or(Violation::ShortMessage)?;
    let len = usize::try_from(u32::from_le_bytes(*len)).map_err(|_| Violation::LongMessage)?;
    let (bytes, padding) = rest.split_at_checked(len).ok_or(Violation::LengthMismatch)?;
    if padding.len() >= 4 || padding.iter().any(|byte| *byte != 0) {
        return Err(Violation::LengthMismatch);
    }
    Ok(bytes)
}

/// The promise, for any bytes that a buffer can hold: no panic, and whatever
/// parses encodes to the same message again.
///
/// # Panics
///
/// If the promise is broken: that is what the fuzzer looks for.
#[cfg(any(test, fuzzing))]
pub(crate) fn check(buffer: &[u8]) {
    let who = sender_of(buffer);
    let Ok(incoming) = Incoming::parse(buffer) else { return };
    assert_eq!(who, incoming.sender);
    if let Ok(message) = poc::Message::parse(&incoming) {
        assert_eq!((message.id(), &message.payload()[..]), (incoming.id, incoming.payload));
        assert!(incoming.payload.len() + HEADER_BYTES <= poc::MOST);
    }
    let ports: Vec<Port> = incoming.ports().collect();
    assert_eq!(ports.len(), incoming.ports().len());
    let to = Port { name: 0, disposition: Disposition::CopySend };
    let again = Outgoing { to, id: incoming.id, ports: &ports, payload: incoming.payload }.encode();
    let size = again.len();
    let sent = buffer.get(..size).unwrap_or_default();
    assert_eq!(again.get(4..8), sent.get(4..8), "the size");
    assert_eq!(again.get(20..28), sent.get(20..28), "the id and the count");
    let pads = |bytes: &[u8]| bytes.get(HEADER_BYTES..).map(<[u8]>::to_vec);
    if ports.is_empty() {
        assert_eq!(pads(&again), pads(sent));
    }
    let mut copy = buffer.to_vec();
    for (index, port) in ports.iter().enumerate() {
        assert_eq!(take_port(&mut copy, index), port.name);
        assert_eq!(take_port(&mut copy, index), 0);
    }
    if let Ok(bytes) = of_length(incoming.payload) {
        assert!(incoming.payload.starts_with(&with_length(bytes)));
    }
    let dispositions: Vec<Disposition> = ports.iter().map(|port| port.disposition).collect();
    assert!(incoming.carries(&dispositions));
    let is_zero = |token: AuditToken| (token.pid(), token.euid()) == (0, 0);
    assert!(!incoming.is_from_kernel() || incoming.sender.is_some_and(is_zero));
    // A truncated trailer names nobody.
    let behind = buffer.get(size..).unwrap_or_default();
    assert!(incoming.sender.is_none() || behind.len() >= AUDIT_TRAILER_BYTES);
}

#[cfg(test)]
mod tests;

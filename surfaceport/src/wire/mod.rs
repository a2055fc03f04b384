//! The messages between the two processes, as bytes (layer 1).
//!
//! Pure functions: bytes in, a message or a [`Violation`] out, and back. Nothing
//! here knows of sockets, ports, handles or time; handles are only counted.
//! `PROTOCOL.md` has the same in tables, for those who write a child in another
//! language.
//!
//! Decoding is total and strict. A packet that decodes is the one and only
//! encoding of its message, so that nothing can be smuggled in beside it.

#![forbid(unsafe_code)]

mod codec;
mod from_child;
mod from_host;
mod input;
#[cfg(any(test, fuzzing))]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
mod version;

use crate::error::{Error, Violation};

use codec::{Reader, Writer};

pub(crate) use from_child::{FromChild, Hello, Setup};
pub(crate) use from_host::{Configure, FromHost, Refusal, Refused, Welcome};
pub(crate) use version::feature;
pub(crate) use version::{Agreed, SUPPORTED, VERSIONS, negotiate};

/// The longest user message, in bytes.
pub const MAX_USER_BYTES: usize = 16_384;

/// Bytes of the header: the kind and the packet's length.
pub(crate) const HEADER_BYTES: usize = 8;

/// The longest packet.
pub(crate) const MAX_MESSAGE_BYTES: usize = HEADER_BYTES + MAX_USER_BYTES;

/// The first field of Hello: the bytes `SPRT`.
pub(crate) const MAGIC: u32 = u32::from_le_bytes(*b"SPRT");

pub(crate) use crate::mode::{MAX_SLOTS, MIN_SLOTS};

/// Handles beside Welcome: the control page, the bell to the host and the bell
/// to the child, in this order.
pub(crate) const WELCOME_HANDLES: usize = 3;

/// By how much a slot's memory may exceed its image: room for rounding up to
/// pages of any size in use.
pub(crate) const MAX_SLOT_SLACK: u64 = 2 << 20;

/// The messages' numbers.
#[allow(dead_code, reason = "numbers are reserved before they are used")]
pub(crate) mod kind {
    pub(crate) const HELLO: u32 = 1;
    pub(crate) const WELCOME: u32 = 2;
    pub(crate) const SETUP: u32 = 3;
    pub(crate) const RETIRED: u32 = 4;
    pub(crate) const CONFIGURE: u32 = 5;
    pub(crate) const MESSAGE: u32 = 6;
    pub(crate) const BYE: u32 = 7;
    pub(crate) const REFUSED: u32 = 8;

    // 64 to 127 are for input and what goes with it. Unless both sides agree on
    // the feature, these are unknown like any other.
    pub(crate) const POINTER: u32 = 64;
    pub(crate) const KEY: u32 = 65;
    pub(crate) const FOCUS: u32 = 66;
    pub(crate) const TEXT_INPUT: u32 = 67;
    pub(crate) const CURSOR: u32 = 68;
    pub(crate) const ACCESSIBILITY: u32 = 69;
}

/// The bytes of a user message, known to be no longer than [`MAX_USER_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UserBytes<'a>(&'a [u8]);

impl<'a> UserBytes<'a> {
    /// Checks the length.
    ///
    /// # Errors
    ///
    /// [`Error::MessageTooLong`].
    pub(crate) const fn new(bytes: &'a [u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_USER_BYTES {
            return Err(Error::MessageTooLong { len: bytes.len(), max: MAX_USER_BYTES });
        }
        Ok(Self(bytes))
    }

    /// The bytes.
    pub(crate) const fn get(self) -> &'a [u8] {
        self.0
    }

    fn decode(body: &'a [u8], handles: usize) -> Result<Self, Violation> {
        no_handles(handles)?;
        Self::new(body).map_err(|_| Violation::LongMessage)
    }

    fn encode(self, out: &mut [u8; MAX_MESSAGE_BYTES]) -> &[u8] {
        Writer::begin(out, kind::MESSAGE).bytes(self.0).finish()
    }
}

/// The last message of either side: it sends nothing after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bye {
    /// 0 means done; the others have no meaning yet, and are no error.
    pub(crate) reason: u32,
}

impl Bye {
    const BYTES: usize = 12;

    fn decode(body: &[u8], handles: usize) -> Result<Self, Violation> {
        let mut fields = Reader::fields(body, Self::BYTES)?;
        no_handles(handles)?;
        Ok(Self { reason: fields.u32()? })
    }

    fn encode(self, out: &mut [u8; MAX_MESSAGE_BYTES]) -> &[u8] {
        Writer::begin(out, kind::BYE).u32(self.reason).finish()
    }
}

/// For messages that carry no handles.
const fn no_handles(handles: usize) -> Result<(), Violation> {
    if handles == 0 { Ok(()) } else { Err(Violation::UnexpectedHandles) }
}

/// For messages that carry a known number of handles.
const fn exact_handles(handles: usize, declared: usize) -> Result<(), Violation> {
    if handles < declared {
        return Err(Violation::MissingHandles);
    }
    if handles > declared {
        return Err(Violation::TooManyHandles);
    }
    Ok(())
}

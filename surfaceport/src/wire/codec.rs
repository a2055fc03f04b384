//! Reading and writing little-endian fields; checked, never past an end.

use crate::error::Violation;

use super::{HEADER_BYTES, MAX_MESSAGE_BYTES};

/// Splits a packet into its kind and its body.
pub(super) fn open(packet: &[u8]) -> Result<(u32, &[u8]), Violation> {
    if packet.len() > MAX_MESSAGE_BYTES {
        return Err(Violation::LongMessage);
    }
    let mut header = Reader { rest: packet };
    let kind = header.u32()?;
    let length = header.u32()?;
    if usize::try_from(length) != Ok(packet.len()) {
        return Err(Violation::LengthMismatch);
    }
    Ok((kind, header.rest))
}

/// Takes fields off the front of a body.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The fields of a message that is `packet_bytes` long, header included.
    pub(super) const fn fields(body: &'a [u8], packet_bytes: usize) -> Result<Self, Violation> {
        let expected = packet_bytes.saturating_sub(HEADER_BYTES);
        if body.len() < expected {
            return Err(Violation::ShortMessage);
        }
        if body.len() > expected {
            return Err(Violation::LongMessage);
        }
        Ok(Self { rest: body })
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Violation> {
        let (field, rest) = self.rest.split_first_chunk().ok_or(Violation::ShortMessage)?;
        self.rest = rest;
        Ok(*field)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Violation> {
        self.take().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Violation> {
        self.take().map(u32::from_le_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, Violation> {
        self.take().map(i32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Violation> {
        self.take().map(u64::from_le_bytes)
    }

    /// A reserved field of 2 bytes: zero.
    pub(super) fn reserved_u16(&mut self) -> Result<(), Violation> {
        if self.u16()? == 0 { Ok(()) } else { Err(Violation::BadField) }
    }

    /// A reserved field of 4 bytes: zero.
    pub(super) fn reserved_u32(&mut self) -> Result<(), Violation> {
        if self.u32()? == 0 { Ok(()) } else { Err(Violation::BadField) }
    }

    /// A number that counts from 1.
    pub(super) fn nonzero_u32(&mut self) -> Result<u32, Violation> {
        match self.u32()? {
            0 => Err(Violation::BadField),
            value => Ok(value),
        }
    }
}

/// Puts fields behind each other.
///
/// What does not fit is left out, but everything does: the buffer holds the
/// longest message.
pub(super) struct Writer<'b> {
    out: &'b mut [u8; MAX_MESSAGE_BYTES],
    at: usize,
}

impl<'b> Writer<'b> {
    /// Starts a packet; its length is filled in by [`Writer::finish`].
    pub(super) fn begin(out: &'b mut [u8; MAX_MESSAGE_BYTES], kind: u32) -> Self {
        Self { out, at: 0 }.u32(kind).u32(0)
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        let end = self.at.saturating_add(bytes.len());
        if let Some(place) = self.out.get_mut(self.at..end) {
            place.copy_from_slice(bytes);
            self.at = end;
        }
        self
    }

    pub(super) fn u16(self, value: u16) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(super) fn u32(self, value: u32) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(super) fn i32(self, value: i32) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(super) fn u64(self, value: u64) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    /// The whole packet.
    pub(super) fn finish(self) -> &'b [u8] {
        let end = self.at;
        let length = u32::try_from(end).unwrap_or(u32::MAX);
        let Self { out, .. } = Self { at: 4, ..self }.u32(length);
        out.get(..end).unwrap_or(&[])
    }
}

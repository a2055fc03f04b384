//! Shared memory: named memory entries.
//!
//! The kernel knows how long one is, and nobody can make it shorter: there is
//! nothing to seal. See `mach_make_memory_entry_64` (osfmk/vm of XNU).

use std::ptr::NonNull;

use super::kern::{self, Code, Mapped};
use super::rights::SendRight;
use super::{BorrowedHandle, Handle, os};
use crate::error::{Error, Violation};

/// A piece of memory that another process can map.
#[derive(Debug)]
pub(crate) struct Memory {
    entry: Handle,
    name: kern::Name,
    len: u64,
}

impl Memory {
    /// New memory, zero; `len` is rounded up to pages.
    pub(crate) fn create(_name: &'static str, len: u64) -> Result<Self, Error> {
        let no_space = Error::NoSpace { bytes: len };
        let rounded = len.checked_next_multiple_of(kern::page_size()).ok_or(no_space)?;
        // The kernel would promise more than there is.
        if rounded > kern::memory_size() {
            return Err(Error::NoSpace { bytes: len });
        }
        if rounded == 0 {
            return Err(os("allocating shared memory", Code::INVALID_ARGUMENT));
        }
        let (entry, len) = kern::memory_entry(rounded).map_err(|code| match code {
            Code::NO_SPACE | Code::RESOURCE_SHORTAGE => Error::NoSpace { bytes: rounded },
            code => os("allocating shared memory", code),
        })?;
        let entry = SendRight::own(entry);
        if len < rounded {
            return Err(Error::NoSpace { bytes: rounded });
        }
        Ok(Self { name: entry.name(), entry: Handle::Send(entry), len: rounded })
    }

    fn of(handle: Handle, len: u64) -> Result<Self, Error> {
        let Handle::Send(right) = &handle else { return Err(Violation::NotMemory.into()) };
        Ok(Self { name: right.name(), entry: handle, len })
    }

    /// Memory that an untrusted peer sent, once it is proved harmless: memory
    /// of just this length. (What such a peer sends here are surfaces, so only
    /// tests need it.)
    #[cfg(test)]
    pub(crate) fn import(handle: Handle, len: u64) -> Result<Self, Error> {
        let page = kern::page_size();
        let memory = Self::of(handle, len)?;
        // What can be mapped says what it is: the first page, all of it, and
        // nothing behind.
        memory.probe(0, page)?;
        if len == 0 || !len.is_multiple_of(page) {
            return Err(Violation::WrongLength.into());
        }
        memory.probe(0, len)?;
        match memory.probe(len, page) {
            Err(Error::Violation(Violation::WrongLength)) => Ok(memory),
            Ok(()) => Err(Violation::WrongLength.into()),
            Err(error) => Err(error),
        }
    }

    /// Memory that a trusted peer sent.
    pub(crate) fn adopt(handle: Handle, len: u64) -> Result<Self, Error> {
        let memory = Self::of(handle, len)?;
        memory.probe(0, len)?;
        Ok(memory)
    }

    /// Whether a part of it is there.
    fn probe(&self, offset: u64, len: u64) -> Result<(), Error> {
        match kern::map(self.name, offset, len) {
            Ok(_mapped) => Ok(()),
            Err(Code::INVALID_ARGUMENT) => Err(Violation::WrongLength.into()),
            Err(Code::INVALID_OBJECT | Code::INVALID_RIGHT) => Err(Violation::NotMemory.into()),
            Err(code) => Err(os("looking at shared memory", code)),
        }
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// What to send so that another process can use it.
    pub(crate) fn handle(&self) -> BorrowedHandle<'_> {
        &self.entry
    }

    /// Maps it for reading and writing.
    pub(crate) fn map(&self) -> Result<Mapping, Error> {
        let mapped = kern::map(self.name, 0, self.len).map_err(|code| match code {
            Code::NO_SPACE => Error::NoSpace { bytes: self.len },
            code => os("mapping shared memory", code),
        })?;
        Ok(Mapping(mapped))
    }

    /// Copies bytes out without keeping a mapping; surfaces have their own way.
    #[cfg(test)]
    pub(crate) fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        read(&self.map()?.0, offset, out)
    }
}

/// Copies bytes out of a mapping, whatever the peer writes meanwhile.
pub(super) fn read(mapped: &Mapped, offset: u64, out: &mut [u8]) -> Result<(), Error> {
    let start = usize::try_from(offset).map_err(|_| Violation::WrongLength)?;
    let end = start.checked_add(out.len()).ok_or(Violation::WrongLength)?;
    if end > mapped.len() {
        return Err(Violation::WrongLength.into());
    }
    mapped.copy(start, out).map_err(|code| os("reading shared memory", code))
}

/// Shared memory in this process's address space, until dropped.
///
/// It is only an address and a length: whoever uses it must know that the peer
/// may write the memory at any time.
#[derive(Debug)]
pub(crate) struct Mapping(pub(super) Mapped);

impl Mapping {
    /// Where it starts: page-aligned, valid for as long as this lives.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.0.start()
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

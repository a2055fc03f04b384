//! Shared memory: words on the heap, shared by all that hold a handle.

use std::io::ErrorKind;
use std::ptr::NonNull;
use std::sync::Arc;

use super::{BorrowedHandle, Handle, os};
use crate::error::{Error, Violation};
use crate::sync::{AtomicU64, Ordering};

const WORD: usize = size_of::<u64>();
const WORDS: usize = 512;
const PAGE: u64 = 4096;
/// The heap has more on offer than there is (it is counted when it is touched),
/// so there is a limit of our own.
const MOST: u64 = 1 << 30;

/// A page of memory that others write at any time, hence atomics.
#[derive(Debug)]
#[repr(C, align(4096))]
struct Page([AtomicU64; WORDS]);

/// The memory itself.
#[derive(Debug)]
pub(crate) struct Block(Vec<Page>);

/// A piece of memory that another process can map.
#[derive(Debug)]
pub(crate) struct Memory {
    handle: Handle,
    block: Arc<Block>,
    len: u64,
}

impl Memory {
    /// New memory, zero; `len` is rounded up to pages.
    pub(crate) fn create(_name: &'static str, len: u64) -> Result<Self, Error> {
        let no_space = || Error::NoSpace { bytes: len };
        let pages = usize::try_from(len.div_ceil(PAGE)).map_err(|_| no_space())?;
        if len > MOST {
            return Err(no_space());
        }
        if pages == 0 {
            return Err(os("allocating shared memory", ErrorKind::InvalidInput));
        }
        let mut block = Vec::new();
        block.try_reserve_exact(pages).map_err(|_| no_space())?;
        block.resize_with(pages, || Page([const { AtomicU64::new(0) }; _]));
        Ok(Self::of(Arc::new(Block(block)), pages as u64 * PAGE))
    }

    fn of(block: Arc<Block>, len: u64) -> Self {
        Self { handle: Handle::Memory(Arc::clone(&block)), block, len }
    }

    /// Memory that an untrusted peer sent, once it is proved harmless: memory
    /// of just this length.
    pub(crate) fn import(handle: Handle, len: u64) -> Result<Self, Error> {
        let Handle::Memory(block) = handle else { return Err(Violation::NotMemory.into()) };
        if block.len() != len {
            return Err(Violation::WrongLength.into());
        }
        Ok(Self::of(block, len))
    }

    /// Memory that a trusted peer sent.
    pub(crate) fn adopt(handle: Handle, len: u64) -> Result<Self, Error> {
        let Handle::Memory(block) = handle else { return Err(Violation::NotMemory.into()) };
        if block.len() < len {
            return Err(Violation::WrongLength.into());
        }
        Ok(Self::of(block, len))
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// What to send so that another process can use it.
    pub(crate) fn handle(&self) -> BorrowedHandle<'_> {
        &self.handle
    }

    /// Maps it for reading and writing.
    pub(crate) fn map(&self) -> Result<Mapping, Error> {
        let len = usize::try_from(self.len).map_err(|_| Error::NoSpace { bytes: self.len })?;
        Ok(Mapping { block: Arc::clone(&self.block), len })
    }

    /// Copies bytes out without mapping anything.
    pub(crate) fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        let offset = usize::try_from(offset).map_err(|_| Violation::WrongLength)?;
        let mut bytes = self.block.bytes().skip(offset);
        for byte in out {
            *byte = bytes.next().ok_or(Violation::WrongLength)?;
        }
        Ok(())
    }
}

impl Block {
    fn len(&self) -> u64 {
        self.0.len() as u64 * PAGE
    }

    fn words(&self) -> impl Iterator<Item = &AtomicU64> {
        self.0.iter().flat_map(|page| &page.0)
    }

    fn bytes(&self) -> impl Iterator<Item = u8> {
        self.words().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes())
    }
}

/// Shared memory in this process's address space, until dropped.
///
/// It is only an address and a length: whoever uses it must know that the peer
/// may write the memory at any time.
#[derive(Debug)]
pub(crate) struct Mapping {
    block: Arc<Block>,
    len: usize,
}

impl Mapping {
    /// Where it starts: page-aligned, valid for as long as this lives.
    pub(crate) fn start(&self) -> NonNull<u8> {
        // Writing through it is sound: all of it is atomics.
        NonNull::from(self.block.0.as_slice()).cast()
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// What the tests read and write, without a pointer.
    pub(super) fn words(&self) -> impl Iterator<Item = &AtomicU64> {
        self.block.words().take(self.len / WORD)
    }
}

//! The control page, mapped.

#![allow(unsafe_code, reason = "the control page in a mapping")]

use crate::error::Error;
use crate::swapchain::page::{ControlPage, PAGE_BYTES};
use crate::sys::{BorrowedHandle, Handle, Mapping, Memory};

/// Shared memory with a [`ControlPage`] at its start.
#[derive(Debug)]
pub(crate) struct Page {
    memory: Memory,
    mapping: Mapping,
}

impl Page {
    /// Host: a new page, all zero.
    pub(crate) fn create() -> Result<Self, Error> {
        let memory = Memory::create("surfaceport-page", PAGE_BYTES as u64)?;
        let mapping = memory.map()?;
        Ok(Self { memory, mapping })
    }

    /// Child: the page that came with Welcome.
    pub(crate) fn adopt(handle: Handle, len: u32) -> Result<Self, Error> {
        let memory = Memory::adopt(handle, u64::from(len).max(PAGE_BYTES as u64))?;
        let mapping = memory.map()?;
        Ok(Self { memory, mapping })
    }

    /// What to send to the child.
    pub(crate) fn handle(&self) -> BorrowedHandle<'_> {
        self.memory.handle()
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.memory.len()).unwrap_or(u32::MAX)
    }

    /// The words.
    pub(crate) fn control(&self) -> &ControlPage {
        let page = self.mapping.start().cast::<ControlPage>();
        // SAFETY: the mapping starts on a page (so it is aligned to 128), has at
        // least PAGE_BYTES readable and writable bytes (both constructors), and
        // lives as long as the borrow. ControlPage is repr(C) and nothing but
        // AtomicU64, for which any bytes are valid and which the peer may write
        // at any time.
        unsafe { page.as_ref() }
    }
}

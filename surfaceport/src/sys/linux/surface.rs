//! The memory of a surface: a sealed memfd. (Later also a dma-buf; on macOS an
//! IOSurface. Both need to be told when the processor draws or looks.)

use super::{BorrowedHandle, Handle, Mapping, Memory};
use crate::error::{Error, Violation};
use crate::geometry::SurfaceDescriptor;

/// The memory behind one slot.
#[derive(Debug)]
pub(crate) struct SurfaceMemory(Memory);

impl SurfaceMemory {
    /// New memory for a surface, all zero.
    pub(crate) fn create(descriptor: &SurfaceDescriptor) -> Result<Self, Error> {
        Memory::create("surfaceport", descriptor.bytes()).map(Self)
    }

    /// What an untrusted peer sent, once it is proved to be what it says.
    pub(crate) fn import(
        handle: Handle,
        descriptor: &SurfaceDescriptor,
        len: u64,
    ) -> Result<Self, Error> {
        if len < descriptor.bytes() {
            return Err(Violation::WrongLength.into());
        }
        Memory::import(handle, len).map(Self)
    }

    /// Its length in bytes: the image's, rounded up to pages.
    pub(crate) fn len(&self) -> u64 {
        self.0.len()
    }

    /// What to send to another process, or to a display server.
    pub(crate) fn handle(&self) -> BorrowedHandle<'_> {
        self.0.handle()
    }

    /// The other process has it. It costs nothing to keep.
    #[expect(clippy::unused_self, reason = "for other kinds of memory it counts as a use")]
    #[allow(dead_code, reason = "nothing above calls it over threads for processes")]
    pub(crate) fn forget_handle(&mut self) {}

    /// Maps it for reading and writing, prefaulted.
    pub(crate) fn map(&self) -> Result<Mapping, Error> {
        self.0.map()
    }

    /// Copies bytes out without mapping anything.
    pub(crate) fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        self.0.read_at(offset, out)
    }

    /// The processor is going to draw. Ordinary memory need not know.
    #[expect(clippy::unused_self, reason = "other kinds of memory have something to do here")]
    pub(crate) fn begin_drawing(&self) {}

    /// The processor has drawn: the pixels are to be seen by others.
    #[expect(clippy::unused_self, reason = "other kinds of memory have something to do here")]
    pub(crate) fn end_drawing(&self) {}
}

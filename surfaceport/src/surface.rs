//! Surfaces on both sides.

#![allow(
    unsafe_code,
    reason = "the words of a mapping, and the bytes of a surface that has one owner"
)]

mod lease;

use std::fmt;
use std::sync::OnceLock;

use crate::error::Error;
use crate::geometry::SurfaceDescriptor;
use crate::sync::{AtomicU64, Ordering};
pub(crate) use crate::sys::SurfaceMemory;
use crate::sys::{BorrowedHandle, Handle, Mapping};

pub use self::lease::{Feedback, Lease, SwapchainId};
pub(crate) use self::lease::{Lessor, Slot};

/// The words of a mapping. The peer may write them at any time, which atomics
/// allow; what is read must be taken for anything.
pub(crate) fn words(mapping: &Mapping) -> &[AtomicU64] {
    let start = mapping.start().cast::<AtomicU64>();
    // SAFETY: the mapping starts on a page, so it is aligned for u64; all of it
    // is readable and writable and lives as long as the borrow; any bytes are a
    // valid AtomicU64; within this process the memory is accessed only by these
    // atomics, or by the one owner of a `DrawSurface`, which makes none.
    unsafe { std::slice::from_raw_parts(start.as_ptr(), mapping.len() / 8) }
}

/// The host's side of a slot: an image that the child drew, and may still
/// change if it does not keep to the rules.
///
/// A host need not map it to show it. To look at the pixels, copy them out, or
/// look through a [`PixelView`].
#[derive(Debug)]
pub struct Surface {
    descriptor: SurfaceDescriptor,
    memory: SurfaceMemory,
    mapping: OnceLock<Mapping>,
}

impl Surface {
    /// The surface behind a handle that a child sent, once it is proved to be
    /// what the child says.
    pub(crate) fn import(
        handle: Handle,
        descriptor: SurfaceDescriptor,
        bytes: u64,
    ) -> Result<Self, Error> {
        Ok(Self::of(SurfaceMemory::import(handle, &descriptor, bytes)?, descriptor))
    }

    /// The surface in memory that has been proved to be of this kind.
    pub(crate) fn of(memory: SurfaceMemory, descriptor: SurfaceDescriptor) -> Self {
        Self { descriptor, memory, mapping: OnceLock::new() }
    }

    /// A surface of the host's own, zero, that no child has.
    pub(crate) fn create(descriptor: SurfaceDescriptor) -> Result<Self, Error> {
        Ok(Self::of(SurfaceMemory::create(&descriptor)?, descriptor))
    }

    /// Copies the pixels of another surface of the same layout: each word once,
    /// whatever the child does to it meanwhile.
    pub(crate) fn copy_from(&self, other: &Self) -> Result<(), Error> {
        let (to, from) = (self.view()?, other.view()?);
        for (to, from) in to.words.iter().zip(from.words) {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Size, format and layout.
    #[must_use]
    pub fn descriptor(&self) -> &SurfaceDescriptor {
        &self.descriptor
    }

    /// The memory's length in bytes: the image's, rounded up to pages.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory.len()
    }

    /// The memory, of which a display server takes the handle.
    pub(crate) fn memory(&self) -> &SurfaceMemory {
        &self.memory
    }

    /// Copies the image out, rows without padding, without mapping it.
    ///
    /// # Errors
    ///
    /// [`Error::Os`] if the memory can't be read. `out` must have
    /// `row_bytes() * height` bytes; a shorter one gets as many whole rows as
    /// fit.
    pub fn copy_to(&self, out: &mut [u8]) -> Result<(), Error> {
        let row_bytes = self.descriptor.row_bytes() as usize;
        let mut offset = 0;
        let rows = self.descriptor.size().height as usize;
        for row in out.chunks_exact_mut(row_bytes).take(rows) {
            self.memory.read_at(offset, row)?;
            offset += u64::from(self.descriptor.stride());
        }
        Ok(())
    }

    /// A view of the pixels; the first one of a surface maps it, for as long as
    /// the surface lives.
    ///
    /// # Errors
    ///
    /// [`Error::NoSpace`] or [`Error::Os`] if it can't be mapped.
    pub fn view(&self) -> Result<PixelView<'_>, Error> {
        let mapping = match self.mapping.get() {
            Some(mapping) => mapping,
            None => {
                let mapping = self.memory.map()?;
                self.mapping.get_or_init(|| mapping)
            }
        };
        Ok(PixelView { words: words(mapping), descriptor: &self.descriptor })
    }
}

/// The words of a row, each read once.
struct RowWords<'a>(std::slice::Iter<'a, AtomicU64>);

impl Iterator for RowWords<'_> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        self.0.next().map(load)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }

    /// By eights: they are laid out one behind the other, and what is made of them
    /// need not wait for the word before. Half as fast again as one by one.
    #[inline]
    fn fold<B, F: FnMut(B, u64) -> B>(self, init: B, f: F) -> B {
        let (eights, rest) = self.0.as_slice().as_chunks::<8>();
        eights.iter().flatten().chain(rest).map(load).fold(init, f)
    }
}

impl ExactSizeIterator for RowWords<'_> {}

#[inline]
fn load(word: &AtomicU64) -> u64 {
    word.load(Ordering::Relaxed)
}

/// Reads pixels in place. Every read is an atomic load: sound whatever the
/// child does meanwhile, but two reads of a pixel may differ.
#[derive(Clone, Copy)]
pub struct PixelView<'a> {
    words: &'a [AtomicU64],
    descriptor: &'a SurfaceDescriptor,
}

impl PixelView<'_> {
    /// Size, format and layout.
    #[must_use]
    pub fn descriptor(&self) -> &SurfaceDescriptor {
        self.descriptor
    }

    /// The row's bytes as words of 8, in native order, padding included: the
    /// fastest way to read a lot, where it is done by `fold`, `for_each` and their
    /// like. `None` below the last row.
    #[inline]
    pub fn row_words(&self, y: u32) -> Option<impl ExactSizeIterator<Item = u64> + '_> {
        Some(RowWords(self.row(y)?.iter()))
    }

    fn row(&self, y: u32) -> Option<&[AtomicU64]> {
        if y >= self.descriptor.size().height {
            return None;
        }
        // A stride is a multiple of 8, and the memory holds all rows.
        let stride = self.descriptor.stride() as usize / 8;
        let start = stride * y as usize;
        self.words.get(start..start + stride)
    }

    /// Copies a row's pixels, or as much as `out` has room for; says how many
    /// bytes.
    pub fn copy_row(&self, y: u32, out: &mut [u8]) -> usize {
        let len = out.len().min(self.descriptor.row_bytes() as usize);
        let (Some(row), Some(out)) = (self.row(y), out.get_mut(..len)) else { return 0 };
        let (whole, rest) = out.as_chunks_mut();
        let last = row.get(whole.len()).map_or(0, |word| word.load(Ordering::Relaxed));
        // Two slices side by side: such a loop is unrolled.
        for (bytes, word) in whole.iter_mut().zip(row) {
            *bytes = word.load(Ordering::Relaxed).to_ne_bytes();
        }
        for (byte, from) in rest.iter_mut().zip(last.to_ne_bytes()) {
            *byte = from;
        }
        len
    }

    /// The first four bytes of a pixel; `None` outside.
    #[must_use]
    pub fn pixel(&self, x: u32, y: u32) -> Option<[u8; 4]> {
        let size = self.descriptor.size();
        if x >= size.width || y >= size.height {
            return None;
        }
        let offset = x as usize * self.descriptor.format().bytes_per_pixel() as usize
            + y as usize * self.descriptor.stride() as usize;
        let word = self.words.get(offset / 8)?.load(Ordering::Relaxed).to_ne_bytes();
        word.get(offset % 8..)?.first_chunk().copied()
    }
}

impl fmt::Debug for PixelView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PixelView").field("descriptor", self.descriptor).finish_non_exhaustive()
    }
}

/// The child's side of a slot: its own memory, to draw into.
///
/// It moves from the swapchain into a canvas and back, so there is never more
/// than one owner.
#[derive(Debug)]
pub(crate) struct DrawSurface {
    descriptor: SurfaceDescriptor,
    memory: SurfaceMemory,
    mapping: Mapping,
}

impl DrawSurface {
    /// New memory, zero, mapped and prefaulted.
    pub(crate) fn create(descriptor: SurfaceDescriptor) -> Result<Self, Error> {
        let memory = SurfaceMemory::create(&descriptor)?;
        let mapping = memory.map()?;
        Ok(Self { descriptor, memory, mapping })
    }

    /// The memory's length in bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory.len()
    }

    /// What to send to the host.
    pub(crate) fn handle(&self) -> BorrowedHandle<'_> {
        self.memory.handle()
    }

    /// The host has it.
    pub(crate) fn forget_handle(&mut self) {
        self.memory.forget_handle();
    }

    /// The memory, for a GPU.
    #[allow(dead_code, reason = "there is nothing of it on every system")]
    pub(crate) fn memory(&self) -> &SurfaceMemory {
        &self.memory
    }

    /// The slot is the child's own, and its processor is going to draw.
    pub(crate) fn begin_drawing(&self) {
        self.memory.begin_drawing();
    }

    /// The child has drawn; others are going to look.
    pub(crate) fn end_drawing(&self) {
        self.memory.end_drawing();
    }

    /// The pixels: `stride` bytes a row.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        let len =
            usize::try_from(self.descriptor.bytes()).map_or(0, |len| len.min(self.mapping.len()));
        // SAFETY: the mapping is readable and writable for at least `len` bytes
        // and lives as long as the borrow. `&mut self` is the only owner in
        // this process, and no `words` are made of a DrawSurface. The host,
        // which this side trusts, never writes surfaces, and a slot is in a
        // canvas only while the host does not show it.
        unsafe { std::slice::from_raw_parts_mut(self.mapping.start().as_ptr(), len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Format;
    use crate::geometry::Size;

    #[test]
    fn a_row_is_copied_as_far_as_there_is_room() {
        let descriptor = SurfaceDescriptor::new(Size::new(5, 3), Format::Bgra8).unwrap();
        let surface = Surface::create(descriptor).unwrap();
        let view = surface.view().unwrap();
        let bytes: Vec<u8> = (0..=250).cycle().take(view.words.len() * 8).collect();
        for (word, bytes) in view.words.iter().zip(bytes.as_chunks().0) {
            word.store(u64::from_ne_bytes(*bytes), Ordering::Relaxed);
        }
        let stride = descriptor.stride() as usize;
        for y in 0..3 {
            for room in [0, 1, 7, 8, 13, 16, 19, 20, 21, 100] {
                let mut out = vec![0xee; room];
                let copied = view.copy_row(y, &mut out);
                assert_eq!(copied, room.min(20));
                let from = stride * y as usize;
                assert_eq!(out[..copied], bytes[from..from + copied], "row {y}, room {room}");
                assert!(out[copied..].iter().all(|byte| *byte == 0xee), "row {y}, room {room}");
            }
        }
        assert_eq!(view.copy_row(3, &mut [0; 20]), 0);
        assert!(view.row_words(2).is_some() && view.row_words(3).is_none());
    }

    #[test]
    fn words_come_once_and_in_order_by_any_way() {
        let words: Vec<_> = (0..50).map(AtomicU64::new).collect();
        for (start, end) in [(0, 0), (0, 1), (0, 7), (0, 8), (3, 11), (0, 23), (1, 50)] {
            let row = || RowWords(words[start..end].iter());
            let expected: Vec<_> = (start as u64..end as u64).collect();
            let mut one_by_one = row();
            let by_next: Vec<_> = std::iter::from_fn(|| one_by_one.next()).collect();
            let by_fold = row().fold(Vec::new(), |mut all, word| {
                all.push(word);
                all
            });
            assert_eq!((&by_next, &by_fold), (&expected, &expected));
            assert_eq!(row().len(), expected.len());
        }
    }
}

//! Surfaces on both sides, and the lease that a pane holds.

#![allow(
    unsafe_code,
    reason = "the words of a mapping, and the bytes of a surface that has one owner"
)]

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::error::Error;
use crate::geometry::{Damage, Size, SurfaceDescriptor};
use crate::outcome::{FrameId, Outcome};
use crate::swapchain::record::{FrameRecord, USER_BYTES};
use crate::sync::{AtomicU64, Ordering};
pub(crate) use crate::sys::SurfaceMemory;
use crate::sys::{BorrowedHandle, Handle, Mapping};
use crate::time::Timestamp;

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
    /// fastest way to read a lot. `None` below the last row.
    pub fn row_words(&self, y: u32) -> Option<impl Iterator<Item = u64> + '_> {
        if y >= self.descriptor.size().height {
            return None;
        }
        // A stride is a multiple of 8, and the memory holds all rows.
        let stride = self.descriptor.stride() as usize / 8;
        let start = stride * y as usize;
        let row = self.words.get(start..start + stride)?;
        Some(row.iter().map(|word| word.load(Ordering::Relaxed)))
    }

    /// Copies a row's pixels, or as much as `out` has room for; says how many
    /// bytes.
    pub fn copy_row(&self, y: u32, out: &mut [u8]) -> usize {
        let len = out.len().min(self.descriptor.row_bytes() as usize);
        let (Some(row), Some(out)) = (self.row_words(y), out.get_mut(..len)) else { return 0 };
        let (whole, rest) = out.as_chunks_mut();
        let mut row = row;
        for (bytes, word) in whole.iter_mut().zip(&mut row) {
            *bytes = word.to_ne_bytes();
        }
        for (byte, from) in rest.iter_mut().zip(row.next().unwrap_or(0).to_ne_bytes()) {
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

/// One set of surfaces, of one child: no other in this process has the same,
/// while every child counts its generations from 1.
///
/// What a display server makes of a surface (a buffer, a pixmap) is made once
/// for each of these and each slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SwapchainId(u64);

impl SwapchainId {
    /// One that nobody had before.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Who leased a slot: takes it back, and hears what became of its frame.
pub(crate) trait Lessor: fmt::Debug + Send + Sync {
    /// Which set of surfaces it is.
    fn id(&self) -> SwapchainId;
    /// The process that drew, if it is known.
    fn child_pid(&self) -> Option<u32>;
    /// One lease more of a slot.
    fn share(&self, slot: u8);
    /// One lease of a slot is over; with the last, it is the child's again.
    fn give_back(&self, slot: u8);
    /// What became of a frame; called once for each.
    fn report(&self, id: FrameId, outcome: Outcome);
}

/// The right to show a surface for a while: what a pane gets.
///
/// Dropping it, from any thread, gives the slot back to the child. Until then
/// an honest child does not draw into it. If nobody said what became of the
/// frame, it counts as shown when it was taken.
#[derive(Debug)]
pub struct Lease {
    surface: Arc<Surface>,
    lessor: Arc<dyn Lessor>,
    id: FrameId,
    slot: u8,
    size: Size,
    damage: Damage,
    record: FrameRecord,
    taken_at: Timestamp,
    reported: bool,
}

impl Lease {
    /// The first lease of a slot that was just taken.
    #[inline]
    pub(crate) fn new(
        surface: Arc<Surface>,
        lessor: Arc<dyn Lessor>,
        (id, slot): (FrameId, u8),
        damage: Damage,
        record: FrameRecord,
        taken_at: Timestamp,
    ) -> Self {
        let size = record.extent.unwrap_or(surface.descriptor().size());
        Self { surface, lessor, id, slot, size, damage, record, taken_at, reported: false }
    }

    /// Another lease of the same frame, for something that looks at it beside
    /// the pane: the child gets the slot back when both are dropped. What
    /// becomes of the frame is for the first one to say.
    ///
    /// ```
    /// use surfaceport::{Lease, Pane};
    ///
    /// /// Shows a frame, and gives it back to look at.
    /// fn show(pane: &mut impl Pane, lease: Lease) -> Result<Lease, surfaceport::Error> {
    ///     let copy = lease.share();
    ///     pane.present(lease)?;
    ///     Ok(copy)
    /// }
    /// ```
    #[must_use]
    pub fn share(&self) -> Self {
        self.lessor.share(self.slot);
        Self {
            surface: Arc::clone(&self.surface),
            lessor: Arc::clone(&self.lessor),
            damage: self.damage,
            reported: true,
            ..*self
        }
    }

    /// The same frame in another surface; this one's slot is given back.
    pub(crate) fn moved_to(
        mut self,
        surface: Arc<Surface>,
        lessor: Arc<dyn Lessor>,
        slot: u8,
    ) -> Self {
        let reported = std::mem::replace(&mut self.reported, true);
        Self { surface, lessor, slot, reported, ..self }
    }

    /// The surface.
    #[must_use]
    pub fn surface(&self) -> &Surface {
        &self.surface
    }

    /// Which frame it is.
    #[must_use]
    pub fn id(&self) -> FrameId {
        self.id
    }

    /// The set of surfaces that it is of.
    #[must_use]
    pub fn swapchain_id(&self) -> SwapchainId {
        self.lessor.id()
    }

    /// The slot, below the generation's count: a display server's buffers are
    /// made once a slot.
    #[must_use]
    pub fn slot(&self) -> usize {
        usize::from(self.slot)
    }

    /// The part of the surface that is in use, from the top left.
    #[must_use]
    pub fn size(&self) -> Size {
        self.size
    }

    /// What changed since the frame that was taken before this one.
    #[must_use]
    pub fn damage(&self) -> &Damage {
        &self.damage
    }

    /// Adds what changed in frames that were taken but never shown.
    pub(crate) fn add_damage(&mut self, damage: &Damage) {
        self.damage.union(damage);
    }

    /// The process that drew it, where the kernel tells.
    #[must_use]
    pub fn child_pid(&self) -> Option<u32> {
        self.lessor.child_pid()
    }

    /// What the child attached; zeros if it attached nothing.
    #[must_use]
    pub fn user_data(&self) -> [u8; USER_BYTES] {
        self.record.user.unwrap_or([0; USER_BYTES])
    }

    /// When the child says that it presented the frame.
    #[must_use]
    pub fn presented_at(&self) -> Timestamp {
        Timestamp::from_nanos(self.record.presented_at)
    }

    /// The begin-frame that the child says it answers.
    #[must_use]
    pub fn begin_frame(&self) -> Option<Timestamp> {
        (self.record.begin_frame != 0).then(|| Timestamp::from_nanos(self.record.begin_frame))
    }

    /// When the host took it.
    #[must_use]
    pub fn taken_at(&self) -> Timestamp {
        self.taken_at
    }

    /// Says now what became of the frame, and keeps the slot.
    pub fn report(&mut self, outcome: Outcome) {
        if !std::mem::replace(&mut self.reported, true) {
            self.lessor.report(self.id, outcome);
        }
    }

    /// Takes over the duty to say what became of the frame, for displays that
    /// say so after they have let go of the surface.
    ///
    /// `None` if it has been said already.
    #[must_use]
    pub fn take_feedback(&mut self) -> Option<Feedback> {
        (!std::mem::replace(&mut self.reported, true)).then(|| Feedback {
            lessor: Arc::clone(&self.lessor),
            id: self.id,
            reported: false,
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.report(Outcome::Shown { at: self.taken_at });
        self.lessor.give_back(self.slot);
    }
}

/// The duty to say what became of a frame. Dropped without a word, the frame
/// counts as lost.
#[derive(Debug)]
pub struct Feedback {
    lessor: Arc<dyn Lessor>,
    id: FrameId,
    reported: bool,
}

impl Feedback {
    /// Which frame it is about.
    #[must_use]
    pub fn id(&self) -> FrameId {
        self.id
    }

    /// Says what became of the frame.
    pub fn report(mut self, outcome: Outcome) {
        self.reported = true;
        self.lessor.report(self.id, outcome);
    }
}

impl Drop for Feedback {
    fn drop(&mut self) {
        if !self.reported {
            self.lessor.report(self.id, Outcome::Lost);
        }
    }
}

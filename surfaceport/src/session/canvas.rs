//! A slot to draw into.

use super::swapchain::Swapchain;
use crate::error::Error;
use crate::geometry::{Damage, GeometryError, Size, SurfaceDescriptor};
use crate::outcome::FrameId;
use crate::surface::{DrawSurface, SurfaceMemory};
use crate::swapchain::record::{FrameRecord, USER_BYTES};

/// A slot that is the child's own, to draw the next frame into.
///
/// [`present`](Self::present) takes it; dropping it instead gives the slot back
/// undrawn. After either it can't be used:
///
/// ```compile_fail,E0382
/// fn draw(mut canvas: surfaceport::Canvas<'_>) {
///     canvas.bytes_mut().fill(0);
///     canvas.present(surfaceport::Damage::FULL).unwrap();
///     canvas.bytes_mut().fill(1);
/// }
/// ```
///
/// ```
/// fn draw(mut canvas: surfaceport::Canvas<'_>) {
///     canvas.bytes_mut().fill(0);
///     canvas.bytes_mut().fill(1);
///     canvas.present(surfaceport::Damage::FULL).unwrap();
/// }
/// ```
///
/// Nor can its pixels:
///
/// ```compile_fail,E0505
/// fn draw(mut canvas: surfaceport::Canvas<'_>) {
///     let pixels = canvas.bytes_mut();
///     canvas.present(surfaceport::Damage::FULL).unwrap();
///     pixels.fill(1);
/// }
/// ```
///
/// ```
/// fn draw(mut canvas: surfaceport::Canvas<'_>) {
///     let pixels = canvas.bytes_mut();
///     pixels.fill(1);
///     canvas.present(surfaceport::Damage::FULL).unwrap();
/// }
/// ```
#[derive(Debug)]
pub struct Canvas<'a> {
    swapchain: &'a Swapchain,
    slot: u8,
    /// `None` only after `present`.
    surface: Option<Box<DrawSurface>>,
    age: u64,
    drawn: bool,
    /// The processor has the surface, which it need not share with a GPU.
    locked: bool,
    record: FrameRecord,
}

impl<'a> Canvas<'a> {
    pub(super) fn new(
        swapchain: &'a Swapchain,
        slot: u8,
        surface: Box<DrawSurface>,
        age: u64,
    ) -> Self {
        let record = FrameRecord::default();
        let surface = Some(surface);
        Self { swapchain, slot, surface, age, drawn: false, locked: false, record }
    }

    /// Size, format and layout.
    #[must_use]
    pub fn surface(&self) -> &'a SurfaceDescriptor {
        self.swapchain.surface()
    }

    /// Size in pixels.
    #[must_use]
    pub fn size(&self) -> Size {
        self.surface().size()
    }

    /// Bytes from one row to the next.
    #[must_use]
    pub fn stride(&self) -> usize {
        self.surface().stride() as usize
    }

    /// How old the content is: 1 is the frame presented last, 2 the one before;
    /// 0 is undefined. A renderer that knows what changed since then need draw
    /// only that again.
    #[must_use]
    pub fn age(&self) -> u64 {
        self.age
    }

    /// The pixels, [`stride`](Self::stride) bytes a row, top row first.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.drawn = true;
        let Some(surface) = &mut self.surface else { return &mut [] };
        if !std::mem::replace(&mut self.locked, true) {
            surface.begin_drawing();
        }
        surface.bytes_mut()
    }

    /// What a GPU draws into, instead of the processor.
    #[allow(dead_code, reason = "there is nothing of it on every system")]
    pub(crate) fn memory_for_gpu(&mut self) -> Option<&SurfaceMemory> {
        self.drawn = true;
        let surface = self.surface.as_ref()?;
        if std::mem::take(&mut self.locked) {
            surface.end_drawing();
        }
        Some(surface.memory())
    }

    /// The rows, top first, without their padding. They can be drawn by several
    /// threads.
    pub fn rows_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [u8]> + Send {
        let len = self.surface().row_bytes() as usize;
        let stride = self.stride();
        self.bytes_mut().chunks_exact_mut(stride).map(move |row| {
            let (pixels, _padding) = row.split_at_mut(len.min(stride));
            pixels
        })
    }

    /// Attaches up to 64 bytes that the host gets with the frame; longer ones
    /// are cut, shorter ones filled with zeros.
    pub fn set_user_data(&mut self, bytes: &[u8]) {
        let mut user = [0; USER_BYTES];
        user.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        self.record.user = Some(user);
    }

    /// Says that only a part of the surface is in use, from the top left.
    ///
    /// # Errors
    ///
    /// [`Error::Geometry`] if it is empty or larger than the surface.
    pub fn set_size_in_use(&mut self, size: Size) -> Result<(), Error> {
        size.check().map_err(Error::Geometry)?;
        if !size.fits(self.size()) {
            return Err(Error::Geometry(GeometryError::TooLarge(size)));
        }
        self.record.extent = Some(size);
        Ok(())
    }

    /// Makes this the newest frame. `damage` is what changed since the frame
    /// presented before, and may be more.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`] if there is a newer swapchain, or the host's refusal of
    /// this one; the frame is dropped.
    pub fn present(mut self, damage: Damage) -> Result<FrameId, Error> {
        let Some(surface) = self.surface.take() else { return Err(Error::Stale) };
        self.swapchain.present(self.slot, surface, &mut self.record, damage)
    }
}

impl Drop for Canvas<'_> {
    fn drop(&mut self) {
        if let Some(surface) = self.surface.take() {
            self.swapchain.cancel(self.slot, surface, self.drawn);
        }
    }
}

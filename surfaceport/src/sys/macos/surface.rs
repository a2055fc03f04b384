//! The memory of a surface: an IOSurface.
//!
//! The kernel's object says itself what it is, and can't be resized: a surface
//! that a child sent is asked, not believed. A port for it counts as a use
//! while it lives (IOSurfaceRef.h), so ports are given back as soon as they have
//! done their work.

use std::sync::Mutex;

use super::kern::{Code, Geometry, Surface};
use super::memory::{Mapping, read};
use super::rights::SendRight;
use super::{BorrowedHandle, Handle, lock, os};
use crate::error::{Error, Violation};
use crate::format::Format;
use crate::geometry::{Size, SurfaceDescriptor};

/// The memory behind one slot.
#[derive(Debug)]
pub(crate) struct SurfaceMemory {
    surface: Surface,
    /// What is sent; empty once it is not needed.
    port: Handle,
    len: u64,
    /// Between `begin_drawing` and `end_drawing`, if that worked.
    locked: Mutex<bool>,
}

/// `OSType` (CVPixelBuffer.h). There is none for an unused byte: what is written
/// there is 0xff, so it is opaque as it is.
fn os_type(format: Format) -> u32 {
    u32::from_be_bytes(match format {
        Format::Bgra8 | Format::Bgrx8 => *b"BGRA",
        Format::Rgba8 => *b"RGBA",
        Format::Bgr10a2 => *b"l10r",
        Format::Rgba16f => *b"RGhA",
    })
}

/// What CoreGraphics calls a colour space.
#[cfg(target_os = "macos")]
pub(crate) fn color_space_name(
    space: crate::format::ColorSpace,
) -> &'static objc2_core_foundation::CFString {
    super::kern::color_space_name(space)
}

fn nothing() -> Handle {
    Handle::Receive(Mutex::new(None))
}

impl SurfaceMemory {
    /// New memory for a surface, all zero.
    pub(crate) fn create(descriptor: &SurfaceDescriptor) -> Result<Self, Error> {
        let bytes = descriptor.bytes();
        let wanted = Self::geometry(descriptor).ok_or(Error::NoSpace { bytes })?;
        let surface = Surface::create(wanted).map_err(|code| match code {
            Code::NO_SPACE | Code::RESOURCE_SHORTAGE => Error::NoSpace { bytes },
            code => os("creating a surface", code),
        })?;
        let port = surface.create_port().map_err(|code| os("creating a surface", code))?;
        let port = Handle::Send(SendRight::own(port));
        let len = u64::try_from(surface.geometry().alloc_size).unwrap_or(0);
        if !Self::fits(&surface.geometry(), &wanted) {
            return Err(os("creating a surface", Code::INVALID_ARGUMENT));
        }
        surface.set_color_space(descriptor.color_space());
        Ok(Self { surface, port, len, locked: Mutex::default() })
    }

    /// What a descriptor asks of the kernel.
    fn geometry(descriptor: &SurfaceDescriptor) -> Option<Geometry> {
        let size = |value: u32| usize::try_from(value).ok();
        Some(Geometry {
            width: size(descriptor.size().width)?,
            height: size(descriptor.size().height)?,
            format: os_type(descriptor.format()),
            bytes_per_element: size(descriptor.format().bytes_per_pixel())?,
            element: (1, 1),
            planes: 0,
            bytes_per_row: size(descriptor.stride())?,
            alloc_size: usize::try_from(descriptor.bytes()).ok()?,
        })
    }

    /// Whether a surface is what was wanted, with memory for all its rows.
    fn fits(is: &Geometry, wanted: &Geometry) -> bool {
        let rows = is.bytes_per_row.checked_mul(is.height);
        Geometry { alloc_size: wanted.alloc_size, ..*is } == *wanted
            && rows.is_some_and(|rows| rows <= is.alloc_size)
            && is.alloc_size >= wanted.alloc_size
    }

    /// What an untrusted peer sent, once it is proved to be what it says.
    pub(crate) fn import(
        handle: Handle,
        descriptor: &SurfaceDescriptor,
        len: u64,
    ) -> Result<Self, Error> {
        let Handle::Send(port) = handle else { return Err(Violation::NotMemory.into()) };
        let surface = Surface::look_up(port.name()).ok_or(Violation::NotMemory)?;
        // The surface is ours now; its port would count as a use for ever.
        drop(port);
        let is = surface.geometry();
        if len < descriptor.bytes() || u64::try_from(is.alloc_size) != Ok(len) {
            return Err(Violation::WrongLength.into());
        }
        let wanted = Self::geometry(descriptor).ok_or(Violation::BadGeometry)?;
        if !Self::fits(&is, &wanted) {
            return Err(Violation::BadGeometry.into());
        }
        // Of all that it is, only this can be changed: it is what was said.
        surface.set_color_space(descriptor.color_space());
        Ok(Self { surface, port: nothing(), len, locked: Mutex::default() })
    }

    /// What a peer sent that says nothing of it: as the kernel describes it, if
    /// it is of this format.
    pub(super) fn look_up(
        port: SendRight,
        format: Format,
    ) -> Result<(Self, SurfaceDescriptor), Error> {
        /// What the library reads at a time.
        const ALIGN: u32 = 8;
        let surface = Surface::look_up(port.name()).ok_or(Violation::NotMemory)?;
        drop(port);
        let is = surface.geometry();
        if is.format != os_type(format) {
            return Err(Violation::BadFormat.into());
        }
        let side = |side: usize| u32::try_from(side).map_err(|_| Violation::BadGeometry);
        let size = Size::new(side(is.width)?, side(is.height)?);
        let descriptor = SurfaceDescriptor::aligned(size, format, side(is.bytes_per_row)?, ALIGN)
            .map_err(|_| Violation::BadGeometry)?;
        let wanted = Self::geometry(&descriptor).ok_or(Violation::BadGeometry)?;
        if !Self::fits(&is, &wanted) {
            return Err(Violation::BadGeometry.into());
        }
        let len = u64::try_from(is.alloc_size).map_err(|_| Violation::BadGeometry)?;
        Ok((Self { surface, port: nothing(), len, locked: Mutex::default() }, descriptor))
    }

    /// Its length in bytes: the image's, as the kernel rounded it.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// What to send to another process, until `forget_handle`.
    pub(crate) fn handle(&self) -> BorrowedHandle<'_> {
        &self.port
    }

    /// The other process has it: nothing is left to be sent.
    pub(crate) fn forget_handle(&mut self) {
        self.port = nothing();
    }

    /// Its memory, for reading and writing.
    pub(crate) fn map(&self) -> Result<Mapping, Error> {
        let mapped = self.surface.map();
        mapped.map(Mapping).map_err(|code| os("mapping a surface", code))
    }

    /// Copies bytes out.
    pub(crate) fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        let failed = |code| os("reading a surface", code);
        let mapped = self.surface.map().map_err(failed)?;
        self.surface.lock(true).map_err(failed)?;
        let result = read(&mapped, offset, out);
        self.surface.unlock(true).map_err(failed)?;
        result
    }

    /// The processor is going to draw.
    pub(crate) fn begin_drawing(&self) {
        // It fails only for a surface that is volatile, which ours never is;
        // the memory is there all the same.
        *lock(&self.locked) = self.surface.lock(false).is_ok();
    }

    /// The processor has drawn: the pixels are to be seen by others.
    pub(crate) fn end_drawing(&self) {
        if std::mem::take(&mut *lock(&self.locked)) {
            let _unlocked = self.surface.unlock(false);
        }
    }

    /// Whether a display, or anybody, still uses it: then it is not to be drawn
    /// into.
    pub(crate) fn is_in_use(&self) -> bool {
        self.surface.is_in_use()
    }

    /// What the simulation knows of it: how often a processor has written it, and
    /// what its pixels mean.
    #[cfg(all(test, not(target_os = "macos")))]
    pub(super) fn kernels(&self) -> &Surface {
        &self.surface
    }

    /// The surface itself, borrowed.
    #[cfg(target_os = "macos")]
    pub(crate) fn surface_ref(&self) -> std::ptr::NonNull<std::ffi::c_void> {
        self.surface.as_ptr()
    }
}

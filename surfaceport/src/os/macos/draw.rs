//! What a canvas gives beside its rows: a context of CoreGraphics, a texture of
//! Metal.
//!
//! Type-checked and linked; not run on a Mac yet (docs/on-a-mac.md).

#![allow(unsafe_code, reason = "pointers of CoreGraphics and Metal")]

use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr::NonNull;

use objc2::rc::Retained;
use objc2::runtime::ProtocolObject;
use objc2_core_foundation::CFRetained;
use objc2_core_graphics::{
    CGBitmapContextCreate, CGColorSpace, CGContext, CGImageAlphaInfo, CGImageByteOrderInfo,
    CGImageComponentInfo,
};
use objc2_io_surface::IOSurfaceRef;
use objc2_metal::{
    MTLDevice, MTLPixelFormat, MTLStorageMode, MTLTexture, MTLTextureDescriptor, MTLTextureUsage,
};

use crate::error::Error;
use crate::format::Format;
use crate::session::Canvas;
use crate::sys;

/// The error for a format that is none of a library's.
fn unsupported(feature: &'static str) -> Error {
    Error::Unsupported { feature, needs: "another pixel format: draw Bgra8" }
}

/// A `CGContext` that draws into a canvas's rows, with the processor.
///
/// Its origin is at the bottom left, as CoreGraphics has it.
#[derive(Debug)]
pub struct BitmapContext<'a> {
    context: CFRetained<CGContext>,
    canvas: PhantomData<&'a mut [u8]>,
}

/// A context of CoreGraphics over the canvas's rows, which are locked for the
/// processor until the canvas is presented.
///
/// ```no_run
/// use surfaceport::{Canvas, Damage, Error, os::macos::bitmap_context};
///
/// fn draw(mut canvas: Canvas<'_>) -> Result<(), Error> {
///     let context = bitmap_context(&mut canvas)?;
///     let _cg_context_ref = context.as_ptr(); // for CoreGraphics, or -[CALayer renderInContext:]
///     drop(context);
///     canvas.present(Damage::FULL)?;
///     Ok(())
/// }
/// ```
///
/// # Errors
///
/// [`Error::Unsupported`] for a pixel format that CoreGraphics does not draw:
/// `Bgr10a2`.
pub fn bitmap_context<'a>(canvas: &'a mut Canvas<'_>) -> Result<BitmapContext<'a>, Error> {
    let descriptor = *canvas.surface();
    let (bits, info) = match descriptor.format() {
        Format::Bgra8 => {
            (8, CGImageAlphaInfo::PremultipliedFirst.0 | CGImageByteOrderInfo::Order32Little.0)
        }
        Format::Bgrx8 => {
            (8, CGImageAlphaInfo::NoneSkipFirst.0 | CGImageByteOrderInfo::Order32Little.0)
        }
        Format::Rgba8 => {
            (8, CGImageAlphaInfo::PremultipliedLast.0 | CGImageByteOrderInfo::Order32Big.0)
        }
        Format::Rgba16f => (
            16,
            CGImageAlphaInfo::PremultipliedLast.0
                | CGImageByteOrderInfo::Order16Little.0
                | CGImageComponentInfo::Float.0,
        ),
        Format::Bgr10a2 => return Err(unsupported("bitmap context for this pixel format")),
    };
    let space = CGColorSpace::with_name(Some(sys::color_space_name(descriptor.color_space())));
    let (size, stride) = (descriptor.size(), canvas.stride());
    let bytes = canvas.bytes_mut().as_mut_ptr().cast();
    // SAFETY: the bytes are a surface's: `stride` for each row. They are borrowed
    // for as long as the context that is returned, which `present` can't outlive;
    // an error is a null (CGBitmapContext.h).
    let context = unsafe {
        CGBitmapContextCreate(
            bytes,
            size.width as usize,
            size.height as usize,
            bits,
            stride,
            space.as_deref(),
            info,
        )
    };
    let context = context.ok_or_else(|| unsupported("bitmap context for this surface"))?;
    Ok(BitmapContext { context, canvas: PhantomData })
}

impl BitmapContext<'_> {
    /// The `CGContextRef`, borrowed.
    #[must_use]
    pub fn as_ptr(&self) -> NonNull<c_void> {
        CFRetained::as_ptr(&self.context).cast()
    }
}

/// A Metal texture whose memory is the canvas's.
#[derive(Debug)]
pub struct Texture<'a> {
    texture: Retained<ProtocolObject<dyn MTLTexture>>,
    canvas: PhantomData<&'a mut [u8]>,
}

/// The canvas as a texture of a device, to be drawn into and read. The processor's
/// lock on it, if there was one, ends.
///
/// Present the canvas once the command buffer that draws has *completed*: a host
/// shows a frame as soon as it is there, and knows nothing of the GPU's queue.
///
/// ```no_run
/// use std::{ffi::c_void, ptr::NonNull};
/// use surfaceport::{Canvas, Damage, Error, os::macos::texture};
///
/// fn draw(mut canvas: Canvas<'_>, device: NonNull<c_void>) -> Result<(), Error> {
///     // SAFETY: `device` is an id<MTLDevice> of the caller's.
///     let texture = unsafe { texture(&mut canvas, device) }?;
///     let _mtl_texture = texture.as_ptr(); // encode, commit, wait until completed
///     drop(texture);
///     canvas.present(Damage::FULL)?;
///     Ok(())
/// }
/// ```
///
/// # Safety
///
/// `device` points to an `id<MTLDevice>` that lives during the call.
///
/// # Errors
///
/// [`Error::Unsupported`] if the device makes no texture of it.
pub unsafe fn texture<'a>(
    canvas: &'a mut Canvas<'_>,
    device: NonNull<c_void>,
) -> Result<Texture<'a>, Error> {
    let descriptor = *canvas.surface();
    let format = match descriptor.format() {
        Format::Bgra8 | Format::Bgrx8 => MTLPixelFormat::BGRA8Unorm,
        Format::Rgba8 => MTLPixelFormat::RGBA8Unorm,
        Format::Bgr10a2 => MTLPixelFormat::BGR10A2Unorm,
        Format::Rgba16f => MTLPixelFormat::RGBA16Float,
    };
    let size = descriptor.size();
    // SAFETY: takes plain values.
    let wanted = unsafe {
        MTLTextureDescriptor::texture2DDescriptorWithPixelFormat_width_height_mipmapped(
            format,
            size.width as usize,
            size.height as usize,
            false,
        )
    };
    wanted.setUsage(MTLTextureUsage::RenderTarget | MTLTextureUsage::ShaderRead);
    // SAFETY: the caller says that it is one, and alive.
    let device = unsafe { device.cast::<ProtocolObject<dyn MTLDevice>>().as_ref() };
    let shared = device.hasUnifiedMemory();
    wanted.setStorageMode(if shared { MTLStorageMode::Shared } else { MTLStorageMode::Managed });
    let feature = "Metal texture for this surface";
    let surface = canvas.memory_for_gpu().ok_or_else(|| unsupported(feature))?.surface_ref();
    // SAFETY: it is that of the canvas's surface, which is borrowed.
    let surface = unsafe { surface.cast::<IOSurfaceRef>().as_ref() };
    let made = device.newTextureWithDescriptor_iosurface_plane(&wanted, surface, 0);
    let texture = made.ok_or_else(|| unsupported(feature))?;
    Ok(Texture { texture, canvas: PhantomData })
}

impl Texture<'_> {
    /// The `id<MTLTexture>`, borrowed.
    #[must_use]
    pub fn as_ptr(&self) -> NonNull<c_void> {
        NonNull::from(&*self.texture).cast()
    }
}

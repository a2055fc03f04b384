//! CARenderer: draws the tree into the Metal texture behind a canvas.

use std::ptr::{NonNull, null_mut};
use std::time::Duration;

use objc2::rc::Retained;
use objc2::runtime::{AnyObject, ProtocolObject};
use objc2_core_graphics::{CGColorSpace, kCGColorSpaceSRGB};
use objc2_foundation::NSDictionary;
use objc2_metal::{
    MTLCommandBuffer as _, MTLCommandBufferStatus, MTLCommandQueue, MTLCreateSystemDefaultDevice,
    MTLDevice, MTLTexture,
};
use objc2_quartz_core::{
    CARenderer, CATransaction, kCARendererColorSpace, kCARendererMetalCommandQueue,
};
use surfaceport::os::macos::texture;
use surfaceport::{Canvas, Error};

use super::tree::{EPOCH, Tree};

/// A device, its queue, and who draws with them.
pub(super) struct Gpu {
    device: Retained<ProtocolObject<dyn MTLDevice>>,
    queue: Retained<ProtocolObject<dyn MTLCommandQueue>>,
    renderer: Option<Retained<CARenderer>>,
}

fn failed(what: &'static str) -> Error {
    let source = std::io::Error::other(what);
    Error::Os { doing: "drawing with Metal", source }
}

impl Gpu {
    /// `None`: there is no Metal here.
    pub(super) fn new() -> Option<Self> {
        let device = MTLCreateSystemDefaultDevice()?;
        let queue = device.newCommandQueue()?;
        Some(Self { device, queue, renderer: None })
    }

    /// Draws, and waits until the GPU has: what is presented is whole.
    pub(super) fn draw(
        &mut self,
        canvas: &mut Canvas<'_>,
        tree: &Tree,
        time: Duration,
    ) -> Result<(), Error> {
        // SAFETY: the device is alive, and ours.
        let texture = unsafe { texture(canvas, NonNull::from(&*self.device).cast()) }?;
        // SAFETY: it is a texture, which lives at least as long as this borrow.
        let target = unsafe { texture.as_ptr().cast::<ProtocolObject<dyn MTLTexture>>().as_ref() };
        let frames = match &self.renderer {
            Some(renderer) => {
                // SAFETY: the texture lives until the GPU is done, below; nobody
                // else draws into it.
                unsafe { renderer.setDestination(target) };
                1
            }
            // The first frame of a renderer may come out empty.
            None => {
                let renderer = self.renderer(target);
                renderer.setLayer(Some(tree.root()));
                self.renderer = Some(renderer);
                2
            }
        };
        let renderer = self.renderer.as_ref().ok_or_else(|| failed("no renderer"))?;
        renderer.setBounds(tree.bounds());
        CATransaction::flush();
        for _ in 0..frames {
            let at = EPOCH + time.as_secs_f64();
            // SAFETY: no time stamp is given (CARenderer.h).
            unsafe { renderer.beginFrameAtTime_timeStamp(at, null_mut()) };
            // It would draw what differs from its last frame, which is in another
            // slot.
            renderer.addUpdateRect(tree.bounds());
            renderer.render();
            renderer.endFrame();
        }
        // With a queue of ours, it only commits: what comes behind is done later
        // (CARenderer.h).
        let behind = self.queue.commandBuffer().ok_or_else(|| failed("no command buffer"))?;
        behind.commit();
        behind.waitUntilCompleted();
        if behind.status() == MTLCommandBufferStatus::Completed {
            Ok(())
        } else {
            Err(failed("the GPU gave up"))
        }
    }

    fn renderer(&self, target: &ProtocolObject<dyn MTLTexture>) -> Retained<CARenderer> {
        // SAFETY: reads a constant that CoreGraphics sets when it is loaded.
        let srgb = CGColorSpace::with_name(Some(unsafe { kCGColorSpaceSRGB }));
        let queue: &AnyObject = (*self.queue).as_ref();
        // SAFETY: reads a constant that QuartzCore sets when it is loaded.
        let mut keys = vec![unsafe { kCARendererMetalCommandQueue }];
        let mut values = vec![queue];
        if let Some(srgb) = &srgb {
            // SAFETY: as above.
            keys.push(unsafe { kCARendererColorSpace });
            values.push((**srgb).as_ref());
        }
        let options = NSDictionary::from_slices(&keys, &values);
        // SAFETY: the options are those that it knows, with values of their kinds
        // (CARenderer.h); a dictionary of strings and objects is a dictionary.
        let options = unsafe { options.cast_unchecked() };
        // SAFETY: as above; the texture lives until another one takes its place, or
        // the GPU is done with it.
        unsafe { CARenderer::rendererWithMTLTexture_options(target, Some(options)) }
    }
}

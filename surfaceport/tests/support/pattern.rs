//! Frames that tell by their pixels which they are, whole or in a screenshot:
//! the first four pixels say it, and all others follow from it.

use surfaceport::{
    Canvas, Damage, Deadline, Error, Renderer, RendererEvent, Size, SwapchainDescriptor,
};

use super::parameter;

/// Which frame a picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub child: u32,
    pub sequence: u32,
    pub size: Size,
}

impl Mark {
    /// The pixel at a place: R, G, B.
    pub fn pixel(self, x: u32, y: u32) -> [u8; 3] {
        let bytes = |value: u32| {
            let [_, red, green, blue] = value.to_be_bytes();
            [red, green, blue]
        };
        match (x, y) {
            (0, 0) => bytes(self.sequence),
            (1, 0) => bytes(self.child),
            (2, 0) => bytes(self.size.width),
            (3, 0) => bytes(self.size.height),
            _ => {
                let low = |value: u32| value.to_le_bytes()[0];
                let (seed, child) = (self.sequence.wrapping_mul(37), self.child);
                [
                    low(x.wrapping_add(seed)),
                    low(y.wrapping_mul(3).wrapping_add(seed)),
                    low(x ^ y ^ child),
                ]
            }
        }
    }

    /// What a picture says that it is.
    pub fn read(pixel: impl Fn(u32, u32) -> [u8; 3]) -> Self {
        let number = |x| {
            let [red, green, blue] = pixel(x, 0);
            u32::from_be_bytes([0, red, green, blue])
        };
        let size = Size::new(number(2), number(3));
        Self { sequence: number(0), child: number(1), size }
    }

    /// How many pixels of a picture of this frame are wrong, and the first.
    pub fn faults(
        self,
        seen: Size,
        pixel: impl Fn(u32, u32) -> [u8; 3],
    ) -> (usize, Option<String>) {
        let (mut faults, mut first) = (0, None);
        for (x, y) in (0..seen.height).flat_map(|y| (0..seen.width).map(move |x| (x, y))) {
            let (is, wanted) = (pixel(x, y), self.pixel(x, y));
            if is != wanted {
                faults += 1;
                first.get_or_insert_with(|| format!("({x}, {y}): {is:?}, not {wanted:?}"));
            }
        }
        (faults, first)
    }
}

/// This process's number, as a frame has room for it.
pub fn child_number(pid: u32) -> u32 {
    pid & 0xff_ffff
}

/// Draws a frame.
pub fn draw(canvas: &mut Canvas<'_>, sequence: u32) {
    let child = child_number(std::process::id());
    let mark = Mark { child, sequence, size: canvas.size() };
    for (y, row) in (0..).zip(canvas.rows_mut()) {
        for (x, pixel) in (0..).zip(row.as_chunks_mut::<4>().0) {
            let [red, green, blue] = mark.pixel(x, y);
            *pixel = [blue, green, red, 255];
        }
    }
}

/// A child that draws these, of the size that the host wants, as slowly as
/// `SLOW_MS` says.
pub fn patterned() -> Result<(), Error> {
    let slow = std::time::Duration::from_millis(parameter("SLOW_MS", 0));
    let renderer = Renderer::connect()?;
    let slots = parameter("SLOTS", 4);
    let descriptor = |size: Option<Size>| {
        SwapchainDescriptor::new(size.unwrap_or(Size::new(64, 64))).slots(slots)
    };
    let mut swapchain = renderer.swapchain(descriptor(renderer.wanted_size()))?;
    for sequence in 1.. {
        while let Some(event) = renderer.dispatch()? {
            match event {
                RendererEvent::Configure { size, .. } => {
                    swapchain = renderer.swapchain(descriptor(size))?;
                }
                RendererEvent::Message(_) => std::process::abort(),
                RendererEvent::Bye => return Ok(()),
                _ => {}
            }
        }
        swapchain.wait_begin_frame(Deadline::NEVER)?;
        std::thread::sleep(slow);
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        draw(&mut canvas, sequence);
        canvas.present(Damage::FULL)?;
    }
    Ok(())
}

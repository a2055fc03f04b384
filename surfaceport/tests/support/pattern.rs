//! Frames that tell by their pixels which they are, whole or in a screenshot:
//! four pixels say it, here and there, and all others follow from it.

use std::time::Duration;

use surfaceport::{
    Canvas, Damage, Deadline, Error, Format, Renderer, RendererEvent, Size, SwapchainDescriptor,
};

use super::parameter;

/// A frame's mark is repeated every so many pixels, each way.
pub const STEP: u32 = 32;

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
        match (x % STEP, y % STEP) {
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
                    // Never black, which is what is around frames.
                    low(x ^ y ^ child) | 1,
                ]
            }
        }
    }

    /// What a picture says that it is, by the pixels of its first mark.
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

    /// What a whole frame's bytes are, in B, G, R, A without padding; an error
    /// says that it is not whole.
    pub fn of_bytes(bytes: &[u8], size: Size) -> Result<Self, String> {
        let pixels = bytes.as_chunks::<4>().0;
        let colour = |[blue, green, red, _]: [u8; 4]| [red, green, blue];
        let mark = Self::read(|x, _| colour(pixels[x as usize]));
        let places = (0..size.height).flat_map(|y| (0..size.width).map(move |x| (x, y)));
        let wrong =
            pixels.iter().zip(places).find(|(pixel, (x, y))| colour(**pixel) != mark.pixel(*x, *y));
        match wrong {
            None if mark.size == size => Ok(mark),
            wrong => Err(format!("{mark:?} is not whole, or not {size}: {wrong:?}")),
        }
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
    paint(canvas, |x, y| mark.pixel(x, y));
}

/// Columns in red, rows in green.
fn draw_ramp(canvas: &mut Canvas<'_>) {
    let low = |value: u32| value.to_le_bytes()[0];
    paint(canvas, |x, y| [low(x), low(y), 128]);
}

fn paint(canvas: &mut Canvas<'_>, colour: impl Fn(u32, u32) -> [u8; 3]) {
    for (y, row) in (0..).zip(canvas.rows_mut()) {
        for (x, pixel) in (0..).zip(row.as_chunks_mut::<4>().0) {
            let [red, green, blue] = colour(x, y);
            *pixel = [blue, green, red, 255];
        }
    }
}

/// A child that draws these, of the size that the host wants (`STUBBORN=1`: that
/// it wanted first), in `FORMAT`, as slowly as `SLOW_MS` says.
pub fn patterned() -> Result<(), Error> {
    let slow = Duration::from_millis(parameter("SLOW_MS", 0));
    let stubborn = parameter("STUBBORN", 0) == 1;
    let ramp = std::env::var("SCENE").is_ok_and(|scene| scene == "ramp");
    let slots = parameter("SLOTS", 4);
    let format = std::env::var("FORMAT").unwrap_or_default();
    let format = Format::ALL.into_iter().find(|one| one.to_string() == format);
    let renderer = Renderer::connect()?;
    let descriptor = |size: Option<Size>| {
        SwapchainDescriptor::new(size.unwrap_or(Size::new(64, 64)))
            .slots(slots)
            .format(format.unwrap_or_default())
    };
    let mut swapchain = renderer.swapchain(descriptor(renderer.wanted_size()))?;
    for sequence in 1.. {
        while let Some(event) = renderer.dispatch()? {
            match event {
                RendererEvent::Configure { size, .. } if !stubborn => {
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
        if ramp {
            draw_ramp(&mut canvas);
        } else {
            draw(&mut canvas, sequence);
        }
        canvas.present(Damage::FULL)?;
    }
    Ok(())
}

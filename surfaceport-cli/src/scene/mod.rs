//! What the demo's child draws: a small tree of layers that move.
//!
//! A scene is a function of time and of the input so far. [`Scene::draw`] draws
//! it into a slot, only what changed there, and says what differs from the frame
//! before.

mod choice;

pub(crate) use choice::SceneChoice;

use std::fmt;
use std::time::Duration;

use surfaceport::{Damage, Scale, Size};

/// A scene that could not be opened, in words for the user.
#[derive(Debug)]
pub(crate) struct SceneError(String);

impl fmt::Display for SceneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SceneError {}

/// A slot to draw into, as `Bgra8`.
#[allow(dead_code)]
pub(crate) struct Target<'a> {
    /// The pixels, `stride` bytes a row, top row first.
    pub(crate) bytes: &'a mut [u8],
    /// Bytes from one row to the next.
    pub(crate) stride: usize,
    /// Size in pixels.
    pub(crate) size: Size,
    /// Physical pixels for each logical one.
    pub(crate) scale: Scale,
    /// How many frames old the slot's content is, as `Canvas::age`: 0 is undefined.
    pub(crate) age: u64,
    /// The frame's number in its swapchain, from 1.
    pub(crate) sequence: u64,
}

/// What the user did, in pixels of the surface.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(dead_code)]
pub(crate) enum Input {
    /// The pointer is here.
    Move { x: f64, y: f64 },
    /// A button went down or up, with the pointer here.
    Button { x: f64, y: f64, down: bool },
    /// A key went down.
    Key,
    /// The window got or lost the keyboard.
    Focus(bool),
}

/// The scene.
pub(crate) struct Scene;

#[allow(dead_code, clippy::needless_pass_by_value)]
impl Scene {
    /// Opens the scene that was chosen.
    pub(crate) fn open(_choice: &SceneChoice) -> Result<Self, SceneError> {
        Ok(Self)
    }

    /// Draws the scene as it is at `time` into a slot; says what differs from
    /// the frame drawn before.
    pub(crate) fn draw(&mut self, target: Target<'_>, time: Duration) -> Damage {
        const SIDE: u32 = 48;
        let Size { width, height } = target.size;
        let turn = time.as_secs_f64();
        let along = |side: u32, at: f64| {
            let room = f64::from(side.saturating_sub(SIDE));
            // Within 0 to `room`; a float cast saturates.
            (room / 2.0 * (1.0 + at)) as u32
        };
        let (x, y) = (along(width, turn.cos()), along(height, turn.sin()));
        for (row, bytes) in (0..height).zip(target.bytes.chunks_exact_mut(target.stride)) {
            for (column, pixel) in (0..width).zip(bytes.as_chunks_mut().0) {
                let inside = (x..x + SIDE).contains(&column) && (y..y + SIDE).contains(&row);
                *pixel = if inside { [200, 80, 40, 255] } else { [255; 4] };
            }
        }
        Damage::FULL
    }

    /// Lets the scene react to the user.
    pub(crate) fn input(&mut self, _input: Input, _time: Duration) {}
}

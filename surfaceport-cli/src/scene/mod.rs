//! What the demo's child draws.
//!
//! A scene is a function of time and of what the user did. [`Scene::draw`] draws
//! it into a slot, only what changed there, and says what differs from the frame
//! before.
//!
//! | module | what |
//! |---|---|
//! | `portable` `svg` | the scenes that are layers |
//! | `pattern` | the scene that is a formula |
//! | `coreanimation` | the scene that macOS draws; `elsewhere` says that it is not there |
//! | `layer` `animation` `timing` `text` | the layer tree |
//! | `show` `reaction` | a scene laid out, and how it answers the user |
//! | `display` `stage` `paint` | what to draw; where it changed; drawing it |

mod animation;
mod choice;
#[cfg(target_os = "macos")]
mod coreanimation;
mod display;
#[cfg(not(target_os = "macos"))]
mod elsewhere;
mod layer;
mod paint;
pub(crate) mod pattern;
mod portable;
mod reaction;
mod show;
mod stage;
mod svg;
mod text;
mod timing;

#[cfg(test)]
mod tests;

pub(crate) use choice::SceneChoice;

use std::fmt;
use std::time::Duration;

use surfaceport::{Canvas, Damage, Error, Input, Scale, Size};

#[cfg(target_os = "macos")]
use coreanimation as native;
#[cfg(not(target_os = "macos"))]
use elsewhere as native;
use portable::Portable;
use show::Show;
use svg::Svg;

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
pub(crate) struct Target<'a> {
    /// The pixels, `stride` bytes a row, top row first.
    pub(crate) bytes: &'a mut [u8],
    /// Bytes from one row to the next, a multiple of 4.
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

/// A scene.
pub(crate) struct Scene(Kind);

enum Kind {
    Layers(Box<Show>),
    Pattern,
    Native(Box<native::Native>),
}

impl Scene {
    /// Opens the scene that was chosen.
    pub(crate) fn open(choice: &SceneChoice) -> Result<Self, SceneError> {
        Ok(Self(match choice {
            SceneChoice::Portable => Kind::Layers(Box::new(Show::new(Portable::default()))),
            SceneChoice::Pattern => Kind::Pattern,
            SceneChoice::CoreAnimation => Kind::Native(Box::new(native::Native::open()?)),
            SceneChoice::Svg(path) => Kind::Layers(Box::new(Show::new(Svg::open(path)?))),
        }))
    }

    /// Draws the scene as it is at `time` into a canvas, which is the frame with
    /// this number; says what differs from the frame drawn before.
    ///
    /// # Errors
    ///
    /// What a GPU says; a processor draws everything.
    pub(crate) fn draw(
        &mut self,
        canvas: &mut Canvas<'_>,
        scale: Scale,
        sequence: u64,
        time: Duration,
    ) -> Result<Damage, Error> {
        if let Kind::Native(native) = &mut self.0 {
            return native.draw(canvas, scale, time);
        }
        let (size, stride, age) = (canvas.size(), canvas.stride(), canvas.age());
        let bytes = canvas.bytes_mut();
        Ok(self.draw_into(Target { bytes, stride, size, scale, age, sequence }, time))
    }

    /// The same into memory, for scenes that draw into it.
    pub(crate) fn draw_into(&mut self, target: Target<'_>, time: Duration) -> Damage {
        match &mut self.0 {
            Kind::Layers(show) => show.draw(target, time),
            Kind::Pattern => pattern::draw(target),
            // It draws into surfaces alone.
            Kind::Native(_) => Damage::NONE,
        }
    }

    /// Lets the scene answer the user.
    pub(crate) fn input(&mut self, input: Input, time: Duration) {
        match &mut self.0 {
            Kind::Layers(show) => show.input(input, time),
            Kind::Native(native) => native.input(input, time),
            Kind::Pattern => {}
        }
    }
}

//! The demo's own scene as macOS draws it: a tree of CoreAnimation's layers.
//!
//! `tree.rs` is the tree, `gpu.rs` draws it by CARenderer into the surface's Metal
//! texture, `cpu.rs` by the processor where there is no Metal.
//!
//! Type-checked and linked; not run on a Mac yet (docs/on-a-mac.md).

#![allow(unsafe_code, reason = "methods of Apple's that take any object")]

mod cpu;
mod gpu;
mod tree;

use std::time::Duration;

use objc2::rc::autoreleasepool;
use surfaceport::{Button, Canvas, Damage, Error, Input, PointerAction, Scale};

use super::SceneError;
use gpu::Gpu;
use tree::Tree;

/// On macOS this is the scene that is drawn if no other is asked for.
pub(super) const IS_DEFAULT: bool = true;

/// The scene.
pub(super) struct Native {
    tree: Tree,
    /// `None`: the processor draws.
    gpu: Option<Gpu>,
}

impl Native {
    /// Finds out how to draw.
    #[expect(clippy::unnecessary_wraps, reason = "other systems have no such scene")]
    pub(super) fn open() -> Result<Self, SceneError> {
        let gpu = Gpu::new();
        if gpu.is_none() {
            tracing::warn!("no Metal device: the processor draws CoreAnimation's layers");
        }
        Ok(Self { tree: Tree::new(), gpu })
    }

    /// Draws the scene as it is at `time`; the frame is whole when this returns.
    pub(super) fn draw(
        &mut self,
        canvas: &mut Canvas<'_>,
        scale: Scale,
        time: Duration,
    ) -> Result<Damage, Error> {
        // What CoreAnimation makes on the way is let go of after each frame: this
        // thread has no run loop that would do it.
        autoreleasepool(|_| {
            self.tree.lay_out(canvas.size(), scale);
            self.tree.ripple(time);
            match &mut self.gpu {
                Some(gpu) => gpu.draw(canvas, &self.tree, time)?,
                None => cpu::draw(canvas, &self.tree, time)?,
            }
            // CARenderer says what it redrew since *its* last frame, which was in
            // another slot.
            Ok(Damage::FULL)
        })
    }

    /// Lets the scene answer the user.
    pub(super) fn input(&mut self, input: Input, time: Duration) {
        if let Input::Pointer { at, action: PointerAction::Pressed(Button::PRIMARY), .. } = input {
            autoreleasepool(|_| self.tree.click(at.x(), at.y(), time));
        }
    }
}

//! The scene of CoreAnimation's layers, where there is no CoreAnimation.

use std::time::Duration;

use surfaceport::{Canvas, Damage, Error, Input, Scale};

use super::SceneError;

/// It has to be asked for.
pub(super) const IS_DEFAULT: bool = false;

/// There is none.
pub(super) enum Native {}

impl Native {
    /// Says so.
    pub(super) fn open() -> Result<Self, SceneError> {
        let why = "the scene `coreanimation` is drawn by macOS; choose --scene portable";
        Err(SceneError(why.to_owned()))
    }

    /// Never called.
    pub(super) fn draw(
        &mut self,
        _canvas: &mut Canvas<'_>,
        _scale: Scale,
        _time: Duration,
    ) -> Result<Damage, Error> {
        match *self {}
    }

    /// Never called.
    pub(super) fn input(&mut self, _input: Input, _time: Duration) {
        match *self {}
    }
}

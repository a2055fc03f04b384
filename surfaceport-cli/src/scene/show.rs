//! A scene of layers: laid out for the canvas, drawn, and answering the user.

use std::time::Duration;

use surfaceport::{Button, Damage, Input, KeyState, PointerAction, Scale, Size};
use vello_cpu::kurbo::{self, Point};

use super::layer::{Content, Layer, Properties};
use super::stage::Stage;
use super::{Target, reaction};

/// Holds what the scene is made of, and dims when the focus goes.
const CAST: &str = "cast";
/// Holds the rings of the last clicks, above it.
const RIPPLES: &str = "ripples";

/// What a scene of layers shows.
pub(super) trait Cast {
    /// Its layers, back to front, on a white canvas of this size in logical
    /// pixels; `scale` physical ones make one of them.
    fn lay_out(&mut self, size: kurbo::Size, scale: f64) -> Vec<Layer>;

    /// The user does something to it. `cast` has the layers.
    fn act(&mut self, act: Act, cast: &mut Layer, time: Duration);
}

/// What a user can do to a scene, places in logical pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Act {
    Press(Point),
    Move(Point),
    Release,
    Key,
}

/// A cast on its stage.
pub(super) struct Show {
    cast: Box<dyn Cast>,
    stage: Stage,
    /// Laid out for this; before the first frame there is none.
    laid_out: Option<(Size, Scale)>,
    root: Layer,
}

impl Show {
    pub(super) fn new(cast: impl Cast + 'static) -> Self {
        let root = Layer::new("", Content::Group, Properties::default());
        Self { cast: Box::new(cast), stage: Stage::new(), laid_out: None, root }
    }

    pub(super) fn draw(&mut self, target: Target<'_>, time: Duration) -> Damage {
        let geometry = (target.size, target.scale);
        if self.laid_out != Some(geometry) {
            self.laid_out = Some(geometry);
            self.lay_out(target.size, target.scale.as_f64());
        }
        self.stage.draw(target, &self.root, time)
    }

    fn lay_out(&mut self, size: Size, scale: f64) {
        let size = kurbo::Size::new(size.width.into(), size.height.into()) / scale;
        let position = Point::new(size.width / 2.0, size.height / 2.0);
        let all = Properties { position, size, ..Properties::default() };
        let group = |name| Layer::new(name, Content::Group, all);
        let mut cast = group(CAST);
        cast.own.opacity = self.root.find_mut(CAST).map_or(1.0, |before| before.own.opacity);
        cast.sublayers = self.cast.lay_out(size, scale);
        self.root = group("").with_sublayer(cast).with_sublayer(group(RIPPLES));
    }

    pub(super) fn input(&mut self, input: Input, time: Duration) {
        // Nobody can mean a place in a picture that was not drawn yet.
        let Some((_, scale)) = self.laid_out else { return };
        let scale = scale.as_f64();
        let place = |at: surfaceport::Point| Point::new(at.x() / scale, at.y() / scale);
        let act = match input {
            Input::Pointer { at, action: PointerAction::Pressed(Button::PRIMARY), .. } => {
                let radius = self.root.own.size.min_side() * 0.12;
                if let Some(ripples) = self.root.find_mut(RIPPLES) {
                    reaction::ripple(ripples, place(at), radius, time);
                }
                Act::Press(place(at))
            }
            Input::Pointer { at, action: PointerAction::Moved, .. } => Act::Move(place(at)),
            Input::Pointer {
                action: PointerAction::Released(Button::PRIMARY) | PointerAction::Left,
                ..
            } => Act::Release,
            Input::Key { state: KeyState::Pressed, .. } => Act::Key,
            Input::Focus(focused) => {
                if let Some(cast) = self.root.find_mut(CAST) {
                    reaction::focus(cast, focused, time);
                }
                return;
            }
            _ => return,
        };
        if let Some(cast) = self.root.find_mut(CAST) {
            self.cast.act(act, cast, time);
        }
    }
}

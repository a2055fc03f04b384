//! The layer tree.
//!
//! A layer has its own coordinates, from the top left of its bounds; its
//! position is that of its middle in its parent's, and it turns and grows about
//! it. What it shows is drawn below its sublayers.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use vello_cpu::Pixmap;
use vello_cpu::kurbo::{self, Affine, BezPath, Point, Rect, Shape, Size};

use super::animation::{Animation, Color};

/// A layer and those within it.
#[derive(Debug)]
pub(super) struct Layer {
    /// By which it is found again; may be empty.
    pub(super) name: &'static str,
    pub(super) content: Rc<Content>,
    /// Its own values; [`presented`](Self::presented) adds the animations.
    pub(super) own: Properties,
    pub(super) animations: Vec<Animation>,
    pub(super) sublayers: Vec<Layer>,
}

/// What can be animated, and the size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Properties {
    /// Of its middle, in the parent's coordinates.
    pub(super) position: Point,
    /// Of its bounds.
    pub(super) size: Size,
    /// In radians, clockwise.
    pub(super) rotation: f64,
    pub(super) scale: f64,
    /// Of the layer with all that is in it, 0 to 1.
    pub(super) opacity: f64,
    /// Of a rectangle, a gradient or an image.
    pub(super) corner_radius: f64,
    /// Of a shape or a text.
    pub(super) fill: Color,
}

impl Default for Properties {
    fn default() -> Self {
        Self {
            position: Point::ZERO,
            size: Size::ZERO,
            rotation: 0.0,
            scale: 1.0,
            opacity: 1.0,
            corner_radius: 0.0,
            fill: Color::BLACK,
        }
    }
}

impl Properties {
    /// From the layer's coordinates to its parent's.
    pub(super) fn transform(&self) -> Affine {
        Affine::translate(self.position.to_vec2())
            * Affine::rotate(self.rotation)
            * Affine::scale(self.scale)
            * Affine::translate(-self.size.to_vec2() / 2.0)
    }

    pub(super) fn bounds(&self) -> Rect {
        self.size.to_rect()
    }
}

/// What a layer shows by itself.
#[derive(Debug)]
pub(super) enum Content {
    /// Nothing.
    Group,
    /// The bounds' ellipse.
    Ellipse,
    /// The bounds.
    Rectangle,
    /// A path in the layer's coordinates.
    Path(Outline),
    /// A line of text, as its glyphs' outlines.
    Text(Outline),
    /// Along a line between two points, given in parts of the bounds.
    Gradient { from: Point, to: Point, stops: Vec<(f32, Color)> },
    /// An image that fills the bounds.
    Image(Arc<Pixmap>),
}

/// How far a line may be from its curve, in logical pixels.
const FLATNESS: f64 = 0.05;

/// A path of lines, and what it reaches over.
#[derive(Debug)]
pub(super) struct Outline {
    pub(super) path: BezPath,
    pub(super) bounds: Rect,
}

impl From<BezPath> for Outline {
    /// Makes lines of its curves, finer than vello_cpu would: small text shows
    /// its quarter of a pixel.
    fn from(curves: BezPath) -> Self {
        let mut path = BezPath::new();
        kurbo::flatten(&curves, FLATNESS, |element| path.push(element));
        Self { bounds: path.bounding_box(), path }
    }
}

impl Content {
    /// What it reaches over, in the layer's coordinates.
    pub(super) fn reach(&self, properties: &Properties) -> Rect {
        match self {
            Self::Group => Rect::ZERO,
            Self::Path(outline) | Self::Text(outline) => outline.bounds,
            Self::Ellipse | Self::Rectangle | Self::Gradient { .. } | Self::Image(_) => {
                properties.bounds()
            }
        }
    }

    /// Whether a click there is a click on it.
    fn holds(&self, properties: &Properties, point: Point) -> bool {
        let bounds = properties.bounds();
        match self {
            Self::Group => false,
            Self::Ellipse => bounds.to_ellipse().contains(point),
            Self::Path(outline) => outline.path.contains(point),
            Self::Text(outline) => outline.bounds.contains(point),
            Self::Rectangle | Self::Gradient { .. } | Self::Image(_) => {
                bounds.to_rounded_rect(properties.corner_radius).contains(point)
            }
        }
    }
}

impl Layer {
    pub(super) fn new(name: &'static str, content: Content, own: Properties) -> Self {
        Self { name, content: Rc::new(content), own, animations: vec![], sublayers: vec![] }
    }

    pub(super) fn with_animation(mut self, animation: Animation) -> Self {
        self.animations.push(animation);
        self
    }

    pub(super) fn with_sublayer(mut self, layer: Self) -> Self {
        self.sublayers.push(layer);
        self
    }

    /// Its values at a time, as they are to be seen.
    pub(super) fn presented(&self, time: Duration) -> Properties {
        let mut shown = self.own;
        self.animations.iter().for_each(|animation| animation.apply(time, &mut shown));
        shown
    }

    /// The layer of this name.
    pub(super) fn find_mut(&mut self, name: &str) -> Option<&mut Self> {
        if self.name == name {
            return Some(self);
        }
        self.sublayers.iter_mut().find_map(|layer| layer.find_mut(name))
    }

    /// The name of the topmost named layer at a point of the parent's
    /// coordinates.
    pub(super) fn hit(&self, point: Point, time: Duration) -> Option<&'static str> {
        let shown = self.presented(time);
        if shown.opacity <= 0.0 || shown.scale == 0.0 {
            return None;
        }
        let inside = shown.transform().inverse() * point;
        let below = || self.content.holds(&shown, inside).then_some(self.name);
        let above = self.sublayers.iter().rev().find_map(|layer| layer.hit(inside, time));
        above.or_else(below).filter(|name| !name.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::animation::{Track, Way};
    use std::f64::consts::FRAC_PI_2;

    fn bar() -> Layer {
        let own = Properties {
            position: Point::new(100.0, 100.0),
            size: Size::new(80.0, 10.0),
            ..Properties::default()
        };
        Layer::new("bar", Content::Rectangle, own)
    }

    #[test]
    fn a_layer_turns_and_grows_about_its_middle() {
        let own = Properties { rotation: FRAC_PI_2, scale: 2.0, ..bar().own };
        let corner = own.transform() * Point::ZERO;
        // The top left, 40 left and 5 above, is a quarter turn on: 5 right, 40 above.
        assert!((corner - Point::new(110.0, 20.0)).hypot() < 1e-9, "{corner:?}");
        assert_eq!(own.transform() * Point::new(40.0, 5.0), Point::new(100.0, 100.0));
    }

    #[test]
    fn a_click_finds_what_is_presented_there() {
        let turn = Track::Rotation(Way::new(0.0, FRAC_PI_2));
        let turn =
            Animation { fill_forwards: true, ..Animation::new(turn, Duration::from_secs(1)) };
        let root = Layer::new("", Content::Group, Properties::default())
            .with_sublayer(bar().with_animation(turn));
        let (side, end) = (Point::new(130.0, 100.0), Duration::from_secs(1));
        assert_eq!(root.hit(side, Duration::ZERO), Some("bar"));
        assert_eq!(root.hit(side, end), None);
        assert_eq!(root.hit(Point::new(100.0, 130.0), end), Some("bar"));
    }

    #[test]
    fn the_layer_on_top_is_hit() {
        let mut dot = Layer::new("dot", Content::Ellipse, bar().own);
        dot.own.position = Point::new(40.0, 5.0);
        let bar = bar().with_sublayer(dot);
        let corner = Point::new(61.0, 96.0);
        assert_eq!(bar.hit(Point::new(100.0, 100.0), Duration::ZERO), Some("dot"));
        assert_eq!(bar.hit(corner, Duration::ZERO), Some("bar"), "an ellipse has no corners");
        assert_eq!(bar.hit(Point::ZERO, Duration::ZERO), None);
    }
}

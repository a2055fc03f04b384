//! The demo's own scene: on white a blue circle, a red rectangle that turns, a
//! line of text and a gradient from green to yellow.

use std::f64::consts::TAU;
use std::time::Duration;

use vello_cpu::kurbo::{Point, Size, Vec2};

use super::animation::{Animation, Color, Track, Way};
use super::layer::{Content, Layer, Properties};
use super::show::{Act, Cast};
use super::{reaction, text};

const CIRCLE: &str = "circle";
const RECTANGLE: &str = "rectangle";

const TEXT: &str = "Hello, surfaceport!";
const INK: Color = Color::from_rgb8(0x1d, 0x1d, 0x1f);
const GREEN: Color = Color::from_rgb8(0x34, 0xc7, 0x59);
const YELLOW: Color = Color::from_rgb8(0xff, 0xd6, 0x0a);
/// A click takes the next.
const BLUES: [Color; 3] = [
    Color::from_rgb8(0x1f, 0x5f, 0xff),
    Color::from_rgb8(0x8e, 0x44, 0xec),
    Color::from_rgb8(0x00, 0xa3, 0xa3),
];
const REDS: [Color; 3] = [
    Color::from_rgb8(0xe6, 0x2b, 0x2b),
    Color::from_rgb8(0xff, 0x8a, 0x00),
    Color::from_rgb8(0xe0, 0x2c, 0x8a),
];
/// One turn of the rectangle.
const TURN: Duration = Duration::from_secs(2);

/// What stays when the scene is laid out anew.
#[derive(Default)]
pub(super) struct Portable {
    clicks_on_circle: usize,
    clicks_on_rectangle: usize,
    held: Option<Held>,
}

/// What the user drags.
struct Held {
    name: &'static str,
    /// From the pointer to its middle.
    middle: Vec2,
    /// Where it was, and goes back to.
    home: Point,
}

impl Cast for Portable {
    /// All sizes follow from the largest 4:3 picture in the middle; wide or high
    /// windows spread the layers.
    fn lay_out(&mut self, size: Size, _scale: f64) -> Vec<Layer> {
        let unit = (size.width / 400.0).min(size.height / 300.0);
        let place = |x: f64, y: f64| Point::new(size.width * x, size.height * y);
        let of = |width: f64, height: f64| Size::new(width * unit, height * unit);

        let circle = Properties {
            position: place(0.27, 0.33),
            size: of(120.0, 120.0),
            fill: cycled(&BLUES, self.clicks_on_circle),
            ..Properties::default()
        };
        let rectangle = Properties {
            position: place(0.70, 0.33),
            size: of(140.0, 92.0),
            corner_radius: 14.0 * unit,
            fill: cycled(&REDS, self.clicks_on_rectangle),
            ..Properties::default()
        };
        let turn = Track::Rotation(Way::new(0.0, TAU));
        let turn = Animation { repeat: f64::INFINITY, ..Animation::new(turn, TURN) };

        let (outlines, line) = text::line(TEXT, (26.0 * unit).max(9.0));
        let line = Properties {
            position: place(0.5, 0.715),
            size: line,
            fill: INK,
            ..Properties::default()
        };
        let gradient = Content::Gradient {
            from: Point::new(0.0, 0.5),
            to: Point::new(1.0, 0.5),
            stops: vec![(0.0, GREEN), (1.0, YELLOW)],
        };
        let band = Properties {
            position: place(0.5, 0.875),
            size: Size::new(size.width - 72.0 * unit, 36.0 * unit),
            corner_radius: 10.0 * unit,
            ..Properties::default()
        };

        vec![
            Layer::new("", gradient, band),
            Layer::new("", Content::Text(outlines.into()), line),
            Layer::new(CIRCLE, Content::Ellipse, circle),
            Layer::new(RECTANGLE, Content::Rectangle, rectangle).with_animation(turn),
        ]
    }

    /// A shape that is clicked takes its next colour, can be dragged, and glides
    /// home; a key makes the circle hop.
    fn act(&mut self, act: Act, cast: &mut Layer, time: Duration) {
        match act {
            Act::Press(at) => {
                self.held = cast.hit(at, time).and_then(|name| {
                    let layer = cast.find_mut(name)?;
                    self.click(layer, time);
                    let home = layer.own.position;
                    Some(Held { name, middle: home - at, home })
                });
            }
            Act::Move(at) => {
                let Some(held) = &self.held else { return };
                if let Some(layer) = cast.find_mut(held.name) {
                    layer.own.position = at + held.middle;
                }
            }
            Act::Release => {
                let Some(held) = self.held.take() else { return };
                if let Some(layer) = cast.find_mut(held.name) {
                    reaction::glide(layer, held.home, time);
                }
            }
            Act::Key => {
                if let Some(circle) = cast.find_mut(CIRCLE) {
                    reaction::hop(circle, circle.own.size.height * 0.25, time);
                }
            }
        }
    }
}

impl Portable {
    /// The layer swells, and fades to its next colour.
    fn click(&mut self, layer: &mut Layer, time: Duration) {
        let (colors, clicks) = if layer.name == CIRCLE {
            (&BLUES, &mut self.clicks_on_circle)
        } else {
            reaction::round(layer, time);
            (&REDS, &mut self.clicks_on_rectangle)
        };
        *clicks += 1;
        reaction::recolor(layer, cycled(colors, *clicks), time);
        reaction::bump(layer, time);
    }
}

fn cycled(colors: &[Color; 3], clicks: usize) -> Color {
    colors[clicks % colors.len()]
}

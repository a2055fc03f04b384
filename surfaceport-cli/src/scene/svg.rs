//! The user's own picture, as a layer that floats and turns.

use std::f64::consts::TAU;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};
use vello_cpu::kurbo::{Point, Size};
use vello_cpu::peniko::ImageAlphaType;

use super::animation::{Animation, Track, Way};
use super::layer::{Content, Layer, Properties};
use super::show::{Act, Cast};
use super::timing::Timing;
use super::{SceneError, reaction, text};

const PICTURE: &str = "picture";

const TURN: Duration = Duration::from_secs(8);
/// From the highest place to the lowest.
const FLOAT: Duration = Duration::from_millis(1500);
/// The picture's longer side, of the canvas's shorter one.
const SHARE: f64 = 0.62;
/// The longest side that is drawn: 8192 x 8192 pixels are 256 MiB.
const LONGEST: f64 = 8192.0;

/// The font's name in itself.
const FAMILY: &str = "Roboto";

/// A picture that was read.
pub(super) struct Svg {
    tree: Tree,
}

impl Svg {
    pub(super) fn open(path: &Path) -> Result<Self, SceneError> {
        let name = path.display();
        let data = std::fs::read(path).map_err(|error| {
            let hint = if path.extension().is_none() {
                ": the scenes are `portable`, `pattern` and the path of an SVG picture"
            } else {
                ""
            };
            SceneError(format!("cannot read the scene {name}: {error}{hint}"))
        })?;
        // The program's own font is the only one: the picture is the same
        // everywhere.
        let mut options = Options { font_family: FAMILY.into(), ..Options::default() };
        let mut fonts = fontdb::Database::new();
        fonts.load_font_data(text::FONT.to_vec());
        // What a family that is not there falls back to.
        fonts.set_serif_family(FAMILY);
        fonts.set_sans_serif_family(FAMILY);
        fonts.set_monospace_family(FAMILY);
        options.fontdb = Arc::new(fonts);
        let tree = Tree::from_data(&data, &options)
            .map_err(|error| SceneError(format!("{name} is not an SVG picture: {error}")))?;
        Ok(Self { tree })
    }

    /// The picture, as large as it will be seen, with red and blue exchanged.
    fn image(&self, size: Size) -> Option<vello_cpu::Pixmap> {
        let longest = size.width.max(size.height);
        let size = size * (LONGEST / longest).min(1.0);
        // At least one pixel; a float cast saturates.
        let side = |value: f64| (value.round() as u16).max(1);
        let (width, height) = (side(size.width), side(size.height));
        let mut pixmap = Pixmap::new(width.into(), height.into())?;
        let whole = self.tree.size();
        let scale = Transform::from_scale(
            f32::from(width) / whole.width(),
            f32::from(height) / whole.height(),
        );
        resvg::render(&self.tree, scale, &mut pixmap.as_mut());
        let mut pixels = pixmap.take();
        pixels.as_chunks_mut::<4>().0.iter_mut().for_each(|pixel| pixel.swap(0, 2));
        let metadata = vello_cpu::PixelMetadata {
            alpha_type: ImageAlphaType::AlphaPremultiplied,
            ..Default::default()
        };
        Some(vello_cpu::Pixmap::from_parts(pixels, width, height, metadata))
    }
}

impl Cast for Svg {
    fn lay_out(&mut self, size: Size, scale: f64) -> Vec<Layer> {
        let middle = Point::new(size.width / 2.0, size.height / 2.0);
        let natural = Size::new(self.tree.size().width().into(), self.tree.size().height().into());
        let longest = size.min_side() * SHARE;
        let own = Properties {
            position: middle,
            size: natural * (longest / natural.width.max(natural.height)),
            ..Properties::default()
        };
        let Some(image) = self.image(own.size * scale) else { return vec![] };
        let for_ever = |track, duration| Animation {
            repeat: f64::INFINITY,
            ..Animation::new(track, duration)
        };
        let depth = size.height * 0.05;
        let float = Track::PositionY(Way::new(middle.y - depth, middle.y + depth));
        let float =
            Animation { autoreverse: true, timing: Timing::EASE_IN_OUT, ..for_ever(float, FLOAT) };
        let turn = for_ever(Track::Rotation(Way::new(0.0, TAU)), TURN);
        let picture = Layer::new(PICTURE, Content::Image(Arc::new(image)), own)
            .with_animation(float)
            .with_animation(turn);
        vec![picture]
    }

    /// A click on the picture makes it swell, and so does a key.
    fn act(&mut self, act: Act, cast: &mut Layer, time: Duration) {
        let meant = match act {
            Act::Press(at) => cast.hit(at, time) == Some(PICTURE),
            Act::Key => true,
            Act::Move(_) | Act::Release => false,
        };
        if let Some(picture) = cast.find_mut(PICTURE).filter(|_| meant) {
            reaction::bump(picture, time);
        }
    }
}

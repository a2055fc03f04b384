//! A line of text as outlines, in the font that the program carries.

use skrifa::instance::{LocationRef, Size};
use skrifa::outline::{DrawSettings, OutlinePen};
use skrifa::{FontRef, MetadataProvider};
use vello_cpu::kurbo::{self, BezPath};

/// Roboto Medium; see `font/README.md`.
pub(super) const FONT: &[u8] = include_bytes!("font/Roboto-Medium-latin.ttf");

/// The outlines of a line that is `size` high, from its top left, and the line's
/// width and height.
pub(super) fn line(text: &str, size: f64) -> (BezPath, kurbo::Size) {
    // The font is a part of the program; a test reads it.
    let Ok(font) = FontRef::new(FONT) else { return (BezPath::new(), kurbo::Size::ZERO) };
    #[expect(clippy::cast_possible_truncation, reason = "the font's numbers are f32")]
    let at = Size::new(size as f32);
    let metrics = font.metrics(at, LocationRef::default());
    let advances = font.glyph_metrics(at, LocationRef::default());
    let (characters, outlines) = (font.charmap(), font.outline_glyphs());
    let mut pen = Pen { path: BezPath::new(), x: 0.0, baseline: f64::from(metrics.ascent) };
    for glyph in text.chars().map(|c| characters.map(c).unwrap_or_default()) {
        if let Some(outline) = outlines.get(glyph) {
            // A glyph that can't be drawn is left blank.
            let _ = outline.draw(DrawSettings::unhinted(at, LocationRef::default()), &mut pen);
        }
        pen.x += f64::from(advances.advance_width(glyph).unwrap_or_default());
    }
    let height = f64::from(metrics.ascent - metrics.descent);
    (pen.path, kurbo::Size::new(pen.x, height))
}

/// Takes glyphs, whose y points up, into a path, whose y points down.
struct Pen {
    path: BezPath,
    x: f64,
    baseline: f64,
}

impl Pen {
    fn at(&self, x: f32, y: f32) -> (f64, f64) {
        (self.x + f64::from(x), self.baseline - f64::from(y))
    }
}

impl OutlinePen for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.move_to(self.at(x, y));
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.path.line_to(self.at(x, y));
    }

    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        self.path.quad_to(self.at(cx, cy), self.at(x, y));
    }

    fn curve_to(&mut self, cx0: f32, cy0: f32, cx1: f32, cy1: f32, x: f32, y: f32) {
        self.path.curve_to(self.at(cx0, cy0), self.at(cx1, cy1), self.at(x, y));
    }

    fn close(&mut self) {
        self.path.close_path();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vello_cpu::kurbo::Shape;

    #[test]
    fn a_line_has_ink_within_its_bounds() {
        let (path, size) = line("Hello, Ägypten!", 20.0);
        let ink = path.bounding_box();
        assert!(size.width > 100.0 && size.height > 20.0, "{size:?}");
        assert!(ink.x0 >= 0.0 && ink.x1 <= size.width, "{ink:?} in {size:?}");
        assert!(ink.y0 >= 0.0 && ink.y1 <= size.height, "{ink:?} in {size:?}");
        assert_eq!(line("", 20.0).1.width, 0.0);
    }

    #[test]
    fn it_grows_with_its_size() {
        let (small, large) = (line("surfaceport", 10.0).1, line("surfaceport", 40.0).1);
        assert!((large.width / small.width - 4.0).abs() < 1e-3);
    }
}

//! Draws a part of a display list, by vello_cpu, straight into the slot.
//!
//! vello_cpu writes R, G, B, A. The slot is B, G, R, A: so red and blue change
//! places in every paint, which costs nothing.

use std::ops::Range;
use std::sync::Arc;

use vello_cpu::kurbo::{Affine, Point, Rect, Shape};
use vello_cpu::peniko::{Gradient, ImageBrush, ImageQuality, ImageSampler};
use vello_cpu::{ImageSource, PixmapMut, RasterizerSettings, RenderContext, Resources, TargetInit};

use super::animation::Color;
use super::display::{Item, Step};
use super::layer::{Content, Properties};

/// How finely curves are drawn, in pixels, where kurbo needs to be told.
const TOLERANCE: f64 = 0.1;

/// Keeps vello_cpu's memory from frame to frame.
pub(super) struct Painter {
    context: RenderContext,
    resources: Resources,
}

/// A rectangle of pixels, from the top left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) x: u16,
    pub(super) y: u16,
    pub(super) width: u16,
    pub(super) height: u16,
}

impl Cell {
    /// The bytes of its rows, whole ones.
    fn rows(self, stride: usize) -> Range<usize> {
        let y = usize::from(self.y);
        y * stride..(y + usize::from(self.height)) * stride
    }

    /// Its bytes within a row.
    fn columns(self) -> Range<usize> {
        let x = usize::from(self.x);
        x * 4..(x + usize::from(self.width)) * 4
    }

    pub(super) fn rect(self) -> Rect {
        let (x, y) = (f64::from(self.x), f64::from(self.y));
        Rect::new(x, y, x + f64::from(self.width), y + f64::from(self.height))
    }
}

impl Painter {
    pub(super) fn new() -> Self {
        // This asks the processor for its vector instructions.
        Self { context: RenderContext::new(1, 1), resources: Resources::new() }
    }

    /// Draws one cell of the picture onto white. `stride` is in bytes; nothing
    /// outside the cell is touched.
    pub(super) fn cell(&mut self, cell: Cell, items: &[Item], bytes: &mut [u8], stride: usize) {
        let Some(rows) = bytes.get_mut(cell.rows(stride)) else { return };
        let here = cell.rect();
        if !items.iter().any(|item| item.reach.overlaps(here)) {
            rows.chunks_exact_mut(stride).for_each(|row| row[cell.columns()].fill(255));
            return;
        }
        self.context.reset_and_resize(cell.width, cell.height);
        let origin = Affine::translate((-here.x0, -here.y0));
        self.context.set_paint(Color::WHITE);
        self.context.fill_rect(&(here - here.origin().to_vec2()));
        let mut translucent = false;
        for item in items.iter().filter(|item| item.reach.overlaps(here)) {
            match &item.step {
                Step::Draw { content, properties, transform } => {
                    let image = matches!(**content, Content::Image(_));
                    translucent |= image || properties.opacity < 1.0;
                    self.draw(content, properties, origin * *transform);
                }
                Step::Enter { opacity } => {
                    translucent = true;
                    self.context.push_opacity_layer(narrow(*opacity));
                }
                Step::Leave => self.context.pop_layer(),
            }
        }
        self.context.flush();
        // vello_cpu counts the row's length in pixels, up to 65535; a surface's is
        // a whole number, and far less.
        let Ok(width) = u16::try_from(stride / 4) else { return };
        let Some(target) = PixmapMut::new(width, cell.height, rows) else { return };
        // What is there stays: of the pixmap, which is as wide as the stride,
        // only the cell is drawn over.
        let target_init = TargetInit::SrcOver;
        let offset = (cell.x, 0);
        let settings = RasterizerSettings { target_init, offset, ..RasterizerSettings::default() };
        self.context.render_with(target, &mut self.resources, settings);
        if translucent {
            rows.chunks_exact_mut(stride).for_each(|row| make_opaque(&mut row[cell.columns()]));
        }
    }

    fn draw(&mut self, content: &Content, properties: &Properties, transform: Affine) {
        let context = &mut self.context;
        let bounds = properties.bounds();
        let opacity = narrow(properties.opacity);
        context.set_transform(transform);
        match content {
            Content::Group => {}
            Content::Ellipse => {
                context.set_paint(bgra(properties.fill).multiply_alpha(opacity));
                context.fill_path(&bounds.to_ellipse().to_path(TOLERANCE));
            }
            Content::Path(outline) | Content::Text(outline) => {
                context.set_paint(bgra(properties.fill).multiply_alpha(opacity));
                context.fill_path(&outline.path);
            }
            Content::Rectangle => {
                context.set_paint(bgra(properties.fill).multiply_alpha(opacity));
                self.fill_bounds(properties);
            }
            Content::Gradient { from, to, stops } => {
                let place = |part: &Point| Point::new(part.x * bounds.x1, part.y * bounds.y1);
                let stops: Vec<_> = stops.iter().map(|(at, color)| (*at, bgra(*color))).collect();
                let gradient = Gradient::new_linear(place(from), place(to)).with_stops(&*stops);
                context.set_paint(gradient.multiply_alpha(opacity));
                self.fill_bounds(properties);
            }
            Content::Image(pixmap) => {
                let image = ImageSource::Pixmap(Arc::clone(pixmap));
                let sampler = ImageSampler::new().with_quality(ImageQuality::Medium);
                context.set_paint(ImageBrush { image, sampler }.multiply_alpha(opacity));
                let (width, height) = (f64::from(pixmap.width()), f64::from(pixmap.height()));
                let fit = Affine::scale_non_uniform(bounds.x1 / width, bounds.y1 / height);
                context.set_paint_transform(fit);
                self.fill_bounds(properties);
                self.context.reset_paint_transform();
            }
        }
    }

    fn fill_bounds(&mut self, properties: &Properties) {
        let bounds = properties.bounds();
        if properties.corner_radius > 0.0 {
            let rounded = bounds.to_rounded_rect(properties.corner_radius);
            self.context.fill_path(&rounded.to_path(TOLERANCE));
        } else {
            self.context.fill_rect(&bounds);
        }
    }
}

/// Sets every pixel's alpha. What is drawn onto white is opaque; but where a
/// translucent edge meets a pixel, vello_cpu's 8 bits can come out one short.
fn make_opaque(pixels: &mut [u8]) {
    pixels.as_chunks_mut::<4>().0.iter_mut().for_each(|pixel| pixel[3] = 255);
}

#[expect(clippy::cast_possible_truncation, reason = "an opacity of vello_cpu is an f32")]
fn narrow(opacity: f64) -> f32 {
    opacity as f32
}

/// A colour with red and blue exchanged.
fn bgra(color: Color) -> Color {
    let [red, green, blue, alpha] = color.components;
    Color::new([blue, green, red, alpha])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;
    use vello_cpu::kurbo::Size;

    /// A 40x24 picture in rows of 64 pixels, the padding filled with 0xa5.
    fn drawn(content: Content, fill: Color, cell: Cell) -> Vec<u8> {
        let mut bytes = vec![0xa5; 256 * 24];
        let properties = Properties { size: Size::new(40.0, 24.0), fill, ..Properties::default() };
        let transform = Affine::IDENTITY;
        let step = Step::Draw { content: Rc::new(content), properties, transform };
        let item = Item { reach: Rect::new(0.0, 0.0, 40.0, 24.0), step };
        Painter::new().cell(cell, &[item], &mut bytes, 256);
        bytes
    }

    const ALL: Cell = Cell { x: 0, y: 0, width: 40, height: 24 };

    #[test]
    fn every_paint_is_bgra() {
        let orange = Color::from_rgb8(255, 128, 10);
        let stops = vec![(0.0, orange), (1.0, orange)];
        let gradient = Content::Gradient { from: Point::ZERO, to: Point::new(1.0, 0.0), stops };
        for content in [Content::Rectangle, gradient] {
            let name = format!("{content:?}");
            let bytes = drawn(content, orange, ALL);
            assert_eq!(bytes[256 * 8 + 80..][..4], [10, 128, 255, 255], "{name}");
        }
    }

    #[test]
    fn nothing_outside_the_cell_is_touched() {
        let cell = Cell { x: 16, y: 8, width: 21, height: 7 };
        let bytes = drawn(Content::Rectangle, Color::BLACK, cell);
        for (y, row) in bytes.chunks_exact(256).enumerate() {
            for (x, pixel) in row.as_chunks::<4>().0.iter().enumerate() {
                let inside = (16..37).contains(&x) && (8..15).contains(&y);
                let expected = if inside { [0, 0, 0, 255] } else { [0xa5; 4] };
                assert_eq!(*pixel, expected, "at {x}, {y}");
            }
        }
    }
}

//! Draws a layer tree into slots, and only what changed there.
//!
//! The picture is a grid of cells. A cell is drawn as a whole, always in the
//! same way, by itself: so one that is drawn again because something in it
//! changed has exactly the pixels that it has in a picture drawn from nothing.

use std::collections::VecDeque;
use std::time::Duration;

use surfaceport::{Damage, Rect, Scale, Size};
use vello_cpu::kurbo::{self, Affine};

use super::Target;
use super::display::{self, Item};
use super::layer::Layer;
use super::paint::{Cell, Painter};

/// A cell's sides in pixels: multiples of 4, vello_cpu's tile. Smaller ones draw
/// less again, larger ones cost less each.
const CELL: Size = Size::new(256, 64);
/// How many frames back a slot's content is known. A swapchain has 16 slots at
/// most, and few are held for long.
const FRAMES_KEPT: usize = 32;

pub(super) struct Stage {
    painter: Painter,
    /// What is known of the frames drawn before, oldest first.
    drawn: VecDeque<Drawn>,
    /// Of those frames.
    geometry: (Size, Scale),
}

/// What a frame showed.
struct Drawn {
    sequence: u64,
    items: Vec<Item>,
}

impl Stage {
    pub(super) fn new() -> Self {
        let geometry = (Size::default(), Scale::ONE);
        Self { painter: Painter::new(), drawn: VecDeque::new(), geometry }
    }

    /// Draws `tree`, which is laid out in logical pixels, as it is at `time`.
    pub(super) fn draw(&mut self, target: Target<'_>, tree: &Layer, time: Duration) -> Damage {
        let Target { bytes, stride, size, scale, age, sequence } = target;
        if self.geometry != (size, scale) {
            self.geometry = (size, scale);
            self.drawn.clear();
        }
        // A frame that was drawn but not presented gave its number to this one; a
        // new swapchain counts from 1 again.
        self.drawn.retain(|frame| frame.sequence < sequence);

        let items = display::list(tree, time, Affine::scale(scale.as_f64()));
        let in_slot = sequence.checked_sub(age).filter(|_| age > 0);
        let stale = changed(in_slot.and_then(|sequence| self.find(sequence)), &items, size);
        for cell in stale.into_iter().flat_map(|area| cells(area, size)) {
            self.painter.cell(cell, &items, bytes, stride);
        }
        let damage = match self.find(sequence.saturating_sub(1)) {
            None => Damage::FULL,
            before => {
                let mut damage = Damage::NONE;
                changed(before, &items, size).into_iter().for_each(|area| damage.add(area));
                damage
            }
        };
        if self.drawn.len() == FRAMES_KEPT {
            self.drawn.pop_front();
        }
        self.drawn.push_back(Drawn { sequence, items });
        damage
    }

    /// What a frame showed, if it is known.
    fn find(&self, sequence: u64) -> Option<&[Item]> {
        let frame = self.drawn.iter().find(|frame| frame.sequence == sequence)?;
        Some(&frame.items)
    }
}

/// The areas in which two frames can differ, whole cells that do not overlap; all
/// if the one before is not known.
fn changed(before: Option<&[Item]>, after: &[Item], size: Size) -> Vec<Rect> {
    let Some(before) = before else { return vec![size.into()] };
    let mut areas: Vec<Rect> = Vec::new();
    for reach in display::differences(before, after) {
        let mut area = snapped(reach, size);
        // Those that it overlaps become one with it, and it may then overlap more.
        while let Some(index) = areas.iter().position(|other| overlap(*other, area)) {
            area = area.union(areas.swap_remove(index));
        }
        if !area.is_empty() {
            areas.push(area);
        }
    }
    areas
}

/// The cells that an area touches, as a rectangle.
fn snapped(area: kurbo::Rect, size: Size) -> Rect {
    // Float casts saturate: what lies to the left or above is at 0.
    let start = |from: f64, cell: u32| (from as u32) / cell * cell;
    let end = |to: f64, cell: u32| (to.ceil() as u32).div_ceil(cell).saturating_mul(cell);
    let (x, y) = (start(area.x0, CELL.width), start(area.y0, CELL.height));
    let (right, bottom) = (end(area.x1, CELL.width), end(area.y1, CELL.height));
    Rect::new(x, y, right.saturating_sub(x), bottom.saturating_sub(y)).clipped(size)
}

fn overlap(a: Rect, b: Rect) -> bool {
    // Both lie within a surface: the sums are small.
    a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
}

/// The cells of an area of whole cells.
fn cells(area: Rect, size: Size) -> impl Iterator<Item = Cell> {
    let side = |value: u32| u16::try_from(value).unwrap_or(u16::MAX);
    let rows = (area.y..area.y + area.height).step_by(CELL.height as usize);
    rows.flat_map(move |y| {
        let columns = (area.x..area.x + area.width).step_by(CELL.width as usize);
        columns.map(move |x| Cell {
            x: side(x),
            y: side(y),
            width: side(CELL.width.min(size.width - x)),
            height: side(CELL.height.min(size.height - y)),
        })
    })
}

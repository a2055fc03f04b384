//! Where a frame lies in a pane of another size.

use x11rb::protocol::xproto::Rectangle;

use crate::geometry::{Rect, Size};
use crate::pane::Fit;

/// A frame's place in a pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) x: i16,
    pub(super) y: i16,
    /// How large the frame is drawn.
    pub(super) size: Size,
    /// How large it is.
    pub(super) frame: Size,
    pub(super) pane: Size,
}

impl Place {
    /// The place that a fit gives.
    pub(super) fn new(fit: Fit, pane: Size, frame: Size) -> Self {
        let at = |x, y, size| Self { x, y, size, frame, pane };
        match fit {
            Fit::Hold => at(0, 0, frame),
            Fit::Crop => {
                at(middle(pane.width, frame.width), middle(pane.height, frame.height), frame)
            }
            Fit::Scale => at(0, 0, pane),
        }
    }

    pub(super) fn is_scaled(&self) -> bool {
        self.size != self.frame
    }

    /// Whether nothing of the pane is seen around the frame.
    pub(super) fn covers(&self) -> bool {
        self.x <= 0
            && self.y <= 0
            && i64::from(self.x) + i64::from(self.size.width) >= i64::from(self.pane.width)
            && i64::from(self.y) + i64::from(self.size.height) >= i64::from(self.pane.height)
    }

    /// What of the pane is around the frame: above, below, left, right.
    pub(super) fn margins(&self) -> impl Iterator<Item = Rectangle> {
        let Size { width, height } = self.pane;
        let edge = |at: i16, size: u32, end: u32| {
            let first = u32::try_from(at).unwrap_or(0).min(end);
            let past = (i64::from(at) + i64::from(size)).clamp(0, i64::from(end));
            (first, u32::try_from(past).unwrap_or(end))
        };
        let (left, right) = edge(self.x, self.size.width, width);
        let (top, bottom) = edge(self.y, self.size.height, height);
        let rect = |x, y, past_x: u32, past_y: u32| Rect::new(x, y, past_x - x, past_y - y);
        [
            rect(0, 0, width, top),
            rect(0, bottom, width, height),
            rect(0, top, left, bottom),
            rect(right, top, width, bottom),
        ]
        .into_iter()
        .filter(|rect| !rect.is_empty())
        .map(rectangle)
    }
}

/// The offset that puts the middle of a frame in the middle of a pane.
fn middle(pane: u32, frame: u32) -> i16 {
    let offset = -((i64::from(frame) - i64::from(pane)) / 2);
    i16::try_from(offset).unwrap_or(0)
}

/// A rectangle as the protocol has it. Sides of surfaces and panes are far below
/// what it can say.
pub(super) fn rectangle(rect: Rect) -> Rectangle {
    let short = |value: u32| i16::try_from(value).unwrap_or(i16::MAX);
    let length = |value: u32| u16::try_from(value).unwrap_or(u16::MAX);
    Rectangle {
        x: short(rect.x),
        y: short(rect.y),
        width: length(rect.width),
        height: length(rect.height),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Size = Size::new(3, 2);
    const LARGE: Size = Size::new(8, 7);

    /// How often each pixel of the pane is painted by frame and margins.
    fn painted(place: Place) -> Vec<u32> {
        let Size { width, height } = place.pane;
        let mut counts = vec![0; (width * height) as usize];
        let frame = (i64::from(place.x), i64::from(place.y), place.size);
        let margins = place.margins().map(|one| {
            let size = Size::new(one.width.into(), one.height.into());
            (one.x.into(), one.y.into(), size)
        });
        for (left, top, size) in margins.chain([frame]) {
            for y in top.max(0)..(top + i64::from(size.height)).min(height.into()) {
                for x in left.max(0)..(left + i64::from(size.width)).min(width.into()) {
                    counts[usize::try_from(y * i64::from(width) + x).unwrap()] += 1;
                }
            }
        }
        counts
    }

    #[test]
    fn frame_and_margins_paint_each_pixel_once() {
        for fit in [Fit::Hold, Fit::Crop, Fit::Scale] {
            for (pane, frame) in [(SMALL, LARGE), (LARGE, SMALL), (SMALL, SMALL)] {
                let place = Place::new(fit, pane, frame);
                assert!(painted(place).iter().all(|count| *count == 1), "{place:?}");
                assert_eq!(place.covers(), place.margins().count() == 0, "{place:?}");
            }
        }
        let beside = Place { x: 0, y: 0, size: Size::new(8, 1), frame: SMALL, pane: LARGE };
        assert!(painted(beside).iter().all(|count| *count == 1));
    }

    #[test]
    fn crop_shows_the_middle() {
        let place = Place::new(Fit::Crop, LARGE, SMALL);
        assert_eq!((place.x, place.y), (2, 2));
        let place = Place::new(Fit::Crop, SMALL, LARGE);
        assert_eq!((place.x, place.y), (-2, -2));
    }
}

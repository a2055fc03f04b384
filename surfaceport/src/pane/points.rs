//! Where a frame lies in a pane of layers: plain arithmetic, in points, which are
//! pixels divided by the scale.

use super::{Fit, Placement};
use crate::geometry::{Rect, Scale, Size};

/// A rectangle: x, y, width, height.
pub(super) type Box4 = [f64; 4];

/// The places of a pane's two layers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Places {
    /// What of the pane is seen, in the window's points from its top left.
    pub(super) seen: Box4,
    /// The same from the pane's own top left.
    pub(super) inside: Box4,
    /// The whole frame, from the pane's own top left.
    pub(super) frame: Box4,
}

impl Places {
    /// A frame of this size in a pane.
    pub(super) fn new(
        frame: Size,
        pane: Size,
        scale: Scale,
        fit: Fit,
        placement: &Placement,
    ) -> Self {
        let scale = scale.as_f64();
        let points = |[x, y, width, height]: [i64; 4]| {
            // Sides are at most 2^14 and places 2^31, so the numbers are exact.
            #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
            [x, y, width, height].map(|pixels| pixels as f64 / scale)
        };
        let clip = placement.clip.map_or(Rect::from(pane), |clip| clip.clipped(pane));
        let clip = [clip.x, clip.y, clip.width, clip.height].map(i64::from);
        let [x, y, width, height] = clip;
        let seen = [i64::from(placement.x) + x, i64::from(placement.y) + y, width, height];
        let whole = |size: Size| (i64::from(size.width), i64::from(size.height));
        let ((width, height), (pane_width, pane_height)) = (whole(frame), whole(pane));
        // Whole pixels, or all of them would be blurred.
        let middle = |pane: i64, frame: i64| (pane - frame).div_euclid(2);
        let frame = match fit {
            Fit::Hold => [0, 0, width, height],
            Fit::Scale => [0, 0, pane_width, pane_height],
            Fit::Crop => [middle(pane_width, width), middle(pane_height, height), width, height],
        };
        Self { seen: points(seen), inside: points(clip), frame: points(frame) }
    }
}

/// The part of a surface that a frame uses, of 1 by 1.
pub(super) fn part(used: Size, surface: Size) -> Box4 {
    let share = |used: u32, all: u32| f64::from(used) / f64::from(all.max(1));
    [0.0, 0.0, share(used.width, surface.width), share(used.height, surface.height)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const PANE: Size = Size::new(200, 100);

    fn places(frame: Size, scale: f64, fit: Fit, placement: Placement) -> Places {
        Places::new(frame, PANE, Scale::from_f64(scale), fit, &placement)
    }

    #[test]
    fn a_frame_of_the_panes_size_fills_it_at_any_scale() {
        for fit in [Fit::Hold, Fit::Scale, Fit::Crop] {
            let places = places(PANE, 2.0, fit, Placement::at(20, -10));
            assert_eq!(places.seen, [10.0, -5.0, 100.0, 50.0]);
            assert_eq!(places.inside, [0.0, 0.0, 100.0, 50.0]);
            assert_eq!(places.frame, [0.0, 0.0, 100.0, 50.0]);
        }
    }

    #[test]
    fn only_scale_stretches() {
        let other = Size::new(101, 40);
        let frame = |fit| places(other, 1.0, fit, Placement::at(0, 0)).frame;
        assert_eq!(frame(Fit::Hold), [0.0, 0.0, 101.0, 40.0]);
        assert_eq!(frame(Fit::Scale), [0.0, 0.0, 200.0, 100.0]);
        assert_eq!(frame(Fit::Crop), [49.0, 30.0, 101.0, 40.0], "by whole pixels");
    }

    #[test]
    fn a_clip_moves_what_is_seen_and_not_the_frame() {
        let placement = Placement::at(8, 0).clipped(Rect::new(50, 10, 1000, 20));
        let places = places(PANE, 1.0, Fit::Hold, placement);
        assert_eq!(places.seen, [58.0, 10.0, 150.0, 20.0]);
        assert_eq!(places.inside, [50.0, 10.0, 150.0, 20.0]);
        assert_eq!(places.frame, [0.0, 0.0, 200.0, 100.0]);
    }

    #[test]
    fn a_frame_may_use_a_part_of_its_surface() {
        assert_eq!(part(Size::new(100, 50), PANE), [0.0, 0.0, 0.5, 0.5]);
        assert_eq!(part(PANE, PANE), [0.0, 0.0, 1.0, 1.0]);
    }
}

//! What of a frame is seen, and where: plain arithmetic.

use crate::geometry::{Rect, Scale, Size};
use crate::pane::Fit;

/// A part of a buffer, and where it goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Layout {
    /// In the buffer's pixels: x, y, width, height.
    pub(super) source: [f64; 4],
    /// From the pane's top left, in the window's (logical) units.
    pub(super) offset: (i32, i32),
    /// The size on the window, in the same units.
    pub(super) destination: (i32, i32),
}

impl Layout {
    /// Whether something of a pane of this layout is seen around it.
    pub(super) fn leaves(&self, pane: &Self) -> bool {
        (self.offset, self.destination) != (pane.offset, pane.destination)
    }
}

/// Lays a frame out in a pane; `None`: nothing of it is seen.
pub(super) fn lay_out(
    frame: Size,
    pane: Size,
    scale: Scale,
    fit: Fit,
    clip: Option<Rect>,
) -> Option<Layout> {
    let clip = clip.map_or(Rect::from(pane), |clip| clip.clipped(pane));
    let x = Axis::new(frame.width, pane.width, fit, clip.x, clip.width)?;
    let y = Axis::new(frame.height, pane.height, fit, clip.y, clip.height)?;
    Some(Layout {
        source: [x.source.0, y.source.0, x.source.1, y.source.1],
        offset: (logical(x.start, scale), logical(y.start, scale)),
        destination: (x.logical_length(scale), y.logical_length(scale)),
    })
}

/// Pixels in the window's units, to the nearest.
pub(super) fn logical(pixels: i64, scale: Scale) -> i32 {
    let scale = i64::from(scale.get());
    let units = pixels.saturating_mul(2 * 120).saturating_add(scale).div_euclid(2 * scale);
    i32::try_from(units).unwrap_or(if units < 0 { i32::MIN } else { i32::MAX })
}

/// One of the two directions.
struct Axis {
    /// Where it is seen in the pane, in pixels.
    start: i64,
    length: i64,
    /// What of the frame: from where, and how much.
    source: (f64, f64),
}

impl Axis {
    fn new(frame: u32, pane: u32, fit: Fit, clip: u32, clip_length: u32) -> Option<Self> {
        let [frame, pane, clip, clip_length] = [frame, pane, clip, clip_length].map(i64::from);
        // The whole frame, in the pane's pixels.
        let (first, whole) = match fit {
            Fit::Hold => (0, frame),
            Fit::Scale => (0, pane),
            Fit::Crop => ((pane - frame).div_euclid(2), frame),
        };
        let start = first.max(clip);
        let length = (first + whole).min(clip + clip_length) - start;
        if length <= 0 {
            return None;
        }
        // Sides are at most 2^14, so the products are exact.
        let wide = |value: i64| f64::from(i32::try_from(value).unwrap_or(i32::MAX));
        let part = |value| wide(value) * wide(frame) / wide(whole);
        // The compositor refuses a source of no size.
        let amount = part(length).max(1.0);
        let from = part(start - first).min(wide(frame) - amount);
        let source = (from, amount);
        Some(Self { start, length, source })
    }

    fn logical_length(&self, scale: Scale) -> i32 {
        // So that two parts side by side neither overlap nor leave a gap.
        let end = logical(self.start + self.length, scale);
        (end - logical(self.start, scale)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PANE: Size = Size::new(100, 60);

    fn seen(frame: Size, fit: Fit, clip: Option<Rect>) -> Option<Layout> {
        lay_out(frame, PANE, Scale::ONE, fit, clip)
    }

    fn layout(source: [f64; 4], offset: (i32, i32), destination: (i32, i32)) -> Layout {
        Layout { source, offset, destination }
    }

    #[test]
    fn a_frame_of_the_panes_size_fills_it() {
        for fit in [Fit::Hold, Fit::Scale, Fit::Crop] {
            let whole = layout([0.0, 0.0, 100.0, 60.0], (0, 0), (100, 60));
            assert_eq!(seen(PANE, fit, None), Some(whole), "{fit:?}");
            let part = layout([10.0, 20.0, 30.0, 40.0], (10, 20), (30, 40));
            let clip = Rect::new(10, 20, 30, 90);
            assert_eq!(seen(PANE, fit, Some(clip)), Some(part), "{fit:?}");
            assert_eq!(seen(PANE, fit, Some(Rect::new(100, 0, 5, 5))), None);
        }
    }

    #[test]
    fn fits_place_a_frame_as_they_say() {
        let [small, large] = [Size::new(40, 20), Size::new(200, 120)];
        let hold = layout([0.0, 0.0, 40.0, 20.0], (0, 0), (40, 20));
        assert_eq!(seen(small, Fit::Hold, None), Some(hold));
        let hold = layout([0.0, 0.0, 100.0, 60.0], (0, 0), (100, 60));
        assert_eq!(seen(large, Fit::Hold, None), Some(hold));
        let scale = layout([0.0, 0.0, 40.0, 20.0], (0, 0), (100, 60));
        assert_eq!(seen(small, Fit::Scale, None), Some(scale));
        let crop = layout([0.0, 0.0, 40.0, 20.0], (30, 20), (40, 20));
        assert_eq!(seen(small, Fit::Crop, None), Some(crop));
        let crop = layout([50.0, 30.0, 100.0, 60.0], (0, 0), (100, 60));
        assert_eq!(seen(large, Fit::Crop, None), Some(crop));
    }

    #[test]
    fn logical_units_are_rounded_to_the_nearest() {
        let double = Scale::from_f64(2.0);
        assert_eq!([-3, -1, 0, 1, 2, 3].map(|px| logical(px, double)), [-1, 0, 0, 1, 1, 2]);
        assert_eq!(logical(15, Scale::from_f64(1.5)), 10);
        assert_eq!(logical(i64::MAX, Scale::ONE), i32::MAX);
    }

    proptest! {
        /// What a compositor answers with the end of the connection never comes out.
        #[test]
        fn the_source_lies_in_the_frame_and_nothing_is_empty(
            frame in (1_u32..=16_384, 1_u32..=16_384),
            pane in (1_u32..=16_384, 1_u32..=16_384),
            scale in 1_u32..=1_920,
            fit in prop::sample::select(vec![Fit::Hold, Fit::Scale, Fit::Crop]),
            clip in prop::option::of((0_u32..20_000, 0_u32..20_000, 0_u32..20_000, 0_u32..20_000)),
        ) {
            let clip = clip.map(|(x, y, width, height)| Rect::new(x, y, width, height));
            let (frame, pane) = (Size::new(frame.0, frame.1), Size::new(pane.0, pane.1));
            let scale = Scale::from_120ths(scale).unwrap();
            if let Some(layout) = lay_out(frame, pane, scale, fit, clip) {
                let [x, y, width, height] = layout.source;
                prop_assert!(x >= 0.0 && y >= 0.0 && width >= 1.0 && height >= 1.0);
                prop_assert!(x + width <= f64::from(frame.width));
                prop_assert!(y + height <= f64::from(frame.height));
                prop_assert!(layout.destination.0 > 0 && layout.destination.1 > 0);
                // Never stretched, but where that was asked for.
                if fit != Fit::Scale && scale == Scale::ONE {
                    let whole = (f64::from(layout.destination.0), f64::from(layout.destination.1));
                    prop_assert_eq!((width, height), whole);
                }
            }
        }
    }
}

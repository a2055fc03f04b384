//! Timing functions: how an animation runs within its duration.

/// From the part of the duration that is over, 0 to 1, to the part of the way
/// that is done.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Timing {
    #[default]
    Linear,
    Bezier(CubicBezier),
}

impl Timing {
    /// Slow at first.
    pub(super) const EASE_IN: Self = Self::Bezier(CubicBezier::new(0.42, 0.0, 1.0, 1.0));
    /// Slow at the end.
    pub(super) const EASE_OUT: Self = Self::Bezier(CubicBezier::new(0.0, 0.0, 0.58, 1.0));
    /// Slow at both ends.
    pub(super) const EASE_IN_OUT: Self = Self::Bezier(CubicBezier::new(0.42, 0.0, 0.58, 1.0));

    pub(super) fn at(self, progress: f64) -> f64 {
        match self {
            Self::Linear => progress,
            Self::Bezier(curve) => curve.y_at(progress),
        }
    }
}

/// A cubic Bézier curve from (0, 0) to (1, 1) by two control points, as in CSS
/// and CoreAnimation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct CubicBezier {
    x1: f64,
    y1: f64,
    x2: f64,
    y2: f64,
}

impl CubicBezier {
    /// The control points' x must lie in 0 to 1 (they are clamped), or the curve
    /// would run back in time. Their y may lie outside: then it overshoots.
    pub(super) const fn new(x1: f64, y1: f64, x2: f64, y2: f64) -> Self {
        Self { x1: x1.clamp(0.0, 1.0), y1, x2: x2.clamp(0.0, 1.0), y2 }
    }

    /// The y of the curve where its x is this.
    pub(super) fn y_at(self, x: f64) -> f64 {
        if x <= 0.0 || x >= 1.0 {
            return x.clamp(0.0, 1.0);
        }
        along(self.y1, self.y2, self.parameter(x))
    }

    /// Where on the curve its x is this. x grows with the parameter, so the
    /// place stays between two bounds: Newton's step where it is within them,
    /// half the way where it is not.
    fn parameter(self, x: f64) -> f64 {
        let (mut low, mut high) = (0.0, 1.0);
        let mut s = x;
        for _ in 0..64 {
            let error = along(self.x1, self.x2, s) - x;
            if error.abs() < 1e-12 {
                break;
            }
            if error < 0.0 {
                low = s;
            } else {
                high = s;
            }
            let newton = s - error / slope(self.x1, self.x2, s);
            s = if newton > low && newton < high { newton } else { f64::midpoint(low, high) };
        }
        s
    }
}

/// One coordinate of the curve at the parameter `s`; its ends are 0 and 1.
fn along(a: f64, b: f64, s: f64) -> f64 {
    let t = 1.0 - s;
    3.0 * t * t * s * a + 3.0 * t * s * s * b + s * s * s
}

/// Its derivative.
fn slope(a: f64, b: f64, s: f64) -> f64 {
    let t = 1.0 - s;
    3.0 * t * t * a + 6.0 * t * s * (b - a) + 3.0 * s * s * (1.0 - b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn curves() -> impl Strategy<Value = CubicBezier> {
        (0.0..=1.0, -2.0..=3.0, 0.0..=1.0, -2.0..=3.0)
            .prop_map(|(x1, y1, x2, y2)| CubicBezier::new(x1, y1, x2, y2))
    }

    #[test]
    fn the_named_ones_are_those_of_css() {
        // Half-way values from the curves' definition, to four digits.
        for (timing, middle) in [
            (Timing::Linear, 0.5),
            (Timing::EASE_IN, 0.3154),
            (Timing::EASE_OUT, 0.6846),
            (Timing::EASE_IN_OUT, 0.5),
        ] {
            assert!((timing.at(0.5) - middle).abs() < 5e-5, "{timing:?}: {}", timing.at(0.5));
        }
    }

    proptest! {
        /// A point of the curve is found again by its x.
        #[test]
        fn a_curve_is_solved(curve in curves(), s in 0.0..=1.0) {
            let x = along(curve.x1, curve.x2, s);
            // Where the curve is upright, its x says little of its y: compare x.
            let found = curve.parameter(x);
            prop_assert!((along(curve.x1, curve.x2, found) - x).abs() < 1e-9);
            if slope(curve.x1, curve.x2, s) > 1e-3 {
                prop_assert!((curve.y_at(x) - along(curve.y1, curve.y2, s)).abs() < 1e-6);
            }
        }

        #[test]
        fn ends_stay_where_they_are(curve in curves(), beyond in 0.0..9.0_f64) {
            prop_assert_eq!(curve.y_at(-beyond), 0.0);
            prop_assert_eq!(curve.y_at(1.0 + beyond), 1.0);
        }

        /// With its control points within the square it never runs back.
        #[test]
        fn it_never_runs_back(
            x1 in 0.0..=1.0, y1 in 0.0..=1.0, x2 in 0.0..=1.0, y2 in 0.0..=1.0,
            a in 0.0..=1.0, b in 0.0..=1.0,
        ) {
            let curve = CubicBezier::new(x1, y1, x2, y2);
            let (early, late) = if a < b { (a, b) } else { (b, a) };
            prop_assert!(curve.y_at(early) <= curve.y_at(late) + 1e-9);
        }

        /// The mirrored curve is the curve mirrored.
        #[test]
        fn ease_out_is_ease_in_backwards(x in 0.0..=1.0) {
            let there = Timing::EASE_IN.at(x);
            prop_assert!((there + Timing::EASE_OUT.at(1.0 - x) - 1.0).abs() < 1e-9);
            let both = Timing::EASE_IN_OUT.at(x) + Timing::EASE_IN_OUT.at(1.0 - x);
            prop_assert!((both - 1.0).abs() < 1e-9);
        }

        /// Control points on the diagonal make a straight line.
        #[test]
        fn a_straight_curve_is_linear(a in 0.0..=1.0, b in 0.0..=1.0, x in 0.0..=1.0) {
            prop_assert!((CubicBezier::new(a, a, b, b).y_at(x) - x).abs() < 1e-9);
        }
    }
}

//! Animations: a property of a layer as a function of time.
//!
//! The rules are CoreAnimation's: an animation changes what is presented, never
//! the layer's own values, and shows them again when it is over.

use std::time::Duration;

use vello_cpu::color::{AlphaColor, Srgb};
use vello_cpu::kurbo::Point;

use super::layer::Properties;
use super::timing::Timing;

pub(super) type Color = AlphaColor<Srgb>;

/// One property from one value to another, for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Animation {
    pub(super) track: Track,
    /// When it begins, in the scene's time.
    pub(super) begin: Duration,
    /// How long one run takes, one way.
    pub(super) duration: Duration,
    /// How many runs, there and back counting as one; parts of one are allowed,
    /// and so is infinity.
    pub(super) repeat: f64,
    /// Whether each run goes back the way it came.
    pub(super) autoreverse: bool,
    pub(super) timing: Timing,
    /// Whether it holds its first value before it begins.
    pub(super) fill_backwards: bool,
    /// Whether it holds its last value when it is over.
    pub(super) fill_forwards: bool,
}

/// What is animated: the key path, as CoreAnimation names it, and its values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Track {
    /// `position`.
    Position(Way<Point>),
    /// `position.y`.
    PositionY(Way<f64>),
    /// `transform.rotation`, in radians, clockwise.
    Rotation(Way<f64>),
    /// `transform.scale`.
    Scale(Way<f64>),
    /// `opacity`.
    Opacity(Way<f64>),
    /// `cornerRadius`.
    CornerRadius(Way<f64>),
    /// `fillColor`.
    FillColor(Way<Color>),
}

/// From one value to another; `None` is the layer's own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Way<T> {
    pub(super) from: Option<T>,
    pub(super) to: Option<T>,
}

impl<T> Way<T> {
    pub(super) const fn new(from: T, to: T) -> Self {
        Self { from: Some(from), to: Some(to) }
    }

    /// From the layer's own value.
    pub(super) const fn to(to: T) -> Self {
        Self { from: None, to: Some(to) }
    }

    /// To the layer's own value.
    pub(super) const fn from(from: T) -> Self {
        Self { from: Some(from), to: None }
    }
}

impl Animation {
    /// One run from time 0 on, evenly.
    pub(super) const fn new(track: Track, duration: Duration) -> Self {
        Self {
            track,
            begin: Duration::ZERO,
            duration,
            repeat: 1.0,
            autoreverse: false,
            timing: Timing::Linear,
            fill_backwards: false,
            fill_forwards: false,
        }
    }

    /// Presents its value at `time`.
    pub(super) fn apply(&self, time: Duration, shown: &mut Properties) {
        let Some(progress) = self.progress(time) else { return };
        let at = self.timing.at(progress);
        match self.track {
            Track::Position(way) => way.at(at, &mut shown.position),
            Track::PositionY(way) => way.at(at, &mut shown.position.y),
            Track::Rotation(way) => way.at(at, &mut shown.rotation),
            Track::Scale(way) => way.at(at, &mut shown.scale),
            Track::Opacity(way) => way.at(at, &mut shown.opacity),
            Track::CornerRadius(way) => way.at(at, &mut shown.corner_radius),
            Track::FillColor(way) => way.at(at, &mut shown.fill),
        }
    }

    /// How much of the way is over at `time`, 0 to 1; `None` if it has no say
    /// then. In whole nanoseconds, so that it is exact however late it is.
    fn progress(&self, time: Duration) -> Option<f64> {
        let run = self.duration.as_nanos();
        let cycle = if self.autoreverse { run * 2 } else { run };
        if run == 0 {
            return None;
        }
        let Some(local) = time.checked_sub(self.begin) else {
            return self.fill_backwards.then_some(0.0);
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "float casts saturate: for ever is the largest number"
        )]
        let end = (cycle as f64 * self.repeat) as u128;
        let local = local.as_nanos();
        let within = if local < end {
            local % cycle
        } else if !self.fill_forwards {
            return None;
        } else if end.is_multiple_of(cycle) && end > 0 {
            cycle
        } else {
            end % cycle
        };
        let there = if within > run { cycle - within } else { within };
        #[expect(clippy::cast_precision_loss, reason = "a duration of 104 days is exact")]
        let progress = there as f64 / run as f64;
        Some(progress)
    }
}

/// A value between two.
pub(super) trait Between: Copy {
    fn between(self, to: Self, at: f64) -> Self;
}

impl Between for f64 {
    fn between(self, to: Self, at: f64) -> Self {
        self + (to - self) * at
    }
}

impl Between for Point {
    fn between(self, to: Self, at: f64) -> Self {
        self.lerp(to, at)
    }
}

impl Between for Color {
    fn between(self, to: Self, at: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a colour is of f32")]
        self.lerp_rect(to, at as f32)
    }
}

impl<T: Between> Way<T> {
    /// Sets `value`, which is the layer's own, to the one on the way.
    fn at(self, at: f64, value: &mut T) {
        let (from, to) = (self.from.unwrap_or(*value), self.to.unwrap_or(*value));
        *value = from.between(to, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn opacity(animation: &Animation, time: Duration) -> f64 {
        let mut shown = Properties { opacity: 0.25, ..Properties::default() };
        animation.apply(time, &mut shown);
        shown.opacity
    }

    fn fade() -> Animation {
        Animation::new(Track::Opacity(Way::new(0.0, 1.0)), SECOND)
    }

    #[test]
    fn outside_its_time_it_has_no_say_or_holds_its_end() {
        let late = Animation { begin: SECOND, ..fade() };
        assert_eq!(opacity(&late, SECOND / 2), 0.25);
        assert_eq!(opacity(&late, SECOND), 0.0);
        assert_eq!(opacity(&late, SECOND * 3 / 2), 0.5);
        assert_eq!(opacity(&late, SECOND * 2), 0.25);
        let filled = Animation { fill_backwards: true, fill_forwards: true, ..late };
        assert_eq!(opacity(&filled, SECOND / 2), 0.0);
        assert_eq!(opacity(&filled, SECOND * 2), 1.0);
        let there_and_back = Animation { autoreverse: true, ..filled };
        assert_eq!(opacity(&there_and_back, SECOND * 9), 0.0);
        let one_and_a_half = Animation { repeat: 1.5, ..there_and_back };
        assert_eq!(opacity(&one_and_a_half, SECOND * 9), 1.0);
    }

    #[test]
    fn a_missing_end_is_the_layers_own_value() {
        let from = Animation::new(Track::Opacity(Way::from(1.0)), SECOND);
        assert_eq!(opacity(&from, SECOND / 2), 0.625);
        let to = Animation::new(Track::Opacity(Way::to(1.0)), SECOND);
        assert_eq!(opacity(&to, SECOND / 2), 0.625);
    }

    #[test]
    fn each_key_path_changes_its_own_property() {
        let own = Properties::default();
        let end = Point::new(4.0, 2.0);
        let red = Color::from_rgb8(255, 0, 0);
        for (track, expected) in [
            (Track::Position(Way::to(end)), Properties { position: end, ..own }),
            (Track::PositionY(Way::to(2.0)), Properties { position: Point::new(0.0, 2.0), ..own }),
            (Track::Rotation(Way::to(2.0)), Properties { rotation: 2.0, ..own }),
            (Track::Scale(Way::to(2.0)), Properties { scale: 2.0, ..own }),
            (Track::Opacity(Way::to(0.5)), Properties { opacity: 0.5, ..own }),
            (Track::CornerRadius(Way::to(2.0)), Properties { corner_radius: 2.0, ..own }),
            (Track::FillColor(Way::to(red)), Properties { fill: red, ..own }),
        ] {
            let mut shown = own;
            let animation = Animation { fill_forwards: true, ..Animation::new(track, SECOND) };
            animation.apply(SECOND, &mut shown);
            assert_eq!(shown, expected, "{track:?}");
        }
    }

    #[test]
    fn an_animation_of_no_duration_does_nothing() {
        assert_eq!(opacity(&Animation { duration: Duration::ZERO, ..fade() }, SECOND), 0.25);
    }

    proptest! {
        /// The same place in every run, exactly, also after years.
        #[test]
        fn it_repeats_exactly(nanos in 0_u64..2_000_000_000, runs in 0_u32..50_000_000) {
            let wheel = Animation { repeat: f64::INFINITY, autoreverse: true, ..fade() };
            let time = Duration::from_nanos(nanos);
            prop_assert_eq!(opacity(&wheel, time), opacity(&wheel, time + 2 * runs * SECOND));
        }

        /// The way back is the way there, with any timing.
        #[test]
        fn it_goes_back_the_way_it_came(nanos in 0_u64..1_000_000_000) {
            let swing = Animation { autoreverse: true, timing: Timing::EASE_IN, ..fade() };
            let time = Duration::from_nanos(nanos);
            prop_assert_eq!(opacity(&swing, time), opacity(&swing, 2 * SECOND - time));
        }

        /// What happens at a time does not depend on when it is asked.
        #[test]
        fn begin_only_shifts_it(begin in 0_u64..u64::MAX / 4, nanos in 0_u64..1_000_000_000) {
            let (begin, time) = (Duration::from_nanos(begin), Duration::from_nanos(nanos));
            let late = Animation { begin, ..fade() };
            prop_assert_eq!(opacity(&late, begin + time), opacity(&fade(), time));
        }
    }
}

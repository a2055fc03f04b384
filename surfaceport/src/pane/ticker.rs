//! When a display that says nothing of itself wants its next frame.

use std::time::Duration;

use crate::time::Timestamp;

/// A clock that ticks at the rate of a display.
#[derive(Debug)]
pub(super) struct Ticker {
    period: Duration,
    next: Timestamp,
    /// Unpaced: a frame was shown since the last tick.
    shown: bool,
}

impl Ticker {
    /// So many ticks a second; zero and less, and what is no number, is one
    /// after each frame.
    pub(super) fn new(hertz: f64) -> Self {
        let period = Duration::try_from_secs_f64(1.0 / hertz).unwrap_or_default();
        Self { period, next: Timestamp::now(), shown: true }
    }

    /// A frame was shown.
    pub(super) fn shown(&mut self) {
        self.shown = true;
    }

    /// The time for which a frame is wanted, if it ticked.
    pub(super) fn poll(&mut self, now: Timestamp) -> Option<Timestamp> {
        if self.period.is_zero() {
            return std::mem::take(&mut self.shown).then_some(now);
        }
        if now < self.next {
            return None;
        }
        // Ticks that nobody waited for are skipped, and the phase is kept.
        let late = now.since(self.next).as_nanos();
        let periods = late / self.period.as_nanos() + 1;
        let periods = u32::try_from(periods).unwrap_or(u32::MAX);
        self.next = self.next + self.period.saturating_mul(periods);
        Some(self.next)
    }

    /// When it ticks next, if it does by the clock.
    pub(super) fn next(&self) -> Option<Timestamp> {
        (!self.period.is_zero()).then_some(self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_keep_their_phase_and_skip_what_was_missed() {
        let mut ticker = Ticker::new(100.0);
        let period = Duration::from_millis(10);
        let start = ticker.next;
        assert_eq!(ticker.poll(start), Some(start + period));
        assert_eq!(ticker.poll(start + period / 2), None);
        assert_eq!(ticker.poll(start + period * 7 / 2), Some(start + period * 4));
        assert_eq!(ticker.poll(start + period * 4), Some(start + period * 5));
    }

    #[test]
    fn without_a_rate_each_frame_is_a_tick() {
        for rate in [0.0, -1.0, f64::NAN] {
            let mut ticker = Ticker::new(rate);
            let now = Timestamp::now();
            assert_eq!((ticker.poll(now), ticker.poll(now)), (Some(now), None));
            ticker.shown();
            assert_eq!((ticker.poll(now), ticker.next()), (Some(now), None));
        }
    }
}

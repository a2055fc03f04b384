//! Intervals between frames, counted: as much memory after a million as after one.

use std::time::Duration;

/// How fine it tells them apart.
const UNIT: Duration = Duration::from_micros(20);
/// All longer ones are one.
const LONGEST: Duration = Duration::from_millis(500);

/// How often each interval was seen.
#[derive(Clone, Debug)]
pub struct Gaps(Vec<u32>);

impl Default for Gaps {
    fn default() -> Self {
        Self(vec![0; (LONGEST.as_micros() / UNIT.as_micros()) as usize + 1])
    }
}

impl Gaps {
    pub fn note(&mut self, gap: Duration) {
        self.0[(gap.min(LONGEST).as_micros() / UNIT.as_micros()) as usize] += 1;
    }

    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(sum, count)| *sum += count);
    }

    pub fn count(&self) -> u64 {
        self.0.iter().map(|count| u64::from(*count)).sum()
    }

    /// That which so many of 100 do not exceed.
    pub fn percentile(&self, percent: u64) -> Duration {
        let mut left = self.count() * percent / 100;
        let beyond = |count: &u32| {
            let within = u64::from(*count) <= left;
            left = left.saturating_sub((*count).into());
            !within
        };
        let unit = self.0.iter().position(beyond).unwrap_or(0);
        UNIT * u32::try_from(unit).unwrap()
    }
}

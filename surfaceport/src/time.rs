//! Points in time, and how long to wait for one.

use core::time::Duration;
use std::time::Instant;

/// A point on the host's monotonic clock (`CLOCK_MONOTONIC`,
/// `mach_continuous_time`), in nanoseconds. Both processes read the same clock.
///
/// ```
/// use std::time::Duration;
/// use surfaceport::Timestamp;
///
/// let start = Timestamp::now();
/// let end = start + Duration::from_millis(3);
/// assert_eq!(end.since(start), Duration::from_millis(3));
/// assert_eq!(start.since(end), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From nanoseconds of the monotonic clock.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds of the monotonic clock.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this; zero if it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl core::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// When a call that waits gives up.
///
/// Made from a [`Duration`] (from now), an [`Instant`], or one of the constants.
///
/// ```
/// use std::time::{Duration, Instant};
/// use surfaceport::Deadline;
///
/// assert!(Deadline::NOW.remaining().unwrap().is_zero());
/// assert_eq!(Deadline::NEVER.remaining(), None);
/// let soon = Deadline::from(Duration::from_secs(2));
/// assert!(soon.remaining().unwrap() <= Duration::from_secs(2));
/// assert!(Deadline::from(Instant::now()).passed());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Limit);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    Now,
    At(Instant),
    Never,
}

impl Deadline {
    /// Do not wait at all.
    pub const NOW: Self = Self(Limit::Now);
    /// Wait for as long as it takes.
    pub const NEVER: Self = Self(Limit::Never);

    /// What is left of the wait; `None` if it has no end.
    #[must_use]
    pub fn remaining(self) -> Option<Duration> {
        match self.0 {
            Limit::Now => Some(Duration::ZERO),
            Limit::At(at) => Some(at.saturating_duration_since(Instant::now())),
            Limit::Never => None,
        }
    }

    /// Whether the wait is over.
    #[must_use]
    pub fn passed(self) -> bool {
        self.remaining().is_some_and(|left| left.is_zero())
    }

    /// The earlier of two.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Limit::Now, _) | (_, Limit::Now) => Self::NOW,
            (Limit::At(a), Limit::At(b)) => Self(Limit::At(a.min(b))),
            (Limit::At(a), Limit::Never) | (Limit::Never, Limit::At(a)) => Self(Limit::At(a)),
            (Limit::Never, Limit::Never) => Self::NEVER,
        }
    }
}

impl From<Duration> for Deadline {
    fn from(wait: Duration) -> Self {
        if wait.is_zero() {
            return Self::NOW;
        }
        Instant::now().checked_add(wait).map_or(Self::NEVER, |at| Self(Limit::At(at)))
    }
}

impl From<Instant> for Deadline {
    fn from(at: Instant) -> Self {
        Self(Limit::At(at))
    }
}

/// The longest time for which a side looks again before it sleeps: for so long
/// it hears of nothing else.
pub(crate) const MAX_SPIN: Duration = Duration::from_millis(10);

/// Looks, and for so long looks again, without sleeping: whether it is there.
#[inline]
pub(crate) fn spin(time: Duration, deadline: Deadline, mut look: impl FnMut() -> bool) -> bool {
    /// The clock costs as much as a few looks, so it is read after so many:
    /// what comes at once costs none.
    const LOOKS: u32 = 32;
    if look() {
        return true;
    }
    if time.is_zero() {
        return false;
    }
    let mut end = None;
    loop {
        for _ in 0..LOOKS {
            core::hint::spin_loop();
            if look() {
                return true;
            }
        }
        if end.get_or_insert_with(|| deadline.min(time.min(MAX_SPIN).into())).passed() {
            return false;
        }
    }
}

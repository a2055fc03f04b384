//! How much of something is granted over time.

use core::time::Duration;

use crate::time::Timestamp;

/// So much a second, and a burst of it at once. What is spent beyond that is a
/// debt that time pays off.
///
/// All of its state is one point in time: when the debt is paid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    /// What one unit costs, in ns, as all times here: a frame earns one.
    unit: u64,
    /// How far ahead of the clock the spending may be.
    burst: u64,
    paid_at: u64,
}

impl Allowance {
    /// One unit for each `unit` of time, and `burst` units at once.
    pub(crate) fn new(unit: Duration, burst: u32) -> Self {
        let unit = (Timestamp::default() + unit).as_nanos();
        Self { unit, burst: unit.saturating_mul(burst.into()), paid_at: 0 }
    }

    /// One unit is spent. `false`: that was more than is granted.
    pub(crate) fn spend(&mut self, now: Timestamp) -> bool {
        self.paid_at = self.paid_at.max(now.as_nanos()).saturating_add(self.unit);
        self.paid_at - now.as_nanos() <= self.burst
    }

    /// One unit comes back.
    pub(crate) fn earn(&mut self) {
        self.paid_at = self.paid_at.saturating_sub(self.unit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(millis: u32) -> Timestamp {
        Timestamp::from_nanos(1_000_000_000) + MS * millis
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let mut bells = Allowance::new(10 * MS, 4);
        let spent = (0..10).take_while(|_| bells.spend(at(0))).count();
        assert_eq!(spent, 4);
        // The debt of the fifth is paid after 10 ms, its place free after 20.
        assert!(!bells.spend(at(10)));
        assert!(bells.spend(at(30)));
        assert!(!bells.spend(at(30)));
        assert!(bells.spend(at(1000)));
    }

    #[test]
    fn one_at_a_time_is_no_way_around_it() {
        let mut bells = Allowance::new(10 * MS, 4);
        let within = (0..1000).filter(|after| bells.spend(at(*after))).count();
        assert!(within < 10, "{within} in a second");
        let mut slow = Allowance::new(10 * MS, 4);
        assert!((0..100).all(|i| slow.spend(at(i * 10))));
    }

    #[test]
    fn what_comes_back_can_be_spent() {
        let mut bells = Allowance::new(10 * MS, 4);
        assert!((0..1000).all(|_| {
            bells.earn();
            bells.spend(at(0))
        }));
        let mut idle = Allowance::new(10 * MS, 4);
        (0..1000).for_each(|_| idle.earn());
        let spent = (0..10).take_while(|_| idle.spend(at(0))).count();
        assert_eq!(spent, 4, "no more than the burst is saved");
    }
}

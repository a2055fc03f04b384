//! What an experiment is to show, and whether it did.

use crate::experiment::{Figure, median};
use crate::results::Results;

/// A target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// What is promised.
    pub what: &'static str,
    /// The subject whose figure it is.
    pub subject: &'static str,
    /// The figure.
    pub figure: Figure,
    /// Of what the figure is a multiple.
    pub of: Of,
    /// What is allowed.
    pub bound: Bound,
    /// Readings of the clock that are in the figure and not in the target.
    pub clock: f64,
}

/// Of what a figure is a multiple.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of {
    /// Another subject's in the same round.
    Subject(&'static str),
    /// Another subject's best round: of the two best.
    Best(&'static str),
    /// The same subject's in another experiment of the group.
    Experiment(&'static str),
    /// It stands for itself, all rounds together.
    Itself,
}

/// What is allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    /// Not more.
    AtMost(f64),
    /// Not less.
    AtLeast(f64),
}

impl Bound {
    /// Whether a value keeps to it.
    #[must_use]
    pub(crate) fn is_kept(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "≤ {most}"),
            Self::AtLeast(least) => write!(f, "≥ {least}"),
        }
    }
}

/// A target and what was measured.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    /// What is promised.
    pub what: String,
    /// What is allowed, and of what.
    pub target: String,
    /// What was measured.
    pub here: f64,
    /// Whether that is allowed.
    pub met: bool,
}

impl Target {
    /// With no reading of the clock.
    #[must_use]
    pub(crate) const fn new(
        what: &'static str,
        subject: &'static str,
        figure: Figure,
        of: Of,
        bound: Bound,
    ) -> Self {
        Self { what, subject, figure, of, bound, clock: 0.0 }
    }

    /// What came of it in an experiment; none if a subject is missing.
    #[must_use]
    pub(crate) fn check(&self, experiment: &str, results: &Results) -> Option<Check> {
        let table = results.table(experiment)?;
        let own = table.values(self.subject, self.figure);
        let own: Vec<f64> = own.iter().map(|value| value - self.clock * results.clock_ns).collect();
        let best = |values: Vec<f64>| values.into_iter().fold(f64::NAN, f64::max);
        let over =
            |bases: Vec<f64>| median(own.iter().zip(bases).map(|(own, base)| own / base).collect());
        let (here, of) = match self.of {
            Of::Subject(base) => (over(table.values(base, self.figure)), format!(" × {base}")),
            Of::Best(base) => {
                let bases = table.values(base, self.figure);
                (best(own) / best(bases), format!(" × {base}, best rounds"))
            }
            Of::Experiment(other) => {
                let bases = results.table(other)?.values(self.subject, self.figure);
                (over(bases), format!(" × {other}"))
            }
            Of::Itself => (table.figure(self.subject, self.figure), String::new()),
        };
        let clock = match self.clock {
            0.0 => String::new(),
            readings => format!(", less {readings} readings of the clock"),
        };
        here.is_finite().then(|| Check {
            what: self.what.to_owned(),
            target: format!("{}{of}{clock}", self.bound),
            here,
            met: self.bound.is_kept(here),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Bound;

    #[test]
    fn a_bound_holds_at_its_edge_and_not_beyond() {
        assert!(Bound::AtMost(1.1).is_kept(1.1) && !Bound::AtMost(1.1).is_kept(1.11));
        assert!(Bound::AtLeast(3.0).is_kept(3.0) && !Bound::AtLeast(3.0).is_kept(2.99));
        assert!(!Bound::AtMost(1.1).is_kept(f64::NAN) && !Bound::AtLeast(0.0).is_kept(f64::NAN));
    }
}

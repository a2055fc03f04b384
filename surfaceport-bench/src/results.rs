//! What was measured, as it is kept: `bench.json`. Pieces of a run that come one
//! after the other, each of some experiments, add up to one whole.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::experiment::{Figure, median};
use crate::measure::Sample;
use crate::subject::Failure;

/// All that was measured on a machine.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Results {
    /// Processor, cores, kernel.
    pub machine: String,
    /// One reading of the clock, ns.
    pub clock_ns: f64,
    /// Subjects that are not there, and why.
    pub not_run: Vec<String>,
    /// The experiments.
    pub tables: Vec<Table>,
    /// What is no experiment with subjects.
    pub grids: Vec<Grid>,
}

/// What an experiment gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Table {
    /// The experiment's name.
    pub name: String,
    /// Its run, as the child gets it.
    pub run: String,
    /// The subjects, in their order.
    pub subjects: Vec<String>,
    /// What each subject gave in each round.
    pub(crate) rounds: Vec<BTreeMap<String, Brief>>,
    /// Said below it: runs that failed.
    pub(crate) notes: Vec<String>,
}

/// What a run gave, in short.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Brief {
    /// Each figure, by its title; those that the run has.
    pub figures: BTreeMap<String, f64>,
    /// One way in µs: so many of 200 took no longer.
    pub one_way_us: Vec<f64>,
}

/// Steps of the distribution that is kept.
const STEPS: usize = 200;

impl Brief {
    /// Of a sample.
    #[must_use]
    pub(crate) fn of(sample: &Sample) -> Self {
        let figures = Figure::ALL.iter().map(|figure| (figure.title(), figure.of(sample)));
        let figures = figures.filter(|(_, value)| value.is_finite());
        let last = sample.one_way_ns.len().saturating_sub(1);
        let at = |step| Some(*sample.one_way_ns.get(last * step / STEPS)? as f64 / 1000.0);
        Self {
            figures: figures.map(|(title, value)| (title.to_owned(), value)).collect(),
            one_way_us: (0..STEPS).filter_map(at).collect(),
        }
    }
}

impl Table {
    /// A figure of a subject, round by round; a round that has none is left out
    /// of what comes of it.
    pub(crate) fn values(&self, subject: &str, figure: Figure) -> Vec<f64> {
        let of = |round: &BTreeMap<String, Brief>| {
            round.get(subject).and_then(|brief| brief.figures.get(figure.title())).copied()
        };
        self.rounds.iter().map(|round| of(round).unwrap_or(f64::NAN)).collect()
    }

    /// The figure of all rounds together.
    #[must_use]
    pub(crate) fn figure(&self, subject: &str, figure: Figure) -> f64 {
        let values = self.values(subject, figure);
        if figure.adds_up() { values.iter().sum() } else { median(values) }
    }

    /// The median multiple of the base's figure in the same round.
    #[must_use]
    pub(crate) fn ratio(&self, subject: &str, figure: Figure, base: &str) -> f64 {
        let values = self.values(subject, figure);
        let bases = self.values(base, figure);
        median(values.iter().zip(bases).map(|(value, base)| value / base).collect())
    }

    /// The distribution of one way over all rounds: the median of each step.
    #[must_use]
    pub(crate) fn one_way_us(&self, subject: &str) -> Vec<f64> {
        let of_round = |round: &BTreeMap<String, Brief>, step: usize| {
            round.get(subject).and_then(|brief| brief.one_way_us.get(step).copied())
        };
        (0..STEPS)
            .map(|step| median(self.rounds.iter().filter_map(|r| of_round(r, step)).collect()))
            .filter(|us| us.is_finite())
            .collect()
    }
}

/// Rows of numbers under a heading.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Grid {
    /// The heading.
    pub name: String,
    /// Above each column but the first.
    pub columns: Vec<String>,
    /// What a row is of, and its numbers.
    pub rows: Vec<(String, Vec<Option<f64>>)>,
    /// Said below it.
    pub notes: Vec<String>,
}

impl Grid {
    /// An empty one.
    #[must_use]
    pub(crate) fn new(name: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        Self { name: name.to_owned(), columns, rows: Vec::new(), notes: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, what: &str, values: &[f64]) {
        // JSON has no number that is none.
        let values = values.iter().map(|value| Some(*value).filter(|value| value.is_finite()));
        self.rows.push((what.to_owned(), values.collect()));
    }

    /// A number of it.
    #[must_use]
    pub(crate) fn value(&self, row: &str, column: &str) -> Option<f64> {
        let at = self.columns.iter().position(|name| name == column)?;
        let (_, values) = self.rows.iter().find(|(name, _)| name == row)?;
        *values.get(at)?
    }
}

impl Results {
    /// Those kept in a file; none if there is none.
    ///
    /// # Errors
    ///
    /// If the file is of another kind or another version.
    pub(crate) fn load(path: &Path) -> Result<Self, Failure> {
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| format!("{}: {error}", path.display()).into()),
            Err(_) => Ok(Self::default()),
        }
    }

    /// Keeps them.
    ///
    /// # Errors
    ///
    /// If the file can't be written.
    pub(crate) fn save(&self, path: &Path) -> Result<(), Failure> {
        Ok(std::fs::write(path, serde_json::to_vec_pretty(self)?)?)
    }

    /// These, with what `newer` has instead of their own.
    pub(crate) fn updated(mut self, newer: Self) -> Self {
        newer.tables.into_iter().for_each(|table| self.add_table(table));
        newer.grids.into_iter().for_each(|grid| self.add_grid(grid));
        if !newer.not_run.is_empty() {
            self.not_run = newer.not_run;
        }
        Self { machine: newer.machine, clock_ns: newer.clock_ns, ..self }
    }

    /// Adds a table, instead of an older one.
    pub(crate) fn add_table(&mut self, table: Table) {
        self.tables.retain(|other| other.name != table.name);
        self.tables.push(table);
    }

    /// Adds a grid, instead of an older one.
    pub(crate) fn add_grid(&mut self, grid: Grid) {
        self.grids.retain(|other| other.name != grid.name);
        self.grids.push(grid);
    }

    /// The table of an experiment.
    #[must_use]
    pub(crate) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// A grid.
    #[must_use]
    pub(crate) fn grid(&self, name: &str) -> Option<&Grid> {
        self.grids.iter().find(|grid| grid.name == name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Brief, Grid, Results, Table};
    use crate::experiment::Figure;

    fn brief(one_way: f64) -> Brief {
        let figures = BTreeMap::from([(Figure::OneWay.title().to_owned(), one_way)]);
        Brief { figures, one_way_us: vec![one_way / 1000.0; 3] }
    }

    fn table(rounds: &[(f64, f64)]) -> Table {
        let round = |(a, b): &(f64, f64)| {
            BTreeMap::from([("a".to_owned(), brief(*a)), ("b".to_owned(), brief(*b))])
        };
        Table {
            name: "hand-off".to_owned(),
            run: String::new(),
            subjects: vec!["a".to_owned(), "b".to_owned()],
            rounds: rounds.iter().map(round).collect(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_ratio_is_that_of_the_same_round() {
        let table = table(&[(10.0, 5.0), (100.0, 50.0), (30.0, 10.0)]);
        assert_eq!(table.ratio("a", Figure::OneWay, "b"), 2.0);
        assert_eq!(table.figure("a", Figure::OneWay), 30.0);
        assert!(table.ratio("a", Figure::OneWay, "c").is_nan());
        assert_eq!(table.one_way_us("b").len(), 3);
    }

    #[test]
    fn what_is_kept_comes_back_and_new_replaces_old() {
        let mut results = Results::default();
        results.add_table(table(&[(1.0, 1.0)]));
        let mut grid = Grid::new("life", &["p50", "p99"]);
        grid.row("start", &[1.5, f64::NAN]);
        results.add_grid(grid);
        let path = std::env::temp_dir().join(format!("bench-test-{}.json", std::process::id()));
        results.save(&path).unwrap();
        let back = Results::load(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(back.grid("life").unwrap().value("start", "p50"), Some(1.5));
        assert_eq!(back.grid("life").unwrap().value("start", "p99"), None);
        let mut newer = Results { clock_ns: 7.0, ..Results::default() };
        newer.add_table(table(&[(4.0, 2.0), (4.0, 2.0)]));
        let all = back.updated(newer);
        assert_eq!(all.tables.len(), 1);
        assert_eq!(all.table("hand-off").unwrap().rounds.len(), 2);
        assert!(all.grid("life").is_some() && all.clock_ns == 7.0);
    }
}

//! `bench`: what the hand-off costs on this machine, beside floors.

use std::path::PathBuf;

use anyhow::anyhow;
use surfaceport_bench::{OWN, Options, suite};

/// `bench`'s options.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  surfaceport bench --quick
  surfaceport bench --only 'hand-off, asleep' --out target/bench")]
pub(crate) struct BenchOptions {
    /// Run a few minutes instead of an hour, to see that all works
    #[arg(long)]
    quick: bool,
    /// Run each subject so often; what counts is the median
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Make each run so many times as long
    #[arg(long, value_name = "FACTOR")]
    scale: Option<f64>,
    /// Run only the experiments whose names contain this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Write the tables, JSON and plots into this folder, too; with `--only` it
    /// adds to what is there
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Runs the benchmarks and prints their tables.
pub(crate) fn run(options: BenchOptions) -> anyhow::Result<()> {
    let BenchOptions { quick, rounds, scale, only, out } = options;
    let base = if quick { Options::quick() } else { Options::default() };
    let (rounds, scale) = (rounds.unwrap_or(base.rounds), scale.unwrap_or(base.scale));
    suite(&Options { only, rounds, scale, out, ..base }, &OWN).map_err(|error| anyhow!(error))
}

/// The producer's side of a run; started by it.
pub(crate) fn child(arguments: Vec<String>) -> anyhow::Result<()> {
    surfaceport_bench::child(&OWN, arguments.into_iter()).map_err(|error| anyhow!(error))
}

//! The benchmarks of surfaceport beside other libraries.

#[cfg(feature = "gstreamer")]
mod gstreamer;
mod iceoryx;
mod ipc;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use surfaceport_bench::{CHILD, Counting, Entry, OWN, Options, child, suite};

/// What is said without the feature.
const NO_GSTREAMER: &str = "GStreamer's shmsink and shmsrc: the packages libgstreamer1.0-dev, \
    libgstreamer-plugins-base1.0-dev and gstreamer1.0-plugins-bad are missing (feature gstreamer)";

/// The benchmarks of surfaceport beside floors and other libraries.
#[derive(Parser)]
struct Arguments {
    /// A run of a few minutes, to see that all works.
    #[arg(long)]
    quick: bool,
    /// How often each subject runs.
    #[arg(long)]
    rounds: Option<usize>,
    /// So many times as long each run is.
    #[arg(long)]
    scale: Option<f64>,
    /// Only the experiments whose names contain this.
    #[arg(long, default_value = "")]
    only: String,
    /// A folder for the tables, JSON and plots.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// So that allocations can stand in the tables.
#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let mut subjects = OWN.to_vec();
    subjects.extend([
        Entry::of::<iceoryx::Iceoryx2>(),
        Entry::of::<ipc::ByIndex>(),
        Entry::of::<ipc::ByMemory>(),
    ]);
    #[cfg(feature = "gstreamer")]
    subjects.extend([Entry::of::<gstreamer::InPlace>(), Entry::of::<gstreamer::Copied>()]);
    let not_run = Vec::from(if cfg!(feature = "gstreamer") { &[][..] } else { &[NO_GSTREAMER] });
    let not_run = not_run.into_iter().map(str::to_owned).collect();
    let mut arguments = std::env::args().skip(1);
    let done = if arguments.next().as_deref() == Some(CHILD) {
        child(&subjects, arguments)
    } else {
        let Arguments { quick, rounds, scale, only, out } = Arguments::parse();
        let base = if quick { Options::quick() } else { Options::default() };
        let (rounds, scale) = (rounds.unwrap_or(base.rounds), scale.unwrap_or(base.scale));
        suite(&Options { only, rounds, scale, out, not_run, ..base }, &subjects)
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

//! The benchmarks of surfaceport beside other libraries.

mod iceoryx;
mod ipc;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use surfaceport_bench::{CHILD, Entry, OWN, Options, child, suite};

/// The benchmarks of surfaceport beside floors and other libraries.
#[derive(Parser)]
struct Arguments {
    /// A run of a few minutes, to see that all works.
    #[arg(long)]
    quick: bool,
    /// Only the experiments whose names contain this.
    #[arg(long, default_value = "")]
    only: String,
    /// A folder for the tables, JSON and plots.
    #[arg(long)]
    out: Option<PathBuf>,
}

fn main() -> ExitCode {
    let mut subjects = OWN.to_vec();
    subjects.extend([
        Entry::of::<iceoryx::Iceoryx2>(),
        Entry::of::<ipc::ByIndex>(),
        Entry::of::<ipc::ByMemory>(),
    ]);
    let mut arguments = std::env::args().skip(1);
    let done = if arguments.next().as_deref() == Some(CHILD) {
        child(&subjects, arguments)
    } else {
        let Arguments { quick, only, out } = Arguments::parse();
        let base = if quick { Options::quick() } else { Options::default() };
        suite(&Options { only, out, ..base }, &subjects)
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

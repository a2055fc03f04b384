//! The project's own checks: `cargo xtask ci` is what CI runs.

mod asan;
mod bench;
mod ci;
mod counts;
mod disasm;
mod faults;
mod figure;
mod fuzz;
mod host;
mod hostile;
mod layers;
mod licences;
mod loom;
mod mac;
mod panes;
mod project;
mod run;
mod suite;
mod tests_ran;

use std::process::ExitCode;

use clap::{Parser, Subcommand, builder::PossibleValuesParser};

/// The project's own checks, one by one or all that CI runs.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    check: Check,
}

#[derive(Debug, Subcommand)]
enum Check {
    /// Run everything that CI runs, in order, and print a report
    Ci(ci::Options),
    /// Check who imports whom, and where unsafe, cfg and atomics stand
    Layers,
    /// Check the licences of all dependencies against deny.toml
    Licences,
    /// Check that the host's transitions have no compare-and-swap loop
    Disasm,
    /// Run the loom models of the swapchain
    Loom {
        /// How often a model may interrupt a thread; else each model says so itself
        #[arg(long, value_name = "N")]
        max_preemptions: Option<u8>,
    },
    /// Make every system call of the library fail, and kill and stop both sides there
    Faults,
    /// Run the fuzz targets
    Fuzz(fuzz::Options),
    /// Run the library's tests under the address sanitizer
    Asan,
    /// Measure a figure of docs/reliability.md
    Figure {
        /// Which one
        #[arg(value_parser = PossibleValuesParser::new(figure::names()))]
        name: String,
        /// How many of what it counts
        #[arg(long, value_name = "N")]
        number: u64,
    },
    /// Let hostile children loose on a host
    Hostile(hostile::Options),
    /// Count what a frame costs in instructions, system calls and allocations
    Counts(counts::Options),
    /// Measure the library beside floors and other libraries
    Bench(bench::Options),
    /// Check and link the macOS side, without a Mac
    Mac,
    /// Run many frames and resizes through the panes of each display server
    Panes {
        /// Frames at each server
        #[arg(long, value_name = "N", default_value_t = 10_000)]
        frames: u32,
        /// Resizes at each server
        #[arg(long, value_name = "N", default_value_t = 500)]
        resizes: u32,
    },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().check {
        Check::Ci(options) => {
            return if ci::run(&options) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        Check::Layers => layers::run(),
        Check::Licences => licences::run(),
        Check::Disasm => disasm::run(),
        Check::Faults => faults::run(),
        Check::Loom { max_preemptions } => loom::run(max_preemptions),
        Check::Fuzz(options) => fuzz::run(&options),
        Check::Asan => asan::run(),
        Check::Figure { name, number } => figure::run(&name, number),
        Check::Hostile(options) => hostile::run(&options),
        Check::Counts(options) => counts::run(&options),
        Check::Bench(options) => bench::run(&options),
        Check::Mac => mac::run(),
        Check::Panes { frames, resizes } => panes::run(frames, resizes),
    };
    match result {
        Ok(project::Verdict::Passed { summary, not_run }) => {
            for what in not_run {
                println!("not run: {what}");
            }
            println!("passed: {summary}");
            ExitCode::SUCCESS
        }
        Ok(project::Verdict::NotRun(why)) => {
            println!("not run: {why}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("failed: {why}");
            ExitCode::FAILURE
        }
    }
}

//! The `surfaceport` program.

mod child;
mod demo;
mod scene;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// One process draws, another shows: no copy, no tear, and neither can hurt the
/// other.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows what a child process draws.
    Demo(demo::Options),
    /// The child of `demo`; started by it.
    #[command(hide = true)]
    DemoChild(child::Options),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Demo(options) => demo::run(&options).map_err(Into::into),
        Command::DemoChild(options) => child::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("surfaceport: {error}");
            ExitCode::FAILURE
        }
    }
}

//! The `surfaceport` program.

mod child;
mod demo;
mod host;
mod options;
mod output;
mod run;
mod scene;
mod verify;

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
    /// Show what a child process draws.
    Demo(demo::DemoOptions),
    /// Show what any child draws that uses the library.
    Host(host::HostOptions),
    /// The child of `demo`; started by it.
    #[command(hide = true)]
    DemoChild(child::Options),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Demo(options) => demo::run(options),
        Command::Host(options) => host::run(options),
        Command::DemoChild(options) => child::run(&options).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| {
        eprintln!("surfaceport: {error:#}");
        ExitCode::FAILURE
    })
}

//! The `surfaceport` program.

/// Says something on stderr. Not `eprintln!`, which panics where nobody listens.
macro_rules! say {
    ($($text:tt)*) => {{
        let _nowhere = std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!("{}\n", format_args!($($text)*)),
        );
    }};
}

#[cfg(target_os = "linux")]
mod bench;
mod child;
mod demo;
mod doctor;
mod host;
mod options;
mod output;
#[cfg(target_os = "macos")]
mod poc;
#[cfg(not(target_os = "macos"))]
mod poc_elsewhere;
mod run;
mod scene;
mod verify;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::{ArgAction, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
#[cfg(not(target_os = "macos"))]
use poc_elsewhere as poc;
use tracing::Level;

/// One process draws, another shows: no copy, no tear, and neither can hurt the
/// other.
#[derive(Parser)]
#[command(
    name = "surfaceport",
    version,
    after_help = "Examples:
  surfaceport demo                             in a window, the terminal, or neither
  surfaceport demo --verify --kill-child-every 500ms --duration 10s
  surfaceport demo --record picture.png --frames 60
  surfaceport host -- ./my-renderer            any child that uses the library
  surfaceport doctor                           what this machine can do

Exit status: 0 done, closed or Ctrl-C; 1 failure; 2 wrong usage; 3 verification
failed; 4 the child gave up."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Say on stderr what happens; twice says more.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
}

#[derive(Subcommand)]
enum Command {
    /// Show what a child process draws.
    Demo(demo::DemoOptions),
    /// Show what any child draws that uses the library.
    Host(host::HostOptions),
    /// Say what this machine can do, and what follows from it.
    Doctor(doctor::DoctorOptions),
    /// Print a shell's completions.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the manual page, in roff.
    Man {
        /// Of this command; of the program, if not said.
        command: Option<String>,
    },
    /// Measure what the hand-off costs on this machine, beside floors.
    #[cfg(target_os = "linux")]
    Bench(bench::BenchOptions),
    /// The child of `bench`; started by it.
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    BenchChild {
        #[arg(trailing_var_arg = true)]
        arguments: Vec<String>,
    },
    /// The child of `demo`; started by it.
    #[command(hide = true)]
    DemoChild(child::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let level = match arguments.verbose {
        0 => Level::ERROR,
        1 => Level::INFO,
        2 => Level::DEBUG,
        _ => Level::TRACE,
    };
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .init();
    let success = |()| ExitCode::SUCCESS;
    let done = match arguments.command {
        Command::Demo(options) => demo::run(options),
        Command::Host(options) => host::run(options),
        Command::Doctor(options) => doctor::run(&options).map(success),
        Command::Completions { shell } => completions(shell).map(success),
        Command::Man { command } => man(command.as_deref()).map(success),
        #[cfg(target_os = "linux")]
        Command::Bench(options) => bench::run(options).map(success),
        #[cfg(target_os = "linux")]
        Command::BenchChild { arguments } => bench::child(arguments).map(success),
        Command::DemoChild(options) => child::run(&options).map(success),
    };
    done.unwrap_or_else(|error| {
        say!("surfaceport: {error:#}");
        ExitCode::FAILURE
    })
}

fn completions(shell: Shell) -> anyhow::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "surfaceport", &mut text);
    Ok(std::io::stdout().write_all(&text)?)
}

fn man(command: Option<&str>) -> anyhow::Result<()> {
    let mut program = Arguments::command();
    program.build();
    let page = match command {
        Some(name) => program
            .find_subcommand(name)
            .cloned()
            .ok_or_else(|| anyhow::anyhow!("there is no command {name:?}"))?,
        None => program,
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text)?;
    Ok(std::io::stdout().write_all(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_consistent() {
        Arguments::command().debug_assert();
    }
}

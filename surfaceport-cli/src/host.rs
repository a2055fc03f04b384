//! `host`: shows what any child draws that uses the library.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use surfaceport::Command;

use crate::options::Options;
use crate::output::record;
use crate::{poc, run};

/// `host`'s options.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  surfaceport host -- ./my-renderer --quality high
  surfaceport host --headless --duration 3s --json -- ./my-renderer

How many surfaces there are and in which mode is the child's choice. With
--frames it ends once that many were presented, or some more. --verify is for
children that stamp their frames, as the demo's does.")]
pub(crate) struct HostOptions {
    #[command(flatten)]
    options: Options,
    /// Host the child of the proof of concept that this library comes from
    /// (macOS).
    #[arg(long, value_name = "PROGRAM", conflicts_with_all = [
        "command", "terminal", "verify", "record", "sandbox", "kill_child_every",
    ])]
    poc: Option<PathBuf>,
    /// The child: a program that uses the library, and its arguments.
    #[arg(last = true, required_unless_present = "poc", value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Starts the command as the child, and shows what it draws.
pub(crate) fn run(host: HostOptions) -> anyhow::Result<ExitCode> {
    let mut options = host.options;
    if let Some(program) = &host.poc {
        return poc::host(&options, program);
    }
    record::settle(&mut options)?;
    let (program, arguments) = host.command.split_first().expect("clap requires one");
    let command = Command::new(program).args(arguments);
    run::run(options, command, false)
}

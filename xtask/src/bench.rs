//! `cargo xtask bench`: the benchmarks beside other libraries.
//!
//! The other libraries are dependencies of `peers/` alone, which is outside the
//! workspace: nobody else builds them.

use std::path::PathBuf;
use std::process::Command;

use crate::project::{self, Checked, Verdict};
use crate::{run, tests_ran};

/// `bench`'s options.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Run a few minutes, to see that all works
    #[arg(long)]
    quick: bool,
    /// Run each subject so often; what counts is the median
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// Make each run so many times as long
    #[arg(long, value_name = "FACTOR")]
    scale: Option<f64>,
    /// Run only the experiments whose names contain this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// The folder for the tables, JSON and plots; with `--only` it adds to what
    /// is there
    #[arg(long, value_name = "FOLDER", default_value = "target/bench")]
    out: PathBuf,
}

pub(crate) fn run(options: &Options) -> Checked {
    let mut command = project::cargo();
    command.current_dir(project::root()).env("CARGO_TARGET_DIR", project::target("peers")).args([
        "run",
        "--release",
        "--locked",
        "--manifest-path",
        "peers/Cargo.toml",
    ]);
    if has_gstreamer() {
        command.args(["--features", "gstreamer"]);
    }
    command.args(["--", "--only", &options.only, "--out"]).arg(&options.out);
    if let Some(rounds) = options.rounds {
        command.args(["--rounds", &rounds.to_string()]);
    }
    if let Some(scale) = options.scale {
        command.args(["--scale", &scale.to_string()]);
    }
    if options.quick {
        command.arg("--quick");
    }
    // A program by itself measures its own memory, and nothing else does.
    let apart = [OWN_PAIR, PANES].iter().any(|name| name.contains(&options.only));
    if !apart || options.only.is_empty() {
        show(command)?;
    }
    if OWN_PAIR.contains(&options.only) {
        let mut build = project::cargo();
        build.current_dir(project::root()).env("CARGO_TARGET_DIR", project::target("own-pair"));
        build.args(["build", "--profile", "small", "--package", "surfaceport-bench", "--bins"]);
        show(build)?;
        let program = project::target("own-pair").join("small/surfaceport-bench");
        let mut command = Command::new(program);
        command
            .current_dir(project::root())
            .args([OWN_PAIR, if options.quick { "1" } else { "3" }, "0.3"])
            .arg(&options.out);
        show(command)?;
    }
    if PANES.contains(&options.only) {
        panes(options)?;
    }
    Ok(Verdict::passed(format!("see {}", options.out.display())))
}

/// What a pane in a window costs the host by the frame's size, at the display
/// servers that are here: in the tests that hold it.
const PANES: &str = "panes in a window";

/// Runs those tests; their lines are the table.
fn panes(options: &Options) -> Result<(), String> {
    let mut command = project::cargo();
    command.args(["test", "--release", "--package", "surfaceport", "--test", "pane_cost"]);
    command.args(["--", "--show-output", "--test-threads=1"]);
    if !options.quick {
        command.env("PANE_COST_FRAMES", "600");
    }
    let output = run::run_showing(&mut command, tests_ran::worth_showing())?.ok()?;
    let is_row = |line: &&str| line.contains(": a frame of ") || line.starts_with("not run: ");
    let rows: Vec<&str> = output.lines().filter(is_row).collect();
    let table = format!("### {PANES}\n\n{}\n", rows.join("\n"));
    println!("\n{table}");
    let folder = project::root().join(&options.out);
    let path = folder.join("panes.md");
    let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, table));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

/// Whether GStreamer can be built against, and has the elements.
fn has_gstreamer() -> bool {
    let works = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        output.is_ok_and(|output| output.status.success())
    };
    works("pkg-config", &["--exists", "gstreamer-app-1.0 >= 1.14", "gstreamer-allocators-1.0"])
        && works("gst-inspect-1.0", &["--exists", "shmsink"])
}

/// What a program with nothing else in it measures.
const OWN_PAIR: &str = "memory of the benchmark's own pair";

/// Runs a command; its tables and its progress go where ours go.
fn show(mut command: Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("the benchmarks ended with {status}")) }
}

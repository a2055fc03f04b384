//! `cargo xtask bench`: the benchmarks beside other libraries.
//!
//! The other libraries are dependencies of `peers/` alone, which is outside the
//! workspace: nobody else builds them.

use std::path::PathBuf;

use crate::project::{self, Checked, Verdict};

/// `bench`'s options.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Run a few minutes, to see that all works
    #[arg(long)]
    quick: bool,
    /// Run only the experiments whose names contain this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// The folder for the tables, JSON and plots
    #[arg(long, value_name = "FOLDER", default_value = "target/bench")]
    out: PathBuf,
}

pub(crate) fn run(options: &Options) -> Checked {
    let mut command = project::cargo();
    command
        .current_dir(project::root())
        .env("CARGO_TARGET_DIR", project::target("peers"))
        .args(["run", "--release", "--locked", "--manifest-path", "peers/Cargo.toml", "--"])
        .args(["--only", &options.only, "--out"])
        .arg(&options.out);
    if options.quick {
        command.arg("--quick");
    }
    // Its tables and its progress go where ours go.
    let status = command.status().map_err(|error| format!("cargo: {error}"))?;
    if !status.success() {
        return Err(format!("the benchmarks ended with {status}"));
    }
    Ok(Verdict::passed(format!("see {}", options.out.display())))
}

//! `cargo xtask faults`: every error, SIGKILL and SIGSTOP at every system call of a
//! scenario, on both sides. `cargo test` runs a selection of the same.

use crate::project::{self, Checked};
use crate::suite::{self, Tier};

/// Builds and runs all of it.
pub(crate) fn run() -> Checked {
    let mut command = project::cargo();
    command.args(["test", "--release", "--package", "surfaceport", "--test", "faults"]);
    command.env("SURFACEPORT_FAULTS", "all");
    suite::run(command, &[Tier::Process])
}

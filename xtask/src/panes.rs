//! `cargo xtask panes`: the long runs of the panes in a window, with as many
//! frames and resizes as one likes. CI runs the same tests with small numbers.

use crate::project::{self, Checked};
use crate::suite::{self, Tier};

/// The binaries whose tests read these numbers.
const RUNS: [&str; 3] = ["wayland_frames", "wayland_resize", "x11_runs"];

/// Runs them at each display server that is installed.
pub(crate) fn run(frames: u32, resizes: u32) -> Checked {
    let mut command = project::cargo();
    command.args(["test", "--release", "--package", "surfaceport", "--no-fail-fast"]);
    command.args(RUNS.iter().flat_map(|name| ["--test", name]));
    command.env("PANE_FRAMES", frames.to_string()).env("PANE_RESIZES", resizes.to_string());
    suite::run(command, &[Tier::Process])
}

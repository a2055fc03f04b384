//! `cargo xtask figure`: the figures of docs/reliability.md, as long as one likes.

use crate::project::{self, Checked, Verdict};
use crate::run;

/// The name on the command line; the file of tests, the test, and what it is told.
const FIGURES: [(&str, &str, &str); 8] = [
    ("restarts", "hostile", "one_figure"),
    ("deaths", "hostile", "one_figure"),
    ("neighbours", "hostile", "one_figure"),
    ("small-frames", "frames", "a_million_small_frames"),
    ("large-frames", "frames", "five_thousand_large_frames"),
    ("each-small-frame", "frames", "each_small_frame_is_whole"),
    ("each-large-frame", "frames", "each_large_frame_is_whole"),
    ("kills", "frames", "children_that_are_killed_leave_nothing_of_theirs"),
];

/// Their names.
pub(crate) fn names() -> Vec<&'static str> {
    FIGURES.iter().map(|(name, _, _)| *name).collect()
}

/// Measures one.
pub(crate) fn run(figure: &str, number: u64) -> Checked {
    let Some((_, file, test)) = FIGURES.iter().find(|(name, _, _)| *name == figure) else {
        return Err(format!("there is no figure {figure}"));
    };
    let mut command = project::cargo();
    command.args(["test", "--release", "--package", "surfaceport", "--test", file, "--"]);
    command.args(["--nocapture", "--include-ignored", "--exact", test]);
    command.env("FIGURE", figure).env("NUMBER", number.to_string());
    let output = run::run_long(&mut command)?.ok()?;
    if !output.contains(" ... ok") && !output.contains("1 passed") {
        return Err("nothing was measured".to_owned());
    }
    Ok(Verdict::passed(format!("{figure}, {number}")))
}

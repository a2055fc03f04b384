//! The account, and what it means for the exit code.

use std::process::ExitCode;
use std::time::Duration;

use surfaceport::Stats;

use super::End;

/// What there was to see.
pub(crate) struct Report {
    pub(crate) end: End,
    pub(crate) stats: Stats,
    pub(crate) elapsed: Duration,
}

impl Report {
    /// Prints the summary and says how to exit.
    pub(crate) fn print(&self, _json: bool) -> anyhow::Result<ExitCode> {
        let Stats { presented, shown, superseded, stale, lost, .. } = self.stats;
        eprintln!(
            "{presented} frames in {:.1} s: {shown} shown, {superseded} superseded, {stale} stale, \
             {lost} lost",
            self.elapsed.as_secs_f64(),
        );
        Ok(match &self.end {
            End::Finished | End::Closed => ExitCode::SUCCESS,
            End::GaveUp(exit) => {
                eprintln!("surfaceport: {exit}");
                ExitCode::from(4)
            }
        })
    }
}

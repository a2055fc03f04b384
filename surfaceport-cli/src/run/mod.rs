//! Showing a child's frames: what is the same wherever they go.

mod headless;
mod player;
mod report;
mod signals;

use std::process::ExitCode;

use surfaceport::{Command, HeadlessPane};

use crate::options::Options;
use crate::output::{self, Output};
pub(crate) use player::{End, Flow, Key, Player};
pub(crate) use report::Report;

/// What is to be shown, and how.
pub(crate) struct Job {
    pub(crate) options: Options,
    /// The child.
    pub(crate) command: Command,
    /// The child draws as many frames as it is told in a message `frames N`.
    pub(crate) counted: bool,
}

/// Shows a child's frames until the end, and says what there was to see.
pub(crate) fn run(mut job: Job) -> anyhow::Result<ExitCode> {
    let (output, reasons) = output::choose(&job.options)?;
    for reason in reasons {
        eprintln!("{reason}");
    }
    let report = match output {
        Output::Window(display) => output::window::drive(&job, display)?,
        Output::Headless => {
            headless::limit(&mut job.options);
            let pane = || HeadlessPane::new(job.options.pane_size()).refresh_rate(job.options.fps);
            let panes = (0..job.options.panes.count()).map(|_| pane()).collect();
            headless::drive(Player::new(&job, panes)?)?
        }
    };
    report.print(job.options.json)
}

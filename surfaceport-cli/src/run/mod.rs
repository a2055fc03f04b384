//! Showing a child's frames: what is the same wherever they go.

mod headless;
mod player;
mod progress;
mod report;
mod signals;
mod watch;

use std::process::ExitCode;

use surfaceport::{Command, HeadlessPane, Stats};

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
    /// Say on stderr how it goes.
    pub(crate) progress: bool,
}

/// Shows a child's frames until the end, and says what there was to see.
pub(crate) fn run(options: Options, command: Command, counted: bool) -> anyhow::Result<ExitCode> {
    if options.record.is_some() || options.output.terminal {
        anyhow::bail!("--record and --terminal can't be used yet");
    }
    let mut job = Job { options, command, counted, progress: true };
    let (output, reasons) = output::choose(&job.options)?;
    for reason in reasons {
        say!("{reason}");
    }
    let (report, name) = match output {
        Output::Window(display) => (output::window::drive(&job, display)?, "window"),
        Output::Headless => {
            headless::limit(&mut job.options);
            let pane = || HeadlessPane::new(job.options.pane_size()).refresh_rate(job.options.fps);
            let panes = (0..job.options.panes.count()).map(|_| pane()).collect();
            (headless::drive(Player::new(&job, panes)?)?, "headless")
        }
    };
    report.print(name, job.options.json)
}

/// All sessions together.
fn sum(all: impl Iterator<Item = Stats>) -> Stats {
    all.fold(Stats::default(), |mut sum, stats| {
        sum.presented += stats.presented;
        sum.shown += stats.shown;
        sum.superseded += stats.superseded;
        sum.stale += stats.stale;
        sum.lost += stats.lost;
        sum.restarts += stats.restarts;
        sum
    })
}

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
use crate::output::record::{Recorded, Recorder, Recording};
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
    let mut job = Job { options, command, counted, progress: true };
    let (output, reasons) = output::choose(&job.options)?;
    for reason in reasons {
        say!("{reason}");
    }
    let recorder = Recorder::open(&job.options)?;
    let (report, name) = match output {
        Output::Window(display) => {
            (output::window::drive(&job, display, recorder.clone())?, "window")
        }
        Output::Terminal => {
            // The picture's last line says it.
            job.progress = false;
            (output::terminal::drive(&job, recorder.as_ref())?, "terminal")
        }
        Output::Headless => {
            headless::limit(&mut job.options);
            // A recording's time is the scene's: it need not wait for the clock.
            let fps = if recorder.is_some() { 0.0 } else { job.options.fps };
            let pane = || {
                let pane = HeadlessPane::new(job.options.pane_size()).refresh_rate(fps);
                Recorded::new(pane, Recording(recorder.clone()))
            };
            let panes = (0..job.options.panes.count()).map(|_| pane()).collect();
            (headless::drive(Player::new(&job, panes)?)?, "headless")
        }
    };
    if let Some(recorder) = recorder {
        recorder.borrow_mut().finish()?;
    }
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

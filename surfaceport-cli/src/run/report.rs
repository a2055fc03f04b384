//! The account, and what it means for the exit code.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use surfaceport::{PresentMode, Size, Stats};

use super::End;
use super::watch::Seen;

const VERIFICATION_FAILED: u8 = 3;
const CHILD_GAVE_UP: u8 = 4;

/// What there was to see.
pub(crate) struct Report {
    pub(super) end: End,
    pub(super) verify: bool,
    pub(super) stats: Stats,
    pub(super) seen: Seen,
    pub(super) host_copies: u64,
    pub(super) elapsed: Duration,
    pub(super) panes: usize,
    pub(super) surfaces: Option<Surfaces>,
}

/// What the children drew into, last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surfaces {
    pub(super) size: Size,
    pub(super) slots: usize,
    pub(super) mode: PresentMode,
}

/// The line of `--json`.
#[derive(Serialize)]
struct Line {
    presented: u64,
    shown: u64,
    superseded: u64,
    stale: u64,
    lost: u64,
    /// `None` without `--verify`.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<u64>,
    torn: u64,
    foreign: u64,
    fps: f64,
    handoff_us: Handoff,
    host_copies: u64,
    restarts: u64,
    /// Of which a frame was shown.
    children: u64,
    seconds: f64,
    output: &'static str,
    panes: usize,
    size: Option<String>,
    buffers: Option<usize>,
    mode: Option<String>,
}

#[derive(Serialize)]
struct Handoff {
    p50: f64,
    p99: f64,
}

impl Report {
    /// Prints the summary, and on stdout the result; says how to exit.
    pub(crate) fn print(&self, output: &'static str, json: bool) -> anyhow::Result<ExitCode> {
        let line = self.line(output);
        say!(
            "{} frames presented in {:.1} s: {} shown ({:.1} a second), {} superseded, {} stale, \
             {} lost; {} copied by the host; {} restarts; {:.0} µs from present to take (p99 {:.0})",
            line.presented,
            line.seconds,
            line.shown,
            line.fps,
            line.superseded,
            line.stale,
            line.lost,
            line.host_copies,
            line.restarts,
            line.handoff_us.p50,
            line.handoff_us.p99,
        );
        let code = self.verdict();
        if json {
            // Not println!, which panics where nobody listens.
            let text = serde_json::to_string(&line)?;
            writeln!(std::io::stdout(), "{text}").context("can't write to stdout")?;
        }
        Ok(code)
    }

    /// What went wrong, in words and as an exit code.
    fn verdict(&self) -> ExitCode {
        let Seen { verified, torn, foreign, unstamped, .. } = self.seen;
        let mut code = ExitCode::SUCCESS;
        if let End::GaveUp(exit) = &self.end {
            say!("surfaceport: {exit}");
            code = ExitCode::from(CHILD_GAVE_UP);
        }
        if !self.verify {
            return code;
        }
        if torn + foreign > 0 || (unstamped > 0 && verified > 0) {
            say!(
                "surfaceport: verification failed: of {} frames, {torn} were not what the child \
                 drew, {foreign} not of this child or out of place, {unstamped} without a stamp",
                verified + unstamped
            );
            return ExitCode::from(VERIFICATION_FAILED);
        }
        if unstamped > 0 {
            say!(
                "surfaceport: nothing was verified: this child's frames carry no stamp in their \
                 user data (the child of `surfaceport demo` stamps them)"
            );
            return ExitCode::from(VERIFICATION_FAILED);
        }
        say!("{verified} frames verified, each twice: none torn, none foreign");
        code
    }

    fn line(&self, output: &'static str) -> Line {
        let Stats { presented, shown, superseded, stale, lost, restarts, .. } = self.stats;
        let seconds = self.elapsed.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "2^53 ns are a quarter of a year")]
        let quantile = |q| rounded(self.seen.handoff.value_at_quantile(q) as f64 / 1000.0);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53 frames")]
        let fps = if seconds > 0.0 { shown as f64 / seconds } else { 0.0 };
        Line {
            presented,
            shown,
            superseded,
            stale,
            lost,
            verified: self.verify.then_some(self.seen.verified),
            torn: self.seen.torn,
            foreign: self.seen.foreign,
            fps: rounded(fps),
            handoff_us: Handoff { p50: quantile(0.5), p99: quantile(0.99) },
            host_copies: self.host_copies,
            restarts,
            children: self.seen.children,
            seconds: rounded(seconds),
            output,
            panes: self.panes,
            size: self.surfaces.map(|surfaces| surfaces.size.to_string()),
            buffers: self.surfaces.map(|surfaces| surfaces.slots),
            mode: self.surfaces.map(|surfaces| format!("{:?}", surfaces.mode).to_lowercase()),
        }
    }
}

/// To a tenth: more is noise.
fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

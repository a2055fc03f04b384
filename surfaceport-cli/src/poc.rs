//! The proof of concept that this library comes from, from either side.

mod window;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use surfaceport::os::macos::{PocChild, PocEvent, PocHost};
use surfaceport::{Deadline, Error, ExitReason, HeadlessPane, Pane, Scale, Timestamp};

use crate::child::Drawing;
use crate::options::Options;
use crate::output::{self, Output};
use crate::scene::{Scene, SceneChoice, Target};

/// How the account ends if the child did.
const CHILD_FAILED: u8 = 4;
/// Its parent counts on two pixels a point.
const SCALE: f64 = 2.0;

/// Hosts its child: shows what that draws, and counts it.
pub(crate) fn host(options: &Options, program: &Path) -> anyhow::Result<ExitCode> {
    let (output, reasons) = output::choose(options)?;
    for reason in reasons {
        say!("{reason}");
    }
    let name = program.display().to_string();
    let host = PocHost::spawn(program).with_context(|| format!("can't host {name}"))?;
    let show = Show::new(host, options);
    let end = match output {
        Output::Window(_) => window::drive(show)?,
        Output::Terminal | Output::Headless => {
            drive(show, HeadlessPane::new(PocChild::SIZE).refresh_rate(options.fps))?
        }
    };
    let (frames, seconds) = (end.frames, end.elapsed.as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "exact for 2^53 frames")]
    let rate = frames as f64 / seconds.max(f64::EPSILON);
    if options.json {
        let end = end.reason.as_ref().map(ToString::to_string);
        let account = serde_json::json!({
            "frames": frames, "seconds": seconds, "fps": rate, "end": end,
        });
        println!("{account}");
    } else {
        println!("{frames} frames in {seconds:.1} s ({rate:.1} fps)");
    }
    match end.reason {
        None | Some(ExitReason::Exited(0)) => Ok(ExitCode::SUCCESS),
        Some(reason) => {
            say!("surfaceport: {name} {reason}");
            Ok(CHILD_FAILED.into())
        }
    }
}

/// What became of it.
struct End {
    frames: u64,
    elapsed: Duration,
    /// `None`: it was this side that ended it.
    reason: Option<ExitReason>,
}

/// A child whose frames are shown.
struct Show {
    host: PocHost,
    frames: u64,
    most: Option<u64>,
    start: Timestamp,
    deadline: Deadline,
}

impl Show {
    fn new(host: PocHost, options: &Options) -> Self {
        let deadline = options.duration.map_or(Deadline::NEVER, Deadline::from);
        Self { host, frames: 0, most: options.frames, start: Timestamp::now(), deadline }
    }

    /// Does all that is to be done, without waiting: how it ended, or until when
    /// to wait for more.
    fn turn(&mut self, pane: &mut impl Pane) -> anyhow::Result<Result<End, Deadline>> {
        let mut newest = None;
        let reason = loop {
            match self.host.dispatch()? {
                Some(PocEvent::SetUp(surface)) => tracing::info!("set up: {}", surface.size()),
                // If several came, the last one is shown.
                Some(PocEvent::Frame(lease)) => {
                    self.frames += 1;
                    newest = Some(lease);
                }
                Some(PocEvent::Output(text)) => {
                    say!("{}", String::from_utf8_lossy(&text).trim_end());
                }
                Some(PocEvent::Ended(reason)) => break Some(reason),
                Some(_) => {}
                None => break None,
            }
        };
        if let Some(lease) = newest {
            pane.present(lease)?;
        }
        pane.poll_tick(Timestamp::now())?;
        let enough = self.most.is_some_and(|most| self.frames >= most);
        if reason.is_some() || enough || self.deadline.passed() {
            return Ok(Ok(self.end(reason)));
        }
        let wake = pane.next_wake().map(|at| Deadline::from(at.since(Timestamp::now())));
        Ok(Err(wake.map_or(self.deadline, |wake| wake.min(self.deadline))))
    }

    fn end(&self, reason: Option<ExitReason>) -> End {
        End { frames: self.frames, elapsed: Timestamp::now().since(self.start), reason }
    }
}

/// Shows frames until the child ends, or there were enough.
fn drive(mut show: Show, mut pane: impl Pane) -> anyhow::Result<End> {
    loop {
        match show.turn(&mut pane)? {
            Ok(end) => return Ok(end),
            Err(until) => show.host.wait(until.remaining())?,
        }
    }
}

/// Draws for its parent until that is gone.
pub(crate) fn draw(options: &Options, drawing: &Drawing) -> anyhow::Result<ExitCode> {
    // There are rows to draw into, and nothing else.
    let choice = match &drawing.scene {
        SceneChoice::CoreAnimation => &SceneChoice::Portable,
        choice => choice,
    };
    let mut scene = Scene::open(choice)?;
    let mut child = PocChild::connect().context("its parent must run first")?;
    let start = Timestamp::now();
    let deadline = options.duration.map_or(Deadline::NEVER, Deadline::from);
    let mut next = start;
    while !deadline.passed() && options.frames.is_none_or(|most| child.presented() < most) {
        let time = Timestamp::now().since(start);
        let (age, sequence) = (child.age(), child.presented() + 1);
        let drawn = child.present(|bytes, stride| {
            let (size, scale) = (PocChild::SIZE, Scale::from_f64(SCALE));
            scene.draw_into(Target { bytes, stride, size, scale, age, sequence }, time);
        });
        match drawn {
            Ok(true) => {}
            Ok(false) => tracing::debug!("the parent was busy"),
            Err(Error::HostGone) => break,
            Err(error) => return Err(error.into()),
        }
        if options.fps > 0.0 {
            next = (next + Duration::from_secs_f64(1.0 / options.fps)).max(Timestamp::now());
            std::thread::sleep(next.since(Timestamp::now()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

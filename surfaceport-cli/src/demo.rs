//! `demo`: this program shows what it draws itself, in another process.

use std::process::ExitCode;

use anyhow::Context as _;
use surfaceport::Command;

use crate::child::{self, Drawing, Mode};
use crate::options::Options;
use crate::output::record;
use crate::scene::{Scene, SceneChoice};
use crate::{poc, run};

/// `demo`'s options.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  surfaceport demo --scene picture.svg --size 1280x720
  surfaceport demo --headless --verify --frames 600 --size 1920x1080 --json
  surfaceport demo --panes 2x2 --mode fifo
  surfaceport demo --record picture.png --frames 60

Keys in the window and the terminal: q quits, k kills the child (it is started
again), space stops and continues it.")]
pub(crate) struct DemoOptions {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    drawing: Drawing,
    /// Be the child of the proof of concept that this library comes from: draw
    /// for its parent, which runs already (macOS).
    #[arg(long, conflicts_with_all = [
        "window", "terminal", "headless", "verify", "record", "sandbox", "kill_child_every", "json",
    ])]
    poc_parent: bool,
}

/// Starts this program again as the child, and shows what it draws.
pub(crate) fn run(demo: DemoOptions) -> anyhow::Result<ExitCode> {
    let DemoOptions { mut options, mut drawing, poc_parent } = demo;
    if poc_parent {
        return poc::draw(&options, &drawing);
    }
    record::settle(&mut options)?;
    if options.record.is_some() {
        // Every frame, in order.
        drawing.mode = Mode::Fifo;
    }
    let this = std::env::current_exe().context("this program has no path")?;
    // What can't be drawn is said once, not by every child.
    Scene::open(&drawing.scene)?;
    // What else the child needs from outside comes with the system.
    let picture = match &drawing.scene {
        SceneChoice::Svg(path) => Some(path.clone()),
        SceneChoice::Portable | SceneChoice::CoreAnimation | SceneChoice::Pattern => None,
    };
    let child = child::Options {
        drawing,
        verify: options.verify,
        record_fps: options.record.is_some().then_some(options.fps),
        counted: options.frames.is_some(),
    };
    let mut command = Command::new(this).args(child.arguments());
    if let Some(picture) = picture {
        command = command.sandbox_read(picture);
    }
    run::run(options, command, true)
}

//! `demo`: this program shows what it draws itself, in another process.

use std::process::ExitCode;

use anyhow::Context as _;
use surfaceport::Command;

use crate::child::{self, Drawing};
use crate::options::Options;
use crate::run;
use crate::scene::SceneChoice;

/// `demo`'s options.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  surfaceport demo\n  surfaceport demo --size 1920x1080 --fps 120"
)]
pub(crate) struct DemoOptions {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    drawing: Drawing,
}

/// Starts this program again as the child, and shows what it draws.
pub(crate) fn run(demo: DemoOptions) -> anyhow::Result<ExitCode> {
    let DemoOptions { options, drawing } = demo;
    let this = std::env::current_exe().context("this program has no path")?;
    // What else the child needs from outside comes with the system.
    let picture = match &drawing.scene {
        SceneChoice::Svg(path) => Some(path.clone()),
        SceneChoice::Portable | SceneChoice::Pattern => None,
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

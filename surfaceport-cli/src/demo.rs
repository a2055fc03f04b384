//! `demo`: this program shows what it draws itself, in another process.

use std::time::Duration;

use surfaceport::{Command, Error, HeadlessPane, Session, Size, View};

use crate::child;
use crate::scene::SceneChoice;

/// `demo`'s options.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  surfaceport demo\n  surfaceport demo --size 1920x1080 --fps 120"
)]
pub(crate) struct Options {
    /// The picture's size.
    #[arg(long, value_name = "WxH", default_value = "640x480")]
    size: Size,
    /// Frames a second.
    #[arg(long, value_name = "N", default_value_t = 60.0)]
    fps: f64,
    /// What to draw: portable, pattern or the path of an SVG picture.
    #[arg(long, default_value_t)]
    scene: SceneChoice,
    /// How long, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    duration: f64,
}

/// The host. There is no window yet: the frames are held as a display would
/// hold them, and counted.
pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let this = std::env::current_exe()
        .map_err(|source| Error::Spawn { program: "surfaceport".into(), source })?;
    let child = child::Options {
        scene: options.scene.clone(),
        buffers: 3,
        mode: child::Mode::Mailbox,
        verify: false,
        record_fps: None,
    };
    let command = Command::new(this).args(child.arguments()).forward_output(true);
    let session = Session::spawn(command)?;
    let pane = HeadlessPane::new(options.size).refresh_rate(options.fps);
    let mut view = View::new(session, pane)?;
    let duration = Duration::try_from_secs_f64(options.duration).unwrap_or(Duration::MAX);
    eprintln!("showing {} for {:.1} s (Ctrl-C ends it)", options.size, duration.as_secs_f64());
    if let Some(exit) = view.run(duration)? {
        return Err(Error::ChildGone(Box::new(exit)));
    }
    let shown = view.pane().shown();
    view.session_mut().close_child(Duration::from_secs(1));
    let stats = view.session().stats();
    println!(
        "{shown} frames in {:.1} s: {} presented, {} superseded, {} stale, {} lost, none copied",
        duration.as_secs_f64(),
        stats.presented,
        stats.superseded,
        stats.stale,
        stats.lost
    );
    Ok(())
}

//! The demo's child: draws a scene into what its host shows.

use std::ffi::OsString;
use std::time::Duration;

use surfaceport::{
    Deadline, Error, PresentMode, Renderer, RendererEvent, Scale, Size, Swapchain,
    SwapchainDescriptor, Timestamp,
};

use crate::scene::{Scene, SceneChoice};
use crate::verify::Stamp;

/// The size if the host leaves it to the child.
const DEFAULT_SIZE: Size = Size::new(640, 480);

/// What the host tells its child on the command line.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) drawing: Drawing,
    /// Put a hash of the pixels into each frame's user data.
    #[arg(long)]
    pub(crate) verify: bool,
    /// Let the scene's time be the frame's number divided by this, instead of
    /// the clock.
    #[arg(long)]
    pub(crate) record_fps: Option<f64>,
    /// Draw only as many frames as the host says: its first message is
    /// `frames N`.
    #[arg(long)]
    pub(crate) counted: bool,
}

/// The part of it that the user decides.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub(crate) struct Drawing {
    /// What to draw: portable, coreanimation (macOS), pattern or the path of an
    /// SVG picture.
    #[arg(long, default_value_t)]
    pub(crate) scene: SceneChoice,
    /// How many surfaces the child draws into, 2 to 16: nobody waits with 4, or
    /// with 3 where no display server reads them.
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u8).range(2..=16))]
    pub(crate) buffers: u8,
    /// What happens to a frame that was not shown when the next one comes.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) mode: Mode,
    /// Let the scene stand still at this time, in seconds.
    #[arg(long, value_name = "SECONDS", hide = true)]
    pub(crate) time: Option<f64>,
}

/// [`PresentMode`] on the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// The newest frame wins
    #[default]
    Mailbox,
    /// Every frame is shown, in order
    Fifo,
}

impl From<Mode> for PresentMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Mailbox => Self::Mailbox,
            Mode::Fifo => Self::Fifo,
        }
    }
}

impl Options {
    /// The arguments that make a child with these options.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let scene = match &self.drawing.scene {
            SceneChoice::Svg(path) => path.clone().into_os_string(),
            named => named.to_string().into(),
        };
        let mode = match self.drawing.mode {
            Mode::Mailbox => "mailbox",
            Mode::Fifo => "fifo",
        };
        let mut arguments: Vec<OsString> =
            vec!["demo-child".into(), "--scene".into(), scene, "--mode".into(), mode.into()];
        arguments.push(format!("--buffers={}", self.drawing.buffers).into());
        arguments.extend(self.drawing.time.map(|time| format!("--time={time}").into()));
        arguments.extend(self.verify.then(|| "--verify".into()));
        arguments.extend(self.record_fps.map(|fps| format!("--record-fps={fps}").into()));
        arguments.extend(self.counted.then(|| "--counted".into()));
        arguments
    }
}

/// Draws until the host says Bye or is gone.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    // Before a sandbox, if there is one, closes: connecting does.
    let scene = Scene::open(&options.drawing.scene)?;
    match draw(options, scene) {
        Ok(()) | Err(Error::HostGone) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn draw(options: &Options, mut scene: Scene) -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let frames = if options.counted { wanted_frames(&renderer)? } else { u64::MAX };
    let still =
        options.drawing.time.map(|time| Duration::try_from_secs_f64(time).unwrap_or_default());
    let mut clock = Clock { still, fps: options.record_fps, frames: 0, start: Timestamp::now() };
    let mut swapchain = set_up(&renderer, options, renderer.wanted_size())?;
    let mut scale = renderer.scale();
    let mut time = Duration::ZERO;
    for _ in 0..frames {
        while let Some(event) = renderer.dispatch()? {
            match event {
                RendererEvent::Configure { size, scale: wanted, .. } => {
                    swapchain = set_up(&renderer, options, size)?;
                    scale = wanted;
                }
                RendererEvent::Input(input) => scene.input(input, time),
                RendererEvent::Bye => return Ok(()),
                _ => {}
            }
        }
        let begin = swapchain.wait_begin_frame(Deadline::NEVER)?;
        time = clock.next(begin.time);
        present(&swapchain, &mut scene, scale, time, options.verify)?;
    }
    Ok(())
}

/// How many frames the host wants.
fn wanted_frames(renderer: &Renderer) -> Result<u64, Error> {
    loop {
        match renderer.next_event(Deadline::NEVER)? {
            Some(RendererEvent::Message(bytes)) => {
                let text = String::from_utf8_lossy(&bytes);
                if let Some(frames) = text.strip_prefix("frames ").and_then(|n| n.parse().ok()) {
                    return Ok(frames);
                }
            }
            Some(RendererEvent::Bye) => return Ok(0),
            _ => {}
        }
    }
}

fn set_up(renderer: &Renderer, options: &Options, size: Option<Size>) -> Result<Swapchain, Error> {
    renderer.swapchain(
        SwapchainDescriptor::new(size.unwrap_or(DEFAULT_SIZE))
            .slots(options.drawing.buffers.into())
            .mode(options.drawing.mode.into()),
    )
}

/// Draws and presents one frame.
fn present(
    swapchain: &Swapchain,
    scene: &mut Scene,
    scale: Scale,
    time: Duration,
    stamp: bool,
) -> Result<(), Error> {
    let mut canvas = swapchain.acquire(Deadline::NEVER)?;
    let sequence = swapchain.presented() + 1;
    let damage = scene.draw(&mut canvas, scale, sequence, time)?;
    if stamp {
        let stamp = Stamp::of(canvas.rows_mut(), sequence);
        canvas.set_user_data(&stamp.to_bytes());
    }
    canvas.present(damage)?;
    Ok(())
}

/// The scene's time.
struct Clock {
    /// It stands still at this time.
    still: Option<Duration>,
    fps: Option<f64>,
    frames: u64,
    start: Timestamp,
}

impl Clock {
    /// The time of the next frame, which the display wants at `shown`.
    fn next(&mut self, shown: Timestamp) -> Duration {
        self.frames += 1;
        if let Some(still) = self.still {
            return still;
        }
        match self.fps {
            #[expect(clippy::cast_precision_loss, reason = "exact for 2^53 frames")]
            Some(fps) => {
                Duration::try_from_secs_f64(self.frames as f64 / fps).unwrap_or(Duration::MAX)
            }
            None => shown.since(self.start),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn the_child_reads_what_the_host_writes() {
        for scene in [
            SceneChoice::Portable,
            SceneChoice::CoreAnimation,
            SceneChoice::Pattern,
            SceneChoice::Svg("a b".into()),
        ] {
            for (mode, on) in [(Mode::Mailbox, false), (Mode::Fifo, true)] {
                let time = on.then_some(0.25);
                let drawing = Drawing { scene: scene.clone(), buffers: 5, mode, time };
                let record_fps = on.then_some(59.94);
                let options = Options { drawing, verify: on, record_fps, counted: on };
                let read = Line::try_parse_from(options.arguments()).unwrap().options;
                assert_eq!(read, options);
            }
        }
    }

    #[test]
    fn a_recorded_frame_has_its_own_time() {
        let start = Timestamp::now();
        let mut clock = Clock { still: None, fps: Some(30.0), frames: 0, start };
        let times: Vec<_> = (0..60).map(|_| clock.next(Timestamp::now())).collect();
        assert_eq!(times[2], Duration::from_millis(100));
        assert_eq!(times[59], Duration::from_secs(2));
    }
}

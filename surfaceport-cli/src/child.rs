//! The demo's child: draws a scene into what its host shows.

use std::error::Error as StdError;
use std::ffi::OsString;
use std::time::Duration;

use surfaceport::{
    Deadline, Error, PresentMode, Renderer, RendererEvent, Scale, Size, Swapchain,
    SwapchainDescriptor, Timestamp,
};

use crate::scene::{Scene, SceneChoice, Target};

/// The size if the host leaves it to the child.
const DEFAULT_SIZE: Size = Size::new(640, 480);

/// What the host tells its child on the command line.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub(crate) struct Options {
    /// What to draw.
    #[arg(long, default_value_t)]
    pub(crate) scene: SceneChoice,
    /// Slots of the swapchain.
    #[arg(long, default_value_t = 3)]
    pub(crate) buffers: usize,
    /// What happens to a frame that was not shown when the next one comes.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) mode: Mode,
    /// Put a hash of the pixels into each frame's user data.
    #[arg(long)]
    pub(crate) verify: bool,
    /// Let the scene's time be the frame's number divided by this, instead of
    /// the clock.
    #[arg(long)]
    pub(crate) record_fps: Option<f64>,
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
        let scene = match &self.scene {
            SceneChoice::Svg(path) => path.clone().into_os_string(),
            named => named.to_string().into(),
        };
        let mode = match self.mode {
            Mode::Mailbox => "mailbox",
            Mode::Fifo => "fifo",
        };
        let mut arguments: Vec<OsString> =
            vec!["demo-child".into(), "--scene".into(), scene, "--mode".into(), mode.into()];
        arguments.push(format!("--buffers={}", self.buffers).into());
        arguments.extend(self.verify.then(|| "--verify".into()));
        arguments.extend(self.record_fps.map(|fps| format!("--record-fps={fps}").into()));
        arguments
    }
}

/// Draws until the host says Bye or is gone.
pub(crate) fn run(options: &Options) -> Result<(), Box<dyn StdError>> {
    let scene = Scene::open(&options.scene)?;
    match draw(options, scene) {
        Ok(()) | Err(Error::HostGone) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn draw(options: &Options, mut scene: Scene) -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let mut clock = Clock { fps: options.record_fps, frames: 0, start: Timestamp::now() };
    let mut swapchain = set_up(&renderer, options, renderer.wanted_size())?;
    let mut scale = renderer.scale();
    loop {
        while let Some(event) = renderer.dispatch()? {
            match event {
                RendererEvent::Configure { size, scale: wanted, .. } => {
                    swapchain = set_up(&renderer, options, size)?;
                    scale = wanted;
                }
                RendererEvent::Bye => return Ok(()),
                _ => {}
            }
        }
        let begin = swapchain.wait_begin_frame(Deadline::NEVER)?;
        let time = clock.next(begin.time);
        present(&swapchain, &mut scene, scale, time)?;
    }
}

fn set_up(renderer: &Renderer, options: &Options, size: Option<Size>) -> Result<Swapchain, Error> {
    renderer.swapchain(
        SwapchainDescriptor::new(size.unwrap_or(DEFAULT_SIZE))
            .slots(options.buffers)
            .mode(options.mode.into()),
    )
}

/// Draws and presents one frame.
fn present(
    swapchain: &Swapchain,
    scene: &mut Scene,
    scale: Scale,
    time: Duration,
) -> Result<(), Error> {
    let mut canvas = swapchain.acquire(Deadline::NEVER)?;
    let (size, stride, age) = (canvas.size(), canvas.stride(), canvas.age());
    let sequence = swapchain.presented() + 1;
    let bytes = canvas.bytes_mut();
    let damage = scene.draw(Target { bytes, stride, size, scale, age, sequence }, time);
    // The stamp of `--verify` goes here: the pixels are final.
    canvas.present(damage)?;
    Ok(())
}

/// The scene's time.
struct Clock {
    fps: Option<f64>,
    frames: u64,
    start: Timestamp,
}

impl Clock {
    /// The time of the next frame, which the display wants at `shown`.
    fn next(&mut self, shown: Timestamp) -> Duration {
        self.frames += 1;
        match self.fps {
            #[expect(clippy::cast_precision_loss, reason = "exact for 2^53 frames")]
            Some(fps) => {
                Duration::try_from_secs_f64(self.frames as f64 / fps).unwrap_or(Duration::MAX)
            }
            None => shown.since(self.start),
        }
    }
}

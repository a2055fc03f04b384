//! `demo`: this program shows what it draws itself, in another process.

use std::time::Duration;

use surfaceport::{
    Command, Damage, Deadline, Error, HeadlessPane, Rect, Renderer, RendererEvent, Session, Size,
    SwapchainDescriptor, View,
};

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
    /// How long, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    duration: f64,
}

/// The host. There is no window yet: the frames are held as a display would
/// hold them, and counted.
pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let this = std::env::current_exe()
        .map_err(|source| Error::Spawn { program: "surfaceport".into(), source })?;
    let command = Command::new(this).arg("demo-child").forward_output(true);
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

/// The child: a square that goes round on white.
pub(crate) fn child() -> Result<(), Error> {
    match draw() {
        Err(Error::HostGone) => Ok(()),
        done => done,
    }
}

fn draw() -> Result<(), Error> {
    const SIDE: u32 = 48;
    let renderer = Renderer::connect()?;
    let size = |wanted: Option<Size>| wanted.unwrap_or(Size::new(640, 480));
    let mut swapchain =
        renderer.swapchain(SwapchainDescriptor::new(size(renderer.wanted_size())))?;
    let mut last = Rect::default();
    for frame in 0_u32.. {
        while let Some(event) = renderer.dispatch()? {
            match event {
                RendererEvent::Configure { size: wanted, .. } => {
                    swapchain = renderer.swapchain(SwapchainDescriptor::new(size(wanted)))?;
                }
                RendererEvent::Bye => return Ok(()),
                _ => {}
            }
        }
        swapchain.wait_begin_frame(Deadline::NEVER)?;
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        let Size { width, height } = canvas.size();
        let turn = f64::from(frame) / 60.0;
        let along = |side: u32, at: f64| {
            let room = f64::from(side.saturating_sub(SIDE));
            // Within 0 to `room`; a float cast saturates.
            (room / 2.0 * (1.0 + at)) as u32
        };
        let (x, y) = (along(width, turn.cos()), along(height, turn.sin()));
        let square = Rect::new(x, y, SIDE, SIDE).clipped(canvas.size());
        for (row, pixels) in (0..).zip(canvas.rows_mut()) {
            for (column, pixel) in (0..).zip(pixels.as_chunks_mut().0) {
                let inside = (x..x + SIDE).contains(&column) && (y..y + SIDE).contains(&row);
                *pixel = if inside { [200, 80, 40, 255] } else { [255; 4] };
            }
        }
        let mut damage = Damage::from(square);
        damage.add(last);
        last = square;
        canvas.present(if frame == 0 { Damage::FULL } else { damage })?;
    }
    Ok(())
}

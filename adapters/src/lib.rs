//! What the examples share: hosts in the event loops of others.
//!
//! In each loop it is the same three lines: watch the view's fd for reading, call
//! [`View::dispatch`] until it says `None`, sleep. The fd is readable for frames,
//! for messages, for the child's end, for the display's events and when time is
//! up, so no loop needs another timer for the view. Level- and edge-triggered
//! loops both work.
//!
//! | loop | how it watches |
//! |---|---|
//! | calloop | `Generic`, level-triggered |
//! | mio | `SourceFd`, edge-triggered |
//! | tokio | `AsyncFd`, edge-triggered |
//! | winit | polls no fds of others: a thread and a proxy, as the program's window does (`surfaceport::os::linux::Waker`); on Linux |

use std::time::{Duration, Instant};

use surfaceport::{
    Command, Damage, Deadline, Error, Event, HeadlessPane, Pane, Renderer, Session, Size,
    SwapchainDescriptor, View,
};

/// How long a host rests at its end, to show that it sleeps.
const REST: Duration = Duration::from_millis(500);

/// The examples start themselves again as the child: runs it, in that process.
pub fn run_if_child() -> bool {
    // How a host says where it is: on Linux, on macOS.
    let is_set = |name: &str| std::env::var_os(name).is_some();
    let is_child = is_set("SURFACEPORT_FD") || is_set("SURFACEPORT_NAME");
    if is_child {
        // The host ends first, in the end.
        let _host_gone = draw();
    }
    is_child
}

fn draw() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let size = renderer.wanted_size().unwrap_or(Size::new(320, 240));
    let swapchain = renderer.swapchain(SwapchainDescriptor::new(size).slots(4))?;
    for frame in 0_u32.. {
        swapchain.wait_begin_frame(Deadline::NEVER)?;
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        canvas.bytes_mut().fill(frame.to_le_bytes()[0]);
        canvas.present(Damage::FULL)?;
    }
    Ok(())
}

/// A session with the child.
///
/// # Errors
///
/// If it can't be started.
pub fn session() -> Result<Session, Error> {
    let this = std::env::current_exe();
    let this = this.map_err(|source| Error::Spawn { program: "this program".into(), source })?;
    Session::spawn(Command::new(this))
}

/// A view of it that shows nothing.
///
/// # Errors
///
/// If the child can't be started.
pub fn headless() -> Result<View<HeadlessPane>, Error> {
    View::new(session()?, HeadlessPane::new(Size::new(320, 240)))
}

/// What each host does in its loop: shows some frames, then rests for a while and
/// counts how often it was woken for nothing.
#[derive(Debug)]
pub struct Host<P> {
    /// The view.
    pub view: View<P>,
    frames: u64,
    rests_until: Option<Instant>,
    wakes: u32,
}

impl<P: Pane> Host<P> {
    /// Shows as many frames as the first argument says, or 60.
    pub fn new(view: View<P>) -> Self {
        let frames = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(60);
        Self { view, frames, rests_until: None, wakes: 0 }
    }

    /// Called whenever the view's fd is readable: until nothing is left. Whether
    /// the host goes on.
    ///
    /// # Errors
    ///
    /// If the child ends, or the pane.
    pub fn turn(&mut self) -> Result<bool, Error> {
        self.wakes += 1;
        while let Some(event) = self.view.dispatch()? {
            if let Event::Exited { exit, restart_in: None } = event {
                return Err(Error::ChildGone(Box::new(exit)));
            }
        }
        if self.rests_until.is_none() && self.view.pane().stats().shown >= self.frames {
            // Nobody sees it any more: the child rests, and so does the host.
            self.view.set_hidden(true);
            self.rests_until = Some(Instant::now() + REST);
            self.wakes = 0;
        }
        let goes_on = self.rests_until.is_none_or(|end| Instant::now() < end);
        if !goes_on {
            let shown = self.view.pane().stats().shown;
            println!("{shown} frames; {} wake-ups at rest", self.wakes);
        }
        Ok(goes_on)
    }

    /// How long it may sleep, if nothing happens.
    pub fn patience(&self) -> Option<Duration> {
        self.rests_until.map(|end| end.saturating_duration_since(Instant::now()))
    }
}

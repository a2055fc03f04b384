//! The child's connection to its host.

use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::time::Duration;

use super::event::RendererEvent;
use super::hub::Hub;
use super::swapchain::{Swapchain, SwapchainDescriptor};
use crate::child::{connect, inherited};
use crate::error::Error;
use crate::geometry::{Scale, Size};
use crate::time::Deadline;
use crate::wire::{FromChild, UserBytes};

/// How long a host may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait for room in the host's queue.
const SEND_PATIENCE: Duration = Duration::from_secs(1);

/// The child's end of the connection.
///
/// ```no_run
/// use surfaceport::{Damage, Deadline, Renderer, Size, SwapchainDescriptor};
///
/// let renderer = Renderer::connect()?; // to the host that started this process
/// let size = renderer.wanted_size().unwrap_or(Size::new(640, 480));
/// let swapchain = renderer.swapchain(SwapchainDescriptor::new(size))?;
/// for shade in 0..=255 {
///     let mut canvas = swapchain.acquire(Deadline::NEVER)?;
///     canvas.rows_mut().for_each(|row| row.fill(shade));
///     canvas.present(Damage::FULL)?;
///     swapchain.wait_begin_frame(Deadline::NEVER)?;
/// }
/// # Ok::<(), surfaceport::Error>(())
/// ```
///
/// It and its swapchains stay on the thread that made them; the rows of a
/// canvas can be drawn by others (`std::thread::scope`).
///
/// When the last of them is dropped, the host is told that the child is done;
/// in fifo it shows what was presented before.
#[derive(Debug)]
pub struct Renderer {
    hub: Rc<Hub>,
}

impl Renderer {
    /// Connects to the host that started this process. This works once.
    ///
    /// # Errors
    ///
    /// [`Error::NoHost`] if none did (or it was done before),
    /// [`Error::VersionMismatch`], [`Error::HostGone`], [`Error::TimedOut`] after
    /// 10 s, or [`Error::Os`] and its like.
    pub fn connect() -> Result<Self, Error> {
        let hub = Hub::greet(inherited()?, PATIENCE.into())?;
        Ok(Self { hub: Rc::new(hub) })
    }

    /// Connects to a host that listens under a name
    /// ([`Listener`](crate::Listener)).
    ///
    /// # Errors
    ///
    /// [`Error::BadName`], [`Error::NoSuchName`], [`Error::PeerRefused`] if the
    /// listener is another user's, or as [`connect`](Self::connect).
    pub fn connect_to(name: &str) -> Result<Self, Error> {
        let deadline = PATIENCE.into();
        let hub = Hub::greet(connect(name, deadline)?, deadline)?;
        Ok(Self { hub: Rc::new(hub) })
    }

    /// The size that the host wants; `None`: the child chooses.
    #[must_use]
    pub fn wanted_size(&self) -> Option<Size> {
        self.hub.learn_configure().size
    }

    /// Physical pixels for each logical one at the host's display.
    #[must_use]
    pub fn scale(&self) -> Scale {
        self.hub.learn_configure().scale
    }

    /// The largest surface that the host takes.
    #[must_use]
    pub fn largest_size(&self) -> Size {
        self.hub.welcome.max_size
    }

    /// Sets up a new generation of surfaces. An older swapchain is stale from
    /// now on: its frames in flight are not shown, its canvases present
    /// nothing. The host shows its last frame until the first new one.
    ///
    /// While frames of the swapchain before the older one are still held by the
    /// host, this waits for them, up to 10 s; a host that shows one of them does
    /// so until the older swapchain has presented a frame.
    ///
    /// # Errors
    ///
    /// [`Error::Geometry`], [`Error::SlotCount`], [`Error::OverSize`],
    /// [`Error::OverQuota`], [`Error::NoSpace`], [`Error::HandleLimit`],
    /// [`Error::TimedOut`], [`Error::HostGone`]. What only the host can know
    /// comes from the first `acquire`s instead.
    pub fn swapchain(&self, descriptor: SwapchainDescriptor) -> Result<Swapchain, Error> {
        Swapchain::set_up(&self.hub, descriptor, PATIENCE.into())
    }

    /// The next thing that the host said; `None`: nothing is left for now.
    ///
    /// # Errors
    ///
    /// [`Error::HostGone`]: time to exit.
    pub fn dispatch(&self) -> Result<Option<RendererEvent>, Error> {
        if let Some(event) = self.hub.next_event() {
            return Ok(Some(event));
        }
        let attended = self.hub.attend(Deadline::NOW);
        match self.hub.next_event() {
            Some(event) => Ok(Some(event)),
            None => attended.map(|()| {
                self.hub.set_rests(true);
                None
            }),
        }
    }

    /// The same, but waits. `None`: the deadline passed.
    ///
    /// # Errors
    ///
    /// As [`dispatch`](Self::dispatch).
    pub fn next_event(
        &self,
        deadline: impl Into<Deadline>,
    ) -> Result<Option<RendererEvent>, Error> {
        let deadline = deadline.into();
        loop {
            if let Some(event) = self.dispatch()? {
                return Ok(Some(event));
            }
            if deadline.passed() {
                return Ok(None);
            }
            self.hub.attend(deadline)?;
        }
    }

    /// Sends bytes to the host, at most [`MAX_USER_BYTES`](crate::MAX_USER_BYTES).
    ///
    /// # Errors
    ///
    /// [`Error::MessageTooLong`], [`Error::QueueFull`] if the host has had no
    /// room for a second, [`Error::HostGone`].
    pub fn send(&self, bytes: &[u8]) -> Result<(), Error> {
        let message = FromChild::Message(UserBytes::new(bytes)?);
        self.hub.send(&message, &[], SEND_PATIENCE.into())
    }
}

impl AsFd for Renderer {
    /// The fd to poll for reading in an event loop. When it is readable, in this
    /// order: [`dispatch`](Renderer::dispatch) until it says `None`, then try
    /// again what failed before (`acquire` or `wait_begin_frame` with
    /// [`Deadline::NOW`]), and only when that fails, too, poll. `dispatch` takes
    /// the wake-up; a try before it would be the last.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.hub.as_fd()
    }
}

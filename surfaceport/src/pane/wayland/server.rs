//! The compositor: the toolkit's own connection to it, with an event queue that
//! is the pane's alone.

#![allow(unsafe_code, reason = "the toolkit's wl_display and wl_surface are pointers")]

use std::os::fd::BorrowedFd;
use std::time::Duration;

use raw_window_handle::{RawDisplayHandle, RawWindowHandle};
use rustix::event::{PollFd, PollFlags, Timespec};
use wayland_client::backend::{Backend, ObjectId, WaylandError};
use wayland_client::protocol::wl_surface::WlSurface;
use wayland_client::{Connection, DispatchError, EventQueue, Proxy, QueueHandle};

use super::HostWindow;
use super::state::{Callback, Said, State};
use crate::error::PaneError;
use crate::time::Deadline;

/// For the answer to a question; a compositor that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(5);
/// Reads in one turn, until others have theirs.
const READS: usize = 16;

/// The connection.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) connection: Connection,
    queue: EventQueue<State>,
    /// What ended it.
    failed: Option<PaneError>,
}

impl Server {
    /// The connection that a window belongs to, and the window's surface. Both
    /// must be dropped before the window.
    pub(super) fn of(window: &dyn HostWindow) -> Result<(Self, WlSurface), PaneError> {
        const WANTED: PaneError =
            PaneError::WrongWindow { wanted: "a window of a Wayland display" };
        let display = window.display_handle().map_err(|_| PaneError::NoWindow)?;
        let surface = window.window_handle().map_err(|_| PaneError::NoWindow)?;
        let (RawDisplayHandle::Wayland(display), RawWindowHandle::Wayland(surface)) =
            (display.as_raw(), surface.as_raw())
        else {
            return Err(WANTED);
        };
        // The library is opened when it is first needed.
        if !wayland_sys::client::is_lib_available() {
            return Err(PaneError::NoServer { what: "no libwayland-client.so.0".to_owned() });
        }
        // SAFETY: raw-window-handle promises a valid wl_display for as long as
        // the window lives, and the pane keeps the window for longer than this
        // (the caller's duty, written above).
        let backend = unsafe { Backend::from_foreign_display(display.display.as_ptr().cast()) };
        let connection = Connection::from_backend(backend);
        // SAFETY: as above, a valid wl_proxy of that display; its interface is
        // compared by its name.
        let id =
            unsafe { ObjectId::from_ptr(WlSurface::interface(), surface.surface.as_ptr().cast()) };
        let surface = id.ok().and_then(|id| WlSurface::from_id(&connection, id).ok());
        let surface = surface.ok_or(WANTED)?;
        let queue = connection.new_event_queue();
        Ok((Self { connection, queue, failed: None }, surface))
    }

    /// To make objects whose events come here.
    pub(super) fn handle(&self) -> QueueHandle<State> {
        self.queue.handle()
    }

    /// The connection's socket.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd as _;
        self.connection.as_fd()
    }

    /// What ended the connection, if it has ended.
    pub(super) fn check(&self) -> Result<(), PaneError> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// Sends what was asked.
    pub(super) fn flush(&mut self) -> Result<(), PaneError> {
        self.check()?;
        match self.connection.flush() {
            Ok(()) => Ok(()),
            // The rest goes with the next; the toolkit sends too.
            Err(WaylandError::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                Ok(())
            }
            // Why it closed the connection may still be there to read.
            Err(error) => {
                let said =
                    self.queue.prepare_read().map(wayland_client::backend::ReadEventsGuard::read);
                Err(self.fail(match said {
                    Some(Err(said @ WaylandError::Protocol(_))) => said,
                    _ => error,
                }))
            }
        }
    }

    /// Hears what the compositor has said, without waiting.
    ///
    /// The socket is the toolkit's too. Whoever reads it puts everybody's events
    /// into their queues, by libwayland's protocol for several readers, so
    /// nothing gets lost whoever is first; and a toolkit looks into its queue
    /// before it sleeps. If a thread of the toolkit is about to read, this waits
    /// for it, which is no wait: there is something to read.
    pub(super) fn hear(&mut self, state: &mut State) -> Result<(), PaneError> {
        self.flush()?;
        for _ in 0..READS {
            self.dispatch(state)?;
            let Some(guard) = self.queue.prepare_read() else { continue };
            if !is_readable(guard.connection_fd(), Duration::ZERO) {
                return Ok(());
            }
            match guard.read() {
                Ok(_) => {}
                Err(WaylandError::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(self.fail(error)),
            }
        }
        self.dispatch(state)
    }

    fn dispatch(&mut self, state: &mut State) -> Result<(), PaneError> {
        match self.queue.dispatch_pending(state) {
            Ok(_) => Ok(()),
            Err(DispatchError::Backend(error)) => Err(self.fail(error)),
            Err(DispatchError::BadMessage { interface, .. }) => {
                let what = format!("it broke the protocol ({interface})");
                let error = PaneError::ServerGone { what };
                self.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Waits until all that was asked so far has been answered.
    pub(super) fn round_trip(&mut self, state: &mut State) -> Result<(), PaneError> {
        let deadline = Deadline::from(PATIENCE);
        let _callback = self.connection.display().sync(&self.handle(), Callback::Done);
        loop {
            self.hear(state)?;
            let done = |said: &Said| *said == Said::Called(Callback::Done);
            if let Some(index) = state.said.iter().position(done) {
                state.said.remove(index);
                return Ok(());
            }
            if deadline.passed() {
                let what = format!("no answer for {PATIENCE:?}");
                return Err(PaneError::NoServer { what });
            }
            if let Some(guard) = self.queue.prepare_read() {
                let left = deadline.remaining().unwrap_or(PATIENCE);
                let _readable = is_readable(guard.connection_fd(), left);
            }
        }
    }

    fn fail(&mut self, error: WaylandError) -> PaneError {
        let error = match error {
            WaylandError::Protocol(error) => PaneError::Refused {
                what: format!(
                    "{}@{}: error {} {}",
                    error.object_interface, error.object_id, error.code, error.message
                )
                .trim_end()
                .to_owned(),
                fatal: true,
            },
            WaylandError::Io(error) => PaneError::ServerGone { what: error.to_string() },
        };
        self.failed = Some(error.clone());
        error
    }
}

/// Waits until there is something to read.
fn is_readable(fd: BorrowedFd<'_>, patience: Duration) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    let timeout = Timespec::try_from(patience).ok();
    rustix::event::poll(&mut polled, timeout.as_ref()).is_ok_and(|count| count > 0)
}

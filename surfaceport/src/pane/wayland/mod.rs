//! A pane in a window of a Wayland compositor, which reads the child's memory
//! itself.

mod buffers;
mod feedback;
mod layout;
mod server;
mod state;
mod surfaces;

use std::fmt;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use raw_window_handle::{HasDisplayHandle, HasWindowHandle};
use wayland_client::Proxy as _;
use wayland_client::protocol::{
    wl_compositor::WlCompositor, wl_shm::WlShm, wl_subcompositor::WlSubcompositor,
};
use wayland_protocols::wp::fractional_scale::v1::client::wp_fractional_scale_manager_v1::WpFractionalScaleManagerV1;
use wayland_protocols::wp::fractional_scale::v1::client::wp_fractional_scale_v1::WpFractionalScaleV1;
use wayland_protocols::wp::presentation_time::client::wp_presentation::WpPresentation;
use wayland_protocols::wp::viewporter::client::wp_viewporter::WpViewporter;

use super::{Applied, Fit, Pane, PaneStats, Placement};
use crate::error::{Error, PaneError};
use crate::geometry::{Damage, Scale, Size};
use crate::surface::{Lease, SwapchainId};
use crate::time::Timestamp;

use buffers::Buffers;
use feedback::Pending;
use layout::lay_out;
use server::Server;
use state::{Callback, Said, State};
use surfaces::Surfaces;

/// A window of the host, from any toolkit that speaks raw-window-handle.
///
/// ```
/// fn takes(window: impl surfaceport::HostWindow) {
///     let _its = (window.window_handle(), window.display_handle());
/// }
/// ```
pub trait HostWindow: HasWindowHandle + HasDisplayHandle {}

impl<T: HasWindowHandle + HasDisplayHandle + ?Sized> HostWindow for T {}

/// A pane in a window of a Wayland compositor: the compositor reads the child's
/// surfaces itself, nothing is copied, and the host does not even map them.
///
/// It is a subsurface of the window, which can be any toolkit's
/// (raw-window-handle). The host draws and commits its window as ever. The pane
/// shares the toolkit's connection and has an event queue of its own in it:
/// whenever the toolkit's loop turns, or the view's fd is readable, call
/// [`View::dispatch`](crate::View::dispatch).
///
/// | what | from when it is seen |
/// |---|---|
/// | a frame | at once |
/// | the pane itself, its place, its size | with the window's next commit |
///
/// So draw and commit the window once after the pane is there, and whenever
/// [`Applied::NeedsParentCommit`] says so. During a resize the child's frames wait
/// for that commit too, and the window and its pane change in one step.
///
/// Around a frame that is smaller than the pane ([`Fit::Hold`], [`Fit::Crop`])
/// the window shows what the host drew there, or the pane a colour of its own
/// ([`set_fill`](Self::set_fill)). Clicks go through the pane to the window, unless
/// [`Placement::input`](super::Placement) says otherwise.
///
/// ```no_run
/// use surfaceport::{Placement, Scale, Session, Size, View, WaylandPane};
///
/// fn show<W>(session: Session, window: W) -> Result<View<WaylandPane>, surfaceport::Error>
/// where
///     W: raw_window_handle::HasDisplayHandle + raw_window_handle::HasWindowHandle + 'static,
/// {
///     let size = Size::new(640, 480);
///     let pane = WaylandPane::new(window, Placement::at(200, 40), size, Scale::ONE)?;
///     View::new(session, pane)
/// }
/// ```
pub struct WaylandPane {
    server: Server,
    state: State,
    surfaces: Surfaces,
    buffers: Buffers,
    shm: WlShm,
    presentation: Option<WpPresentation>,
    fractional: Option<WpFractionalScaleV1>,
    size: Size,
    scale: Scale,
    fit: Fit,
    placement: Placement,
    /// What is shown: its swapchain, its size, and its number among the frames.
    current: Option<SwapchainId>,
    frame: Option<Size>,
    last_frame: u64,
    pending: Pending,
    /// Counts what waited for the window's commit; the number of what waits.
    last_change: u64,
    waiting: Option<u64>,
    tick: Option<Timestamp>,
    refresh: Duration,
    stats: PaneStats,
    /// Last: it outlives all that is made of its handles.
    _window: Box<dyn HostWindow>,
}

impl WaylandPane {
    /// A pane of this size and at this place in a window. It is seen with the
    /// first frame, once the window has been committed.
    ///
    /// # Errors
    ///
    /// [`Error::Pane`]: [`PaneError::WrongWindow`] for a window that is not of
    /// Wayland, [`PaneError::Missing`] if the compositor lacks what it takes
    /// (`wp_viewporter` and what all have).
    pub fn new(
        window: impl HostWindow + 'static,
        placement: Placement,
        size: Size,
        scale: Scale,
    ) -> Result<Self, Error> {
        let window: Box<dyn HostWindow> = Box::new(window);
        let (mut server, parent) = Server::of(&*window)?;
        let queue = server.handle();
        let registry = server.connection.display().get_registry(&queue, ());
        let mut state = State::default();
        server.round_trip(&mut state)?;
        let missing = |what| PaneError::Missing { what };
        // Version 4 has damage in the buffer's own pixels.
        let compositor: WlCompositor =
            state.bind(&registry, 4, &queue).ok_or(missing("wl_compositor"))?;
        let subcompositor: WlSubcompositor =
            state.bind(&registry, 1, &queue).ok_or(missing("wl_subcompositor"))?;
        let shm: WlShm = state.bind(&registry, 1, &queue).ok_or(missing("wl_shm"))?;
        let viewporter: WpViewporter =
            state.bind(&registry, 1, &queue).ok_or(missing("wp_viewporter"))?;
        let presentation: Option<WpPresentation> = state.bind(&registry, 1, &queue);
        let scales: Option<WpFractionalScaleManagerV1> = state.bind(&registry, 1, &queue);
        let surfaces =
            Surfaces::new(parent, &compositor, &subcompositor, &viewporter, &shm, &queue)?;
        let fractional = scales.map(|scales| {
            let scale = scales.get_fractional_scale(&surfaces.content, &queue, ());
            scales.destroy();
            scale
        });
        // The compositor keeps nothing of a pane that is gone: what was needed for
        // the start goes now.
        subcompositor.destroy();
        viewporter.destroy();
        surfaces.place(&placement, scale);
        surfaces.stack(placement.stacking);
        surfaces.take_input(placement.input);
        // What is shared memory's formats, and the clock, comes with the answers.
        server.round_trip(&mut state)?;
        Ok(Self {
            server,
            state,
            surfaces,
            buffers: Buffers::default(),
            shm,
            presentation,
            fractional,
            size,
            scale,
            fit: Fit::default(),
            placement,
            current: None,
            frame: None,
            last_frame: 0,
            pending: Pending::default(),
            last_change: 0,
            waiting: None,
            tick: None,
            refresh: Duration::ZERO,
            stats: PaneStats::default(),
            _window: window,
        })
    }

    /// The scale at which the compositor shows the pane, where it says so
    /// (`wp_fractional_scale_v1`): a hint for the next
    /// [`View::resize`](crate::View::resize).
    #[must_use]
    pub fn preferred_scale(&self) -> Option<Scale> {
        self.state.preferred_scale
    }

    /// The number of the pane's own surface on the toolkit's connection: the object
    /// that `wl_pointer.enter` names where the pane takes input
    /// ([`Placement::input`](super::Placement)).
    #[must_use]
    pub fn surface_id(&self) -> u32 {
        self.surfaces.content.id().protocol_id()
    }

    /// Sets the colour around frames that do not fill the pane, as red, green,
    /// blue; `None`, as at first: what the host drew there.
    ///
    /// # Errors
    ///
    /// [`PaneError::ServerGone`].
    pub fn set_fill(&mut self, colour: Option<[u8; 3]>) -> Result<(), Error> {
        self.server.check()?;
        self.surfaces.set_fill(colour)?;
        self.show_again()?;
        Ok(self.server.flush()?)
    }

    /// How many of the child's slots are held: the one on display, and those that
    /// the compositor still reads.
    #[must_use]
    pub fn slots_held(&self) -> usize {
        self.buffers.held()
    }

    /// Where it is.
    #[must_use]
    pub fn placement(&self) -> Placement {
        self.placement
    }

    /// What is seen of a frame of this size; the whole pane is one of its own size.
    fn layout(&self, frame: Size) -> Option<layout::Layout> {
        let placement = &self.placement;
        let layout = lay_out(frame, self.size, self.scale, self.fit, placement.clip);
        layout.filter(|_| placement.visible)
    }

    /// Lays out anew what is shown. Whether it was out of sight before.
    ///
    /// The frame is committed again, with its buffer: what a compositor keeps of
    /// one that it let go of may be no more than was seen of it, and weston judges
    /// the part that is to be seen by the last buffer that is not waiting.
    fn show_again(&mut self) -> Result<bool, PaneError> {
        let Some(frame) = self.frame else { return Ok(false) };
        let queue = self.server.handle();
        let buffer = self.buffers.hold_again(&self.shm, &self.state.formats, &queue)?;
        let again = buffer.as_ref().map(|buffer| (buffer, &Damage::FULL));
        Ok(self.surfaces.show(self.layout(frame), self.layout(self.size), again))
    }

    /// Everything waits for the window's commit from now on.
    fn wait_for_parent(&mut self) {
        self.last_change += 1;
        self.waiting = Some(self.last_change);
        self.surfaces.synchronise(self.last_change, &self.server.handle());
    }

    fn handle(&mut self, said: Said) {
        match said {
            Said::Released(key) => self.buffers.release(key),
            Said::Shown { frame, at, refresh } => {
                self.refresh = refresh;
                let at = at.unwrap_or_else(Timestamp::now);
                self.pending.shown(frame, at, &mut self.stats);
            }
            Said::Discarded(frame) => {
                self.pending.discarded(frame, self.last_frame, &mut self.stats);
            }
            Said::Called(Callback::Applied(change)) if self.waiting == Some(change) => {
                self.waiting = None;
                self.surfaces.desynchronise();
            }
            Said::Called(_) => {}
        }
    }

    /// The compositor has turned to this frame.
    fn called(&mut self, frame: u64) {
        let now = Timestamp::now();
        self.pending.called(frame, now, &mut self.stats);
        if self.presentation.is_none() {
            self.pending.settle_before(frame + 1, &mut self.stats);
        }
        if frame == self.last_frame {
            self.tick = Some(now + self.refresh);
        }
    }
}

impl Pane for WaylandPane {
    fn size(&self) -> Size {
        self.size
    }

    fn scale(&self) -> Scale {
        self.scale
    }

    fn resize(&mut self, size: Size, scale: Scale, fit: Fit) -> Result<Applied, Error> {
        self.server.check()?;
        (self.size, self.scale, self.fit) = (size, scale, fit);
        self.wait_for_parent();
        self.surfaces.place(&self.placement, scale);
        self.show_again()?;
        self.surfaces.commit();
        self.server.flush()?;
        Ok(Applied::NeedsParentCommit)
    }

    fn place(&mut self, placement: Placement) -> Result<Applied, Error> {
        self.server.check()?;
        let before = std::mem::replace(&mut self.placement, placement);
        let moved = (placement.x, placement.y) != (before.x, before.y);
        let stacked = placement.stacking != before.stacking;
        let changed = placement.clip != before.clip
            || placement.visible != before.visible
            || placement.input != before.input;
        // A move alone stops nothing: it comes with the commit, frames go on.
        if moved || stacked {
            if changed {
                self.wait_for_parent();
            }
            self.surfaces.place(&placement, self.scale);
            if stacked {
                self.surfaces.stack(placement.stacking);
            }
        }
        self.surfaces.take_input(placement.input);
        let mut waits = moved || stacked;
        if changed {
            waits |= self.show_again()?;
            self.surfaces.commit();
        }
        self.server.flush()?;
        Ok(if waits { Applied::NeedsParentCommit } else { Applied::Now })
    }

    fn parent_committed(&mut self) -> Result<(), Error> {
        if self.waiting.take().is_some() {
            self.surfaces.desynchronise();
        }
        Ok(self.server.flush()?)
    }

    fn present(&mut self, mut lease: Lease) -> Result<(), Error> {
        self.server.check()?;
        let (swapchain, size, damage) = (lease.swapchain_id(), lease.size(), lease.damage());
        let feedback = lease.take_feedback();
        let queue = self.server.handle();
        let buffer = self.buffers.hold(lease, &self.shm, &self.state.formats, &queue)?;
        self.last_frame += 1;
        let frame = self.last_frame;
        let _callback = self.surfaces.content.frame(&queue, Callback::Frame(frame));
        if let Some(presentation) = &self.presentation {
            let _feedback = presentation.feedback(&self.surfaces.content, &queue, frame);
        }
        if let Some(feedback) = feedback {
            self.pending.push(frame, feedback);
        }
        let same = self.current == Some(swapchain) && self.frame == Some(size);
        let damage = if same { damage } else { Damage::FULL };
        self.surfaces.show(self.layout(size), self.layout(self.size), Some((&buffer, &damage)));
        (self.current, self.frame) = (Some(swapchain), Some(size));
        self.stats.presented += 1;
        Ok(self.server.flush()?)
    }

    fn poll_tick(&mut self, _now: Timestamp) -> Result<Option<Timestamp>, Error> {
        self.server.hear(&mut self.state)?;
        let mut called = None;
        for said in std::mem::take(&mut self.state.said) {
            match said {
                // Frames of one turn of the compositor: the last one was shown.
                Said::Called(Callback::Frame(frame)) => called = called.max(Some(frame)),
                said => self.handle(said),
            }
        }
        if let Some(frame) = called {
            self.called(frame);
        }
        self.server.flush()?;
        Ok(self.tick.take())
    }

    fn next_wake(&self) -> Option<Timestamp> {
        None
    }

    fn source(&self) -> Option<BorrowedFd<'_>> {
        Some(self.server.fd())
    }

    fn stats(&self) -> PaneStats {
        self.stats
    }
}

impl Drop for WaylandPane {
    fn drop(&mut self) {
        if let Some(fractional) = &self.fractional {
            fractional.destroy();
        }
        if let Some(presentation) = &self.presentation {
            presentation.destroy();
        }
        // What has had its callback was shown, as far as can be known.
        let last = self.last_frame;
        self.pending.settle_before(last + 1, &mut self.stats);
        // The compositor shows nothing of it any more, so the buffers may go.
        self.surfaces.destroy();
        self.buffers.clear();
        let _gone = self.server.flush();
    }
}

impl fmt::Debug for WaylandPane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaylandPane")
            .field("size", &self.size)
            .field("placement", &self.placement)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

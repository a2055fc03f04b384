//! A pane in a view of AppKit's: a CALayer whose contents are the child's
//! surface, which the window server reads itself.
//!
//! Type-checked and linked; not run on a Mac yet (docs/on-a-mac.md). What decides
//! here is tested everywhere: `draining.rs` and `points.rs`.

#![allow(unsafe_code, reason = "the toolkit's view, and what the display link calls")]

mod layers;
mod link;

use std::fmt;
use std::os::fd::BorrowedFd;

use objc2::MainThreadMarker;
use objc2::rc::Retained;
use objc2_app_kit::NSView;
use raw_window_handle::{HasWindowHandle, RawWindowHandle};

use super::draining::Draining;
use super::points::Places;
use super::{Applied, Fit, Pane, PaneStats, Placement};
use crate::error::{Error, PaneError};
use crate::format::Format;
use crate::geometry::{Scale, Size};
use crate::outcome::{FrameId, Outcome};
use crate::surface::{Feedback, Lease, SwapchainId};
use crate::time::Timestamp;

use layers::{Layers, change};
use link::Link;

/// A pane in a window of macOS: a layer in the window's view, of which the window
/// server reads the child's surfaces itself. Nothing is copied.
///
/// The view can be any toolkit's (raw-window-handle). The pane lives on the main
/// thread, whose run loop must turn, as a window asks for anyway. All changes are
/// seen at once: those that are made while the run loop handles a resize of the
/// window, in one step with it.
///
/// A frame goes back to the child once the window server has let go of it, which
/// it does not say: the pane asks at each tick of the display, and, while no ticks
/// come, ten times a second.
///
/// ```no_run
/// use surfaceport::{CaLayerPane, Placement, Scale, Session, Size, View};
///
/// fn show(
///     session: Session,
///     window: &impl raw_window_handle::HasWindowHandle,
/// ) -> Result<View<CaLayerPane>, surfaceport::Error> {
///     let (size, scale) = (Size::new(1280, 960), Scale::from_f64(2.0));
///     let pane = CaLayerPane::new(window, Placement::at(400, 80), size, scale)?;
///     View::new(session, pane)
/// }
/// ```
pub struct CaLayerPane {
    // Dropped in this order: nothing is shown any more when the frames go back.
    link: Link,
    layers: Layers,
    size: Size,
    scale: Scale,
    fit: Fit,
    placement: Placement,
    on_display: Option<Lease>,
    draining: Draining<Lease, SwapchainId>,
    wants_new: bool,
    /// The frame that the next tick shows.
    pending: Option<Feedback>,
    /// A frame was shown, for which the display has not asked for the next.
    owed: bool,
    stats: PaneStats,
}

impl CaLayerPane {
    /// A pane of this size and at this place in a window, on the main thread.
    /// Sizes and places are in pixels, `scale` of which make a point.
    ///
    /// # Errors
    ///
    /// [`Error::Pane`]: [`PaneError::WrongWindow`] for a window that is not of
    /// AppKit or a thread that is not the main one, [`PaneError::Missing`] if
    /// there is no display.
    pub fn new(
        window: &impl HasWindowHandle,
        placement: Placement,
        size: Size,
        scale: Scale,
    ) -> Result<Self, Error> {
        Self::in_window(window, placement, size, scale)
    }

    pub(super) fn in_window(
        window: &(impl HasWindowHandle + ?Sized),
        placement: Placement,
        size: Size,
        scale: Scale,
    ) -> Result<Self, Error> {
        let main = MainThreadMarker::new()
            .ok_or(PaneError::WrongWindow { wanted: "the main thread, which windows belong to" })?;
        let raw = window.window_handle().map_err(|_| PaneError::NoWindow)?.as_raw();
        let RawWindowHandle::AppKit(handle) = raw else {
            return Err(PaneError::WrongWindow { wanted: "a window of AppKit" }.into());
        };
        // SAFETY: the handle is that of a live NSView (AppKitWindowHandle), and
        // this is the main thread; it is retained, so it lives as long as the
        // pane.
        let view = unsafe { Retained::retain(handle.ns_view.as_ptr().cast::<NSView>()) };
        let layers = Layers::new(view.ok_or(PaneError::NoWindow)?, &placement)?;
        let link = Link::new(&layers.view(), main)?;
        Ok(Self {
            link,
            layers,
            size,
            scale,
            fit: Fit::default(),
            placement,
            on_display: None,
            draining: Draining::new(),
            wants_new: false,
            pending: None,
            owed: true,
            stats: PaneStats::default(),
        })
    }

    /// The frame that is on display.
    #[must_use]
    pub fn frame_id(&self) -> Option<FrameId> {
        self.on_display.as_ref().map(Lease::id)
    }

    /// Sets the colour around frames that do not fill the pane, as red, green,
    /// blue in sRGB; `None`, as at first: what the host drew there.
    pub fn set_fill(&mut self, colour: Option<[u8; 3]>) {
        change(|| self.layers.fill(colour));
    }

    /// How many of the child's slots are held: the one on display, and those that
    /// the window server may still read.
    #[must_use]
    pub fn slots_held(&self) -> usize {
        self.draining.len() + usize::from(self.on_display.is_some())
    }

    fn lay_out(&self) {
        let Some(frame) = self.on_display.as_ref().map(Lease::size) else { return };
        let places = Places::new(frame, self.size, self.scale, self.fit, &self.placement);
        self.layers.place(&places, self.scale, self.placement.visible);
    }

    /// Looks which frames the window server has let go of.
    fn look(&mut self, now: Timestamp) {
        let set = self.on_display.as_ref().map(Lease::swapchain_id);
        let in_use = |lease: &Lease| lease.surface().memory().is_in_use();
        let looked = self.draining.look(now, set, in_use);
        self.wants_new |= looked.wants_new;
        if !self.draining.is_empty() {
            self.link.want();
        }
    }
}

impl Pane for CaLayerPane {
    fn size(&self) -> Size {
        self.size
    }

    fn scale(&self) -> Scale {
        self.scale
    }

    fn resize(&mut self, size: Size, scale: Scale, fit: Fit) -> Result<Applied, Error> {
        (self.size, self.scale, self.fit) = (size, scale, fit);
        change(|| self.lay_out());
        Ok(Applied::Now)
    }

    fn place(&mut self, placement: Placement) -> Result<Applied, Error> {
        let before = std::mem::replace(&mut self.placement, placement);
        change(|| {
            if before.stacking != placement.stacking {
                self.layers.stack(placement.stacking)?;
            }
            self.lay_out();
            Ok(Applied::Now)
        })
    }

    fn present(&mut self, mut lease: Lease) -> Result<(), Error> {
        let format = lease.surface().descriptor().format();
        // CoreAnimation is not known to read it.
        if format == Format::Rgba8 {
            lease.report(Outcome::Lost);
            self.stats.lost += 1;
            return Err(PaneError::Format(format).into());
        }
        let feedback = lease.take_feedback();
        let before = self.on_display.replace(lease);
        change(|| {
            self.lay_out();
            if let Some(lease) = &self.on_display {
                self.layers.show(lease);
            }
        });
        if let Some(before) = before {
            let set = before.swapchain_id();
            self.draining.replaced(Timestamp::now(), before, set);
        }
        if let Some(unshown) = std::mem::replace(&mut self.pending, feedback) {
            unshown.report(Outcome::Superseded);
            self.stats.superseded += 1;
        }
        self.stats.presented += 1;
        self.owed = true;
        self.link.want();
        Ok(())
    }

    fn poll_tick(&mut self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let tick = self.link.poll();
        if tick.is_some() || self.draining.next_look().is_some_and(|at| at <= now) {
            self.look(now);
        }
        if tick.is_some()
            && let Some(feedback) = self.pending.take()
        {
            // What was committed before a tick is shown with it.
            feedback.report(Outcome::Shown { at: now });
            self.stats.shown += 1;
        }
        Ok(tick.filter(|_| std::mem::take(&mut self.owed)))
    }

    fn next_wake(&self) -> Option<Timestamp> {
        self.draining.next_look()
    }

    fn source(&self) -> Option<BorrowedFd<'_>> {
        Some(self.link.fd())
    }

    fn wants_new_surfaces(&mut self) -> bool {
        std::mem::take(&mut self.wants_new)
    }

    fn stats(&self) -> PaneStats {
        self.stats
    }
}

impl fmt::Debug for CaLayerPane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaLayerPane")
            .field("size", &self.size)
            .field("placement", &self.placement)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

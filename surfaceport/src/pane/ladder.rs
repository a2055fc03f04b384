//! The best pane for a window, and each step down from it with its reason.

use std::fmt;
use std::os::fd::BorrowedFd;
use std::rc::Rc;

use raw_window_handle::{HasDisplayHandle, HasWindowHandle};

use super::rungs::Display;
#[cfg(feature = "softbuffer")]
use super::softbuffer::{SoftbufferPane, SoftbufferWindow};
use super::{Applied, CopyReason, Fit, Pane, PaneStats, Placement};
use crate::error::{Error, PaneError};
use crate::geometry::{Scale, Size};
use crate::outcome::FrameId;
use crate::surface::Lease;
use crate::time::Timestamp;

/// How a child's frames get into a window, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum PanePath {
    /// The window server reads the child's surfaces (macOS).
    Layer,
    /// The compositor reads the child's surfaces (Wayland).
    Subsurface,
    /// The child's surfaces are the X server's pixmaps.
    SharedPixmap,
    /// The X server copies frames out of the child's surfaces.
    SharedPut,
    /// The host sends frames to the X server: a copy in the host.
    Put,
    /// The host draws frames into its window: a copy in the host.
    Softbuffer,
}

impl PanePath {
    /// Whether the host copies.
    #[must_use]
    pub fn copies(self) -> bool {
        matches!(self, Self::Put | Self::Softbuffer)
    }
}

impl fmt::Display for PanePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Layer => "layer of CoreAnimation's, no copy",
            Self::Subsurface => "Wayland subsurface, no copy",
            Self::SharedPixmap => "X11 shared pixmaps, no copy",
            Self::SharedPut => "X11 shared memory, copied by the server",
            Self::Put => "X11, copied by the host",
            Self::Softbuffer => "copied by the host into its window",
        })
    }
}

/// A path that could not be taken.
///
/// ```
/// use surfaceport::{CopyReason, PanePath, StepDown};
///
/// let step = StepDown {
///     from: PanePath::SharedPixmap,
///     to: PanePath::Put,
///     reason: CopyReason::Missing("MIT-SHM 1.2"),
/// };
/// assert!(step.to.copies());
/// assert!(step.to_string().contains("MIT-SHM"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepDown {
    /// What was tried.
    pub from: PanePath,
    /// What is done instead.
    pub to: PanePath,
    /// Why.
    pub reason: CopyReason,
}

impl fmt::Display for StepDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} instead of {}: {}", self.to, self.from, self.reason)
    }
}

/// A host's window, and what its panes have in common.
///
/// Each pane is the best that the window's display allows: read by the display
/// from the child's memory; or, with the feature `softbuffer`, copied by the host.
/// A step down is never silent ([`WindowPane::steps`]), and a host that wants none
/// says so ([`require_zero_copy`](Self::require_zero_copy)).
///
/// ```no_run
/// use surfaceport::{PaneWindow, Placement, Scale, Session, Size, View, WindowPane};
///
/// fn show<W>(session: Session, window: W) -> Result<View<WindowPane>, surfaceport::Error>
/// where
///     W: raw_window_handle::HasDisplayHandle + raw_window_handle::HasWindowHandle + 'static,
/// {
///     let window = PaneWindow::new(window, Size::new(1280, 720));
///     let pane = window.pane(Placement::at(0, 0), Size::new(1280, 720), Scale::ONE)?;
///     for step in pane.steps() {
///         eprintln!("{step}");
///     }
///     View::new(session, pane)
/// }
/// ```
#[derive(Clone)]
pub struct PaneWindow {
    window: Rc<dyn Handles>,
    size: Size,
    zero_copy: bool,
    #[cfg(feature = "softbuffer")]
    canvas: Rc<std::cell::OnceCell<SoftbufferWindow>>,
}

/// What a window of any toolkit gives.
pub(super) trait Handles: HasWindowHandle + HasDisplayHandle {}
impl<T: HasWindowHandle + HasDisplayHandle + ?Sized> Handles for T {}

impl PaneWindow {
    /// A window of this size in pixels.
    pub fn new(window: impl HasWindowHandle + HasDisplayHandle + 'static, size: Size) -> Self {
        Self {
            window: Rc::new(window),
            size,
            zero_copy: false,
            #[cfg(feature = "softbuffer")]
            canvas: Rc::default(),
        }
    }

    /// Refuses panes whose frames the host would have to copy:
    /// [`PaneError::WouldCopy`], from the call that finds it out.
    #[must_use]
    pub fn require_zero_copy(mut self) -> Self {
        self.zero_copy = true;
        self
    }

    /// The window, to be filled by the host's processor: made when it is asked
    /// for, or when a pane has to copy. A host that draws its window in another
    /// way must not ask.
    ///
    /// # Errors
    ///
    /// As [`SoftbufferWindow::new`].
    #[cfg(feature = "softbuffer")]
    pub fn canvas(&self) -> Result<&SoftbufferWindow, Error> {
        if let Some(canvas) = self.canvas.get() {
            return Ok(canvas);
        }
        let canvas = SoftbufferWindow::new(Rc::clone(&self.window), self.size)?;
        Ok(self.canvas.get_or_init(|| canvas))
    }

    /// A pane in it, the best one that there is.
    ///
    /// # Errors
    ///
    /// [`Error::Pane`] if there is none; [`PaneError::WouldCopy`] if the host wants
    /// no copies.
    pub fn pane(
        &self,
        placement: Placement,
        size: Size,
        scale: Scale,
    ) -> Result<WindowPane, Error> {
        let (best, opened) = Display::open(&self.window, placement, size, scale)?;
        let mut steps = Vec::new();
        let rung = match opened {
            Ok(display) => Rung::Display(display),
            Err(error) => {
                let reason = reason(&error).ok_or(error)?;
                let rung = self.copying(placement, size, scale, reason)?;
                steps.push(StepDown { from: best, to: PanePath::Softbuffer, reason });
                rung
            }
        };
        let window = self.clone();
        let pane = WindowPane { rung, retired: None, steps, window, placement };
        pane.check()?;
        Ok(pane)
    }

    /// The last rung.
    #[cfg(feature = "softbuffer")]
    fn copying(
        &self,
        placement: Placement,
        size: Size,
        scale: Scale,
        reason: CopyReason,
    ) -> Result<Rung, Error> {
        if self.zero_copy {
            return Err(PaneError::WouldCopy(reason).into());
        }
        let pane = self.canvas()?.pane(size, placement).at_scale(scale).because(reason);
        Ok(Rung::Copy(Box::new(pane)))
    }

    #[cfg(not(feature = "softbuffer"))]
    fn copying(
        &self,
        _placement: Placement,
        _size: Size,
        _scale: Scale,
        reason: CopyReason,
    ) -> Result<Rung, Error> {
        Err(PaneError::WouldCopy(reason).into())
    }
}

impl fmt::Debug for PaneWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PaneWindow").field("size", &self.size).finish_non_exhaustive()
    }
}

/// Why a copy may help where this went wrong; `None`: it would go wrong too.
fn reason(error: &Error) -> Option<CopyReason> {
    match error {
        Error::Pane(PaneError::Missing { what }) => Some(CopyReason::Missing(what)),
        Error::Pane(PaneError::Format(format)) => Some(CopyReason::Format(*format)),
        Error::Pane(PaneError::WrongWindow { wanted }) => Some(CopyReason::Missing(wanted)),
        Error::Pane(PaneError::NoServer { .. } | PaneError::Refused { fatal: false, .. }) => {
            Some(CopyReason::Refused)
        }
        _ => None,
    }
}

/// A pane in a window, of the best kind that there is; see [`PaneWindow`].
#[derive(Debug)]
pub struct WindowPane {
    rung: Rung,
    /// The one before, out of sight: its connection is what the view waits for.
    retired: Option<Rung>,
    steps: Vec<StepDown>,
    window: PaneWindow,
    placement: Placement,
}

#[derive(Debug)]
enum Rung {
    Display(Display),
    #[cfg(feature = "softbuffer")]
    Copy(Box<SoftbufferPane>),
}

impl WindowPane {
    /// How frames get to the window now.
    #[must_use]
    pub fn path(&self) -> PanePath {
        match &self.rung {
            Rung::Display(display) => display.path(),
            #[cfg(feature = "softbuffer")]
            Rung::Copy(_) => PanePath::Softbuffer,
        }
    }

    /// The better paths that could not be taken, and why.
    #[must_use]
    pub fn steps(&self) -> Vec<StepDown> {
        let mut steps = self.steps.clone();
        if let Rung::Display(display) = &self.rung
            && let Some((from, reason)) = display.step()
        {
            steps.push(StepDown { from, to: display.path(), reason });
        }
        steps
    }

    /// The frame that is on display, where the pane keeps account of it.
    #[must_use]
    pub fn frame_id(&self) -> Option<FrameId> {
        match &self.rung {
            Rung::Display(display) => display.frame_id(),
            #[cfg(feature = "softbuffer")]
            Rung::Copy(_) => None,
        }
    }

    /// Sets the colour around frames that do not fill the pane: red, green, blue.
    /// Without it that is black on X11, and what the host drew there elsewhere.
    /// Where frames are copied into the window, it is the window's
    /// (`SoftbufferWindow::set_fill`).
    ///
    /// # Errors
    ///
    /// [`Error::Pane`] if the display is gone.
    pub fn set_fill(&mut self, colour: [u8; 3]) -> Result<(), Error> {
        match &mut self.rung {
            Rung::Display(display) => display.set_fill(colour),
            #[cfg(feature = "softbuffer")]
            Rung::Copy(_) => Ok(()),
        }
    }

    /// A host that wants no copies hears of them.
    fn check(&self) -> Result<(), Error> {
        match self.stats().copy_reason {
            Some(reason) if self.window.zero_copy => Err(PaneError::WouldCopy(reason).into()),
            _ => Ok(()),
        }
    }

    /// Shows a frame by the last rung, from now on.
    fn step_down(&mut self, lease: Lease, reason: CopyReason) -> Result<(), Error> {
        let (from, size, scale) = (self.path(), self.size(), self.scale());
        let rung = self.window.copying(self.placement, size, scale, reason)?;
        let mut before = std::mem::replace(&mut self.rung, rung);
        self.steps.push(StepDown { from, to: PanePath::Softbuffer, reason });
        before.pane_mut().place(self.placement.hidden())?;
        let shown = self.rung.pane_mut().present(lease);
        // That drew the window, and committed it.
        before.pane_mut().parent_committed()?;
        self.retired = Some(before);
        shown
    }
}

impl Rung {
    fn pane(&self) -> &dyn Pane {
        match self {
            Self::Display(display) => display.pane(),
            #[cfg(feature = "softbuffer")]
            Self::Copy(pane) => &**pane,
        }
    }

    fn pane_mut(&mut self) -> &mut dyn Pane {
        match self {
            Self::Display(display) => display.pane_mut(),
            #[cfg(feature = "softbuffer")]
            Self::Copy(pane) => &mut **pane,
        }
    }
}

impl Pane for WindowPane {
    fn size(&self) -> Size {
        self.rung.pane().size()
    }

    fn scale(&self) -> Scale {
        self.rung.pane().scale()
    }

    fn resize(&mut self, size: Size, scale: Scale, fit: Fit) -> Result<Applied, Error> {
        self.rung.pane_mut().resize(size, scale, fit)
    }

    fn place(&mut self, placement: Placement) -> Result<Applied, Error> {
        self.placement = placement;
        self.rung.pane_mut().place(placement)
    }

    fn parent_committed(&mut self) -> Result<(), Error> {
        self.rung.pane_mut().parent_committed()
    }

    fn present(&mut self, lease: Lease) -> Result<(), Error> {
        // The frame is still there if the display does not take it.
        let again = self.retired.is_none().then(|| lease.share());
        match (self.rung.pane_mut().present(lease), again) {
            (Ok(()), _) => self.check(),
            (Err(error), Some(lease)) => match reason(&error) {
                Some(reason) if self.path() != PanePath::Softbuffer => {
                    self.step_down(lease, reason)
                }
                _ => Err(error),
            },
            (Err(error), None) => Err(error),
        }
    }

    fn poll_tick(&mut self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        if let Some(retired) = &mut self.retired {
            retired.pane_mut().poll_tick(now)?;
        }
        let tick = self.rung.pane_mut().poll_tick(now)?;
        self.check()?;
        Ok(tick)
    }

    fn next_wake(&self) -> Option<Timestamp> {
        let retired = self.retired.as_ref().and_then(|retired| retired.pane().next_wake());
        [retired, self.rung.pane().next_wake()].into_iter().flatten().min()
    }

    fn source(&self) -> Option<BorrowedFd<'_>> {
        self.retired.as_ref().unwrap_or(&self.rung).pane().source()
    }

    fn wants_new_surfaces(&mut self) -> bool {
        self.rung.pane_mut().wants_new_surfaces()
    }

    fn stats(&self) -> PaneStats {
        self.rung.pane().stats()
    }
}

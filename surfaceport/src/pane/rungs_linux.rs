//! The panes of which a display reads the child's memory: Wayland and X11.

use std::rc::Rc;

use raw_window_handle::RawWindowHandle;

use super::ladder::{Handles, PanePath};
use super::wayland::WaylandPane;
use super::x11::{X11Pane, X11Path};
use super::{CopyReason, Pane, Placement};
use crate::error::{Error, PaneError};
use crate::geometry::{Scale, Size};
use crate::outcome::FrameId;

/// A pane of one of them.
#[derive(Debug)]
pub(super) enum Display {
    Wayland(Box<WaylandPane>),
    X11(Box<X11Pane>),
}

impl Display {
    /// The best path for a window, and the pane, if there is one.
    pub(super) fn open(
        window: &Rc<dyn Handles>,
        placement: Placement,
        size: Size,
        scale: Scale,
    ) -> Result<(PanePath, Result<Self, Error>), Error> {
        let raw = window.window_handle().map_err(|_| PaneError::NoWindow)?.as_raw();
        Ok(match raw {
            RawWindowHandle::Xcb(_) | RawWindowHandle::Xlib(_) => {
                let pane = X11Pane::new(&**window, placement, size, scale);
                (PanePath::SharedPixmap, pane.map(|pane| Self::X11(Box::new(pane))))
            }
            _ => {
                let pane = WaylandPane::new(Rc::clone(window), placement, size, scale);
                (PanePath::Subsurface, pane.map(|pane| Self::Wayland(Box::new(pane))))
            }
        })
    }

    /// How frames get to the window.
    pub(super) fn path(&self) -> PanePath {
        match self {
            Self::Wayland(_) => PanePath::Subsurface,
            Self::X11(pane) => match pane.path() {
                X11Path::SharedPixmap => PanePath::SharedPixmap,
                X11Path::SharedPut => PanePath::SharedPut,
                X11Path::Put => PanePath::Put,
            },
        }
    }

    /// The best path of its kind, and why it could not be taken, if it could not.
    pub(super) fn step(&self) -> Option<(PanePath, CopyReason)> {
        match self {
            Self::Wayland(_) => None,
            Self::X11(pane) => Some((PanePath::SharedPixmap, pane.path_reason()?)),
        }
    }

    /// The frame that is on display, where the pane keeps account of it.
    pub(super) fn frame_id(&self) -> Option<FrameId> {
        match self {
            Self::Wayland(_) => None,
            Self::X11(pane) => pane.frame_id(),
        }
    }

    /// Sets the colour around frames.
    pub(super) fn set_fill(&mut self, colour: [u8; 3]) -> Result<(), Error> {
        match self {
            Self::Wayland(pane) => pane.set_fill(Some(colour)),
            Self::X11(pane) => pane.set_fill(colour),
        }
    }

    pub(super) fn pane(&self) -> &dyn Pane {
        match self {
            Self::Wayland(pane) => &**pane,
            Self::X11(pane) => &**pane,
        }
    }

    pub(super) fn pane_mut(&mut self) -> &mut dyn Pane {
        match self {
            Self::Wayland(pane) => &mut **pane,
            Self::X11(pane) => &mut **pane,
        }
    }
}

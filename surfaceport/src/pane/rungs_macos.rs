//! The pane of which the display reads the child's memory: a layer.

use std::rc::Rc;

use super::calayer::CaLayerPane;
use super::ladder::{Handles, PanePath};
use super::{CopyReason, Pane, Placement};
use crate::error::Error;
use crate::geometry::{Scale, Size};
use crate::outcome::FrameId;

/// It.
#[derive(Debug)]
pub(super) struct Display(Box<CaLayerPane>);

impl Display {
    /// The best path for a window, and the pane, if there is one.
    pub(super) fn open(
        window: &Rc<dyn Handles>,
        placement: Placement,
        size: Size,
        scale: Scale,
    ) -> Result<(PanePath, Result<Self, Error>), Error> {
        let pane = CaLayerPane::in_window(&**window, placement, size, scale);
        Ok((PanePath::Layer, pane.map(|pane| Self(Box::new(pane)))))
    }

    /// How frames get to the window.
    #[expect(clippy::unused_self, reason = "other systems have more than one way")]
    pub(super) fn path(&self) -> PanePath {
        PanePath::Layer
    }

    /// The best path of its kind, and why it could not be taken, if it could not.
    #[expect(clippy::unused_self, reason = "other systems have more than one way")]
    pub(super) fn step(&self) -> Option<(PanePath, CopyReason)> {
        None
    }

    /// The frame that is on display.
    pub(super) fn frame_id(&self) -> Option<FrameId> {
        self.0.frame_id()
    }

    /// The colour around frames that do not fill the pane.
    #[expect(clippy::unnecessary_wraps, reason = "on other systems it can fail")]
    pub(super) fn set_fill(&mut self, colour: [u8; 3]) -> Result<(), Error> {
        self.0.set_fill(Some(colour));
        Ok(())
    }

    pub(super) fn pane(&self) -> &dyn Pane {
        &*self.0
    }

    pub(super) fn pane_mut(&mut self) -> &mut dyn Pane {
        &mut *self.0
    }
}

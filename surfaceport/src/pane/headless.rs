//! The pane that shows nothing: for hosts without a display, and for tests.

use super::ticker::Ticker;
use super::{Applied, Fit, Pane, PaneStats};
use crate::error::Error;
use crate::geometry::{Scale, Size};
use crate::outcome::{FrameId, Outcome};
use crate::surface::Lease;
use crate::time::Timestamp;

/// A pane without a display: frames are held as a display would hold them,
/// paced by a timer, and can be looked at.
///
/// ```
/// use surfaceport::{HeadlessPane, Size};
///
/// let pane = HeadlessPane::new(Size::new(640, 480)).refresh_rate(30.0);
/// assert!(pane.on_display().is_none());
/// assert_eq!(pane.picture(), vec![[0, 0, 0, 255]; 640 * 480]);
/// ```
#[derive(Debug)]
pub struct HeadlessPane {
    size: Size,
    scale: Scale,
    ticker: Ticker,
    fit: Fit,
    on_display: Option<Lease>,
    shown: u64,
}

/// What is around the frame: opaque black, as B, G, R, A.
const FILL: [u8; 4] = [0, 0, 0, 255];

impl HeadlessPane {
    /// A pane of this size at 60 frames a second.
    #[must_use]
    pub fn new(size: Size) -> Self {
        Self {
            size,
            scale: Scale::ONE,
            ticker: Ticker::new(60.0),
            fit: Fit::default(),
            on_display: None,
            shown: 0,
        }
    }

    /// Sets the frames a second; zero and less, and what is no number, is as
    /// many as come.
    #[must_use]
    pub fn refresh_rate(mut self, hertz: f64) -> Self {
        self.ticker = Ticker::new(hertz);
        self
    }

    /// The frame that a display would show now.
    #[must_use]
    pub fn on_display(&self) -> Option<&Lease> {
        self.on_display.as_ref()
    }

    /// Which frame it is.
    #[must_use]
    pub fn frame_id(&self) -> Option<FrameId> {
        self.on_display().map(Lease::id)
    }

    /// How many frames were shown.
    #[must_use]
    pub fn shown(&self) -> u64 {
        self.shown
    }

    /// What a display would show now: one pixel after the other, the first four
    /// bytes of each as they lie in the surface; black where no frame is.
    ///
    /// A surface that can't be mapped shows as black.
    #[must_use]
    pub fn picture(&self) -> Vec<[u8; 4]> {
        let frame = self.on_display.as_ref().and_then(|lease| {
            let view = lease.surface().view().ok()?;
            Some((view, lease.size()))
        });
        let Size { width, height } = self.size;
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let pixel = |(x, y)| {
            let (view, size) = frame.as_ref()?;
            let x = self.fit.source(x, width, size.width)?;
            let y = self.fit.source(y, height, size.height)?;
            view.pixel(x, y)
        };
        places.map(|place| pixel(place).unwrap_or(FILL)).collect()
    }
}

impl Pane for HeadlessPane {
    fn size(&self) -> Size {
        self.size
    }

    fn scale(&self) -> Scale {
        self.scale
    }

    fn resize(&mut self, size: Size, scale: Scale, fit: Fit) -> Result<Applied, Error> {
        (self.size, self.scale, self.fit) = (size, scale, fit);
        Ok(Applied::Now)
    }

    fn present(&mut self, mut lease: Lease) -> Result<(), Error> {
        lease.report(Outcome::Shown { at: Timestamp::now() });
        self.shown += 1;
        self.ticker.shown();
        self.on_display = Some(lease);
        Ok(())
    }

    fn poll_tick(&mut self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        Ok(self.ticker.poll(now))
    }

    fn next_wake(&self) -> Option<Timestamp> {
        self.ticker.next()
    }

    fn stats(&self) -> PaneStats {
        PaneStats { presented: self.shown, shown: self.shown, ..PaneStats::default() }
    }
}

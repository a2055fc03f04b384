//! The pane that shows nothing: for hosts without a display, and for tests.

use std::time::Duration;

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
    period: Duration,
    next_tick: Timestamp,
    /// Unpaced: a frame was shown since the last tick.
    unpaced_tick: bool,
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
            period: Duration::from_nanos(1_000_000_000 / 60),
            next_tick: Timestamp::now(),
            unpaced_tick: true,
            fit: Fit::default(),
            on_display: None,
            shown: 0,
        }
    }

    /// Sets the frames a second; zero and less, and what is no number, is as
    /// many as come.
    #[must_use]
    pub fn refresh_rate(mut self, hertz: f64) -> Self {
        self.period = Duration::try_from_secs_f64(1.0 / hertz).unwrap_or_default();
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
            let x = source(x, width, size.width, self.fit)?;
            let y = source(y, height, size.height, self.fit)?;
            view.pixel(x, y)
        };
        places.map(|place| pixel(place).unwrap_or(FILL)).collect()
    }
}

/// Which of a frame's `frame` columns (rows) is seen at one of a pane's `pane`.
fn source(at: u32, pane: u32, frame: u32, fit: Fit) -> Option<u32> {
    let wide = |value: u32| i64::from(value);
    let source = match fit {
        Fit::Hold => wide(at),
        Fit::Scale => wide(at) * wide(frame) / wide(pane).max(1),
        Fit::Crop => wide(at) + (wide(frame) - wide(pane)) / 2,
    };
    u32::try_from(source).ok().filter(|source| *source < frame)
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
        self.unpaced_tick = true;
        self.on_display = Some(lease);
        Ok(())
    }

    fn poll_tick(&mut self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        if self.period.is_zero() {
            return Ok(std::mem::take(&mut self.unpaced_tick).then_some(now));
        }
        if now < self.next_tick {
            return Ok(None);
        }
        // Ticks that nobody waited for are skipped, and the phase is kept.
        let late = now.since(self.next_tick).as_nanos();
        let periods = late / self.period.as_nanos() + 1;
        let periods = u32::try_from(periods).unwrap_or(u32::MAX);
        self.next_tick = self.next_tick + self.period.saturating_mul(periods);
        Ok(Some(self.next_tick))
    }

    fn next_wake(&self) -> Option<Timestamp> {
        (!self.period.is_zero()).then_some(self.next_tick)
    }

    fn stats(&self) -> PaneStats {
        PaneStats { presented: self.shown, shown: self.shown, ..PaneStats::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_place_a_frame_as_they_say() {
        let seen = |fit, pane, frame| -> Vec<_> {
            (0..pane).map(|at| source(at, pane, frame, fit)).collect()
        };
        assert_eq!(seen(Fit::Hold, 4, 2), [Some(0), Some(1), None, None]);
        assert_eq!(seen(Fit::Hold, 2, 4), [Some(0), Some(1)]);
        assert_eq!(seen(Fit::Scale, 4, 2), [Some(0), Some(0), Some(1), Some(1)]);
        assert_eq!(seen(Fit::Scale, 2, 4), [Some(0), Some(2)]);
        assert_eq!(seen(Fit::Crop, 4, 2), [None, Some(0), Some(1), None]);
        assert_eq!(seen(Fit::Crop, 2, 4), [Some(1), Some(2)]);
    }

    #[test]
    fn ticks_keep_their_phase_and_skip_what_was_missed() {
        let mut pane = HeadlessPane::new(Size::new(1, 1)).refresh_rate(100.0);
        let period = Duration::from_millis(10);
        let start = pane.next_tick;
        let tick = |pane: &mut HeadlessPane, after| pane.poll_tick(start + after).unwrap();
        assert_eq!(tick(&mut pane, Duration::ZERO), Some(start + period));
        assert_eq!(tick(&mut pane, period / 2), None);
        assert_eq!(tick(&mut pane, period * 7 / 2), Some(start + period * 4));
        assert_eq!(tick(&mut pane, period * 4), Some(start + period * 5));
    }
}

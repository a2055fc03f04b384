//! What the server says: shown, idle, exposed, refused.

use std::time::Duration;

use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::present::{CompleteMode, CompleteNotifyEvent};
use x11rb::x11_utils::X11Error;

use super::buffers::Refusal;
use super::frames::Reads;
use super::server::{Request, gone};
use super::{CopyReason, X11Pane, X11Path};
use crate::error::{Error, PaneError};
use crate::outcome::Outcome;
use crate::time::Timestamp;

/// Between frames, where the display does not say.
const PERIOD: Duration = Duration::from_nanos(1_000_000_000 / 60);
/// A server whose clock says that a frame was shown this long ago has another
/// clock than we.
const SAME_CLOCK: Duration = Duration::from_secs(1);

/// When the display wants frames.
#[derive(Debug)]
pub(super) struct Clock {
    /// The display is ready: for this time.
    ready: Option<Timestamp>,
    /// Without a display's clock: when it will be.
    due: Option<Timestamp>,
    /// The display's last refresh that we heard of, and its number.
    last: Option<(Timestamp, u64)>,
    period: Duration,
}

impl Clock {
    /// It wants the first one at once.
    pub(super) fn new() -> Self {
        Self { ready: Some(Timestamp::now()), due: None, last: None, period: PERIOD }
    }

    /// Whether a frame is wanted: for when. It says so once.
    pub(super) fn take_tick(&mut self, now: Timestamp) -> Option<Timestamp> {
        if self.due.is_some_and(|due| due <= now) {
            self.ready = self.due.take().map(|due| due + self.period);
        }
        self.ready.take()
    }

    pub(super) fn next_wake(&self) -> Option<Timestamp> {
        self.due
    }

    /// Another frame is wanted at once: the one that was under way was lost.
    fn want(&mut self, now: Timestamp) {
        self.ready = Some(now);
    }

    /// A frame was shown at the refresh of this number: the next one is wanted.
    fn refreshed(&mut self, at: Timestamp, number: u64) {
        if let Some((before, last)) = self.last
            && let Some(count) =
                number.checked_sub(last).and_then(|count| u32::try_from(count).ok())
            && let Some(period) = at.since(before).checked_div(count)
            && (Duration::from_millis(2)..Duration::from_millis(100)).contains(&period)
        {
            self.period = period;
        }
        self.last = Some((at, number));
        self.ready = Some(at + self.period);
    }

    /// A frame was shown, and no display says when the next one can be.
    fn shown(&mut self, at: Timestamp) {
        self.due = Some(at + self.period);
    }
}

impl X11Pane {
    /// Handles all that the server has said. Whether it said anything.
    pub(super) fn hear(&mut self, now: Timestamp) -> Result<bool, Error> {
        let mut any = false;
        while let Some((event, request)) =
            self.server.conn.poll_for_event_with_sequence().map_err(gone)?
        {
            any = true;
            self.frames.handled = self.frames.handled.max(request);
            match event {
                Event::PresentCompleteNotify(event) => self.completed(&event, now),
                Event::PresentIdleNotify(event) => {
                    if let Some(Reads::Pool(pixmap)) = self.frames.idle(event.serial) {
                        self.pool.give_back(pixmap);
                    }
                }
                Event::PropertyNotify(event) if event.atom == self.server.mark => {
                    self.landed(Outcome::Shown { at: now });
                    self.clock.shown(now);
                }
                // Older ones have been repaired since.
                Event::Expose(event) if event.window == self.server.window => {
                    let painted = self.frames.window.and_then(|(key, _)| self.frames.get(key));
                    self.exposed |= painted.is_some_and(|held| held.last_read < request);
                }
                Event::DestroyNotify(event) if event.window == self.server.window => {
                    let what = "the host's window is gone".to_owned();
                    return Err(PaneError::Refused { what, fatal: true }.into());
                }
                Event::Error(error) => self.refused(&error, request, now)?,
                _ => {}
            }
        }
        if any {
            self.frames.release();
        }
        Ok(any)
    }

    fn completed(&mut self, event: &CompleteNotifyEvent, now: Timestamp) {
        if self.frames.flight.as_ref().is_none_or(|flight| flight.serial != event.serial) {
            return;
        }
        // Microseconds of the monotonic clock, as of the display's last refresh.
        let at = Timestamp::from_nanos(event.ust.saturating_mul(1000));
        let at = if now.since(at) < SAME_CLOCK && at.since(now).is_zero() { at } else { now };
        self.landed(match event.mode {
            CompleteMode::SKIP => Outcome::Superseded,
            _ => Outcome::Shown { at },
        });
        self.clock.refreshed(at, event.msc);
        if self.frames.next.is_some() {
            // The display's next frame is there already: no other is asked for,
            // or the child would be a frame ahead for good.
            self.clock.take_tick(now);
        }
    }

    /// The frame under way has arrived.
    fn landed(&mut self, outcome: Outcome) {
        let Some(flight) = self.frames.flight.take() else { return };
        let first = self.frames.get_mut(flight.key).is_some_and(|held| held.report(outcome));
        if !matches!(outcome, Outcome::Shown { .. }) {
            self.stats.superseded += u64::from(first);
            return;
        }
        self.stats.shown += u64::from(first);
        self.frames.window = Some((flight.key, flight.place));
    }

    /// The server refused a request.
    fn refused(&mut self, error: &X11Error, request: Request, now: Timestamp) -> Result<(), Error> {
        match self.buffers.refusal(request) {
            Some(Refusal::Echo) => return Ok(()),
            Some(Refusal::Pixmap) => {
                return self.step_down(X11Path::SharedPut, CopyReason::Refused);
            }
            Some(Refusal::Memory) => return self.step_down(X11Path::Put, CopyReason::Refused),
            None => {}
        }
        if self.frames.flight.as_ref().is_some_and(|flight| flight.request == request)
            && let Some(flight) = self.frames.flight.take()
            && let Some(held) = self.frames.take(flight.key)
        {
            self.frames.idle(flight.serial);
            self.give_up(held, Outcome::Lost);
            self.clock.want(now);
        }
        let name = error.request_name.unwrap_or("a request");
        let what = format!("{name}: {:?} ({:#x})", error.error_kind, error.bad_value);
        // Bounded: a server that refuses all is not listened to for ever.
        if self.complaints.len() < 16 {
            self.complaints.push_back(PaneError::Refused { what, fatal: false });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_period_is_the_displays() {
        let at = |micros: u64| Timestamp::from_nanos(micros * 1000);
        let mut clock = Clock::new();
        assert!(clock.take_tick(at(0)).is_some(), "the first frame is wanted at once");
        assert_eq!(clock.take_tick(at(0)), None, "it is said once");
        clock.refreshed(at(1_000_000), 10);
        assert_eq!(clock.take_tick(at(1_000_001)), Some(at(1_000_000) + PERIOD));
        clock.refreshed(at(1_030_000), 13);
        assert_eq!(clock.take_tick(at(1_030_001)), Some(at(1_040_000)));
        // A display that was asleep, or another one.
        clock.refreshed(at(9_000_000), 14);
        clock.refreshed(at(9_010_000), 3);
        assert_eq!(clock.take_tick(at(9_010_001)), Some(at(9_020_000)));
    }

    #[test]
    fn without_a_displays_clock_a_timer_paces() {
        let start = Timestamp::from_nanos(5);
        let mut clock = Clock::new();
        clock.take_tick(start);
        clock.shown(start);
        assert_eq!(clock.take_tick(start), None);
        assert_eq!(clock.next_wake(), Some(start + PERIOD));
        assert_eq!(clock.take_tick(start + PERIOD), Some(start + PERIOD * 2));
        assert_eq!(clock.next_wake(), None);
    }
}

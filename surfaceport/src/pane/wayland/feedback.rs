//! What became of the frames, as the compositor says it.

use std::collections::VecDeque;
use std::time::Duration;

use rustix::time::{ClockId, DynamicClockId, Timespec};

use crate::outcome::Outcome;
use crate::pane::PaneStats;
use crate::surface::Feedback;
use crate::time::Timestamp;

/// What two looks at a clock take, one after the other, and how often it is tried.
const CLOSE: Duration = Duration::from_micros(20);
const LOOKS: usize = 4;

/// Frames of which it is not known yet what became of them, oldest first.
///
/// The compositor says so by presentation-time. Where it lacks that, or keeps
/// silent (wlroots does on some outputs), its frame callbacks have to do: they
/// come with the frame, a little early or late.
#[derive(Debug, Default)]
pub(super) struct Pending(VecDeque<Frame>);

#[derive(Debug)]
struct Frame {
    serial: u64,
    feedback: Feedback,
    /// When its callback came.
    called: Option<Timestamp>,
}

impl Pending {
    /// A frame was committed; `serial` grows.
    pub(super) fn push(&mut self, serial: u64, feedback: Feedback) {
        self.0.push_back(Frame { serial, feedback, called: None });
    }

    /// The compositor showed it, at this time.
    pub(super) fn shown(&mut self, serial: u64, at: Timestamp, stats: &mut PaneStats) {
        self.settle_before(serial, stats);
        if let Some(frame) = self.0.pop_front_if(|frame| frame.serial == serial) {
            stats.shown += 1;
            frame.feedback.report(Outcome::Shown { at });
        }
    }

    /// The compositor did not show it: a newer one came first, or nobody can see
    /// the window.
    pub(super) fn discarded(&mut self, serial: u64, newest: u64, stats: &mut PaneStats) {
        let Some(index) = self.0.iter().position(|frame| frame.serial == serial) else { return };
        let Some(frame) = self.0.remove(index) else { return };
        if serial < newest {
            stats.superseded += 1;
            frame.feedback.report(Outcome::Superseded);
        } else {
            stats.lost += 1;
            frame.feedback.report(Outcome::Lost);
        }
    }

    /// Its callback came, the newest of those that came together.
    pub(super) fn called(&mut self, serial: u64, at: Timestamp, stats: &mut PaneStats) {
        self.settle_before(serial, stats);
        if let Some(frame) = self.0.front_mut().filter(|frame| frame.serial == serial) {
            frame.called = Some(at);
        }
    }

    /// Nothing will be said any more of the frames before this one.
    pub(super) fn settle_before(&mut self, serial: u64, stats: &mut PaneStats) {
        while let Some(frame) = self.0.pop_front_if(|frame| frame.serial < serial) {
            if let Some(at) = frame.called {
                stats.shown += 1;
                frame.feedback.report(Outcome::Shown { at });
            } else {
                stats.superseded += 1;
                frame.feedback.report(Outcome::Superseded);
            }
        }
    }
}

/// A time of the compositor's presentation clock (`clock_gettime(2)`'s number)
/// on ours; `None` for a clock that this process can't read.
pub(super) fn on_our_clock(clock: u32, at: Duration) -> Option<Timestamp> {
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let id = match clock {
        0 => ClockId::Realtime,
        1 => return Some(Timestamp::from_nanos(nanos(at))),
        4 => ClockId::MonotonicRaw,
        5 => ClockId::RealtimeCoarse,
        6 => ClockId::MonotonicCoarse,
        7 => ClockId::Boottime,
        _ => return None,
    };
    // Read between two looks at ours, so that the error is half of what lies
    // between them; again if somebody else had the processor meanwhile.
    let look = || {
        let before = Timestamp::now();
        let theirs = rustix::time::clock_gettime_dynamic(DynamicClockId::Known(id)).ok()?;
        Some((Timestamp::now().since(before), before, duration(theirs)?))
    };
    let mut best = look()?;
    for _ in 0..LOOKS {
        if best.0 < CLOSE {
            break;
        }
        best = best.min(look()?);
    }
    let (between, before, theirs) = best;
    let ours = nanos(between / 2).saturating_add(before.as_nanos());
    let ago = i128::try_from(theirs.as_nanos()).ok()? - i128::try_from(at.as_nanos()).ok()?;
    u64::try_from(i128::from(ours) - ago).ok().map(Timestamp::from_nanos)
}

fn duration(time: Timespec) -> Option<Duration> {
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clock_of_the_system_is_brought_to_ours() {
        let names = [
            (0, ClockId::Realtime),
            (1, ClockId::Monotonic),
            (4, ClockId::MonotonicRaw),
            (5, ClockId::RealtimeCoarse),
            (6, ClockId::MonotonicCoarse),
            (7, ClockId::Boottime),
        ];
        for (number, id) in names {
            let before = Timestamp::now();
            let theirs = duration(rustix::time::clock_gettime(id)).unwrap();
            let ours = on_our_clock(number, theirs).unwrap();
            // Coarse clocks are up to 10 ms behind.
            let error = ours.since(before).max(before.since(ours));
            assert!(error < Duration::from_millis(500), "clock {number}: {error:?}");
        }
        assert_eq!(on_our_clock(99, Duration::ZERO), None);
        assert_eq!(on_our_clock(1, Duration::from_secs(5)).unwrap().as_nanos(), 5_000_000_000);
    }
}

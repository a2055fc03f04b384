//! Watching a child for signs of life.

use std::time::Duration;

use crate::child::Limits;
use crate::time::Timestamp;

/// The host waits for a sign of life of the child: a frame, or that the child
/// rests, which is looked for when the time is up.
///
/// It waits from the start of the connection, from each frame on (a child that
/// draws as it likes owes the next one, or goes to rest), and from a begin-frame
/// on if the child was found at rest before.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Vigil {
    since: Option<Timestamp>,
    /// Begin-frames since the last sign of life.
    asked: u32,
}

impl Vigil {
    /// The child connected, or gave a frame: the next sign is due from now.
    pub(super) fn restart(&mut self, now: Timestamp) {
        *self = Self { since: Some(now), asked: 0 };
    }

    /// A frame was asked for.
    pub(super) fn ask(&mut self, now: impl FnOnce() -> Timestamp) {
        self.since.get_or_insert_with(now);
        self.asked = self.asked.saturating_add(1);
    }

    /// The time is up, and it was looked at what that means: until the next
    /// frame is asked for, none is waited for.
    pub(super) fn pause(&mut self) {
        *self = Self::default();
    }

    /// When the time is up.
    pub(super) fn due_at(&self, limits: &Limits) -> Option<Timestamp> {
        let since = self.since?;
        let asked_too_often = limits.begin_frames != 0 && self.asked >= limits.begin_frames;
        Some(since + if asked_too_often { Duration::ZERO } else { limits.stall })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_or_begin_frames_whichever_is_first() {
        let limits = Limits::default().stall(Duration::from_secs(5)).begin_frames(3);
        let start = Timestamp::from_nanos(7);
        let late = start + Duration::from_secs(5);
        let mut vigil = Vigil::default();
        assert_eq!(vigil.due_at(&limits), None);
        vigil.restart(start);
        assert_eq!(vigil.due_at(&limits), Some(late));
        vigil.ask(|| late);
        vigil.ask(|| late);
        assert_eq!(vigil.due_at(&limits), Some(late), "it has begun already");
        vigil.ask(|| late);
        assert_eq!(vigil.due_at(&limits), Some(start), "at once");
        vigil.pause();
        assert_eq!(vigil.due_at(&limits), None);
        vigil.ask(|| start);
        assert_eq!(vigil.due_at(&limits), Some(late));
        let patient = limits.begin_frames(0);
        (0..1000).for_each(|_| vigil.ask(|| late));
        assert_eq!(vigil.due_at(&patient), Some(late));
    }
}

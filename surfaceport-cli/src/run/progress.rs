//! A line on stderr while it works.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use surfaceport::{Stats, Timestamp};

/// Says how it goes: often in place where stderr is a terminal, else a line now
/// and then.
pub(super) struct Progress {
    every: Duration,
    in_place: bool,
    started: Timestamp,
    last: (Timestamp, u64),
    next: Option<Timestamp>,
}

impl Progress {
    pub(super) fn start(wanted: bool, now: Timestamp) -> Self {
        let in_place = std::io::stderr().is_terminal();
        let every = if in_place { Duration::from_millis(500) } else { Duration::from_secs(10) };
        let next = wanted.then(|| now + every);
        Self { every, in_place, started: now, last: (now, 0), next }
    }

    /// When to show it.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.next
    }

    pub(super) fn show(&mut self, now: Timestamp, stats: &Stats) {
        let (at, shown) = std::mem::replace(&mut self.last, (now, stats.shown));
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let rate = stats.shown.saturating_sub(shown) as f64 / now.since(at).as_secs_f64();
        let line = format!(
            "{:.0} s: {} shown, {rate:.0} a second, {} restarts",
            now.since(self.started).as_secs_f64(),
            stats.shown,
            stats.restarts,
        );
        // The cursor goes back, so that whatever is written next takes the line.
        let (before, after) = if self.in_place { ("\r", "\x1b[K\r") } else { ("", "\n") };
        let _nowhere = write!(std::io::stderr(), "{before}{line}{after}");
        self.next = Some(now + self.every);
    }

    /// Takes the line away.
    pub(super) fn clear(&mut self) {
        if self.in_place && self.next.take().is_some() {
            let _nowhere = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

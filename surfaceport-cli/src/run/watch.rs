//! A pane that is watched: what comes through it is timed and checked.

use hdrhistogram::Histogram;
use surfaceport::{Error, Lease, Observe, Observed};

use crate::verify::{Stamp, hash};

/// A pane whose frames are watched.
pub(crate) type Watched<P> = Observed<P, Watcher>;

/// Times the frames of a pane, and checks them.
pub(crate) struct Watcher {
    seen: Seen,
    verify: bool,
    /// The child that drew the last frame.
    drawn_by: Option<u32>,
    /// The frame on display, if it is checked: another look at it follows.
    on_display: Option<(Lease, Stamp)>,
}

/// What was seen of the frames of a pane.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Children of which a frame was shown.
    pub(crate) children: u64,
    /// From present to take, in ns.
    pub(crate) handoff: Histogram<u64>,
    /// Frames whose stamp was compared with what they hold.
    pub(crate) verified: u64,
    /// Frames that were not, or not for as long as they were held, what the
    /// child had drawn.
    pub(crate) torn: u64,
    /// Frames of another child or in another's place.
    pub(crate) foreign: u64,
    /// Frames without a stamp.
    pub(crate) unstamped: u64,
}

impl Default for Seen {
    fn default() -> Self {
        let minute = 60_000_000_000;
        let handoff = Histogram::new_with_max(minute, 3).expect("the bounds are in order");
        Self { children: 0, handoff, verified: 0, torn: 0, foreign: 0, unstamped: 0 }
    }
}

impl Seen {
    /// Adds what another pane saw.
    pub(crate) fn add(&mut self, other: &Self) {
        self.handoff.add(&other.handoff).expect("the bounds are the same");
        self.children += other.children;
        self.verified += other.verified;
        self.torn += other.torn;
        self.foreign += other.foreign;
        self.unstamped += other.unstamped;
    }
}

impl Watcher {
    pub(crate) fn new(verify: bool) -> Self {
        Self { seen: Seen::default(), verify, drawn_by: None, on_display: None }
    }

    /// The child that drew what is shown.
    pub(crate) fn drawn_by(&self) -> Option<u32> {
        self.drawn_by
    }

    /// Looks a last time at the frame on display: all that was seen.
    pub(crate) fn finish(&mut self) -> Result<&Seen, Error> {
        self.look_again()?;
        Ok(&self.seen)
    }

    /// The frame that leaves the display has been held all the time: whether it
    /// is still what it was.
    fn look_again(&mut self) -> Result<(), Error> {
        if let Some((lease, stamp)) = self.on_display.take() {
            self.seen.torn += u64::from(hash(lease.surface().view()?) != stamp.hash);
        }
        Ok(())
    }

    fn look(&mut self, lease: &Lease) -> Result<(), Error> {
        self.look_again()?;
        let Some(stamp) = Stamp::from_bytes(&lease.user_data()) else {
            self.seen.unstamped += 1;
            return Ok(());
        };
        self.seen.verified += 1;
        let its_child = lease.child_pid().is_none_or(|pid| stamp.child == u64::from(pid));
        if !its_child || stamp.sequence != lease.id().sequence {
            self.seen.foreign += 1;
        }
        if hash(lease.surface().view()?) == stamp.hash {
            self.on_display = Some((lease.share(), stamp));
        } else {
            self.seen.torn += 1;
        }
        Ok(())
    }
}

impl Observe for Watcher {
    fn frame(&mut self, lease: &Lease) -> Result<(), Error> {
        let handoff = lease.taken_at().since(lease.presented_at()).as_nanos();
        self.seen.handoff.saturating_record(u64::try_from(handoff).unwrap_or(u64::MAX));
        if self.drawn_by != lease.child_pid() {
            self.drawn_by = lease.child_pid();
            self.seen.children += 1;
        }
        if self.verify { self.look(lease) } else { Ok(()) }
    }
}

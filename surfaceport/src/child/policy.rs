//! What a child is allowed, and when it is started again.

use std::time::Duration;

use crate::geometry::{MAX_SIDE, Size};
use crate::sandbox::Sandbox;

/// What the host puts up with from one child.
///
/// | limit | by default |
/// |---|---|
/// | memory of all live surfaces | 1 GiB |
/// | size of a surface | 16384 x 16384 |
/// | surfaces | 16 in each of two generations; not to be changed |
/// | time until Hello | 10 s |
/// | messages that are listened to | 2,000 a second, 500 at once |
/// | time without a sign of life | 5 s |
/// | begin-frames without a sign of life | 300 |
/// | what becomes of a child that gives none | it lives on |
/// | time to exit after the connection closed | 5 s |
/// | files that it has open | 256, or 64 in `Sandbox::Renderer` |
/// | memory that it maps | no limit |
///
/// How often a child that crashed is started again is in [`Restart`].
///
/// ```
/// use std::time::Duration;
/// use surfaceport::{Limits, Size};
///
/// let limits = Limits::default()
///     .surface_bytes(256 << 20)
///     .surface_size(Size::new(4096, 4096))
///     .handshake(Duration::from_secs(2));
/// # let _ = limits;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub(crate) surface_bytes: u64,
    pub(crate) surface_size: Size,
    pub(crate) handshake: Duration,
    pub(crate) message_rate: u32,
    pub(crate) stall: Duration,
    pub(crate) begin_frames: u32,
    pub(crate) end_stalled: bool,
    pub(crate) exit: Duration,
    open_files: Option<u64>,
    pub(crate) address_space: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            surface_bytes: 1 << 30,
            surface_size: Size::new(MAX_SIDE, MAX_SIDE),
            handshake: Duration::from_secs(10),
            message_rate: 2_000,
            stall: Duration::from_secs(5),
            begin_frames: 300,
            end_stalled: false,
            exit: Duration::from_secs(5),
            open_files: None,
            address_space: None,
        }
    }
}

impl Limits {
    /// Bytes that all live surfaces of the child may take; a resize needs room
    /// for the old and the new ones. More is refused, and the child lives on.
    #[must_use]
    pub fn surface_bytes(mut self, bytes: u64) -> Self {
        self.surface_bytes = bytes;
        self
    }

    /// The largest surface. A larger one is refused, and the child lives on.
    /// Sides are kept within 1 and [`MAX_SIDE`].
    #[must_use]
    pub fn surface_size(mut self, size: Size) -> Self {
        self.surface_size =
            Size::new(size.width.clamp(1, MAX_SIDE), size.height.clamp(1, MAX_SIDE));
        self
    }

    /// How long a child may take until it says Hello; then it is ended.
    #[must_use]
    pub fn handshake(mut self, time: Duration) -> Self {
        self.handshake = time;
        self
    }

    /// How many messages a second of the child are listened to, and a quarter of
    /// that at once. A child that sends more has to wait; none is lost.
    #[must_use]
    pub fn message_rate(mut self, a_second: u32) -> Self {
        self.message_rate = a_second.max(4);
        self
    }

    /// How long a child may give no sign of life, until
    /// [`Event::Stalled`](crate::Event::Stalled) says so.
    ///
    /// A frame is a sign of life, and a child that rests need not give any: one
    /// that waits for a begin-frame, for a free slot, or for the next event. The
    /// time runs while frames are wanted, from the start, from each frame, and,
    /// if the child was at rest, from the next begin-frame.
    #[must_use]
    pub fn stall(mut self, time: Duration) -> Self {
        self.stall = time;
        self
    }

    /// How many begin-frames a child may leave without a sign of life; then it
    /// counts as stalled, even before the time is up. 0 is any number.
    #[must_use]
    pub fn begin_frames(mut self, missed: u32) -> Self {
        self.begin_frames = missed;
        self
    }

    /// Whether a child that stalled is ended. Then it may be started again, as
    /// one that crashed.
    #[must_use]
    pub fn end_stalled(mut self, end: bool) -> Self {
        self.end_stalled = end;
        self
    }

    /// How long a child may go on after its connection has closed; then it is
    /// ended.
    #[must_use]
    pub fn exit(mut self, time: Duration) -> Self {
        self.exit = time;
        self
    }

    /// How many files a child that this host starts may have open. It needs one for
    /// each slot of two generations and a dozen more. The limit also keeps a child
    /// from using up the handles that a user may have in flight between processes,
    /// as long as the host's own limit is well above it.
    #[must_use]
    pub fn open_files(mut self, files: u64) -> Self {
        self.open_files = Some(files);
        self
    }

    /// How much memory, in bytes, a child that this host starts may map, its
    /// surfaces, its program and its threads' stacks among it.
    #[must_use]
    pub fn address_space(mut self, bytes: u64) -> Self {
        self.address_space = Some(bytes);
        self
    }

    pub(crate) fn get_open_files(&self, sandbox: Option<Sandbox>) -> u64 {
        let by_default = if sandbox == Some(Sandbox::Renderer) { 64 } else { 256 };
        self.open_files.unwrap_or(by_default)
    }
}

/// When a child that ended is started again.
///
/// Only one that had said Hello, and did not end by itself with code 0, is: a
/// program that never connects would not the next time either. The first
/// restart follows after `delay`, each further one after twice as long, up to
/// 64 times; after `limit` restarts within `window` the session gives up.
///
/// ```
/// use std::time::Duration;
/// use surfaceport::Restart;
///
/// let restart = Restart::default()
///     .limit(10)
///     .window(Duration::from_secs(60))
///     .delay(Duration::from_millis(20));
/// # let _ = restart;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Restart {
    limit: u32,
    window: Duration,
    delay: Duration,
}

impl Default for Restart {
    /// Up to 5 restarts within 10 s, the first after 50 ms.
    fn default() -> Self {
        Self { limit: 5, window: Duration::from_secs(10), delay: Duration::from_millis(50) }
    }
}

impl Restart {
    /// No restart.
    #[must_use]
    pub fn never() -> Self {
        Self::default().limit(0)
    }

    /// How many restarts there may be within the window.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    /// How long a restart counts.
    #[must_use]
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// How long to wait before the first restart.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// How long a restart counts.
    pub(crate) fn get_window(&self) -> Duration {
        self.window
    }

    /// How long to wait after so many restarts within the window; `None` is for
    /// ever.
    pub(crate) fn after(&self, recent: u32) -> Option<Duration> {
        (recent < self.limit).then(|| self.delay.saturating_mul(1 << recent.min(6)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_doubles_and_ends() {
        let restart = Restart::default().limit(9).delay(Duration::from_millis(10));
        let delays: Vec<_> = (0..10).map(|recent| restart.after(recent)).collect();
        let millis = [10, 20, 40, 80, 160, 320, 640, 640, 640];
        let expected: Vec<_> =
            millis.into_iter().map(|ms| Some(Duration::from_millis(ms))).chain([None]).collect();
        assert_eq!(delays, expected);
        assert_eq!(Restart::never().after(0), None);
    }
}

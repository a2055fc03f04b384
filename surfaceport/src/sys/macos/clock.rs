//! The monotonic clock.

use std::time::Duration;

use super::kern;
use crate::time::Timestamp;

/// Now, on the clock that goes on while the machine sleeps
/// (`mach_continuous_time`).
pub(crate) fn now() -> Timestamp {
    kern::now()
}

/// What this thread has used of a processor. A system call.
pub(crate) fn thread_time() -> Duration {
    kern::thread_time()
}

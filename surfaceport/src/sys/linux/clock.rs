//! The monotonic clock.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::time::Timestamp;

/// Now, on `CLOCK_MONOTONIC`: no system call where the vDSO has it.
pub(crate) fn now() -> Timestamp {
    let now = clock_gettime(ClockId::Monotonic);
    // The clock starts at boot and its seconds are never negative.
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
    Timestamp::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// What this thread has used of a processor. A system call.
pub(crate) fn thread_time() -> Duration {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(used.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(used.tv_nsec).unwrap_or(0))
}

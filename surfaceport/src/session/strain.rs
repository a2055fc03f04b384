//! What a child makes the host's system calls cost.
//!
//! Whoever writes to a pipe wakes those who wait for it, and pays for that: a
//! child that hangs thousands of epoll sets on its end (of the bell, the socket,
//! its own output) makes each of the host's calls there take milliseconds. The
//! host can't see the watchers. It can see the time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::sync::{AtomicBool, Ordering};
use crate::time::Timestamp;
use crate::wait::thread_time;

/// The time that calls on what a child holds, too, have taken; shared by the
/// session and the frames, which ring from any thread.
#[derive(Debug, Default)]
pub(super) struct Strain {
    /// The last call was slow by the clock. The next one is measured in the
    /// thread's own time, which tells work from waiting for a processor, but
    /// costs two system calls.
    suspect: AtomicBool,
    debt: Mutex<Debt>,
    /// More than is granted.
    over: AtomicBool,
}

#[derive(Debug, Default)]
struct Debt {
    spent: Duration,
    since: Timestamp,
}

/// An ordinary call takes some microseconds.
const SLOW: Duration = Duration::from_micros(250);
/// What slow calls may take, all together,
const GRANTED: Duration = Duration::from_millis(20);
/// beyond this part of the time.
const SHARE: u32 = 50;

impl Strain {
    /// Makes a call, and notes what it took.
    pub(super) fn of<T>(&self, call: impl FnOnce() -> T) -> T {
        let measured = self.suspect.load(Ordering::Relaxed);
        let before = measured.then(thread_time);
        let start = Timestamp::now();
        let result = call();
        let now = Timestamp::now();
        if let Some(before) = before {
            let took = thread_time().saturating_sub(before);
            let slow = took >= SLOW;
            self.suspect.store(slow, Ordering::Relaxed);
            if slow {
                let mut debt = self.debt.lock().unwrap_or_else(PoisonError::into_inner);
                if debt.charge(took, now) {
                    self.over.store(true, Ordering::Relaxed);
                }
            }
        } else if now.since(start) >= SLOW {
            self.suspect.store(true, Ordering::Relaxed);
        }
        result
    }

    /// Whether it was more than the host puts up with.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

impl Debt {
    /// `true`: it is too much.
    fn charge(&mut self, took: Duration, now: Timestamp) -> bool {
        let paid = now.since(self.since) / SHARE;
        self.spent = self.spent.saturating_sub(paid) + took;
        self.since = now;
        self.spent > GRANTED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_share_of_the_time_is_granted() {
        let start = Timestamp::from_nanos(1_000_000_000);
        let mut honest = Debt::default();
        assert!((0..1000).all(|i| !honest.charge(MS, start + MS * 60 * i)));
        let mut hostile = Debt::default();
        let strikes = (0..1000).take_while(|i| !hostile.charge(MS, start + MS * 16 * *i)).count();
        assert!((20..40).contains(&strikes), "{strikes}");
    }

    #[test]
    fn work_counts_and_sleep_does_not() {
        let strain = Strain::default();
        for _ in 0..8 {
            strain.of(|| std::thread::sleep(5 * MS));
        }
        assert!(!strain.is_over());
        let work = || {
            let until = thread_time() + 5 * MS;
            while thread_time() < until {
                std::hint::spin_loop();
            }
        };
        for _ in 0..8 {
            strain.of(work);
        }
        assert!(strain.is_over());
    }
}

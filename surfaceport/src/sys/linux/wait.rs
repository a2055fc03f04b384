//! The wait set: one epoll fd for all that a side waits for (epoll(7)).

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use super::os;
use crate::error::Error;
use crate::sys::Trigger;
use crate::time::Timestamp;

/// What can be waited on.
pub(crate) type Source<'a> = BorrowedFd<'a>;

/// An fd that the system's own calls can wait on.
pub(crate) fn from_fd(fd: BorrowedFd<'_>) -> Source<'_> {
    fd
}

impl Trigger {
    fn flags(self) -> epoll::EventFlags {
        match self {
            Self::Edge => epoll::EventFlags::IN | epoll::EventFlags::ET,
            Self::Level => epoll::EventFlags::IN,
            Self::LevelAndRoom => epoll::EventFlags::IN | epoll::EventFlags::OUT,
        }
    }
}

/// How many events one wait takes; more come with the next.
const EVENTS: usize = 16;
const TIMER: u64 = u64::MAX;

/// Sleeps until one of its sources or its timer fires; itself pollable.
#[derive(Debug)]
pub(crate) struct WaitSet {
    epoll: OwnedFd,
    timer: OwnedFd,
}

impl WaitSet {
    /// An empty set.
    pub(crate) fn new() -> Result<Self, Error> {
        let doing = "creating a wait set";
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|errno| os(doing, errno))?;
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, flags).map_err(|errno| os(doing, errno))?;
        let set = Self { epoll, timer };
        set.add(set.timer.as_fd(), TIMER, Trigger::Level)?;
        Ok(set)
    }

    /// Adds a source; `token`, any number but the highest, says later which one
    /// fired.
    pub(crate) fn add(&self, source: Source<'_>, token: u64, when: Trigger) -> Result<(), Error> {
        epoll::add(&self.epoll, source, epoll::EventData::new_u64(token), when.flags())
            .map_err(|errno| os("adding to a wait set", errno))
    }

    /// Changes when a source fires.
    pub(crate) fn change(&self, source: Source<'_>, token: u64, when: Trigger) {
        let data = epoll::EventData::new_u64(token);
        let _known = epoll::modify(&self.epoll, source, data, when.flags());
    }

    /// Removes a source. Closing it would not do: the peer may hold the same
    /// description open, and epoll would go on reporting it. Nor would a change to
    /// no events, for a while: a peer's end is always reported (epoll_ctl(2)).
    pub(crate) fn remove(&self, source: Source<'_>) {
        let _gone = epoll::delete(&self.epoll, source);
    }

    /// Sets the timer, or switches it off.
    pub(crate) fn set_timer(&self, at: Option<Timestamp>) {
        // Zero would switch it off; the clock is past one nanosecond.
        let nanos = at.map_or(0, |at| at.as_nanos().max(1));
        let value = timespec(Duration::from_nanos(nanos));
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let timer = Itimerspec { it_interval: never, it_value: value };
        let set = timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &timer);
        debug_assert!(set.is_ok(), "the timer is ours and the time is valid");
    }

    /// Waits until something fires or the time is over, and calls `fired` with
    /// each token, `None` for the timer. A signal ends the wait early.
    pub(crate) fn wait(
        &self,
        timeout: Option<Duration>,
        mut fired: impl FnMut(Option<u64>),
    ) -> Result<(), Error> {
        let timeout = timeout.map(timespec);
        // On the stack: an event can hold a pointer, so a buffer that is kept
        // would tie the set to its thread.
        let mut events = [const { MaybeUninit::uninit() }; EVENTS];
        match epoll::wait(&self.epoll, &mut events, timeout.as_ref()) {
            Ok((events, _)) => {
                for event in events {
                    let token = event.data.u64();
                    fired((token != TIMER).then_some(token));
                }
                Ok(())
            }
            Err(Errno::INTR) => Ok(()),
            Err(Errno::NOSYS) => {
                Err(Error::Unsupported { feature: "epoll_pwait2", needs: "Linux 5.11" })
            }
            Err(errno) => Err(os("waiting", errno)),
        }
    }
}

impl AsFd for WaitSet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

/// As the kernel takes it.
pub(super) fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

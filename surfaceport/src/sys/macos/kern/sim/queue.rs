//! The kernel's queues: `kqueue(2)`.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::ports::PortId;
use super::tasks::{Pipe, TaskId, current};
use super::{Kernel, changed, sleep};
use crate::sys::macos::kern::{Name, Watched};
use std::sync::Arc;

/// What one looks at.
#[derive(Debug)]
enum Ident {
    Port { name: Name, port: PortId },
    Process(i32, TaskId),
    Pipe(Arc<Pipe>),
}

#[derive(Debug)]
struct Knote {
    ident: Ident,
    edge: bool,
    id: u64,
    /// How many messages had come when it last fired.
    seen: Option<u64>,
    said: bool,
}

impl Knote {
    fn is(&self, what: Watched<'_>) -> bool {
        match (&self.ident, what) {
            (Ident::Port { name: own, .. }, Watched::Port(name)) => *own == name,
            (Ident::Process(own, _), Watched::Process(pid)) => *own == pid,
            (Ident::Pipe(own), Watched::Pipe(pipe)) => Arc::ptr_eq(own, &pipe.0),
            _ => false,
        }
    }

    /// Whether it fires now.
    fn fires(&mut self, kernel: &Kernel) -> bool {
        match &self.ident {
            Ident::Port { port, .. } => {
                let Some((waiting, came)) = kernel.waiting(*port) else { return false };
                let new = !self.edge || self.seen != Some(came);
                if waiting && new {
                    self.seen = Some(came);
                }
                waiting && new
            }
            Ident::Process(_, task) => {
                let ended = kernel.tasks.get(task).is_none_or(|task| task.status.is_some());
                ended && !std::mem::replace(&mut self.said, ended)
            }
            Ident::Pipe(pipe) => pipe.state(|pipe| pipe.ended || !pipe.bytes.is_empty()),
        }
    }
}

/// A queue of events.
#[derive(Debug)]
pub(in crate::sys::macos) struct Queue(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    knotes: Vec<Knote>,
    /// Where the next look starts.
    turn: usize,
    timer: Option<Instant>,
    awake: bool,
}

/// ENOENT, ESRCH
const NO_SUCH: i32 = 2;
const NO_PROCESS: i32 = 3;

impl Queue {
    /// Longer than anybody waits.
    const EVER: Duration = Duration::from_secs(100_000_000);

    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// EV_ADD: fires at once if it is ready.
    pub(in crate::sys::macos) fn watch(
        &self,
        what: Watched<'_>,
        edge: bool,
        id: u64,
    ) -> Result<(), i32> {
        let (task, mut kernel) = current();
        let ident = match what {
            Watched::Port(name) => {
                let port = kernel.receives(task, name).ok_or(NO_SUCH)?;
                Ident::Port { name, port }
            }
            Watched::Process(pid) => {
                let process = kernel.by_pid(pid).ok_or(NO_PROCESS)?;
                if kernel.tasks.get(&process).is_none_or(|task| task.status.is_some()) {
                    return Err(NO_PROCESS);
                }
                Ident::Process(pid, process)
            }
            Watched::Pipe(pipe) => Ident::Pipe(Arc::clone(&pipe.0)),
        };
        self.state(|state| {
            state.knotes.retain(|knote| !knote.is(what));
            state.knotes.push(Knote { ident, edge, id, seen: None, said: false });
        });
        drop(kernel);
        changed();
        Ok(())
    }

    /// EV_DELETE.
    pub(in crate::sys::macos) fn forget(&self, what: Watched<'_>) {
        self.state(|state| state.knotes.retain(|knote| !knote.is(what)));
    }

    /// Fires once after so long; `None` for never.
    pub(in crate::sys::macos) fn set_timer(&self, after: Option<Duration>) {
        let at = after.map(|after| Instant::now() + after.min(Self::EVER));
        self.state(|state| state.timer = at);
        let (_, kernel) = current();
        drop(kernel);
        changed();
    }

    /// Stays readable for as long as this is set (EVFILT_USER).
    pub(in crate::sys::macos) fn keep_awake(&self, awake: bool) {
        self.state(|state| state.awake = awake);
        let (_, kernel) = current();
        drop(kernel);
        changed();
    }

    /// Waits for events: the id of each.
    pub(in crate::sys::macos) fn wait(
        &self,
        timeout: Option<Duration>,
        most: usize,
    ) -> Result<Vec<u64>, i32> {
        let end = timeout.map(|timeout| Instant::now() + timeout.min(Self::EVER));
        let (_, mut kernel) = current();
        loop {
            let now = Instant::now();
            let (found, timer, awake) = self.state(|state| {
                let mut found = Vec::new();
                let count = state.knotes.len();
                for step in 0..count {
                    let at = (state.turn + step) % count;
                    if found.len() < most && state.knotes[at].fires(&kernel) {
                        found.push((at, state.knotes[at].id));
                    }
                }
                if let Some((last, _)) = found.last() {
                    state.turn = last + 1;
                }
                let due = state.timer.is_some_and(|at| at <= now);
                if due {
                    state.timer = None;
                }
                (found, (due, state.timer), state.awake)
            });
            let over = end.is_some_and(|end| end <= now);
            if !found.is_empty() || timer.0 || awake || over {
                return Ok(found.into_iter().map(|(_, id)| id).collect());
            }
            let next = match (end, timer.1) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            kernel = sleep(kernel, next.map(|next| next.saturating_duration_since(now)));
            drop(kernel);
            kernel = current().1;
        }
    }
}

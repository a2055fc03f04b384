//! Tasks: threads that share a table of names, and what a process has beside.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::ports::Entry;
use super::{Kernel, Locked, changed, lock, sleep};
use crate::sys::mach_frame::AuditToken;
use crate::sys::macos::kern::{Code, Name, Reaped, Status};

pub(super) type TaskId = u32;

/// What a task is.
#[derive(Debug)]
pub(in crate::sys::macos) struct Task {
    pub(super) token: AuditToken,
    pub(super) names: BTreeMap<Name, Entry>,
    pub(super) last_name: Name,
    pub(super) parent: TaskId,
    pub(super) env: BTreeMap<OsString, OsString>,
    pub(super) output: Option<Arc<Pipe>>,
    /// How it ended.
    pub(super) status: Option<Status>,
    pub(super) reaped: bool,
    pub(super) mappings: usize,
    pub(super) surfaces: usize,
    /// The call that is made to fail: so many are let through before.
    fail_after: Option<usize>,
}

/// A pipe from a child.
#[derive(Debug, Default)]
pub(super) struct Pipe(Mutex<PipeState>);

#[derive(Debug, Default)]
pub(super) struct PipeState {
    pub(super) bytes: VecDeque<u8>,
    pub(super) ended: bool,
}

impl Pipe {
    pub(super) fn state<T>(&self, look: impl FnOnce(&mut PipeState) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a child runs, with its arguments; its result is the exit code.
pub(in crate::sys::macos) type Main = Arc<dyn Fn(&[OsString]) -> i32 + Send + Sync>;

static PROGRAMS: Mutex<BTreeMap<PathBuf, Main>> = Mutex::new(BTreeMap::new());

/// Makes a program known.
pub(in crate::sys::macos) fn install(path: PathBuf, main: Main) {
    PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner).insert(path, main);
}

pub(super) fn program(path: &PathBuf) -> Option<Main> {
    PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
}

thread_local! {
    static CURRENT: Cell<TaskId> = const { Cell::new(0) };
}

/// Unwinds the threads of a task that was killed: they do nothing any more.
struct Killed;

/// The user that all run as.
pub(super) const UID: u32 = 501;

/// The task that this thread is of, which may be dead: the one that all threads
/// start in, unless they are told otherwise.
///
/// For what destructors call. One that unwinds makes a function lose the value that
/// it is about to return (rust-lang/rust#47949).
pub(super) fn dead_or_alive() -> (TaskId, Locked) {
    let mut kernel = lock();
    let mut task = CURRENT.get();
    if task == 0 {
        task = 1;
        kernel.task(task, 0);
    }
    (task, kernel)
}

/// The task that this thread is of; a dead one does nothing any more.
pub(super) fn current() -> (TaskId, Locked) {
    let (task, kernel) = dead_or_alive();
    if is_dead(&kernel, task) && !std::thread::panicking() {
        drop(kernel);
        resume_unwind(Box::new(Killed));
    }
    (task, kernel)
}

/// Whether this thread's task is gone and only cleans up.
pub(super) fn is_dead(kernel: &Kernel, task: TaskId) -> bool {
    kernel.tasks.get(&task).is_none_or(|task| task.status.is_some())
}

/// The same, and whether this call is the one that is made to fail.
pub(super) fn call(failure: Code) -> Result<(TaskId, Locked), Code> {
    or_fail(current(), failure)
}

/// Whether this caller's call is the one that is made to fail.
pub(super) fn or_fail(
    (task, mut kernel): (TaskId, Locked),
    failure: Code,
) -> Result<(TaskId, Locked), Code> {
    let left = kernel.tasks.get_mut(&task).and_then(|task| task.fail_after.as_mut());
    match left {
        Some(0) => {
            kernel.tasks.get_mut(&task).expect("it is this one").fail_after = None;
            Err(failure)
        }
        Some(left) => {
            *left -= 1;
            Ok((task, kernel))
        }
        None => Ok((task, kernel)),
    }
}

impl Kernel {
    /// The task of this number, made if need be.
    fn task(&mut self, id: TaskId, parent: TaskId) -> &mut Task {
        self.last_task = self.last_task.max(id);
        self.tasks.entry(id).or_insert_with(|| Task {
            token: AuditToken([UID, UID, 20, UID, 20, 1000 + id, 100_001, id]),
            names: BTreeMap::new(),
            last_name: 0x100 * id,
            parent,
            env: BTreeMap::new(),
            output: None,
            status: None,
            reaped: false,
            mappings: 0,
            surfaces: 0,
            fail_after: None,
        })
    }

    pub(super) fn new_task(&mut self, parent: TaskId) -> (TaskId, &mut Task) {
        let id = self.last_task.max(1) + 1;
        (id, self.task(id, parent))
    }

    pub(super) fn by_pid(&self, pid: i32) -> Option<TaskId> {
        let id = u32::try_from(pid).ok()?.checked_sub(1000)?;
        self.tasks.contains_key(&id).then_some(id)
    }

    pub(super) fn pid(&self, task: TaskId) -> u32 {
        self.tasks.get(&task).map_or(0, |task| task.token.pid())
    }

    /// Ends a task: all that it has goes, then others hear of it.
    pub(super) fn end(&mut self, id: TaskId, status: Status) {
        if self.tasks.get(&id).is_none_or(|task| task.status.is_some()) {
            return;
        }
        self.clear_names(id);
        if let Some(task) = self.tasks.get_mut(&id) {
            task.status = Some(status);
            if let Some(output) = task.output.take() {
                output.state(|pipe| pipe.ended = true);
            }
        }
        changed();
    }

    pub(super) fn reap(&mut self, parent: TaskId, id: Option<TaskId>) -> Reaped {
        let Some(task) = id.and_then(|id| self.tasks.get_mut(&id)) else { return Reaped::Nobody };
        if task.parent != parent || task.reaped {
            return Reaped::Nobody;
        }
        match task.status {
            None => Reaped::Running,
            Some(status) => {
                task.reaped = true;
                Reaped::Ended(status)
            }
        }
    }
}

/// What Rust's programs exit with after a panic.
const PANICKED: i32 = 101;

/// The life of a child, on its own thread.
pub(super) fn live(id: TaskId, main: &Main, args: &[OsString]) {
    CURRENT.set(id);
    let code = catch_unwind(AssertUnwindSafe(|| main(args)));
    let mut kernel = lock();
    kernel.end(id, Status::Exited(code.unwrap_or(PANICKED)));
    drop(kernel);
    // What drops on this thread later is of nobody.
    CURRENT.set(id);
}

/// A thread of the same task.
pub(in crate::sys::macos) fn thread(
    name: &str,
    body: impl FnOnce() + Send + 'static,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let task = CURRENT.get();
    std::thread::Builder::new().name(name.into()).spawn(move || {
        CURRENT.set(task);
        // A task that is killed takes its threads along, silently.
        let _end = catch_unwind(AssertUnwindSafe(body));
    })
}

/// Runs something as a task of its own, and ends that.
pub(in crate::sys::macos) fn in_task<T>(body: impl FnOnce() -> T) -> T {
    let before = CURRENT.get();
    let id = {
        let mut kernel = lock();
        kernel.task(1, 0);
        kernel.new_task(1).0
    };
    CURRENT.set(id);
    let result = catch_unwind(AssertUnwindSafe(body));
    CURRENT.set(before);
    lock().end(id, Status::Exited(0));
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

/// What a task has: to be the same before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sys::macos) struct Snapshot {
    names: BTreeMap<Name, Entry>,
    mappings: usize,
    surfaces: usize,
}

impl Snapshot {
    /// Of this thread's task.
    pub(in crate::sys::macos) fn take() -> Self {
        let (task, kernel) = current();
        let task = &kernel.tasks[&task];
        Self { names: task.names.clone(), mappings: task.mappings, surfaces: task.surfaces }
    }

    /// How many references a name has.
    pub(in crate::sys::macos) fn references(name: Name) -> usize {
        let (task, mut kernel) = current();
        kernel.entry(task, name).map_or(0, |entry| (entry.send + entry.dead) as usize)
    }
}

/// Lets so many calls of this task through and makes the next one fail; `None`
/// for none. Whether the one before was made to fail.
pub(in crate::sys::macos) fn fail_after(calls: Option<usize>) -> bool {
    let (task, mut kernel) = current();
    let task = kernel.tasks.get_mut(&task).expect("it is this one");
    let pending = std::mem::replace(&mut task.fail_after, calls);
    pending.is_none()
}

/// Waits until somebody kills this task.
pub(in crate::sys::macos) fn kill_switch() {
    loop {
        let (_, kernel) = current();
        drop(sleep(kernel, None));
    }
}

/// Child: writes to its output.
pub(in crate::sys::macos) fn write_output(text: &str) {
    let (task, kernel) = current();
    if let Some(output) = kernel.tasks.get(&task).and_then(|task| task.output.as_ref()) {
        output.state(|pipe| pipe.bytes.extend(text.as_bytes()));
    }
    drop(kernel);
    changed();
}

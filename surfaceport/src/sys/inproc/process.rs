//! Child processes: threads that run a registered function.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::lock;
use super::message::{Endpoint, Line};
use super::wait::{Signal, Source};
use crate::error::{Error, ExitReason};
use crate::sys::PipeRead;
use crate::time::Deadline;

/// What a child runs, with its arguments; its result is the exit code.
pub(super) type Program = Arc<dyn Fn(&[OsString]) -> i32 + Send + Sync>;

static PROGRAMS: Mutex<BTreeMap<PathBuf, Program>> = Mutex::new(BTreeMap::new());

/// Makes a program known.
pub(super) fn install(name: PathBuf, program: Program) {
    lock(&PROGRAMS).insert(name, program);
}

/// How to start a child. What only processes have is not used.
#[derive(Clone, Debug, Default)]
#[expect(dead_code, reason = "the fields are the facade's")]
pub(crate) struct Spawn {
    /// The program's name.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
    /// Not used.
    pub(crate) env: Vec<(OsString, Option<OsString>)>,
    /// Not used.
    pub(crate) env_clear: bool,
    /// Not used.
    pub(crate) current_dir: Option<PathBuf>,
    /// Not used.
    pub(crate) die_with_host: bool,
}

/// A child that was started.
#[derive(Debug)]
pub(crate) struct Spawned {
    pub(crate) process: Process,
    pub(crate) endpoint: Endpoint,
    pub(crate) stderr: StderrPipe,
}

/// What a child knows of itself.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) endpoint: Mutex<Option<Endpoint>>,
    life: Arc<Life>,
    output: Arc<Output>,
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Context>>> = const { RefCell::new(None) };
}

impl Context {
    /// Of the child that this thread is.
    pub(super) fn current() -> Option<Arc<Self>> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Waits until somebody kills this child.
    pub(super) fn wait_for_kill(&self) {
        let mut state = lock(&self.life.state);
        while !state.killed {
            state = self.life.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Writes to stderr.
    pub(super) fn write(&self, text: &str) {
        lock(&self.output.state).bytes.extend(text.as_bytes());
        self.output.signal.ready();
    }
}

/// Whether a child still runs.
#[derive(Debug, Default)]
struct Life {
    state: Mutex<LifeState>,
    changed: Condvar,
    signal: Arc<Signal>,
}

#[derive(Debug, Default)]
struct LifeState {
    killed: bool,
    ended: Option<ExitReason>,
}

/// The number of Linux's SIGKILL.
const KILLED: ExitReason = ExitReason::Signalled { signal: 9, core_dumped: false };
/// What Rust's programs exit with after a panic.
const PANICKED: i32 = 101;

impl Spawn {
    /// Starts the child, with one end of a new connection inherited. Its stdout
    /// and stderr are one pipe.
    pub(crate) fn start(&self) -> Result<Spawned, Error> {
        static NEXT: Mutex<u32> = Mutex::new(1);
        let refused = |source| Error::Spawn { program: self.program.clone(), source };
        let program = lock(&PROGRAMS).get(&self.program).cloned();
        let program = program.ok_or_else(|| refused(io::ErrorKind::NotFound.into()))?;
        let (endpoint, child_end) = Endpoint::pair()?;
        let line = child_end.line();
        let life = Arc::<Life>::default();
        let output = Arc::<Output>::default();
        let context = Arc::new(Context {
            endpoint: Mutex::new(Some(child_end)),
            life: Arc::clone(&life),
            output: Arc::clone(&output),
        });
        let args = self.args.clone();
        let thread = std::thread::Builder::new()
            .name("inproc-child".into())
            .spawn(move || run(&context, &program, &args))
            .map_err(refused)?;
        let mut next = lock(&NEXT);
        let pid = *next;
        *next += 1;
        let process = Process { pid, life, line, thread: Some(thread) };
        Ok(Spawned { process, endpoint, stderr: StderrPipe(output) })
    }
}

fn run(context: &Arc<Context>, program: &Program, args: &[OsString]) {
    CURRENT.set(Some(Arc::clone(context)));
    let code = catch_unwind(AssertUnwindSafe(|| program(args)));
    CURRENT.set(None);
    // A process closes all that it has before it is seen to have ended.
    drop(lock(&context.endpoint).take());
    lock(&context.output.state).ended = true;
    context.output.signal.ready();
    let mut state = lock(&context.life.state);
    state.ended = Some(match code {
        _ if state.killed => KILLED,
        Ok(code) => ExitReason::Exited(code),
        Err(_panic) => ExitReason::Exited(PANICKED),
    });
    context.life.changed.notify_all();
    context.life.signal.ready();
}

/// A child that is watched.
#[derive(Debug)]
pub(crate) struct Process {
    pid: u32,
    life: Arc<Life>,
    /// Its connection, seen from its end.
    line: Line,
    /// Until it is reaped.
    thread: Option<JoinHandle<()>>,
}

impl Process {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Asks a child of ours to end, and takes its connection away.
    pub(crate) fn kill(&self) {
        if self.thread.is_some() {
            lock(&self.life.state).killed = true;
            self.life.changed.notify_all();
            self.line.cut();
        }
    }

    /// How it ended, if it has; reaps it. To be called until it says `Some`.
    pub(crate) fn reap(&mut self) -> Option<ExitReason> {
        let reason = lock(&self.life.state).ended.clone()?;
        match self.thread.take() {
            Some(thread) => {
                let _ended = thread.join();
                Some(reason)
            }
            None => Some(ExitReason::Disconnected),
        }
    }

    /// Waits until it has ended, for so long at most.
    pub(crate) fn ended(&self, patience: Duration) -> bool {
        let deadline = Deadline::from(patience);
        let mut state = lock(&self.life.state);
        while state.ended.is_none() && !deadline.passed() {
            let left = deadline.remaining().unwrap_or(Duration::MAX);
            state = match self.life.changed.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(broken) => broken.into_inner().0,
            };
        }
        state.ended.is_some()
    }

    /// What to wait on for its end.
    pub(crate) fn source(&self) -> Source<'_> {
        &self.life.signal
    }
}

impl Drop for Process {
    /// Asks a child of ours to end, and waits for that.
    fn drop(&mut self) {
        const PATIENCE: Duration = Duration::from_secs(2);
        if self.thread.is_some() {
            self.kill();
            if self.ended(PATIENCE) {
                let _reason = self.reap();
            }
        }
    }
}

/// What a child writes to stdout and stderr.
#[derive(Debug)]
pub(crate) struct StderrPipe(Arc<Output>);

#[derive(Debug, Default)]
struct Output {
    state: Mutex<OutputState>,
    signal: Arc<Signal>,
}

#[derive(Debug, Default)]
struct OutputState {
    bytes: VecDeque<u8>,
    ended: bool,
}

impl StderrPipe {
    /// Reads what is there.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> PipeRead {
        let mut state = lock(&self.0.state);
        let count = state.bytes.len().min(buffer.len());
        if count == 0 {
            return if state.ended { PipeRead::End } else { PipeRead::Empty };
        }
        for (into, byte) in buffer.iter_mut().zip(state.bytes.drain(..count)) {
            *into = byte;
        }
        if state.bytes.is_empty() && !state.ended {
            self.0.signal.empty();
        }
        PipeRead::Bytes(count)
    }

    /// What to wait on for more.
    pub(crate) fn source(&self) -> Source<'_> {
        &self.0.signal
    }
}

//! The calls, as `apple.rs` has them.

use std::ffi::{CStr, OsString};
use std::io;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::memory::{Block, PAGE, SurfaceObject};
use super::ports::{Kind, Receiver, Sent};
use super::tasks::{self, Pipe, TaskId, UID, call, current, dead_or_alive, is_dead, or_fail};
use super::{Kernel, changed, lock, sleep};
use crate::format::ColorSpace;
use crate::sys::macos::kern::{Code, Geometry, Name, Program, Reaped, Status, option};
use crate::time::Timestamp;

pub(in crate::sys::macos) use super::queue::Queue;
pub(in crate::sys::macos) use super::tasks::thread;

/// A port that only this task knows, with room for so many messages.
pub(in crate::sys::macos) fn port_construct(room: u32) -> Result<Name, Code> {
    let (task, mut kernel) = call(Code::NO_SPACE)?;
    let port = kernel.new_port(Receiver::Task(task), room as usize, Kind::Plain);
    Ok(kernel.add_receive(task, port))
}

/// A call that gives something back: it can't fail, or it was no right.
fn give_back(what: impl FnOnce(&mut Kernel, TaskId) -> Code) {
    let (task, mut kernel) = dead_or_alive();
    if !is_dead(&kernel, task) {
        let code = what(&mut kernel, task);
        drop(kernel);
        assert_eq!(code, Code::SUCCESS, "a right was given back that is not there");
        changed();
    }
}

pub(in crate::sys::macos) fn port_destruct(name: Name) {
    give_back(|kernel, task| kernel.destruct(task, name));
}

pub(in crate::sys::macos) fn port_deallocate(name: Name) {
    give_back(|kernel, task| kernel.deallocate(task, name));
}

pub(in crate::sys::macos) fn port_insert_send(name: Name) -> Result<(), Code> {
    let (task, mut kernel) = call(Code::RESOURCE_SHORTAGE)?;
    kernel.insert_send(task, name).ok()
}

pub(in crate::sys::macos) fn port_request(
    about: Name,
    id: i32,
    notify: Name,
) -> Result<Name, Code> {
    let (task, mut kernel) = call(Code::RESOURCE_SHORTAGE)?;
    let result = kernel.request(task, about, id, notify);
    changed();
    result
}

fn remote(buffer: &[u8]) -> Name {
    buffer.get(8..).and_then(<[u8]>::first_chunk).copied().map_or(0, u32::from_le_bytes)
}

pub(in crate::sys::macos) fn send(buffer: &mut [u8], options: i32, patience: u32) -> Code {
    let (task, mut kernel) = match call(Code::SEND_NO_BUFFER) {
        Ok(called) => called,
        Err(failed) => return failed,
    };
    let end = Instant::now() + Duration::from_millis(patience.into());
    loop {
        let last_try = options & option::SEND_TIMEOUT != 0 && Instant::now() >= end;
        match kernel.send(task, buffer, last_try) {
            Err(code) => return code,
            Ok(Sent::Done) => {
                changed();
                return Code::SUCCESS;
            }
            Ok(Sent::HandBack(bytes)) => {
                if options & option::SEND_NOTIFY != 0 {
                    kernel.arm(task, remote(buffer));
                }
                buffer.copy_from_slice(&bytes);
                return Code::SEND_TIMED_OUT;
            }
            Ok(Sent::NoRoom) => {
                let left = end.saturating_duration_since(Instant::now());
                let waits = options & option::SEND_TIMEOUT != 0;
                drop(sleep(kernel, waits.then_some(left)));
                kernel = current().1;
            }
        }
    }
}

pub(in crate::sys::macos) fn receive(
    buffer: &mut [u8],
    name: Name,
    options: i32,
    patience: u32,
) -> Code {
    // A destructor looks, and does not wait.
    let caller = if patience == 0 { dead_or_alive() } else { current() };
    let (task, mut kernel) = match or_fail(caller, Code::RESOURCE_SHORTAGE) {
        Ok(called) => called,
        Err(failed) => return failed,
    };
    let audit = options & option::AUDIT_TRAILER == option::AUDIT_TRAILER;
    let end = Instant::now() + Duration::from_millis(patience.into());
    let mut first = true;
    loop {
        match kernel.receive(task, name, buffer.len(), audit) {
            Err(Code::RCV_INVALID_NAME) if !first => return Code::RCV_PORT_DIED,
            Err(code) => {
                changed();
                return code;
            }
            Ok(Some(bytes)) => {
                buffer[..bytes.len()].copy_from_slice(&bytes);
                changed();
                return Code::SUCCESS;
            }
            Ok(None) => {}
        }
        let left = end.saturating_duration_since(Instant::now());
        if options & option::RECEIVE_TIMEOUT != 0 && left.is_zero() {
            return Code::RCV_TIMED_OUT;
        }
        first = false;
        drop(sleep(kernel, Some(left)));
        kernel = current().1;
    }
}

pub(in crate::sys::macos) fn message_destroy(buffer: &mut [u8]) {
    let (task, mut kernel) = dead_or_alive();
    if !is_dead(&kernel, task) {
        kernel.message_destroy(task, buffer);
        changed();
    }
}

/// A memory entry, and how long the memory is.
pub(in crate::sys::macos) fn memory_entry(len: u64) -> Result<(Name, u64), Code> {
    let (task, mut kernel) = call(Code::RESOURCE_SHORTAGE)?;
    // More than the heap has is on offer here (it is counted when touched), so
    // there is a limit of our own.
    let len = usize::try_from(len).ok().filter(|len| (1..=1 << 30).contains(len));
    let block = len.and_then(Block::new).ok_or(Code::NO_SPACE)?;
    let len = block.len() as u64;
    let port = kernel.new_port(Receiver::Kernel, 0, Kind::Memory(block));
    Ok((kernel.make_send(task, port), len))
}

/// Maps part of a memory entry.
pub(in crate::sys::macos) fn map(entry: Name, offset: u64, len: u64) -> Result<Mapped, Code> {
    let (task, mut kernel) = call(Code::NO_SPACE)?;
    let port = kernel.entry(task, entry).and_then(|entry| entry.port);
    let kind = port.and_then(|port| kernel.ports.get(&port)).map(|port| port.kind.clone());
    let Some(Kind::Memory(block)) = kind else { return Err(Code::INVALID_OBJECT) };
    let end = offset.checked_add(len).ok_or(Code::INVALID_ARGUMENT)?;
    if len == 0 || end > block.len() as u64 {
        return Err(Code::INVALID_ARGUMENT);
    }
    kernel.tasks.get_mut(&task).ok_or(Code::INVALID_ARGUMENT)?.mappings += 1;
    let (offset, len) = (usize::try_from(offset), usize::try_from(len));
    let (Ok(offset), Ok(len)) = (offset, len) else { return Err(Code::INVALID_ARGUMENT) };
    Ok(Mapped { block, offset, len, task })
}

/// Memory in this task's address space.
#[derive(Debug)]
pub(in crate::sys::macos) struct Mapped {
    block: Arc<Block>,
    offset: usize,
    len: usize,
    task: TaskId,
}

impl Mapped {
    /// Where it starts, at a page.
    pub(in crate::sys::macos) fn start(&self) -> NonNull<u8> {
        assert_eq!(self.offset, 0, "only whole memory is looked at");
        self.block.start()
    }

    pub(in crate::sys::macos) fn len(&self) -> usize {
        self.len
    }

    /// Copies bytes out, whatever others write meanwhile. The range is within.
    pub(in crate::sys::macos) fn copy(&self, offset: usize, out: &mut [u8]) -> Result<(), Code> {
        let _call = call(Code::INVALID_ARGUMENT)?;
        self.block.copy(self.offset + offset, out);
        Ok(())
    }

    /// What the tests read and write, without a pointer.
    pub(in crate::sys::macos) fn words(&self) -> impl Iterator<Item = &crate::sync::AtomicU64> {
        self.block.words().take(self.len / 8)
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        if let Some(task) = lock().tasks.get_mut(&self.task) {
            task.mappings -= 1;
        }
    }
}

pub(in crate::sys::macos) fn check_in(name: &CStr) -> Result<Name, Code> {
    let (task, mut kernel) = call(Code::BOOTSTRAP_NOT_PRIVILEGED)?;
    if kernel.services.contains_key(name) {
        return Err(Code::BOOTSTRAP_SERVICE_ACTIVE);
    }
    // launchd makes the port, keeps a right to send to it, and sees it die.
    const QLIMIT_BASIC: usize = 5;
    let port = kernel.new_port(Receiver::Task(task), QLIMIT_BASIC, Kind::Plain);
    kernel.services.insert(name.into(), port);
    Ok(kernel.add_receive(task, port))
}

pub(in crate::sys::macos) fn look_up(name: &CStr) -> Result<Name, Code> {
    let (task, mut kernel) = call(Code::BOOTSTRAP_UNKNOWN_SERVICE)?;
    let port = kernel.services.get(name).copied().ok_or(Code::BOOTSTRAP_UNKNOWN_SERVICE)?;
    Ok(kernel.make_send(task, port))
}

/// Bytes that nobody can guess.
pub(in crate::sys::macos) fn random() -> io::Result<[u8; 16]> {
    use std::hash::{BuildHasher, RandomState};
    let mut bytes = [0; 16];
    for half in bytes.chunks_mut(8) {
        half.copy_from_slice(&RandomState::new().hash_one(0).to_le_bytes());
    }
    Ok(bytes)
}

pub(in crate::sys::macos) fn parent_pid() -> u32 {
    let (task, kernel) = current();
    kernel.tasks.get(&task).map_or(0, |task| kernel.pid(task.parent))
}

pub(in crate::sys::macos) fn euid() -> u32 {
    UID
}

pub(in crate::sys::macos) fn page_size() -> u64 {
    PAGE as u64
}

/// How much memory there is.
pub(in crate::sys::macos) fn memory_size() -> u64 {
    1 << 30
}

/// A variable of the environment, which can be had once.
pub(in crate::sys::macos) fn take_variable(name: &str) -> Option<OsString> {
    let (task, mut kernel) = current();
    kernel.tasks.get_mut(&task)?.env.remove(std::ffi::OsStr::new(name))
}

/// What a child writes.
#[derive(Debug)]
pub(in crate::sys::macos) struct PipeReader(pub(super) Arc<Pipe>);

/// The end that the child gets.
#[derive(Debug)]
pub(in crate::sys::macos) struct PipeWriter(Arc<Pipe>);

pub(in crate::sys::macos) fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let _call = call(Code::NO_SPACE).map_err(io::Error::other)?;
    let pipe = Arc::<Pipe>::default();
    Ok((PipeReader(Arc::clone(&pipe)), PipeWriter(pipe)))
}

impl PipeReader {
    /// By which it is known again.
    pub(in crate::sys::macos) fn key(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// `Ok(None)`: nothing at the moment; `Ok(Some(0))`: the end.
    pub(in crate::sys::macos) fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let _task = current();
        Ok(self.0.state(|pipe| {
            let count = pipe.bytes.len().min(buffer.len());
            for (into, byte) in buffer.iter_mut().zip(pipe.bytes.drain(..count)) {
                *into = byte;
            }
            (count > 0 || pipe.ended).then_some(count)
        }))
    }
}

/// Starts a child whose output goes into the pipe: its process id.
pub(in crate::sys::macos) fn spawn(program: &Program<'_>, output: &PipeWriter) -> io::Result<i32> {
    let (parent, mut kernel) = call(Code::RESOURCE_SHORTAGE).map_err(io::Error::other)?;
    let main = tasks::program(program.path).ok_or(io::ErrorKind::NotFound)?;
    let (id, task) = kernel.new_task(parent);
    task.env = program.env.iter().cloned().collect();
    task.output = Some(Arc::clone(&output.0));
    let pid = i32::try_from(kernel.pid(id)).map_err(io::Error::other)?;
    let args = program.args.to_vec();
    drop(kernel);
    let live = move || tasks::live(id, &main, &args);
    std::thread::Builder::new().name("sim-child".into()).spawn(live)?;
    Ok(pid)
}

pub(in crate::sys::macos) fn kill(pid: i32) {
    let (_, mut kernel) = dead_or_alive();
    if let Some(id) = kernel.by_pid(pid) {
        kernel.end(id, Status::Signalled { signal: 9, core_dumped: false });
    }
}

/// What became of a child; it is gone for good once this said how it ended.
pub(in crate::sys::macos) fn reap(pid: i32, wait: bool) -> Reaped {
    let (parent, mut kernel) = dead_or_alive();
    loop {
        let id = kernel.by_pid(pid);
        match kernel.reap(parent, id) {
            Reaped::Running if wait => {
                drop(sleep(kernel, None));
                kernel = current().1;
            }
            other => return other,
        }
    }
}

pub(in crate::sys::macos) fn queue() -> io::Result<Queue> {
    let _call = call(Code::NO_SPACE).map_err(io::Error::other)?;
    Ok(Queue::new())
}

pub(in crate::sys::macos) fn now() -> Timestamp {
    crate::sys::linux::now()
}

pub(in crate::sys::macos) fn thread_time() -> Duration {
    crate::sys::linux::thread_time()
}

/// An IOSurface of this task's.
#[derive(Debug)]
pub(in crate::sys::macos) struct Surface {
    object: Arc<SurfaceObject>,
    task: TaskId,
}

impl Surface {
    fn own(object: Arc<SurfaceObject>, kernel: &mut Kernel, task: TaskId) -> Self {
        if let Some(task) = kernel.tasks.get_mut(&task) {
            task.surfaces += 1;
        }
        Self { object, task }
    }

    /// `alloc_size` of the geometry is a wish; more may come.
    pub(in crate::sys::macos) fn create(geometry: Geometry) -> Result<Self, Code> {
        let (task, mut kernel) = call(Code::RESOURCE_SHORTAGE)?;
        let least = geometry.bytes_per_row.checked_mul(geometry.height);
        let rows = geometry.width.checked_mul(geometry.bytes_per_element);
        let fits = rows.is_some_and(|row| row > 0 && row <= geometry.bytes_per_row);
        if !fits || least.is_none_or(|least| least == 0 || least > geometry.alloc_size) {
            return Err(Code::INVALID_ARGUMENT);
        }
        let fits = geometry.alloc_size <= 1 << 30;
        let block = fits.then(|| Block::new(geometry.alloc_size)).flatten();
        let block = block.ok_or(Code::NO_SPACE)?;
        let geometry = Geometry { alloc_size: block.len(), ..geometry };
        let object = SurfaceObject { geometry, block, uses: Mutex::default() };
        Ok(Self::own(Arc::new(object), &mut kernel, task))
    }

    /// Says what its pixels mean as light.
    pub(in crate::sys::macos) fn set_color_space(&self, space: ColorSpace) {
        let _task = current();
        self.object.uses(|uses| uses.color_space = Some(space));
    }

    pub(in crate::sys::macos) fn color_space(&self) -> Option<ColorSpace> {
        self.object.uses(|uses| uses.color_space)
    }

    /// How often a processor has written it.
    pub(in crate::sys::macos) fn seed(&self) -> u32 {
        self.object.uses(|uses| uses.seed)
    }

    /// `IOSurfaceIncrementUseCount`, as the window server does for what it shows:
    /// it counts once for each task, until that has taken back all or has ended.
    pub(in crate::sys::macos) fn use_it(&self) {
        let (task, _kernel) = current();
        self.object.uses(|uses| *uses.counts.entry(task).or_default() += 1);
    }

    /// `IOSurfaceDecrementUseCount`.
    pub(in crate::sys::macos) fn use_it_no_more(&self) {
        let (task, _kernel) = current();
        self.object.uses(|uses| {
            let count = uses.counts.get_mut(&task).expect("it was used");
            *count -= 1;
            if *count == 0 {
                uses.counts.remove(&task);
            }
        });
    }

    /// A port for it: while it lives, the surface counts as used.
    pub(in crate::sys::macos) fn create_port(&self) -> Result<Name, Code> {
        let (task, mut kernel) = call(Code::RESOURCE_SHORTAGE)?;
        let kind = Kind::Surface(Arc::clone(&self.object));
        let port = kernel.new_port(Receiver::Kernel, 0, kind);
        Ok(kernel.make_send(task, port))
    }

    /// The surface behind a port, which stays whose it was.
    pub(in crate::sys::macos) fn look_up(port: Name) -> Option<Self> {
        let (task, mut kernel) = call(Code::INVALID_NAME).ok()?;
        let id = kernel.entry(task, port)?.port?;
        let Kind::Surface(object) = kernel.ports.get(&id)?.kind.clone() else { return None };
        Some(Self::own(object, &mut kernel, task))
    }

    pub(in crate::sys::macos) fn geometry(&self) -> Geometry {
        self.object.geometry
    }

    /// Its memory in this task.
    pub(in crate::sys::macos) fn map(&self) -> Result<Mapped, Code> {
        let (task, mut kernel) = call(Code::NO_SPACE)?;
        if let Some(task) = kernel.tasks.get_mut(&task) {
            task.mappings += 1;
        }
        let block = Arc::clone(&self.object.block);
        Ok(Mapped { len: block.len(), block, offset: 0, task })
    }

    /// The processor is going to look, or to write.
    pub(in crate::sys::macos) fn lock(&self, _read_only: bool) -> Result<(), Code> {
        let (task, _kernel) = call(Code::INVALID_ARGUMENT)?;
        self.object.uses(|uses| uses.locked.insert(task));
        Ok(())
    }

    /// It has; the seed tells others that it wrote.
    pub(in crate::sys::macos) fn unlock(&self, read_only: bool) -> Result<(), Code> {
        let (task, _kernel) = current();
        self.object.uses(|uses| {
            assert!(uses.locked.remove(&task), "unlocked, but not locked");
            uses.seed += u32::from(!read_only);
        });
        Ok(())
    }

    /// Whether anybody uses it: a port that lives, or a process that says so.
    pub(in crate::sys::macos) fn is_in_use(&self) -> bool {
        let (_, kernel) = current();
        let of_this = |port: &&super::ports::Port| matches!(&port.kind, Kind::Surface(object) if Arc::ptr_eq(object, &self.object));
        let lives = |task: &TaskId| !is_dead(&kernel, *task);
        kernel.ports.values().any(|port| of_this(&port))
            || self.object.uses(|uses| uses.counts.keys().any(lives))
    }
}

impl Drop for Surface {
    fn drop(&mut self) {
        if let Some(task) = lock().tasks.get_mut(&self.task) {
            task.surfaces -= 1;
        }
    }
}

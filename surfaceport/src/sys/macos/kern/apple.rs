//! Apple's calls. Nothing here decides anything: each function is one call, its
//! result turned into ours.

#![allow(unsafe_code, reason = "the calls of Apple's libraries")]

use std::ffi::{CStr, CString, OsStr, OsString, c_char, c_int, c_void};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr::{NonNull, null, null_mut};
use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::Duration;

use mach2::{bootstrap, mach_port, message, port, traps, vm};
use objc2_core_foundation::{CFDictionary, CFNumber, CFRetained, CFString, CFType};
use objc2_core_graphics::{
    kCGColorSpaceDisplayP3, kCGColorSpaceExtendedLinearSRGB, kCGColorSpaceITUR_2100_PQ,
    kCGColorSpaceSRGB,
};
use objc2_io_surface as iosurface;

use super::{Code, Geometry, Name, Program, Reaped, Status, Watched};
use crate::format::ColorSpace;
use crate::time::Timestamp;

// Of the layouts that these calls need (xtask/mac/layouts.c has the same of
// Apple's headers).
const _: () = assert!(size_of::<port::mach_port_options_t>() == 24);
const _: () = assert!(size_of::<message::mach_msg_header_t>() == 24);
const _: () = assert!(size_of::<libc::kevent>() == 32);

/// This task's own port.
fn task() -> Name {
    // SAFETY: reads a variable that libSystem sets before any of our code runs
    // (mach/mach_init.h).
    unsafe { traps::mach_task_self() }
}

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// A port that only this task knows, with room for so many messages.
pub(in crate::sys::macos) fn port_construct(room: u32) -> Result<Name, Code> {
    let mut options = port::mach_port_options_t {
        flags: port::MPO_QLIMIT,
        mpl: port::mach_port_limits_t { mpl_qlimit: room },
        reserved: [0; 2],
    };
    let mut name = 0;
    // SAFETY: both pointers are to locals of the types that the call takes
    // (mach/mach_port.defs); the context is used only as a guard, of which none
    // is asked for.
    let code =
        unsafe { mach_port::mach_port_construct(task(), &raw mut options, 0, &raw mut name) };
    Code(code).ok()?;
    Ok(name)
}

/// A call that gives something back: it can't fail, or it was no right.
fn gave_back(code: i32) {
    debug_assert_eq!(code, 0, "a right was given back that is not there");
}

pub(in crate::sys::macos) fn port_destruct(name: Name) {
    // SAFETY: takes plain numbers; the name is a receive right that its owner
    // gives up (rights.rs), and ours have no guard.
    gave_back(unsafe { mach_port::mach_port_destruct(task(), name, 0, 0) });
}

pub(in crate::sys::macos) fn port_deallocate(name: Name) {
    // SAFETY: takes plain numbers; the owner gives up one reference (rights.rs).
    gave_back(unsafe { mach_port::mach_port_deallocate(task(), name) });
}

pub(in crate::sys::macos) fn port_insert_send(name: Name) -> Result<(), Code> {
    let how = message::MACH_MSG_TYPE_MAKE_SEND;
    // SAFETY: takes plain numbers.
    Code(unsafe { mach_port::mach_port_insert_right(task(), name, name, how) }).ok()
}

pub(in crate::sys::macos) fn port_request(
    about: Name,
    id: i32,
    notify: Name,
) -> Result<Name, Code> {
    let mut previous = 0;
    let how = message::MACH_MSG_TYPE_MAKE_SEND_ONCE;
    // SAFETY: the pointer is to a local of the type that the call writes.
    let code = unsafe {
        mach_port::mach_port_request_notification(
            task(),
            about,
            id,
            0,
            notify,
            how,
            &raw mut previous,
        )
    };
    Code(code).ok()?;
    Ok(previous)
}

fn len(buffer: &[u8]) -> u32 {
    u32::try_from(buffer.len()).unwrap_or(u32::MAX)
}

pub(in crate::sys::macos) fn send(buffer: &mut [u8], options: i32, patience: u32) -> Code {
    let (size, header) = (len(buffer), buffer.as_mut_ptr().cast());
    // SAFETY: the buffer starts with a header and is as long as that says
    // (mach_frame.rs), aligned to 8 (rights.rs) and ours to be written: a
    // message that is handed back is no longer (mach_msg_receive_pseudo).
    Code(unsafe { message::mach_msg(header, options, size, 0, 0, patience, 0) })
}

pub(in crate::sys::macos) fn receive(
    buffer: &mut [u8],
    name: Name,
    options: i32,
    patience: u32,
) -> Code {
    let (size, header) = (len(buffer), buffer.as_mut_ptr().cast());
    // SAFETY: the kernel writes a message and its trailer to the buffer, at
    // most as many bytes as it has (without MACH_RCV_LARGE: mach/message.h); it
    // is aligned to 8 (rights.rs).
    Code(unsafe { message::mach_msg(header, options, 0, size, name, patience, 0) })
}

pub(in crate::sys::macos) fn message_destroy(buffer: &mut [u8]) {
    // SAFETY: the buffer holds a whole message that the kernel filled, or that
    // mach_frame.rs wrote, aligned to 8; the rights that it names are the
    // message's own (rights.rs).
    unsafe { message::mach_msg_destroy(buffer.as_mut_ptr().cast()) };
}

const READ_WRITE: c_int = mach2::vm_prot::VM_PROT_READ | mach2::vm_prot::VM_PROT_WRITE;
/// `MAP_MEM_NAMED_CREATE` (mach/memory_object_types.h): new memory, never a copy
/// of ours.
const NAMED_CREATE: c_int = 0x20000;

/// A memory entry, and how long the memory is.
pub(in crate::sys::macos) fn memory_entry(len: u64) -> Result<(Name, u64), Code> {
    let (mut size, mut entry) = (len, 0);
    // SAFETY: both pointers are to locals of the types that the call writes; no
    // memory of ours is named.
    let code = unsafe {
        vm::mach_make_memory_entry_64(
            task(),
            &raw mut size,
            0,
            READ_WRITE | NAMED_CREATE,
            &raw mut entry,
            0,
        )
    };
    Code(code).ok()?;
    Ok((entry, size))
}

/// Maps part of a memory entry.
pub(in crate::sys::macos) fn map(entry: Name, offset: u64, len: u64) -> Result<Mapped, Code> {
    let size = usize::try_from(len).map_err(|_| Code::NO_SPACE)?;
    let mut address = 0;
    // SAFETY: a new mapping at an address that the kernel chooses touches no
    // memory that exists (VM_FLAGS_ANYWHERE without VM_FLAGS_OVERWRITE).
    let code = unsafe {
        vm::mach_vm_map(
            task(),
            &raw mut address,
            len,
            0,
            mach2::vm_statistics::VM_FLAGS_ANYWHERE,
            entry,
            offset,
            0,
            READ_WRITE,
            READ_WRITE,
            mach2::vm_inherit::VM_INHERIT_NONE,
        )
    };
    Code(code).ok()?;
    let start = usize::try_from(address)
        .ok()
        .and_then(|address| NonNull::new(std::ptr::with_exposed_provenance_mut::<u8>(address)));
    let start = start.ok_or(Code::NO_SPACE)?;
    Ok(Mapped { start, len: size, keeps: Keeps::Mapping })
}

/// Memory in this task's address space.
#[derive(Debug)]
pub(in crate::sys::macos) struct Mapped {
    start: NonNull<u8>,
    len: usize,
    keeps: Keeps,
}

#[derive(Debug)]
enum Keeps {
    /// It is our own mapping.
    Mapping,
    /// It is the surface's, for as long as that lives.
    Surface(#[expect(dead_code, reason = "it is kept")] Surface),
}

impl Mapped {
    /// Where it starts, at a page.
    pub(in crate::sys::macos) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(in crate::sys::macos) fn len(&self) -> usize {
        self.len
    }

    /// Copies bytes out, whatever others write meanwhile. The range is within.
    pub(in crate::sys::macos) fn copy(&self, offset: usize, out: &mut [u8]) -> Result<(), Code> {
        let from = self.start.as_ptr().addr() + offset;
        let mut copied = 0;
        // SAFETY: the kernel copies from our own address space to `out`, which
        // has as many bytes; from a range that is not there it copies nothing
        // and says so (mach_vm_read_overwrite).
        let code = unsafe {
            vm::mach_vm_read_overwrite(
                task(),
                from as u64,
                out.len() as u64,
                out.as_mut_ptr().expose_provenance() as u64,
                &raw mut copied,
            )
        };
        Code(code).ok()
    }
}

#[cfg(test)]
impl Mapped {
    /// What the tests read and write.
    pub(in crate::sys::macos) fn words(&self) -> &[crate::sync::AtomicU64] {
        let start = self.start.cast();
        // SAFETY: a mapping is page-aligned and of this length, the result
        // borrows it, any bytes are valid atomics, and all access is atomic.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), self.len / 8) }
    }
}

/// How many references a send right's name has.
#[cfg(test)]
pub(in crate::sys::macos) fn references(name: Name) -> usize {
    let mut count = 0;
    // SAFETY: writes the local (mach/mach_port.defs).
    let code =
        unsafe { mach_port_get_refs(task(), name, port::MACH_PORT_RIGHT_SEND, &raw mut count) };
    if code == 0 { count as usize } else { 0 }
}

#[cfg(test)]
unsafe extern "C" {
    /// mach/mach_port.h
    fn mach_port_get_refs(task: Name, name: Name, right: u32, count: *mut u32) -> i32;
}

impl Drop for Mapped {
    fn drop(&mut self) {
        if matches!(self.keeps, Keeps::Mapping) {
            let (start, len) = (self.start.as_ptr().addr() as u64, self.len as u64);
            // SAFETY: the range is one whole mapping that `map` made and that
            // only this value owns; users borrow it and are gone.
            gave_back(unsafe { vm::mach_vm_deallocate(task(), start, len) });
        }
    }
}

// SAFETY: a mapping belongs to the process, not to a thread; the type itself
// reads and writes nothing through the address.
unsafe impl Send for Mapped {}
// SAFETY: as above; sharing the address and the length is harmless.
unsafe impl Sync for Mapped {}

pub(in crate::sys::macos) fn check_in(name: &CStr) -> Result<Name, Code> {
    let mut service = 0;
    // SAFETY: reads a variable that libSystem sets before any of our code runs.
    let server = unsafe { bootstrap::bootstrap_port };
    // SAFETY: the name ends with a zero (and is shorter than 128 bytes), the
    // other pointer is to a local.
    let code = unsafe { bootstrap::bootstrap_check_in(server, name.as_ptr(), &raw mut service) };
    Code(code).ok()?;
    Ok(service)
}

pub(in crate::sys::macos) fn look_up(name: &CStr) -> Result<Name, Code> {
    let mut service = 0;
    // SAFETY: reads a variable that libSystem sets before any of our code runs.
    let server = unsafe { bootstrap::bootstrap_port };
    // SAFETY: as in `check_in`.
    let code = unsafe { bootstrap::bootstrap_look_up(server, name.as_ptr(), &raw mut service) };
    Code(code).ok()?;
    Ok(service)
}

/// Bytes that nobody can guess.
pub(in crate::sys::macos) fn random() -> io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    // SAFETY: writes as many bytes as the array has (getentropy(2)).
    match unsafe { libc::getentropy(bytes.as_mut_ptr().cast(), bytes.len()) } {
        0 => Ok(bytes),
        _ => Err(io::Error::last_os_error()),
    }
}

pub(in crate::sys::macos) fn parent_pid() -> u32 {
    std::os::unix::process::parent_id()
}

pub(in crate::sys::macos) fn euid() -> u32 {
    // SAFETY: takes nothing and always succeeds (geteuid(2)).
    unsafe { libc::geteuid() }
}

pub(in crate::sys::macos) fn page_size() -> u64 {
    // SAFETY: takes a number (sysconf(3)).
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).unwrap_or(16384)
}

/// How much memory there is.
pub(in crate::sys::macos) fn memory_size() -> u64 {
    let mut size = 0_u64;
    let mut len = size_of::<u64>();
    // SAFETY: `hw.memsize` is a 64-bit number (sysctl(3)), and there is room for
    // one; nothing is set.
    let result = unsafe {
        libc::sysctlbyname(
            c"hw.memsize".as_ptr(),
            (&raw mut size).cast(),
            &raw mut len,
            null_mut(),
            0,
        )
    };
    if result == 0 { size } else { u64::MAX }
}

/// A variable of the environment, which can be had once.
pub(in crate::sys::macos) fn take_variable(name: &str) -> Option<OsString> {
    static TAKEN: Mutex<bool> = Mutex::new(false);
    let value = std::env::var_os(name)?;
    let mut taken = TAKEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    (!std::mem::replace(&mut *taken, true)).then_some(value)
}

/// A thread of this process.
pub(in crate::sys::macos) fn thread(
    name: &str,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.into()).spawn(body)
}

/// What a child writes.
#[derive(Debug)]
pub(in crate::sys::macos) struct PipeReader(OwnedFd);

/// The end that the child gets.
#[derive(Debug)]
pub(in crate::sys::macos) struct PipeWriter(OwnedFd);

pub(in crate::sys::macos) fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let mut ends = [0; 2];
    // SAFETY: writes two numbers, for which there is room (pipe(2)).
    if unsafe { libc::pipe(ends.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this fd for us, and nobody else knows it.
    let read = unsafe { OwnedFd::from_raw_fd(ends[0]) };
    // SAFETY: as above.
    let write = unsafe { OwnedFd::from_raw_fd(ends[1]) };
    for (fd, command, flag) in [
        // Another thread may start a program in between: only programs that do
        // not close what they should not have would see these.
        (&read, libc::F_SETFD, libc::FD_CLOEXEC),
        (&write, libc::F_SETFD, libc::FD_CLOEXEC),
        (&read, libc::F_SETFL, libc::O_NONBLOCK),
    ] {
        // SAFETY: the fd is open, and these commands take a number (fcntl(2)).
        if unsafe { libc::fcntl(fd.as_raw_fd(), command, flag) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok((PipeReader(read), PipeWriter(write)))
}

/// By which an fd is known again.
pub(in crate::sys::macos) fn fd_key(fd: BorrowedFd<'_>) -> usize {
    usize::try_from(fd.as_raw_fd()).unwrap_or(usize::MAX)
}

impl PipeReader {
    /// By which it is known again.
    pub(in crate::sys::macos) fn key(&self) -> usize {
        fd_key(self.0.as_fd())
    }

    /// `Ok(None)`: nothing at the moment; `Ok(Some(0))`: the end.
    pub(in crate::sys::macos) fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            let (start, len) = (buffer.as_mut_ptr().cast(), buffer.len());
            // SAFETY: writes at most as many bytes as the buffer has (read(2)).
            let read = unsafe { libc::read(self.0.as_raw_fd(), start, len) };
            if let Ok(read) = usize::try_from(read) {
                return Ok(Some(read));
            }
            match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                error => return Err(error),
            }
        }
    }
}

/// Attributes and file actions of a program to be started; destroyed with this.
struct Setup {
    attributes: libc::posix_spawnattr_t,
    actions: libc::posix_spawn_file_actions_t,
}

/// The error numbers that these calls return.
fn done(number: c_int) -> io::Result<()> {
    if number == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(number)) }
}

impl Setup {
    fn new() -> io::Result<Self> {
        let (mut attributes, mut actions) = (null_mut(), null_mut());
        // SAFETY: initialises the local (posix_spawnattr_init(3)).
        done(unsafe { libc::posix_spawnattr_init(&raw mut attributes) })?;
        // SAFETY: initialises the local (posix_spawn_file_actions_init(3)).
        let made = done(unsafe { libc::posix_spawn_file_actions_init(&raw mut actions) });
        if let Err(error) = made {
            // SAFETY: initialised above, and not used again.
            unsafe { libc::posix_spawnattr_destroy(&raw mut attributes) };
            return Err(error);
        }
        Ok(Self { attributes, actions })
    }

    /// A group of its own, no signal blocked or ignored, and no fd that is not
    /// named.
    fn fence(&mut self) -> io::Result<()> {
        let flags = libc::POSIX_SPAWN_CLOEXEC_DEFAULT
            | libc::POSIX_SPAWN_SETPGROUP
            | libc::POSIX_SPAWN_SETSIGDEF
            | libc::POSIX_SPAWN_SETSIGMASK;
        let flags = libc::c_short::try_from(flags).unwrap_or(0);
        // SAFETY: the attributes are initialised.
        done(unsafe { libc::posix_spawnattr_setflags(&raw mut self.attributes, flags) })?;
        // SAFETY: as above.
        done(unsafe { libc::posix_spawnattr_setpgroup(&raw mut self.attributes, 0) })?;
        let mut all: libc::sigset_t = 0;
        let none: libc::sigset_t = 0;
        // SAFETY: writes the local (sigfillset(3)).
        unsafe { libc::sigfillset(&raw mut all) };
        // SAFETY: the attributes are initialised, the set is read.
        done(unsafe {
            libc::posix_spawnattr_setsigdefault(&raw mut self.attributes, &raw const all)
        })?;
        // SAFETY: as above.
        done(unsafe { libc::posix_spawnattr_setsigmask(&raw mut self.attributes, &raw const none) })
    }

    /// Nothing to read, and one pipe to write to.
    fn stdio(&mut self, output: &PipeWriter) -> io::Result<()> {
        // SAFETY: the actions are initialised, the path ends with a zero and is
        // copied (posix_spawn_file_actions_addopen(3)).
        done(unsafe {
            libc::posix_spawn_file_actions_addopen(
                &raw mut self.actions,
                0,
                c"/dev/null".as_ptr(),
                libc::O_RDONLY,
                0,
            )
        })?;
        for to in [1, 2] {
            let from = output.0.as_raw_fd();
            // SAFETY: the actions are initialised; they hold numbers.
            done(unsafe {
                libc::posix_spawn_file_actions_adddup2(&raw mut self.actions, from, to)
            })?;
        }
        Ok(())
    }

    fn directory(&mut self, path: &CStr) -> io::Result<()> {
        // SAFETY: the actions are initialised, the path ends with a zero and is
        // copied (spawn.h of macOS 10.15).
        done(unsafe {
            libc::posix_spawn_file_actions_addchdir_np(&raw mut self.actions, path.as_ptr())
        })
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, and gone after this.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.attributes) };
        // SAFETY: as above.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.actions) };
    }
}

fn text(bytes: &OsStr) -> io::Result<CString> {
    CString::new(bytes.as_bytes()).map_err(io::Error::from)
}

/// Pointers to each, and a null behind: what an argv is.
fn pointers(strings: &[CString]) -> Vec<*mut c_char> {
    let all = strings.iter().map(|one| one.as_ptr().cast_mut());
    all.chain([null_mut()]).collect()
}

/// Starts a child whose output goes into the pipe: its process id.
pub(in crate::sys::macos) fn spawn(program: &Program<'_>, output: &PipeWriter) -> io::Result<i32> {
    let mut setup = Setup::new()?;
    setup.fence()?;
    setup.stdio(output)?;
    if let Some(directory) = program.current_dir {
        setup.directory(&text(directory.as_os_str())?)?;
    }
    let path = text(program.path.as_os_str())?;
    let mut argv = vec![path.clone()];
    for arg in program.args {
        argv.push(text(arg)?);
    }
    let mut envp = Vec::with_capacity(program.env.len());
    for (key, value) in &program.env {
        let mut pair = key.clone();
        pair.push("=");
        pair.push(value);
        envp.push(text(&pair)?);
    }
    let (argv, envp) = (pointers(&argv), pointers(&envp));
    let mut pid = 0;
    // SAFETY: everything that is pointed to is initialised, lives until the call
    // returns, and is only read; the lists end with a null (posix_spawn(2)).
    let number = unsafe {
        libc::posix_spawnp(
            &raw mut pid,
            path.as_ptr(),
            &raw const setup.actions,
            &raw const setup.attributes,
            argv.as_ptr(),
            envp.as_ptr(),
        )
    };
    done(number)?;
    Ok(pid)
}

pub(in crate::sys::macos) fn kill(pid: i32) {
    for whom in [-pid, pid] {
        // SAFETY: takes numbers; the child is not reaped, so neither its own
        // number nor its group's is anybody else's (kill(2)).
        unsafe { libc::kill(whom, libc::SIGKILL) };
    }
}

/// What became of a child; it is gone for good once this said how it ended.
pub(in crate::sys::macos) fn reap(pid: i32, wait: bool) -> Reaped {
    let options = if wait { 0 } else { libc::WNOHANG };
    let mut status = 0;
    loop {
        // SAFETY: writes the local (waitpid(2)).
        match unsafe { libc::waitpid(pid, &raw mut status, options) } {
            0 => return Reaped::Running,
            reaped if reaped == pid => break,
            _ if errno() == libc::EINTR => {}
            _ => return Reaped::Nobody,
        }
    }
    Reaped::Ended(if libc::WIFSIGNALED(status) {
        let signal = libc::WTERMSIG(status);
        Status::Signalled { signal, core_dumped: libc::WCOREDUMP(status) }
    } else {
        Status::Exited(libc::WEXITSTATUS(status))
    })
}

/// A queue of events.
#[derive(Debug)]
pub(in crate::sys::macos) struct Queue(OwnedFd);

pub(in crate::sys::macos) fn queue() -> io::Result<Queue> {
    // SAFETY: takes nothing (kqueue(2)).
    let fd = unsafe { libc::kqueue() };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this fd for us, and nobody else knows it.
    // (A kqueue is not inherited by fork, and close-on-exec by the flags of
    // `spawn`.)
    Ok(Queue(unsafe { OwnedFd::from_raw_fd(fd) }))
}

const fn event(ident: usize, filter: i16, flags: u16, fflags: u32, data: isize) -> libc::kevent {
    libc::kevent { ident, filter, flags, fflags, data, udata: null_mut() }
}

/// Longer than anybody waits, and what the kernel still takes.
const EVER: Duration = Duration::from_secs(100_000_000);

impl Queue {
    fn change(&self, change: libc::kevent) -> Result<(), i32> {
        // SAFETY: one change is read, no event is written (kevent(2)).
        let result = unsafe {
            libc::kevent(self.0.as_raw_fd(), &raw const change, 1, null_mut(), 0, null())
        };
        if result < 0 { Err(errno()) } else { Ok(()) }
    }

    fn ident(what: Watched<'_>) -> (usize, i16, u32) {
        match what {
            // A name is a number of 32 bits, which a usize holds.
            Watched::Port(name) => (name as usize, libc::EVFILT_MACHPORT, 0),
            Watched::Process(pid) => {
                (usize::try_from(pid).unwrap_or(0), libc::EVFILT_PROC, libc::NOTE_EXIT)
            }
            Watched::Pipe(pipe) => (pipe.key(), libc::EVFILT_READ, 0),
            Watched::Fd(fd) => (fd_key(fd), libc::EVFILT_READ, 0),
        }
    }

    /// Fires at once if it is ready.
    pub(in crate::sys::macos) fn watch(
        &self,
        what: Watched<'_>,
        edge: bool,
        id: u64,
    ) -> Result<(), i32> {
        let (ident, filter, fflags) = Self::ident(what);
        let flags = if edge { libc::EV_ADD | libc::EV_CLEAR } else { libc::EV_ADD };
        let mut change = event(ident, filter, flags, fflags, 0);
        change.udata = std::ptr::without_provenance_mut(usize::try_from(id).unwrap_or(0));
        self.change(change)
    }

    pub(in crate::sys::macos) fn forget(&self, what: Watched<'_>) {
        let (ident, filter, fflags) = Self::ident(what);
        // What is closed has left by itself.
        let _gone = self.change(event(ident, filter, libc::EV_DELETE, fflags, 0));
    }

    /// Fires once after so long; `None` for never.
    pub(in crate::sys::macos) fn set_timer(&self, after: Option<Duration>) {
        let _off = self.change(event(0, libc::EVFILT_TIMER, libc::EV_DELETE, 0, 0));
        if let Some(after) = after {
            let nanos = isize::try_from(after.min(EVER).as_nanos()).unwrap_or(isize::MAX);
            let flags = libc::EV_ADD | libc::EV_ONESHOT;
            let fflags = libc::NOTE_NSECONDS | libc::NOTE_MACH_CONTINUOUS_TIME;
            let set = self.change(event(0, libc::EVFILT_TIMER, flags, fflags, nanos));
            debug_assert_eq!(set, Ok(()), "the timer is ours and the time is valid");
        }
    }

    /// Stays readable for as long as this is set.
    pub(in crate::sys::macos) fn keep_awake(&self, awake: bool) {
        let flags = if awake { libc::EV_ADD } else { libc::EV_DELETE };
        let _set = self.change(event(0, libc::EVFILT_USER, flags, 0, 0));
        if awake {
            let set = self.change(event(0, libc::EVFILT_USER, 0, libc::NOTE_TRIGGER, 0));
            debug_assert_eq!(set, Ok(()), "it was added just now");
        }
    }

    /// Waits for events: the id of each.
    pub(in crate::sys::macos) fn wait(
        &self,
        timeout: Option<Duration>,
        most: usize,
    ) -> Result<Vec<u64>, i32> {
        let timeout = timeout.map(|timeout| {
            let timeout = timeout.min(EVER);
            libc::timespec {
                tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(0),
                tv_nsec: timeout.subsec_nanos().into(),
            }
        });
        let mut events = vec![event(0, 0, 0, 0, 0); most];
        let room = c_int::try_from(most).unwrap_or(c_int::MAX);
        // SAFETY: as many events are written as there is room for; the timeout
        // is read, or null, which is for ever.
        let count = unsafe {
            libc::kevent(
                self.0.as_raw_fd(),
                null(),
                0,
                events.as_mut_ptr(),
                room,
                timeout.as_ref().map_or(null(), |timeout| timeout),
            )
        };
        let Ok(count) = usize::try_from(count) else {
            return if errno() == libc::EINTR { Ok(Vec::new()) } else { Err(errno()) };
        };
        let own = [libc::EVFILT_TIMER, libc::EVFILT_USER];
        let told = events.iter().take(count).filter(|event| !own.contains(&event.filter));
        Ok(told.map(|event| event.udata.addr() as u64).collect())
    }
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

pub(in crate::sys::macos) fn now() -> Timestamp {
    // SAFETY: takes a number (clock_gettime_nsec_np(3)): mach_continuous_time in
    // nanoseconds.
    Timestamp::from_nanos(unsafe { clock_gettime_nsec_np(libc::CLOCK_MONOTONIC_RAW) })
}

pub(in crate::sys::macos) fn thread_time() -> Duration {
    // SAFETY: takes a number, as above.
    let nanos = unsafe { clock_gettime_nsec_np(libc::CLOCK_THREAD_CPUTIME_ID) };
    Duration::from_nanos(nanos)
}

unsafe extern "C" {
    /// time.h of macOS 10.12
    fn clock_gettime_nsec_np(clock: libc::clockid_t) -> u64;
}

/// What CoreGraphics calls a colour space (CGColorSpace.h).
pub(in crate::sys::macos) fn color_space_name(space: ColorSpace) -> &'static CFString {
    match space {
        // SAFETY: reads a constant that CoreGraphics sets when it is loaded.
        ColorSpace::Srgb => unsafe { kCGColorSpaceSRGB },
        // SAFETY: as above.
        ColorSpace::DisplayP3 => unsafe { kCGColorSpaceDisplayP3 },
        // Extended: values above 1 are kept.
        // SAFETY: as above.
        ColorSpace::LinearSrgb => unsafe { kCGColorSpaceExtendedLinearSRGB },
        // SAFETY: as above.
        ColorSpace::Bt2020Pq => unsafe { kCGColorSpaceITUR_2100_PQ },
    }
}

/// An IOSurface of this process's.
#[derive(Clone, Debug)]
pub(in crate::sys::macos) struct Surface(CFRetained<iosurface::IOSurfaceRef>);

// SAFETY: IOSurface's functions may be called from any thread (IOSurface is a
// kernel object behind a reference count that is atomic; Apple's documentation
// of IOSurface, "thread safe").
unsafe impl Send for Surface {}
// SAFETY: as above.
unsafe impl Sync for Surface {}

impl Surface {
    /// `alloc_size` of the geometry is a wish; more may come.
    pub(in crate::sys::macos) fn create(geometry: Geometry) -> Result<Self, Code> {
        let number = |value: usize| {
            let value = i64::try_from(value).map_err(|_| Code::INVALID_ARGUMENT)?;
            Ok::<_, Code>(CFNumber::new_i64(value))
        };
        // SAFETY: reads constants that IOSurface's library sets when it is loaded.
        let row_key = unsafe { iosurface::kIOSurfaceBytesPerRow };
        // SAFETY: as above.
        let alloc_key = unsafe { iosurface::kIOSurfaceAllocSize };
        if iosurface::IOSurfaceRef::align_property(row_key, geometry.bytes_per_row)
            != geometry.bytes_per_row
        {
            return Err(Code::INVALID_ARGUMENT);
        }
        let alloc = iosurface::IOSurfaceRef::align_property(alloc_key, geometry.alloc_size);
        let format = usize::try_from(geometry.format).map_err(|_| Code::INVALID_ARGUMENT)?;
        let keys: [&CFString; 8] = [
            // SAFETY: as above.
            unsafe { iosurface::kIOSurfaceWidth },
            // SAFETY: as above.
            unsafe { iosurface::kIOSurfaceHeight },
            // SAFETY: as above.
            unsafe { iosurface::kIOSurfacePixelFormat },
            // SAFETY: as above.
            unsafe { iosurface::kIOSurfaceBytesPerElement },
            // SAFETY: as above.
            unsafe { iosurface::kIOSurfaceElementWidth },
            // SAFETY: as above.
            unsafe { iosurface::kIOSurfaceElementHeight },
            row_key,
            alloc_key,
        ];
        let values = [
            number(geometry.width)?,
            number(geometry.height)?,
            number(format)?,
            number(geometry.bytes_per_element)?,
            number(geometry.element.0)?,
            number(geometry.element.1)?,
            number(geometry.bytes_per_row)?,
            number(alloc)?,
        ];
        let values = values.each_ref().map(|value| &**value);
        let properties = CFDictionary::<CFString, CFNumber>::from_slices(&keys, &values);
        // SAFETY: the properties are numbers under keys that want numbers.
        let surface = unsafe { iosurface::IOSurfaceRef::new(properties.as_opaque()) };
        let surface = Self(surface.ok_or(Code::NO_SPACE)?);
        // Written once, so that it is zero (Chromium's gfx/mac/io_surface.cc).
        surface.lock(false)?;
        surface.unlock(false)?;
        Ok(surface)
    }

    /// The `IOSurfaceRef`, borrowed.
    pub(in crate::sys::macos) fn as_ptr(&self) -> NonNull<c_void> {
        CFRetained::as_ptr(&self.0).cast()
    }

    /// Says what its pixels mean as light. It can be said anew at any time, by
    /// whoever has the surface.
    pub(in crate::sys::macos) fn set_color_space(&self, space: ColorSpace) {
        let name: &CFType = color_space_name(space);
        // SAFETY: reads a constant that IOSurface's library sets when it is loaded.
        let key = unsafe { iosurface::kIOSurfaceColorSpace };
        // SAFETY: the value of this key may be a colour space's name, as Chromium
        // (gfx/mac/io_surface.cc) and Firefox (SurfacePoolCA.mm) set it.
        unsafe { self.0.set_value(key, name) };
    }

    /// A port for it: while it lives, the surface counts as used.
    pub(in crate::sys::macos) fn create_port(&self) -> Result<Name, Code> {
        match self.0.create_mach_port() {
            0 => Err(Code::RESOURCE_SHORTAGE),
            name => Ok(name),
        }
    }

    /// The surface behind a port, which stays whose it was.
    pub(in crate::sys::macos) fn look_up(port: Name) -> Option<Self> {
        iosurface::IOSurfaceRef::lookup_from_mach_port(port).map(Self)
    }

    pub(in crate::sys::macos) fn geometry(&self) -> Geometry {
        Geometry {
            width: self.0.width(),
            height: self.0.height(),
            format: self.0.pixel_format(),
            bytes_per_element: self.0.bytes_per_element(),
            element: (self.0.element_width(), self.0.element_height()),
            planes: self.0.plane_count(),
            bytes_per_row: self.0.bytes_per_row(),
            alloc_size: self.0.alloc_size(),
        }
    }

    /// Its memory in this process.
    pub(in crate::sys::macos) fn map(&self) -> Result<Mapped, Code> {
        // The binding's own function panics where there is no memory.
        // SAFETY: the surface is alive (IOSurfaceRef.h).
        let start = unsafe { IOSurfaceGetBaseAddress(&self.0) };
        let start = NonNull::new(start.cast()).ok_or(Code::NO_SPACE)?;
        Ok(Mapped { start, len: self.0.alloc_size(), keeps: Keeps::Surface(self.clone()) })
    }

    fn options(read_only: bool) -> iosurface::IOSurfaceLockOptions {
        if read_only {
            iosurface::IOSurfaceLockOptions::ReadOnly
        } else {
            iosurface::IOSurfaceLockOptions::empty()
        }
    }

    /// The processor is going to look, or to write.
    pub(in crate::sys::macos) fn lock(&self, read_only: bool) -> Result<(), Code> {
        // SAFETY: the seed is not asked for.
        Code(unsafe { self.0.lock(Self::options(read_only), null_mut()) }).ok()
    }

    /// It has; the seed tells others that it wrote.
    pub(in crate::sys::macos) fn unlock(&self, read_only: bool) -> Result<(), Code> {
        // SAFETY: the seed is not asked for.
        Code(unsafe { self.0.unlock(Self::options(read_only), null_mut()) }).ok()
    }

    /// Whether anybody uses it: a port that lives, or a process that says so.
    pub(in crate::sys::macos) fn is_in_use(&self) -> bool {
        self.0.is_in_use()
    }
}

unsafe extern "C" {
    /// IOSurfaceRef.h
    fn IOSurfaceGetBaseAddress(surface: &iosurface::IOSurfaceRef) -> *mut c_void;
}

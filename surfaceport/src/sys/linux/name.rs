//! The named way in: a socket in a directory that only this user can enter.
//!
//! Never an abstract name: anybody could take it first, and no directory guards it.

#![allow(unsafe_code, reason = "one socket option that rustix lacks")]

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::Pid;

use super::message::Endpoint;
use super::process::Process;
use super::wait::Source;
use super::{os, retry};
use crate::error::Error;
use crate::time::Deadline;

/// Connections that wait to be accepted; a full queue makes peers try again.
const BACKLOG: i32 = 16;

/// A name that peers can connect to, until dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: OwnedFd,
    path: PathBuf,
    /// Held for as long as the name is: whoever has the lock may replace the
    /// socket that a dead process left.
    _lock: OwnedFd,
}

impl Listener {
    /// Takes a name.
    pub(crate) fn bind(name: &str) -> Result<Self, Error> {
        let directory = directory()?;
        let lock_path = directory.join(format!("{name}.lock"));
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let lock = retry(|| rustix::fs::open(&lock_path, flags, Mode::RUSR | Mode::WUSR))
            .map_err(|errno| os("opening a name's lock file", errno))?;
        match retry(|| rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(Error::NameInUse(name.into())),
            Err(errno) => return Err(os("locking a name", errno)),
        }
        let path = socket_path(&directory, name);
        match rustix::fs::unlink(&path) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(os("removing a stale socket", errno)),
        }
        let doing = "listening under a name";
        let socket = new_socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
        let address = SocketAddrUnix::new(&path).map_err(|errno| os(doing, errno))?;
        rustix::net::bind(&socket, &address).map_err(|errno| os(doing, errno))?;
        rustix::net::listen(&socket, BACKLOG).map_err(|errno| os(doing, errno))?;
        Ok(Self { socket, path, _lock: lock })
    }

    /// The next peer that is waiting, of this user, and its process where the
    /// kernel tells it (Linux 6.5).
    pub(crate) fn accept(&self) -> Result<Option<(Endpoint, Option<Process>)>, Error> {
        let accepted = retry(|| rustix::net::accept_with(&self.socket, SocketFlags::CLOEXEC));
        let socket = match accepted {
            Ok(socket) => socket,
            Err(Errno::AGAIN | Errno::CONNABORTED) => return Ok(None),
            Err(errno) => return Err(os("accepting a connection", errno)),
        };
        let pid = same_user(&socket)?;
        let process = peer_pidfd(&socket).map(|pidfd| Process::peer(pid, pidfd));
        Ok(Some((Endpoint::from_socket(socket), process)))
    }

    /// What to wait on for peers.
    pub(crate) fn source(&self) -> Source<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // The lock file stays: removing it would let two processes hold "the" lock.
        let _gone = rustix::fs::unlink(&self.path);
    }
}

/// Connects to a name.
impl Endpoint {
    pub(crate) fn connect(name: &str, deadline: Deadline) -> Result<Self, Error> {
        const PAUSE: Duration = Duration::from_millis(5);
        let path = socket_path(&directory()?, name);
        let doing = "connecting to a name";
        let address = SocketAddrUnix::new(&path).map_err(|errno| os(doing, errno))?;
        let socket = new_socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
        loop {
            match retry(|| rustix::net::connect(&socket, &address)) {
                Ok(()) => break,
                Err(Errno::NOENT | Errno::CONNREFUSED) => {
                    return Err(Error::NoSuchName(name.into()));
                }
                // The queue of waiting connections is full.
                Err(Errno::AGAIN) if !deadline.passed() => std::thread::sleep(PAUSE),
                Err(Errno::AGAIN) => {
                    return Err(Error::TimedOut { waiting_for: "a listening host" });
                }
                Err(errno) => return Err(os(doing, errno)),
            }
        }
        same_user(&socket)?;
        Ok(Self::from_socket(socket))
    }
}

fn new_socket(flags: SocketFlags) -> Result<OwnedFd, Error> {
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
        .map_err(|errno| os("creating a socket", errno))
}

fn socket_path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.sock"))
}

/// The directory of all names of this user; made if it is missing, refused if
/// anybody else could have put something there.
fn directory() -> Result<PathBuf, Error> {
    let uid = rustix::process::geteuid().as_raw();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let path = match runtime.filter(|path| path.is_absolute()) {
        Some(runtime) => runtime.join("surfaceport"),
        None => std::env::temp_dir().join(format!("surfaceport-{uid}")),
    };
    match rustix::fs::mkdir(&path, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(os("creating the directory for named sockets", errno)),
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    let unsafe_because = |why| Err(Error::UnsafeDirectory { path: path.clone(), why });
    let opened = match rustix::fs::open(&path, flags, Mode::empty()) {
        Ok(opened) => opened,
        Err(Errno::LOOP | Errno::NOTDIR) => return unsafe_because("it is not a directory"),
        Err(errno) => return Err(os("opening the directory for named sockets", errno)),
    };
    let stat = rustix::fs::fstat(&opened)
        .map_err(|errno| os("looking at the directory for named sockets", errno))?;
    if stat.st_uid != uid {
        return unsafe_because("it belongs to another user");
    }
    if stat.st_mode & 0o077 != 0 {
        return unsafe_because("other users may enter it (mode must be 0700)");
    }
    Ok(path)
}

/// The peer's process id, if it runs as this user (SO_PEERCRED, unix(7)).
fn same_user(socket: &OwnedFd) -> Result<Pid, Error> {
    let peer = rustix::net::sockopt::socket_peercred(socket)
        .map_err(|errno| os("asking who connected", errno))?;
    let uid = peer.uid.as_raw();
    if uid != rustix::process::geteuid().as_raw() {
        return Err(Error::PeerRefused { uid });
    }
    Ok(peer.pid)
}

/// A pidfd of the process that connected; it can't be confused with a later
/// process of the same number. `None` before Linux 6.5.
fn peer_pidfd(socket: &OwnedFd) -> Option<OwnedFd> {
    // asm-generic/socket.h
    const SO_PEERPIDFD: libc::c_int = 77;
    const LEN: libc::socklen_t = 4;
    let mut pidfd = MaybeUninit::<libc::c_int>::uninit();
    let mut len = LEN;
    // SAFETY: the kernel writes at most `len` bytes to `pidfd`, which has room
    // for them (getsockopt(2)).
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PEERPIDFD,
            pidfd.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    if result != 0 || len != LEN {
        return None;
    }
    // SAFETY: the call succeeded and says that it wrote the whole number.
    let pidfd = unsafe { pidfd.assume_init() };
    // SAFETY: the kernel has just made this fd for us (close-on-exec), and
    // nobody else knows it.
    Some(unsafe { OwnedFd::from_raw_fd(pidfd) })
}

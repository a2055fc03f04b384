//! The named way in: a socket in a directory that only this user can enter.
//!
//! Never an abstract name: anybody could take it first, and no directory guards it.

#![allow(unsafe_code, reason = "socket options that rustix lacks")]

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

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
    lock: OwnedFd,
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
        Ok(Self { socket, path, lock })
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
        // Closing would not do: a child that is being started has a copy of the
        // lock until it becomes the new program.
        let _free = rustix::fs::flock(&self.lock, FlockOperation::Unlock);
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
    // PATH, so that a directory that we may not read tells its owner, too.
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::PATH;
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

/// The peer's process id, if it runs as this user (SO_PEERCRED, unix(7)). It is
/// 0 where this process can't see the peer, which lives in another pid
/// namespace; rustix's type has no room for that.
fn same_user(socket: &OwnedFd) -> Result<libc::pid_t, Error> {
    let nobody = libc::ucred { pid: 0, uid: libc::uid_t::MAX, gid: libc::gid_t::MAX };
    let peer = plain_option(socket, libc::SO_PEERCRED, nobody)
        .map_err(|errno| os("asking who connected", errno))?;
    if peer.uid != rustix::process::geteuid().as_raw() {
        return Err(Error::PeerRefused { uid: peer.uid });
    }
    Ok(peer.pid)
}

/// A pidfd of the process that connected; it can't be confused with a later
/// process of the same number. `None` before Linux 6.5.
fn peer_pidfd(socket: &OwnedFd) -> Option<OwnedFd> {
    // asm-generic/socket.h
    const SO_PEERPIDFD: libc::c_int = 77;
    let pidfd = plain_option(socket, SO_PEERPIDFD, -1).ok().filter(|pidfd| *pidfd >= 0)?;
    // SAFETY: the kernel has just made this fd for us (close-on-exec), and
    // nobody else knows it.
    Some(unsafe { OwnedFd::from_raw_fd(pidfd) })
}

/// A value that getsockopt(2) can fill in: any bytes are a valid one.
trait Plain: Copy {}
impl Plain for libc::c_int {}
impl Plain for libc::ucred {}

/// Asks for an option of a socket.
fn plain_option<T: Plain>(socket: &OwnedFd, option: libc::c_int, mut value: T) -> Result<T, Errno> {
    let size = libc::socklen_t::try_from(size_of::<T>()).map_err(|_| Errno::INVAL)?;
    let mut len = size;
    // SAFETY: the kernel writes at most `len` bytes to `value`, which has as
    // many, and any bytes make a valid one.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw mut value).cast(),
            &raw mut len,
        )
    };
    if result != 0 {
        return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL));
    }
    if len == size { Ok(value) } else { Err(Errno::INVAL) }
}

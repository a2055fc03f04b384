//! What an escaping child tries, call by call.
//!
//! Each probe is proved by what it does in a child without a sandbox: it works, or
//! fails for another reason than a refusal.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use libc::c_long;

use Denial::{Absent, Code, Deadly, Either, File, Look, Never, Writing};

/// How the sandbox answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// By EPERM, at any time.
    Never,
    /// By the child's end.
    Deadly,
    /// By ENOSYS.
    Absent,
    /// By Landlock's EACCES while calls that open files are there, else by EPERM.
    File,
    /// The same, but a `Renderer` can't open files for writing at any time.
    Writing,
    /// Only a closed `Renderer`, by EPERM: others may look, or run programs.
    Look,
    /// Only a closed `Renderer`, by EPERM: others may make code.
    Code,
    /// Once closed, by EPERM; before that the system's programs can be run.
    Either,
}

/// What it does without a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outside {
    Works,
    /// It fails with one of these for the reason that is given; none is a refusal.
    Fails(&'static [i32], &'static str),
    /// It works where the kernel is built with it (EAFNOSUPPORT, ENOSYS and the like).
    IfBuilt(&'static [i32]),
}

use Outside::{Fails, IfBuilt, Works};

/// One attempt.
pub(crate) struct Probe {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Target) -> i32,
    pub(crate) inside: Denial,
    pub(crate) outside: Outside,
    /// Without a sandbox it needs root.
    pub(crate) root: bool,
}

/// What there is to reach, as the host prepared it; from the environment.
pub(crate) struct Target {
    pub(crate) host: usize,
    pub(crate) group: usize,
    /// A file of the host, its folder, and a socket that it listens on.
    pub(crate) file: CString,
    pub(crate) folder: CString,
    pub(crate) socket: Vec<u8>,
    pub(crate) abstract_socket: Vec<u8>,
    pub(crate) port: u16,
    /// A descriptor and an address in the host.
    pub(crate) fd: usize,
    pub(crate) address: usize,
}

impl Target {
    pub(crate) fn from_environment() -> Self {
        let text = |name: &str| std::env::var_os(name).unwrap_or_else(|| panic!("no {name}"));
        let number = |name: &str| text(name).to_str().unwrap().parse().unwrap();
        let folder = text("FOLDER");
        let path = |path: &Path| CString::new(path.as_os_str().as_bytes()).unwrap();
        Self {
            host: number("HOST"),
            group: number("GROUP"),
            file: path(&Path::new(&folder).join("file")),
            folder: path(Path::new(&folder)),
            socket: unix(Path::new(&folder).join("socket").as_os_str().as_bytes()),
            abstract_socket: unix(&[b"\0", text("ABSTRACT").as_bytes()].concat()),
            port: number("PORT").try_into().unwrap(),
            fd: number("FD"),
            address: number("ADDRESS"),
        }
    }

    fn host_path(&self, rest: &str) -> CString {
        CString::new(format!("/proc/{}/{rest}", self.host)).unwrap()
    }

    fn new_path(&self) -> CString {
        let folder = self.folder.to_str().unwrap();
        CString::new(format!("{folder}/new-{}", std::process::id())).unwrap()
    }
}

fn unix(path: &[u8]) -> Vec<u8> {
    [&(libc::AF_UNIX as u16).to_ne_bytes()[..], path].concat()
}

fn inet(port: u16) -> Vec<u8> {
    let family = (libc::AF_INET as u16).to_ne_bytes();
    [&family[..], &port.to_be_bytes(), &[127, 0, 0, 1], &[0; 8]].concat()
}

/// A system call: its result, or its error as a negative number.
fn call<const N: usize>(number: c_long, args: [usize; N]) -> i64 {
    let mut all = [0; 6];
    all[..N].copy_from_slice(&args);
    let [a, b, c, d, e, f] = all;
    // SAFETY: the probes below pass memory that lives until the call returns, and
    // make no call that changes memory of this process behind the compiler's back.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if result == -1 {
        -i64::from(std::io::Error::last_os_error().raw_os_error().unwrap())
    } else {
        result.max(0)
    }
}

/// 0, or the error.
fn errno<const N: usize>(number: c_long, args: [usize; N]) -> i32 {
    call(number, args).min(0).unsigned_abs() as i32
}

fn at(bytes: &[u8]) -> usize {
    bytes.as_ptr() as usize
}

fn text(text: &CString) -> usize {
    text.as_ptr() as usize
}

fn flags(flags: i32) -> usize {
    flags as usize
}

const HERE: usize = libc::AT_FDCWD as usize;
const NOBODY: usize = usize::MAX;

fn open(path: &CString, how: i32) -> i32 {
    errno(libc::SYS_openat, [HERE, text(path), flags(how | libc::O_CLOEXEC), 0o600])
}

fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

fn socket(family: i32, kind: i32) -> i32 {
    errno(libc::SYS_socket, [flags(family), flags(kind | libc::SOCK_CLOEXEC), 0])
}

/// On a new socket, or where none is to be had on one that does not exist: the
/// answer is the second call's own.
fn with_socket(family: i32, kind: i32, then: impl Fn(usize) -> i32) -> i32 {
    let fd = call(libc::SYS_socket, [flags(family), flags(kind), 0]);
    let result = then(if fd < 0 { NOBODY } else { fd as usize });
    if fd >= 0 {
        errno(libc::SYS_close, [fd as usize]);
    }
    result
}

fn connect(kind: i32, address: &[u8]) -> i32 {
    let family = i32::from(u16::from_ne_bytes([address[0], address[1]]));
    with_socket(family, kind, |fd| errno(libc::SYS_connect, [fd, at(address), address.len()]))
}

/// A process more; it ends at once.
fn fork(how: i32) -> i32 {
    match call(libc::SYS_clone, [flags(how | libc::SIGCHLD)]) {
        0 => {
            call(libc::SYS_exit_group, [0]);
            unreachable!()
        }
        pid if pid > 0 => errno(libc::SYS_wait4, [pid as usize]),
        error => error.unsigned_abs() as i32,
    }
}

fn pidfd(target: &Target) -> usize {
    let fd = call(libc::SYS_pidfd_open, [target.host, 0]);
    if fd < 0 { NOBODY } else { fd as usize }
}

fn mmap(protection: i32, fd: usize) -> i32 {
    let map = if fd == NOBODY { libc::MAP_ANONYMOUS } else { 0 } | libc::MAP_PRIVATE;
    errno(libc::SYS_mmap, [0, 4096, flags(protection), flags(map), fd, 0])
}

const fn probe(
    name: &'static str,
    inside: Denial,
    outside: Outside,
    run: fn(&Target) -> i32,
) -> Probe {
    Probe { name, run, inside, outside, root: false }
}

/// One that only root can do anyway.
const fn by_root(
    name: &'static str,
    inside: Denial,
    outside: Outside,
    run: fn(&Target) -> i32,
) -> Probe {
    Probe { name, run, inside, outside, root: true }
}

const READ_WRITE: i32 = libc::PROT_READ | libc::PROT_WRITE;
const CODE: i32 = libc::PROT_READ | libc::PROT_EXEC;
const NO_FD: Outside = Fails(&[libc::EBADF], "no such descriptor");
const NO_MEMORY: Outside = Fails(&[libc::EFAULT, libc::EINVAL], "no arguments");

pub(crate) const PROBES: &[Probe] = &[
    // Files.
    probe("read a file", File, Works, |t| open(&t.file, libc::O_RDONLY)),
    probe("write a file", Writing, Works, |t| open(&t.file, libc::O_WRONLY)),
    probe("append to a file", Writing, Works, |t| open(&t.file, libc::O_RDWR | libc::O_APPEND)),
    probe("cut a file", Never, Works, |t| open(&t.file, libc::O_WRONLY | libc::O_TRUNC)),
    probe("make a file", Never, Works, |t| open(&t.new_path(), libc::O_CREAT | libc::O_RDWR)),
    probe("make a nameless file", Never, IfBuilt(&[libc::EOPNOTSUPP]), |t| {
        open(&t.folder, libc::O_TMPFILE | libc::O_RDWR)
    }),
    probe("list a folder", File, Works, |t| open(&t.folder, libc::O_RDONLY | libc::O_DIRECTORY)),
    probe("open by openat2", Absent, Works, |t| {
        let how = [0_u64; 3];
        errno(libc::SYS_openat2, [HERE, text(&t.file), how.as_ptr() as usize, 24])
    }),
    probe("truncate", Never, Works, |t| errno(libc::SYS_truncate, [text(&t.file), 0])),
    probe("make a folder", Never, Fails(&[libc::EEXIST], "it is there"), |t| {
        errno(libc::SYS_mkdirat, [HERE, text(&t.folder), 0o700])
    }),
    probe("make a link", Never, Fails(&[libc::EEXIST], "it is there"), |t| {
        errno(libc::SYS_linkat, [HERE, text(&t.file), HERE, text(&t.file), 0])
    }),
    probe("make a symbolic link", Never, Fails(&[libc::EEXIST], "it is there"), |t| {
        errno(libc::SYS_symlinkat, [text(&t.file), HERE, text(&t.file)])
    }),
    probe("rename", Never, Works, |t| {
        errno(libc::SYS_renameat2, [HERE, text(&t.file), HERE, text(&t.file), 0])
    }),
    probe("remove", Never, Fails(&[libc::ENOENT], "no such file"), |_| {
        errno(libc::SYS_unlinkat, [HERE, text(&c("/no/such/file")), 0])
    }),
    probe("chmod", Never, Works, |t| errno(libc::SYS_fchmodat, [HERE, text(&t.file), 0o600])),
    probe("chown", Never, Works, |t| {
        errno(libc::SYS_fchownat, [HERE, text(&t.file), NOBODY, NOBODY, 0])
    }),
    probe("change a file's times", Never, Works, |t| {
        errno(libc::SYS_utimensat, [HERE, text(&t.file), 0, 0])
    }),
    probe("make a pipe with a name", Never, Fails(&[libc::EEXIST], "it is there"), |t| {
        errno(libc::SYS_mknodat, [HERE, text(&t.file), libc::S_IFIFO as usize | 0o600, 0])
    }),
    by_root("make a device", Never, Fails(&[libc::EEXIST], "it is there"), |t| {
        errno(libc::SYS_mknodat, [HERE, text(&t.file), libc::S_IFBLK as usize | 0o600, 0x700])
    }),
    probe("set an attribute", Never, IfBuilt(&[libc::EOPNOTSUPP]), |t| {
        let name = c("user.surfaceport");
        errno(libc::SYS_setxattr, [text(&t.file), text(&name), at(b"x"), 1, 0])
    }),
    probe("look at a file", Look, Works, |t| {
        let mut stat = [0_u8; 256];
        errno(libc::SYS_newfstatat, [HERE, text(&t.file), stat.as_mut_ptr() as usize, 0])
    }),
    probe("watch a file", Never, Works, |t| {
        let fd = call(libc::SYS_inotify_init1, [0]);
        errno(
            libc::SYS_inotify_add_watch,
            [if fd < 0 { NOBODY } else { fd as usize }, text(&t.file), libc::IN_OPEN as usize],
        )
    }),
    by_root("watch all files", Never, IfBuilt(&[libc::ENOSYS]), |_| {
        errno(libc::SYS_fanotify_init, [0, 0])
    }),
    probe("name a file's handle", Never, IfBuilt(&[libc::EOPNOTSUPP]), |t| {
        let mut handle = [0_u8; 136];
        handle[0] = 128;
        let mut mount = 0_i32;
        let (handle, mount) = (handle.as_mut_ptr() as usize, &raw mut mount as usize);
        errno(libc::SYS_name_to_handle_at, [HERE, text(&t.file), handle, mount, 0])
    }),
    by_root("open a file's handle", Never, NO_MEMORY, |_| {
        errno(libc::SYS_open_by_handle_at, [HERE, 0, 0])
    }),
    by_root("chroot", Never, Works, |_| errno(libc::SYS_chroot, [text(&c("/"))])),
    probe("make shared memory with a name", Never, Works, |_| {
        let path = c("/dev/shm/surfaceport-probe");
        let made = open(&path, libc::O_CREAT | libc::O_RDWR);
        errno(libc::SYS_unlinkat, [HERE, text(&path), 0]);
        made
    }),
    probe("list shared memory", File, Works, |_| {
        open(&c("/dev/shm"), libc::O_RDONLY | libc::O_DIRECTORY)
    }),
    probe("list processes", File, Works, |_| open(&c("/proc"), libc::O_RDONLY | libc::O_DIRECTORY)),
    probe("the host's memory", File, Works, |t| open(&t.host_path("mem"), libc::O_RDONLY)),
    probe("the host's environment", File, Works, |t| open(&t.host_path("environ"), libc::O_RDONLY)),
    probe("the host's descriptor", File, Works, |t| {
        open(&t.host_path(&format!("fd/{}", t.fd)), libc::O_RDONLY)
    }),
    probe("the host's files by its root", File, Works, |t| {
        open(&t.host_path("root"), libc::O_RDONLY)
    }),
    probe("its own descriptors", File, Works, |_| {
        open(&c("/proc/self/fd"), libc::O_RDONLY | libc::O_DIRECTORY)
    }),
    // Other processes.
    probe("trace the host", Deadly, Fails(&[libc::ESRCH], "not its tracer"), |t| {
        errno(libc::SYS_ptrace, [libc::PTRACE_PEEKDATA as usize, t.host, t.address, 0])
    }),
    probe("read the host's memory", Deadly, Works, |t| {
        let mut here = [0_u8; 8];
        let local = [here.as_mut_ptr() as usize, 8];
        let remote = [t.address, 8];
        let (local, remote) = (local.as_ptr() as usize, remote.as_ptr() as usize);
        errno(libc::SYS_process_vm_readv, [t.host, local, 1, remote, 1, 0])
    }),
    probe("write the host's memory", Deadly, Works, |t| {
        errno(libc::SYS_process_vm_writev, [t.host, 0, 0, 0, 0, 0])
    }),
    probe("hold the host", Never, Works, |t| errno(libc::SYS_pidfd_open, [t.host, 0])),
    probe("take the host's descriptor", Never, Works, |t| {
        errno(libc::SYS_pidfd_getfd, [pidfd(t), t.fd, 0])
    }),
    probe("signal the host by pidfd", Never, Works, |t| {
        errno(libc::SYS_pidfd_send_signal, [pidfd(t), 0, 0, 0])
    }),
    probe("signal the host", Never, Works, |t| errno(libc::SYS_kill, [t.host, 0])),
    probe("signal the host's thread", Never, Works, |t| {
        errno(libc::SYS_tgkill, [t.host, t.host, 0])
    }),
    probe("signal by thread alone", Never, Works, |t| errno(libc::SYS_tkill, [t.host, 0])),
    probe("signal the host's group", Never, Works, |t| {
        errno(libc::SYS_kill, [t.group.wrapping_neg(), 0])
    }),
    probe("queue a signal to the host", Never, NO_MEMORY, |t| {
        errno(libc::SYS_rt_sigqueueinfo, [t.host, 0, 0])
    }),
    probe("have the kernel signal the host", Never, Works, |t| {
        errno(libc::SYS_fcntl, [0, flags(libc::F_SETOWN), t.host])
    }),
    probe("the same by its channel", Never, Works, |t| {
        let fd = std::env::var("SURFACEPORT_FD").unwrap().parse().unwrap();
        let owner = t.host as i32;
        errno(libc::SYS_ioctl, [fd, 0x8901, &raw const owner as usize])
    }),
    probe("the host's priority", Never, Works, |t| {
        errno(libc::SYS_setpriority, [libc::PRIO_PROCESS as usize, t.host, 0])
    }),
    probe("the host's scheduler", Never, NO_MEMORY, |t| {
        errno(libc::SYS_sched_setscheduler, [t.host, NOBODY, 0])
    }),
    probe("the host's processors", Never, NO_MEMORY, |t| {
        errno(libc::SYS_sched_setaffinity, [t.host, 0, 0])
    }),
    probe("the host's limits", Never, Works, |t| {
        let mut limit = [0_u64; 2];
        errno(libc::SYS_prlimit64, [t.host, 7, 0, limit.as_mut_ptr() as usize])
    }),
    probe("its own limits", Never, Works, |_| {
        let limit = [0_u64; 2];
        errno(libc::SYS_prlimit64, [0, libc::RLIMIT_CORE as usize, limit.as_ptr() as usize, 0])
    }),
    probe("the host's locks", Never, Works, |t| {
        let (mut head, mut len) = (0_usize, 0_usize);
        let (head, len) = (&raw mut head as usize, &raw mut len as usize);
        errno(libc::SYS_get_robust_list, [t.host, head, len])
    }),
    probe("compare with the host", Absent, IfBuilt(&[libc::ENOSYS]), |t| {
        errno(libc::SYS_kcmp, [t.host, t.host, 0, 0, 0])
    }),
    probe("the host's pages", Never, NO_FD, |_| {
        errno(libc::SYS_process_madvise, [NOBODY, 0, 0, 0, 0])
    }),
    probe("outlive the host", Never, Works, |_| {
        errno(libc::SYS_prctl, [libc::PR_SET_PDEATHSIG as usize, 0, 0, 0, 0])
    }),
    // Programs and processes.
    probe("fork", Never, Works, |_| fork(0)),
    probe("fork bomb", Never, Works, |_| (0..64).map(|_| fork(0)).find(|e| *e != 0).unwrap_or(0)),
    probe("clone3", Absent, NO_MEMORY, |_| errno(libc::SYS_clone3, [0, 0])),
    // EPERM: in a chroot, or where nobody may have one (clone(2)).
    by_root("fork into a namespace", Never, IfBuilt(&[libc::ENOSPC, libc::EPERM]), |_| {
        fork(libc::CLONE_NEWUSER | libc::CLONE_NEWNET)
    }),
    probe("unshare", Never, Works, |_| errno(libc::SYS_unshare, [flags(libc::CLONE_FS)])),
    probe("setns", Never, NO_FD, |_| errno(libc::SYS_setns, [NOBODY, 0])),
    probe("run a program", Either, Fails(&[libc::ENOENT], "no such program"), |_| {
        errno(libc::SYS_execve, [text(&c("/usr/bin/no/such/program")), 0, 0])
    }),
    probe("run memory", Never, NO_FD, |_| {
        errno(libc::SYS_execveat, [NOBODY, at(b"\0"), 0, 0, flags(libc::AT_EMPTY_PATH)])
    }),
    probe("new code", Code, Works, |_| mmap(CODE, NOBODY)),
    probe("new code in shared memory", Code, Works, |_| {
        let fd = call(libc::SYS_memfd_create, [text(&c("code")), 0]);
        let truncated = errno(libc::SYS_ftruncate, [fd as usize, 4096]);
        if truncated != 0 { truncated } else { mmap(CODE, fd as usize) }
    }),
    probe("memory becomes code", Code, Works, |_| {
        let size = 4096;
        let map = flags(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let start = call(libc::SYS_mmap, [0, size, flags(READ_WRITE), map, NOBODY, 0]);
        errno(libc::SYS_mprotect, [start as usize, size, flags(CODE)])
    }),
    probe("personality", Never, Works, |_| errno(libc::SYS_personality, [0xffff_ffff])),
    probe("a process group", Never, Works, |_| errno(libc::SYS_setpgid, [0, 0])),
    probe("its own rights", Never, NO_MEMORY, |_| errno(libc::SYS_capset, [0, 0])),
    probe("its own user", Never, Works, |_| errno(libc::SYS_setresuid, [NOBODY, NOBODY, NOBODY])),
    // The network, and other sockets.
    probe("TCP", Never, Works, |_| socket(libc::AF_INET, libc::SOCK_STREAM)),
    probe("UDP", Never, Works, |_| socket(libc::AF_INET, libc::SOCK_DGRAM)),
    probe("IPv6", Never, IfBuilt(&[libc::EAFNOSUPPORT]), |_| {
        socket(libc::AF_INET6, libc::SOCK_STREAM)
    }),
    by_root("raw IP", Never, Fails(&[libc::EPROTONOSUPPORT], "no protocol"), |_| {
        socket(libc::AF_INET, libc::SOCK_RAW)
    }),
    by_root("packets", Never, IfBuilt(&[libc::EAFNOSUPPORT]), |_| {
        socket(libc::AF_PACKET, libc::SOCK_RAW)
    }),
    probe("netlink", Never, Works, |_| socket(libc::AF_NETLINK, libc::SOCK_RAW)),
    probe("vsock", Never, IfBuilt(&[libc::EAFNOSUPPORT]), |_| {
        socket(libc::AF_VSOCK, libc::SOCK_STREAM)
    }),
    probe("kernel ciphers", Never, IfBuilt(&[libc::EAFNOSUPPORT]), |_| {
        socket(libc::AF_ALG, libc::SOCK_SEQPACKET)
    }),
    probe("Unix socket", Never, Works, |_| socket(libc::AF_UNIX, libc::SOCK_STREAM)),
    probe("a pair of sockets", Never, Works, |_| {
        let mut pair = [0_i32; 2];
        let pair = pair.as_mut_ptr() as usize;
        errno(libc::SYS_socketpair, [1, flags(libc::SOCK_DGRAM), 0, pair])
    }),
    probe("connect by TCP", Never, Works, |t| connect(libc::SOCK_STREAM, &inet(t.port))),
    probe("connect by path", Never, Works, |t| connect(libc::SOCK_STREAM, &t.socket)),
    probe("connect by abstract name", Never, Works, |t| {
        connect(libc::SOCK_STREAM, &t.abstract_socket)
    }),
    probe("send a datagram", Never, Works, |t| {
        let address = inet(t.port);
        with_socket(libc::AF_INET, libc::SOCK_DGRAM, |fd| {
            errno(libc::SYS_sendto, [fd, at(b"x"), 1, 0, at(&address), address.len()])
        })
    }),
    probe("listen", Never, Works, |_| {
        let address = inet(0);
        with_socket(libc::AF_INET, libc::SOCK_STREAM, |fd| {
            errno(libc::SYS_bind, [fd, at(&address), address.len()])
        })
    }),
    probe("turn its channel elsewhere", Never, Fails(&[libc::EISCONN], "it is connected"), |t| {
        let fd = std::env::var("SURFACEPORT_FD").unwrap().parse().unwrap();
        match errno(libc::SYS_connect, [fd, at(&t.socket), t.socket.len()]) {
            // The kernel looks at the address's kind first.
            libc::EPROTOTYPE => libc::EISCONN,
            other => other,
        }
    }),
    // Shared by the system.
    probe("shared memory by key", Never, Works, |_| {
        let id = call(libc::SYS_shmget, [0, 4096, 0o600]);
        if id < 0 { -id as i32 } else { errno(libc::SYS_shmctl, [id as usize, 0, 0]) }
    }),
    probe("attach shared memory", Never, NO_MEMORY, |_| errno(libc::SYS_shmat, [NOBODY, 0, 0])),
    probe("message queue by key", Never, Works, |_| {
        let id = call(libc::SYS_msgget, [0, 0o600]);
        if id < 0 { -id as i32 } else { errno(libc::SYS_msgctl, [id as usize, 0, 0]) }
    }),
    probe("semaphores by key", Never, Works, |_| {
        let id = call(libc::SYS_semget, [0, 1, 0o600]);
        if id < 0 { -id as i32 } else { errno(libc::SYS_semctl, [id as usize, 0, 0]) }
    }),
    probe("message queue by name", Never, IfBuilt(&[libc::ENOSYS, libc::ENOENT]), |_| {
        errno(libc::SYS_mq_open, [text(&c("surfaceport-no-such-queue")), 0, 0, 0])
    }),
    probe("type into the terminal", Never, Fails(&[libc::ENOTTY], "no terminal"), |_| {
        errno(libc::SYS_ioctl, [0, libc::TIOCSTI as usize, at(b"x")])
    }),
    // The kernel.
    probe("io_uring", Deadly, IfBuilt(&[libc::EFAULT, libc::EINVAL, libc::ENOSYS]), |_| {
        errno(libc::SYS_io_uring_setup, [0, 0])
    }),
    probe("io_uring, enter", Deadly, NO_FD, |_| {
        errno(libc::SYS_io_uring_enter, [NOBODY, 0, 0, 0, 0, 0])
    }),
    probe(
        "io_uring, register",
        Deadly,
        Fails(&[libc::EBADF, libc::EINVAL], "no descriptor"),
        |_| errno(libc::SYS_io_uring_register, [NOBODY, 0, 0, 0]),
    ),
    by_root("bpf", Deadly, NO_MEMORY, |_| errno(libc::SYS_bpf, [NOBODY, 0, 0])),
    by_root("mount", Deadly, NO_MEMORY, |_| errno(libc::SYS_mount, [0, 0, 0, 0, 0])),
    by_root("unmount", Deadly, Fails(&[libc::ENOENT], "no such file"), |_| {
        errno(libc::SYS_umount2, [text(&c("/no/such/file")), 0])
    }),
    by_root("another root", Deadly, Fails(&[libc::ENOENT], "no such file"), |_| {
        let path = c("/no/such/file");
        errno(libc::SYS_pivot_root, [text(&path), text(&path)])
    }),
    by_root("a file system", Deadly, Fails(&[libc::ENODEV], "none of this name"), |_| {
        errno(libc::SYS_fsopen, [text(&c("no-such-file-system")), 0])
    }),
    probe("keys", Deadly, Fails(&[libc::EOPNOTSUPP, libc::ENOSYS], "no such order"), |_| {
        errno(libc::SYS_keyctl, [NOBODY, 0, 0, 0, 0])
    }),
    probe("a new key", Deadly, Fails(&[libc::EFAULT, libc::ENOSYS], "no name"), |_| {
        errno(libc::SYS_add_key, [0, 0, 0, 0, 0])
    }),
    by_root("page faults", Deadly, IfBuilt(&[libc::ENOSYS, libc::EINVAL]), |_| {
        errno(libc::SYS_userfaultfd, [libc::O_CLOEXEC as usize])
    }),
    probe("performance counters", Never, Fails(&[libc::EFAULT], "no arguments"), |_| {
        errno(libc::SYS_perf_event_open, [0, 0, 0, 0, 0])
    }),
    by_root("a kernel module", Never, Fails(&[libc::EBADF, libc::ENOSYS], "no file"), |_| {
        errno(libc::SYS_finit_module, [NOBODY, at(b"\0"), 0])
    }),
    by_root("another kernel", Never, Fails(&[libc::EINVAL, libc::ENOSYS], "no such flags"), |_| {
        errno(libc::SYS_kexec_load, [0, 0, 0, 0xffff])
    }),
    by_root("reboot", Never, Fails(&[libc::EINVAL], "no magic"), |_| {
        errno(libc::SYS_reboot, [0, 0, 0, 0])
    }),
    by_root("swap", Never, Fails(&[libc::ENOENT, libc::ENOSYS], "no such file"), |_| {
        errno(libc::SYS_swapon, [text(&c("/no/such/file")), 0])
    }),
    by_root("the clock", Never, NO_MEMORY, |_| errno(libc::SYS_clock_settime, [0, 0])),
    by_root("the host name", Never, NO_MEMORY, |_| errno(libc::SYS_sethostname, [0, NOBODY])),
    by_root("the kernel's log", Never, Works, |_| errno(libc::SYS_syslog, [10, 0, 0])),
    by_root("accounting", Never, Fails(&[libc::ENOENT, libc::ENOSYS], "no such file"), |_| {
        errno(libc::SYS_acct, [text(&c("/no/such/file"))])
    }),
];

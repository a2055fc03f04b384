//! Older kernels' Landlock, simulated: a filter hands this thread's and its
//! children's `landlock_create_ruleset` to a supervisor (seccomp_unotify(2)), which
//! answers the question for the version, refuses what that version does not know,
//! and lets the kernel do the rest. Version 0 is a filter that refuses all three
//! calls.

use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;

/// What a kernel without Landlock answers.
pub const ENOSYS: i32 = libc::ENOSYS;

/// What each version handles: files, network, scopes; from version 1 on.
const VERSIONS: &[[u64; 3]] = &[
    [0x1fff, 0, 0],
    [0x3fff, 0, 0],
    [0x7fff, 0, 0],
    [0x7fff, 3, 0],
    [0xffff, 3, 0],
    [0xffff, 3, 3],
    [0xffff, 3, 3],
];

/// The versions that can be simulated on a kernel that has `abi`.
pub fn versions(abi: u32) -> impl Iterator<Item = u32> {
    0..=abi.min(VERSIONS.len() as u32)
}

/// From now on this thread, and what it starts, sees this version; 0 answers with this
/// error.
///
/// # Panics
///
/// Where the kernel has no filters, or no supervisors of them.
pub fn become_old(abi: u32, errno: i32) {
    match abi {
        0 => refuse(errno),
        abi => simulate(abi),
    }
}

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// Answers these calls of this thread, and of what it starts, with `action`.
fn filter(calls: &[libc::c_long], action: u32, flags: libc::c_ulong) -> i64 {
    let op = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut program = vec![op(LOAD, 0, 0, 0)];
    for (i, call) in calls.iter().enumerate() {
        program.push(op(EQUAL, (calls.len() - i) as u8, 0, *call as u32));
    }
    program.push(op(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW));
    program.push(op(RETURN, 0, 0, action));
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: it takes numbers.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    let (call, mode) = (libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER);
    // SAFETY: the kernel copies the program, which lives until the call returns.
    unsafe { libc::syscall(call, mode, flags, &raw const filter) }
}

fn refuse(errno: i32) {
    let calls = [
        libc::SYS_landlock_create_ruleset,
        libc::SYS_landlock_add_rule,
        libc::SYS_landlock_restrict_self,
    ];
    assert_eq!(filter(&calls, libc::SECCOMP_RET_ERRNO | errno as u32, 0), 0);
}

fn simulate(abi: u32) {
    let (sender, receiver) = std::sync::mpsc::channel();
    // Started before the filter, so that it is not supervised itself.
    std::thread::spawn(move || supervise(abi, &receiver.recv().unwrap()));
    let calls = [libc::SYS_landlock_create_ruleset];
    let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    let listener = filter(&calls, libc::SECCOMP_RET_USER_NOTIF, flags);
    assert!(listener >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: the call has just made it, and nobody else knows it.
    sender.send(unsafe { OwnedFd::from_raw_fd(listener as i32) }).unwrap();
}

/// `_IOWR('!', 0, struct seccomp_notif)` and `_IOWR('!', 1, struct seccomp_notif_resp)`.
const RECEIVE: libc::Ioctl = 0xc050_2100;
const SEND: libc::Ioctl = 0xc018_2101;
const GO_ON: u32 = 1;

fn supervise(abi: u32, listener: &OwnedFd) {
    loop {
        // SAFETY: a struct of numbers.
        let mut asked: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel fills the struct, which is as long as the order says.
        if unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE, &raw mut asked) } != 0 {
            continue;
        }
        let [attributes, len, flags, ..] = asked.data.args;
        let mut answer = libc::seccomp_notif_resp { id: asked.id, val: 0, error: 0, flags: 0 };
        if attributes == 0 && flags == 1 {
            answer.val = i64::from(abi);
        } else if flags == 0 && is_known(abi, asked.pid, attributes, len) {
            answer.flags = GO_ON;
        } else {
            eprintln!("asked for what Landlock {abi} does not know");
            std::process::exit(3);
        }
        // SAFETY: the kernel reads the struct, which is as long as the order says.
        unsafe { libc::ioctl(listener.as_raw_fd(), SEND, &raw const answer) };
    }
}

/// Whether a version knows all that a ruleset is to handle.
fn is_known(abi: u32, pid: u32, attributes: u64, len: u64) -> bool {
    let memory = std::fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut words = vec![[0; 8]; len as usize / 8];
    memory.read_exact_at(words.as_flattened_mut(), attributes).unwrap();
    let known = VERSIONS[abi as usize - 1].into_iter().chain(std::iter::repeat(0));
    words.iter().zip(known).all(|(word, known)| u64::from_ne_bytes(*word) & !known == 0)
}

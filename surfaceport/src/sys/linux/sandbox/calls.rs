//! Which system calls a sandboxed child may make.
//!
//! What is on no list is refused with EPERM. What a compromised child would try
//! first ends it; what can't be judged by its arguments, because they lie in
//! memory, does not exist (ENOSYS), so that programs take the older call.

use libc::c_long;
use seccompiler::{
    SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition, SeccompRule as Rule,
};

use crate::sandbox::Sandbox;

/// A call that is allowed.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) number: c_long,
    /// With arguments that one of these matches; `None`: with any.
    pub(super) when: Option<Vec<Rule>>,
}

/// Ends the child.
pub(super) const DEADLY: &[c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_bpf,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

/// Does not exist.
pub(super) const UNKNOWN: &[c_long] = &[libc::SYS_clone3, libc::SYS_openat2, libc::SYS_kcmp];

/// What drawing takes: memory, threads, time, and the handles that are there.
const DRAWING: &[c_long] = &[
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fallocate,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_ftruncate,
    libc::SYS_futex,
    libc::SYS_getcpu,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_getsockopt,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_getuid,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_memfd_create,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_preadv2,
    libc::SYS_pselect6,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sendmsg,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_shutdown,
    libc::SYS_sigaltstack,
    libc::SYS_sysinfo,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_gettime,
    libc::SYS_timerfd_settime,
    libc::SYS_uname,
    libc::SYS_write,
    libc::SYS_writev,
    // Refused by the list of what does not exist, which decides.
    libc::SYS_clone3,
    libc::SYS_openat2,
    libc::SYS_kcmp,
];

/// The same by the names that only older processors' tables have.
#[cfg(target_arch = "x86_64")]
const DRAWING_OLD: &[c_long] = &[
    libc::SYS_dup2,
    libc::SYS_epoll_wait,
    libc::SYS_pause,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const DRAWING_OLD: &[c_long] = &[];

/// Looking at files, as far as Landlock lets it.
const LOOKING: &[c_long] = &[
    libc::SYS_chdir,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fadvise64,
    libc::SYS_fchdir,
    libc::SYS_flock,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_newfstatat,
    libc::SYS_readlinkat,
    libc::SYS_statfs,
    libc::SYS_statx,
];
#[cfg(target_arch = "x86_64")]
const LOOKING_OLD: &[c_long] =
    &[libc::SYS_access, libc::SYS_lstat, libc::SYS_readlink, libc::SYS_stat];
#[cfg(not(target_arch = "x86_64"))]
const LOOKING_OLD: &[c_long] = &[];

/// What a program does before it connects, closing the sandbox among it.
const STARTING: &[c_long] = &[
    libc::SYS_execve,
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_restrict_self,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_seccomp,
    libc::SYS_umask,
];
#[cfg(target_arch = "x86_64")]
const STARTING_OLD: &[c_long] = &[libc::SYS_arch_prctl];
#[cfg(not(target_arch = "x86_64"))]
const STARTING_OLD: &[c_long] = &[];

/// What the kernel told this program at its start; the C library's headers lack it.
const PR_GET_AUXV: u64 = 0x4155_5856;

/// From before the program starts. `own_signals`: the kernel sees to it that signals
/// reach nobody outside.
pub(super) fn at_start(level: Sandbox, own_signals: bool) -> Vec<Call> {
    let lists = [DRAWING, DRAWING_OLD, LOOKING, LOOKING_OLD, STARTING, STARTING_OLD];
    let mut calls = all(&lists);
    calls.extend(for_both());
    calls.extend(opening(level));
    calls.push(only(
        libc::SYS_prctl,
        0,
        &[
            value(libc::PR_SET_NAME),
            value(libc::PR_GET_NAME),
            value(libc::PR_SET_NO_NEW_PRIVS),
            PR_GET_AUXV,
            value(libc::PR_GET_DUMPABLE),
            value(libc::PR_SET_DUMPABLE),
        ],
    ));
    if level == Sandbox::Gpu {
        calls.push(ioctl_of_devices());
    } else {
        calls.push(ioctl_of_streams());
    }
    if own_signals {
        calls.extend(all(&[&[libc::SYS_kill, libc::SYS_tgkill]]));
    }
    calls
}

/// Once the sandbox is closed, in the process `pid`.
pub(super) fn closed(level: Sandbox, pid: u32) -> Vec<Call> {
    let mut calls = all(&[DRAWING, DRAWING_OLD]);
    calls.extend(for_both());
    calls.push(only(
        libc::SYS_prctl,
        0,
        &[value(libc::PR_SET_NAME), value(libc::PR_GET_NAME), PR_GET_AUXV],
    ));
    // abort() and raise() are signals to itself.
    calls.push(only(libc::SYS_kill, 0, &[pid.into()]));
    calls.push(only(libc::SYS_tgkill, 0, &[pid.into()]));
    match level {
        Sandbox::Renderer => {
            let exec = value(libc::PROT_EXEC);
            calls.push(masked(libc::SYS_mmap, 2, exec, 0));
            calls.push(masked(libc::SYS_mprotect, 2, exec, 0));
            calls.push(ioctl_of_streams());
        }
        Sandbox::Gpu => {
            calls.extend(all(&[LOOKING, LOOKING_OLD, &[libc::SYS_mmap, libc::SYS_mprotect]]));
            calls.extend(opening(level));
            calls.push(ioctl_of_devices());
        }
    }
    calls
}

/// Calls that are harmless with the right arguments.
fn for_both() -> Vec<Call> {
    // A thread of this process in these namespaces, never a process.
    let thread = value(libc::CLONE_THREAD);
    let namespaces = [
        libc::CLONE_NEWCGROUP,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWUTS,
    ];
    let namespaces = namespaces.into_iter().map(value).fold(0, |all, one| all | one);
    vec![
        masked(libc::SYS_clone, 0, thread | namespaces, thread),
        // Not F_SETOWN, by which the kernel would signal others.
        only(
            libc::SYS_fcntl,
            1,
            &[
                value(libc::F_DUPFD),
                value(libc::F_DUPFD_CLOEXEC),
                value(libc::F_GETFD),
                value(libc::F_SETFD),
                value(libc::F_GETFL),
                value(libc::F_SETFL),
                value(libc::F_ADD_SEALS),
                value(libc::F_GET_SEALS),
            ],
        ),
        // Reading limits, its own; not setting them.
        Call {
            number: libc::SYS_prlimit64,
            when: Some(rules(&[&[(0, Len::Dword, Op::Eq, 0), (2, Len::Qword, Op::Eq, 0)]])),
        },
        // Where to is decided when a socket connects; a connected one has no use for
        // an address.
        Call { number: libc::SYS_sendto, when: Some(rules(&[&[(4, Len::Qword, Op::Eq, 0)]])) },
    ]
}

/// Opening files to look at them; for `Gpu` also to control a device. Nothing is
/// made, and nothing cut short, even where there is no Landlock.
fn opening(level: Sandbox) -> Vec<Call> {
    // O_TMPFILE without the O_DIRECTORY that is part of it.
    let made = libc::O_CREAT | libc::O_TRUNC | (libc::O_TMPFILE & !libc::O_DIRECTORY);
    let refused = match level {
        Sandbox::Renderer => made | libc::O_ACCMODE,
        Sandbox::Gpu => made,
    };
    vec![
        masked(libc::SYS_openat, 2, value(refused), 0),
        #[cfg(target_arch = "x86_64")]
        masked(libc::SYS_open, 1, value(refused), 0),
    ]
}

/// What the standard streams are asked.
fn ioctl_of_streams() -> Call {
    let harmless = [libc::TCGETS, libc::TIOCGWINSZ, libc::FIONREAD, libc::FIOCLEX, libc::FIONBIO];
    only(libc::SYS_ioctl, 1, &harmless.map(request))
}

/// `FIOASYNC`, `FIOSETOWN`, `SIOCSPGRP`: as `F_SETOWN`.
const SIGNALLING: [libc::Ioctl; 3] = [0x5452, 0x8901, 0x8902];

/// All but what types into a terminal, or has the kernel signal others.
fn ioctl_of_devices() -> Call {
    let harmful = [libc::TIOCSTI, libc::TIOCLINUX, libc::TIOCSCTTY].into_iter().chain(SIGNALLING);
    let conditions: Vec<_> =
        harmful.map(|harmful| (1, Len::Dword, Op::Ne, request(harmful))).collect();
    Call { number: libc::SYS_ioctl, when: Some(rules(&[&conditions])) }
}

type Condition = (u8, Len, Op, u64);

fn rules(any: &[&[Condition]]) -> Vec<Rule> {
    any.iter()
        .filter_map(|all| {
            let all = all.iter().cloned();
            let all = all.map(|(arg, len, op, value)| SeccompCondition::new(arg, len, op, value));
            Rule::new(all.collect::<Result<_, _>>().ok()?).ok()
        })
        .collect()
}

fn all(lists: &[&[c_long]]) -> Vec<Call> {
    lists.iter().copied().flatten().map(|call| Call { number: *call, when: None }).collect()
}

/// With one of these values in this argument.
fn only(number: c_long, arg: u8, values: &[u64]) -> Call {
    let any = values.iter().flat_map(|value| rules(&[&[(arg, Len::Dword, Op::Eq, *value)]]));
    Call { number, when: Some(any.collect()) }
}

/// With these bits of this argument.
fn masked(number: c_long, arg: u8, mask: u64, value: u64) -> Call {
    Call { number, when: Some(rules(&[&[(arg, Len::Dword, Op::MaskedEq(mask), value)]])) }
}

/// As the kernel gets a flag: its 32 bits.
fn value(flag: libc::c_int) -> u64 {
    u64::from(flag.cast_unsigned())
}

/// The same of a request, whose type is not the same everywhere.
#[allow(clippy::cast_possible_truncation, reason = "the kernel takes 32 bits of it")]
fn request(request: libc::Ioctl) -> u64 {
    u64::from(request as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists() -> Vec<Vec<Call>> {
        let levels = [Sandbox::Renderer, Sandbox::Gpu];
        levels.into_iter().flat_map(|level| [at_start(level, true), closed(level, 1)]).collect()
    }

    #[test]
    fn every_condition_became_a_rule() {
        for calls in lists() {
            for call in calls {
                assert!(call.when.as_ref().is_none_or(|when| !when.is_empty()), "{call:?}");
            }
        }
    }

    /// Of two entries for one call only one would count.
    #[test]
    fn no_call_is_listed_twice() {
        for calls in lists() {
            let mut numbers: Vec<_> = calls.iter().map(|call| call.number).collect();
            numbers.sort_unstable();
            assert!(numbers.windows(2).all(|two| two[0] != two[1]), "{numbers:?}");
            assert!(!numbers.iter().any(|number| DEADLY.contains(number)));
            assert!(UNKNOWN.iter().all(|number| numbers.contains(number)));
        }
    }
}

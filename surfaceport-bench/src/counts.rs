//! System calls, counted from outside by strace.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use crate::experiment::Entry;
use crate::measure::Length;
use crate::run::Run;
use crate::subject::Failure;

/// The word by which a benchmark's child is a host that is watched.
pub(crate) const NAME: &str = "watched";

/// A call that nobody makes: from the first to the second of a process, its
/// calls count.
const MARK: &str = "getsid";

/// Makes it.
pub(crate) fn mark() {
    let _own = rustix::process::getsid(None);
}

/// What one side asked of the system between its marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    /// All of them.
    pub(crate) all: u64,
    /// Of those: to map, to unmap, to change a mapping.
    pub(crate) mappings: u64,
    /// Of those: to open or close.
    pub(crate) handles: u64,
    /// Bytes that went into the system or came out of it.
    pub(crate) bytes: u64,
}

/// Why calls can't be counted here.
pub(crate) fn excuse() -> Option<&'static str> {
    let works = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let works = works.is_ok_and(|status| status.success());
    (!works).then_some("counting system calls needs the package strace, and the right to trace")
}

/// Runs a subject's host under strace: the calls of the host and of its child.
pub(crate) fn watch(entry: &Entry, run: &Run, frames: u64) -> Result<[Calls; 2], Failure> {
    let file = format!("surfaceport-bench-{}.strace", std::process::id());
    let file = std::env::temp_dir().join(file);
    let status = Command::new("strace")
        .args(["-f", "-qq", "-s", "0", "-e", "signal=none", "-o"])
        .arg(&file)
        .arg(std::env::current_exe()?)
        .args([crate::CHILD, NAME, entry.name, &run.to_argument(), &frames.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    let text = std::fs::read_to_string(&file)?;
    std::fs::remove_file(&file)?;
    if !status.success() {
        return Err(format!("{} under strace: {status}", entry.name).into());
    }
    Ok(count(&text))
}

/// The host that is watched.
pub(crate) fn watched(
    subjects: &[Entry],
    mut arguments: impl Iterator<Item = String>,
) -> Result<(), Failure> {
    let mut next = || arguments.next().ok_or("a watched host is started by a benchmark");
    let (name, run, frames) = (next()?, Run::from_argument(&next()?)?, next()?.parse()?);
    let entry = subjects.iter().find(|entry| entry.name == name).ok_or("no such subject")?;
    let length = Length { warm_up: 50, frames, time: crate::board::PATIENCE };
    (entry.host)(&run, length).map(drop)
}

/// The host's calls and the child's, from a trace of both.
fn count(trace: &str) -> [Calls; 2] {
    // Threads belong to the process of the one that made them.
    let mut process_of: BTreeMap<u32, u32> = BTreeMap::new();
    let mut unfinished: BTreeMap<u32, &str> = BTreeMap::new();
    let mut marks: BTreeMap<u32, u32> = BTreeMap::new();
    let mut calls: BTreeMap<u32, Calls> = BTreeMap::new();
    let mut host = None;
    for line in trace.lines() {
        let Some((thread, text)) = line.split_once(' ') else { continue };
        let Ok(thread) = thread.parse::<u32>() else { continue };
        let text = text.trim_start();
        host.get_or_insert(thread);
        let process = *process_of.entry(thread).or_insert(thread);
        let resumed = text.starts_with("<... ");
        let call = if resumed { unfinished.remove(&thread).unwrap_or("") } else { text };
        let Some((name, _)) = call.split_once('(') else { continue };
        let mark = marks.entry(process).or_insert(0);
        if !resumed && name == MARK {
            *mark += 1;
        } else if *mark == 1 {
            let calls = calls.entry(process).or_default();
            let result = text
                .rsplit_once("= ")
                .and_then(|(_, result)| result.split_whitespace().next()?.parse::<u64>().ok());
            if !resumed {
                calls.all += 1;
                calls.mappings += u64::from(["mmap", "munmap", "mremap"].contains(&name));
                calls.handles += u64::from(HANDLES.contains(&name));
            }
            if MOVES.iter().any(|word| name.starts_with(word)) {
                calls.bytes += result.unwrap_or(0);
            }
        }
        if text.ends_with("<unfinished ...>") {
            unfinished.insert(thread, call);
        } else if name.starts_with("clone")
            && call.contains("CLONE_THREAD")
            && let Some((_, new)) = text.rsplit_once("= ")
            && let Ok(new) = new.trim().parse()
        {
            process_of.insert(new, process);
        }
    }
    let host = host.unwrap_or(0);
    let child = calls.iter().find(|(process, _)| **process != host).map(|(_, calls)| *calls);
    [calls.get(&host).copied().unwrap_or_default(), child.unwrap_or_default()]
}

const HANDLES: [&str; 9] =
    ["open", "openat", "close", "dup", "memfd_create", "socket", "socketpair", "eventfd2", "pipe2"];
const MOVES: [&str; 6] = ["read", "write", "pread", "pwrite", "send", "recv"];

#[cfg(test)]
mod tests {
    use super::{Calls, count};

    #[test]
    fn calls_between_the_marks_are_counted_for_each_side() {
        let trace = "\
10 execve(\"bench\", ...) = 0
10 clone3({flags=CLONE_VM|CLONE_THREAD, ...} <unfinished ...>
11 set_robust_list(0x7f, 24) = 0
10 <... clone3 resumed>, 88) = 11
10 clone(child_stack=NULL, flags=SIGCHLD) = 12
10 getsid(0) = 1
12 write(3, \"\"..., 8) = 8
12 getsid(0) = 1
10 write(3, \"\"..., 8) = 8
11 epoll_wait(4, <unfinished ...>
12 recvmsg(5, <unfinished ...>
10 mmap(NULL, 4096) = 0x7f00
12 <... recvmsg resumed>...) = 16
11 <... epoll_wait resumed>) = 1
12 close(7) = 0
12 getsid(0) = 1
12 write(3, \"\"..., 8) = 8
10 getsid(0) = 1
10 write(3, \"\"..., 8) = 8
10 +++ exited with 0 +++
";
        let host = Calls { all: 3, mappings: 1, handles: 0, bytes: 8 };
        let child = Calls { all: 2, mappings: 0, handles: 1, bytes: 16 };
        assert_eq!(count(trace), [host, child]);
    }
}

//! What only Linux has: handles that lie, limits, signals, users, and what a
//! child inherits. What every platform has is in `sys/conformance.rs`.

#![allow(unsafe_code, reason = "signals, users, the environment: in processes of a test's own")]

mod limits;
mod memory;
mod messages;
mod names;
mod process;
mod wait;

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::time::Duration;

use rustix::io::FdFlags;

use super::*;
use crate::error::Violation;
use crate::sys::{PipeRead, Received, Sent, Trigger};

/// Far longer than anything takes; only a test that fails waits for so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a test of this folder in a process of its own.
macro_rules! alone {
    ($test:literal, $body:expr) => {{
        let test = concat!(module_path!(), "::", $test).split_once("::").unwrap().1;
        crate::sys::linux::testing::alone(test, $body);
    }};
}
use alone;

/// All that this process has open: number and what it is.
fn open_files() -> BTreeMap<RawFd, PathBuf> {
    let list = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap());
    let number = |entry: &fs::DirEntry| entry.file_name().to_str().unwrap().parse().unwrap();
    // The directory that lists them is gone by the time its link is read.
    list.filter_map(|entry| Some((number(&entry), fs::read_link(entry.path()).ok()?)))
        .collect::<BTreeMap<_, _>>()
        .into_iter()
        .filter(|(_, what)| !what.starts_with("/proc"))
        .collect()
}

/// A file of this process, by number.
fn file(number: RawFd) -> BorrowedFd<'static> {
    // SAFETY: tests that use this run alone and leave the files open that
    // they ask about.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// Whether a new program would not get it.
fn closes_on_exec(file: BorrowedFd<'_>) -> bool {
    rustix::io::fcntl_getfd(file).unwrap().contains(FdFlags::CLOEXEC)
}

/// A field of /proc/self/status.
fn status(field: &str) -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_start_matches(':').trim().into()
}

/// The children of this process, dead ones that nobody reaped too.
fn children() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let lists = tasks.filter_map(|task| {
        // A thread may end meanwhile.
        fs::read_to_string(task.unwrap().path().join("children")).ok()
    });
    lists.flat_map(|list| list.split_whitespace().map(String::from).collect::<Vec<_>>()).collect()
}

/// Whether this test may do what only root may.
fn is_root(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("not run: {test} needs root");
    }
    root
}

/// Becomes somebody else for good; to be called in a process of its own.
fn become_nobody() -> u32 {
    const NOBODY: libc::uid_t = 65_534;
    // SAFETY: a plain call; glibc makes it for all threads.
    let result = unsafe { libc::setresuid(NOBODY, NOBODY, NOBODY) };
    assert_eq!(result, 0);
    NOBODY
}

/// Waits until this fires.
#[track_caller]
fn fires(source: Source<'_>, when: Trigger) {
    let set = WaitSet::new().unwrap();
    set.add(source, 1, when).unwrap();
    let mut tokens = Vec::new();
    set.wait(Some(PATIENCE), |token| tokens.push(token)).unwrap();
    assert_eq!(tokens, [Some(1)]);
}

#[track_caller]
fn assert_violation<T: std::fmt::Debug>(result: Result<T, Error>, expected: Violation) {
    match result {
        Err(Error::Violation(violation)) => assert_eq!(violation, expected),
        other => panic!("{expected:?} expected, not {other:?}"),
    }
}

/// A pidfd of a process that this one did not start.
fn watch(pid: i32) -> OwnedFd {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap()
}

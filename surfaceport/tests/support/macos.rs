//! What a Mac has instead of `/proc` and pidfds.

use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::Duration;

use rustix::event::kqueue::{Event, EventFilter, EventFlags, ProcessEvents, kevent, kqueue};
use rustix::process::Pid;

/// What this process has open.
pub fn open_fds() -> Vec<String> {
    // The folder that is being read is one of them, the same one each time.
    let names = std::fs::read_dir("/dev/fd").unwrap().filter_map(Result::ok);
    let mut all: Vec<_> = names.map(|entry| entry.path().display().to_string()).collect();
    all.sort();
    all
}

/// A hold on a process: a kqueue that is readable when it has ended.
pub fn pidfd(pid: u32) -> OwnedFd {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let queue = kqueue().unwrap();
    let filter = EventFilter::Proc { pid, flags: ProcessEvents::EXIT };
    let change = Event::new(filter, EventFlags::ADD, std::ptr::null_mut());
    let mut none = Vec::new();
    // It registers alone: there is room for no event.
    let registered = watch(&queue, &change, &mut none);
    registered.expect("the process is there");
    queue
}

#[allow(unsafe_code, reason = "rustix can't know that no fd is named")]
fn watch(queue: &OwnedFd, change: &Event, out: &mut Vec<Event>) -> rustix::io::Result<()> {
    let changes = std::slice::from_ref(change);
    // SAFETY: the change names a process and no fd (`kevent`'s contract is about
    // fds that are closed too early).
    unsafe { kevent(queue, changes, out, Some(Duration::ZERO)) }.map(drop)
}

/// Waits until `ps` says that a process is in this state.
fn await_state(pid: u32, letter: char) {
    loop {
        std::thread::sleep(Duration::from_millis(5));
        let ps = Command::new("ps").args(["-o", "state=", "-p", &pid.to_string()]).output();
        let state = String::from_utf8(ps.unwrap().stdout).unwrap();
        if state.starts_with(letter) {
            return;
        }
    }
}

/// Waits until a process sleeps in a system call.
pub fn await_sleep(pid: u32) {
    await_state(pid, 'S');
}

/// Waits until a process has stopped.
pub fn await_stop(pid: u32) {
    await_state(pid, 'T');
}

//! A simulation of the kernel's calls, for tests off the Mac.
//!
//! It is written from what XNU's sources say (`osfmk/ipc`, xnu-11417), not from
//! what the code above it happens to need. Tasks are groups of threads; each
//! has a table of names of its own. A call that a correct program never makes,
//! such as giving back a name that it does not have, panics here: on a Mac it
//! is an error code, or a guard exception.
//!
//! What is modelled: names with user references (a task's send and receive
//! rights to one port share a name, send-once rights have one each); queues
//! with limits; complex messages; dead names; no-senders, send-once,
//! send-possible and dead-name notifications; the message that is handed back
//! by a failed send; audit trailers; memory entries; processes; kqueues; the
//! use counts of IOSurfaces.
//!
//! Where it is unsure, because the sources do not say it plainly or nobody has
//! run it (`docs/on-a-mac.md` has the tests that settle these):
//!
//! - a message to a port of the kernel's own (a memory entry, an IOSurface) is
//!   taken and thrown away;
//! - an edge-triggered port in a kqueue fires once for each message that came
//!   since it fired last, if one of all is still there;
//! - a request for send-possible becomes a dead-name notification when the port
//!   dies, with a reference of its own;
//! - a kqueue takes turns among what is ready.
//!
//! What it leaves out: port sets, voucher and importance, memory beside a
//! message (which `mach_frame` refuses), guards, and ports that travel in a
//! message to themselves.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "it is no part of what ships, and panics where a program is wrong"
)]

pub(in crate::sys::macos) mod calls;
mod memory;
mod ports;
mod queue;
mod tasks;

use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ports::{Port, PortId};
use tasks::{Task, TaskId};

pub(in crate::sys::macos) use tasks::{
    Snapshot, fail_after, in_task, install, kill_switch, write_output,
};

/// All that the kernel knows.
#[derive(Debug, Default)]
pub(super) struct Kernel {
    ports: BTreeMap<PortId, Port>,
    tasks: BTreeMap<TaskId, Task>,
    services: BTreeMap<CString, PortId>,
    last_port: u64,
    last_task: u32,
}

static KERNEL: Mutex<Kernel> = Mutex::new(Kernel {
    ports: BTreeMap::new(),
    tasks: BTreeMap::new(),
    services: BTreeMap::new(),
    last_port: 0,
    last_task: 0,
});
/// Told of every change; whoever waits looks again.
static CHANGED: Condvar = Condvar::new();

pub(super) type Locked = MutexGuard<'static, Kernel>;

fn lock() -> Locked {
    KERNEL.lock().unwrap_or_else(PoisonError::into_inner)
}

fn changed() {
    CHANGED.notify_all();
}

/// Until something changes or the time is over, or shorter.
fn sleep(kernel: Locked, left: Option<Duration>) -> Locked {
    match left {
        Some(left) => match CHANGED.wait_timeout(kernel, left) {
            Ok((kernel, _)) => kernel,
            Err(broken) => broken.into_inner().0,
        },
        None => CHANGED.wait(kernel).unwrap_or_else(PoisonError::into_inner),
    }
}

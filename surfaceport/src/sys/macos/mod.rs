//! macOS: Mach messages, memory entries, IOSurfaces, kqueues.
//!
//! All of it stands on `kern`, which calls Apple on a Mac and a simulation
//! elsewhere: so the tests of this folder run anywhere, and only what Apple's
//! kernel does with the calls is left to be seen on a Mac.
//!
//! How a child is hooked up: the host makes both ends of a connection (a port
//! for each direction) and a *door*, a port under a random name that only this
//! child is told. The child asks there for its end; the kernel says who asks,
//! and the door gives it to this process alone, then it is gone, and the name
//! with it. A listener is a door that stays, under a name that is known.

mod bell;
mod clock;
mod door;
mod kern;
mod memory;
mod message;
mod name;
mod poc;
mod process;
mod rights;
mod sandbox;
mod surface;
#[cfg(test)]
#[cfg(not(target_os = "macos"))]
pub(crate) mod testing;
#[cfg(test)]
#[cfg(target_os = "macos")]
#[path = "testing_mac.rs"]
pub(crate) mod testing;
// Over the simulation, which can make calls fail.
#[cfg(test)]
#[cfg(not(target_os = "macos"))]
mod tests;
mod wait;

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Error;

pub(crate) use bell::{Bell, Ringer, bell_to_child, bell_to_host};
pub(crate) use clock::{now, thread_time};
pub(crate) use memory::{Mapping, Memory};
pub(crate) use message::Endpoint;
pub(crate) use name::Listener;
#[cfg(target_os = "macos")]
pub(crate) use poc::{PocChild, PocHost, PocNews};
pub(crate) use process::{Process, Spawn, StderrPipe};
#[cfg(target_os = "macos")]
pub(crate) use sandbox::{Plan, Raised, close as close_sandbox};
pub(crate) use surface::SurfaceMemory;
#[cfg(target_os = "macos")]
pub(crate) use surface::color_space_name;
#[cfg(target_os = "macos")]
pub(crate) use wait::from_fd;
pub(crate) use wait::{Source, WaitSet};

use kern::Code;
use rights::{ReceiveRight, SendRight};

/// What travels beside a message.
#[derive(Debug)]
pub(crate) enum Handle {
    /// The right to use something of another process's: memory, a surface, a
    /// bell to be rung.
    Send(SendRight),
    /// A port that is waited on. Sending it gives it away.
    Receive(Mutex<Option<ReceiveRight>>),
}

/// The same, borrowed.
pub(crate) type BorrowedHandle<'a> = &'a Handle;

/// Lends a handle, to be sent.
pub(crate) fn borrow(handle: &Handle) -> BorrowedHandle<'_> {
    handle
}

/// Names the cause of a failed call.
fn os(doing: &'static str, code: Code) -> Error {
    Error::Os { doing, source: io::Error::other(code) }
}

/// A panic elsewhere doesn't matter to what these locks guard.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

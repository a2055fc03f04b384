//! The facade with threads for processes and queues for sockets, in safe code.
//!
//! It exists for its conformance run: what two systems with nothing in common
//! both pass is what the facade promises, and not how Linux happens to behave.
//!
//! Its limits:
//!
//! - A thread can't be killed. [`Process::kill`] cuts the child's connection and
//!   sets a flag; a program that waits for either ends, and the exit reason then
//!   says that it was killed. One that does neither outlives its [`Process`].
//! - A child is a function that was registered under a program's name; it has
//!   the working directory, the environment and the clock of its host.
//! - Memory can't be cut short, so nothing is sealed, and an import checks only
//!   what a handle is and how long.
//! - The wait set can't be polled from outside.

mod bell;
mod clock;
mod memory;
mod message;
mod name;
mod process;
// It is plain memory there, too.
#[allow(clippy::duplicate_mod, reason = "one file serves both")]
#[path = "../linux/surface.rs"]
mod surface;
pub(crate) mod testing;
mod wait;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Error;

pub(crate) use bell::{Bell, Ringer, bell_to_child, bell_to_host};
pub(crate) use clock::{now, thread_time};
pub(crate) use memory::{Mapping, Memory};
pub(crate) use message::Endpoint;
pub(crate) use name::Listener;
pub(crate) use process::{Process, Spawn, StderrPipe};
pub(crate) use surface::SurfaceMemory;
pub(crate) use wait::{Source, WaitSet};

/// What travels beside a message.
#[derive(Debug)]
pub(crate) enum Handle {
    /// Shared memory.
    Memory(Arc<memory::Block>),
    /// The end of a bell that is waited on.
    Bell(Arc<wait::Signal>),
    /// The end of a bell that rings.
    Ringer(Arc<wait::Signal>),
}

impl Handle {
    /// Another handle to the same thing, as the peer gets one.
    fn duplicate(&self) -> Self {
        match self {
            Self::Memory(block) => Self::Memory(Arc::clone(block)),
            Self::Bell(signal) => Self::Bell(Arc::clone(signal)),
            Self::Ringer(signal) => Self::Ringer(Arc::clone(signal)),
        }
    }
}

/// The same, borrowed.
pub(crate) type BorrowedHandle<'a> = &'a Handle;

/// Lends a handle, to be sent.
pub(crate) fn borrow(handle: &Handle) -> BorrowedHandle<'_> {
    handle
}

/// Names the cause of a failed call.
fn os(doing: &'static str, kind: io::ErrorKind) -> Error {
    Error::Os { doing, source: kind.into() }
}

/// A panic elsewhere doesn't matter to what these locks guard.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

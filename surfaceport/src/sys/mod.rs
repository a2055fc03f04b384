//! The operating system, behind one facade.
//!
//! Each platform's folder has the same files with the same items; the layers
//! above use what this module re-exports and know no platform. A platform with
//! no folder is a compile error.
//!
//! | item | is |
//! |---|---|
//! | [`Handle`], [`BorrowedHandle`] | what travels beside a message: an fd, a port right |
//! | [`Endpoint`] | one end of a message connection, never blocking |
//! | [`Memory`], [`Mapping`] | shared memory that the peer can't take away |
//! | [`SurfaceMemory`] | the memory of a surface: the same, or an image of the system's own |
//! | [`Bell`], [`Ringer`] | the two ends of a wake-up |
//! | [`WaitSet`] | sleeps until a source or the timer fires; itself pollable |
//! | [`Process`], [`Spawn`] | a child process, and how to start it |
//! | [`Plan`], [`Raised`], [`close_sandbox`] | what keeps a child from the system |
//! | [`Listener`] | the named way in |
//! | [`now`], [`thread_time`] | the monotonic clock; what a thread has worked |

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub(crate) use macos::*;

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!("surfaceport runs on Linux, and is being built for macOS");

// Over a simulation of Apple's calls, for its tests.
#[cfg(test)]
#[cfg(not(target_os = "macos"))]
mod macos;

// Only macOS sends such messages; they are checked everywhere.
#[cfg_attr(not(target_os = "macos"), allow(dead_code))]
pub(crate) mod mach_frame;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod inproc;

/// What `send` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The message is on its way.
    Done,
    /// The peer's queue is full; nothing was sent.
    Full,
    /// The peer is gone.
    Closed,
}

/// What `receive` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// A message of this many bytes.
    Message(usize),
    /// Nothing at the moment.
    Empty,
    /// The peer is gone.
    Closed,
}

/// When a source fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// Each time it becomes ready again; for bells, which nobody reads.
    Edge,
    /// For as long as there is something to read.
    Level,
    /// For as long as there is something to read, or room to write.
    LevelAndRoom,
}

/// What reading a pipe gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PipeRead {
    /// So many bytes.
    Bytes(usize),
    /// Nothing at the moment.
    Empty,
    /// Nobody writes any more.
    End,
}

//! One process draws, another shows: no copy, no tear, no flicker, and neither
//! can hurt the other.
//!
//! A *child* process draws into a ring of shared surfaces. A *host* process
//! shows the newest one in a part of its own window. The pixels are never
//! copied; a frame that is shown is never drawn into; and whatever becomes of
//! the child, the host keeps its last frame and starts the next one.
//!
//! | you write | you start with |
//! |---|---|
//! | a host | [`Session::spawn`] with a [`Command`], and [`View`] with a [`Pane`] |
//! | a host that takes frames itself | [`Session::next_frame`] or [`Session::dispatch`] |
//! | a child | [`Renderer::connect`], [`Renderer::swapchain`], [`Swapchain::acquire`] |
//! | a child in another language | `PROTOCOL.md` |
//!
//! The host:
//!
//! ```no_run
//! use std::time::Duration;
//! use surfaceport::{Command, HeadlessPane, Session, Size, View};
//!
//! let session = Session::spawn(Command::new("my-renderer"))?;
//! let mut view = View::new(session, HeadlessPane::new(Size::new(640, 480)))?;
//! view.run(Duration::from_secs(3))?;
//! # Ok::<(), surfaceport::Error>(())
//! ```
//!
//! The child:
//!
//! ```no_run
//! use surfaceport::{Damage, Deadline, Renderer, Size, SwapchainDescriptor};
//!
//! let renderer = Renderer::connect()?;
//! let size = renderer.wanted_size().unwrap_or(Size::new(640, 480));
//! let swapchain = renderer.swapchain(SwapchainDescriptor::new(size))?;
//! loop {
//!     let mut canvas = swapchain.acquire(Deadline::NEVER)?;
//!     canvas.bytes_mut().fill(0x80);
//!     canvas.present(Damage::FULL)?;
//!     swapchain.wait_begin_frame(Deadline::NEVER)?;
//! }
//! # #[allow(unreachable_code)]
//! # Ok::<(), surfaceport::Error>(())
//! ```
//!
//! The host is trusted, the child is not: nothing that a child sends or writes
//! can make the host panic, hang, read out of bounds or leak (`SAFETY.md` says
//! what is promised and what is not). No call panics.

#![deny(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
// Under loom only the layers that it models are built, and little uses them.
#![cfg_attr(loom, allow(dead_code, unused_imports))]

mod error;
mod format;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod geometry;
mod input;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals;
mod mode;
mod outcome;
mod rate;
mod sandbox;
mod sync;
mod time;

mod swapchain;
mod wire;

// Under loom the atomics are no plain memory: only the layers below are built.
#[cfg(not(loom))]
mod bell;
#[cfg(not(loom))]
mod channel;
#[cfg(not(loom))]
mod child;
#[cfg(not(loom))]
pub mod os;
#[cfg(not(loom))]
mod page;
#[cfg(not(loom))]
mod pane;
#[cfg(not(loom))]
mod session;
#[cfg(not(loom))]
mod surface;
#[cfg(not(loom))]
mod sys;
#[cfg(not(loom))]
mod view;
#[cfg(not(loom))]
mod wait;

pub use error::{CopyReason, Error, Exit, ExitReason, PaneError, Violation};
pub use format::{ColorSpace, Format};
pub use geometry::{
    Damage, GeometryError, MAX_SIDE, MAX_STRIDE, Rect, STRIDE_ALIGN, Scale, Size, SurfaceDescriptor,
};
pub use input::{Button, Input, KeyCode, KeyState, Modifiers, Point, PointerAction};
pub use mode::PresentMode;
pub use outcome::{FrameId, Outcome};
pub use sandbox::{Confinement, Sandbox, SandboxGap};
pub use time::{Deadline, Timestamp};
pub use wire::MAX_USER_BYTES;

#[cfg(not(loom))]
pub use child::{Command, Limits, Restart};
#[cfg(not(loom))]
pub use pane::*;
#[cfg(not(loom))]
pub use session::*;
#[cfg(not(loom))]
pub use surface::{Feedback, Lease, PixelView, Surface, SwapchainId};
#[cfg(not(loom))]
pub use view::{ResizePolicy, View};

/// The README's examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

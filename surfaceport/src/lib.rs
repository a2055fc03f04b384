//! surfaceport
mod error;
mod format;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod geometry;
mod mode;
mod outcome;
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

pub use error::{Error, Exit, ExitReason, Violation};
pub use format::{ColorSpace, Format};
pub use geometry::{
    Damage, GeometryError, MAX_SIDE, MAX_STRIDE, Rect, STRIDE_ALIGN, Scale, Size, SurfaceDescriptor,
};
pub use mode::PresentMode;
pub use outcome::{FrameId, Outcome};
pub use time::{Deadline, Timestamp};
pub use wire::MAX_USER_BYTES;

#[cfg(not(loom))]
pub use child::{Command, Limits, Restart};
#[cfg(not(loom))]
pub use pane::{Fit, HeadlessPane, Pane};
#[cfg(not(loom))]
pub use session::*;
#[cfg(not(loom))]
pub use surface::{Feedback, Lease, PixelView, Surface};
#[cfg(not(loom))]
pub use view::{ResizePolicy, View};

//! surfaceport
mod error;
mod format;
mod geometry;
mod mode;
mod outcome;
#[allow(dead_code)]
mod swapchain;
mod sync;
#[cfg(not(loom))]
#[allow(dead_code, unused_imports)]
mod sys;
mod time;
#[allow(dead_code, unused_imports)]
mod wire;

pub use error::{Error, Exit, ExitReason, Violation};
pub use format::{ColorSpace, Format};
pub use geometry::{
    Damage, GeometryError, MAX_SIDE, MAX_STRIDE, Rect, STRIDE_ALIGN, Scale, Size, SurfaceDescriptor,
};
pub use mode::PresentMode;
pub use outcome::{FrameId, Outcome};
pub use time::{Deadline, Timestamp};
pub use wire::MAX_USER_BYTES;

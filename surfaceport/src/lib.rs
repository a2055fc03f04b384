//! surfaceport
mod error;
mod format;
mod geometry;
mod outcome;
mod sync;
mod time;

pub use error::{Error, Exit, ExitReason, Violation};
pub use format::{ColorSpace, Format};
pub use geometry::{
    Damage, GeometryError, MAX_SIDE, MAX_STRIDE, Rect, STRIDE_ALIGN, Scale, Size, SurfaceDescriptor,
};
pub use outcome::{FrameId, Outcome};
pub use time::{Deadline, Timestamp};

//! The atomics that everything else uses: std's, or loom's under `--cfg loom`.
//!
//! `cargo xtask layers` sees that nothing else names std's, so that a model
//! check always covers the code that ships.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};

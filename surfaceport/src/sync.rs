//! The atomics that everything else uses: std's, or loom's under `--cfg loom`.
//!
//! `clippy.toml` forbids naming std's atomics anywhere else, so that a model
//! check always covers the code that ships.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
#[expect(clippy::disallowed_types, reason = "the one place that may name them")]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

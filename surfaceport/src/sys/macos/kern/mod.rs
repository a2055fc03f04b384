//! The kernel's calls, as the rest of this folder uses them: Apple's on a Mac,
//! and a simulation of them elsewhere, so that the same code runs there.
//!
//! Names of rights are plain numbers here, and buffers plain bytes; who owns
//! what is the business of `rights.rs`, one level up.

mod types;

#[cfg(target_os = "macos")]
mod apple;
#[cfg(target_os = "macos")]
pub(super) use apple::*;

#[cfg(not(target_os = "macos"))]
pub(super) mod sim;
#[cfg(not(target_os = "macos"))]
pub(super) use sim::calls::*;

pub(super) use types::*;

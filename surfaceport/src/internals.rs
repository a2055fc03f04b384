//! The hand-off by itself, for the project's benchmarks: the two sides of the
//! word without frame data, times or messages. Built with the feature
//! `internals` alone; no part of the API.

use crate::error::Violation;
use crate::mode::PresentMode;
use crate::swapchain::child::Child;
use crate::swapchain::host::{Account, Host};
use crate::sync::AtomicU64;

/// The child's side of a generation.
#[derive(Debug)]
pub struct WordChild(Child);

impl WordChild {
    /// All slots are its own.
    #[must_use]
    pub fn new(slots: usize, mode: PresentMode) -> Self {
        Self(Child::new(slots, mode))
    }

    /// A free slot, if there is one.
    pub fn acquire(&mut self, word: &AtomicU64) -> Option<u8> {
        self.0.acquire(word)
    }

    /// Hands a slot over; in fifo the ring has a word for each slot. Whether to wake
    /// the host.
    pub fn present(&mut self, word: &AtomicU64, ring: &[AtomicU64], slot: u8) -> bool {
        self.0.present(word, ring, slot).ring
    }
}

/// The host's side of it.
#[derive(Debug)]
pub struct WordHost(Host, Account);

impl WordHost {
    /// Nothing is presented yet.
    #[must_use]
    pub fn new(slots: u8, mode: PresentMode) -> Self {
        Self(Host::new(slots, mode), Account::new())
    }

    /// The next frame's slot, if one is unread.
    ///
    /// # Errors
    ///
    /// What the child did wrong.
    pub fn take(&mut self, word: &AtomicU64, ring: &[AtomicU64]) -> Result<Option<u8>, Violation> {
        Ok(self.0.take(&self.1, word, ring)?.frame.map(|frame| frame.slot))
    }

    /// Gives a slot back. Whether to wake the child.
    pub fn release(&self, word: &AtomicU64, slot: u8) -> bool {
        self.1.release(word, slot).ring
    }
}

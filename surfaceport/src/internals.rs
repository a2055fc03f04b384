//! The hand-off by itself, for the project's benchmarks: the two sides of the
//! word without frame data, times or messages. Built with the feature
//! `internals` alone; no part of the API.

use crate::error::Violation;
use crate::mode::PresentMode;
use crate::swapchain::child::Child;
use crate::swapchain::host::{Account, Host};
use crate::sync::AtomicU64;

/// The child's side of a generation in mailbox.
#[derive(Debug)]
pub struct WordChild(Child);

impl WordChild {
    /// All slots are its own.
    #[must_use]
    pub fn new(slots: usize) -> Self {
        Self(Child::new(slots, PresentMode::Mailbox))
    }

    /// A free slot, if there is one.
    pub fn acquire(&mut self, word: &AtomicU64) -> Option<u8> {
        self.0.acquire(word)
    }

    /// Hands a slot over. Whether to wake the host.
    pub fn present(&mut self, word: &AtomicU64, slot: u8) -> bool {
        self.0.present(word, &[], slot).ring
    }
}

/// The host's side of it.
#[derive(Debug)]
pub struct WordHost(Host, Account);

impl WordHost {
    /// Nothing is presented yet.
    #[must_use]
    pub fn new(slots: u8) -> Self {
        Self(Host::new(slots, PresentMode::Mailbox), Account::new())
    }

    /// The newest frame's slot, if one is unread.
    ///
    /// # Errors
    ///
    /// What the child did wrong.
    pub fn take(&mut self, word: &AtomicU64) -> Result<Option<u8>, Violation> {
        Ok(self.0.take(&self.1, word, &[])?.frame.map(|frame| frame.slot))
    }

    /// Gives a slot back. Whether to wake the child.
    pub fn release(&self, word: &AtomicU64, slot: u8) -> bool {
        self.1.release(word, slot).ring
    }
}

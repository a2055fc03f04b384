//! What the fuzz targets of `fuzz/` need of the library's inside. Built under
//! `--cfg fuzzing` alone; no part of the API.
//!
//! The hooks for messages hand out what they found and leave judging it to the
//! targets; that for the control page judges by itself, as a property test runs
//! it too.

use crate::error::Violation;
use crate::wire::{FromChild, FromHost, MAX_MESSAGE_BYTES, samples};

/// A packet and how many handles go with it.
pub type Packet = (Vec<u8>, usize);

/// Decodes what a child may have sent, and encodes it again.
///
/// # Errors
///
/// What is wrong with the packet.
pub fn from_child(packet: &[u8], handles: usize) -> Result<Packet, Violation> {
    FromChild::decode(packet, handles).map(|message| encode_from_child(&message))
}

/// Decodes what a host may have sent, and encodes it again.
///
/// # Errors
///
/// What is wrong with the packet.
pub fn from_host(packet: &[u8], handles: usize) -> Result<Packet, Violation> {
    FromHost::decode(packet, handles).map(|message| encode_from_host(&message))
}

fn encode_from_child(message: &FromChild<'_>) -> Packet {
    let mut out = [0; MAX_MESSAGE_BYTES];
    (message.encode(&mut out).to_vec(), message.handles())
}

fn encode_from_host(message: &FromHost<'_>) -> Packet {
    let mut out = [0; MAX_MESSAGE_BYTES];
    (message.encode(&mut out).to_vec(), message.handles())
}

/// Runs a host over a control page that is whatever the bytes say.
///
/// # Panics
///
/// If the host breaks a promise.
pub fn control_page(orders: &[u8]) {
    crate::swapchain::hostile::control_page(orders);
}

/// Parses a buffer that the kernel may have filled on macOS.
///
/// # Panics
///
/// If the parser breaks its promise.
pub fn mach_frame(buffer: &[u8]) {
    crate::sys::mach_frame::check(buffer);
}

/// Real messages to start from: the target, the seed's name, the packet.
#[must_use]
pub fn packets() -> Vec<(&'static str, &'static str, Packet)> {
    let child = samples::from_child()
        .into_iter()
        .map(|(name, message)| ("from_child", name, encode_from_child(&message)));
    let host = samples::from_host()
        .into_iter()
        .map(|(name, message)| ("from_host", name, encode_from_host(&message)));
    child.chain(host).collect()
}

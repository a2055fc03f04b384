//! What the fuzz targets of `fuzz/` need of the library's inside. Built under
//! `--cfg fuzzing` alone; no part of the API.
//!
//! The hooks for messages hand out what they found and leave judging it to the
//! targets; that for the control page judges by itself, as a property test runs
//! it too.

use std::os::fd::OwnedFd;

use crate::channel::{Channel, Incoming};
use crate::child::{Child, Limits};
use crate::error::{Error, Violation};
use crate::session::Session;
use crate::swapchain::hostile;
use crate::swapchain::page::Block;
use crate::sync::{AtomicBool, Ordering};
use crate::sys::Endpoint;
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
    hostile::control_page(orders);
}

/// The same, while another thread writes noise over the page. The first bytes
/// seed the noise.
///
/// # Panics
///
/// If the host breaks a promise.
pub fn scribbled_page(input: &[u8]) {
    let Some((seed, orders)) = input.split_first_chunk::<8>() else { return };
    let mut seed = u64::from_le_bytes(*seed);
    let (block, over) = (Block::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let scribbler = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                hostile::scribble(&block, &mut seed);
            }
        });
        hostile::control_page_over(&block, orders);
        over.store(true, Ordering::Relaxed);
        // The scope waits for what it does, and not for its end: the search for leaks
        // would find what a thread that is about to go still has.
        scribbler.join().expect("the noise does not fail");
    });
}

/// The host's end of a connection, and the socket of the child.
///
/// # Panics
///
/// If the system has no sockets.
#[must_use]
pub fn receiver() -> (Receiver, OwnedFd) {
    let (host, child) = Endpoint::pair().expect("a pair of sockets");
    (Receiver(Channel::new(host)), child.into_socket())
}

/// What takes a child's packets.
#[derive(Debug)]
pub struct Receiver(Channel);

impl Receiver {
    /// Takes the next packet: how many handles came with a message.
    ///
    /// # Errors
    ///
    /// What is wrong with it; `Ok(None)`: there is none, or the end.
    pub fn receive(&mut self) -> Result<Option<usize>, Error> {
        match self.0.receive_from_child()? {
            Incoming::Message(message, handles) => {
                assert_eq!(message.handles(), handles.len());
                Ok(Some(handles.len()))
            }
            Incoming::Empty | Incoming::Closed => Ok(None),
        }
    }
}

/// A real host's session, and the socket of a child that is this same process.
///
/// # Panics
///
/// If the system lacks something.
#[must_use]
pub fn session() -> (Session, OwnedFd) {
    let (host, child) = Endpoint::pair().expect("a pair of sockets");
    let (peer, channel) = Child::peer(host, None);
    let limits = Limits::default().surface_bytes(1 << 16);
    let session = Session::with_peer(peer, channel, limits).expect("a session");
    (session, child.into_socket())
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

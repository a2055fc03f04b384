//! What the targets share.

pub mod session;

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

use surfaceport::Violation;
use surfaceport::fuzzing::Packet;

/// The promise of both decoders: whatever the bytes, there is no panic, and a
/// packet that decodes is the only encoding of its message.
///
/// The input's first byte is the number of handles, the rest is the packet. It
/// is tried as it is, and with the length in its header put right, which
/// mutations would otherwise have to find each time.
///
/// # Panics
///
/// If the promise is broken: that is what the fuzzer looks for.
pub fn wire(input: &[u8], decode: fn(&[u8], usize) -> Result<Packet, Violation>) {
    let Some((handles, packet)) = input.split_first() else { return };
    let handles = usize::from(*handles);
    check(packet, handles, decode);

    let mut packet = packet.to_vec();
    let length = u32::try_from(packet.len()).expect("inputs are small");
    if let Some(field) = packet.get_mut(4..8) {
        field.copy_from_slice(&length.to_le_bytes());
        check(&packet, handles, decode);
    }
}

fn check(packet: &[u8], handles: usize, decode: fn(&[u8], usize) -> Result<Packet, Violation>) {
    match decode(packet, handles) {
        Ok(again) => assert_eq!((packet, handles), (again.0.as_slice(), again.1)),
        Err(violation) => assert!(!violation.to_string().is_empty()),
    }
}

/// A packet of this kind.
pub(crate) fn packet(kind: u32, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(8 + body.len()).expect("inputs are small");
    [&kind.to_le_bytes(), &len.to_le_bytes(), body].concat()
}

/// Sends it, if there is room and somebody to hear it.
pub(crate) fn send(socket: &OwnedFd, bytes: &[u8], handles: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(64))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !handles.is_empty() {
        assert!(control.push(SendAncillaryMessage::ScmRights(handles)));
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let _sent = rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags);
}

/// The promise of what receives: whatever rides beside a packet, it is handed
/// out as the message says, or closed.
///
/// The input is one packet after the other: how many handles, how many bytes,
/// the bytes; with the length in the header put right for every other one.
///
/// # Panics
///
/// If the promise is broken: that is what the fuzzer looks for.
pub fn ancillary(mut input: &[u8]) {
    let (mut host, child) = surfaceport::fuzzing::receiver();
    let before = open_files();
    while let [handles, len, rest @ ..] = input {
        let (body, rest) = rest.split_at(usize::from(*len).min(rest.len()));
        input = rest;
        let mut bytes = body.to_vec();
        let length = u32::try_from(bytes.len()).expect("inputs are small");
        if handles & 1 == 0
            && let Some(field) = bytes.get_mut(4..8)
        {
            field.copy_from_slice(&length.to_le_bytes());
        }
        let beside = vec![child.as_fd(); usize::from(*handles >> 1) % 64];
        send(&child, &bytes, &beside);
        let _received = host.receive();
    }
    // What the last message left in place is closed with the next.
    let _empty = host.receive();
    assert_eq!(open_files(), before, "a handle is left");
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("/proc").count()
}

//! What the targets share.

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

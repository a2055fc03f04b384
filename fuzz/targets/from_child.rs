//! Packets from a child, in the decoder of the other side.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    surfaceport_fuzz::wire(input, surfaceport::fuzzing::from_child);
});

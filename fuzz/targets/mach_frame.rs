//! Mach messages as the kernel hands them over, in the parser that macOS uses: no
//! panic, and what parses encodes to the same message again.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| surfaceport::fuzzing::mach_frame(input));

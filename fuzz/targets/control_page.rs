//! A control page on which the child writes whatever it likes, under the host's
//! transitions.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| surfaceport::fuzzing::control_page(input));

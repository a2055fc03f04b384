//! The same as `control_page`, while another thread writes noise over the page.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| surfaceport::fuzzing::scribbled_page(input));

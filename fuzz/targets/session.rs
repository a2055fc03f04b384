//! A whole session: the bytes are what a child says and writes, and what its host
//! does, in any order. No panic; the host holds no more frames than there are
//! slots; and when all is over, each frame has its outcome.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| surfaceport_fuzz::session::run(input));

//! What rides beside a packet: any number of handles, beside any bytes. The host
//! takes each packet without a panic and keeps no handle that it did not ask for.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| surfaceport_fuzz::ancillary(input));

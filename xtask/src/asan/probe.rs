//! What AddressSanitizer must catch. Not part of xtask: `cargo xtask asan`
//! compiles it first, to know that a test which passes means something.

use std::hint::black_box;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("clean") => drop(black_box(vec![1_u8; 64])),
        Some("leak") => {
            // Many: the last may still be found in a register.
            for _ in 0..100 {
                std::mem::forget(black_box(vec![1_u8; 64]));
            }
        }
        Some("overflow") => {
            let bytes = black_box(vec![1_u8; 64]);
            // SAFETY: none. It reads behind the end, which is what must be caught.
            black_box(unsafe { bytes.as_ptr().add(black_box(64)).read() });
        }
        _ => std::process::exit(2),
    }
}

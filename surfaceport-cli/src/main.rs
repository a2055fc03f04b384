//! The `surfaceport` program.
fn main() {}

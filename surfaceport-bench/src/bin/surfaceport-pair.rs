//! A host and a child with nothing else in the program, for `surfaceport-bench` to
//! measure their memory.

#[cfg(target_os = "linux")]
fn main() -> Result<(), surfaceport_bench::Failure> {
    surfaceport_bench::pair(std::env::args().skip(1))
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("not run: the benchmarks are for Linux");
}

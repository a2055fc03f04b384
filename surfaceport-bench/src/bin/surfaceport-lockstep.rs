//! A host and a child in one thread, frame by frame: what `cargo xtask counts`
//! has callgrind watch. Nothing waits here, so the same instructions run each
//! time.
//!
//! `surfaceport-lockstep mailbox|fifo awake|asleep FRAMES`

#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: surfaceport_bench::Counting = surfaceport_bench::Counting;

#[cfg(target_os = "linux")]
fn main() -> Result<(), surfaceport_bench::Failure> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("mailbox|fifo awake|asleep FRAMES");
    let fifo = next()? == "fifo";
    let asleep = next()? == "asleep";
    surfaceport_bench::lockstep(fifo, asleep, next()?.parse()?)
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("not run: the benchmarks are for Linux");
}

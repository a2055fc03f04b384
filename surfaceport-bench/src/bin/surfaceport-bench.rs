//! The benchmarks with nothing in the program but the library and the floors:
//! `cargo xtask bench` has it measure the memory of a host and a child.
//!
//! `surfaceport-bench ONLY ROUNDS SCALE FOLDER`

#[cfg(target_os = "linux")]
fn main() -> Result<(), surfaceport_bench::Failure> {
    use surfaceport_bench::{CHILD, OWN, Options, child, suite};
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if(|word| word == CHILD).is_some() {
        return child(&OWN, arguments);
    }
    let mut next = || arguments.next().ok_or("surfaceport-bench ONLY ROUNDS SCALE FOLDER");
    let (only, rounds, scale) = (next()?, next()?.parse()?, next()?.parse()?);
    let out = Some(next()?.into());
    suite(&Options { only, rounds, scale, out, is_small: true, ..Options::default() }, &OWN)
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("not run: the benchmarks are for Linux");
}

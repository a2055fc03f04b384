//! The benchmark's own pair: a program that has nothing in it but a host and a
//! child, so that its memory says something.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::experiment::OWN;
use crate::measure::{Length, Sample};
use crate::run::{ChildArguments, Run};
use crate::subject::Failure;
use crate::usage::Usage;

/// The program, beside that of the benchmarks.
const PROGRAM: &str = "surfaceport-pair";

/// What the program `surfaceport-pair` does: one run of one subject, on the
/// side that its command line says.
///
/// # Errors
///
/// If it is no such command line, or the run fails.
pub fn pair(arguments: impl Iterator<Item = String>) -> Result<(), Failure> {
    let mut arguments = arguments.peekable();
    let of = |name: &str| OWN.iter().find(|entry| entry.name == name).ok_or("no such subject");
    if arguments.next_if(|word| word == crate::CHILD).is_some() {
        let arguments = ChildArguments::parse(arguments)?;
        return (of(&arguments.subject)?.child)(&arguments);
    }
    let mut next = || arguments.next().ok_or("surfaceport-pair SUBJECT RUN WARM-UP FRAMES MS");
    let (entry, run) = (of(&next()?)?, Run::from_argument(&next()?)?);
    let (warm_up, frames, ms) = (next()?.parse()?, next()?.parse()?, next()?.parse()?);
    let sample = (entry.host)(&run, Length { warm_up, frames, time: Duration::from_millis(ms) })?;
    for side in [sample.host, sample.child] {
        println!("{} {} {}", side.memory_kib, side.mapped_twice, side.frames);
    }
    Ok(())
}

/// Has the program do a run.
pub(crate) fn host(subject: &str, run: &Run, length: Length) -> Result<Sample, Failure> {
    let program = std::env::current_exe()?.with_file_name(PROGRAM);
    let Length { warm_up, frames, time } = length;
    let numbers = [u128::from(warm_up), u128::from(frames), time.as_millis()];
    let mut command = Command::new(&program);
    command.args([subject, &run.to_argument()]).args(numbers.map(|number| number.to_string()));
    let failed = |error| format!("{}: {error}", program.display());
    let output = command.stderr(Stdio::inherit()).output().map_err(failed)?;
    let text = String::from_utf8(output.stdout)?;
    let mut sides = text.lines().map(|line| {
        let mut words = line.split(' ').map(str::parse);
        let (memory_kib, mapped_twice) = (words.next()?.ok()?, words.next()?.ok()?);
        let frames = words.next()?.ok()?;
        Some(Usage { memory_kib, mapped_twice, frames, ..Usage::default() })
    });
    match (sides.next().flatten(), sides.next().flatten()) {
        (Some(host), Some(child)) => Ok(Sample { host, child, ..Sample::default() }),
        _ => Err(format!("{PROGRAM} {subject}: {}", output.status).into()),
    }
}

//! The benchmarks of surfaceport.
//!
//! Two processes always. All subjects of an experiment run in each round, one
//! after the other, another one first each time; what counts is the median of
//! their multiples of the base's figure in the same round: it holds on any
//! machine, the times do not.
#![cfg(target_os = "linux")]

mod alloc;
mod board;
mod counts;
mod experiment;
mod grids;
mod huge;
mod life;
mod lockstep;
mod measure;
mod pair;
mod plan;
mod plot;
mod report;
mod results;
mod run;
mod shared;
mod subject;
mod suite;
mod target;
mod usage;

pub use alloc::Counting;
pub use board::{PATIENCE, look};
pub use experiment::{Entry, OWN};
pub use lockstep::{lockstep, step};
pub use measure::{Length, Sample};
pub use pair::pair;
pub use run::{ChildArguments, Delivery, Placement, Run, Task, Touch, Wait};
pub use shared::Shared;
pub use subject::{Child, Failure, Host, Start, Started, Subject, TORN, read, write};
pub use suite::{Options, suite};
pub use usage::Usage;

/// The word that makes a program a benchmark's child.
pub const CHILD: &str = "bench-child";

/// The child's side: what follows [`CHILD`] on the command line.
///
/// # Errors
///
/// If it is no such command line, or the host is gone.
pub fn child(subjects: &[Entry], arguments: impl Iterator<Item = String>) -> Result<(), Failure> {
    let mut arguments = arguments.peekable();
    if arguments.next_if(|word| word == life::NAME).is_some() {
        let fps = arguments.next().ok_or("no frame rate")?.parse()?;
        return life::child(fps);
    }
    if arguments.next_if(|word| word == counts::NAME).is_some() {
        return counts::watched(subjects, arguments);
    }
    let arguments = ChildArguments::parse(arguments)?;
    let entry = subjects.iter().find(|entry| entry.name == arguments.subject);
    let entry = entry.ok_or_else(|| format!("no subject is called {:?}", arguments.subject))?;
    (entry.child)(&arguments)
}

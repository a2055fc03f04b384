//! The ways to hand a frame to another process that are compared.

mod bare_word;
mod eventfd;
mod futex;
mod ring;
mod seqpacket;
mod socket;
mod surfaceport;
mod word;

use std::error::Error;
use std::io;
use std::process::{Child as Process, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::run::{ChildArguments, Run, Touch};
use crate::shared::Shared;

pub(crate) use self::bare_word::{BareWord, StampedWord};
pub(crate) use self::eventfd::EventFd;
pub(crate) use self::futex::{Futex, FutexFlag};
pub(crate) use self::ring::Ring;
pub(crate) use self::seqpacket::SeqPacket;
pub(crate) use self::socket::SocketCopy;
pub(crate) use self::surfaceport::Surfaceport;
pub(crate) use self::word::OneWord;

/// How long a child may take to end, after its run.
const LEAVE: Duration = Duration::from_secs(1);

/// What went wrong.
pub type Failure = Box<dyn Error + Send + Sync>;

/// A way to hand frames over: the consumer's side is in this process, the
/// producer's in a child of it.
pub trait Subject {
    /// As it is called in tables.
    const NAME: &'static str;
    /// The consumer's side.
    type Host: Host;
    /// The producer's side.
    type Child: Child;

    /// Whether it can do what the run asks for.
    fn can(run: &Run) -> bool;

    /// Starts the child and the consumer's side.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    fn host(start: &Start<'_>) -> Result<Self::Host, Failure>;

    /// The producer's side, in the child.
    ///
    /// # Errors
    ///
    /// If the system refuses, or the host is gone.
    fn child(arguments: &ChildArguments) -> Result<Self::Child, Failure>;
}

/// The consumer's side.
pub trait Host {
    /// Wants a frame.
    ///
    /// # Errors
    ///
    /// If the child is gone.
    fn request(&mut self) -> Result<(), Failure>;

    /// Waits for the next frame, reads of it what the run says, gives it back.
    ///
    /// # Errors
    ///
    /// If the child is gone or too late.
    fn take(&mut self) -> Result<u64, Failure>;

    /// Reads the frame that was taken last once more, if the run keeps frames.
    ///
    /// # Errors
    ///
    /// If there is none.
    fn look_again(&mut self) -> Result<u64, Failure> {
        Err("it keeps no frames".into())
    }
}

/// The producer's side.
pub trait Child {
    /// Waits until a frame is wanted; `false`: no more will be.
    ///
    /// # Errors
    ///
    /// If the host is gone.
    fn wait(&mut self) -> Result<bool, Failure>;

    /// Writes a frame, so much as the run says, and hands it over.
    ///
    /// # Errors
    ///
    /// If the host is gone.
    fn publish(&mut self, value: u64) -> Result<(), Failure>;
}

/// What a subject needs to start.
#[derive(Debug)]
pub struct Start<'a> {
    /// The run.
    pub run: &'a Run,
    /// The run's account.
    pub board: &'a Shared,
    /// The subject's name.
    pub subject: &'static str,
}

impl Start<'_> {
    /// The child's command line, with what the subject's host says to it.
    #[must_use]
    pub fn arguments(&self, rest: Vec<String>) -> Vec<String> {
        let board = self.board.path();
        let (subject, run) = (self.subject.to_owned(), self.run.clone());
        let mut all = vec![crate::CHILD.to_owned()];
        all.extend(ChildArguments { subject, run, board, rest }.to_arguments());
        all
    }

    /// A name that no other run has.
    #[must_use]
    pub fn name(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        format!("surfaceport-bench-{}-{number}", std::process::id())
    }

    /// Starts a child that has no library to start it.
    ///
    /// # Errors
    ///
    /// If there is none to be had.
    pub fn spawn(&self, rest: Vec<String>) -> io::Result<Started> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(self.arguments(rest)).stdin(Stdio::null());
        command.spawn().map(Started)
    }
}

/// A child that is reaped: after a run it ends by itself, and is given the time
/// to, so that nothing of it stays behind.
#[derive(Debug)]
pub struct Started(Process);

impl Drop for Started {
    fn drop(&mut self) {
        let begin = Instant::now();
        while matches!(self.0.try_wait(), Ok(None)) && begin.elapsed() < LEAVE {
            std::thread::sleep(Duration::from_millis(1));
        }
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Writes what the run says of a frame.
pub fn write(frame: &mut [u8], touch: Touch, value: u64) {
    let bytes = value.to_ne_bytes();
    let (words, _) = frame.as_chunks_mut::<8>();
    match touch {
        Touch::Nothing => {}
        Touch::Stamp => words.iter_mut().take(8).for_each(|word| *word = bytes),
        Touch::Whole => words.fill(bytes),
    }
}

/// Reads what the run says of a frame: the value that was written, if all of it
/// is that value.
#[must_use]
pub fn read(frame: &[u8], touch: Touch) -> u64 {
    let words = frame.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word));
    match touch {
        Touch::Nothing => 0,
        Touch::Stamp => same(words.take(8)),
        Touch::Whole => same(words),
    }
}

/// The value that all words have; [`TORN`] if they differ.
pub(crate) fn same(mut words: impl Iterator<Item = u64>) -> u64 {
    let Some(first) = words.next() else { return 0 };
    // Without a branch, so that the loop is as wide as the machine allows.
    let difference = words.fold(0, |difference, word| difference | (word ^ first));
    if difference == 0 { first } else { TORN }
}

/// What [`read`] says of a frame that is not all of one piece.
pub const TORN: u64 = u64::MAX;

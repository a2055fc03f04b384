//! The library's hand-off by itself: its word, and both sides' accounts of the
//! slots. No frame data, no times, no messages.

use std::sync::atomic::AtomicU64;

use surfaceport::internals::{WordChild, WordHost};

use super::{Child, Failure, Host, Start, Started, Subject, read, write};
use crate::board;
use crate::run::{ChildArguments, Run, Touch, Wait};
use crate::shared::Shared;

const REQUEST: usize = 0;
const FRAME: usize = 1;
const RING: usize = 2;
const PIXELS: usize = 4096;

/// The word alone.
#[derive(Debug)]
pub(crate) struct BareWord;

/// The word, and 64 bytes of the slot.
#[derive(Debug)]
pub(crate) struct StampedWord;

/// The consumer's side.
#[derive(Debug)]
pub(crate) struct Consumer {
    memory: Shared,
    host: WordHost,
    requests: u64,
    touch: Touch,
    run: Run,
    _child: Started,
}

/// The producer's side.
#[derive(Debug)]
pub(crate) struct Producer {
    memory: Shared,
    child: WordChild,
    requests: u64,
    touch: Touch,
    run: Run,
}

macro_rules! subject {
    ($type:ident, $name:literal, $touch:expr, $touches:pat) => {
        impl Subject for $type {
            const NAME: &'static str = $name;
            type Host = Consumer;
            type Child = Producer;

            fn can(run: &Run) -> bool {
                run.wait == Wait::Awake && matches!(run.touch, $touches) && run.keep_ms == 0
            }

            fn host(start: &Start<'_>) -> Result<Consumer, Failure> {
                let run = start.run.clone();
                let memory = Shared::create(PIXELS + run.slots * run.bytes())?;
                let child = start.spawn(vec![memory.path().to_string_lossy().into_owned()])?;
                let host = WordHost::new(u8::try_from(run.slots)?, run.mode());
                Ok(Consumer { memory, host, requests: 0, touch: $touch, run, _child: child })
            }

            fn child(arguments: &ChildArguments) -> Result<Producer, Failure> {
                let path = arguments.rest.first().ok_or("no memory")?;
                let (memory, run) = (Shared::open(path.as_ref())?, arguments.run.clone());
                let child = WordChild::new(run.slots, run.mode());
                Ok(Producer { memory, child, requests: 0, touch: $touch, run })
            }
        }
    };
}

subject!(BareWord, "surfaceport, the word alone", Touch::Nothing, Touch::Nothing);
subject!(
    StampedWord,
    "surfaceport, the word and 64 bytes",
    Touch::Stamp,
    Touch::Nothing | Touch::Stamp
);

/// The unread frames, in fifo.
fn ring<'a>(memory: &'a Shared, run: &Run) -> &'a [AtomicU64] {
    memory.words_of_line(RING).get(..run.slots).unwrap_or(&[])
}

/// A slot's pixels.
#[expect(clippy::mut_from_ref, reason = "the word hands slots out, not the borrow")]
fn pixels<'a>(memory: &'a Shared, run: &Run, slot: u8) -> &'a mut [u8] {
    let offset = PIXELS + usize::from(slot) * run.bytes();
    // SAFETY: the word says whose a slot is; the caller has it from there.
    unsafe { memory.part(offset, run.bytes()) }
}

impl Host for Consumer {
    fn request(&mut self) -> Result<(), Failure> {
        self.requests += 1;
        let word = self.memory.word(REQUEST);
        word.store(self.requests, std::sync::atomic::Ordering::Release);
        Ok(())
    }

    fn take(&mut self) -> Result<u64, Failure> {
        let word = self.memory.word(FRAME);
        let ring = ring(&self.memory, &self.run);
        let slot = board::look(|| self.host.take(word, ring).transpose())?;
        let slot = slot.map_err(|violation| format!("{violation:?}"))?;
        let value = read(pixels(&self.memory, &self.run, slot), self.touch);
        self.host.release(word, slot);
        Ok(value)
    }
}

impl Child for Producer {
    fn wait(&mut self) -> Result<bool, Failure> {
        let word = self.memory.word(REQUEST);
        self.requests = board::look(|| {
            let seen = word.load(std::sync::atomic::Ordering::Acquire);
            (seen > self.requests).then_some(seen)
        })?;
        Ok(true)
    }

    fn publish(&mut self, value: u64) -> Result<(), Failure> {
        let word = self.memory.word(FRAME);
        let slot = board::look(|| self.child.acquire(word))?;
        write(pixels(&self.memory, &self.run, slot), self.touch, value);
        self.child.present(word, ring(&self.memory, &self.run), slot);
        Ok(())
    }
}

//! A bare ring of frames over shared memory: the floor of all that delivers
//! every frame, and of whole frames.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};

use rustix::io::Errno;
use rustix::thread::futex;

use super::{Child, Failure, Host, Start, Started, Subject, read, write};
use crate::board;
use crate::run::{ChildArguments, Delivery, Run, Wait};
use crate::shared::Shared;

const HEAD: usize = 0;
const TAIL: usize = 2;
const REQUEST: usize = 4;
const PIXELS: usize = 4096;

/// A head, a tail, and so many frames.
#[derive(Debug)]
pub(crate) struct Ring;

/// Either side.
#[derive(Debug)]
pub(crate) struct Side {
    memory: Shared,
    head: u32,
    tail: u32,
    requests: u32,
    run: Run,
    _child: Option<Started>,
}

impl Subject for Ring {
    const NAME: &'static str = "bare ring";
    type Host = Side;
    type Child = Side;

    fn can(run: &Run) -> bool {
        run.delivery == Delivery::Every
    }

    fn host(start: &Start<'_>) -> Result<Side, Failure> {
        let memory = Shared::create(PIXELS + start.run.slots * start.run.bytes())?;
        let child = start.spawn(vec![memory.path().to_string_lossy().into_owned()])?;
        Ok(Side::new(memory, start.run, Some(child)))
    }

    fn child(arguments: &ChildArguments) -> Result<Side, Failure> {
        let path = arguments.rest.first().ok_or("no memory")?;
        Ok(Side::new(Shared::open(path.as_ref())?, &arguments.run, None))
    }
}

impl Side {
    fn new(memory: Shared, run: &Run, child: Option<Started>) -> Self {
        Self { memory, head: 0, tail: 0, requests: 0, run: run.clone(), _child: child }
    }

    fn frame(&mut self, number: u32) -> &mut [u8] {
        let len = self.run.bytes();
        let offset = number as usize % self.run.slots * len;
        // SAFETY: from tail to head a frame is the host's, else the child's.
        unsafe { self.memory.part(PIXELS + offset, len) }
    }

    /// Sets a word, and wakes who sleeps for it.
    fn set(&self, index: usize, value: u32) -> Result<(), Failure> {
        let (word, sleeps) = (self.memory.futex(index), self.memory.futex(index + 1));
        match self.run.wait {
            Wait::Awake => word.store(value, std::sync::atomic::Ordering::Release),
            Wait::Asleep => {
                word.store(value, SeqCst);
                if sleeps.load(SeqCst) != 0 {
                    futex::wake(word, futex::Flags::empty(), 1)?;
                }
            }
        }
        Ok(())
    }

    /// Waits until a word is as wanted.
    fn until(&self, index: usize, is_so: impl Fn(u32) -> bool) -> Result<u32, Failure> {
        let (word, sleeps) = (self.memory.futex(index), self.memory.futex(index + 1));
        let look = |word: &AtomicU32| Some(word.load(Acquire)).filter(|value| is_so(*value));
        match self.run.wait {
            Wait::Awake => board::look(|| look(word)),
            Wait::Asleep => loop {
                if let Some(value) = look(word) {
                    break Ok(value);
                }
                sleeps.store(1, SeqCst);
                let value = word.load(SeqCst);
                if !is_so(value) {
                    match futex::wait(word, futex::Flags::empty(), value, None) {
                        Ok(()) | Err(Errno::AGAIN | Errno::INTR) => {}
                        Err(error) => break Err(error.into()),
                    }
                }
                sleeps.store(0, Relaxed);
            },
        }
    }
}

impl Host for Side {
    fn request(&mut self) -> Result<(), Failure> {
        self.requests += 1;
        self.set(REQUEST, self.requests)
    }

    fn take(&mut self) -> Result<u64, Failure> {
        let tail = self.tail;
        self.until(HEAD, |head| head != tail)?;
        let touch = self.run.touch;
        let value = read(self.frame(tail), touch);
        self.tail = tail.wrapping_add(1);
        self.set(TAIL, self.tail)?;
        Ok(value)
    }
}

impl Child for Side {
    fn wait(&mut self) -> Result<bool, Failure> {
        let known = self.requests;
        self.requests = self.until(REQUEST, |requests| requests != known)?;
        Ok(true)
    }

    fn publish(&mut self, value: u64) -> Result<(), Failure> {
        let (head, slots) = (self.head, self.run.slots);
        self.until(TAIL, |tail| (head.wrapping_sub(tail) as usize) < slots)?;
        let touch = self.run.touch;
        write(self.frame(head), touch, value);
        self.head = head.wrapping_add(1);
        self.set(HEAD, self.head)
    }
}

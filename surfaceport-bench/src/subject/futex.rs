//! A futex, woken always, or only if the other side says that it sleeps: the
//! floor of all that sleeps.

use std::marker::PhantomData;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};

use rustix::io::Errno;
use rustix::thread::futex;
use rustix::time::Timespec;

use super::{Child, Failure, Host, Start, Started, Subject, read, write};
use crate::board::{self, PATIENCE};
use crate::run::{ChildArguments, Delivery, Run, Touch, Wait};
use crate::shared::Shared;

const REQUEST: usize = 0;
const FRAME: usize = 2;
const PIXELS: usize = 4096;

/// Wakes for every frame.
#[derive(Debug)]
pub(crate) struct Futex;

/// Wakes only one who sleeps.
#[derive(Debug)]
pub(crate) struct FutexFlag;

/// Either side. `FLAG`: it says when it sleeps, in the word after.
#[derive(Debug)]
pub(crate) struct Side<const FLAG: bool> {
    memory: Shared,
    seen: u32,
    run: Run,
    _child: Option<Started>,
    _not_sync: PhantomData<*const ()>,
}

macro_rules! subject {
    ($type:ident, $flag:literal, $name:literal) => {
        impl Subject for $type {
            const NAME: &'static str = $name;
            type Host = Side<$flag>;
            type Child = Side<$flag>;

            fn can(run: &Run) -> bool {
                run.delivery == Delivery::Newest
                    && run.touch != Touch::Whole
                    && (run.wait == Wait::Asleep || $flag)
            }

            fn host(start: &Start<'_>) -> Result<Self::Host, Failure> {
                let memory = Shared::create(PIXELS + start.run.bytes())?;
                let child = start.spawn(vec![memory.path().to_string_lossy().into_owned()])?;
                Ok(Side::new(memory, start.run, Some(child)))
            }

            fn child(arguments: &ChildArguments) -> Result<Self::Child, Failure> {
                let path = arguments.rest.first().ok_or("no memory")?;
                Ok(Side::new(Shared::open(path.as_ref())?, &arguments.run, None))
            }
        }
    };
}

subject!(Futex, false, "raw futex");
subject!(FutexFlag, true, "futex + flag");

impl<const FLAG: bool> Side<FLAG> {
    fn new(memory: Shared, run: &Run, child: Option<Started>) -> Self {
        Self { memory, seen: 0, run: run.clone(), _child: child, _not_sync: PhantomData }
    }

    fn pixels(&mut self) -> &mut [u8] {
        let len = self.run.bytes();
        // SAFETY: a frame is the child's until the counter says so, then the
        // host's until it asks for the next.
        unsafe { self.memory.part(PIXELS, len) }
    }

    fn word(&self, index: usize) -> (&AtomicU32, &AtomicU32) {
        (self.memory.futex(index), self.memory.futex(index + 1))
    }

    fn signal(&self, index: usize) -> Result<(), Failure> {
        let (word, sleeps) = self.word(index);
        word.fetch_add(1, SeqCst);
        if !FLAG || sleeps.load(SeqCst) != 0 {
            futex::wake(word, futex::Flags::empty(), 1)?;
        }
        Ok(())
    }

    fn await_signal(&mut self, index: usize) -> Result<(), Failure> {
        let seen = self.seen;
        let (word, sleeps) = self.word(index);
        let news = || {
            let now = word.load(Acquire);
            (now != seen).then_some(now)
        };
        let now = match self.run.wait {
            Wait::Awake => board::look(news)?,
            Wait::Asleep => loop {
                if let Some(now) = news() {
                    break now;
                }
                if FLAG {
                    sleeps.store(1, SeqCst);
                }
                let patience = Timespec { tv_sec: PATIENCE.as_secs().cast_signed(), tv_nsec: 0 };
                match futex::wait(word, futex::Flags::empty(), seen, Some(&patience)) {
                    Ok(()) | Err(Errno::AGAIN | Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
                if FLAG {
                    sleeps.store(0, Relaxed);
                }
            },
        };
        self.seen = now;
        Ok(())
    }
}

impl<const FLAG: bool> Host for Side<FLAG> {
    fn request(&mut self) -> Result<(), Failure> {
        self.signal(REQUEST)
    }

    fn take(&mut self) -> Result<u64, Failure> {
        self.await_signal(FRAME)?;
        let touch = self.run.touch;
        Ok(read(self.pixels(), touch))
    }
}

impl<const FLAG: bool> Child for Side<FLAG> {
    fn wait(&mut self) -> Result<bool, Failure> {
        self.await_signal(REQUEST).map(|()| true)
    }

    fn publish(&mut self, value: u64) -> Result<(), Failure> {
        let touch = self.run.touch;
        write(self.pixels(), touch, value);
        self.signal(FRAME)
    }
}

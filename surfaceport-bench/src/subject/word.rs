//! One shared atomic word: the floor of all that is awake.

use std::sync::atomic::Ordering::{Acquire, Release};

use super::{Child, Failure, Host, Start, Started, Subject, read, write};
use crate::board;
use crate::run::{ChildArguments, Delivery, Run, Touch, Wait};
use crate::shared::Shared;

const REQUEST: usize = 0;
const FRAME: usize = 1;
const PIXELS: usize = 4096;

/// A counter in shared memory that both sides look at.
#[derive(Debug)]
pub(crate) struct OneWord;

/// Either side.
#[derive(Debug)]
pub(crate) struct Side {
    memory: Shared,
    count: u64,
    run: Run,
    _child: Option<Started>,
}

impl Subject for OneWord {
    const NAME: &'static str = "one atomic word";
    type Host = Side;
    type Child = Side;

    fn can(run: &Run) -> bool {
        run.wait == Wait::Awake && run.delivery == Delivery::Newest && run.touch != Touch::Whole
    }

    fn host(start: &Start<'_>) -> Result<Side, Failure> {
        let memory = Shared::create(PIXELS + start.run.bytes())?;
        let child = start.spawn(vec![memory.path().to_string_lossy().into_owned()])?;
        Ok(Side { memory, count: 0, run: start.run.clone(), _child: Some(child) })
    }

    fn child(arguments: &ChildArguments) -> Result<Side, Failure> {
        let path = arguments.rest.first().ok_or("no memory")?;
        let memory = Shared::open(path.as_ref())?;
        Ok(Side { memory, count: 0, run: arguments.run.clone(), _child: None })
    }
}

impl Side {
    fn pixels(&mut self) -> &mut [u8] {
        let len = self.run.bytes();
        // SAFETY: a frame is the child's until the counter says so, then the
        // host's until it asks for the next.
        unsafe { self.memory.part(PIXELS, len) }
    }
}

impl Host for Side {
    fn request(&mut self) -> Result<(), Failure> {
        self.memory.word(REQUEST).store(self.count + 1, Release);
        Ok(())
    }

    fn take(&mut self) -> Result<u64, Failure> {
        let word = self.memory.word(FRAME);
        let seen = board::look(|| {
            let seen = word.load(Acquire);
            (seen > self.count).then_some(seen)
        })?;
        self.count = seen;
        let touch = self.run.touch;
        Ok(read(self.pixels(), touch))
    }
}

impl Child for Side {
    fn wait(&mut self) -> Result<bool, Failure> {
        let word = self.memory.word(REQUEST);
        board::look(|| (word.load(Acquire) > self.count).then_some(()))?;
        Ok(true)
    }

    fn publish(&mut self, value: u64) -> Result<(), Failure> {
        self.count += 1;
        let touch = self.run.touch;
        write(self.pixels(), touch, value);
        self.memory.word(FRAME).store(self.count, Release);
        Ok(())
    }
}

//! Two eventfds.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::event::{EventfdFlags, eventfd};

use super::{Child, Failure, Host, Start, Started, Subject, read, write};
use crate::run::{ChildArguments, Delivery, Run, Touch, Wait};
use crate::shared::Shared;

const PIXELS: usize = 4096;

/// A blocking eventfd each way.
#[derive(Debug)]
pub(crate) struct EventFd;

/// Either side.
#[derive(Debug)]
pub(crate) struct Side {
    memory: Shared,
    ours: OwnedFd,
    theirs: OwnedFd,
    run: Run,
    _child: Option<Started>,
}

/// An fd that was inherited under this number.
pub(super) fn inherited(argument: Option<&String>) -> Result<OwnedFd, Failure> {
    let number: RawFd = argument.ok_or("an fd is missing")?.parse()?;
    // SAFETY: this process was started with the fd for this, and nothing else
    // in it knows the number.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC)?;
    // SAFETY: as above; it is open, as the call before has shown.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

impl Subject for EventFd {
    const NAME: &'static str = "eventfd";
    type Host = Side;
    type Child = Side;

    fn can(run: &Run) -> bool {
        run.wait == Wait::Asleep && run.delivery == Delivery::Newest && run.touch != Touch::Whole
    }

    fn host(start: &Start<'_>) -> Result<Side, Failure> {
        let memory = Shared::create(PIXELS + start.run.bytes())?;
        // Not closed in the child, which finds them under these numbers.
        let request = eventfd(0, EventfdFlags::empty())?;
        let frame = eventfd(0, EventfdFlags::empty())?;
        let child = start.spawn(vec![
            memory.path().to_string_lossy().into_owned(),
            request.as_raw_fd().to_string(),
            frame.as_raw_fd().to_string(),
        ])?;
        let run = start.run.clone();
        Ok(Side { memory, ours: request, theirs: frame, run, _child: Some(child) })
    }

    fn child(arguments: &ChildArguments) -> Result<Side, Failure> {
        let path = arguments.rest.first().ok_or("no memory")?;
        let memory = Shared::open(path.as_ref())?;
        let theirs = inherited(arguments.rest.get(1))?;
        let ours = inherited(arguments.rest.get(2))?;
        Ok(Side { memory, ours, theirs, run: arguments.run.clone(), _child: None })
    }
}

impl Side {
    fn pixels(&mut self) -> &mut [u8] {
        let len = self.run.bytes();
        // SAFETY: a frame is the child's until its eventfd says so, then the
        // host's until it asks for the next.
        unsafe { self.memory.part(PIXELS, len) }
    }

    fn signal(&self) -> Result<(), Failure> {
        rustix::io::write(&self.ours, &1_u64.to_ne_bytes())?;
        Ok(())
    }

    fn await_signal(&self) -> Result<(), Failure> {
        rustix::io::read(&self.theirs, &mut [0; 8])?;
        Ok(())
    }
}

impl Host for Side {
    fn request(&mut self) -> Result<(), Failure> {
        self.signal()
    }

    fn take(&mut self) -> Result<u64, Failure> {
        self.await_signal()?;
        let touch = self.run.touch;
        Ok(read(self.pixels(), touch))
    }
}

impl Child for Side {
    fn wait(&mut self) -> Result<bool, Failure> {
        self.await_signal().map(|()| true)
    }

    fn publish(&mut self, value: u64) -> Result<(), Failure> {
        let touch = self.run.touch;
        write(self.pixels(), touch, value);
        self.signal()
    }
}

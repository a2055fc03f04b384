//! The pixels themselves through a socket.

use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;

use rustix::net::SocketType;

use super::eventfd::inherited;
use super::seqpacket::pair;
use super::{Child, Failure, Host, Start, Started, Subject, read, write};
use crate::run::{ChildArguments, Delivery, Run, Wait};

/// Frames as bytes of a stream.
#[derive(Debug)]
pub(crate) struct SocketCopy;

/// Either side.
#[derive(Debug)]
pub(crate) struct Side {
    stream: UnixStream,
    frame: Vec<u8>,
    run: Run,
    _child: Option<Started>,
}

impl Side {
    fn new(stream: UnixStream, run: &Run, child: Option<Started>) -> Self {
        Self { stream, frame: vec![0; run.bytes()], run: run.clone(), _child: child }
    }
}

impl Subject for SocketCopy {
    const NAME: &'static str = "socket copy";
    type Host = Side;
    type Child = Side;

    fn can(run: &Run) -> bool {
        run.wait == Wait::Asleep && run.delivery == Delivery::Every
    }

    fn host(start: &Start<'_>) -> Result<Side, Failure> {
        let (ours, theirs) = pair(SocketType::STREAM)?;
        let child = start.spawn(vec![theirs.as_raw_fd().to_string()])?;
        Ok(Side::new(ours.into(), start.run, Some(child)))
    }

    fn child(arguments: &ChildArguments) -> Result<Side, Failure> {
        Ok(Side::new(inherited(arguments.rest.first())?.into(), &arguments.run, None))
    }
}

impl Host for Side {
    fn request(&mut self) -> Result<(), Failure> {
        Ok(self.stream.write_all(&[0; 8])?)
    }

    fn take(&mut self) -> Result<u64, Failure> {
        self.stream.read_exact(&mut self.frame)?;
        Ok(read(&self.frame, self.run.touch))
    }
}

impl Child for Side {
    fn wait(&mut self) -> Result<bool, Failure> {
        Ok(self.stream.read_exact(&mut [0; 8]).is_ok())
    }

    fn publish(&mut self, value: u64) -> Result<(), Failure> {
        write(&mut self.frame, self.run.touch, value);
        Ok(self.stream.write_all(&self.frame)?)
    }
}

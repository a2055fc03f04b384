//! A host in an event loop of mio.
use std::os::fd::{AsFd as _, AsRawFd as _};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if adapters::run_if_child() {
        return Ok(());
    }
    let mut host = adapters::Host::new(adapters::headless()?);
    let mut poll = Poll::new()?;
    let fd = host.view.as_fd().as_raw_fd();
    poll.registry().register(&mut SourceFd(&fd), Token(0), Interest::READABLE)?;
    let mut events = Events::with_capacity(8);
    while host.turn()? {
        poll.poll(&mut events, host.patience())?;
    }
    Ok(())
}

//! A host in calloop's event loop.
use std::os::fd::AsFd as _;

use calloop::generic::Generic;
use calloop::{EventLoop, Interest, Mode, PostAction};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if adapters::run_if_child() {
        return Ok(());
    }
    let mut host = adapters::Host::new(adapters::headless()?);
    let mut event_loop = EventLoop::try_new()?;
    // A handle of its own: the loop's source and the view live apart.
    let fd = host.view.as_fd().try_clone_to_owned()?;
    let source = Generic::new(fd, Interest::READ, Mode::Level);
    event_loop.handle().insert_source(source, |_readiness, _fd, woken: &mut bool| {
        *woken = true;
        Ok(PostAction::Continue)
    })?;
    while host.turn()? {
        event_loop.dispatch(host.patience(), &mut false)?;
    }
    Ok(())
}

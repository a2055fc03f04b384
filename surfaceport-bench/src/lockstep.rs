//! Both sides in one thread, frame by frame, for counts that repeat.

use std::time::Duration;

use surfaceport::{
    Canvas, Damage, Deadline, Error, Event, Frame, Listener, PresentMode, Renderer, Session, Size,
    Swapchain, SwapchainDescriptor,
};

use crate::alloc::allocations;
use crate::board::PATIENCE;
use crate::subject::Failure;

/// The four steps of a frame, as `cargo xtask counts` names them to callgrind:
/// each a function of its own, which is never inlined.
pub mod step {
    use super::{Canvas, Damage, Deadline, Error, Event, Frame, Session, Swapchain};

    /// A free slot.
    ///
    /// # Errors
    ///
    /// As the library has it.
    #[inline(never)]
    pub fn acquire(swapchain: &Swapchain) -> Result<Canvas<'_>, Error> {
        swapchain.acquire(Deadline::NOW)
    }

    /// The frame is handed over.
    ///
    /// # Errors
    ///
    /// As the library has it.
    #[inline(never)]
    pub fn present(canvas: Canvas<'_>) -> Result<(), Error> {
        canvas.present(Damage::FULL).map(drop)
    }

    /// The host is awake, and looks for it.
    ///
    /// # Errors
    ///
    /// As the library has it.
    #[inline(never)]
    pub fn take(session: &mut Session) -> Result<Option<Frame>, Error> {
        session.next_frame(Deadline::NOW)
    }

    /// The host slept, and was woken.
    ///
    /// # Errors
    ///
    /// As the library has it.
    #[inline(never)]
    pub fn wake(session: &mut Session) -> Result<Option<Frame>, Error> {
        session.next_frame(Deadline::NEVER)
    }

    /// The slot goes back.
    #[inline(never)]
    pub fn release(frame: Frame) {
        drop(frame);
    }

    /// The host goes to sleep: nothing is there, the child is to ring.
    ///
    /// # Errors
    ///
    /// As the library has it.
    #[inline(never)]
    pub fn rest(session: &mut Session) -> Result<bool, Error> {
        Ok(session.dispatch()?.is_none_or(|event| !matches!(event, Event::Frame(_))))
    }
}

/// A host, connected to a child of the same process.
fn pair(fifo: bool) -> Result<(Session, Renderer, Swapchain), Failure> {
    let name = format!("bench.lockstep.{}", std::process::id());
    let mut listener = Listener::bind(&name)?;
    let host = std::thread::spawn(move || -> Result<Session, Error> {
        let mut session = listener.accept(PATIENCE)?.ok_or(Error::HostGone)?;
        while !matches!(session.next_event(PATIENCE)?, None | Some(Event::Setup { .. })) {}
        Ok(session)
    });
    let renderer = Renderer::connect_to(&name)?;
    let mode = if fifo { PresentMode::Fifo } else { PresentMode::Mailbox };
    let swapchain = renderer.swapchain(SwapchainDescriptor::new(Size::new(64, 64)).mode(mode))?;
    let session = host.join().map_err(|_| "the host's thread panicked")??;
    Ok((session, renderer, swapchain))
}

/// So many frames, all of them taken. `asleep`: the host rests before each.
///
/// # Errors
///
/// If the library fails, or a frame is not there.
pub fn lockstep(fifo: bool, asleep: bool, frames: u32) -> Result<(), Failure> {
    let (mut session, renderer, swapchain) = pair(fifo)?;
    // What follows a handshake is over by then.
    std::thread::sleep(Duration::from_millis(50));
    let before = allocations();
    for _ in 0..frames {
        if asleep && !step::rest(&mut session)? {
            return Err("a frame that nobody presented".into());
        }
        step::present(step::acquire(&swapchain)?)?;
        let frame = if asleep { step::wake(&mut session)? } else { step::take(&mut session)? };
        step::release(frame.ok_or("the frame is not there")?);
    }
    println!("allocations: {}", allocations() - before);
    drop((swapchain, renderer));
    Ok(())
}

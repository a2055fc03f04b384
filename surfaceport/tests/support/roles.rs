//! Children for the tests of life and death.

use std::time::Duration;

use surfaceport::{Canvas, Damage, Deadline, Error, Renderer, RendererEvent, Swapchain};

use super::{Role, draw, free_running, paced, parameter, swapchain};

/// All of them, for `run_child`.
pub const ROLES: &[Role<'_>] = &[
    ("silent", silent),
    ("connected", connected),
    ("free", free_running),
    ("paced", paced),
    ("resizing", resizing),
    ("bye", bye),
    ("spinning", spinning),
];

/// Never says Hello.
fn silent() -> Result<(), Error> {
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}

/// Connects, and listens.
fn connected() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    loop {
        if renderer.next_event(Deadline::NEVER)? == Some(RendererEvent::Bye) {
            return Ok(());
        }
    }
}

/// Presents one frame.
pub fn show_one(swapchain: &Swapchain, sequence: u64) -> Result<(), Error> {
    let mut canvas: Canvas<'_> = swapchain.acquire(Deadline::NEVER)?;
    draw(&mut canvas, sequence);
    canvas.present(Damage::FULL).map(drop)
}

/// One frame, and for each message a new generation with one frame more.
fn resizing() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let mut current = swapchain(&renderer)?;
    show_one(&current, 1)?;
    loop {
        match renderer.next_event(Deadline::NEVER)? {
            Some(RendererEvent::Message(_)) => {
                current = swapchain(&renderer)?;
                show_one(&current, 1)?;
            }
            Some(RendererEvent::Bye) => return Ok(()),
            _ => {}
        }
    }
}

/// Says Bye after `FRAMES` frames (fifo keeps them all), and stays.
fn bye() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let chain = swapchain(&renderer)?;
    for sequence in 1..=parameter("FRAMES", 1) {
        show_one(&chain, sequence)?;
    }
    drop((chain, renderer));
    silent()
}

/// Draws one frame and then never calls the library again.
fn spinning() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let chain = swapchain(&renderer)?;
    show_one(&chain, 1)?;
    loop {
        std::hint::spin_loop();
    }
}

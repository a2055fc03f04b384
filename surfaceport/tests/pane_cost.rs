//! What a pane in a window costs the host: nothing that grows with the frame. More
//! frames, and the table: `cargo xtask bench --only panes`.
#![cfg(target_os = "linux")]
#![allow(missing_docs)]

mod support;

use std::time::{Duration, Instant};

use rustix::time::ClockId;
use servers::Kind;
use support::desk::desk;
use support::window::window;
use support::{parameter, run_child, start};
use surfaceport::{
    Damage, Deadline, Error, Pane, Placement, Rect, Renderer, Session, Size, SwapchainDescriptor,
    View,
};

const SMALL: Size = Size::new(640, 480);
/// 27 times the pixels.
const LARGE: Size = Size::new(3840, 2160);

/// Not a test of its own: what the others start.
#[test]
fn child() {
    run_child(&[("blinking", blinking)]);
}

/// Draws a small square in a picture that stays, so that the child costs little
/// whatever the size.
fn blinking() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let size = parameter("SIZE", SMALL);
    let swapchain = renderer.swapchain(SwapchainDescriptor::new(size).slots(4))?;
    for frame in 0_u32.. {
        swapchain.wait_begin_frame(Deadline::NEVER)?;
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        let shade = frame.to_le_bytes()[0];
        for row in canvas.rows_mut().take(16) {
            row.as_chunks_mut::<4>().0.iter_mut().take(16).for_each(|pixel| *pixel = [shade; 4]);
        }
        let first = frame < 4;
        canvas.present(if first { Damage::FULL } else { Rect::new(0, 0, 16, 16).into() })?;
    }
    Ok(())
}

/// Processor time of this thread.
fn spent() -> Duration {
    let time = rustix::time::clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// Microseconds that a frame of this size costs the host.
fn cost(pane: impl Pane, size: Size) -> f64 {
    let frames = parameter("PANE_COST_FRAMES", 60_u32);
    let child = start("blinking").env("SIZE", size.to_string());
    let mut view = View::new(Session::spawn(child).unwrap(), pane).unwrap();
    let mut run = |frames: u32| {
        let until = view.pane().stats().presented + u64::from(frames);
        let mut deadline = Instant::now() + Duration::from_secs(60);
        let mut last = 0;
        while view.pane().stats().presented < until {
            let presented = view.pane().stats().presented;
            if presented > last {
                (last, deadline) = (presented, Instant::now() + Duration::from_secs(60));
            }
            assert!(Instant::now() < deadline, "no frames");
            view.next_event(Duration::from_millis(100)).unwrap();
        }
    };
    run(10);
    let before = spent();
    run(frames);
    (spent() - before).as_secs_f64() * 1e6 / f64::from(frames)
}

fn does_not_grow(kind: Kind, mut cost: impl FnMut(Size) -> f64) {
    // In turns, and the least of each: other work has the machine too.
    let [mut small, mut large] = [f64::MAX; 2];
    for _ in 0..3 {
        small = small.min(cost(SMALL));
        large = large.min(cost(LARGE));
    }
    let ratio = large / small;
    println!("{kind:?}: a frame of {SMALL} {small:.0} µs, of {LARGE} {large:.0} µs: {ratio:.2}");
    assert!(ratio < 3.0, "the host's time grows with the frame");
}

fn wayland(kind: Kind) {
    let Some(mut window) = window(kind) else { return };
    does_not_grow(kind, |size| {
        let pane = window.pane(Placement::at(0, 0), size);
        window.commit();
        cost(pane, size)
    });
}

#[test]
fn on_sway() {
    wayland(Kind::Sway);
}

#[test]
fn on_weston_gl() {
    wayland(Kind::WestonGl);
}

#[test]
fn on_x11() {
    let Some(desk) = desk(LARGE.width, LARGE.height, &[]) else { return };
    does_not_grow(Kind::Xvfb, |size| cost(desk.pane(size), size));
}

//! A view shows a child in a pane: pacing, resize, restart.
#![allow(missing_docs)]

mod support;

use std::time::Duration;

use support::{run_child, start};
use surfaceport::{
    Applied, Canvas, Damage, Deadline, Error, Event, ExitReason, Fit, HeadlessPane, Lease, Pane,
    PresentMode, Renderer, RendererEvent, ResizePolicy, Scale, Session, Size, SwapchainDescriptor,
    Timestamp, View,
};

const SMALL: Size = Size::new(40, 20);
const LARGE: Size = Size::new(60, 50);
const LONG: Duration = Duration::from_secs(20);

/// A frame of one colour that says its size and its child.
fn paint(canvas: &mut Canvas<'_>) {
    let size = canvas.size();
    let colour = colour(size);
    for row in canvas.rows_mut() {
        row.as_chunks_mut().0.fill(colour);
    }
}

fn colour(size: Size) -> [u8; 4] {
    [u8::try_from(size.width).unwrap(), u8::try_from(size.height).unwrap(), 7, 255]
}

/// Follows the host's size, as slowly as `SLOW_MS` says.
fn follow() -> Result<(), Error> {
    let slow = Duration::from_millis(support::parameter("SLOW_MS", 0));
    let renderer = Renderer::connect()?;
    let descriptor = |size: Option<Size>| SwapchainDescriptor::new(size.unwrap_or(SMALL));
    let mut swapchain = renderer.swapchain(descriptor(renderer.wanted_size()))?;
    loop {
        while let Some(event) = renderer.dispatch()? {
            match event {
                RendererEvent::Configure { size, .. } => {
                    std::thread::sleep(slow);
                    swapchain = renderer.swapchain(descriptor(size))?;
                }
                RendererEvent::Message(_) => std::process::abort(),
                _ => return Ok(()),
            }
        }
        match swapchain.wait_begin_frame(Deadline::NEVER) {
            Ok(_) => {}
            Err(error) => return Err(error),
        }
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        paint(&mut canvas);
        canvas.present(Damage::FULL)?;
    }
}

/// Never answers a Configure.
fn stubborn() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let swapchain = renderer.swapchain(SwapchainDescriptor::new(SMALL))?;
    loop {
        swapchain.wait_begin_frame(Deadline::NEVER)?;
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        paint(&mut canvas);
        canvas.present(Damage::FULL)?;
    }
}

/// Draws a frame for each begin-frame, and says so after each.
fn telling() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let fifo = support::parameter("FIFO", false);
    let mode = if fifo { PresentMode::Fifo } else { PresentMode::Mailbox };
    let swapchain = renderer.swapchain(SwapchainDescriptor::new(SMALL).slots(4).mode(mode))?;
    loop {
        swapchain.wait_begin_frame(Deadline::NEVER)?;
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        paint(&mut canvas);
        canvas.present(Damage::FULL)?;
        renderer.send(b"presented")?;
    }
}

#[test]
fn child() {
    run_child(&[("follow", follow), ("stubborn", stubborn), ("telling", telling)]);
}

fn view(role: &str, slow: u32) -> View<HeadlessPane> {
    let command = start(role).env("SLOW_MS", slow.to_string());
    let session = Session::spawn(command).unwrap();
    View::new(session, HeadlessPane::new(SMALL).refresh_rate(200.0)).unwrap()
}

/// Runs until `done` holds, after each event or tick.
fn run_until(view: &mut View<HeadlessPane>, mut done: impl FnMut(&View<HeadlessPane>) -> bool) {
    let deadline = std::time::Instant::now() + LONG;
    while !done(view) {
        assert!(std::time::Instant::now() < deadline, "not done in {LONG:?}");
        if let Some(Event::Exited { exit, restart_in }) =
            view.next_event(Duration::from_millis(2)).unwrap()
        {
            println!("{exit}");
            assert!(restart_in.is_some(), "{exit}");
        }
    }
}

/// What the pane's pixels are: how many of each colour.
fn colours(view: &View<HeadlessPane>, size: Size) -> (usize, usize) {
    let picture = view.pane().picture();
    let whole = picture.iter().filter(|pixel| **pixel == colour(size)).count();
    let fill = picture.iter().filter(|pixel| **pixel == [0, 0, 0, 255]).count();
    assert_eq!(whole + fill, picture.len(), "a pixel of neither frame nor fill");
    (whole, fill)
}

fn area(size: Size) -> usize {
    (size.width * size.height) as usize
}

#[test]
fn shows_a_frame_for_each_tick() {
    let mut view = view("follow", 0);
    run_until(&mut view, |view| view.pane().shown() >= 50);
    assert_eq!(colours(&view, SMALL), (area(SMALL), 0));
    assert!(!view.is_resizing());
    // Paced by the pane: hardly a frame is drawn in vain.
    let stats = view.session().stats();
    assert!(stats.superseded <= stats.shown / 10, "{stats:?}");
}

#[test]
fn hold_never_stretches_and_switches_in_one_step() {
    for (from, to) in [(SMALL, LARGE), (LARGE, SMALL)] {
        let mut view = view("follow", 100);
        view.resize(from, Scale::ONE).unwrap();
        run_until(&mut view, |view| {
            view.shown().is_some() && !view.is_resizing() && colours(view, from).1 == 0
        });
        view.resize(to, Scale::ONE).unwrap();
        let seen = area(Size::new(from.width.min(to.width), from.height.min(to.height)));
        let mut held = 0;
        run_until(&mut view, |view| {
            if view.is_resizing() {
                assert_eq!(colours(view, from), (seen, area(to) - seen), "held at its own size");
                held += 1;
                return false;
            }
            colours(view, to) == (area(to), 0)
        });
        assert!(held > 0, "the child took 100 ms");
    }
}

#[test]
fn scale_and_crop_fit_the_old_frame() {
    for (fit, filled) in [(Fit::Scale, 0), (Fit::Crop, area(LARGE) - area(SMALL))] {
        let mut view = view("follow", 100).resize_policy(ResizePolicy::Show(fit));
        run_until(&mut view, |view| view.shown().is_some());
        view.resize(LARGE, Scale::ONE).unwrap();
        assert_eq!(colours(&view, SMALL), (area(LARGE) - filled, filled), "{fit:?}");
        run_until(&mut view, |view| !view.is_resizing());
        assert_eq!(colours(&view, LARGE), (area(LARGE), 0));
    }
}

#[test]
fn block_shows_no_frame_of_the_wrong_size() {
    let mut view = view("follow", 20).resize_policy(ResizePolicy::Block(LONG));
    run_until(&mut view, |view| view.shown().is_some());
    for size in [LARGE, SMALL, LARGE, SMALL] {
        view.resize(size, Scale::ONE).unwrap();
        assert_eq!(colours(&view, size), (area(size), 0));
    }
    assert_eq!(view.blocks_missed(), 0);
}

#[test]
fn block_gives_up_and_counts() {
    let mut view =
        view("stubborn", 0).resize_policy(ResizePolicy::Block(Duration::from_millis(30)));
    run_until(&mut view, |view| view.shown().is_some());
    view.resize(LARGE, Scale::ONE).unwrap();
    assert_eq!(view.blocks_missed(), 1);
    // And the child goes on in the old size.
    let shown = view.pane().shown();
    run_until(&mut view, |view| view.pane().shown() > shown + 3);
    assert_eq!(colours(&view, SMALL), (area(SMALL), area(LARGE) - area(SMALL)));
}

#[test]
fn many_resizes_leave_nothing_behind() {
    let mut view = view("follow", 0);
    run_until(&mut view, |view| view.shown().is_some());
    for step in 0..100_u32 {
        let size = Size::new(10 + step % 90, 100 - step % 90);
        view.resize(size, Scale::ONE).unwrap();
        if step % 3 == 0 {
            run_until(&mut view, |view| !view.is_resizing());
        }
    }
    run_until(&mut view, |view| !view.is_resizing());
    let last = Size::new(19, 91);
    assert_eq!(colours(&view, last), (area(last), 0));
    let generation = view.shown().unwrap().generation;
    assert!((34..=102).contains(&generation), "Configures coalesce: {generation}");
}

#[test]
fn the_last_frame_stays_until_the_next_child_draws() {
    let mut view = view("follow", 0);
    run_until(&mut view, |view| view.pane().shown() > 3);
    for _ in 0..3 {
        let before = view.session().child_pid();
        // The child aborts at once.
        view.session_mut().send(b"crash").unwrap();
        let shown = view.pane().shown();
        let mut ended = false;
        run_until(&mut view, |view| {
            assert_eq!(colours(view, SMALL), (area(SMALL), 0), "never blank");
            ended |= view.session().child_pid().is_none();
            let next = view.session().child_pid();
            next.is_some() && next != before && view.pane().shown() > shown + 5
        });
        assert!(ended);
    }
    assert_eq!(view.session().stats().restarts, 3);
}

#[test]
fn run_ends_with_the_session_and_keeps_the_picture() {
    let mut view = view("follow", 0);
    run_until(&mut view, |view| view.shown().is_some());
    let exit = view.session_mut().close_child(LONG);
    assert_eq!(exit.reason, ExitReason::Closed);
    assert_eq!(view.run(LONG).unwrap().unwrap().reason, ExitReason::Closed);
    assert!(view.run(Deadline::NEVER).unwrap().is_none(), "over is over");
    assert_eq!(colours(&view, SMALL), (area(SMALL), 0));
}

#[test]
fn a_hidden_pane_lets_the_child_rest() {
    let mut view = view("follow", 0);
    run_until(&mut view, |view| view.pane().shown() > 3);
    view.set_hidden(true);
    // It rests at last: what is under way may still come.
    let deadline = std::time::Instant::now() + LONG;
    let mut presented = None;
    loop {
        view.run(Duration::from_millis(200)).unwrap();
        let now = view.session().stats().presented;
        if presented.replace(now) == Some(now) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "it goes on");
    }
    // A Configure wakes it for one frame, else it would wait for ever.
    view.resize(LARGE, Scale::ONE).unwrap();
    run_until(&mut view, |view| !view.is_resizing());
    view.set_hidden(false);
    let shown = view.pane().shown();
    run_until(&mut view, |view| view.pane().shown() > shown + 3);
}

/// A display that wants a frame when the test says so.
#[derive(Default)]
struct ByHand {
    tick: Option<Timestamp>,
    on_display: Option<Lease>,
    shown: u64,
}

impl Pane for ByHand {
    fn size(&self) -> Size {
        SMALL
    }
    fn resize(&mut self, _size: Size, _scale: Scale, _fit: Fit) -> Result<Applied, Error> {
        Ok(Applied::Now)
    }
    fn present(&mut self, lease: Lease) -> Result<(), Error> {
        self.on_display = Some(lease);
        self.shown += 1;
        Ok(())
    }
    fn poll_tick(&mut self, _now: Timestamp) -> Result<Option<Timestamp>, Error> {
        Ok(self.tick.take())
    }
    fn next_wake(&self) -> Option<Timestamp> {
        None
    }
}

/// Turns the view's loop until the child has presented so many frames more and
/// what is on the display is as it should be.
#[track_caller]
fn turn(view: &mut View<ByHand>, mut presented: u32, done: impl Fn(&ByHand) -> bool) {
    let deadline = std::time::Instant::now() + LONG;
    while presented > 0 || !done(view.pane()) {
        assert!(std::time::Instant::now() < deadline, "{presented} to come, {:?}", view.shown());
        if let Some(Event::Message(_)) = view.next_event(Duration::from_millis(20)).unwrap() {
            presented = presented.checked_sub(1).expect("a frame that nobody asked for");
        }
    }
}

/// A child that was asked for a frame before the display wanted one is a frame
/// ahead.
fn one_ahead(fifo: bool) -> View<ByHand> {
    let session = Session::spawn(start("telling").env("FIFO", fifo.to_string())).unwrap();
    let mut view = View::new(session, ByHand::default()).unwrap();
    turn(&mut view, 1, |display| display.shown == 1);
    view.session_mut().begin_frame(Timestamp::now());
    turn(&mut view, 1, |_| true);
    assert_eq!(view.pane().shown, 1, "it waits for the display");
    view
}

fn tick(view: &mut View<ByHand>) -> Timestamp {
    let now = Timestamp::now();
    view.pane_mut().tick = Some(now);
    now
}

#[test]
fn a_child_that_was_ahead_is_in_step_after_one_tick() {
    let mut view = one_ahead(false);
    for _ in 0..3 {
        let asked = tick(&mut view);
        // What is shown was drawn for this tick. The one that waited was shown
        // before it, if there was time.
        turn(&mut view, 1, |display| {
            let answered = display.on_display.as_ref().and_then(Lease::begin_frame);
            answered == Some(asked)
        });
    }
    assert!(view.pane().shown >= 4);
}

#[test]
fn in_fifo_each_tick_shows_one_frame() {
    let mut view = one_ahead(true);
    for shown in [2, 3, 4] {
        tick(&mut view);
        turn(&mut view, 1, |display| display.shown >= shown);
        assert_eq!(view.pane().shown, shown);
    }
}

/// A pane of whose surfaces one stays in use by the display.
struct Stuck {
    inner: HeadlessPane,
    stuck: bool,
}

impl Pane for Stuck {
    fn size(&self) -> Size {
        self.inner.size()
    }

    fn resize(&mut self, size: Size, scale: Scale, fit: Fit) -> Result<Applied, Error> {
        self.inner.resize(size, scale, fit)
    }

    fn present(&mut self, lease: Lease) -> Result<(), Error> {
        self.inner.present(lease)
    }

    fn poll_tick(&mut self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        self.inner.poll_tick(now)
    }

    fn next_wake(&self) -> Option<Timestamp> {
        self.inner.next_wake()
    }

    fn wants_new_surfaces(&mut self) -> bool {
        std::mem::take(&mut self.stuck)
    }
}

#[test]
fn surfaces_that_stay_in_use_are_replaced() {
    let session = Session::spawn(start("follow")).unwrap();
    let pane = Stuck { inner: HeadlessPane::new(SMALL).refresh_rate(200.0), stuck: false };
    let mut view = View::new(session, pane).unwrap();
    let deadline = std::time::Instant::now() + LONG;
    let until = |view: &mut View<Stuck>, generation: u32| {
        while view.shown().is_none_or(|shown| shown.generation < generation) {
            assert!(std::time::Instant::now() < deadline, "not done in {LONG:?}");
            view.next_event(Duration::from_millis(2)).unwrap();
        }
    };
    // The child may have begun before it heard of the pane's size.
    until(&mut view, 1);
    while view.is_resizing() {
        view.next_event(Duration::from_millis(2)).unwrap();
    }
    let before = view.shown().unwrap().generation;
    view.pane_mut().stuck = true;
    until(&mut view, before + 1);
    assert!(!view.is_resizing());
    let shown = view.pane().inner.shown();
    while view.pane().inner.shown() < shown + 5 {
        view.next_event(Duration::from_millis(2)).unwrap();
    }
    assert_eq!(view.shown().unwrap().generation, before + 1, "it is asked once");
}

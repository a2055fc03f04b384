//! Panes in a window of a Wayland compositor: what the compositor shows, pixel by
//! pixel. Nothing in this binary maps a surface.
#![cfg(target_os = "linux")]
#![allow(missing_docs)]

mod support;

use std::time::{Duration, Instant};

use std::os::fd::AsFd as _;

use rustix::process::Signal;
use servers::{HEIGHT, Kind, Picture, WAYLAND, WIDTH};
use support::pattern::{self, Mark, child_number, patterned};
use support::window::{AT, HOST, Window, frame_at, window};
use support::{is_readable, parameter, run_child, signal, start};
use surfaceport::{
    Applied, Damage, Deadline, Error, Event, Fit, Format, Outcome, Pane, PaneError, Placement,
    Rect, Renderer, ResizePolicy, Scale, Session, Size, SwapchainDescriptor, View, WaylandPane,
};
use wayland_client::Proxy as _;

const LONG: Duration = Duration::from_secs(30);
const SMALL: Size = Size::new(320, 200);
const HERE: Placement = Placement::at(AT.0.cast_signed(), AT.1.cast_signed());

/// Not a test of its own: what the others start.
#[test]
fn child() {
    run_child(&[
        ("patterned", patterned),
        ("fixed", fixed),
        ("plain", plain),
        ("timed", timed),
        ("walking", walking),
    ]);
}

/// Draws the pattern at `SIZE`, whatever the host wants.
fn fixed() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let swapchain =
        renderer.swapchain(SwapchainDescriptor::new(parameter("SIZE", SMALL)).slots(4))?;
    for sequence in 1.. {
        swapchain.wait_begin_frame(Deadline::NEVER)?;
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        pattern::draw(&mut canvas, sequence);
        canvas.present(Damage::FULL)?;
    }
    Ok(())
}

/// What `plain` shows: R, G, B.
const PLAIN: [u8; 3] = [200, 120, 40];

/// One colour, in the format of this number; `ALPHA` is its own.
fn plain() -> Result<(), Error> {
    let format = Format::ALL[parameter("FORMAT", 0)];
    let [red, green, blue] = PLAIN;
    let alpha = parameter("ALPHA", 255);
    let pixel = match format {
        Format::Rgba8 => [red, green, blue, alpha],
        _ => [blue, green, red, alpha],
    };
    let renderer = Renderer::connect()?;
    let descriptor = SwapchainDescriptor::new(SMALL).format(format).slots(4);
    let swapchain = renderer.swapchain(descriptor)?;
    loop {
        swapchain.wait_begin_frame(Deadline::NEVER)?;
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        canvas.bytes_mut().as_chunks_mut().0.fill(pixel);
        canvas.present(Damage::FULL)?;
    }
}

/// The side of what `walking` draws on the host's own colour, in `PLAIN`.
const SQUARE: u32 = 16;

/// A square that walks: only where it was and where it is has changed.
fn walking() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let swapchain = renderer.swapchain(SwapchainDescriptor::new(SMALL).slots(4))?;
    let opaque = |[red, green, blue]: [u8; 3]| [blue, green, red, 255];
    let mut last = None;
    for step in 0_u32.. {
        swapchain.wait_begin_frame(Deadline::NEVER)?;
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        let (x, y) = (step * 37 % (SMALL.width - SQUARE), step * 23 % (SMALL.height - SQUARE));
        for (row, pixels) in (0..).zip(canvas.rows_mut()) {
            for (column, pixel) in (0..).zip(pixels.as_chunks_mut().0) {
                let inside = (x..x + SQUARE).contains(&column) && (y..y + SQUARE).contains(&row);
                *pixel = opaque(if inside { PLAIN } else { HOST });
            }
        }
        let square = Rect::new(x, y, SQUARE, SQUARE);
        let damage = last.map_or(Damage::FULL, |last| {
            let mut damage = Damage::from(square);
            damage.add(last);
            damage
        });
        last = Some(square);
        canvas.present(damage)?;
    }
    Ok(())
}

/// Draws, and after a while tells the host when its frames were shown.
fn timed() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let swapchain = renderer.swapchain(SwapchainDescriptor::new(SMALL).slots(4))?;
    let mut times = Vec::new();
    for sequence in 1.. {
        swapchain.wait_begin_frame(Deadline::NEVER)?;
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        pattern::draw(&mut canvas, sequence);
        canvas.present(Damage::FULL)?;
        let shown = |(_, outcome)| match outcome {
            Outcome::Shown { at } => Some(at.as_nanos().to_le_bytes()),
            _ => None,
        };
        times.extend(swapchain.outcomes().filter_map(shown));
        if times.len() >= 30 {
            renderer.send(times.as_flattened())?;
            times.clear();
        }
    }
    Ok(())
}

/// A child's frames in a window.
fn view(window: &mut Window, placement: Placement, size: Size) -> View<WaylandPane> {
    view_of(window, start("patterned"), placement, size)
}

fn view_of(
    window: &mut Window,
    child: surfaceport::Command,
    placement: Placement,
    size: Size,
) -> View<WaylandPane> {
    let pane = window.pane(placement, size);
    // The pane is part of the window from its next commit.
    window.commit();
    View::new(Session::spawn(child).unwrap(), pane).unwrap()
}

/// The child that a view shows, as its frames say it.
fn child_of(view: &View<WaylandPane>) -> u32 {
    child_number(view.session().child_pid().expect("a child"))
}

/// The same colour, but for a rounding: weston interpolates where it shows a part
/// of a frame, even at its own size.
#[track_caller]
fn assert_near(seen: u8, wanted: u8) {
    assert!(seen.abs_diff(wanted) <= 1, "{seen}, not {wanted}");
}

/// Fails if a rectangle is not all of this colour.
#[track_caller]
fn assert_plain(picture: &Picture, part: [u32; 4], colour: [u8; 3]) {
    assert_eq!(picture.differing(part, |_, _| colour), (0, None), "{part:?}");
}

/// Runs until `done` holds.
#[track_caller]
fn run_until<P: Pane>(
    window: &mut Window,
    view: &mut View<P>,
    mut done: impl FnMut(&mut View<P>) -> bool,
) {
    let deadline = Instant::now() + LONG;
    while !done(view) {
        assert!(Instant::now() < deadline, "not done in {LONG:?}: {:?}", view.pane().stats());
        if let Some(Event::Exited { exit, restart_in: None }) =
            view.next_event(Duration::from_millis(5)).unwrap()
        {
            panic!("{exit}");
        }
        window.turn();
    }
}

/// Runs until some frames more have been shown.
fn run_for(window: &mut Window, view: &mut View<WaylandPane>, frames: u64) {
    let shown = view.pane().stats().shown;
    run_until(window, view, |view| view.pane().stats().shown >= shown + frames);
}

#[test]
fn the_compositor_shows_the_childs_pixels_and_nothing_else_changes() {
    for kind in WAYLAND {
        let Some(mut window) = window(kind) else { continue };
        let mut view = view(&mut window, HERE, SMALL);
        run_for(&mut window, &mut view, 20);
        let picture = window.server.screenshot();
        let seen = frame_at(&picture, AT, SMALL);
        assert_eq!(seen.size, SMALL, "{kind:?}");
        assert_eq!(seen.child, child_of(&view));
        let (width, height) = (AT.0 + SMALL.width, AT.1 + SMALL.height);
        let around =
            [[0, 0, WIDTH, AT.1], [0, height, WIDTH, HEIGHT - height], [0, 0, AT.0, HEIGHT]];
        for part in around.into_iter().chain([[width, 0, WIDTH - width, HEIGHT]]) {
            assert_plain(&picture, part, HOST);
        }
        let stats = view.pane().stats();
        assert_eq!((stats.host_copies, stats.copy_reason), (0, None), "{kind:?}");
    }
}

#[test]
fn every_format_has_its_colours_or_is_refused_by_name() {
    for kind in WAYLAND {
        let Some(mut window) = window(kind) else { continue };
        for (index, format) in Format::ALL.into_iter().enumerate().take(3) {
            let child = start("plain").env("FORMAT", index.to_string());
            let mut view = view_of(&mut window, child, HERE, SMALL);
            let refused = loop {
                match view.next_event(Duration::from_millis(5)) {
                    Err(error) => break Some(error),
                    Ok(_) if view.pane().stats().shown >= 3 => break None,
                    Ok(_) => window.turn(),
                }
            };
            println!("{kind:?}: {format}: {}", refused.as_ref().map_or("shown", |_| "refused"));
            if let Some(error) = refused {
                assert_ne!(format, Format::Bgra8, "{error}");
                assert!(
                    matches!(&error, Error::Pane(PaneError::Format(it)) if *it == format),
                    "{error}"
                );
                // The child lives, and the pane can show others.
                assert!(view.session().is_connected());
                continue;
            }
            let picture = window.server.screenshot();
            assert_plain(&picture, [AT.0, AT.1, SMALL.width, SMALL.height], PLAIN);
        }
        // Premultiplied alpha: half of the host's colour shines through.
        let child = start("plain").env("ALPHA", "128");
        let mut view = view_of(&mut window, child, HERE, SMALL);
        run_for(&mut window, &mut view, 3);
        let seen = window.server.screenshot().pixel(AT.0 + 9, AT.1 + 9);
        for ((seen, own), host) in seen.into_iter().zip(PLAIN).zip(HOST) {
            let wanted = (u32::from(own) + u32::from(host) * 127 / 255).min(255);
            assert!(u32::from(seen).abs_diff(wanted) <= 2, "{kind:?}: {seen}, not {wanted}");
        }
    }
}

#[test]
fn fits_show_a_frame_as_they_say() {
    let frame = Size::new(100, 60);
    for kind in WAYLAND {
        let Some(mut window) = window(kind) else { continue };
        let child = start("fixed").env("SIZE", frame.to_string());
        let mut view = view_of(&mut window, child, HERE, SMALL);
        run_for(&mut window, &mut view, 5);
        let pane = [AT.0, AT.1, SMALL.width, SMALL.height];

        // Held: at its own size from the top left; the host's drawing around it.
        let picture = window.server.screenshot();
        let mark = frame_at(&picture, AT, frame);
        assert_eq!(mark.size, frame);
        let held = |x, y| if x < 100 && y < 60 { mark.pixel(x, y) } else { HOST };
        assert_eq!(picture.differing(pane, held), (0, None), "{kind:?}");

        // In the middle, and what is too large is cut on both sides.
        view = view.resize_policy(ResizePolicy::Show(Fit::Crop));
        assert_eq!(view.resize(SMALL, Scale::ONE).unwrap(), Applied::NeedsParentCommit);
        window.commit();
        run_for(&mut window, &mut view, 5);
        let picture = window.server.screenshot();
        let mark = frame_at(&picture, (AT.0 + 110, AT.1 + 70), frame);
        let middle = |x, y| {
            let inside = (110..210).contains(&x) && (70..130).contains(&y);
            if inside { mark.pixel(x - 110, y - 70) } else { HOST }
        };
        assert_eq!(picture.differing(pane, middle), (0, None), "{kind:?}");

        // Smaller than the frame: the same is seen of it as the pane has room for.
        let _committed = view.resize(Size::new(40, 20), Scale::ONE).unwrap();
        window.commit();
        view.parent_committed().unwrap();
        run_for(&mut window, &mut view, 5);
        let picture = window.server.screenshot();
        assert_plain(&picture, [AT.0 + 40, AT.1, 300, 200], HOST);
        if kind == Kind::Sway {
            println!("not run: parts of a frame on Sway: its pixman renderer shows others");
            continue;
        }
        let low = |x: u32, y: u32| (x ^ y ^ mark.child).to_le_bytes()[0];
        let blue = |x, y| picture.pixel(AT.0 + x, AT.1 + y)[2];
        for (x, y) in [(0, 0), (39, 0), (0, 19), (39, 19)] {
            assert_near(blue(x, y), low(x + 30, y + 20));
        }
    }
}

#[test]
fn a_frame_is_stretched_only_where_that_is_asked_for() {
    for kind in WAYLAND {
        let Some(mut window) = window(kind) else { continue };
        let mut view = view_of(&mut window, start("plain"), HERE, SMALL);
        view = view.resize_policy(ResizePolicy::Show(Fit::Scale));
        run_for(&mut window, &mut view, 3);
        let _committed = view.resize(Size::new(500, 300), Scale::ONE).unwrap();
        window.commit();
        run_for(&mut window, &mut view, 3);
        let picture = window.server.screenshot();
        assert_plain(&picture, [AT.0 + 1, AT.1 + 1, 498, 298], PLAIN);
        assert_plain(&picture, [AT.0 + 501, AT.1, 100, 300], HOST);
        // Two pixels of the pane for one of the window's units.
        let _committed = view.resize(Size::new(500, 300), Scale::from_f64(2.0)).unwrap();
        window.commit();
        run_for(&mut window, &mut view, 3);
        let picture = window.server.screenshot();
        let (x, y) = (AT.0 / 2, AT.1 / 2);
        assert_plain(&picture, [x + 1, y + 1, 248, 148], PLAIN);
        assert_plain(&picture, [x + 251, y, 100, 150], HOST);
    }
}

#[test]
fn the_host_moves_clips_hides_and_covers_it_and_the_child_hears_nothing() {
    for kind in WAYLAND {
        let Some(mut window) = window(kind) else { continue };
        let mut view = view(&mut window, HERE, SMALL);
        run_for(&mut window, &mut view, 5);
        let (generation, child) = (view.shown().unwrap().generation, child_of(&view));

        let there = Placement::at(600, 400);
        assert_eq!(view.place(there).unwrap(), Applied::NeedsParentCommit);
        window.commit();
        run_for(&mut window, &mut view, 3);
        let picture = window.server.screenshot();
        assert_eq!(frame_at(&picture, (600, 400), SMALL).size, SMALL, "{kind:?}");
        assert_plain(&picture, [AT.0, AT.1, SMALL.width, SMALL.height], HOST);

        let clip = Rect::new(50, 60, 70, 80);
        assert_eq!(view.place(there.clipped(clip)).unwrap(), Applied::Now);
        run_for(&mut window, &mut view, 3);
        let picture = window.server.screenshot();
        assert_plain(&picture, [600, 400, 320, 60], HOST);
        assert_plain(&picture, [600, 400, 50, 200], HOST);
        assert_plain(&picture, [720, 400, 200, 200], HOST);
        assert_plain(&picture, [600, 540, 320, 60], HOST);
        let low = |x: u32, y: u32| (x ^ y ^ child).to_le_bytes()[0];
        // sway's pixman renderer shows other parts of a frame than it should.
        let corners = [(50, 60), (119, 60), (50, 139), (119, 139)];
        for (x, y) in corners.into_iter().filter(|_| kind != Kind::Sway) {
            assert_near(picture.pixel(600 + x, 400 + y)[2], low(x, y));
        }

        // Out of sight: nobody asks the child for frames, and it rests.
        assert_eq!(view.place(there.hidden()).unwrap(), Applied::Now);
        view.set_hidden(true);
        window.await_screen(|picture| picture.pixel(660, 480) == HOST);
        // At last: what it was asked for before may be late.
        let mut presented = None;
        run_until(&mut window, &mut view, |view| {
            while view.next_event(Duration::from_millis(100)).unwrap().is_some() {}
            let now = view.session().stats().presented;
            presented.replace(now) == Some(now)
        });

        // Back again: the last frame is there at once.
        assert_eq!(view.place(there).unwrap(), Applied::NeedsParentCommit);
        window.commit();
        let picture = window.await_screen(|picture| picture.pixel(660, 480) != HOST);
        frame_at(&picture, (600, 400), SMALL);
        view.set_hidden(false);
        run_for(&mut window, &mut view, 3);
        assert_eq!(view.shown().unwrap().generation, generation, "the child was told nothing");
    }
}

#[test]
fn the_hosts_own_drawing_stays_above_a_pane_that_is_below() {
    const BAR: [u8; 3] = [250, 20, 20];
    for kind in WAYLAND {
        let Some(mut window) = window(kind) else { continue };
        let mut view = view(&mut window, HERE.below(), SMALL);
        // A hole where the pane is, and a bar across it.
        let inside = |x, y| {
            (AT.0..AT.0 + SMALL.width).contains(&x) && (AT.1..AT.1 + SMALL.height).contains(&y)
        };
        window.draw(|x, y| match y {
            100..140 => Some(BAR),
            _ => (!inside(x, y)).then_some(HOST),
        });
        run_for(&mut window, &mut view, 10);
        let picture = window.server.screenshot();
        assert_plain(&picture, [0, 100, WIDTH, 40], BAR);
        let mark = frame_at(&picture, AT, Size::new(SMALL.width, 100 - AT.1));
        assert_eq!(mark.child, child_of(&view), "{kind:?}");
        let rest = [AT.0, 140, SMALL.width, AT.1 + SMALL.height - 140];
        let below = |x, y| mark.pixel(x, y + 140 - AT.1);
        assert_eq!(picture.differing(rest, below), (0, None), "{kind:?}");
        // And above it, if the host wants so.
        assert_eq!(view.place(HERE).unwrap(), Applied::NeedsParentCommit);
        window.commit();
        run_for(&mut window, &mut view, 3);
        frame_at(&window.server.screenshot(), AT, SMALL);
    }
}

#[test]
fn a_click_goes_through_the_pane_to_the_hosts_window_unless_the_pane_takes_it() {
    // weston has a pointer that can be moved where it has an X server's.
    for kind in [Kind::Sway, Kind::WestonInX11] {
        let Some(mut window) = window(kind) else { continue };
        let mut view = view(&mut window, HERE, SMALL);
        run_for(&mut window, &mut view, 5);
        let hits = |window: &mut Window, surface: u32, (x, y): (u32, u32), at: (u32, u32)| {
            let (hit, at_x, at_y) = window.click((x, y)).expect("it has a pointer");
            assert_eq!(hit.protocol_id(), surface, "{kind:?}");
            let near = |seen: f64, wanted: u32| (seen - f64::from(wanted)).abs() <= 1.0;
            assert!(near(at_x, at.0) && near(at_y, at.1), "{kind:?}: {at_x}, {at_y}");
        };
        let places = [(AT.0 + 1, AT.1 + 1), (AT.0 + 150, AT.1 + 90), (700, 500)];
        let host = window.surface.id().protocol_id();
        for place in places {
            hits(&mut window, host, place, place);
        }
        assert_eq!(view.place(HERE.with_input()).unwrap(), Applied::Now);
        run_for(&mut window, &mut view, 3);
        let pane = view.pane().surface_id();
        hits(&mut window, pane, places[1], (150, 90));
        hits(&mut window, host, places[2], places[2]);
        assert_eq!(view.place(HERE).unwrap(), Applied::Now);
        run_for(&mut window, &mut view, 3);
        hits(&mut window, host, places[1], places[1]);
    }
}

#[test]
fn on_a_scaled_display_a_pane_of_that_scale_is_shown_pixel_by_pixel() {
    // The window's units are 1024x576 then: no pixel is cut.
    let scale = Scale::from_f64(1.25);
    let Some(mut window) = window(Kind::Sway) else { return };
    let size = Size::new(300, 150);
    let mut view = view(&mut window, Placement::at(50, 25), size);
    run_for(&mut window, &mut view, 3);
    window.server.set_scale(1.25);
    let _committed = view.resize(size, scale).unwrap();
    window.commit();
    run_for(&mut window, &mut view, 5);
    let picture = window.await_screen(|picture| {
        picture.width == WIDTH && Mark::read(|x, y| picture.pixel(50 + x, 25 + y)).size == size
    });
    assert_eq!(frame_at(&picture, (50, 25), size).child, child_of(&view));
    // The window itself, which is stretched, may have soft edges.
    for part in [[2, 2, 800, 23], [2, 175, 800, 200], [350, 2, 200, 400]] {
        assert_plain(&picture, part, HOST);
    }
    match view.pane().preferred_scale() {
        None => println!(
            "not run: the hint at the scale: this compositor has no wp_fractional_scale_v1"
        ),
        Some(told) => assert_eq!(told, scale),
    }
}

#[test]
fn a_pane_has_a_colour_of_its_own_around_frames_if_the_host_wants() {
    const FILL: [u8; 3] = [90, 10, 160];
    const OTHER: [u8; 3] = [10, 160, 90];
    let frame = Size::new(100, 60);
    for kind in WAYLAND {
        let Some(mut window) = window(kind) else { continue };
        let child = start("fixed").env("SIZE", frame.to_string());
        let mut view = view_of(&mut window, child, HERE, SMALL);
        let around = |window: &Window, pane: [u32; 4], fill| {
            let picture = window.server.screenshot();
            let [left, top, width, height] = pane;
            let whole = [AT.0, AT.1, SMALL.width, SMALL.height];
            let mark = frame_at(&picture, AT, Size::new(width.min(100), height.min(60)));
            let wanted = |x: u32, y: u32| match (x, y) {
                _ if x < left || y < top || x >= left + width || y >= top + height => HOST,
                (0..100, 0..60) => mark.pixel(x, y),
                _ => fill,
            };
            assert_eq!(picture.differing(whole, wanted), (0, None), "{kind:?}: {pane:?}");
        };
        let all = [0, 0, SMALL.width, SMALL.height];
        let run = |window: &mut Window, view: &mut View<WaylandPane>| run_for(window, view, 3);
        run(&mut window, &mut view);
        around(&window, all, HOST);
        for fill in [FILL, OTHER] {
            view.pane_mut().set_fill(Some(fill)).unwrap();
            run(&mut window, &mut view);
            around(&window, all, fill);
        }
        view.place(HERE.clipped(Rect::new(0, 0, 200, 150))).unwrap();
        run(&mut window, &mut view);
        around(&window, [0, 0, 200, 150], OTHER);
        view.place(HERE).unwrap();
        run(&mut window, &mut view);
        around(&window, all, OTHER);
        // With the window's commit, as the size itself.
        for size in [Size::new(150, 90), frame, SMALL] {
            let _committed = view.resize(size, Scale::ONE).unwrap();
            window.commit();
            run(&mut window, &mut view);
            around(&window, [0, 0, size.width, size.height], OTHER);
        }
        view.pane_mut().set_fill(None).unwrap();
        run(&mut window, &mut view);
        around(&window, all, HOST);
    }
}

#[test]
fn four_children_share_a_window_each_in_its_place() {
    for kind in WAYLAND {
        let Some(mut window) = window(kind) else { continue };
        let places = [(10, 10), (640, 10), (10, 360), (640, 360)];
        let mut views = places.map(|(x, y)| view(&mut window, Placement::at(x, y), SMALL));
        // They overlap nowhere, and one that is slow stops no other.
        for turn in 0..4 {
            for view in &mut views {
                run_for(&mut window, view, 3);
            }
            let picture = window.server.screenshot();
            for ((x, y), view) in places.into_iter().zip(&views) {
                let at = (x.cast_unsigned(), y.cast_unsigned());
                let mark = frame_at(&picture, at, SMALL);
                assert_eq!(mark.child, child_of(view), "{kind:?}: {turn}");
            }
        }
        // One goes; the others stay.
        let [first, mut second, ..] = views;
        drop(first);
        run_for(&mut window, &mut second, 3);
        let picture = window.server.screenshot();
        assert_plain(&picture, [10, 10, SMALL.width, SMALL.height], HOST);
        frame_at(&picture, (640, 10), SMALL);
    }
}

#[test]
fn the_views_fd_hears_the_compositor() {
    for kind in WAYLAND {
        let Some(mut window) = window(kind) else { continue };
        let mut view = view(&mut window, HERE, SMALL);
        // A loop of somebody else, that knows this fd alone.
        let until = Instant::now() + LONG;
        let mut turns = 0;
        while view.pane().stats().shown < 50 {
            while view.dispatch().unwrap().is_some() {}
            assert!(is_readable(view.as_fd(), LONG) && Instant::now() < until, "{kind:?}");
            turns += 1;
        }
        // A few for each frame: the fd is not readable for nothing.
        assert!(turns < 50 * 20, "{kind:?}: {turns} turns for 50 frames");
    }
}

#[test]
fn outcomes_say_when_a_frame_was_shown() {
    for kind in WAYLAND {
        let Some(mut window) = window(kind) else { continue };
        let before = surfaceport::Timestamp::now();
        let mut view = view_of(&mut window, start("timed"), HERE, SMALL);
        let mut messages = Vec::new();
        let until = Instant::now() + LONG;
        while messages.is_empty() {
            assert!(Instant::now() < until, "{kind:?}");
            match view.next_event(Duration::from_millis(5)).unwrap() {
                Some(Event::Message(bytes)) => messages.push(bytes),
                Some(Event::Exited { exit, .. }) => panic!("{exit}"),
                _ => window.turn(),
            }
        }
        let times: Vec<u64> =
            messages[0].as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        let after = surfaceport::Timestamp::now();
        assert!(times.is_sorted(), "{kind:?}: {times:?}");
        let [first, last] = [times[0], times[times.len() - 1]];
        // By a clock that may be another than ours, and is read while others have
        // the processor: to a tenth of a second.
        let (early, late) = (before.as_nanos() - 100_000_000, after.as_nanos() + 100_000_000);
        assert!((early..late).contains(&first) && (early..late).contains(&last), "{kind:?}");
    }
}

#[test]
fn a_compositor_that_dies_leaves_the_child_and_another_pane_takes_over() {
    for kind in WAYLAND {
        let (Some(mut window), Some(mut other)) = (window(kind), window(kind)) else { continue };
        let mut view = view(&mut window, HERE, SMALL);
        run_for(&mut window, &mut view, 5);
        let child = child_of(&view);
        window.kill_server();
        let error = first_error(&mut view);
        assert!(matches!(&error, Error::Pane(PaneError::ServerGone { .. })), "{kind:?}: {error}");
        // It stays so, and the fd is not readable for it for ever.
        assert!(matches!(view.dispatch(), Err(Error::Pane(error)) if error.is_final()));
        assert!(matches!(view.resize(SMALL, Scale::ONE), Err(Error::Pane(_))));

        let pane = other.pane(HERE, SMALL);
        other.commit();
        drop(view.replace_pane(pane).unwrap());
        run_for(&mut other, &mut view, 5);
        let mark = frame_at(&other.server.screenshot(), AT, SMALL);
        assert_eq!(mark.child, child, "{kind:?}: the same child");
    }
}

#[test]
fn a_compositor_that_ends_the_connection_says_why() {
    for kind in WAYLAND {
        let (Some(mut window), Some(mut other)) = (window(kind), window(kind)) else { continue };
        let mut view = view(&mut window, HERE, SMALL);
        run_for(&mut window, &mut view, 5);
        let child = child_of(&view);
        window.break_the_protocol();
        let error = first_error(&mut view);
        assert!(
            matches!(&error, Error::Pane(PaneError::Refused { fatal: true, what }) if what.contains("wl_shm")),
            "{kind:?}: {error}"
        );
        // A view of its own for the same session.
        let pane = other.pane(HERE, SMALL);
        other.commit();
        let mut view = View::new(view.into_session(), pane).unwrap();
        run_for(&mut other, &mut view, 5);
        assert_eq!(child_of(&view), child, "{kind:?}: the same child");
    }
}

/// What a view says to the end of its pane.
#[track_caller]
fn first_error(view: &mut View<WaylandPane>) -> Error {
    let until = Instant::now() + LONG;
    loop {
        assert!(Instant::now() < until, "no error");
        if let Err(error) = view.next_event(Duration::from_millis(50)) {
            return error;
        }
    }
}

#[test]
fn a_window_of_another_kind_is_refused() {
    use raw_window_handle as rwh;

    struct Closed;
    impl rwh::HasDisplayHandle for Closed {
        fn display_handle(&self) -> Result<rwh::DisplayHandle<'_>, rwh::HandleError> {
            Ok(rwh::DisplayHandle::android())
        }
    }
    impl rwh::HasWindowHandle for Closed {
        fn window_handle(&self) -> Result<rwh::WindowHandle<'_>, rwh::HandleError> {
            Err(rwh::HandleError::Unavailable)
        }
    }
    let error = WaylandPane::new(Closed, HERE, SMALL, Scale::ONE).unwrap_err();
    assert!(matches!(error, Error::Pane(PaneError::NoWindow)), "{error}");
}

#[test]
fn the_host_never_maps_a_surface() {
    for kind in WAYLAND {
        let Some(mut window) = window(kind) else { continue };
        let mut view = view(&mut window, HERE, SMALL);
        for _ in 0..20 {
            run_for(&mut window, &mut view, 3);
            let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
            // The control page, of another name, is mapped.
            assert!(maps.contains("/memfd:surfaceport-page"));
            assert!(!maps.contains("/memfd:surfaceport "), "{kind:?}: {maps}");
        }
    }
}

#[test]
fn what_the_child_says_has_changed_is_drawn_anew() {
    for kind in WAYLAND {
        let Some(mut window) = window(kind) else { continue };
        let mut view = view_of(&mut window, start("walking"), HERE, SMALL);
        for _ in 0..5 {
            run_for(&mut window, &mut view, 7);
            let picture = window.server.screenshot();
            let places = (0..SMALL.height).flat_map(|y| (0..SMALL.width).map(move |x| (x, y)));
            let of = |colour| {
                let is = |&(x, y): &(u32, u32)| picture.pixel(AT.0 + x, AT.1 + y) == colour;
                u32::try_from(places.clone().filter(is).count()).unwrap()
            };
            let square = SQUARE * SQUARE;
            let wanted = (square, SMALL.width * SMALL.height - square);
            assert_eq!((of(PLAIN), of(HOST)), wanted, "{kind:?}: one square and no trail");
        }
    }
}

#[test]
fn a_compositor_that_hangs_hangs_nobody() {
    for kind in WAYLAND {
        let Some(mut window) = window(kind) else { continue };
        let mut view = view(&mut window, HERE, SMALL);
        run_for(&mut window, &mut view, 5);
        signal(window.server.pid(), Signal::STOP);
        let start = Instant::now();
        for _ in 0..20 {
            let event = view.next_event(Duration::from_millis(20)).unwrap();
            assert!(!matches!(event, Some(Event::Exited { .. })), "{kind:?}: {event:?}");
            let _waits = view.resize(SMALL, Scale::ONE).unwrap();
        }
        // It waited for as long as it was asked to, and not for the compositor.
        assert!(start.elapsed() < Duration::from_secs(10), "{kind:?}");
        signal(window.server.pid(), Signal::CONT);
        window.commit();
        run_for(&mut window, &mut view, 5);
        frame_at(&window.server.screenshot(), AT, SMALL);
    }
}

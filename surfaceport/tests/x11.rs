//! Panes in a window on X11: what the server shows, pixel by pixel.
#![cfg(target_os = "linux")]
#![allow(missing_docs)]

mod support;

use std::time::{Duration, Instant};

use support::desk::{AT, Desk, HOST, LONG, SMALL, desk, run_until, sub_window, view};
use support::pattern::{Mark, child_number, patterned};
use support::{run_child, start};
use surfaceport::{
    Applied, Damage, Deadline, Error, Fit, Pane, PaneError, Placement, PresentMode, Rect, Renderer,
    ResizePolicy, Scale, Session, Size, SwapchainDescriptor, Timestamp, View, X11Pane, X11Path,
};
use x11rb::protocol::xproto::{ChangeWindowAttributesAux, ConnectionExt as _, EventMask};

const BLACK: [u8; 3] = [0; 3];

/// Not a test of its own: what the others start.
#[test]
fn child() {
    run_child(&[("patterned", patterned), ("filling", filling)]);
}

/// The side of a cell.
const CELL: u32 = 20;
const CELLS: u32 = SMALL.width / CELL * (SMALL.height / CELL);

/// The colour of cell `n` from frame `n` on.
fn cell_colour(n: u32) -> [u8; 3] {
    [255, n.to_le_bytes()[0], 7]
}

/// A grid of which each frame fills one cell more: only that one has changed.
fn filling() -> Result<(), Error> {
    let renderer = Renderer::connect()?;
    let descriptor = SwapchainDescriptor::new(SMALL).slots(4).mode(PresentMode::Fifo);
    let swapchain = renderer.swapchain(descriptor)?;
    for frame in 0..CELLS {
        let mut canvas = swapchain.acquire(Deadline::NEVER)?;
        for (y, row) in (0..).zip(canvas.rows_mut()) {
            for (x, pixel) in (0..).zip(row.as_chunks_mut::<4>().0) {
                let cell = y / CELL * (SMALL.width / CELL) + x / CELL;
                let filled = if cell <= frame { cell_colour(cell) } else { HOST };
                let [red, green, blue] = filled;
                *pixel = [blue, green, red, 255];
            }
        }
        canvas.present(Damage::from(cell_at(frame)))?;
    }
    while renderer.next_event(Deadline::NEVER)?.is_some() {}
    Ok(())
}

fn cell_at(n: u32) -> Rect {
    let across = SMALL.width / CELL;
    Rect::new(n % across * CELL, n / across * CELL, CELL, CELL)
}

/// The pane shows a whole frame of this child's, of the pane's size.
#[track_caller]
fn shows(desk: &Desk, view: &View<X11Pane>) -> Mark {
    let size = view.pane().size();
    let seen = desk.look_at_pane(size).frame();
    assert_eq!(seen.size, size);
    assert_eq!(Some(seen.child), view.session().child_pid().map(child_number));
    seen
}

#[test]
fn the_server_shows_the_childs_pixels_at_their_place() {
    let Some(desk) = desk(800, 600, &[]) else { return };
    // With rows that are padded in memory, and with rows that are not.
    for size in [SMALL, Size::new(333, 77), Size::new(256, 64)] {
        let mut view = view(desk.pane(size));
        assert_eq!(view.pane().path(), X11Path::SharedPixmap);
        assert!(view.pane().is_synchronised());
        run_until(&mut view, |view| view.pane().stats().shown >= 20);
        shows(&desk, &view);
        assert_eq!(view.pane().stats().host_copies, 0);
        // And nothing around it: all other pixels are the host's.
        let screen = desk.look((0, 0), Size::new(800, 600));
        let pane = (size.width * size.height) as usize;
        let host = (0..600).flat_map(|y| (0..800).map(move |x| (x, y))).filter(|&(x, y)| {
            let inside =
                (AT.0..AT.0 + size.width).contains(&x) && (AT.1..AT.1 + size.height).contains(&y);
            !inside && screen.pixel(x, y) == HOST
        });
        assert_eq!(host.count(), 800 * 600 - pane);
    }
}

#[test]
fn each_path_shows_the_same() {
    let Some(desk) = desk(800, 600, &[]) else { return };
    for (path, copies) in
        [(X11Path::SharedPixmap, false), (X11Path::SharedPut, false), (X11Path::Put, true)]
    {
        for size in [SMALL, Size::new(333, 77)] {
            let mut view = view(desk.pane(size).at_best(path));
            assert_eq!(view.pane().path(), path);
            run_until(&mut view, |view| view.pane().stats().shown >= 10);
            shows(&desk, &view);
            let stats = view.pane().stats();
            assert_eq!(stats.host_copies > 0, copies, "{path:?}: {stats:?}");
            assert_eq!(stats.copy_reason.is_some(), copies, "{path:?}: {stats:?}");
        }
    }
}

#[test]
fn a_pane_hides_nothing_before_its_first_frame() {
    let Some(desk) = desk(400, 300, &[]) else { return };
    let pane = desk.pane(SMALL);
    assert!(desk.look_at_pane(SMALL).is(HOST));
    drop(pane);
}

#[test]
fn fits_place_a_frame_as_they_say() {
    let Some(desk) = desk(800, 600, &[]) else { return };
    let large = Size::new(440, 300);
    for path in [X11Path::SharedPixmap, X11Path::SharedPut, X11Path::Put] {
        for (from, to) in [(SMALL, large), (large, SMALL)] {
            for fit in [Fit::Hold, Fit::Crop, Fit::Scale] {
                let session = Session::spawn(start("patterned").env("STUBBORN", "1")).unwrap();
                let mut view = View::new(session, desk.pane(from).at_best(path))
                    .unwrap()
                    .resize_policy(ResizePolicy::Show(fit));
                run_until(&mut view, |view| view.pane().stats().shown >= 3);
                assert_eq!(view.resize(to, Scale::ONE).unwrap(), Applied::Now);
                // With the next refresh, and so are all frames that come in the old
                // size.
                for more in [2, 3] {
                    let shown = view.pane().stats().shown + more;
                    view.dispatch().unwrap();
                    run_until(&mut view, |view| view.pane().stats().shown >= shown);
                    let shot = desk.look_at_pane(to);
                    if fit == Fit::Scale {
                        assert_eq!(shot.count(BLACK), 0, "all of the pane is filled");
                        continue;
                    }
                    let offset = |pane: u32, frame: u32| match fit {
                        Fit::Crop => (i64::from(pane) - i64::from(frame)) / 2,
                        _ => 0,
                    };
                    let (x, y) = (offset(to.width, from.width), offset(to.height, from.height));
                    let seen = shot.frame_at(x, y);
                    assert_eq!(seen.size, from, "{path:?} {fit:?}");
                }
            }
        }
    }
}

#[test]
fn scale_stretches_as_a_picture() {
    let Some(desk) = desk(800, 600, &[]) else { return };
    let (from, to) = (Size::new(160, 120), Size::new(320, 240));
    let session = Session::spawn(start("patterned").env("STUBBORN", "1").env("SCENE", "ramp"));
    let mut view = View::new(session.unwrap(), desk.pane(from))
        .unwrap()
        .resize_policy(ResizePolicy::Show(Fit::Scale));
    run_until(&mut view, |view| view.pane().stats().shown >= 3);
    view.resize(to, Scale::ONE).unwrap();
    let shown = view.pane().stats().shown + 3;
    run_until(&mut view, |view| view.pane().stats().shown >= shown);
    let shot = desk.look_at_pane(to);
    // Twice as large: between two pixels of the ramp lies what is between them.
    let wanted = |at: u32, end: u32| {
        let place = (f64::from(at) + 0.5) / 2.0 - 0.5;
        place.clamp(0.0, f64::from(end - 1))
    };
    for (x, y) in (0..to.height).flat_map(|y| (0..to.width).map(move |x| (x, y))) {
        let [red, green, _] = shot.pixel(x, y).map(f64::from);
        let (left, top) = (wanted(x, from.width), wanted(y, from.height));
        assert!((red - left).abs() <= 1.0, "({x}, {y}): {red}, not {left}");
        assert!((green - top).abs() <= 1.0, "({x}, {y}): {green}, not {top}");
    }
    assert_eq!(view.pane().stats().host_copies, 0);
}

#[test]
fn formats_that_the_window_has_not_are_refused() {
    let Some(desk) = desk(800, 600, &[]) else { return };
    for (format, shown) in
        [("Bgra8", true), ("Bgrx8", true), ("Rgba8", false), ("Bgr10a2", false), ("Rgba16f", false)]
    {
        let session = Session::spawn(start("patterned").env("FORMAT", format)).unwrap();
        let mut view = View::new(session, desk.pane(SMALL)).unwrap();
        if shown {
            run_until(&mut view, |view| view.pane().stats().shown >= 3);
            shows(&desk, &view);
            continue;
        }
        let error = loop {
            match view.next_event(Duration::from_secs(20)) {
                Ok(event) => assert!(event.is_some(), "no refusal of {format}"),
                Err(error) => break error,
            }
        };
        let Error::Pane(PaneError::Format(refused)) = error else { panic!("{format}: {error}") };
        assert_eq!(refused.to_string(), format);
        assert!(view.session().child_pid().is_some(), "the child lives on");
    }
}

#[test]
fn a_window_with_alpha_shows_the_same_and_is_opaque_where_the_pane_is() {
    let Some(desk) = desk(800, 600, &[]) else { return };
    let window = desk.translucent_window(Size::new(600, 500));
    let large = Size::new(440, 300);
    for path in [X11Path::SharedPixmap, X11Path::SharedPut, X11Path::Put] {
        for format in ["Bgra8", "Bgrx8"] {
            let child = start("patterned").env("STUBBORN", "1").env("FORMAT", format);
            let pane = desk.pane_in(window, SMALL).at_best(path);
            let mut view = View::new(Session::spawn(child).unwrap(), pane).unwrap();
            run_until(&mut view, |view| view.pane().stats().shown >= 10);
            shows(&desk, &view);
            assert_eq!(view.pane().path(), path);
            assert_eq!(view.pane().stats().host_copies > 0, path == X11Path::Put, "{path:?}");
            // The fill around a frame, too.
            view.resize(large, Scale::ONE).unwrap();
            let shown = view.pane().stats().shown + 3;
            run_until(&mut view, |view| view.pane().stats().shown >= shown);
            let shot = desk.look_into(view.pane().window(), large);
            assert!(shot.is_opaque(), "{path:?} {format}");
            assert_eq!(shot.frame().size, SMALL);
        }
    }
}

#[test]
fn xwayland_shows_it_too_and_so_does_its_compositor() {
    let (width, height) = (servers::WIDTH, servers::HEIGHT);
    let Some(server) = servers::start(servers::Kind::Xwayland) else { return };
    let desk = Desk::on(server, width, height);
    let mut view = view(desk.pane(SMALL));
    run_until(&mut view, |view| view.pane().stats().shown >= 20);
    shows(&desk, &view);
    let (path, stats) = (view.pane().path(), view.pane().stats());
    println!("Xwayland: {path:?}, {:?}, {stats:?}", view.pane().path_reason());
    // No copy in the host; or it says why.
    assert_eq!(stats.host_copies > 0, stats.copy_reason.is_some());
    assert_eq!(path == X11Path::SharedPixmap, view.pane().path_reason().is_none());
    // What the user sees: the compositor's picture, some frames later.
    let child = view.session().child_pid().map(child_number);
    run_until(&mut view, |_| {
        let picture = desk.server.screenshot();
        let at = |x, y| picture.pixel(AT.0 + x, AT.1 + y);
        let seen = Mark::read(at);
        seen.size == SMALL && Some(seen.child) == child && seen.faults(SMALL, at).0 == 0
    });
}

#[test]
fn clicks_go_through_to_the_host_unless_the_pane_takes_them() {
    let Some(desk) = desk(800, 600, &[]) else { return };
    let mut view = view(desk.pane(SMALL));
    run_until(&mut view, |view| view.pane().stats().shown >= 3);
    // The host hears of clicks on the pane, if there are such.
    let pane = view.pane().window();
    let clicks = ChangeWindowAttributesAux::new().event_mask(EventMask::BUTTON_PRESS);
    desk.conn.change_window_attributes(pane, &clicks).unwrap().check().unwrap();
    let (x, y) = (60, 50);
    let [left, top] = [AT.0, AT.1].map(|at| i16::try_from(at).unwrap());
    let here = Placement::at(left.into(), top.into());
    let hits = |view: &mut View<X11Pane>, placement, (window, at_x, at_y)| {
        view.place(placement).unwrap();
        run_until(view, |_| desk.click((x, y)) == Some((window, at_x, at_y)));
    };
    assert_eq!(desk.click((x, y)), Some((desk.window, x, y)));
    hits(&mut view, here.with_input(), (pane, x - left, y - top));
    // Where it is not seen it is not hit either.
    hits(&mut view, here.with_input().clipped(Rect::new(40, 0, 90, 90)), (desk.window, x, y));
    hits(&mut view, here.with_input(), (pane, x - left, y - top));
    hits(&mut view, here, (desk.window, x, y));
}

#[test]
fn the_hosts_own_drawing_stays_above_a_pane() {
    const ABOVE: [u8; 3] = [200, 30, 90];
    let Some(desk) = desk(800, 600, &[]) else { return };
    let mut view = view(desk.pane(SMALL));
    run_until(&mut view, |view| view.pane().stats().shown >= 3);
    // A window of the host's, in the pane's middle.
    let size = Size::new(60, 40);
    let place = (AT.0 + 100, AT.1 + 80);
    let [x, y] = [place.0, place.1].map(|at| i16::try_from(at).unwrap());
    let button = sub_window(&desk.conn, desk.window, (x, y), size, ABOVE);
    let stays = |view: &mut View<X11Pane>| {
        let shown = view.pane().stats().shown + 10;
        run_until(view, |view| {
            assert!(desk.look(place, size).is(ABOVE));
            view.pane().stats().shown >= shown
        });
    };
    stays(&mut view);
    assert_eq!(desk.click((x + 1, y + 1)), Some((button, 1, 1)));
    // Moving the pane does not bring it above; asking for that does.
    let placement = Placement::at(AT.0.cast_signed(), AT.1.cast_signed());
    view.place(placement).unwrap();
    stays(&mut view);
    view.place(placement.below()).unwrap();
    stays(&mut view);
    view.place(placement).unwrap();
    run_until(&mut view, |_| desk.look(place, size).count(ABOVE) == 0);
}

#[test]
fn a_pane_is_moved_clipped_and_hidden_by_the_host() {
    let Some(desk) = desk(800, 600, &[]) else { return };
    let mut view = view(desk.pane(SMALL));
    run_until(&mut view, |view| view.pane().stats().shown >= 3);
    let generation = view.shown().unwrap().generation;
    let place = |view: &mut View<X11Pane>, placement| {
        assert_eq!(view.place(placement).unwrap(), Applied::Now);
    };
    place(&mut view, Placement::at(300, 200));
    run_until(&mut view, |_| desk.look((300, 200), SMALL).pixel(2, 0) != HOST);
    desk.look((300, 200), SMALL).frame();
    assert!(desk.look(AT, Size::new(100, 100)).is(HOST), "the host's own is seen again");
    // A part of it: what is cut off is the host's.
    let (size, clip) = (Size::new(100, 90), Rect::new(0, 0, 100, 90));
    place(&mut view, Placement::at(300, 200).clipped(clip));
    run_until(&mut view, |_| desk.look((400, 200), Size::new(220, 200)).is(HOST));
    desk.look((300, 200), size).frame();
    // Out of the window on the left: the rest is where it should be.
    place(&mut view, Placement::at(-100, 0));
    run_until(&mut view, |_| desk.look((300, 200), size).is(HOST));
    desk.look((0, 0), Size::new(220, 200)).frame_at(-100, 0);
    place(&mut view, Placement::at(300, 200).hidden());
    run_until(&mut view, |_| desk.look((0, 0), Size::new(800, 600)).is(HOST));
    place(&mut view, Placement::at(300, 200));
    let shown = view.pane().stats().shown + 3;
    run_until(&mut view, |view| view.pane().stats().shown >= shown);
    desk.look((300, 200), SMALL).frame();
    // The child heard nothing of it.
    assert_eq!(view.shown().unwrap().generation, generation);
}

#[test]
fn four_children_share_a_window() {
    let Some(desk) = desk(800, 600, &[]) else { return };
    let size = Size::new(200, 150);
    let corners = [(0, 0), (200, 0), (0, 150), (200, 150)];
    let at = |(x, y): (u32, u32)| Placement::at(x.cast_signed(), y.cast_signed());
    let mut views = corners.map(|corner| {
        let mut view = view(desk.pane(size));
        view.place(at(corner)).unwrap();
        view
    });
    let run = |views: &mut [View<X11Pane>; 4], frames: u64| {
        let wanted = views.each_ref().map(|view| view.pane().stats().shown + frames);
        for (view, wanted) in views.iter_mut().zip(wanted) {
            run_until(view, |view| view.pane().stats().shown >= wanted);
        }
    };
    run(&mut views, 5);
    let look = |views: &[View<X11Pane>; 4], corners: [(u32, u32); 4]| {
        for (view, corner) in views.iter().zip(corners) {
            let seen = desk.look(corner, size).frame();
            assert_eq!(Some(seen.child), view.session().child_pid().map(child_number));
        }
    };
    look(&views, corners);
    // The host moves them while they go on; nobody draws over another.
    let corners = [(200, 150), (400, 10), (5, 300), (410, 320)];
    for (view, corner) in views.iter_mut().zip(corners) {
        view.place(at(corner)).unwrap();
    }
    run(&mut views, 5);
    look(&views, corners);
    // One ends; the others go on.
    views[1].session_mut().kill_child();
    run(&mut views, 5);
    look(&views, corners);
}

#[test]
fn what_a_child_leaves_stays_until_the_next_one_draws() {
    let Some(desk) = desk(800, 600, &[]) else { return };
    let mut view = view(desk.pane(SMALL));
    run_until(&mut view, |view| view.pane().stats().shown >= 3);
    let mut child = shows(&desk, &view).child;
    for _ in 0..3 {
        view.session_mut().kill_child();
        let shown = view.pane().stats().shown;
        let (mut shots, mut switches) = (0, 0);
        run_until(&mut view, |view| {
            // Whole in each picture: the last frame, or the next child's.
            let seen = desk.look_at_pane(SMALL).frame();
            assert_eq!(seen.size, SMALL);
            switches += u32::from(seen.child != child);
            child = seen.child;
            shots += 1;
            switches > 0 && view.pane().stats().shown >= shown + 10
        });
        assert_eq!(switches, 1, "in {shots} pictures");
        view.session_mut().forget_restarts();
    }
}

#[test]
fn what_changed_in_a_frame_that_gave_way_is_shown_with_the_next() {
    let Some(desk) = desk(800, 600, &[]) else { return };
    let mut pane = desk.pane(SMALL);
    let mut session = Session::spawn(start("filling")).unwrap();
    let until = Instant::now() + LONG;
    for n in 0..CELLS {
        let lease = session.next_frame(LONG).unwrap().expect("a frame").into_lease();
        let shared = lease.share();
        let cell = Damage::from(cell_at(n));
        assert!(n == 0 || shared.damage() == cell, "{n}: {:?}", shared.damage());
        pane.present(lease).unwrap();
        // The pane has missed more than whoever looks at each frame.
        assert!(n == 0 || shared.damage() == cell, "{n}: {:?}", shared.damage());
        drop(shared);
        if n % 10 != 0 {
            continue;
        }
        loop {
            let stats = pane.stats();
            if stats.shown + stats.superseded == u64::from(n) + 1 {
                break;
            }
            assert!(Instant::now() < until, "{n}: {stats:?}");
            pane.poll_tick(Timestamp::now()).unwrap();
            std::thread::sleep(Duration::from_millis(1));
        }
        let seen = desk.look_at_pane(SMALL);
        for other in 0..CELLS {
            let cell = cell_at(other);
            let wanted = if other <= n { cell_colour(other) } else { HOST };
            assert_eq!(seen.pixel(cell.x, cell.y), wanted, "cell {other} in frame {n}");
        }
    }
    let stats = pane.stats();
    assert!(stats.superseded > 0 && stats.host_copies == 0, "{stats:?}");
}

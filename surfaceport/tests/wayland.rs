//! Panes in a window of a Wayland compositor: what the compositor shows, pixel by
//! pixel.
#![allow(missing_docs)]

mod support;

use std::time::{Duration, Instant};

use servers::{HEIGHT, WAYLAND, WIDTH};
use support::pattern::{child_number, patterned};
use support::window::{AT, HOST, Window, frame_at, window};
use support::{run_child, start};
use surfaceport::{Event, Pane, Placement, Session, Size, View, WaylandPane};

const LONG: Duration = Duration::from_secs(30);
const SMALL: Size = Size::new(320, 200);
const HERE: Placement = Placement::at(AT.0.cast_signed(), AT.1.cast_signed());

/// Not a test of its own: what the others start.
#[test]
fn child() {
    run_child(&[("patterned", patterned)]);
}

/// A child's frames in a window.
fn view(window: &mut Window, placement: Placement, size: Size) -> View<WaylandPane> {
    let pane = window.pane(placement, size);
    // The pane is part of the window from its next commit.
    window.commit();
    View::new(Session::spawn(start("patterned")).unwrap(), pane).unwrap()
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
        assert_eq!(Some(seen.child), view.session().child_pid().map(child_number));
        let (width, height) = (AT.0 + SMALL.width, AT.1 + SMALL.height);
        let around =
            [[0, 0, WIDTH, AT.1], [0, height, WIDTH, HEIGHT - height], [0, 0, AT.0, HEIGHT]];
        for part in around.into_iter().chain([[width, 0, WIDTH - width, HEIGHT]]) {
            assert_eq!(picture.differing(part, |_, _| HOST), (0, None), "{kind:?}: {part:?}");
        }
        let stats = view.pane().stats();
        assert_eq!((stats.host_copies, stats.copy_reason), (0, None), "{kind:?}");
    }
}

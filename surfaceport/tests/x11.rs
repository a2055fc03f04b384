//! Panes in a window on X11: what the server shows, pixel by pixel.
#![allow(missing_docs)]

mod support;

use std::time::{Duration, Instant};

use support::desk::desk;
use support::pattern::{child_number, patterned};
use support::{run_child, start};
use surfaceport::{Event, Pane, Session, Size, View, X11Pane, X11Path};

const LONG: Duration = Duration::from_secs(30);
const SMALL: Size = Size::new(320, 200);

/// Not a test of its own: what the others start.
#[test]
fn child() {
    run_child(&[("patterned", patterned)]);
}

fn view(pane: X11Pane) -> View<X11Pane> {
    View::new(Session::spawn(start("patterned")).unwrap(), pane).unwrap()
}

/// Runs until `done` holds.
#[track_caller]
fn run_until<P: Pane>(view: &mut View<P>, mut done: impl FnMut(&mut View<P>) -> bool) {
    let deadline = Instant::now() + LONG;
    while !done(view) {
        assert!(Instant::now() < deadline, "not done in {LONG:?}: {:?}", view.pane().stats());
        if let Some(Event::Exited { exit, restart_in: None }) =
            view.next_event(Duration::from_millis(5)).unwrap()
        {
            panic!("{exit}");
        }
    }
}

#[test]
fn the_server_shows_the_childs_pixels() {
    let Some(desk) = desk(800, 600, &[]) else { return };
    let mut view = view(desk.pane(SMALL));
    assert_eq!(view.pane().path(), X11Path::SharedPixmap);
    run_until(&mut view, |view| view.pane().stats().shown >= 20);
    let seen = desk.look_at_pane(SMALL).frame();
    assert_eq!(seen.size, SMALL);
    assert_eq!(Some(seen.child), view.session().child_pid().map(child_number));
    assert_eq!(view.pane().stats().host_copies, 0);
}

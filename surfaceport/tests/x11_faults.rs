//! X servers that lack something, refuse, stop and die: a typed answer, and the
//! child lives on.
#![cfg(target_os = "linux")]
#![allow(missing_docs)]

mod support;

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal};
use support::desk::{AT, Desk, SMALL, desk, run_until, view};
use support::pattern::{child_number, patterned};
use support::{await_stop, run_child, signal};
use surfaceport::{
    CopyReason, Error, Fit, Pane, PaneError, Placement, ResizePolicy, Scale, Size, View, X11Pane,
    X11Path,
};

/// Not a test of its own: what the others start.
#[test]
fn child() {
    run_child(&[("patterned", patterned)]);
}

#[track_caller]
fn shows_frames(desk: &Desk, view: &mut View<X11Pane>) {
    let shown = view.pane().stats().shown + 5;
    run_until(view, |view| view.pane().stats().shown >= shown);
    let seen = desk.look_at_pane(view.pane().size()).frame();
    assert_eq!(Some(seen.child), view.session().child_pid().map(child_number));
}

#[test]
fn without_shared_memory_the_host_copies_and_says_why() {
    let Some(desk) = desk(640, 480, &["-extension", "MIT-SHM"]) else { return };
    let mut view = view(desk.pane(SMALL));
    shows_frames(&desk, &mut view);
    let stats = view.pane().stats();
    assert_eq!(view.pane().path(), X11Path::Put);
    assert_eq!(stats.copy_reason, Some(CopyReason::Missing("MIT-SHM 1.2")));
    assert!(stats.host_copies >= stats.shown, "{stats:?}");
}

#[test]
fn a_display_on_another_machine_gets_copies() {
    let Some(desk) = desk(640, 480, &["-listen", "tcp", "-ac"]) else { return };
    // A connection by TCP can't pass files, wherever it leads.
    let remote = format!("127.0.0.1{}", desk.server.address());
    let placement = Placement::at(AT.0.cast_signed(), AT.1.cast_signed());
    let pane = X11Pane::in_window(Some(&remote), desk.window, placement, SMALL).unwrap();
    let mut view = view(pane);
    shows_frames(&desk, &mut view);
    let stats = view.pane().stats();
    assert!(matches!(stats.copy_reason, Some(CopyReason::Missing(_))), "{stats:?}");
    assert!(stats.host_copies >= stats.shown, "{stats:?}");
}

#[test]
fn without_present_a_timer_paces() {
    for path in [X11Path::SharedPixmap, X11Path::SharedPut, X11Path::Put] {
        // Xvfb always has Present; without the regions of XFIXES it can't be used.
        let Some(desk) = desk(640, 480, &["-extension", "XFIXES"]) else { return };
        let mut view = view(desk.pane(SMALL).at_best(path));
        assert!(!view.pane().is_synchronised());
        shows_frames(&desk, &mut view);
        let (start, shown) = (Instant::now(), view.pane().stats().shown);
        run_until(&mut view, |view| view.pane().stats().shown >= shown + 30);
        assert!(start.elapsed() > Duration::from_millis(400), "30 frames at 60 a second");
        assert_eq!(view.pane().stats().host_copies > 0, path == X11Path::Put);
    }
}

#[test]
fn without_render_stretching_is_refused() {
    let Some(desk) = desk(640, 480, &["-extension", "RENDER"]) else { return };
    let mut view = view(desk.pane(SMALL)).resize_policy(ResizePolicy::Show(Fit::Scale));
    shows_frames(&desk, &mut view);
    let error = view.resize(Size::new(400, 300), Scale::ONE).unwrap_err();
    assert!(matches!(error, Error::Pane(PaneError::Missing { .. })), "{error}");
    assert!(error.to_string().contains("RENDER"), "{error}");
    shows_frames(&desk, &mut view);
}

#[test]
fn a_server_that_dies_leaves_the_child_to_another_one() {
    let Some(mut first) = desk(640, 480, &[]) else { return };
    let mut view = view(first.pane(SMALL));
    shows_frames(&first, &mut view);
    let child = view.session().child_pid();
    first.server.kill();
    let error = ended(&mut view);
    assert!(matches!(error, Error::Pane(PaneError::ServerGone { .. })), "{error}");
    // It stays so, and nothing spins or hangs.
    assert!(view.pane_mut().resize(SMALL, Scale::ONE, Fit::Hold).is_err());
    let Some(second) = desk(640, 480, &[]) else { return };
    let old = view.replace_pane(second.pane(Size::new(200, 160))).unwrap();
    assert!(old.on_display().is_none(), "what it held went back");
    drop(old);
    run_until(&mut view, |view| !view.is_resizing());
    shows_frames(&second, &mut view);
    assert_eq!(view.session().child_pid(), child, "the same child");
    assert_eq!(view.session().stats().restarts, 0);
}

/// Runs until the pane is at its end.
fn ended(view: &mut View<X11Pane>) -> Error {
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        if let Err(error) = view.next_event(Duration::from_millis(50)) {
            return error;
        }
    }
    panic!("nothing was said of the end");
}

#[test]
fn a_window_that_the_host_closes_ends_the_pane() {
    use x11rb::connection::Connection as _;
    use x11rb::protocol::xproto::ConnectionExt as _;
    let Some(desk) = desk(640, 480, &[]) else { return };
    let mut view = view(desk.pane(SMALL));
    shows_frames(&desk, &mut view);
    desk.conn.destroy_window(desk.window).unwrap();
    desk.conn.flush().unwrap();
    let error = ended(&mut view);
    let Error::Pane(error) = error else { panic!("{error}") };
    assert!(error.is_final(), "{error}");
    assert!(view.session().child_pid().is_some(), "the child lives on");
}

#[test]
fn a_server_that_refuses_the_memory_gets_copies() {
    let Some(desk) = desk(640, 480, &[]) else { return };
    let mut view = view(desk.pane(SMALL));
    shows_frames(&desk, &mut view);
    assert_eq!(view.pane().path(), X11Path::SharedPixmap);
    let child = view.session().child_pid();
    // The server may have no more files: it refuses the next generation's.
    let pid = rustix::process::Pid::from_raw(desk.server.pid().cast_signed());
    let none =
        Rlimit { current: Some(0), maximum: rustix::process::getrlimit(Resource::Nofile).maximum };
    let before = rustix::process::prlimit(pid, Resource::Nofile, none).unwrap();
    view.resize(Size::new(400, 300), Scale::ONE).unwrap();
    run_until(&mut view, |view| !view.is_resizing());
    run_until(&mut view, |view| view.pane().path() == X11Path::Put);
    rustix::process::prlimit(pid, Resource::Nofile, before).unwrap();
    shows_frames(&desk, &mut view);
    assert_eq!(view.pane().stats().copy_reason, Some(CopyReason::Refused));
    assert!(view.pane().stats().host_copies > 0);
    assert_eq!(view.session().child_pid(), child, "the same child");
}

#[test]
fn nothing_waits_for_a_server_that_has_stopped() {
    let Some(desk) = desk(640, 480, &[]) else { return };
    let mut view = view(desk.pane(SMALL));
    shows_frames(&desk, &mut view);
    signal(desk.server.pid(), Signal::STOP);
    await_stop(desk.server.pid());
    // No call asks the server anything. Each would wait for ever.
    for step in 0..50_u32 {
        view.resize(Size::new(200 + step, 100 + step), Scale::ONE).unwrap();
        let at = i32::try_from(step).unwrap();
        view.place(Placement::at(at, at)).unwrap();
        view.next_event(Duration::from_millis(4)).unwrap();
    }
    signal(desk.server.pid(), Signal::CONT);
    view.place(Placement::at(AT.0.cast_signed(), AT.1.cast_signed())).unwrap();
    run_until(&mut view, |view| !view.is_resizing());
    shows_frames(&desk, &mut view);
}

#[test]
fn a_window_that_is_not_there_is_refused() {
    let Some(desk) = desk(640, 480, &[]) else { return };
    let placement = Placement::at(0, 0);
    let open = |display: &str, window| X11Pane::in_window(Some(display), window, placement, SMALL);
    let address = desk.server.address();
    let error = open(&address, 0x1234_5678).unwrap_err();
    assert!(matches!(error, Error::Pane(PaneError::NoWindow)), "{error}");
    let error = open(":4099", desk.window).unwrap_err();
    assert!(matches!(error, Error::Pane(PaneError::NoServer { .. })), "{error}");
    let error = open("no display", desk.window).unwrap_err();
    assert!(matches!(error, Error::Pane(PaneError::NoServer { .. })), "{error}");
}

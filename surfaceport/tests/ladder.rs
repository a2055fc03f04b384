//! The best pane for a window: each step down is told, with its reason, and can
//! be refused.
#![cfg(target_os = "linux")]
#![allow(missing_docs)]

mod support;

use std::time::{Duration, Instant};

use raw_window_handle::{
    DisplayHandle, HandleError, HasDisplayHandle, HasWindowHandle, RawDisplayHandle,
    RawWindowHandle, WindowHandle, XcbDisplayHandle, XcbWindowHandle,
};
use servers::Kind;
use support::desk::{HOST, SMALL, sub_window};
use support::pattern::patterned;
use support::{parameter, run_child, start, start_plain};
use surfaceport::{Error, Pane as _, PaneWindow, Placement, Scale, Session, Size, View};
use x11rb::connection::Connection as _;
use x11rb::rust_connection::RustConnection;

/// Not a test of its own: what the others start.
#[test]
fn child() {
    run_child(&[("patterned", patterned), ("host", host)]);
}

/// A window of this process, on the display of the environment.
struct Toplevel(std::num::NonZeroU32);

#[allow(unsafe_code, reason = "what every toolkit does")]
impl HasWindowHandle for Toplevel {
    fn window_handle(&self) -> Result<WindowHandle<'_>, HandleError> {
        let raw = RawWindowHandle::Xcb(XcbWindowHandle::new(self.0));
        // SAFETY: the window is destroyed with its connection, which is kept until
        // this process ends.
        Ok(unsafe { WindowHandle::borrow_raw(raw) })
    }
}

#[allow(unsafe_code, reason = "what every toolkit does")]
impl HasDisplayHandle for Toplevel {
    fn display_handle(&self) -> Result<DisplayHandle<'_>, HandleError> {
        let raw = RawDisplayHandle::Xcb(XcbDisplayHandle::new(None, 0));
        // SAFETY: it has no pointer.
        Ok(unsafe { DisplayHandle::borrow_raw(raw) })
    }
}

/// A host: shows some frames in the best pane, and says what that was.
fn host() -> Result<(), Error> {
    let (conn, screen) = RustConnection::connect(None).unwrap();
    let root = conn.setup().roots[screen].root;
    let size = Size::new(640, 480);
    let window = Toplevel(sub_window(&conn, root, (0, 0), size, HOST).try_into().unwrap());
    let mut window = PaneWindow::new(window, size);
    if parameter("ZERO_COPY", 0) == 1 {
        window = window.require_zero_copy();
    }
    let pane = match window.pane(Placement::at(40, 30), SMALL, Scale::ONE) {
        Ok(pane) => pane,
        Err(error) => {
            println!("refused to open: {error}");
            return Ok(());
        }
    };
    let mut view = View::new(Session::spawn(start("patterned"))?, pane)?;
    let until = Instant::now() + Duration::from_secs(20);
    while view.pane().stats().shown < 20 {
        assert!(Instant::now() < until, "{:?}", view.pane().stats());
        if let Err(error) = view.next_event(Duration::from_millis(10)) {
            println!("refused to show: {error}");
            assert!(view.session().child_pid().is_some(), "the child lives on");
            return Ok(());
        }
    }
    let stats = view.pane().stats();
    println!("path: {:?}; copies: {}", view.pane().path(), stats.host_copies > 0);
    for step in view.pane().steps() {
        println!("step: {step}");
    }
    Ok(())
}

/// What a host says on a server with these arguments.
fn said(arguments: &[&str], environment: &[(&str, &str)]) -> Option<String> {
    let server = servers::start_with(Kind::Xvfb, 640, 480, arguments)?;
    let mut host = start_plain("host");
    host.envs(server.environment()).envs(environment.iter().copied());
    let output = host.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}\n{error}");
    Some(said)
}

#[test]
fn the_best_path_has_no_steps() {
    let Some(said) = said(&[], &[("ZERO_COPY", "1")]) else { return };
    assert!(said.contains("path: SharedPixmap; copies: false"), "{said}");
    assert!(!said.contains("step:"), "{said}");
}

#[test]
fn a_step_down_says_why() {
    let Some(said) = said(&["-extension", "MIT-SHM"], &[]) else { return };
    assert!(said.contains("path: Put; copies: true"), "{said}");
    assert!(said.contains("has no MIT-SHM"), "{said}");
}

#[test]
fn a_step_down_can_be_refused() {
    let Some(said) = said(&["-extension", "MIT-SHM"], &[("ZERO_COPY", "1")]) else { return };
    assert!(said.contains("refused to open") && said.contains("has no MIT-SHM"), "{said}");
    // At run time too: the child's format is known with its first frame.
    let Some(said) = self::said(&[], &[("ZERO_COPY", "1"), ("FORMAT", "Rgba8")]) else { return };
    assert!(said.contains("refused to show") && said.contains("Rgba8"), "{said}");
}

#[test]
#[cfg(feature = "softbuffer")]
fn what_the_display_refuses_is_copied_into_the_window() {
    let Some(said) = said(&[], &[("FORMAT", "Rgba8")]) else { return };
    assert!(said.contains("path: Softbuffer; copies: true"), "{said}");
    assert!(said.contains("can't show Rgba8"), "{said}");
}

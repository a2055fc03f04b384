//! The demo's window: what a display server shows of it, what reaches the child,
//! and how it ends.
#![cfg(target_os = "linux")]

mod support;

use std::io::Read as _;
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};
use servers::{Kind, Server};
use support::{assert_none_left, ended, marked, near, picture, program, run, scene, until};
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{
    AtomEnum, BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, ClientMessageEvent, ConfigureWindowAux,
    ConnectionExt as _, EventMask, InputFocus, KEY_PRESS_EVENT, KEY_RELEASE_EVENT,
    MOTION_NOTIFY_EVENT, Window,
};
use x11rb::protocol::xtest::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

/// The scene half a second after its start, where it stands still with these
/// options.
const STILL: [&str; 2] = ["--time", "0.5"];
const PICTURE: &str = "portable-0500.png";

/// A display server, if there are also the libraries that a window on it needs.
fn display(kind: Kind, [width, height]: [u32; 2]) -> Option<Server> {
    let server = servers::start_sized(kind, width, height)?;
    let mut command = program("libraries");
    command.args(["demo", "--window", "--frames", "1"]).envs(server.environment());
    let done = command.output().expect("the program starts");
    let said = String::from_utf8_lossy(&done.stderr).replace('\n', " ");
    if said.contains("can't be loaded") {
        println!("not run: {said}");
        return None;
    }
    Some(server)
}

/// A demo with a window; killed with its value.
struct Demo {
    process: Child,
    mark: &'static str,
}

impl Demo {
    fn start(mark: &'static str, server: &Server, more: &[&str]) -> Self {
        let mut command = program(mark);
        command.args(["demo", "--window", "--size", "320x240"]).args(more);
        command.envs(server.environment());
        Self { process: command.spawn().expect("the program starts"), mark }
    }

    /// Waits until something is so while it runs.
    fn until(&mut self, what: &str, mut is_so: impl FnMut() -> bool) {
        until(what, || {
            let status = self.process.try_wait().expect("its status");
            assert!(status.is_none(), "{what}: {}", self.said());
            is_so()
        });
    }

    /// Waits until the screen shows something else than now.
    fn until_it_moves(&mut self, server: &Server, what: &str) {
        let before = server.screenshot();
        self.until(what, || server.screenshot() != before);
    }

    fn said(&mut self) -> String {
        let mut said = String::new();
        if let Some(mut stderr) = self.process.stderr.take() {
            let _bytes = stderr.read_to_string(&mut said);
        }
        said
    }

    fn children(&self) -> Vec<i32> {
        let own = self.process.id().cast_signed();
        marked(self.mark).into_iter().filter(|pid| *pid != own).collect()
    }

    /// Waits for one child, and that it is not this one.
    fn until_another_than(&mut self, first: i32) {
        let (own, mark) = (self.process.id().cast_signed(), self.mark);
        self.until("another child", || {
            let children = marked(mark).into_iter().filter(|pid| *pid != own);
            matches!(children.collect::<Vec<_>>()[..], [next] if next != first)
        });
    }

    /// It ends by itself, and well.
    fn assert_ends(mut self) {
        let status = ended(&mut self.process);
        assert_eq!(status.code(), Some(0), "{}", self.said());
        assert_none_left(self.mark);
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _status = self.process.wait();
    }
}

/// Whether the still scene is at the top left of the display.
fn shows_scene(server: &Server) -> bool {
    let wanted = picture(&scene(PICTURE));
    let seen = server.screenshot();
    let all = (0..wanted.height).flat_map(|y| (0..wanted.width).map(move |x| (x, y)));
    all.into_iter().all(|(x, y)| near(&seen.pixel(x, y), &wanted.pixel(x, y)))
}

/// The program's window, as another client sees it.
struct Outside {
    connection: RustConnection,
    root: Window,
}

impl Outside {
    fn new(server: &Server) -> Self {
        let (connection, screen) = x11rb::connect(Some(&server.address())).unwrap();
        let root = connection.setup().roots[screen].root;
        Self { connection, root }
    }

    fn window(&self) -> Option<Window> {
        let tree = self.connection.query_tree(self.root).unwrap().reply().unwrap();
        tree.children.into_iter().find(|window| {
            let (of, kind) = (AtomEnum::WM_CLASS, AtomEnum::STRING);
            let name = self.connection.get_property(false, *window, of, kind, 0, 64).unwrap();
            name.reply().is_ok_and(|name| name.value.starts_with(b"surfaceport"))
        })
    }

    /// What a window manager sends when the user closes a window.
    fn close(&self) {
        let atom =
            |name: &[u8]| self.connection.intern_atom(false, name).unwrap().reply().unwrap().atom;
        let window = self.window().expect("a window");
        let data = [atom(b"WM_DELETE_WINDOW"), x11rb::CURRENT_TIME, 0, 0, 0];
        let event = ClientMessageEvent::new(32, window, atom(b"WM_PROTOCOLS"), data);
        self.connection.send_event(false, window, EventMask::NO_EVENT, event).unwrap();
        self.connection.sync().unwrap();
    }

    fn click(&self, x: i16, y: i16) {
        for (kind, button) in
            [(MOTION_NOTIFY_EVENT, 0), (BUTTON_PRESS_EVENT, 1), (BUTTON_RELEASE_EVENT, 1)]
        {
            let faked = self.connection.xtest_fake_input(kind, button, 0, self.root, x, y, 0);
            faked.unwrap().check().unwrap();
        }
    }

    /// Keys go to the window from now on.
    fn focus(&self) {
        let window = self.window().expect("a window");
        let focus = self.connection.set_input_focus(InputFocus::PARENT, window, 0_u32);
        focus.unwrap().check().unwrap();
    }

    /// Presses the key that says this, and lets it go.
    fn press(&self, sign: char) {
        let setup = self.connection.setup();
        let (first, last) = (setup.min_keycode, setup.max_keycode);
        let mapping = self.connection.get_keyboard_mapping(first, last - first + 1).unwrap();
        let mapping = mapping.reply().unwrap();
        let mut keys = mapping.keysyms.chunks(mapping.keysyms_per_keycode.into());
        let key = keys.position(|signs| signs[0] == u32::from(sign)).expect("a key");
        let key = first + u8::try_from(key).unwrap();
        for kind in [KEY_PRESS_EVENT, KEY_RELEASE_EVENT] {
            let faked = self.connection.xtest_fake_input(kind, key, 0, self.root, 0, 0, 0);
            faked.unwrap().check().unwrap();
        }
    }
}

/// Whether a process stands still.
fn is_stopped(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
}

#[test]
fn the_window_shows_the_scene_and_closes() {
    let Some(server) = display(Kind::Xvfb, [1024, 768]) else { return };
    let mut demo = Demo::start("closes", &server, &STILL);
    demo.until("the window shows the scene", || shows_scene(&server));
    Outside::new(&server).close();
    demo.assert_ends();
}

#[test]
fn a_click_reaches_the_child() {
    let Some(server) = display(Kind::Xvfb, [1024, 768]) else { return };
    // Its time stands still: what changes is by the click.
    let mut demo = Demo::start("click", &server, &STILL);
    demo.until("the window shows the scene", || shows_scene(&server));
    let outside = Outside::new(&server);
    outside.click(240, 180);
    demo.until("the scene answers the click", || !shows_scene(&server));
    outside.close();
    demo.assert_ends();
}

#[test]
fn a_click_reaches_the_child_that_is_hit_and_no_other() {
    let Some(server) = display(Kind::Xvfb, [1024, 768]) else { return };
    let still = [&STILL[..], &["--panes", "2x2"]].concat();
    let mut demo = Demo::start("right child", &server, &still);
    // What each of the four shows, without its edges.
    let quarter = |pane: u32| {
        let seen = server.screenshot();
        let (left, top) = (pane % 2 * 160, pane / 2 * 120);
        let all = (4..116).flat_map(|y| (4..156).map(move |x| (x, y)));
        all.map(|(x, y)| seen.pixel(left + x, top + y)).collect::<Vec<_>>()
    };
    demo.until("all four show the scene", || {
        let seen = [0, 1, 2, 3].map(quarter);
        let is_drawn = seen[0].iter().any(|pixel| *pixel != seen[0][0]);
        is_drawn && seen.iter().all(|one| *one == seen[0])
    });
    let before = [0, 1, 2, 3].map(quarter);
    let outside = Outside::new(&server);
    outside.click(160 + 120, 120 + 90);
    demo.until("the fourth answers the click", || quarter(3) != before[3]);
    let after = [0, 1, 2].map(quarter);
    assert!(after[..] == before[..3], "no other does");
    outside.close();
    demo.assert_ends();
}

#[test]
fn a_killed_child_is_followed_by_another() {
    let Some(server) = display(Kind::Xvfb, [1024, 768]) else { return };
    let mut demo = Demo::start("goes on", &server, &[]);
    demo.until_it_moves(&server, "the first child draws");
    demo.until_it_moves(&server, "the scene moves");
    let first = demo.children();
    assert_eq!(first.len(), 1);
    kill_process(Pid::from_raw(first[0]).expect("a process id"), Signal::KILL).unwrap();
    demo.until_another_than(first[0]);
    // The first change might be the first child's last frame.
    demo.until_it_moves(&server, "something is drawn");
    demo.until_it_moves(&server, "the next child draws");
    Outside::new(&server).close();
    demo.assert_ends();
}

#[test]
fn the_windows_own_keys_kill_pause_and_quit() {
    let Some(server) = display(Kind::Xvfb, [1024, 768]) else { return };
    let mut demo = Demo::start("keys", &server, &[]);
    demo.until_it_moves(&server, "there is a picture");
    demo.until_it_moves(&server, "it moves");
    let outside = Outside::new(&server);
    outside.focus();
    let first = demo.children();
    assert_eq!(first.len(), 1);
    outside.press('k');
    demo.until_another_than(first[0]);
    demo.until_it_moves(&server, "something is drawn");
    demo.until_it_moves(&server, "the next child draws");
    let next = demo.children()[0];
    outside.press(' ');
    demo.until("the child stands still", || is_stopped(next));
    outside.press(' ');
    demo.until("the child goes on", || !is_stopped(next));
    demo.until_it_moves(&server, "it draws on");
    outside.press('q');
    demo.assert_ends();
}

#[test]
fn the_panes_follow_the_windows_edge() {
    let Some(server) = display(Kind::Xvfb, [1024, 768]) else { return };
    let mut demo = Demo::start("edge", &server, &[&STILL[..], &["--panes", "2x2"]].concat());
    let outside = Outside::new(&server);
    demo.until("there is a window", || outside.window().is_some());
    let size = ConfigureWindowAux::new().width(700).height(500);
    let window = outside.window().expect("a window");
    outside.connection.configure_window(window, &size).unwrap().check().unwrap();
    // Each pane is the scene on white, so its corners are.
    let corners = [(345, 245), (355, 245), (345, 255), (355, 255), (695, 495)];
    demo.until("all four panes reach their new edges", || {
        let seen = server.screenshot();
        corners.iter().all(|(x, y)| seen.pixel(*x, *y) == [255, 255, 255])
    });
    assert_eq!(demo.children().len(), 4);
    outside.close();
    demo.assert_ends();
}

#[test]
fn a_display_that_goes_away_leaves_no_process() {
    let Some(mut server) = display(Kind::Xvfb, [1024, 768]) else { return };
    let mut demo = Demo::start("no display", &server, &STILL);
    demo.until("the window shows the scene", || shows_scene(&server));
    server.kill();
    ended(&mut demo.process);
    until("the child's end", || demo.children().is_empty());
}

#[test]
fn wayland_shows_the_scene() {
    // The window fills the display.
    let Some(server) = display(Kind::Sway, [320, 240]) else { return };
    let mut demo = Demo::start("wayland", &server, &STILL);
    demo.until("the compositor shows the scene", || shows_scene(&server));
    kill_process(Pid::from_child(&demo.process), Signal::INT).expect("it is there");
    demo.assert_ends();
}

#[test]
fn no_display_is_said_and_stepped_down_from() {
    let forced = run("forced", &["demo", "--window"]);
    assert_eq!(forced.code, Some(1), "{forced:?}");
    assert!(forced.stderr.contains("neither WAYLAND_DISPLAY nor DISPLAY is set"), "{forced:?}");
    let mut command = program("stepped down");
    let done = command.args(["demo", "--frames", "3"]).env("DISPLAY", ":65000").output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    assert!(said.contains("/tmp/.X11-unix/X65000") && said.contains("no terminal"), "{said}");
}

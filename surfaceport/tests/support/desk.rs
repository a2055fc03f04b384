//! A host's window on a private X server, and what the server shows of it.

use std::time::{Duration, Instant};

use servers::{Kind, Server};
use surfaceport::{Event, Pane, Placement, Session, Size, View, X11Pane};
use x11rb::connection::Connection as _;
use x11rb::protocol::Event as Heard;
use x11rb::protocol::xproto::{
    ColormapAlloc, ConnectionExt as _, CreateWindowAux, EventMask, ImageFormat, VisualClass,
    Visualtype, Window, WindowClass,
};
use x11rb::protocol::xtest::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;

use super::pattern::{Mark, STEP};
use super::start;

/// What nothing here takes.
pub const LONG: Duration = Duration::from_secs(30);
/// The usual pane.
pub const SMALL: Size = Size::new(320, 200);
/// A pane is placed here, unless a test moves it.
pub const AT: (u32, u32) = (40, 30);
/// What the host's window shows of its own: R, G, B.
pub const HOST: [u8; 3] = [0x20, 0x60, 0xa0];

/// A host's window: the server that it is on, and the host's connection.
pub struct Desk {
    pub server: Server,
    pub conn: RustConnection,
    pub window: Window,
    root: Window,
}

/// A server and a window that covers it. `None`: no server is installed.
pub fn desk(width: u32, height: u32, arguments: &[&str]) -> Option<Desk> {
    Some(Desk::on(servers::start_with(Kind::Xvfb, width, height, arguments)?, width, height))
}

/// The usual child in a pane.
pub fn view<P: Pane>(pane: P) -> View<P> {
    View::new(Session::spawn(start("patterned")).unwrap(), pane).unwrap()
}

/// Runs until `done` holds.
#[track_caller]
pub fn run_until<P: Pane>(view: &mut View<P>, mut done: impl FnMut(&mut View<P>) -> bool) {
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

/// A window of one colour that takes clicks.
pub fn sub_window(
    conn: &RustConnection,
    parent: Window,
    (x, y): (i16, i16),
    size: Size,
    [red, green, blue]: [u8; 3],
) -> Window {
    let window = conn.generate_id().unwrap();
    let look = CreateWindowAux::new()
        .background_pixel(u32::from_be_bytes([0, red, green, blue]))
        .event_mask(EventMask::BUTTON_PRESS | EventMask::KEY_PRESS | EventMask::EXPOSURE);
    let [width, height] = [size.width, size.height].map(|side| u16::try_from(side).unwrap());
    let class = WindowClass::INPUT_OUTPUT;
    conn.create_window(0, window, parent, x, y, width, height, 0, class, 0, &look)
        .unwrap()
        .check()
        .unwrap();
    conn.map_window(window).unwrap().check().unwrap();
    conn.get_input_focus().unwrap().reply().unwrap();
    window
}

impl Desk {
    /// A window that covers this server.
    pub fn on(server: Server, width: u32, height: u32) -> Self {
        let (conn, screen) = RustConnection::connect(Some(&server.address())).unwrap();
        let root = conn.setup().roots[screen].root;
        let window = sub_window(&conn, root, (0, 0), Size::new(width, height), HOST);
        Self { server, conn, window, root }
    }

    /// A pane in the window.
    pub fn pane(&self, size: Size) -> X11Pane {
        self.pane_in(self.window, size)
    }

    /// A pane in a window of the host's.
    pub fn pane_in(&self, window: Window, size: Size) -> X11Pane {
        let placement = Placement::at(AT.0.cast_signed(), AT.1.cast_signed());
        X11Pane::in_window(Some(&self.server.address()), window, placement, size).unwrap()
    }

    /// A window with alpha, above the other one.
    pub fn translucent_window(&self, size: Size) -> Window {
        let screen = &self.conn.setup().roots[0];
        let deep = screen.allowed_depths.iter().find(|depth| depth.depth == 32).unwrap();
        let is_plain = |visual: &&Visualtype| visual.class == VisualClass::TRUE_COLOR;
        let visual = deep.visuals.iter().find(is_plain).unwrap().visual_id;
        let [map, window] = [(); 2].map(|()| self.conn.generate_id().unwrap());
        self.conn.create_colormap(ColormapAlloc::NONE, map, self.root, visual).unwrap();
        let [red, green, blue] = HOST;
        let look = CreateWindowAux::new()
            .background_pixel(u32::from_be_bytes([255, red, green, blue]))
            .border_pixel(0)
            .colormap(map);
        let [width, height] = [size.width, size.height].map(|side| u16::try_from(side).unwrap());
        let class = WindowClass::INPUT_OUTPUT;
        let made = self
            .conn
            .create_window(32, window, self.root, 0, 0, width, height, 0, class, visual, &look);
        made.unwrap().check().unwrap();
        self.conn.map_window(window).unwrap().check().unwrap();
        window
    }

    /// What is in a window, where nothing is above it.
    pub fn look_into(&self, window: Window, size: Size) -> Shot {
        self.look_at(window, (0, 0), size)
    }

    /// What the server shows at this place, all of it at one time.
    pub fn look(&self, at: (u32, u32), size: Size) -> Shot {
        self.look_at(self.root, at, size)
    }

    fn look_at(&self, window: Window, (x, y): (u32, u32), size: Size) -> Shot {
        let short = |value: u32| i16::try_from(value).unwrap();
        let [width, height] = [size.width, size.height].map(|side| u16::try_from(side).unwrap());
        let all = u32::MAX;
        let kind = ImageFormat::Z_PIXMAP;
        let image = self.conn.get_image(kind, window, short(x), short(y), width, height, all);
        let data = image.unwrap().reply().unwrap().data;
        Shot { size, data }
    }

    /// What it shows where the pane is.
    pub fn look_at_pane(&self, size: Size) -> Shot {
        self.look(AT, size)
    }

    /// Clicks at a place of the screen; the window that hears of it.
    pub fn click(&self, (x, y): (i16, i16)) -> Option<(Window, i16, i16)> {
        while self.conn.poll_for_event().unwrap().is_some() {}
        const MOTION: u8 = 6;
        self.conn.xtest_fake_input(MOTION, 0, 0, self.root, x, y, 0).unwrap();
        for kind in [4, 5] {
            self.conn.xtest_fake_input(kind, 1, 0, self.root, 0, 0, 0).unwrap();
        }
        self.conn.flush().unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until {
            match self.conn.poll_for_event().unwrap() {
                Some(Heard::ButtonPress(press)) => {
                    return Some((press.event, press.event_x, press.event_y));
                }
                Some(_) => {}
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        None
    }
}

/// A picture of a part of the screen.
#[derive(PartialEq, Eq)]
pub struct Shot {
    pub size: Size,
    data: Vec<u8>,
}

impl Shot {
    /// A pixel: R, G, B.
    pub fn pixel(&self, x: u32, y: u32) -> [u8; 3] {
        let at = (y * self.size.width + x) as usize * 4;
        [self.data[at + 2], self.data[at + 1], self.data[at]]
    }

    /// Whether a window with alpha shows nothing of what is behind it.
    pub fn is_opaque(&self) -> bool {
        self.data.chunks_exact(4).all(|pixel| pixel[3] == 255)
    }

    /// Whether all of it has this colour.
    pub fn is(&self, colour: [u8; 3]) -> bool {
        self.count(colour) == (self.size.width * self.size.height) as usize
    }

    /// How many pixels have this colour.
    pub fn count(&self, [red, green, blue]: [u8; 3]) -> usize {
        self.data.chunks_exact(4).filter(|pixel| pixel[..3] == [blue, green, red]).count()
    }

    /// The frame that it shows from its top left, on black.
    #[track_caller]
    pub fn frame(&self) -> Mark {
        self.frame_at(0, 0)
    }

    /// The frame whose top left is there, perhaps outside, on black; fails if any
    /// pixel is another.
    #[track_caller]
    pub fn frame_at(&self, left: i64, top: i64) -> Mark {
        // Its mark is repeated: the first one that is seen.
        let first = |offset: i64| u32::try_from((-offset).max(0)).unwrap().next_multiple_of(STEP);
        let (x, y) = (first(left), first(top));
        let on_screen = |at: u32, offset: i64| u32::try_from(i64::from(at) + offset).unwrap();
        let mark = Mark::read(|dx, _| self.pixel(on_screen(x + dx, left), on_screen(y, top)));
        let inside = |at: i64, side: u32| u32::try_from(at).ok().filter(|at| *at < side);
        let places = (0..self.size.height).flat_map(|y| (0..self.size.width).map(move |x| (x, y)));
        let wrong = places
            .map(|(x, y)| {
                let column = inside(i64::from(x) - left, mark.size.width);
                let row = inside(i64::from(y) - top, mark.size.height);
                let wanted = column.zip(row).map(|(column, row)| mark.pixel(column, row));
                (x, y, self.pixel(x, y), wanted.unwrap_or_default())
            })
            .find(|(_, _, seen, wanted)| seen != wanted);
        if let Some((x, y, seen, wanted)) = wrong {
            panic!("{mark:?} is not whole at ({x}, {y}): {seen:?}, not {wanted:?}");
        }
        mark
    }
}

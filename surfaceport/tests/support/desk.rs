//! A host's window on a private X server, and what the server shows of it.

use std::time::{Duration, Instant};

use servers::{Kind, Server};
use surfaceport::{Placement, Size, X11Pane};
use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    ConnectionExt as _, CreateWindowAux, EventMask, ImageFormat, Window, WindowClass,
};
use x11rb::protocol::xtest::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;

use super::pattern::Mark;

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
    let server = servers::start_with(Kind::Xvfb, width, height, arguments)?;
    let (conn, screen) = RustConnection::connect(Some(&server.address())).unwrap();
    let root = conn.setup().roots[screen].root;
    let size = Size::new(width, height);
    let window = sub_window(&conn, root, (0, 0), size, HOST);
    Some(Desk { server, conn, window, root })
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
    /// A pane in the window.
    pub fn pane(&self, size: Size) -> X11Pane {
        let placement = Placement::at(AT.0.cast_signed(), AT.1.cast_signed());
        X11Pane::in_window(Some(&self.server.address()), self.window, size, placement).unwrap()
    }

    /// What the server shows at this place, all of it at one time.
    pub fn look(&self, (x, y): (u32, u32), size: Size) -> Shot {
        let short = |value: u32| i16::try_from(value).unwrap();
        let [width, height] = [size.width, size.height].map(|side| u16::try_from(side).unwrap());
        let all = u32::MAX;
        let kind = ImageFormat::Z_PIXMAP;
        let image = self.conn.get_image(kind, self.root, short(x), short(y), width, height, all);
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
                Some(Event::ButtonPress(press)) => {
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

    /// Whether all of it has this colour.
    pub fn is(&self, colour: [u8; 3]) -> bool {
        self.count(colour) == (self.size.width * self.size.height) as usize
    }

    /// How many pixels have this colour.
    pub fn count(&self, [red, green, blue]: [u8; 3]) -> usize {
        self.data.chunks_exact(4).filter(|pixel| pixel[..3] == [blue, green, red]).count()
    }

    /// The frame that it shows from its top left; fails if it is not whole.
    #[track_caller]
    pub fn frame(&self) -> Mark {
        let mark = Mark::read(|x, y| self.pixel(x, y));
        let seen =
            Size::new(mark.size.width.min(self.size.width), mark.size.height.min(self.size.height));
        let (faults, first) = mark.faults(seen, |x, y| self.pixel(x, y));
        assert_eq!(faults, 0, "{mark:?} is not whole: {first:?}");
        mark
    }
}

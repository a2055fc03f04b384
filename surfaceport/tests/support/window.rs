//! A host's window on a private Wayland compositor, made by hand: what a toolkit
//! would do, and no more.

use std::ffi::c_void;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::{Duration, Instant};

use raw_window_handle::{
    DisplayHandle, HandleError, HasDisplayHandle, HasWindowHandle, WaylandDisplayHandle,
    WaylandWindowHandle, WindowHandle,
};
use rustix::fs::MemfdFlags;
use servers::{HEIGHT, Kind, Picture, Server, WIDTH};
use surfaceport::{Placement, Scale, Size, WaylandPane};
use wayland_client::backend::ObjectId;
use wayland_client::globals::{GlobalList, GlobalListContents, registry_queue_init};
use wayland_client::protocol::{
    wl_buffer, wl_compositor, wl_pointer, wl_registry, wl_seat, wl_shm, wl_shm_pool, wl_surface,
};
use wayland_client::{Connection, Dispatch, EventQueue, Proxy, QueueHandle, WEnum, delegate_noop};
use wayland_protocols::xdg::shell::client::{xdg_surface, xdg_toplevel, xdg_wm_base};
use wayland_protocols_wlr::virtual_pointer::v1::client::{
    zwlr_virtual_pointer_manager_v1::ZwlrVirtualPointerManagerV1 as PointerManager,
    zwlr_virtual_pointer_v1::ZwlrVirtualPointerV1 as VirtualPointer,
};

use super::pattern::Mark;

/// A pane is placed here, unless a test moves it.
pub const AT: (u32, u32) = (40, 30);
/// What the host's window shows of its own: R, G, B.
pub const HOST: [u8; 3] = [0x20, 0x60, 0xa0];

/// A window that covers the screen. Its parts go before its server.
pub struct Window {
    connection: Connection,
    queue: EventQueue<Heard>,
    heard: Heard,
    shm: wl_shm::WlShm,
    pub surface: wl_surface::WlSurface,
    mouse: Option<Mouse>,
    pub server: Arc<Server>,
}

/// A pointer that the test moves, where the compositor has such.
enum Mouse {
    Virtual(VirtualPointer),
    /// That of the X server in whose window the compositor runs.
    X11(Box<x11rb::rust_connection::RustConnection>),
}

impl Mouse {
    fn find(server: &Server, globals: &GlobalList, qh: &QueueHandle<Heard>) -> Option<Self> {
        if let Some(under) = server.under() {
            return Some(Self::X11(x11rb::connect(Some(&under.address())).unwrap().0.into()));
        }
        let pointers: PointerManager = globals.bind(qh, 1..=1, ()).ok()?;
        Some(Self::Virtual(pointers.create_virtual_pointer(None, qh, ())))
    }

    /// Moves there, presses and lets go.
    fn click(&self, (x, y): (u32, u32), time: u32) {
        use x11rb::connection::Connection as _;
        use x11rb::protocol::xproto::{
            BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, MOTION_NOTIFY_EVENT,
        };
        use x11rb::protocol::xtest::ConnectionExt as _;
        match self {
            Self::Virtual(pointer) => {
                pointer.motion_absolute(time, x, y, WIDTH, HEIGHT);
                pointer.frame();
                for state in [wl_pointer::ButtonState::Pressed, wl_pointer::ButtonState::Released] {
                    const LEFT: u32 = 0x110;
                    pointer.button(time, LEFT, state);
                    pointer.frame();
                }
            }
            Self::X11(connection) => {
                let root = connection.setup().roots[0].root;
                let short = |at: u32| i16::try_from(at).unwrap();
                let (x, y) = (short(x), short(y));
                let (moved, down, up) =
                    (MOTION_NOTIFY_EVENT, BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT);
                // weston takes only by how much it moved: after both corners it
                // knows where it is.
                let corners = [(WIDTH - 1, HEIGHT - 1), (0, 0)];
                let corners = corners.map(|(x, y)| (moved, 0, short(x), short(y)));
                let then = [(moved, 0, x, y), (down, 1, x, y), (up, 1, x, y)];
                for (kind, button, x, y) in corners.into_iter().chain(then) {
                    connection.xtest_fake_input(kind, button, 0, root, x, y, 0).unwrap();
                }
                connection.flush().unwrap();
            }
        }
    }
}

/// What the compositor said to the host.
#[derive(Default)]
struct Heard {
    configured: bool,
    pointer_at: Option<(ObjectId, f64, f64)>,
    /// Surfaces that were clicked, and where.
    clicks: Vec<(ObjectId, f64, f64)>,
}

/// A compositor and a window that covers its screen. `None`: not installed.
pub fn window(kind: Kind) -> Option<Window> {
    Some(Window::on(servers::start(kind)?))
}

impl Window {
    fn on(server: Server) -> Self {
        let socket = UnixStream::connect(server.address()).unwrap();
        let connection = Connection::from_socket(socket).unwrap();
        let (globals, mut queue) = registry_queue_init::<Heard>(&connection).unwrap();
        let qh = queue.handle();
        let compositor: wl_compositor::WlCompositor = globals.bind(&qh, 4..=4, ()).unwrap();
        let shm: wl_shm::WlShm = globals.bind(&qh, 1..=1, ()).unwrap();
        let shell: xdg_wm_base::XdgWmBase = globals.bind(&qh, 1..=1, ()).unwrap();
        let _seat: Option<wl_seat::WlSeat> = globals.bind(&qh, 1..=5, ()).ok();
        let mouse = Mouse::find(&server, &globals, &qh);
        let surface = compositor.create_surface(&qh, ());
        let xdg = shell.get_xdg_surface(&surface, &qh, ());
        let toplevel = xdg.get_toplevel(&qh, ());
        toplevel.set_fullscreen(None);
        surface.commit();
        let mut heard = Heard::default();
        while !heard.configured {
            queue.blocking_dispatch(&mut heard).unwrap();
        }
        let mut window =
            Self { connection, queue, heard, shm, surface, mouse, server: server.into() };
        window.draw(|_, _| Some(HOST));
        window.await_screen(|picture| picture.pixel(WIDTH / 2, HEIGHT / 2) == HOST);
        window
    }

    /// Draws the whole window, `None` is a hole, and commits it.
    pub fn draw(&mut self, pixel: impl Fn(u32, u32) -> Option<[u8; 3]>) {
        let places = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
        let bytes: Vec<u8> = places
            .flat_map(|(x, y)| match pixel(x, y) {
                Some([red, green, blue]) => [blue, green, red, 255],
                None => [0; 4],
            })
            .collect();
        let memory = rustix::fs::memfd_create("host-window", MemfdFlags::CLOEXEC).unwrap();
        let mut memory = std::fs::File::from(memory);
        memory.write_all(&bytes).unwrap();
        let [width, height] = [WIDTH, HEIGHT].map(u32::cast_signed);
        let (qh, format) = (self.queue.handle(), wl_shm::Format::Argb8888);
        let pool = self.shm.create_pool(memory.as_fd(), width * height * 4, &qh, ());
        let buffer = pool.create_buffer(0, width, height, width * 4, format, &qh, ());
        pool.destroy();
        self.surface.attach(Some(&buffer), 0, 0);
        self.surface.damage_buffer(0, 0, width, height);
        self.commit();
    }

    /// Commits the window: what waited for it is seen.
    pub fn commit(&mut self) {
        self.surface.commit();
        self.turn();
    }

    /// One turn of the host's loop: its own events. A connection that has ended
    /// is the pane's to tell.
    pub fn turn(&mut self) {
        let _sent = self.queue.flush();
        if let Some(guard) = self.queue.prepare_read()
            && super::is_readable(guard.connection_fd(), Duration::ZERO)
        {
            let _read = guard.read();
        }
        let _heard = self.queue.dispatch_pending(&mut self.heard);
        let _sent = self.queue.flush();
    }

    /// Asks for something that ends the connection.
    pub fn break_the_protocol(&mut self) {
        let memory = rustix::fs::memfd_create("nothing", MemfdFlags::CLOEXEC).unwrap();
        let _refused = self.shm.create_pool(memory.as_fd(), -1, &self.queue.handle(), ());
        self.turn();
    }

    /// Ends the compositor, as if it had crashed.
    pub fn kill_server(&mut self) {
        Arc::get_mut(&mut self.server).expect("nobody takes pictures now").kill();
    }

    /// What a toolkit's window gives to a pane.
    pub fn handle(&self) -> Handle {
        Handle { connection: self.connection.clone(), surface: self.surface.clone() }
    }

    /// A pane in the window.
    pub fn pane(&self, placement: Placement, size: Size) -> WaylandPane {
        WaylandPane::new(self.handle(), placement, size, Scale::ONE).unwrap()
    }

    /// Moves the pointer and clicks; the surface that heard of it, and where.
    /// `None`: this compositor has no pointer to move.
    pub fn click(&mut self, (x, y): (u32, u32)) -> Option<(ObjectId, f64, f64)> {
        self.heard.clicks.clear();
        for step in 1..=1000 {
            // The first ones may come before the host has its end of the pointer.
            if step % 50 == 1 {
                self.mouse.as_ref()?.click((x, y), step);
            }
            self.turn();
            if let Some(click) = self.heard.clicks.pop() {
                return Some(click);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("nobody heard of the click");
    }

    /// Waits until the screen is as `done` says.
    #[track_caller]
    pub fn await_screen(&mut self, done: impl Fn(&Picture) -> bool) -> Picture {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            self.turn();
            let picture = self.server.screenshot();
            if done(&picture) {
                return picture;
            }
            if Instant::now() > until {
                picture.save("/tmp/surfaceport-failed.ppm");
                panic!("the screen is not as it should be: see /tmp/surfaceport-failed.ppm");
            }
        }
    }
}

/// The frame that a picture shows at a place, as much of it as `seen` says; fails
/// if that is not whole.
#[track_caller]
pub fn frame_at(picture: &Picture, (left, top): (u32, u32), seen: Size) -> Mark {
    let pixel = |x, y| picture.pixel(left + x, top + y);
    let mark = Mark::read(pixel);
    let whole = Size::new(seen.width.min(mark.size.width), seen.height.min(mark.size.height));
    let (faults, first) = mark.faults(whole, pixel);
    assert_eq!(faults, 0, "{mark:?} is not whole: {first:?}");
    mark
}

/// A window's handles, and what keeps them valid.
#[derive(Clone)]
pub struct Handle {
    connection: Connection,
    surface: wl_surface::WlSurface,
}

fn not_null(pointer: *mut impl Sized) -> Result<NonNull<c_void>, HandleError> {
    NonNull::new(pointer.cast()).ok_or(HandleError::Unavailable)
}

#[allow(unsafe_code, reason = "what every toolkit does")]
impl HasDisplayHandle for Handle {
    fn display_handle(&self) -> Result<DisplayHandle<'_>, HandleError> {
        let display = not_null(self.connection.backend().display_ptr())?;
        let raw = WaylandDisplayHandle::new(display).into();
        // SAFETY: the connection is kept, and with it its wl_display.
        Ok(unsafe { DisplayHandle::borrow_raw(raw) })
    }
}

#[allow(unsafe_code, reason = "what every toolkit does")]
impl HasWindowHandle for Handle {
    fn window_handle(&self) -> Result<WindowHandle<'_>, HandleError> {
        let raw = WaylandWindowHandle::new(not_null(self.surface.id().as_ptr())?).into();
        // SAFETY: the surface is destroyed with its connection alone, which is kept.
        Ok(unsafe { WindowHandle::borrow_raw(raw) })
    }
}

impl Dispatch<wl_registry::WlRegistry, GlobalListContents> for Heard {
    fn event(
        _: &mut Self,
        _: &wl_registry::WlRegistry,
        _: wl_registry::Event,
        _: &GlobalListContents,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
    }
}

impl Dispatch<xdg_wm_base::XdgWmBase, ()> for Heard {
    fn event(
        _: &mut Self,
        shell: &xdg_wm_base::XdgWmBase,
        event: xdg_wm_base::Event,
        &(): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let xdg_wm_base::Event::Ping { serial } = event {
            shell.pong(serial);
        }
    }
}

impl Dispatch<xdg_surface::XdgSurface, ()> for Heard {
    fn event(
        heard: &mut Self,
        surface: &xdg_surface::XdgSurface,
        event: xdg_surface::Event,
        &(): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let xdg_surface::Event::Configure { serial } = event {
            surface.ack_configure(serial);
            heard.configured = true;
        }
    }
}

impl Dispatch<wl_seat::WlSeat, ()> for Heard {
    fn event(
        _: &mut Self,
        seat: &wl_seat::WlSeat,
        event: wl_seat::Event,
        &(): &(),
        _: &Connection,
        qh: &QueueHandle<Self>,
    ) {
        if let wl_seat::Event::Capabilities { capabilities: WEnum::Value(all) } = event
            && all.contains(wl_seat::Capability::Pointer)
        {
            let _pointer = seat.get_pointer(qh, ());
        }
    }
}

impl Dispatch<wl_pointer::WlPointer, ()> for Heard {
    fn event(
        heard: &mut Self,
        _: &wl_pointer::WlPointer,
        event: wl_pointer::Event,
        &(): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            wl_pointer::Event::Enter { surface, surface_x, surface_y, .. } => {
                heard.pointer_at = Some((surface.id(), surface_x, surface_y));
            }
            wl_pointer::Event::Motion { surface_x, surface_y, .. } => {
                if let Some((_, x, y)) = &mut heard.pointer_at {
                    (*x, *y) = (surface_x, surface_y);
                }
            }
            wl_pointer::Event::Button {
                state: WEnum::Value(wl_pointer::ButtonState::Pressed),
                ..
            } => heard.clicks.extend(heard.pointer_at.clone()),
            _ => {}
        }
    }
}

impl Dispatch<wl_buffer::WlBuffer, ()> for Heard {
    fn event(
        _: &mut Self,
        buffer: &wl_buffer::WlBuffer,
        _: wl_buffer::Event,
        &(): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        // Each is used once.
        buffer.destroy();
    }
}

delegate_noop!(Heard: wl_compositor::WlCompositor);
delegate_noop!(Heard: ignore wl_shm::WlShm);
delegate_noop!(Heard: wl_shm_pool::WlShmPool);
delegate_noop!(Heard: ignore wl_surface::WlSurface);
delegate_noop!(Heard: ignore xdg_toplevel::XdgToplevel);
delegate_noop!(Heard: PointerManager);
delegate_noop!(Heard: VirtualPointer);

//! Display servers for tests: each private, in a folder of its own, and ended
//! with its value. A picture of what it shows comes from its own tool. Beside them,
//! a kernel with an older [`landlock`].
//!
//! It is for tests alone: what should not happen panics.
//!
//! ```no_run
//! # // no_run: doctests have no business with servers.
//! use servers::Kind;
//!
//! let Some(server) = servers::start(Kind::Sway) else { return };
//! let mut client = std::process::Command::new("some-client");
//! client.envs(server.environment());
//! println!("{:?}", server.screenshot().pixel(10, 10));
//! ```

#[cfg(target_os = "linux")]
pub mod landlock;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use zune_png::zune_core::bytestream::ZCursor;

/// The display's size, unless a test says otherwise.
pub const WIDTH: u32 = 1280;
/// Its height.
pub const HEIGHT: u32 = 720;
/// What no server needs, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// sway refuses to run as root.
const NOBODY: u32 = 65534;

/// A server, and how it draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// X11, in memory.
    Xvfb,
    /// Wayland, drawing by pixman.
    WestonPixman,
    /// Wayland, drawing by GL in software.
    WestonGl,
    /// Wayland, of the wlroots family, drawing by pixman.
    Sway,
    /// Wayland, drawing by pixman into a window on an Xvfb of its own: it has that
    /// one's pointer.
    WestonInX11,
    /// X11, in a window of a sway of its own, which that fills.
    Xwayland,
}

/// Those that speak Wayland.
pub const WAYLAND: [Kind; 3] = [Kind::WestonPixman, Kind::WestonGl, Kind::Sway];

impl Kind {
    /// The programs that it takes, and their packages.
    fn needs(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Xvfb => &[("Xvfb", "xvfb")],
            Self::Xwayland => &[("Xwayland", "xwayland")],
            Self::WestonPixman | Self::WestonGl | Self::WestonInX11 => {
                &[("weston", "weston"), ("weston-screenshooter", "weston")]
            }
            Self::Sway => &[
                ("sway", "sway"),
                ("swaymsg", "sway"),
                ("grim", "grim"),
                ("setpriv", "util-linux"),
            ],
        }
    }

    /// The server in whose window it runs.
    fn under(self) -> Option<Self> {
        match self {
            Self::WestonInX11 => Some(Self::Xvfb),
            Self::Xwayland => Some(Self::Sway),
            _ => None,
        }
    }

    fn is_x11(self) -> bool {
        matches!(self, Self::Xvfb | Self::Xwayland)
    }
}

/// A server that runs until this is dropped. The thread that starts it must live
/// as long: the kernel ends the server with it.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    process: Child,
    folder: PathBuf,
    /// `wayland-1`, or `:7`.
    display: String,
    /// It goes last.
    under: Option<Box<Server>>,
}

/// Starts a server of a megapixel; `None`, with a line `not run`, if its package
/// is missing.
pub fn start(kind: Kind) -> Option<Server> {
    start_sized(kind, WIDTH, HEIGHT)
}

/// The same, of another size.
pub fn start_sized(kind: Kind, width: u32, height: u32) -> Option<Server> {
    start_with(kind, width, height, &[])
}

/// The same, with more arguments on its command line: `-extension MIT-SHM`.
pub fn start_with(kind: Kind, width: u32, height: u32, more: &[&str]) -> Option<Server> {
    if let Some((_, package)) = kind.needs().iter().find(|(program, _)| !is_installed(program)) {
        println!("not run: {kind:?} needs the package {package}");
        return None;
    }
    let under = match kind.under() {
        Some(under) => Some(Box::new(start_sized(under, width, height)?)),
        None => None,
    };
    let folder = private_folder(kind == Kind::Sway);
    let mut command = command(kind, &folder, width, height);
    command.args(more);
    let log = fs::File::create(folder.join("log")).unwrap();
    command.env("XDG_RUNTIME_DIR", &folder).stdin(Stdio::null()).stderr(log);
    command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").env_remove("ASAN_OPTIONS");
    command.envs(under.iter().flat_map(|under| under.environment()));
    command.stdout(if kind.is_x11() { Stdio::piped() } else { Stdio::null() });
    let mut process = command.spawn().unwrap();
    let display = match process.stdout.take() {
        Some(stdout) => {
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).unwrap();
            format!(":{}", line.trim())
        }
        None => String::new(),
    };
    let mut server = Server { kind, process, folder, display, under };
    server.await_socket();
    Some(server)
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).exists())
}

/// A folder that nobody else looks into.
fn private_folder(for_nobody: bool) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("surfaceport-server-{}-{count}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    if for_nobody && is_root() {
        std::os::unix::fs::chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    folder
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").unwrap().uid() == 0
}

fn command(kind: Kind, folder: &Path, width: u32, height: u32) -> Command {
    // The server ends with the test, however that ends.
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=KILL");
    match kind {
        Kind::Xvfb => {
            let screen = format!("{width}x{height}x24");
            command.args(["Xvfb", "-displayfd", "1", "-noreset", "-nolisten", "tcp"]);
            command.args(["-screen", "0", &screen, "-fbdir"]).arg(folder);
        }
        Kind::Xwayland => {
            command.args(["Xwayland", "-displayfd", "1", "-noreset"]);
        }
        Kind::WestonPixman | Kind::WestonGl | Kind::WestonInX11 => {
            let config = folder.join("weston.ini");
            let text = "[shell]\npanel-position=none\nstartup-animation=none\nlocking=false\n\
                        background-color=0xff000000\n";
            fs::write(&config, text).unwrap();
            let renderer = if kind == Kind::WestonGl { "--use-gl" } else { "--use-pixman" };
            let backend = if kind == Kind::WestonInX11 { "x11" } else { "headless" };
            command.arg("weston").arg(format!("--backend={backend}-backend.so"));
            command.args([renderer, "--debug"]);
            command.args(["--idle-time=0", "--socket=wayland-1"]);
            command.arg(format!("--width={width}")).arg(format!("--height={height}"));
            command.arg(format!("--config={}", config.display()));
        }
        Kind::Sway => {
            let config = folder.join("sway.conf");
            let text = format!(
                "xwayland disable\ndefault_border none\noutput * resolution {width}x{height}\n\
                 seat * hide_cursor 1\n"
            );
            fs::write(&config, text).unwrap();
            if is_root() {
                command.args([
                    format!("--reuid={NOBODY}"),
                    format!("--regid={NOBODY}"),
                    "--clear-groups".to_owned(),
                ]);
                fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).unwrap();
            }
            command.args(["sway", "-c"]).arg(&config).env("HOME", folder);
            command.env("WLR_BACKENDS", "headless").env("WLR_RENDERER", "pixman");
            command.env("WLR_LIBINPUT_NO_DEVICES", "1");
        }
    }
    command
}

impl Server {
    /// What kind it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The variables by which a client finds it.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        match self.kind.is_x11() {
            true => vec![("DISPLAY", self.display.clone())],
            false => vec![
                ("XDG_RUNTIME_DIR", self.folder.display().to_string()),
                ("WAYLAND_DISPLAY", self.display.clone()),
            ],
        }
    }

    /// Its name: `:7`, or the path of its socket.
    pub fn address(&self) -> String {
        match self.kind.is_x11() {
            true => self.display.clone(),
            false => self.folder.join(&self.display).display().to_string(),
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The server in whose window it runs, if it does.
    pub fn under(&self) -> Option<&Self> {
        self.under.as_deref()
    }

    /// Shows everything larger (sway alone).
    pub fn set_scale(&self, scale: f64) {
        let names = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path());
        let is_its = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "sock");
        let socket = names.into_iter().find(is_its).expect("sway's socket");
        let (socket, scale) = (socket.display().to_string(), scale.to_string());
        self.output_of("swaymsg", &["-s", &socket, "output", "*", "scale", &scale]);
    }

    /// Ends it at once, as if it had crashed.
    pub fn kill(&mut self) {
        let _gone = self.process.kill();
        let _status = self.process.wait();
    }

    /// What it wrote, for a failing test.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn await_socket(&mut self) {
        let until = Instant::now() + PATIENCE;
        while !self.is_up() {
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("{:?} ended: {status}\n{}", self.kind, self.log());
            }
            assert!(Instant::now() < until, "{:?} does not start\n{}", self.kind, self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn is_up(&mut self) -> bool {
        if self.kind.is_x11() {
            return self.display.len() > 1;
        }
        let names = fs::read_dir(&self.folder).unwrap();
        let name = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let socket = name.into_iter().find(|name| {
            let path = self.folder.join(name);
            name.starts_with("wayland-") && std::os::unix::net::UnixStream::connect(path).is_ok()
        });
        self.display = socket.unwrap_or_default();
        !self.display.is_empty()
    }

    /// What is on the display now.
    pub fn screenshot(&self) -> Picture {
        match self.kind {
            // Xvfb keeps its screen in this file.
            Kind::Xvfb => Picture::from_xwd(&fs::read(self.folder.join("Xvfb_screen0")).unwrap()),
            Kind::Sway => Picture::from_png(&self.output_of("grim", &["-l", "0", "-"])),
            // It fills the window.
            Kind::Xwayland => self.under().expect("a sway").screenshot(),
            Kind::WestonPixman | Kind::WestonGl | Kind::WestonInX11 => {
                // It writes into the folder where it is, with the time as name.
                let folder = private_folder(false);
                let mut command = self.tool("weston-screenshooter");
                let done = command.current_dir(&folder).output().unwrap();
                let file = fs::read_dir(&folder).unwrap().next();
                let said = String::from_utf8_lossy(&done.stderr);
                let file = file.unwrap_or_else(|| panic!("no screenshot: {said}\n{}", self.log()));
                let picture = Picture::from_png(&fs::read(file.unwrap().path()).unwrap());
                fs::remove_dir_all(&folder).unwrap();
                picture
            }
        }
    }

    fn tool(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.envs(self.environment()).stdin(Stdio::null());
        command.env("ASAN_OPTIONS", "detect_leaks=0");
        command
    }

    fn output_of(&self, program: &str, arguments: &[&str]) -> Vec<u8> {
        let done = self.tool(program).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{program}: {said}\n{}", self.log());
        done.stdout
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _gone = fs::remove_dir_all(&self.folder);
    }
}

/// A picture of a display: R, G, B.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    pixels: Vec<[u8; 3]>,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}x{})", self.width, self.height)
    }
}

impl Picture {
    fn from_png(bytes: &[u8]) -> Self {
        let mut decoder = zune_png::PngDecoder::new(ZCursor::new(bytes));
        let data = decoder.decode_raw().unwrap();
        let (width, height) = decoder.dimensions().unwrap();
        let samples = data.len() / (width * height);
        let pixels = data.chunks_exact(samples).map(|sample| [sample[0], sample[1], sample[2]]);
        let side = |pixels: usize| u32::try_from(pixels).unwrap();
        Self { width: side(width), height: side(height), pixels: pixels.collect() }
    }

    /// X Window Dump, version 7, of 32 bits a pixel, B, G, R and one more.
    fn from_xwd(bytes: &[u8]) -> Self {
        let word = |index: usize| {
            let bytes = bytes[index * 4..][..4].try_into().unwrap();
            u32::from_be_bytes(bytes)
        };
        let [header, width, height] = [word(0), word(4), word(5)];
        let [stride, colours] = [word(12), word(19)];
        let start = (header + colours * 12) as usize;
        let row = |y: u32| &bytes[start + (y * stride) as usize..][..width as usize * 4];
        let pixels = (0..height).flat_map(|y| row(y).chunks_exact(4).map(|p| [p[2], p[1], p[0]]));
        Self { width, height, pixels: pixels.collect() }
    }

    /// A pixel: R, G, B.
    pub fn pixel(&self, x: u32, y: u32) -> [u8; 3] {
        assert!(x < self.width && y < self.height, "({x}, {y}) is not in {self:?}");
        self.pixels[(y * self.width + x) as usize]
    }

    /// How many pixels of a rectangle are not as they should be, and the first.
    pub fn differing(
        &self,
        [left, top, width, height]: [u32; 4],
        wanted: impl Fn(u32, u32) -> [u8; 3],
    ) -> (usize, Option<String>) {
        let mut first = None;
        let mut count = 0;
        for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
            let (seen, wanted) = (self.pixel(left + x, top + y), wanted(x, y));
            if seen != wanted {
                count += 1;
                first.get_or_insert_with(|| format!("({x}, {y}): {seen:?}, not {wanted:?}"));
            }
        }
        (count, first)
    }

    /// Writes it as PPM, to be looked at.
    pub fn save(&self, path: impl AsRef<Path>) {
        let mut file = format!("P6 {} {} 255\n", self.width, self.height).into_bytes();
        file.extend(self.pixels.as_flattened());
        fs::write(path, file).unwrap();
    }
}

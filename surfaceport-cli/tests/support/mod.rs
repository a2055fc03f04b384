//! Runs the program, finds the processes that it leaves, and reads pictures.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test uses a part")]

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Names the processes of one test: its children inherit it.
const MARK: &str = "SURFACEPORT_TEST_MARK";
/// For what happens at all, however busy the machine is.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// By how much a colour may differ from a checked-in picture's: processors round
/// in different ways.
pub const TOLERANCE: u8 = 2;

/// What the program said.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    /// Its last line on stdout; nothing else is there.
    pub fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The program, with no display, its processes marked.
pub fn program(mark: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_surfaceport"));
    command
        .envs([marking(mark)])
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("WAYLAND_SOCKET")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs the program to its end, after which none of its processes is left.
pub fn run(mark: &str, arguments: &[&str]) -> Said {
    let output = program(mark).args(arguments).output().expect("the program starts");
    assert_none_left(mark);
    Said {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// A number of the JSON line.
pub fn number(line: &Value, name: &str) -> u64 {
    line[name].as_u64().unwrap_or_else(|| panic!("no {name} in {line}"))
}

/// Every frame has one outcome.
pub fn assert_adds_up(line: &Value) {
    let outcomes = ["shown", "superseded", "stale", "lost"];
    let sum: u64 = outcomes.iter().map(|name| number(line, name)).sum();
    assert_eq!(number(line, "presented"), sum, "{line}");
}

/// The variable that marks a process, and the mark of this run of the test.
pub fn marking(mark: &str) -> (&'static str, String) {
    (MARK, value(mark))
}

fn value(mark: &str) -> String {
    format!("{mark}, {}", std::process::id())
}

/// Nothing with a mark runs any more.
pub fn assert_none_left(mark: &str) {
    let left = marked(mark);
    assert!(left.is_empty(), "processes are left: {left:?}");
}

/// The processes with a mark.
#[cfg(target_os = "macos")]
pub fn marked(mark: &str) -> Vec<i32> {
    let wanted = format!("{MARK}={}", value(mark));
    // With the environment of each that is ours.
    let ps = Command::new("ps").args(["-A", "-E", "-ww", "-o", "pid=,command="]).output();
    let listed = String::from_utf8_lossy(&ps.expect("ps").stdout).into_owned();
    let marked = listed.lines().filter(|line| line.contains(&wanted));
    marked.filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect()
}

/// The processes with a mark.
#[cfg(target_os = "linux")]
pub fn marked(mark: &str) -> Vec<i32> {
    let wanted = format!("{MARK}={}\0", value(mark));
    let is_marked = |pid: &i32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.windows(wanted.len()).any(|part| part == wanted.as_bytes())
    };
    let processes = std::fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(is_marked).collect()
}

/// Waits until something is so.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits for a program's end.
pub fn ended(program: &mut Child) -> ExitStatus {
    let mut status = None;
    until("the program's end", || {
        status = program.try_wait().expect("its status");
        status.is_some()
    });
    status.expect("it has ended")
}

/// A checked-in picture of a scene.
pub fn scene(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/scene/pictures").join(name)
}

/// A picture: R, G, B, A.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    pub pixels: Vec<[u8; 4]>,
}

impl Picture {
    /// How many pixels differ by more than the tolerance.
    pub fn differing(&self, other: &Self) -> usize {
        assert_eq!((self.width, self.height), (other.width, other.height));
        self.pixels.iter().zip(&other.pixels).filter(|(one, other)| !near(*one, *other)).count()
    }

    pub fn pixel(&self, x: u32, y: u32) -> [u8; 4] {
        self.pixels[(y * self.width + x) as usize]
    }
}

/// Whether two colours are the same but for rounding.
pub fn near(one: &[u8], other: &[u8]) -> bool {
    one.iter().zip(other).all(|(one, other)| one.abs_diff(*other) <= TOLERANCE)
}

/// The only picture of a PNG, or the first of an APNG.
pub fn picture(path: &Path) -> Picture {
    frames(path).0.remove(0)
}

/// All frames of a PNG or APNG, and how long the last of them lasts: a fraction
/// of a second.
pub fn frames(path: &Path) -> (Vec<Picture>, Option<(u16, u16)>) {
    let file = BufReader::new(File::open(path).unwrap_or_else(|e| panic!("{path:?}: {e}")));
    let mut reader = png::Decoder::new(file).read_info().expect("a PNG");
    let count = reader.info().animation_control().map_or(1, |control| control.num_frames);
    let (width, height) = reader.info().size();
    let mut all = Vec::new();
    for _ in 0..count {
        let mut bytes = vec![0; reader.output_buffer_size().expect("a size")];
        reader.next_frame(&mut bytes).expect("a frame");
        assert_eq!(reader.info().color_type, png::ColorType::Rgba);
        all.push(Picture { width, height, pixels: bytes.as_chunks::<4>().0.to_vec() });
    }
    (all, reader.info().frame_control().map(|frame| (frame.delay_num, frame.delay_den)))
}

/// A folder of a test's own, removed with its value.
#[derive(Debug)]
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("surfaceport-program-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a new folder");
        Self(path)
    }

    /// What is in it.
    pub fn names(&self) -> Vec<String> {
        let all = std::fs::read_dir(&self.0).expect("the folder").map(Result::unwrap);
        all.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

//! Runs the program, and finds the processes that it leaves.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test uses a part")]

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Names the processes of one test: its children inherit it.
const MARK: &str = "SURFACEPORT_TEST_MARK";
/// For what happens at all, however busy the machine is.
pub const PATIENCE: Duration = Duration::from_secs(60);

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
        .env(MARK, value(mark))
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
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

/// The mark of this run of the test.
fn value(mark: &str) -> String {
    format!("{mark}, {}", std::process::id())
}

/// Nothing with a mark runs any more.
pub fn assert_none_left(mark: &str) {
    let left = marked(mark);
    assert!(left.is_empty(), "processes are left: {left:?}");
}

/// The processes with a mark.
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

//! What the conformance tests need beside the facade, and what tests of this
//! folder share.

#![allow(unsafe_code, reason = "words of mapped memory")]

use std::env;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

pub(crate) use super::process::Spawned;
use super::{BorrowedHandle, Mapping, Spawn};
use crate::sync::AtomicU64;

const ROLE: &str = "SURFACEPORT_TEST_ROLE";
const ALONE: &str = "SURFACEPORT_TEST_ALONE";

/// What a child does, by the name of its role; its result is the exit code.
pub(crate) type Main = fn(&str) -> i32;

/// How to start a child that plays `role`: this test program once more, with
/// just the test of that name, which calls [`be_child`].
pub(crate) fn child(_main: Main, test: &'static str, role: &str) -> Spawn {
    Spawn {
        program: env::current_exe().unwrap(),
        args: [test, "--exact", "--nocapture"].map(Into::into).into(),
        env: vec![(ROLE.into(), Some(role.into()))],
        ..Spawn::default()
    }
}

/// In that test: does what the child is to do, if this process is one.
pub(crate) fn be_child(main: Main) {
    if let Ok(role) = env::var(ROLE) {
        std::process::exit(main(&role));
    }
}

/// Child: waits for its end.
pub(crate) fn rest() -> i32 {
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}

/// Child: writes to stderr, past the harness, which captures what `eprint` does.
pub(crate) fn say(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

/// The words of mapped memory.
pub(crate) fn words(mapping: &Mapping) -> Vec<&AtomicU64> {
    let (start, len) = (mapping.start().cast(), mapping.len() / size_of::<AtomicU64>());
    // SAFETY: a mapping is page-aligned and of this length, the result borrows
    // it, any bytes are valid atomics, and all access in these tests is atomic.
    let words = unsafe { std::slice::from_raw_parts(start.as_ptr(), len) };
    words.iter().collect()
}

/// How many handles to this memory this process has.
pub(crate) fn copies(handle: BorrowedHandle<'_>) -> usize {
    let stat = rustix::fs::fstat(handle).unwrap();
    let open = fs::read_dir("/proc/self/fd").unwrap();
    let open = open.filter_map(|entry| fs::metadata(entry.unwrap().path()).ok());
    open.filter(|other| (other.dev(), other.ino()) == (stat.st_dev, stat.st_ino)).count()
}

/// Runs a test in a process of its own, where no other disturbs it, with an
/// empty directory for names.
pub(crate) fn alone(test: &str, body: impl FnOnce()) {
    if env::var_os(ALONE).is_some() {
        return body();
    }
    let directory = Directory::new();
    let output = Command::new(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(ALONE, "1")
        .env("XDG_RUNTIME_DIR", &directory.0)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let erred = String::from_utf8_lossy(&output.stderr);
    let passed = output.status.success() && said.contains("1 passed");
    assert!(passed, "{test} in a process of its own: {}\n{said}\n{erred}", output.status);
}

/// A directory for this test alone, gone when dropped.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NEXT: Mutex<u32> = Mutex::new(0);
        let mut next = NEXT.lock().unwrap();
        *next += 1;
        let name = format!("surfaceport-test-{}-{next}", std::process::id());
        let path = env::temp_dir().join(name);
        fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

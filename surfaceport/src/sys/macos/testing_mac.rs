//! What the conformance tests need beside the facade, on a Mac.

use std::io::Write;
use std::time::Duration;

pub(crate) use super::process::Spawned;
use super::{BorrowedHandle, Handle, Mapping, Spawn, kern, lock};
use crate::sync::AtomicU64;

const ROLE: &str = "SURFACEPORT_TEST_ROLE";

/// What a child does, by the name of its role; its result is the exit code.
pub(crate) type Main = fn(&str) -> i32;

/// How to start a child that plays `role`: this test program once more, with
/// just the test of that name, which calls [`be_child`].
pub(crate) fn child(_main: Main, test: &'static str, role: &str) -> Spawn {
    Spawn {
        program: std::env::current_exe().unwrap(),
        args: [test, "--exact", "--nocapture"].map(Into::into).into(),
        env: vec![(ROLE.into(), Some(role.into()))],
        ..Spawn::default()
    }
}

/// In that test: does what the child is to do, if this process is one.
pub(crate) fn be_child(main: Main) {
    if let Ok(role) = std::env::var(ROLE) {
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
    mapping.0.words().iter().collect()
}

/// How many rights to this memory this process has.
pub(crate) fn copies(handle: BorrowedHandle<'_>) -> usize {
    match handle {
        Handle::Send(right) => kern::references(right.name()),
        Handle::Receive(slot) => usize::from(lock(slot).is_some()),
    }
}

/// Runs a test where no other disturbs it: names are the tests' own.
pub(crate) fn alone(_test: &str, body: impl FnOnce()) {
    body();
}

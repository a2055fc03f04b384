//! What the conformance tests need beside the facade.

use std::sync::Arc;

pub(crate) use super::process::Spawned;
use super::process::{Context, install};
use super::{BorrowedHandle, Handle, Mapping, Spawn};
use crate::sync::AtomicU64;

/// What a child does, by the name of its role; its result is the exit code.
pub(crate) type Main = fn(&str) -> i32;

/// How to start a child that plays `role`. `test` is what the program is called.
pub(crate) fn child(main: Main, test: &'static str, role: &str) -> Spawn {
    install(
        test.into(),
        Arc::new(move |args| {
            let role = args.first().and_then(|role| role.to_str());
            main(role.unwrap_or_default())
        }),
    );
    Spawn { program: test.into(), args: vec![role.into()], ..Spawn::default() }
}

/// In the test of that name: where children are processes, this ends as one.
pub(crate) fn be_child(_main: Main) {}

/// Child: waits for its end.
pub(crate) fn rest() -> i32 {
    if let Some(this) = Context::current() {
        this.wait_for_kill();
    }
    0
}

/// Child: writes to stderr.
pub(crate) fn say(text: &str) {
    if let Some(this) = Context::current() {
        this.write(text);
    }
}

/// The words of mapped memory.
pub(crate) fn words(mapping: &Mapping) -> Vec<&AtomicU64> {
    mapping.words().collect()
}

/// How many handles to this memory there are.
pub(crate) fn copies(handle: BorrowedHandle<'_>) -> usize {
    match handle {
        Handle::Memory(block) => Arc::strong_count(block),
        Handle::Bell(signal) | Handle::Ringer(signal) => Arc::strong_count(signal),
    }
}

/// Runs a test where no other disturbs it and the names are its own.
pub(crate) fn alone(_test: &str, body: impl FnOnce()) {
    body();
}

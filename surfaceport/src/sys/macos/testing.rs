//! What the conformance tests need beside the facade, over the simulation.

use std::sync::Arc;

use super::kern::sim;
pub(crate) use super::process::Spawned;
use super::{BorrowedHandle, Handle, Mapping, Spawn, lock};
use crate::sync::AtomicU64;

/// What a child does, by the name of its role; its result is the exit code.
pub(crate) type Main = fn(&str) -> i32;

/// How to start a child that plays `role`. `test` is what the program is called.
pub(crate) fn child(main: Main, test: &'static str, role: &str) -> Spawn {
    sim::install(
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
    sim::kill_switch();
    0
}

/// Child: writes to stderr.
pub(crate) fn say(text: &str) {
    sim::write_output(text);
}

/// The words of mapped memory.
pub(crate) fn words(mapping: &Mapping) -> Vec<&AtomicU64> {
    mapping.0.words().collect()
}

/// How many rights to this memory this task has.
pub(crate) fn copies(handle: BorrowedHandle<'_>) -> usize {
    match handle {
        Handle::Send(right) => sim::Snapshot::references(right.name()),
        Handle::Receive(slot) => usize::from(lock(slot).is_some()),
    }
}

/// Runs a test where no other disturbs it and the names are its own.
pub(crate) fn alone(_test: &str, body: impl FnOnce()) {
    body();
}

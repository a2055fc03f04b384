// What the tests share.

use std::time::{Duration, Instant};

use super::super::PATIENCE;
use crate::error::{Error, Violation};
use crate::sys::{Received, Sent, Trigger};
use sys::{Endpoint, Handle, Source, WaitSet};

/// The tokens that fire in one wait.
pub(super) fn wait(set: &WaitSet, timeout: Duration) -> Vec<Option<u64>> {
    let mut tokens = Vec::new();
    set.wait(Some(timeout), |token| tokens.push(token)).unwrap();
    tokens
}

/// Waits until this token fires; none other may.
pub(super) fn wait_for(set: &WaitSet, token: Option<u64>) {
    let start = Instant::now();
    loop {
        // A signal may end a wait early.
        let tokens = wait(set, PATIENCE);
        if !tokens.is_empty() {
            assert_eq!(tokens, [token]);
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{token:?} never fires");
    }
}

/// A set with one source.
pub(super) fn set_of(source: Source<'_>, token: u64, when: Trigger) -> WaitSet {
    let set = WaitSet::new().unwrap();
    set.add(source, token, when).unwrap();
    set
}

/// What is there now, without the bytes.
pub(super) fn look(endpoint: &Endpoint) -> Received {
    endpoint.receive(&mut [0; 64], &mut Vec::new()).unwrap()
}

/// The next message and its handles; waits for it.
pub(super) fn receive(endpoint: &Endpoint) -> (Vec<u8>, Vec<Handle>) {
    match receive_or_end(endpoint) {
        Some(message) => message,
        None => panic!("the peer is gone"),
    }
}

/// The same, or `None` where the peer is gone.
pub(super) fn receive_or_end(endpoint: &Endpoint) -> Option<(Vec<u8>, Vec<Handle>)> {
    let set = set_of(endpoint.source(), 1, Trigger::Level);
    let mut bytes = vec![0; 100_000];
    let mut handles = Vec::new();
    loop {
        match endpoint.receive(&mut bytes, &mut handles).unwrap() {
            Received::Message(len) => {
                bytes.truncate(len);
                return Some((bytes, handles));
            }
            Received::Empty => wait_for(&set, Some(1)),
            Received::Closed => return None,
        }
    }
}

/// Sends one message without handles.
pub(super) fn send(endpoint: &Endpoint, bytes: &[u8]) {
    assert_eq!(endpoint.send(bytes, &[]).unwrap(), Sent::Done);
}

/// Whether this is that violation.
#[track_caller]
pub(super) fn assert_violation<T: std::fmt::Debug>(result: Result<T, Error>, expected: Violation) {
    match result {
        Err(Error::Violation(violation)) => assert_eq!(violation, expected),
        other => panic!("{expected:?} expected, not {other:?}"),
    }
}

// Processes: started with a connection, watched, ended, and reaped once.

use std::time::{Duration, Instant};

use super::super::{A_WHILE, PATIENCE};
use super::tools::*;
use crate::error::{Error, ExitReason};
use crate::sync::Ordering;
use crate::sys::{PipeRead, Sent, Trigger};
use sys::testing::Spawned;
use sys::testing::words;
use sys::{Bell, Endpoint, Memory, Ringer, StderrPipe};

/// What the children of these tests do.
fn play(role: &str) -> i32 {
    match role {
        "leave" => 0,
        "fail" => 7,
        "panic" => panic!("as it was told"),
        "rest" => sys::testing::rest(),
        "speak" => {
            sys::testing::say("first line\n");
            sys::testing::say("second line\n");
            3
        }
        "echo" => {
            let host = Endpoint::inherited().unwrap();
            while let Some((bytes, _)) = receive_or_end(&host) {
                send(&host, &bytes);
            }
            0
        }
        "last words" => {
            let host = Endpoint::inherited().unwrap();
            send(&host, b"last");
            send(&host, b"words");
            0
        }
        "inherit" => {
            let host = Endpoint::inherited().unwrap();
            assert!(matches!(Endpoint::inherited(), Err(Error::NoHost { .. })));
            send(&host, b"once");
            0
        }
        "draw" => draw(),
        _ => 99,
    }
}

#[test]
fn child_process() {
    sys::testing::be_child(play);
}

fn start(role: &str) -> Spawned {
    let test = concat!(module_path!(), "::child_process");
    let test = test.split_once("::").unwrap().1;
    sys::testing::child(play, test, role).start().unwrap()
}

fn end_of(spawned: &mut Spawned) -> ExitReason {
    assert!(spawned.process.ended(PATIENCE));
    spawned.process.reap().unwrap()
}

/// All that it writes until it ends.
fn output(stderr: &StderrPipe) -> String {
    let set = set_of(stderr.source(), 1, Trigger::Level);
    let mut text = Vec::new();
    let mut buffer = [0; 16];
    loop {
        match stderr.read(&mut buffer) {
            PipeRead::Bytes(count) => text.extend(&buffer[..count]),
            PipeRead::Empty => wait_for(&set, Some(1)),
            PipeRead::End => return String::from_utf8(text).unwrap(),
        }
    }
}

#[test]
fn have_an_exit_code() {
    assert_eq!(end_of(&mut start("leave")), ExitReason::Exited(0));
    assert_eq!(end_of(&mut start("fail")), ExitReason::Exited(7));
}

#[test]
fn may_panic() {
    let mut child = start("panic");
    assert_eq!(end_of(&mut child), ExitReason::Exited(101));
}

#[test]
fn are_heard_of_when_they_end() {
    let mut child = start("echo");
    let set = set_of(child.process.source(), 1, Trigger::Level);
    assert_eq!(wait(&set, A_WHILE), []);
    assert!(!child.process.ended(Duration::ZERO));
    assert_eq!(child.process.reap(), None);
    let (endpoint, _) = Endpoint::pair().unwrap();
    drop(std::mem::replace(&mut child.endpoint, endpoint));
    wait_for(&set, Some(1));
    assert!(child.process.ended(Duration::ZERO));
    // Until somebody reaps it.
    wait_for(&set, Some(1));
    assert_eq!(child.process.reap(), Some(ExitReason::Exited(0)));
}

#[test]
fn are_waited_for_as_long_as_was_said() {
    let child = start("rest");
    for patience in [Duration::ZERO, Duration::from_millis(1), A_WHILE] {
        let start = Instant::now();
        assert!(!child.process.ended(patience));
        assert!(start.elapsed() >= patience);
    }
}

#[test]
fn can_be_killed() {
    let mut child = start("rest");
    child.process.kill();
    assert_eq!(end_of(&mut child), ExitReason::Signalled { signal: 9, core_dumped: false });
    // What comes after is harmless.
    child.process.kill();
    assert!(child.process.ended(Duration::ZERO));
}

#[test]
fn that_ended_by_themselves_were_not_killed() {
    let mut child = start("fail");
    assert!(child.process.ended(PATIENCE));
    child.process.kill();
    assert_eq!(child.process.reap(), Some(ExitReason::Exited(7)));
}

#[test]
fn are_reaped_once() {
    let mut child = start("fail");
    assert_eq!(end_of(&mut child), ExitReason::Exited(7));
    // How it ended is said once; that it has, always.
    assert_eq!(child.process.reap(), Some(ExitReason::Disconnected));
    assert!(child.process.ended(Duration::MAX));
}

#[test]
fn end_when_they_are_dropped() {
    let Spawned { process, endpoint, stderr, .. } = start("rest");
    drop(process);
    assert!(receive_or_end(&endpoint).is_none());
    // The harness may have said something; it says nothing more.
    output(&stderr);
}

#[test]
fn have_pids_of_their_own() {
    let (one, two) = (start("rest"), start("rest"));
    assert_ne!(one.process.pid(), two.process.pid());
    assert_ne!(one.process.pid(), 0);
}

#[test]
fn write_into_a_pipe() {
    let mut child = start("speak");
    let said = output(&child.stderr);
    assert!(said.contains("first line\nsecond line\n"), "{said:?}");
    assert_eq!(child.stderr.read(&mut [0; 16]), PipeRead::End);
    assert_eq!(end_of(&mut child), ExitReason::Exited(3));
}

#[test]
fn inherit_one_end_once() {
    let mut child = start("inherit");
    assert_eq!(receive(&child.endpoint).0, b"once");
    assert_eq!(end_of(&mut child), ExitReason::Exited(0));
    // This process is no child.
    assert!(matches!(Endpoint::inherited(), Err(Error::NoHost { .. })));
}

#[test]
fn exchange_messages() {
    let mut child = start("echo");
    for round in 0..200_u32 {
        send(&child.endpoint, &round.to_ne_bytes());
        assert_eq!(receive(&child.endpoint).0, round.to_ne_bytes());
    }
    child.process.kill();
    assert!(receive_or_end(&child.endpoint).is_none());
    end_of(&mut child);
}

#[test]
fn leave_their_last_words() {
    let mut child = start("last words");
    // It never reads this. If it is gone already, its words are there still.
    let _sent = child.endpoint.send(b"unread", &[]).unwrap();
    end_of(&mut child);
    assert_eq!(receive_or_end(&child.endpoint).unwrap().0, b"last");
    assert_eq!(receive_or_end(&child.endpoint).unwrap().0, b"words");
    assert!(receive_or_end(&child.endpoint).is_none());
}

/// Child: adds one to the word for each time that it is rung for, and rings back.
fn draw() -> i32 {
    let host = Endpoint::inherited().unwrap();
    let (bytes, mut handles) = receive(&host);
    let len = u64::from_ne_bytes(bytes.try_into().unwrap());
    let bell = Bell::from_handle(handles.pop().unwrap());
    let ringer = Ringer::from_handle(handles.pop().unwrap());
    let memory = Memory::import(handles.pop().unwrap(), len).unwrap().map().unwrap();
    let own = Memory::create("conformance", len).unwrap();
    words(&own.map().unwrap())[0].store(4711, Ordering::Relaxed);
    assert_eq!(host.send(b"mine", &[own.handle()]).unwrap(), Sent::Done);
    let set = set_of(bell.source(), 1, Trigger::Edge);
    set.add(host.source(), 2, Trigger::Level).unwrap();
    loop {
        let tokens = wait(&set, PATIENCE);
        if tokens.contains(&Some(2)) {
            return 0;
        }
        if tokens.contains(&Some(1)) {
            words(&memory)[1].fetch_add(1, Ordering::SeqCst);
            ringer.ring();
        }
    }
}

#[test]
fn share_memory_and_bells() {
    let mut child = start("draw");
    let memory = Memory::create("conformance", 65_536).unwrap();
    let (bell, theirs) = sys::bell_to_host().unwrap();
    let (ringer, theirs_too) = sys::bell_to_child().unwrap();
    let handles = [memory.handle(), sys::borrow(&theirs), sys::borrow(&theirs_too)];
    let len = memory.len().to_ne_bytes();
    assert_eq!(child.endpoint.send(&len, &handles).unwrap(), Sent::Done);
    drop((theirs, theirs_too));

    let (bytes, mut handles) = receive(&child.endpoint);
    assert_eq!(bytes, b"mine");
    let own = Memory::import(handles.pop().unwrap(), memory.len()).unwrap().map().unwrap();
    assert_eq!(words(&own)[0].load(Ordering::Relaxed), 4711);

    let mapping = memory.map().unwrap();
    let set = set_of(bell.source(), 1, Trigger::Edge);
    for round in 1..=300 {
        ringer.ring();
        wait_for(&set, Some(1));
        assert_eq!(words(&mapping)[1].load(Ordering::SeqCst), round);
    }
    child.process.kill();
    end_of(&mut child);
    // All that it had is here still.
    ringer.ring();
    assert_eq!(words(&own)[0].load(Ordering::Relaxed), 4711);
    assert_eq!(words(&mapping)[1].load(Ordering::SeqCst), 300);
}

#[test]
fn must_have_a_program() {
    let spawn = sys::Spawn { program: "/no/such/program".into(), ..sys::Spawn::default() };
    match spawn.start() {
        Err(Error::Spawn { program, source }) => {
            assert_eq!(program.to_str(), Some("/no/such/program"));
            assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
        }
        other => panic!("{other:?}"),
    }
}

//! Frames between two processes, each checked by its content.
#![allow(missing_docs)]

mod support;

use std::time::Duration;

use support::{check, free_running, run_child, start};
use surfaceport::{Error, Session};

/// Not a test of its own: what the others start.
#[test]
fn child() {
    run_child(&[("free", free_running)]);
}

#[test]
fn smoke() {
    let mut session = Session::spawn(child_command()).unwrap();
    let mut seen = 0;
    loop {
        match session.next_frame(Duration::from_secs(10)) {
            Ok(Some(frame)) => {
                assert_eq!(check(&frame, session.child_pid()), Ok(()));
                seen += 1;
            }
            Ok(None) => panic!("no frame for 10 s"),
            Err(Error::ChildGone(exit)) => {
                println!("{exit} after {seen}");
                break;
            }
            Err(error) => panic!("{error}"),
        }
    }
    let stats = session.stats();
    println!("{stats:?}");
    assert_eq!(stats.presented, 20_000);
    assert_eq!(stats.presented, stats.shown + stats.superseded + stats.stale + stats.lost);
}

fn child_command() -> surfaceport::Command {
    start("free").env("FRAMES", "20000")
}

//! However it ends, the exit code is right and no process is left.
#![cfg(target_os = "linux")]

mod support;

use std::io::Read as _;
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};
use support::{PATIENCE, assert_adds_up, assert_none_left, ended, marked, program, run, until};

fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).expect("a process id"), signal).expect("it is there");
}

/// Starts a demo that would run for an hour; its children are there.
fn start(mark: &str, more: &[&str]) -> (Child, Vec<i32>) {
    let long = ["demo", "--headless", "--json", "--duration", "1h", "--panes", "2x1"];
    let demo = program(mark).args(long).args(more).spawn().expect("the program starts");
    let own = demo.id().cast_signed();
    let mut children = Vec::new();
    until("two children", || {
        children = marked(mark);
        children.retain(|pid| *pid != own && is_drawing(*pid));
        children.len() == 2
    });
    (demo, children)
}

/// Whether a child has got as far as to sleep with its surfaces open.
fn is_drawing(pid: i32) -> bool {
    let handles = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let surface = |path: &std::path::Path| path.to_string_lossy().starts_with("/memfd:");
    handles.filter(|entry| std::fs::read_link(entry.path()).is_ok_and(|to| surface(&to))).count()
        > 3
}

#[test]
fn signals_end_it_politely() {
    for wanted in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mark = format!("signal {}", wanted.as_raw());
        let (mut demo, _) = start(&mark, &[]);
        signal(demo.id().cast_signed(), wanted);
        assert_eq!(ended(&mut demo).code(), Some(0), "{wanted:?}");
        assert_none_left(&mark);
        let mut text = String::new();
        demo.stdout.take().expect("piped").read_to_string(&mut text).expect("text");
        assert_adds_up(&serde_json::from_str(&text).expect("the account"));
    }
}

#[test]
fn a_stopped_child_does_not_keep_it() {
    let (mut demo, children) = start("stopped", &[]);
    signal(children[0], Signal::STOP);
    signal(demo.id().cast_signed(), Signal::INT);
    assert_eq!(ended(&mut demo).code(), Some(0));
    assert_none_left("stopped");
}

#[test]
fn a_killed_program_leaves_no_child() {
    let (mut demo, children) = start("killed", &[]);
    // A child that is stopped can't notice by itself.
    signal(children[0], Signal::STOP);
    signal(demo.id().cast_signed(), Signal::KILL);
    assert_eq!(ended(&mut demo).code(), None);
    until("the children's end", || marked("killed").is_empty());
}

#[test]
fn a_child_that_is_killed_comes_back() {
    let (mut demo, children) = start("comes back", &[]);
    signal(children[0], Signal::KILL);
    let own = demo.id().cast_signed();
    until("another child", || {
        let now = marked("comes back");
        let fresh = |pid: &&i32| **pid != own && !children.contains(pid) && is_drawing(**pid);
        !now.contains(&children[0]) && now.iter().filter(fresh).count() == 1
    });
    signal(own, Signal::INT);
    assert_eq!(ended(&mut demo).code(), Some(0));
    assert_none_left("comes back");
}

#[test]
fn a_child_that_gives_up_is_told_from_other_ends() {
    let gave_up = run("gave up", &["host", "--headless", "--", "sh", "-c", "echo sorry; exit 3"]);
    assert_eq!(gave_up.code, Some(4), "{gave_up:?}");
    assert!(gave_up.stderr.contains("code 3") && gave_up.stderr.contains("sorry"), "{gave_up:?}");
    assert_eq!(gave_up.stdout, "");
    let missing = run("missing", &["host", "--headless", "--", "./there-is-no-such-program"]);
    assert_eq!(missing.code, Some(1), "{missing:?}");
    assert!(missing.stderr.contains("there-is-no-such-program"), "{missing:?}");
    let scene = run("no scene", &["demo", "--headless", "--scene", "nowhere.svg"]);
    assert_eq!(scene.code, Some(1), "{scene:?}");
    assert!(scene.stderr.contains("nowhere.svg"), "{scene:?}");
}

#[test]
fn wrong_usage_is_code_2() {
    for wrong in [
        &["demo", "--size", "big"][..],
        &["demo", "--panes", "0x3"],
        &["demo", "--window", "--headless"],
        &["demo", "--duration", "10"],
        &["demo", "--frames", "0"],
        &["demo", "--buffers", "1"],
        &["host"],
        &["dance"],
        &[],
    ] {
        let said = run("usage", wrong);
        assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{wrong:?}: {said:?}");
    }
}

#[test]
fn closed_pipes_do_no_harm() {
    let mut demo = program("pipes")
        .args(["demo", "--headless", "--json", "--frames", "5"])
        .spawn()
        .expect("the program starts");
    drop((demo.stdout.take(), demo.stderr.take()));
    // A failure, since the account could not be written; but no panic (101).
    assert_eq!(ended(&mut demo).code(), Some(1), "within {PATIENCE:?}");
    assert_none_left("pipes");
}

#[test]
fn it_explains_itself() {
    for (arguments, wanted) in [
        (&["--help"][..], "surfaceport doctor"),
        (&["demo", "--help"], "--kill-child-every"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
        (&["man"], ".TH surfaceport 1"),
        (&["man", "host"], "COMMAND"),
        (&["completions", "bash"], "complete"),
        (&["doctor"], "sealed memory files"),
    ] {
        let said = run("explains", arguments);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.stdout.contains(wanted), "{arguments:?}: {said:?}");
    }
    let findings = run("findings", &["doctor", "--json"]).json();
    let findings = findings.as_array().expect("a list");
    assert!(findings.len() > 10 && findings.iter().all(|one| one["so"] != ""), "{findings:?}");
}

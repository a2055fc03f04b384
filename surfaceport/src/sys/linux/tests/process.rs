//! What a child inherits, whom a kill reaches, and what becomes of orphans.

use std::os::fd::{AsFd, AsRawFd};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use super::super::message::FD_VARIABLE;
use super::super::testing::{Spawned, be_child, child};
use super::*;
use crate::error::ExitReason;

/// What the children of these tests do.
fn play(role: &str) -> i32 {
    match role {
        "rest" => testing::rest(),
        "bind and rest" => names::bind_and_rest(),
        "connect and rest" => names::connect_and_rest(),
        "host" => host(true),
        "careless host" => host(false),
        "no stdio" => no_stdio(),
        "list" => list(),
        "inherit nothing" => i32::from(!matches!(Endpoint::inherited(), Err(Error::NoHost { .. }))),
        "inherit" => {
            let host = Endpoint::inherited().unwrap();
            assert!(closes_on_exec(host.source()));
            host.send(b"here", &[]).unwrap();
            0
        }
        _ => 99,
    }
}

#[test]
fn child_process() {
    be_child(play);
}

const CHILD: &str = concat!(module_path!(), "::child_process");

fn role(role: &str) -> Spawn {
    child(play, CHILD.split_once("::").unwrap().1, role)
}

pub(super) fn start(name: &str) -> Spawned {
    role(name).start().unwrap()
}

fn sh(script: &str) -> Spawn {
    let args = vec!["-c".into(), script.into()];
    Spawn { program: "sh".into(), args, ..Spawn::default() }
}

/// All that it writes until nobody can write any more.
fn output(spawned: &Spawned) -> String {
    let mut text = Vec::new();
    let mut buffer = [0; 256];
    loop {
        match spawned.stderr.read(&mut buffer) {
            PipeRead::Bytes(count) => text.extend(&buffer[..count]),
            PipeRead::Empty => fires(spawned.stderr.source(), Trigger::Level),
            PipeRead::End => return String::from_utf8(text).unwrap(),
        }
    }
}

/// The first line that it writes.
fn line(spawned: &Spawned) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    loop {
        match spawned.stderr.read(&mut byte) {
            PipeRead::Bytes(_) if byte == *b"\n" => return String::from_utf8(text).unwrap(),
            PipeRead::Bytes(_) => text.extend(byte),
            PipeRead::Empty => fires(spawned.stderr.source(), Trigger::Level),
            PipeRead::End => panic!("{:?} and no more", String::from_utf8(text)),
        }
    }
}

fn end_of(spawned: &mut Spawned) -> ExitReason {
    assert!(spawned.process.ended(PATIENCE));
    spawned.process.reap().unwrap()
}

/// Whether a process that this one may not wait for has ended.
fn ended(pidfd: &OwnedFd, patience: Duration) -> bool {
    let set = WaitSet::new().unwrap();
    set.add(pidfd.as_fd(), 1, Trigger::Level).unwrap();
    let mut ended = false;
    set.wait(Some(patience), |_| ended = true).unwrap();
    ended
}

/// Says what it has open.
fn list() -> i32 {
    let mut said = format!("socket {}\n", std::env::var(FD_VARIABLE).unwrap());
    for (number, what) in open_files() {
        said += &format!("{number} {}\n", what.display());
    }
    Endpoint::inherited().unwrap().send(said.as_bytes(), &[]).unwrap();
    0
}

#[test]
fn a_child_inherits_the_socket_and_stdio_alone() {
    alone!("a_child_inherits_the_socket_and_stdio_alone", || {
        // What whoever started the tests left open is not our doing.
        let mut theirs = open_files();
        theirs.retain(|number, _| *number > 2 && !closes_on_exec(file(*number)));
        // Much is open.
        let _memory = Memory::create("test", 1).unwrap();
        let _bells = (bell_to_child().unwrap(), bell_to_host().unwrap());
        let _sets = (WaitSet::new().unwrap(), Listener::bind("test").unwrap());
        let _other = start("rest");

        let spawned = start("list");
        fires(spawned.endpoint.source(), Trigger::Level);
        let mut bytes = [0; 10_000];
        let received = spawned.endpoint.receive(&mut bytes, &mut Vec::new()).unwrap();
        let Received::Message(len) = received else { panic!("{received:?}") };
        let said = std::str::from_utf8(&bytes[..len]).unwrap();
        let mut open: BTreeMap<&str, &str> =
            said.lines().filter_map(|line| line.split_once(' ')).collect();
        let socket = open.remove("socket").unwrap();
        for number in theirs.keys() {
            open.remove(number.to_string().as_str());
        }
        assert!(socket.parse::<i32>().unwrap() > 2);
        assert!(open.remove(socket).unwrap().starts_with("socket:"), "{said}");
        assert_eq!(open.remove("0"), Some("/dev/null"));
        let stdout = open.remove("1").unwrap();
        assert!(stdout.starts_with("pipe:"), "{said}");
        assert_eq!(open.remove("2"), Some(stdout));
        assert!(open.is_empty(), "{said}");
    });
}

#[test]
fn a_child_reads_nothing_and_writes_to_one_pipe() {
    let mut spawned = sh("cat; echo out; echo err >&2; echo out").start().unwrap();
    assert_eq!(output(&spawned), "out\nerr\nout\n");
    assert_eq!(end_of(&mut spawned), ExitReason::Exited(0));
}

#[test]
fn a_child_has_a_process_group_of_its_own() {
    let spawned = sh("sleep 1000").start().unwrap();
    let pid = Pid::from_raw(spawned.process.pid().cast_signed()).unwrap();
    assert_eq!(rustix::process::getpgid(Some(pid)), Ok(pid));
    assert_ne!(rustix::process::getpgrp(), pid);
}

#[test]
fn a_child_gets_the_environment_that_was_said() {
    let mut spawn = sh("echo $A,$B,$C,$HOME,$0; pwd");
    spawn.args.push("zero".into());
    spawn.env = vec![
        ("A".into(), Some("1".into())),
        ("B".into(), Some("2".into())),
        ("C".into(), Some("3".into())),
        ("B".into(), None),
        ("C".into(), Some("4".into())),
        // Not the caller's to say.
        (FD_VARIABLE.into(), Some("0".into())),
        ("HOME".into(), None),
    ];
    spawn.current_dir = Some("/".into());
    assert_eq!(output(&spawn.start().unwrap()), "1,,4,,zero\n/\n");

    let mut spawn = Spawn { program: "/usr/bin/env".into(), ..Spawn::default() };
    spawn.env = vec![("A".into(), Some("1".into()))];
    spawn.env_clear = true;
    let said = output(&spawn.start().unwrap());
    let mut names: Vec<_> = said.lines().map(|line| line.split('=').next().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["A", FD_VARIABLE]);
}

#[test]
fn what_can_t_be_started_is_said() {
    let directory = testing::Directory::new();
    let script = directory.0.join("script");
    fs::write(&script, "not executable").unwrap();
    let path = vec![("PATH".into(), Some("/usr/bin:/bin".into()))];
    let missing = Spawn { program: "no-such-program".into(), env: path, ..Spawn::default() };
    let forbidden = Spawn { program: script, ..Spawn::default() };
    let mut nowhere = sh("exit 0");
    nowhere.current_dir = Some("/no/such/directory".into());
    let (not_found, denied) = (io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied);
    for (spawn, kind, named) in [
        (missing, not_found, "no-such-program"),
        (forbidden, denied, "script"),
        (nowhere, not_found, "/no/such/directory"),
    ] {
        match spawn.start() {
            Err(Error::Spawn { program, source }) => {
                assert_eq!(program, spawn.program);
                assert_eq!(source.kind(), kind);
                let text = Error::Spawn { program, source }.to_string();
                assert!(text.contains(named), "{text}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_kill_reaches_what_the_child_started() {
    let mut spawned = sh("sleep 1000 & echo $!; wait").start().unwrap();
    let grandchild = watch(line(&spawned).parse().unwrap());
    assert!(!ended(&grandchild, Duration::ZERO));
    spawned.process.kill();
    assert!(ended(&grandchild, PATIENCE));
    assert_eq!(end_of(&mut spawned), ExitReason::Signalled { signal: 9, core_dumped: false });
}

#[test]
fn a_kill_reaches_what_a_child_that_ended_left() {
    let mut spawned = sh("sleep 1000 & echo $!; exit 6").start().unwrap();
    let grandchild = watch(line(&spawned).parse().unwrap());
    assert!(spawned.process.ended(PATIENCE));
    assert!(!ended(&grandchild, Duration::ZERO));
    spawned.process.kill();
    assert!(ended(&grandchild, PATIENCE));
    assert_eq!(end_of(&mut spawned), ExitReason::Exited(6));
}

#[test]
fn signals_are_told_apart() {
    let mut spawned = sh("kill -TERM $$").start().unwrap();
    assert_eq!(end_of(&mut spawned), ExitReason::Signalled { signal: 15, core_dumped: false });
}

#[test]
fn a_stopped_child_can_be_killed() {
    let spawned = sh("kill -STOP $$").start().unwrap();
    let pid = Pid::from_raw(spawned.process.pid().cast_signed()).unwrap();
    let options = WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT;
    rustix::process::waitid(WaitId::Pid(pid), options).unwrap();
    assert!(!spawned.process.ended(Duration::from_millis(1)));
    let pidfd = spawned.process.handle().try_clone_to_owned().unwrap();
    drop(spawned);
    assert!(ended(&pidfd, Duration::ZERO));
}

#[test]
fn no_child_is_left_unreaped() {
    alone!("no_child_is_left_unreaped", || {
        for _ in 0..5 {
            drop(sh("exit 1").start().unwrap());
            drop(sh("sleep 1000").start().unwrap());
            let mut spawned = sh("exit 1").start().unwrap();
            end_of(&mut spawned);
        }
        assert_eq!(children(), [""; 0]);
    });
}

#[test]
fn a_child_that_somebody_else_reaped_is_gone_too() {
    alone!("a_child_that_somebody_else_reaped_is_gone_too", || {
        let mut spawned = sh("exit 5").start().unwrap();
        let pid = Pid::from_raw(spawned.process.pid().cast_signed()).unwrap();
        rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED).unwrap();
        assert!(spawned.process.ended(Duration::ZERO));
        // Its number may be another's by now, who is not to be hit: here, a
        // group of that number.
        let mut other = std::process::Command::new("sleep");
        std::os::unix::process::CommandExt::process_group(&mut other, 0);
        let mut other = other.arg("1000").spawn().unwrap();
        let number = other.id().cast_signed();
        let mut stale = Process::stale(&spawned.process, number);
        stale.kill();
        assert_eq!(stale.reap(), Some(ExitReason::Disconnected));
        assert!(!ended(&watch(number), Duration::from_millis(50)));
        other.kill().unwrap();
        other.wait().unwrap();
        spawned.process.kill();
        assert_eq!(spawned.process.reap(), Some(ExitReason::Disconnected));

        // The same where the system reaps by itself.
        // SAFETY: sets a disposition, in a process of this test's own.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        for script in ["sleep 0.05; exit 5", "exit 5"] {
            match sh(script).start() {
                Ok(mut spawned) => assert_eq!(end_of(&mut spawned), ExitReason::Disconnected),
                // It was gone before it was looked at.
                Err(error) => assert!(error.to_string().contains("SIGCHLD"), "{error}"),
            }
        }
    });
}

/// Starts a child from a thread that ends, says which, and rests.
fn host(die_with_host: bool) -> i32 {
    let spawn = Spawn { die_with_host, ..sh("exec sleep 1000") };
    let spawned = std::thread::spawn(move || spawn.start().unwrap()).join().unwrap();
    let test = Endpoint::inherited().unwrap();
    test.send(spawned.process.pid().to_string().as_bytes(), &[]).unwrap();
    testing::rest()
}

#[test]
fn a_child_dies_with_its_host_and_not_with_a_thread() {
    for (name, dies) in [("host", true), ("careless host", false)] {
        let mut spawned = start(name);
        fires(spawned.endpoint.source(), Trigger::Level);
        let mut bytes = [0; 16];
        let received = spawned.endpoint.receive(&mut bytes, &mut Vec::new()).unwrap();
        let Received::Message(len) = received else { panic!("{received:?}") };
        let pid = std::str::from_utf8(&bytes[..len]).unwrap().parse().unwrap();
        let grandchild = watch(pid);
        assert!(!ended(&grandchild, Duration::from_millis(100)));
        spawned.process.kill();
        end_of(&mut spawned);
        if dies {
            assert!(ended(&grandchild, PATIENCE));
        } else {
            assert!(!ended(&grandchild, Duration::from_millis(100)));
            rustix::process::pidfd_send_signal(&grandchild, Signal::KILL).unwrap();
        }
    }
}

#[test]
fn whatever_the_variable_says_nothing_is_taken_by_mistake() {
    let mut pipe = rustix::pipe::pipe().unwrap();
    for lie in ["", "x", "-1", "0", "1", "2", "99999", "3000000000", "pipe"] {
        let spawn = role("inherit nothing");
        let mut command = std::process::Command::new(&spawn.program);
        command.args(&spawn.args).stdout(std::process::Stdio::null());
        for (key, value) in &spawn.env {
            command.env(key, value.as_ref().unwrap());
        }
        if lie == "pipe" {
            // An open file, but none of ours.
            rustix::io::fcntl_setfd(&pipe.0, FdFlags::empty()).unwrap();
            command.env(FD_VARIABLE, pipe.0.as_raw_fd().to_string());
        } else {
            command.env(FD_VARIABLE, lie);
        }
        assert!(command.status().unwrap().success(), "{lie:?}");
        pipe = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    }
}

/// Has closed its own stdio, as some daemons do, and starts a child.
fn no_stdio() -> i32 {
    let host = Endpoint::inherited().unwrap();
    for number in 0..3 {
        // SAFETY: nothing in this process uses them from here on; it ends by
        // its exit code.
        unsafe { libc::close(number) };
    }
    let mut spawned = start("inherit");
    let mut code = 1;
    if spawned.process.ended(PATIENCE) {
        let mut bytes = [0; 8];
        let received = spawned.endpoint.receive(&mut bytes, &mut Vec::new());
        let here = matches!(received, Ok(Received::Message(4))) && bytes.starts_with(b"here");
        let well = spawned.process.reap() == Some(ExitReason::Exited(0));
        code = i32::from(!(here && well));
    }
    host.send(b"done", &[]).unwrap();
    code
}

#[test]
fn a_host_may_have_closed_its_stdio() {
    let mut spawned = start("no stdio");
    assert_eq!(end_of(&mut spawned), ExitReason::Exited(0));
}

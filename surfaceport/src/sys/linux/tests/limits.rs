//! What is left behind: nothing, whatever fails.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::*;
use crate::time::Deadline;

/// Lets this process open so many files more.
fn allow(more: usize) {
    // The lowest free numbers are what counts.
    let mut limit = 0;
    let open = open_files();
    let mut left = more;
    while left > 0 || open.contains_key(&limit) {
        left -= usize::from(!open.contains_key(&limit));
        limit += 1;
    }
    set_limit(u64::try_from(limit).unwrap());
}

fn set_limit(current: u64) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum }).unwrap();
}

fn sleeper() -> Spawn {
    let args = vec!["-c".into(), "sleep 1000".into()];
    Spawn { program: "sh".into(), args, ..Spawn::default() }
}

/// One call of the facade; what it made is dropped.
type Call = fn() -> Result<(), Error>;

const CALLS: [(&str, Call); 9] = [
    ("a connection", || Endpoint::pair().map(drop)),
    ("memory", || Memory::create("test", 1).map(drop)),
    ("a bell to the host", || bell_to_host().map(drop)),
    ("a bell to the child", || bell_to_child().map(drop)),
    ("a wait set", || WaitSet::new().map(drop)),
    ("a listener", || Listener::bind("test").map(drop)),
    ("a child", || sleeper().start().map(drop)),
    ("a connection by name", || Endpoint::connect("other", Deadline::NOW).map(drop)),
    ("memory, mapped", || Memory::create("test", 1)?.map().map(drop)),
];

#[test]
fn running_out_of_files_is_said_and_leaks_nothing() {
    alone!("running_out_of_files_is_said_and_leaks_nothing", || {
        let (own, peer) = Endpoint::pair().unwrap();
        let memory = Memory::create("test", 1).unwrap();
        let other = Listener::bind("other").unwrap();
        for (what, call) in CALLS {
            // Threads and what the first call opens for good.
            call().unwrap();
            while other.accept().unwrap().is_some() {}
            let before = open_files();
            let mut refused = 0;
            loop {
                allow(refused);
                let result = call();
                set_limit(1024);
                while other.accept().unwrap().is_some() {}
                assert_eq!(open_files(), before, "{what} with {refused} files to be had");
                match result {
                    Ok(()) => break,
                    Err(Error::HandleLimit { .. }) => {}
                    Err(Error::Spawn { source, .. }) => {
                        assert_eq!(source.raw_os_error(), Some(Errno::MFILE.raw_os_error()));
                    }
                    Err(error) => panic!("{what}: {error:?}"),
                }
                refused += 1;
                assert!(refused < 40, "{what}");
            }
            assert!(refused > 0, "{what}");
        }
        assert_eq!(children(), [""; 0]);

        // Handles that find no room are closed, the message is lost, and the
        // next one comes.
        let before = open_files();
        for room in 0..16 {
            assert_eq!(peer.send(b"lost", &[memory.handle(); 16]).unwrap(), Sent::Done);
            assert_eq!(peer.send(b"next", &[]).unwrap(), Sent::Done);
            allow(room);
            let mut handles = Vec::new();
            let mut bytes = [0; 8];
            let lost = own.receive(&mut bytes, &mut handles);
            assert!(matches!(lost, Err(Error::HandleLimit { .. })), "{room}: {lost:?}");
            assert!(handles.is_empty());
            assert_eq!(own.receive(&mut bytes, &mut handles).unwrap(), Received::Message(4));
            assert!(bytes.starts_with(b"next"));
            set_limit(1024);
            assert_eq!(open_files(), before);
        }

        // A peer that waits is accepted once there is room.
        let _client = Endpoint::connect("other", Deadline::NOW).unwrap();
        let before = open_files();
        allow(0);
        assert!(matches!(other.accept(), Err(Error::HandleLimit { .. })));
        set_limit(1024);
        assert_eq!(open_files(), before);
        other.accept().unwrap().unwrap();
    });
}

#[test]
fn too_many_handles_in_flight_are_refused_for_now() {
    if !is_root("too_many_handles_in_flight_are_refused_for_now") {
        return;
    }
    // Root has no such limit.
    alone!("too_many_handles_in_flight_are_refused_for_now", || {
        become_nobody();
        set_limit(64);
        let memory = Memory::create("test", 1).unwrap();
        let (own, peer) = Endpoint::pair().unwrap();
        let mut sent = 0;
        let refused = loop {
            match peer.send(b"x", &[memory.handle(); 8]) {
                Ok(Sent::Done) => sent += 1,
                other => break other,
            }
            assert!(sent < 100);
        };
        assert!(matches!(refused, Err(Error::HandleLimit { .. })), "{refused:?}");
        assert_eq!(peer.send(b"plain", &[]).unwrap(), Sent::Done);
        for _ in 0..sent {
            own.receive(&mut [0; 8], &mut Vec::new()).unwrap();
        }
        assert_eq!(own.receive(&mut [0; 8], &mut Vec::new()).unwrap(), Received::Message(5));
        assert_eq!(peer.send(b"x", &[memory.handle(); 8]).unwrap(), Sent::Done);
    });
}

fn everything_once() {
    let memory = Memory::create("surfaceport-test-once", 100_000).unwrap();
    let mapping = memory.map().unwrap();
    let (bell, ringer) = bell_to_host().unwrap();
    let (to_child, _childs) = bell_to_child().unwrap();
    to_child.ring();
    Ringer::from_handle(ringer).ring();
    let set = WaitSet::new().unwrap();
    set.add(bell.source(), 1, Trigger::Edge).unwrap();
    set.wait(None, |_| {}).unwrap();
    let spawned = sleeper().start().unwrap();
    set.add(spawned.process.source(), 2, Trigger::Level).unwrap();
    spawned.endpoint.send(b"x", &[memory.handle(); 16]).unwrap();
    let listener = Listener::bind("test").unwrap();
    let client = Endpoint::connect("test", Deadline::NOW).unwrap();
    let accepted = listener.accept().unwrap().unwrap();
    client.send(b"x", &[memory.handle()]).unwrap();
    let mut handles = Vec::new();
    accepted.0.receive(&mut [0; 8], &mut handles).unwrap();
    Memory::import(handles.pop().unwrap(), memory.len()).unwrap();
    // In flight for ever, if it were not dropped.
    client.send(b"x", &[memory.handle(); 16]).unwrap();
    drop((mapping, memory));
}

#[test]
fn nothing_is_left_behind() {
    alone!("nothing_is_left_behind", || {
        let count = || {
            let maps = fs::read_to_string("/proc/self/maps").unwrap();
            let ours = maps.lines().filter(|line| line.contains("surfaceport-test-once")).count();
            (open_files(), ours, status("Threads"), children())
        };
        everything_once();
        let before = count();
        assert_eq!(before.1, 0);
        for _ in 0..20 {
            everything_once();
        }
        assert_eq!(count(), before);
    });
}

#[test]
fn everything_closes_on_exec() {
    alone!("everything_closes_on_exec", || {
        let before = open_files();
        let _connection = Endpoint::pair().unwrap();
        let _memory = Memory::create("test", 1).unwrap();
        let _bells = (bell_to_child().unwrap(), bell_to_host().unwrap());
        let _set = WaitSet::new().unwrap();
        let listener = Listener::bind("test").unwrap();
        let _client = Endpoint::connect("test", Deadline::NOW).unwrap();
        let _accepted = listener.accept().unwrap().unwrap();
        let _spawned = sleeper().start().unwrap();
        let new: Vec<_> = open_files().into_keys().filter(|fd| !before.contains_key(fd)).collect();
        assert!(new.len() > 15);
        assert!(new.iter().all(|number| closes_on_exec(file(*number))));
    });
}

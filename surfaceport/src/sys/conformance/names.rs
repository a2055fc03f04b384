// Names: one listener each, found by it, and gone with it.

use std::time::{Duration, Instant};

use super::super::{A_WHILE, PATIENCE};
use super::tools::*;
use crate::error::Error;
use crate::sys::Trigger;
use crate::time::Deadline;
use sys::{Endpoint, Listener};

/// Runs a test of this file where the names are its own.
fn alone(test: &str, body: impl FnOnce()) {
    let module = module_path!().split_once("::").unwrap().1;
    sys::testing::alone(&format!("{module}::{test}"), body);
}

fn connect(name: &str) -> Result<Endpoint, Error> {
    Endpoint::connect(name, Deadline::from(PATIENCE))
}

fn accept(listener: &Listener) -> Endpoint {
    let set = set_of(listener.source(), 1, Trigger::Level);
    loop {
        match listener.accept().unwrap() {
            Some((endpoint, _process)) => return endpoint,
            None => wait_for(&set, Some(1)),
        }
    }
}

#[test]
fn lead_to_their_listener() {
    alone("lead_to_their_listener", || {
        let one = Listener::bind("com.example.one").unwrap();
        let two = Listener::bind("com.example.two").unwrap();
        for (name, listener) in [("com.example.one", &one), ("com.example.two", &two)] {
            let set = set_of(listener.source(), 1, Trigger::Level);
            assert!(listener.accept().unwrap().is_none());
            assert_eq!(wait(&set, A_WHILE), []);
            let client = connect(name).unwrap();
            wait_for(&set, Some(1));
            // What is said before it is accepted is not lost.
            send(&client, b"early");
            let server = accept(listener);
            assert_eq!(receive(&server).0, b"early");
            send(&server, b"welcome");
            assert_eq!(receive(&client).0, b"welcome");
            assert!(listener.accept().unwrap().is_none());
            assert_eq!(wait(&set, A_WHILE), []);
            drop(server);
            assert!(receive_or_end(&client).is_none());
        }
    });
}

#[test]
fn carry_handles() {
    alone("carry_handles", || {
        let listener = Listener::bind("handles").unwrap();
        let client = connect("handles").unwrap();
        let server = accept(&listener);
        let memory = sys::Memory::create("conformance", 1).unwrap();
        assert_eq!(client.send(b"x", &[memory.handle()]).unwrap(), crate::sys::Sent::Done);
        let handle = receive(&server).1.pop().unwrap();
        sys::Memory::import(handle, memory.len()).unwrap();
    });
}

#[test]
fn can_be_in_use() {
    alone("can_be_in_use", || {
        let listener = Listener::bind("used").unwrap();
        match Listener::bind("used") {
            Err(Error::NameInUse(name)) => assert_eq!(name, "used"),
            other => panic!("{other:?}"),
        }
        // The first one is none the worse for it.
        let client = connect("used").unwrap();
        send(&client, b"x");
        assert_eq!(receive(&accept(&listener)).0, b"x");
    });
}

#[test]
fn are_free_again_when_dropped() {
    alone("are_free_again_when_dropped", || {
        for _ in 0..20 {
            let listener = Listener::bind("again").unwrap();
            let client = connect("again").unwrap();
            accept(&listener);
            drop(listener);
            assert!(matches!(connect("again"), Err(Error::NoSuchName(_))));
            drop(client);
        }
    });
}

#[test]
fn may_be_nobodys() {
    alone("may_be_nobodys", || match connect("nobody") {
        Err(Error::NoSuchName(name)) => assert_eq!(name, "nobody"),
        other => panic!("{other:?}"),
    });
}

#[test]
fn outlive_no_listener() {
    alone("outlive_no_listener", || {
        let listener = Listener::bind("short").unwrap();
        let accepted_client = connect("short").unwrap();
        let accepted = accept(&listener);
        let waiting = connect("short").unwrap();
        drop(listener);
        // Who was not accepted hears of it; who was, is connected.
        assert!(receive_or_end(&waiting).is_none());
        send(&accepted, b"still here");
        assert_eq!(receive(&accepted_client).0, b"still here");
    });
}

#[test]
fn let_only_so_many_wait() {
    alone("let_only_so_many_wait", || {
        const PATIENT: Duration = Duration::from_millis(30);
        let listener = Listener::bind("busy").unwrap();
        let mut clients = Vec::new();
        let refused = loop {
            let start = Instant::now();
            match Endpoint::connect("busy", Deadline::from(PATIENT)) {
                Ok(client) => clients.push(client),
                Err(refused) => {
                    assert!(start.elapsed() >= PATIENT);
                    break refused;
                }
            }
            assert!(clients.len() < 100, "everybody may wait");
        };
        assert!(matches!(refused, Error::TimedOut { .. }), "{refused:?}");
        assert!(matches!(Endpoint::connect("busy", Deadline::NOW), Err(Error::TimedOut { .. })));
        // Once somebody is accepted, the next one finds room.
        std::thread::scope(|scope| {
            let patient = scope.spawn(|| connect("busy"));
            std::thread::sleep(A_WHILE);
            accept(&listener);
            patient.join().unwrap().unwrap();
        });
    });
}

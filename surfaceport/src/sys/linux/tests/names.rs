//! Names: the directory, stale sockets, and who connects.

use std::os::unix::fs::{PermissionsExt, chown, symlink};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::*;
use crate::time::Deadline;

const NOBODY: u32 = 65_534;

/// The directory of the names, in a process of the test's own.
fn directory() -> PathBuf {
    PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR").unwrap()).join("surfaceport")
}

fn connect(name: &str) -> Result<Endpoint, Error> {
    Endpoint::connect(name, Deadline::from(PATIENCE))
}

fn set_mode(path: impl AsRef<std::path::Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Neither side uses the directory, and the error says why.
#[track_caller]
fn is_unsafe(because: &str) {
    let errors = [Listener::bind("test").unwrap_err(), connect("test").unwrap_err()];
    for error in errors {
        match error {
            Error::UnsafeDirectory { path, why } => {
                assert_eq!(path, directory());
                assert!(why.contains(because), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_directory_is_private() {
    alone!("the_directory_is_private", || {
        assert!(!directory().exists());
        let listener = Listener::bind("test").unwrap();
        let stat = rustix::fs::stat(directory()).unwrap();
        assert_eq!(stat.st_mode & 0o7777, 0o700);
        assert!(directory().join("test.sock").exists());
        drop(listener);
        assert!(!directory().join("test.sock").exists());

        for mode in [0o755, 0o710, 0o701, 0o777] {
            set_mode(directory(), mode);
            is_unsafe("mode");
        }
        set_mode(directory(), 0o700);
        Listener::bind("test").unwrap();
    });
}

#[test]
fn the_directory_is_one() {
    alone!("the_directory_is_one", || {
        // A link, even to a directory that would do.
        let real = directory().with_file_name("real");
        fs::create_dir(&real).unwrap();
        set_mode(&real, 0o700);
        symlink(&real, directory()).unwrap();
        is_unsafe("not a directory");
        fs::remove_file(directory()).unwrap();
        symlink("/nowhere", directory()).unwrap();
        is_unsafe("not a directory");
        fs::remove_file(directory()).unwrap();
        fs::write(directory(), "a file").unwrap();
        is_unsafe("not a directory");
    });
}

#[test]
fn the_directory_is_this_users() {
    if !is_root("the_directory_is_this_users") {
        return;
    }
    alone!("the_directory_is_this_users", || {
        fs::create_dir(directory()).unwrap();
        set_mode(directory(), 0o700);
        chown(directory(), Some(NOBODY), None).unwrap();
        is_unsafe("another user");
        // And seen by somebody who may not even open it.
        chown(directory(), Some(0), None).unwrap();
        set_mode(directory().parent().unwrap(), 0o755);
        become_nobody();
        is_unsafe("another user");
    });
}

#[test]
fn without_a_directory_for_the_session_there_is_one_in_tmp() {
    alone!("without_a_directory_for_the_session_there_is_one_in_tmp", || {
        let tmp = directory().with_file_name("tmp");
        fs::create_dir(&tmp).unwrap();
        // SAFETY: no other thread of this process, which is the test's own,
        // looks at the environment.
        unsafe { std::env::set_var("TMPDIR", &tmp) };
        let expected = tmp.join(format!("surfaceport-{}", rustix::process::geteuid().as_raw()));
        for runtime in [None, Some("not/absolute")] {
            match runtime {
                // SAFETY: as above.
                None => unsafe { std::env::remove_var("XDG_RUNTIME_DIR") },
                // SAFETY: as above.
                Some(path) => unsafe { std::env::set_var("XDG_RUNTIME_DIR", path) },
            }
            let _listener = Listener::bind("test").unwrap();
            connect("test").unwrap();
            assert!(expected.join("test.sock").exists());
        }
    });
}

#[test]
fn a_path_may_be_too_long() {
    alone!("a_path_may_be_too_long", || {
        let long = directory().with_file_name("x".repeat(100));
        fs::create_dir(&long).unwrap();
        // SAFETY: as above: this process is the test's own.
        unsafe { std::env::set_var("XDG_RUNTIME_DIR", &long) };
        assert!(matches!(Listener::bind("test"), Err(Error::Os { .. })));
        assert!(matches!(connect("test"), Err(Error::Os { .. })));
    });
}

/// A process that binds a name and is killed.
pub(super) fn bind_and_rest() -> i32 {
    let host = Endpoint::inherited().unwrap();
    let _listener = Listener::bind("stale").unwrap();
    host.send(b"bound", &[]).unwrap();
    testing::rest()
}

#[test]
fn what_a_dead_process_left_is_replaced() {
    alone!("what_a_dead_process_left_is_replaced", || {
        for _ in 0..3 {
            let mut spawned = process::start("bind and rest");
            fires(spawned.endpoint.source(), Trigger::Level);
            assert!(matches!(Listener::bind("stale"), Err(Error::NameInUse(_))));
            connect("stale").unwrap();
            spawned.process.kill();
            assert!(spawned.process.ended(PATIENCE));
            spawned.process.reap().unwrap();
            assert!(directory().join("stale.sock").exists());
            assert!(matches!(connect("stale"), Err(Error::NoSuchName(_))));
        }
        let listener = Listener::bind("stale").unwrap();
        connect("stale").unwrap();
        listener.accept().unwrap().unwrap();
    });
}

#[test]
fn a_name_is_free_though_a_new_child_has_its_lock() {
    alone!("a_name_is_free_though_a_new_child_has_its_lock", || {
        let listener = Listener::bind("test").unwrap();
        // As a child has it between fork and exec.
        let lock = open_files().into_iter().find(|(_, path)| path.ends_with("test.lock"));
        let copy = file(lock.unwrap().0).try_clone_to_owned().unwrap();
        drop(listener);
        Listener::bind("test").unwrap();
        drop(copy);
    });
}

#[test]
fn the_peer_is_known_and_can_t_be_killed() {
    alone!("the_peer_is_known_and_can_t_be_killed", || {
        let listener = Listener::bind("test").unwrap();
        let _client = connect("test").unwrap();
        let (_endpoint, process) = listener.accept().unwrap().unwrap();
        let Some(mut process) = process else {
            println!("not run: the kernel is older than 6.5");
            return;
        };
        assert_eq!(process.pid(), std::process::id());
        assert!(closes_on_exec(process.handle()));
        assert!(!process.ended(Duration::from_millis(1)));
        assert_eq!(process.reap(), None);
        // It is this very process.
        process.kill();
        drop(process);
    });
}

#[test]
fn a_peer_that_ended_is_disconnected() {
    alone!("a_peer_that_ended_is_disconnected", || {
        let listener = Listener::bind("peer").unwrap();
        let mut spawned = process::start("connect and rest");
        fires(listener.source(), Trigger::Level);
        let (endpoint, process) = listener.accept().unwrap().unwrap();
        spawned.process.kill();
        assert!(spawned.process.ended(PATIENCE));
        if let Some(mut process) = process {
            assert_eq!(process.pid(), spawned.process.pid());
            // The one who watches sees the end before the parent has reaped it,
            // and after.
            for _ in 0..2 {
                fires(process.source(), Trigger::Level);
                assert!(process.ended(Duration::ZERO));
                assert_eq!(process.reap(), Some(crate::error::ExitReason::Disconnected));
                spawned.process.reap().unwrap();
            }
        }
        fires(endpoint.source(), Trigger::Level);
        assert_eq!(endpoint.receive(&mut [0; 8], &mut Vec::new()).unwrap(), Received::Closed);
    });
}

/// A process that connects and is killed.
pub(super) fn connect_and_rest() -> i32 {
    let _endpoint = connect("peer").unwrap();
    testing::rest()
}

#[test]
fn another_user_is_refused() {
    if !is_root("another_user_is_refused") {
        return;
    }
    alone!("another_user_is_refused", || {
        let listener = Listener::bind("test").unwrap();
        let before = open_files().len();
        // Somebody opened the doors.
        let path = directory().join("test.sock");
        set_mode(directory().parent().unwrap(), 0o755);
        set_mode(directory(), 0o755);
        set_mode(&path, 0o777);
        let kind = SocketType::SEQPACKET;
        let client =
            rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None);
        let client = client.unwrap();
        // The kernel notes who connects.
        std::thread::scope(|scope| {
            let connect = scope.spawn(|| {
                // SAFETY: changes the user of this thread alone, which ends then.
                unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
                let address = SocketAddrUnix::new(&path).unwrap();
                rustix::net::connect(&client, &address).unwrap();
            });
            connect.join().unwrap();
        });
        match listener.accept() {
            Err(Error::PeerRefused { uid }) => assert_eq!(uid, NOBODY),
            other => panic!("{other:?}"),
        }
        assert!(listener.accept().unwrap().is_none());
        assert_eq!(open_files().len(), before + 1);
    });
}

//! What the kernel gives: all that the library needs.

use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use surfaceport::{Deadline, Error, Listener, Renderer};

use super::{Finding, finding};

/// What a child takes of the host's files: its output, and the wait set.
const FILES_PER_CHILD: u64 = 4;
/// macOS 11's Darwin.
const OLDEST: u32 = 20;

pub(super) fn look() -> Vec<Finding> {
    vec![system(), names(), files()]
}

fn system() -> Finding {
    let system = rustix::system::uname();
    let release = system.release().to_string_lossy();
    let major = release.split('.').next().and_then(|major| major.parse::<u32>().ok());
    finding(
        "macOS 11",
        major.is_some_and(|major| major >= OLDEST),
        format!("this is Darwin {release}"),
        ("it is what this program was built for", "too old: nothing will work"),
    )
}

/// Whether the bootstrap server gives a name away, by which children find their
/// host, and finds it again.
fn names() -> Finding {
    let name = format!("surfaceport.doctor.{}", std::process::id());
    let tried = Listener::bind(&name).map(|mut listener| {
        // It is found, and nobody speaks the protocol behind it.
        let connected = std::thread::spawn(move || Renderer::connect_to(&name).err());
        let accepted = listener.accept(Deadline::from(Duration::from_secs(2)));
        drop((accepted, listener));
        connected.join().ok().flatten()
    });
    let (there, found) = match tried {
        Ok(None | Some(Error::HostGone | Error::TimedOut { .. })) => (true, "taken, and found"),
        Ok(Some(_)) => (false, "taken, and not found again"),
        Err(_) => (false, "refused: is this program in a sandbox?"),
    };
    let so = ("children find their host", "children can't find their host");
    finding("names (bootstrap server)", there, found, so)
}

fn files() -> Finding {
    let limit = getrlimit(Resource::Nofile).current;
    let children = limit.map_or(u64::MAX, |limit| limit.saturating_sub(32) / FILES_PER_CHILD);
    let found = match limit {
        Some(limit) => format!("{limit}: about {children} children at a time"),
        None => "no limit".to_owned(),
    };
    finding("open files (ulimit -n)", children >= 4, found, ("enough", "raise it: ulimit -n 1024"))
}

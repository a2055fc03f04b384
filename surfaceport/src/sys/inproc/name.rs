//! The named way in: a list of who listens under which name.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::lock;
use super::message::Endpoint;
use super::process::Process;
use super::wait::{Signal, Source};
use crate::error::Error;
use crate::time::Deadline;

/// Connections that wait to be accepted; a full queue makes peers try again.
const BACKLOG: usize = 16;

static NAMES: Mutex<BTreeMap<String, Arc<Waiting>>> = Mutex::new(BTreeMap::new());

#[derive(Debug, Default)]
struct Waiting {
    peers: Mutex<VecDeque<Endpoint>>,
    signal: Arc<Signal>,
}

/// A name that peers can connect to, until dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    name: String,
    waiting: Arc<Waiting>,
}

impl Listener {
    /// Takes a name.
    pub(crate) fn bind(name: &str) -> Result<Self, Error> {
        let mut names = lock(&NAMES);
        if names.contains_key(name) {
            return Err(Error::NameInUse(name.into()));
        }
        let waiting = Arc::<Waiting>::default();
        names.insert(name.into(), Arc::clone(&waiting));
        Ok(Self { name: name.into(), waiting })
    }

    /// The next peer that is waiting. Threads have no handle, so its process is
    /// never known.
    pub(crate) fn accept(&self) -> Result<Option<(Endpoint, Option<Process>)>, Error> {
        let mut peers = lock(&self.waiting.peers);
        let peer = peers.pop_front();
        if peers.is_empty() {
            self.waiting.signal.empty();
        }
        Ok(peer.map(|endpoint| (endpoint, None)))
    }

    /// What to wait on for peers.
    pub(crate) fn source(&self) -> Source<'_> {
        &self.waiting.signal
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        lock(&NAMES).remove(&self.name);
    }
}

/// Connects to a name.
impl Endpoint {
    pub(crate) fn connect(name: &str, deadline: Deadline) -> Result<Self, Error> {
        const PAUSE: Duration = Duration::from_millis(5);
        loop {
            {
                // For as long as this is locked, the listener is there.
                let names = lock(&NAMES);
                let waiting = names.get(name).ok_or_else(|| Error::NoSuchName(name.into()))?;
                let mut peers = lock(&waiting.peers);
                if peers.len() < BACKLOG {
                    let (own, peer) = Self::pair()?;
                    peers.push_back(peer);
                    waiting.signal.ready();
                    return Ok(own);
                }
            }
            if deadline.passed() {
                return Err(Error::TimedOut { waiting_for: "a listening host" });
            }
            std::thread::sleep(PAUSE);
        }
    }
}

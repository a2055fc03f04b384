//! The named way in: a service of the bootstrap server.

use std::ffi::CString;
use std::sync::Arc;
use std::time::Duration;

use super::door::{Answer, Arrivals, Door, Frame, Guests, ask};
use super::kern::{self, Code};
use super::message::Endpoint;
use super::os;
use super::process::{NAME_VARIABLE, Process};
use super::wait::Source;
use crate::error::Error;
use crate::time::Deadline;

/// A name that peers can connect to, until dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    arrivals: Arc<Arrivals>,
    _door: Door,
}

impl Listener {
    /// Takes a name.
    pub(crate) fn bind(name: &str) -> Result<Self, Error> {
        let name_in_use = || Error::NameInUse(name.into());
        let text = CString::new(name).map_err(|_| Error::BadName(name.into()))?;
        let frame = Frame::check_in(&text).map_err(|code| match code {
            Code::BOOTSTRAP_SERVICE_ACTIVE | Code::BOOTSTRAP_NAME_IN_USE => name_in_use(),
            code => os("listening under a name", code),
        })?;
        let arrivals = Arc::new(Arrivals::new()?);
        let door = frame.open(Guests::Anybody(Arc::clone(&arrivals)), None)?;
        Ok(Self { arrivals, _door: door })
    }

    /// The next peer that is waiting, of this user. Its process is known by its
    /// messages alone, which is enough to tell it from others and not to watch
    /// it: that it ended is heard of by its rights.
    pub(crate) fn accept(&self) -> Result<Option<(Endpoint, Option<Process>)>, Error> {
        Ok(self.arrivals.pop().map(|endpoint| (endpoint, None)))
    }

    /// What to wait on for peers.
    pub(crate) fn source(&self) -> Source<'_> {
        self.arrivals.source()
    }
}

impl Endpoint {
    /// Connects to a name.
    pub(crate) fn connect(name: &str, deadline: Deadline) -> Result<Self, Error> {
        let no_such_name = || Error::NoSuchName(name.into());
        let text = CString::new(name).map_err(|_| Error::BadName(name.into()))?;
        match ask(&text, deadline)? {
            Answer::End(endpoint, who) if who.euid() == kern::euid() => Ok(endpoint),
            Answer::End(_, who) => Err(Error::PeerRefused { uid: who.euid() }),
            Answer::Nobody => Err(no_such_name()),
            Answer::Late => Err(Error::TimedOut { waiting_for: "a listening host" }),
        }
    }

    /// The end that this process was started with. It can be had once.
    pub(crate) fn inherited() -> Result<Self, Error> {
        const PATIENCE: Duration = Duration::from_secs(10);
        let no_host = || Error::NoHost { variable: NAME_VARIABLE };
        let name = kern::take_variable(NAME_VARIABLE).ok_or_else(no_host)?;
        let name = CString::new(name.into_encoded_bytes()).map_err(|_| no_host())?;
        match ask(&name, Deadline::from(PATIENCE))? {
            Answer::End(endpoint, who) if who.pid() == kern::parent_pid() => Ok(endpoint),
            // Whoever that is, it did not start this process.
            Answer::End(_, who) => Err(Error::PeerRefused { uid: who.euid() }),
            Answer::Nobody => Err(Error::HostGone),
            Answer::Late => Err(Error::TimedOut { waiting_for: "the host that started this" }),
        }
    }
}

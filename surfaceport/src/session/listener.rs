//! The named way in.

use std::os::fd::{AsFd, BorrowedFd};

use super::host::Session;
use crate::child::{Door, Limits};
use crate::error::Error;
use crate::time::Deadline;
use crate::wait::{Token, Trigger, WaitSet};

/// A name under which children can connect that this host did not start.
///
/// It is opt-in: a child that is started by [`Session::spawn`] needs no name. The
/// socket lies in a directory that only this user can enter
/// (`$XDG_RUNTIME_DIR/surfaceport`), peers of other users are refused, and what
/// a host that died left behind is replaced. Any process of the *same* user can
/// connect.
///
/// ```
/// use std::time::Duration;
/// use surfaceport::{Error, Listener};
///
/// let name = format!("example.{}", std::process::id());
/// let mut listener = Listener::bind(&name)?;
/// assert!(matches!(Listener::bind(&name), Err(Error::NameInUse(_))));
/// let nobody = listener.accept(Duration::from_millis(10))?;
/// assert!(nobody.is_none());
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Listener {
    door: Door,
    wait: WaitSet,
    limits: Limits,
}

impl Listener {
    /// Takes a name: 1 to 64 of `A-Z a-z 0-9 . _ -`, the first a letter or digit.
    ///
    /// # Errors
    ///
    /// [`Error::BadName`], [`Error::NameInUse`] by a live process,
    /// [`Error::UnsafeDirectory`] if others could reach the socket, or
    /// [`Error::Os`].
    pub fn bind(name: &str) -> Result<Self, Error> {
        let door = Door::open(name)?;
        let wait = WaitSet::new()?;
        wait.add(door.source(), Token::Listener, Trigger::Level)?;
        Ok(Self { door, wait, limits: Limits::default() })
    }

    /// Sets what the children are allowed.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The next child that connects; `None`: the deadline passed. A child that
    /// disconnects ends its session: there is no restart.
    ///
    /// # Errors
    ///
    /// [`Error::PeerRefused`] for a peer of another user, [`Error::HandleLimit`]
    /// or [`Error::Os`]; the listener stays usable.
    pub fn accept(&mut self, deadline: impl Into<Deadline>) -> Result<Option<Session>, Error> {
        let deadline = deadline.into();
        loop {
            if let Some((child, channel)) = self.door.accept()? {
                return Session::with_peer(child, channel, self.limits).map(Some);
            }
            if deadline.passed() {
                return Ok(None);
            }
            self.wait.wait(deadline)?;
        }
    }
}

impl AsFd for Listener {
    /// The fd to poll for reading: readable when a child wants to connect.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wait.as_fd()
    }
}

//! Children that come by themselves, by name.

use super::Child;
use crate::channel::Channel;
use crate::error::Error;
use crate::sys::{Endpoint, Listener, Source, close_sandbox};
use crate::time::Deadline;

/// A name that children connect to.
#[derive(Debug)]
pub(crate) struct Door(Listener);

impl Door {
    /// Takes a name.
    pub(crate) fn open(name: &str) -> Result<Self, Error> {
        check_name(name)?;
        Listener::bind(name).map(Self)
    }

    /// The next child that waits, if one does.
    pub(crate) fn accept(&self) -> Result<Option<(Child, Channel)>, Error> {
        let accepted = self.0.accept()?;
        Ok(accepted.map(|(endpoint, process)| Child::peer(endpoint, process)))
    }

    /// What to wait on.
    pub(crate) fn source(&self) -> Source<'_> {
        self.0.source()
    }
}

/// Child: the connection to the host that started this process.
pub(crate) fn inherited() -> Result<Channel, Error> {
    let endpoint = Endpoint::inherited()?;
    // Before a word is said: the host looks when it hears Hello.
    close_sandbox();
    Ok(Channel::new(endpoint))
}

/// Child: a connection to a host that listens under a name.
pub(crate) fn connect(name: &str, deadline: Deadline) -> Result<Channel, Error> {
    check_name(name)?;
    Endpoint::connect(name, deadline).map(Channel::new)
}

/// Names become file names: nothing that could lead elsewhere.
fn check_name(name: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts_well && name.len() <= 64 && name.chars().all(allowed) {
        Ok(())
    } else {
        Err(Error::BadName(name.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere_else() {
        let long = "a".repeat(65);
        for bad in ["", ".", "..", ".x", "-x", "_x", "a/b", "a\0b", "ä", "a b", &long] {
            assert!(matches!(check_name(bad), Err(Error::BadName(_))), "{bad:?}");
        }
        let longest = "a".repeat(64);
        for good in ["a", "com.example.messageport", "x-1_2.3", &longest] {
            assert!(check_name(good).is_ok(), "{good:?}");
        }
    }
}

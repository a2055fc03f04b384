//! What keeps a child from the system: nothing yet.
//!
//! A sandbox that is only wished for is reported as not there; one that is
//! required is an error.

use std::path::PathBuf;

use super::process::Process;
use crate::error::Error;
use crate::sandbox::{Confinement, Sandbox, SandboxGap};

/// What a host wants around a child.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) level: Sandbox,
    /// Less than all of it is an error.
    pub(crate) required: bool,
    /// What the child may read besides.
    #[expect(dead_code, reason = "the fields are the facade's")]
    pub(crate) readable: Vec<PathBuf>,
}

/// What went up: nothing. (Its methods are for the layers above, which are not
/// over the simulation.)
#[cfg_attr(not(target_os = "macos"), allow(dead_code))]
#[derive(Debug)]
pub(crate) struct Raised(Sandbox);

impl Plan {
    /// Before the child is started.
    pub(super) fn raise(&self) -> Result<Raised, Error> {
        if self.required {
            return Err(Error::Unsupported {
                feature: "sandbox for children",
                needs: "Linux (on macOS this library has none yet)",
            });
        }
        Ok(Raised(self.level))
    }
}

#[cfg_attr(not(target_os = "macos"), allow(dead_code))]
impl Raised {
    /// The signal that ends a child which tries what is forbidden.
    pub(crate) fn signal(&self) -> Option<i32> {
        None
    }

    /// Whether nothing may be missing.
    pub(crate) fn is_required(&self) -> bool {
        false
    }

    /// What has become of it by now.
    pub(crate) fn confinement(&self, _process: &Process) -> Confinement {
        let gaps = vec![SandboxGap::Files, SandboxGap::SystemCalls, SandboxGap::NotClosed];
        Confinement::new(self.0, "nothing".to_owned(), gaps)
    }
}

/// Child: closes it.
#[cfg(target_os = "macos")]
pub(crate) fn close() {}

//! Wake-ups: a signal, at one end rung, at the other waited on.

use std::sync::Arc;

use super::Handle;
use super::wait::{Signal, Source};
use crate::error::Error;

/// The end that is waited on.
#[derive(Debug)]
pub(crate) struct Bell(Arc<Signal>);

/// The end that rings; nothing, if it was made from another kind of handle.
#[derive(Debug)]
pub(crate) struct Ringer(Option<Arc<Signal>>);

/// A bell for the host, and the handle by which the child rings it.
pub(crate) fn bell_to_host() -> Result<(Bell, Handle), Error> {
    let signal = Arc::<Signal>::default();
    Ok((Bell(Arc::clone(&signal)), Handle::Ringer(signal)))
}

/// What the host rings the child with, and the handle that the child waits on.
pub(crate) fn bell_to_child() -> Result<(Ringer, Handle), Error> {
    let signal = Arc::<Signal>::default();
    Ok((Ringer(Some(Arc::clone(&signal))), Handle::Bell(signal)))
}

impl Ringer {
    /// The child's ringer, as it came with Welcome.
    pub(crate) fn from_handle(handle: Handle) -> Self {
        match handle {
            Handle::Ringer(signal) => Self(Some(signal)),
            Handle::Bell(_) | Handle::Memory(_) => Self(None),
        }
    }

    /// Wakes the other side.
    pub(crate) fn ring(&self) {
        if let Some(signal) = &self.0 {
            signal.ready();
        }
    }
}

impl Bell {
    /// The child's bell, as it came with Welcome.
    pub(crate) fn from_handle(handle: Handle) -> Self {
        match handle {
            Handle::Bell(signal) => Self(signal),
            // One that never rings.
            Handle::Ringer(_) | Handle::Memory(_) => Self(Arc::default()),
        }
    }

    /// Child: empties the bell.
    pub(crate) fn drain(&self) {
        self.0.empty();
    }

    /// What to wait on, edge-triggered.
    pub(crate) fn source(&self) -> Source<'_> {
        &self.0
    }
}

//! What goes wrong between a pane and its display server.

use core::fmt;

use crate::error::Error;
use crate::format::Format;

/// Why a pane can't show frames.
///
/// The child hears nothing of it and lives on: open another pane, and give it
/// to the view by [`View::replace_pane`](crate::View::replace_pane), or make a
/// view of another kind with [`View::into_session`](crate::View::into_session).
///
/// ```
/// use surfaceport::{Error, PaneError};
///
/// let error = Error::from(PaneError::Missing { what: "wp_viewporter" });
/// assert!(matches!(&error, Error::Pane(error) if !error.is_final()));
/// assert!(error.to_string().contains("wp_viewporter"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PaneError {
    /// The window belongs to another kind of display server than the pane.
    WrongWindow {
        /// What the pane needs.
        wanted: &'static str,
    },
    /// The toolkit has no handle of the window to give: it is closed, or has
    /// not been opened yet.
    NoWindow,
    /// The display server's library or connection could not be opened.
    NoServer {
        /// What was said.
        what: String,
    },
    /// The display server lacks something that the pane needs.
    Missing {
        /// What: an extension or a protocol, by its name.
        what: &'static str,
    },
    /// The display server can't show this pixel format.
    Format(Format),
    /// The display server refused something. Where that ends the connection,
    /// the pane is at its end.
    Refused {
        /// What it said.
        what: String,
        /// Whether the connection ended with it.
        fatal: bool,
    },
    /// Frames would have to be copied in the host's process, and the host wants
    /// none that are.
    WouldCopy(CopyReason),
    /// The display server, or the connection to it, is gone.
    ServerGone {
        /// What the system said.
        what: String,
    },
}

impl PaneError {
    /// Whether the pane is at its end: all its calls fail from now on.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::ServerGone { .. } | Self::Refused { fatal: true, .. })
    }
}

impl fmt::Display for PaneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongWindow { wanted } => {
                write!(f, "this pane needs {wanted}; choose the pane by the window's handle")
            }
            Self::NoWindow => write!(f, "the window has no handle; open it first"),
            Self::NoServer { what } => write!(f, "can't reach the display server: {what}"),
            Self::Missing { what } => {
                write!(f, "the display server has no {what}; use another kind of pane")
            }
            Self::Format(format) => write!(
                f,
                "the display server can't show {format}; let the child draw Bgra8 or Bgrx8"
            ),
            Self::Refused { what, .. } => write!(f, "the display server refused: {what}"),
            Self::WouldCopy(reason) => {
                write!(f, "frames would have to be copied, which was forbidden: {reason}")
            }
            Self::ServerGone { what } => {
                write!(f, "the display server is gone ({what}); open another window and pane")
            }
        }
    }
}

impl std::error::Error for PaneError {}

impl From<PaneError> for Error {
    fn from(error: PaneError) -> Self {
        Self::Pane(error)
    }
}

/// Why a pane copies frames in the host's process instead of letting the display
/// read the child's surfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyReason {
    /// The host asked for it.
    Asked,
    /// The display server lacks this extension or protocol.
    Missing(&'static str),
    /// The display can't show this pixel format.
    Format(Format),
    /// The display server refused the child's surface.
    Refused,
}

impl fmt::Display for CopyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => write!(f, "the host asked for it"),
            Self::Missing(what) => write!(f, "the display server has no {what}"),
            Self::Format(format) => write!(f, "the display can't show {format}"),
            Self::Refused => write!(f, "the display server refused the child's memory"),
        }
    }
}

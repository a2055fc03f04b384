//! Whether there can be a window.

/// A display that a window can be opened on: none yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Display {}

/// The best display that there is, or none; and why no better one.
pub(crate) fn display() -> (Option<Display>, Vec<String>) {
    (None, vec!["this program has no window on macOS yet".to_owned()])
}

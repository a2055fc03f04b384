//! Whether there can be a window, asked before a toolkit is.

use objc2_core_graphics::CGSessionCopyCurrentDictionary;

/// A display that a window can be opened on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Display {
    AppKit,
}

/// The best display that there is, or none; and why no better one.
pub(crate) fn display() -> (Option<Display>, Vec<String>) {
    // Without a session of the window server's (a login by ssh) AppKit ends the
    // program.
    match CGSessionCopyCurrentDictionary() {
        Some(_session) => (Some(Display::AppKit), Vec::new()),
        None => (None, vec!["nobody is logged in at this machine's display".to_owned()]),
    }
}

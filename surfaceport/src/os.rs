//! Escape hatches: the operating system's own handles.
//!
//! What is done with them is not covered by this library's promises.

/// Linux.
#[cfg(target_os = "linux")]
pub mod linux {
    use std::os::fd::BorrowedFd;

    use crate::session::Session;
    use crate::surface::Surface;
    use crate::sys;

    /// The version of Landlock that this kernel has (its ABI); 0: none. It is what
    /// keeps a sandboxed child from files.
    ///
    /// ```
    /// use surfaceport::os::linux::{has_seccomp, landlock_abi};
    ///
    /// println!("Landlock {}, seccomp: {}", landlock_abi(), has_seccomp());
    /// ```
    #[must_use]
    pub fn landlock_abi() -> u32 {
        sys::landlock_abi()
    }

    /// Whether this kernel filters system calls (seccomp), which a sandbox needs.
    #[must_use]
    pub fn has_seccomp() -> bool {
        sys::has_seccomp()
    }

    /// The memfd behind a surface: what a Wayland or X11 display takes. It is
    /// as long as the image, rounded up to pages, and sealed against resizing;
    /// the child can write it at any time.
    ///
    /// ```no_run
    /// use surfaceport::{Frame, os::linux::surface_fd};
    ///
    /// fn share(frame: &Frame) -> std::io::Result<std::os::fd::OwnedFd> {
    ///     surface_fd(frame.surface()).try_clone_to_owned()
    /// }
    /// ```
    #[must_use]
    pub fn surface_fd(surface: &Surface) -> BorrowedFd<'_> {
        surface.handle()
    }

    /// The pidfd of a session's child (`pidfd_open(2)`), while there is one: to
    /// stop and continue it, for example. It is reaped by the session.
    ///
    /// ```no_run
    /// use surfaceport::{Session, os::linux::child_pidfd};
    ///
    /// fn is_there(session: &Session) -> bool {
    ///     child_pidfd(session).is_some()
    /// }
    /// ```
    #[must_use]
    pub fn child_pidfd(session: &Session) -> Option<BorrowedFd<'_>> {
        session.child_process().map(|process| process.handle())
    }
}

//! Escape hatches: the operating system's own handles.
//!
//! What is done with them is not covered by this library's promises.

#[cfg(target_os = "linux")]
pub use linux::Waker;
#[cfg(target_os = "macos")]
pub use macos::Waker;

/// Linux.
#[cfg(target_os = "linux")]
pub mod linux {
    mod waker;

    pub use waker::Waker;

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
        surface.memory().handle()
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

/// macOS.
#[cfg(target_os = "macos")]
pub mod macos {
    mod draw;
    mod poc;
    mod waker;

    pub use draw::{BitmapContext, Texture, bitmap_context, texture};
    pub use poc::{PocChild, PocEvent, PocHost};
    pub use waker::Waker;

    use std::ffi::c_void;
    use std::ptr::NonNull;

    use crate::session::Session;
    use crate::surface::Surface;
    use crate::sys::Process;

    /// The `IOSurfaceRef` behind a surface, borrowed from it: what a layer or a
    /// Metal texture takes. The child can write it at any time.
    ///
    /// ```no_run
    /// use surfaceport::{Frame, os::macos::surface_ref};
    ///
    /// fn contents(frame: &Frame) -> std::ptr::NonNull<std::ffi::c_void> {
    ///     surface_ref(frame.surface())
    /// }
    /// ```
    #[must_use]
    pub fn surface_ref(surface: &Surface) -> NonNull<c_void> {
        surface.memory().surface_ref()
    }

    /// Whether the window server or any process uses the surface
    /// (`IOSurfaceIsInUse`): while it does, the child must not draw into it.
    ///
    /// ```no_run
    /// use surfaceport::{Lease, os::macos::is_in_use};
    ///
    /// fn can_be_released(lease: &Lease) -> bool {
    ///     !is_in_use(lease.surface())
    /// }
    /// ```
    #[must_use]
    pub fn is_in_use(surface: &Surface) -> bool {
        surface.memory().is_in_use()
    }

    /// The process id of a session's child, while there is one. It is reaped by
    /// the session.
    ///
    /// ```no_run
    /// use surfaceport::{Session, os::macos::child_pid};
    ///
    /// fn is_there(session: &Session) -> bool {
    ///     child_pid(session).is_some()
    /// }
    /// ```
    #[must_use]
    pub fn child_pid(session: &Session) -> Option<u32> {
        session.child_process().map(Process::pid)
    }
}

//! Wakes the main run loop when one of some fds is readable.
//!
//! A view's fd is a kqueue, which others can wait on as on any fd (kqueue(2)).
//! `CFFileDescriptor` makes a source of a run loop of it; it fires once and has
//! to be enabled again, which is just what the contract of a view's fd asks for:
//! it may be polled only after `dispatch` had nothing left to say.
//!
//! Type-checked and linked; not run on a Mac yet (docs/on-a-mac.md).

#![allow(unsafe_code, reason = "CoreFoundation calls back with a pointer")]

use std::ffi::c_void;
use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, IntoRawFd};
use std::sync::Arc;

use objc2_core_foundation::{
    CFFileDescriptor, CFFileDescriptorContext, CFOptionFlags, CFRetained, CFRunLoop,
    kCFFileDescriptorReadCallBack, kCFRunLoopCommonModes,
};

use crate::sync::{AtomicBool, Ordering};

/// Wakes the main run loop, which every toolkit's event loop on macOS is: winit's,
/// and that of `NSApplication`. It does so during a live resize, too.
///
/// ```no_run
/// use std::os::fd::AsFd as _;
/// use surfaceport::{HeadlessPane, View, os::macos::Waker};
///
/// /// `send` is called by the main run loop; it says whether anybody still
/// /// listens.
/// fn wake_for(
///     view: &mut View<HeadlessPane>,
///     send: impl Fn() -> bool + Send + 'static,
/// ) -> Result<Waker, Box<dyn std::error::Error>> {
///     let waker = Waker::new(&[view.as_fd()], send)?;
///     // In the loop, after each turn:
///     while let Some(_event) = view.dispatch()? {}
///     waker.again();
///     Ok(waker)
/// }
/// ```
pub struct Waker {
    shared: Arc<Shared>,
    descriptors: Vec<CFRetained<CFFileDescriptor>>,
}

/// What the run loop calls.
struct Shared {
    wake: Box<dyn Fn() -> bool + Send>,
    /// It has not been called since `again`.
    armed: AtomicBool,
}

impl Waker {
    /// Calls `wake`, on the main thread, once when one of the fds is readable,
    /// and then only after [`again`](Self::again).
    ///
    /// # Errors
    ///
    /// If the system has no more files.
    pub fn new(
        fds: &[BorrowedFd<'_>],
        wake: impl Fn() -> bool + Send + 'static,
    ) -> io::Result<Self> {
        #[expect(clippy::arc_with_non_send_sync, reason = "counted anywhere, used by one thread")]
        let shared = Arc::new(Shared { wake: Box::new(wake), armed: AtomicBool::new(true) });
        let mut waker = Self { shared, descriptors: Vec::with_capacity(fds.len()) };
        let run_loop = CFRunLoop::main().ok_or_else(no_room)?;
        for fd in fds {
            let descriptor = waker.descriptor(*fd)?;
            let source = CFFileDescriptor::new_run_loop_source(None, Some(&descriptor), 0);
            let source = source.ok_or_else(no_room)?;
            // SAFETY: reads a constant that CoreFoundation sets when it is loaded.
            run_loop.add_source(Some(&source), unsafe { kCFRunLoopCommonModes });
            waker.descriptors.push(descriptor);
        }
        waker.enable();
        Ok(waker)
    }

    /// CoreFoundation's own handle of an fd: a copy, which it closes.
    fn descriptor(&self, fd: BorrowedFd<'_>) -> io::Result<CFRetained<CFFileDescriptor>> {
        let own = fd.try_clone_to_owned()?.into_raw_fd();
        let context = CFFileDescriptorContext {
            version: 0,
            info: Arc::as_ptr(&self.shared).cast_mut().cast(),
            retain: Some(retain),
            release: Some(release),
            copyDescription: None,
        };
        // SAFETY: the context is copied, and its pointer is to what `retain` and
        // `release` count and `readable` takes (CFFileDescriptor.h).
        let made =
            unsafe { CFFileDescriptor::new(None, own, true, Some(readable), &raw const context) };
        made.ok_or_else(no_room)
    }

    /// The fds are of interest again. To be called after each turn of the loop,
    /// once all that is behind them has been dispatched.
    pub fn again(&self) {
        if !self.shared.armed.swap(true, Ordering::AcqRel) {
            self.enable();
        }
    }

    fn enable(&self) {
        for descriptor in &self.descriptors {
            descriptor.enable_call_backs(kCFFileDescriptorReadCallBack);
        }
    }
}

fn no_room() -> io::Error {
    io::Error::other("the run loop takes no more sources")
}

/// One of the fds is readable; it says nothing more until it is enabled again.
unsafe extern "C-unwind" fn readable(
    _descriptor: *mut CFFileDescriptor,
    _what: CFOptionFlags,
    info: *mut c_void,
) {
    // SAFETY: the pointer is that of `descriptor`'s context, which is counted
    // for as long as the descriptor is valid.
    let shared = unsafe { &*info.cast::<Shared>() };
    if shared.armed.swap(false, Ordering::AcqRel) {
        // Nobody listens any more: then nobody calls `again`, either.
        let _listening = (shared.wake)();
    }
}

unsafe extern "C-unwind" fn retain(info: *mut c_void) -> *mut c_void {
    // SAFETY: the pointer is of an `Arc` that is alive, as whoever retains holds
    // it.
    unsafe { Arc::increment_strong_count(info.cast::<Shared>()) };
    info
}

unsafe extern "C-unwind" fn release(info: *mut c_void) {
    // SAFETY: gives up what `retain` counted.
    unsafe { Arc::decrement_strong_count(info.cast::<Shared>()) };
}

impl Drop for Waker {
    /// Takes the sources out of the run loop, and closes the copies of the fds.
    fn drop(&mut self) {
        for descriptor in &self.descriptors {
            descriptor.invalidate();
        }
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker").field("fds", &self.descriptors.len()).finish_non_exhaustive()
    }
}

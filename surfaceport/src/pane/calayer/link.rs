//! When the display wants a frame: a display link.
//!
//! `CADisplayLink`, which follows the view from screen to screen, where the
//! system has it (macOS 14); `CVDisplayLink` before. The first is called by the
//! main run loop, the second by a thread of its own; both only note the time and
//! write a byte, so that whoever polls the pane's fd hears of it.

use std::ffi::c_void;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use objc2::rc::Retained;
use objc2::runtime::{NSObject, NSObjectProtocol};
use objc2::{DefinedClass, MainThreadMarker, MainThreadOnly, define_class, msg_send, sel};
use objc2_app_kit::NSView;
use objc2_core_foundation::CFRetained;
use objc2_core_video::{
    CVDisplayLink, CVGetCurrentHostTime, CVGetHostClockFrequency, CVOptionFlags, CVReturn,
    CVTimeStamp, kCVReturnSuccess,
};
use objc2_foundation::{NSRunLoop, NSRunLoopCommonModes};
use objc2_quartz_core::{CACurrentMediaTime, CADisplayLink};

use crate::error::{Error, PaneError};
use crate::sync::{AtomicBool, AtomicU64, Ordering};
use crate::time::Timestamp;

/// Ticks of the display that a view is on.
#[derive(Debug)]
pub(super) struct Link {
    pulse: Arc<Pulse>,
    /// Readable after a tick.
    ticked: UnixStream,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    View(Retained<CADisplayLink>),
    Video(CFRetained<CVDisplayLink>),
}

/// What is shared with the callback.
#[derive(Debug)]
struct Pulse {
    /// A tick is wanted.
    wanted: AtomicBool,
    /// The time that the tick is for, in nanoseconds; 0: there was none.
    at: AtomicU64,
    bell: UnixStream,
}

impl Pulse {
    /// A tick for a time that is so many seconds away.
    fn tick(&self, ahead: f64) {
        if !self.wanted.swap(false, Ordering::AcqRel) {
            return;
        }
        // No display is a second ahead; a clock may be wrong.
        let ahead = Duration::try_from_secs_f64(ahead).unwrap_or_default();
        let at = Timestamp::now() + ahead.min(Duration::from_secs(1));
        self.at.store(at.as_nanos(), Ordering::Release);
        // There is room: a tick is wanted only after the last one was read.
        let _told = (&self.bell).write(&[0]);
    }
}

impl Link {
    /// The link of a view.
    pub(super) fn new(view: &NSView, main: MainThreadMarker) -> Result<Self, Error> {
        let failed = |source| Error::Os { doing: "creating a display link", source };
        let (ticked, bell) = UnixStream::pair().map_err(failed)?;
        for end in [&ticked, &bell] {
            end.set_nonblocking(true).map_err(failed)?;
        }
        let (wanted, at) = (AtomicBool::new(true), AtomicU64::new(0));
        let pulse = Arc::new(Pulse { wanted, at, bell });
        let selector = sel!(displayLinkWithTarget:selector:);
        let kind = if view.respondsToSelector(selector) {
            let target = Target::new(Arc::clone(&pulse), main);
            // SAFETY: the target has the method, with the argument that a display
            // link calls it with (CADisplayLink.h); the link keeps the target.
            let link = unsafe { view.displayLinkWithTarget_selector(&target, sel!(tick:)) };
            // SAFETY: this is the main thread, whose run loop it is; the mode is a
            // constant of Foundation's.
            unsafe {
                link.addToRunLoop_forMode(&NSRunLoop::mainRunLoop(), NSRunLoopCommonModes);
            }
            Kind::View(link)
        } else {
            Kind::Video(video_link(&pulse)?)
        };
        Ok(Self { pulse, ticked, kind })
    }

    /// Asks for a tick.
    pub(super) fn want(&self) {
        self.pulse.wanted.store(true, Ordering::Release);
        if let Kind::View(link) = &self.kind {
            link.setPaused(false);
        }
    }

    /// The time that it ticked for, if it did.
    pub(super) fn poll(&self) -> Option<Timestamp> {
        loop {
            match (&self.ticked).read(&mut [0; 8]) {
                Ok(1..) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Nothing more. (The other end is ours, and open.)
                _ => break,
            }
        }
        let at = self.pulse.at.swap(0, Ordering::AcqRel);
        if at == 0 {
            return None;
        }
        if let Kind::View(link) = &self.kind {
            link.setPaused(true);
        }
        Some(Timestamp::from_nanos(at))
    }

    /// Readable once it has ticked.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.ticked.as_fd()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        match &self.kind {
            Kind::View(link) => link.invalidate(),
            Kind::Video(link) => {
                #[expect(deprecated, reason = "for systems before macOS 14")]
                let _stopped = link.stop();
            }
        }
    }
}

define_class!(
    // SAFETY: NSObject asks nothing of a subclass, and this one has no Drop.
    #[unsafe(super(NSObject))]
    #[thread_kind = MainThreadOnly]
    #[ivars = Arc<Pulse>]
    #[derive(Debug)]
    struct Target;

    impl Target {
        #[unsafe(method(tick:))]
        fn tick(&self, link: &CADisplayLink) {
            // Both are on the clock that stands still while the machine sleeps.
            self.ivars().tick(link.targetTimestamp() - CACurrentMediaTime());
        }
    }
);

impl Target {
    fn new(pulse: Arc<Pulse>, main: MainThreadMarker) -> Retained<Self> {
        let target = Self::alloc(main).set_ivars(pulse);
        // SAFETY: `init` of NSObject takes nothing and gives the object itself.
        unsafe { msg_send![super(target), init] }
    }
}

/// Those that `CVDisplayLink`s call, by their numbers: whether a call can still
/// come after a link was stopped is not documented, so it gets no pointer.
static CALLED: Mutex<Vec<(usize, Weak<Pulse>)>> = Mutex::new(Vec::new());

#[expect(deprecated, reason = "for systems before macOS 14")]
fn video_link(pulse: &Arc<Pulse>) -> Result<CFRetained<CVDisplayLink>, Error> {
    let missing = |_code: CVReturn| PaneError::Missing { what: "display link" };
    let done = |code| if code == kCVReturnSuccess { Ok(()) } else { Err(missing(code)) };
    let mut link = std::ptr::null_mut();
    // SAFETY: writes the local (CVDisplayLink.h).
    done(unsafe { CVDisplayLink::create_with_active_cg_displays(NonNull::from(&mut link)) })?;
    let link = NonNull::new(link).ok_or(missing(0))?;
    // SAFETY: the call above gave it to us, with a reference (Create rule).
    let link = unsafe { CFRetained::from_raw(link) };
    let number = {
        let mut called = CALLED.lock().unwrap_or_else(PoisonError::into_inner);
        called.retain(|(_, pulse)| pulse.strong_count() > 0);
        let number = called.last().map_or(1, |(last, _)| last + 1);
        called.push((number, Arc::downgrade(pulse)));
        number
    };
    let context = std::ptr::without_provenance_mut(number);
    // SAFETY: the callback has the signature of CVDisplayLink.h; its context is a
    // number, never read through.
    done(unsafe { link.set_output_callback(Some(video_tick), context) })?;
    done(link.start())?;
    Ok(link)
}

/// Called by a thread of the link's.
unsafe extern "C-unwind" fn video_tick(
    _link: NonNull<CVDisplayLink>,
    _now: NonNull<CVTimeStamp>,
    shown_at: NonNull<CVTimeStamp>,
    _flags: CVOptionFlags,
    _flags_out: NonNull<CVOptionFlags>,
    context: *mut c_void,
) -> CVReturn {
    // SAFETY: valid and unchanged during the call (CVDisplayLink.h).
    let host_time = unsafe { shown_at.as_ref() }.hostTime;
    let pulse = {
        let called = CALLED.lock().unwrap_or_else(PoisonError::into_inner);
        let known = called.iter().find(|(number, _)| *number == context.addr());
        known.and_then(|(_, pulse)| pulse.upgrade())
    };
    if let Some(pulse) = pulse {
        let ahead = host_time.saturating_sub(CVGetCurrentHostTime());
        #[expect(clippy::cast_precision_loss, reason = "a fraction of a second")]
        pulse.tick(ahead as f64 / CVGetHostClockFrequency());
    }
    kCVReturnSuccess
}

//! What both kernels share: codes, options, and plain descriptions.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

pub(in crate::sys::macos) use crate::sys::mach_frame::Name;

/// What a call of Mach returns: `kern_return_t`, `mach_msg_return_t`, or one of
/// the bootstrap server's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::sys::macos) struct Code(pub(in crate::sys::macos) i32);

#[allow(dead_code, reason = "the simulation needs more of them than the calls do")]
impl Code {
    // mach/kern_return.h
    pub(in crate::sys::macos) const SUCCESS: Self = Self(0);
    pub(in crate::sys::macos) const NO_SPACE: Self = Self(3);
    pub(in crate::sys::macos) const INVALID_ARGUMENT: Self = Self(4);
    pub(in crate::sys::macos) const RESOURCE_SHORTAGE: Self = Self(6);
    pub(in crate::sys::macos) const INVALID_NAME: Self = Self(15);
    pub(in crate::sys::macos) const INVALID_RIGHT: Self = Self(17);
    pub(in crate::sys::macos) const INVALID_OBJECT: Self = Self(29);
    // mach/message.h
    pub(in crate::sys::macos) const SEND_INVALID_DATA: Self = Self(0x1000_0002);
    pub(in crate::sys::macos) const SEND_INVALID_DEST: Self = Self(0x1000_0003);
    pub(in crate::sys::macos) const SEND_TIMED_OUT: Self = Self(0x1000_0004);
    pub(in crate::sys::macos) const SEND_INTERRUPTED: Self = Self(0x1000_0007);
    pub(in crate::sys::macos) const SEND_MSG_TOO_SMALL: Self = Self(0x1000_0008);
    pub(in crate::sys::macos) const SEND_INVALID_RIGHT: Self = Self(0x1000_000a);
    pub(in crate::sys::macos) const SEND_NO_BUFFER: Self = Self(0x1000_000d);
    pub(in crate::sys::macos) const RCV_INVALID_NAME: Self = Self(0x1000_4002);
    pub(in crate::sys::macos) const RCV_TIMED_OUT: Self = Self(0x1000_4003);
    pub(in crate::sys::macos) const RCV_TOO_LARGE: Self = Self(0x1000_4004);
    pub(in crate::sys::macos) const RCV_INTERRUPTED: Self = Self(0x1000_4005);
    pub(in crate::sys::macos) const RCV_PORT_DIED: Self = Self(0x1000_4009);
    // servers/bootstrap.h
    pub(in crate::sys::macos) const BOOTSTRAP_NOT_PRIVILEGED: Self = Self(1100);
    pub(in crate::sys::macos) const BOOTSTRAP_NAME_IN_USE: Self = Self(1101);
    pub(in crate::sys::macos) const BOOTSTRAP_UNKNOWN_SERVICE: Self = Self(1102);
    pub(in crate::sys::macos) const BOOTSTRAP_SERVICE_ACTIVE: Self = Self(1103);

    /// An error, or nothing.
    pub(in crate::sys::macos) fn ok(self) -> Result<(), Self> {
        if self == Self::SUCCESS { Ok(()) } else { Err(self) }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match *self {
            Self::NO_SPACE => "no address space or no room for another port",
            Self::RESOURCE_SHORTAGE | Self::SEND_NO_BUFFER => "the kernel is out of memory",
            Self::INVALID_NAME | Self::INVALID_RIGHT => "no such right",
            Self::SEND_INVALID_DEST => "nobody receives there",
            Self::SEND_TIMED_OUT => "the queue is full",
            Self::BOOTSTRAP_NOT_PRIVILEGED => {
                "the bootstrap server refuses (a sandbox? another program has the name?)"
            }
            _ => "Mach refused",
        };
        write!(f, "{text} (code {:#x})", self.0)
    }
}

impl std::error::Error for Code {}

/// `mach_msg_option_t`
#[allow(dead_code, reason = "the simulation knows them all")]
pub(in crate::sys::macos) mod option {
    pub(in crate::sys::macos) const SEND: i32 = 0x1;
    pub(in crate::sys::macos) const RECEIVE: i32 = 0x2;
    pub(in crate::sys::macos) const SEND_TIMEOUT: i32 = 0x10;
    /// Arms the send-possible notification if there is no room.
    pub(in crate::sys::macos) const SEND_NOTIFY: i32 = 0x80;
    pub(in crate::sys::macos) const RECEIVE_TIMEOUT: i32 = 0x100;
    /// `MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT)`, of type 0.
    pub(in crate::sys::macos) const AUDIT_TRAILER: i32 = 3 << 24;
}

/// `MACH_NOTIFY_*` (mach/notify.h): the ids of the kernel's own messages.
pub(in crate::sys::macos) mod notify {
    pub(in crate::sys::macos) const SEND_POSSIBLE: i32 = 0o102;
    pub(in crate::sys::macos) const NO_SENDERS: i32 = 0o106;
    #[cfg(not(target_os = "macos"))]
    pub(in crate::sys::macos) const SEND_ONCE: i32 = 0o107;
    pub(in crate::sys::macos) const DEAD_NAME: i32 = 0o110;
}

/// `MACH_PORT_DEAD`: what a dead right reads as in a message.
pub(in crate::sys::macos) const DEAD: Name = !0;

/// What a program is started with.
#[derive(Debug)]
pub(in crate::sys::macos) struct Program<'a> {
    pub(in crate::sys::macos) path: &'a PathBuf,
    pub(in crate::sys::macos) args: &'a [OsString],
    /// All of its environment.
    pub(in crate::sys::macos) env: Vec<(OsString, OsString)>,
    #[cfg_attr(not(target_os = "macos"), allow(dead_code, reason = "threads have none"))]
    pub(in crate::sys::macos) current_dir: Option<&'a PathBuf>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sys::macos) enum Status {
    Exited(i32),
    Signalled { signal: i32, core_dumped: bool },
}

/// What asking after a child gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sys::macos) enum Reaped {
    /// It runs.
    Running,
    /// It ended; now it is gone for good.
    Ended(Status),
    /// It is no child of this process, or somebody else asked first.
    Nobody,
}

/// What a kernel queue looks at.
#[derive(Clone, Copy, Debug)]
pub(in crate::sys::macos) enum Watched<'a> {
    /// A receive right with messages.
    Port(Name),
    /// A process that ended; said once.
    Process(i32),
    /// A pipe with bytes, or at its end.
    Pipe(&'a super::PipeReader),
    /// Any fd that can be read.
    #[cfg(target_os = "macos")]
    Fd(std::os::fd::BorrowedFd<'a>),
}

/// What an IOSurface is, as the kernel says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sys::macos) struct Geometry {
    pub(in crate::sys::macos) width: usize,
    pub(in crate::sys::macos) height: usize,
    /// `OSType`
    pub(in crate::sys::macos) format: u32,
    pub(in crate::sys::macos) bytes_per_element: usize,
    /// Pixels of an element; 1 by 1 but for packed formats.
    pub(in crate::sys::macos) element: (usize, usize),
    /// 0: the image is in one piece.
    pub(in crate::sys::macos) planes: usize,
    pub(in crate::sys::macos) bytes_per_row: usize,
    pub(in crate::sys::macos) alloc_size: usize,
}

//! Everything that can go wrong, as types.

use core::fmt;
use std::io;
use std::path::PathBuf;

use crate::geometry::{GeometryError, Size};
use crate::sandbox::SandboxGap;

mod pane;

pub use pane::{CopyReason, PaneError};

/// What a call of this library can fail with.
///
/// Each value's text says what happened and, where there is something to do
/// about it, what.
///
/// ```
/// use surfaceport::{Command, Error, Session};
///
/// let error = Session::spawn(Command::new("/no/such/program")).unwrap_err();
/// assert!(matches!(error, Error::Spawn { .. }));
/// assert!(error.to_string().contains("/no/such/program"));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a call.
    Os {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The system lacks something that this library needs.
    Unsupported {
        /// What is missing.
        feature: &'static str,
        /// From when, or by what setting, it is there.
        needs: &'static str,
    },
    /// There is no memory left for a surface or a page.
    NoSpace {
        /// How much was asked for.
        bytes: u64,
    },
    /// This process has as many files open as it may.
    HandleLimit {
        /// What was being done.
        doing: &'static str,
    },
    /// The program could not be started.
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The sandbox that was required can't be had.
    Sandbox(SandboxGap),
    /// A surface can't be as described.
    Geometry(GeometryError),
    /// A swapchain needs from 2 to 16 slots.
    SlotCount(usize),
    /// The host does not grant this much memory (`Limits::surface_bytes`).
    OverQuota {
        /// Bytes asked for.
        asked: u64,
        /// Bytes that the host still grants.
        granted: u64,
    },
    /// The host refuses surfaces above this size.
    OverSize {
        /// The size asked for.
        asked: Size,
        /// The largest that the host accepts.
        largest: Size,
    },
    /// The host refused the swapchain for want of resources of its own.
    Refused,
    /// The two sides have no protocol version in common.
    VersionMismatch {
        /// Ours, lowest and highest.
        ours: (u16, u16),
        /// Theirs, lowest and highest.
        theirs: (u16, u16),
    },
    /// One side needs features that the other lacks (bits of `PROTOCOL.md`).
    FeatureMismatch {
        /// The bits that are missing.
        missing: u64,
    },
    /// The other process broke the protocol; its connection was ended.
    Violation(Violation),
    /// The child ended, and is not started again.
    ChildGone(Box<Exit>),
    /// The host has ended or closed the connection: time to exit.
    HostGone,
    /// This process was not started by a host.
    NoHost {
        /// The variable by which one would have said how to reach it.
        variable: &'static str,
    },
    /// All slots are with the host, and the deadline passed.
    NoFreeSlot,
    /// The same, and the host says that nobody can see the frames.
    Hidden,
    /// The generation has been replaced; set up a swapchain or use the newer one.
    Stale,
    /// The deadline passed.
    TimedOut {
        /// What was being waited for.
        waiting_for: &'static str,
    },
    /// There is no connection at the moment (the child is being started again).
    NotConnected,
    /// A user message is longer than `MAX_USER_BYTES`.
    MessageTooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// The other side does not read its messages; this one was not sent.
    QueueFull,
    /// A name may have 1 to 64 of the characters `A-Z a-z 0-9 . _ -` and start
    /// with none of the last three.
    BadName(String),
    /// Another process is listening under this name.
    NameInUse(String),
    /// Nobody is listening under this name.
    NoSuchName(String),
    /// The directory for named sockets is not ours alone.
    UnsafeDirectory {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A process of another user asked to connect.
    PeerRefused {
        /// Its user id.
        uid: u32,
    },
    /// A pane can't show frames, or can't do so any more. The child lives on.
    Pane(PaneError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Os { doing, source } => write!(f, "{doing}: {source}"),
            Self::Unsupported { feature, needs } => {
                write!(f, "this system has no {feature}; it needs {needs}")
            }
            Self::NoSpace { bytes } => {
                write!(f, "no memory for {bytes} bytes of surface; make it smaller or free some")
            }
            Self::HandleLimit { doing } => {
                write!(f, "{doing}: too many open files; close some or raise the limit (ulimit -n)")
            }
            Self::Spawn { program, source } => {
                write!(f, "can't start {}: {source}", program.display())
            }
            Self::Sandbox(gap) => write!(
                f,
                "the required sandbox can't be had: {gap}; use another system, or ask for what \
                 there is by Command::sandbox"
            ),
            Self::Geometry(error) => error.fmt(f),
            Self::Pane(error) => error.fmt(f),
            Self::SlotCount(count) => {
                write!(f, "a swapchain has 2 to 16 slots, not {count}")
            }
            Self::OverQuota { asked, granted } => write!(
                f,
                "the host grants {granted} bytes of surfaces, and {asked} were asked for; use \
                 fewer or smaller ones, or raise Limits::surface_bytes"
            ),
            Self::OverSize { asked, largest } => write!(
                f,
                "the host accepts surfaces up to {largest}, not {asked}; raise Limits::surface_size"
            ),
            Self::Refused => {
                write!(f, "the host is out of resources and refused the swapchain; try again later")
            }
            Self::VersionMismatch { ours, theirs } => write!(
                f,
                "no common protocol version: this side speaks {} to {}, the other {} to {}",
                ours.0, ours.1, theirs.0, theirs.1
            ),
            Self::FeatureMismatch { missing } => {
                write!(f, "the other side lacks required features (bits {missing:#x})")
            }
            Self::Violation(violation) => write!(f, "the peer broke the protocol: {violation}"),
            Self::ChildGone(exit) => exit.fmt(f),
            Self::HostGone => write!(f, "the host is gone"),
            Self::NoHost { variable } => write!(
                f,
                "no host: this program draws for another one, which starts it with \
                 {variable} set (or give it the name of a listening host)"
            ),
            Self::NoFreeSlot => write!(f, "every slot is with the host"),
            Self::Hidden => write!(f, "every slot is with the host, and nobody can see the frames"),
            Self::Stale => write!(f, "the swapchain has been replaced by a newer one"),
            Self::TimedOut { waiting_for } => write!(f, "timed out waiting for {waiting_for}"),
            Self::NotConnected => write!(f, "no child is connected at the moment"),
            Self::MessageTooLong { len, max } => {
                write!(f, "a message of {len} bytes is too long: {max} is the limit")
            }
            Self::QueueFull => write!(f, "the other side does not read its messages"),
            Self::BadName(name) => write!(
                f,
                "{name:?} is no usable name: use 1 to 64 of A-Z a-z 0-9 . _ - and start with a \
                 letter or digit"
            ),
            Self::NameInUse(name) => {
                write!(f, "the name {name:?} is in use by another process")
            }
            Self::NoSuchName(name) => write!(f, "nobody is listening under the name {name:?}"),
            Self::UnsafeDirectory { path, why } => {
                write!(f, "{} can't hold sockets: {why}", path.display())
            }
            Self::PeerRefused { uid } => {
                write!(f, "refused a connection from another user (uid {uid})")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Os { source, .. } | Self::Spawn { source, .. } => Some(source),
            Self::Geometry(error) => Some(error),
            Self::Pane(error) => Some(error),
            _ => None,
        }
    }
}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

macro_rules! violations {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// How a peer can break the protocol. Each ends its connection unless
        /// its text says otherwise, and each is counted by itself.
        ///
        /// ```
        /// use surfaceport::Violation;
        ///
        /// for violation in Violation::ALL {
        ///     println!("{violation:?}: {violation}");
        /// }
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Violation {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Violation {
            /// Every one, in order.
            pub const ALL: &[Self] = &[$(Self::$name,)+];
        }

        impl fmt::Display for Violation {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$name => $text,)+
                })
            }
        }
    };
}

violations! {
    /// A message ends before its fields do.
    ShortMessage = "a message is too short",
    /// A message is longer than its fields or than any message may be.
    LongMessage = "a message is too long",
    /// The length in a message's header is not the packet's.
    LengthMismatch = "a message's length is not the packet's",
    /// No message has this number, or not in this direction.
    UnknownMessage = "a message of an unknown kind",
    /// Hello does not start with the magic number: not a surfaceport child.
    BadMagic = "a Hello without the magic number (not a surfaceport child?)",
    /// A field holds a value that it can't have, or reserved bits are set.
    BadField = "a message with an impossible field",
    /// Handles beside a message that has none.
    UnexpectedHandles = "handles beside a message that carries none",
    /// Fewer handles than the message declares.
    MissingHandles = "fewer handles than declared",
    /// More handles than the message declares or than fit.
    TooManyHandles = "more handles than declared",
    /// A message that is not allowed in this state, a second Hello among them.
    WrongState = "a message in the wrong state",
    /// A Setup for a generation that is not the next one.
    WrongGeneration = "a Setup for a generation that is not the next",
    /// A Setup while two generations are live.
    TooManyGenerations = "a Setup before an old generation was retired",
    /// No Hello before the deadline.
    HandshakeTimeout = "no Hello before the deadline",
    /// The peer does not read its messages.
    NotReading = "does not read its messages",
    /// The host's calls on what it shares with the peer (a bell, the channel, the
    /// output) take long: thousands wait on the peer's end of it.
    CrowdedHandle = "makes the host's system calls slow by what it hangs on a shared handle",
    /// A surface is not a sealable memory file.
    NotMemory = "a surface is not a memory file",
    /// A surface lies in huge pages, which can vanish under a reader.
    HugePages = "a surface lies in huge pages",
    /// A surface can still be cut short: seals are missing.
    NotSealed = "a surface is not sealed against resizing",
    /// A surface is sealed against writing, which display servers refuse.
    SealedAgainstWrite = "a surface is sealed against writing",
    /// A surface's handle does not allow writing, which display servers need.
    ReadOnlyHandle = "a surface's handle is read-only",
    /// A surface's memory is not as long as declared.
    WrongLength = "a surface's memory has another length than declared",
    /// A surface's memory has holes.
    Sparse = "a surface's memory is not allocated",
    /// Size or stride can't be.
    BadGeometry = "impossible geometry",
    /// No such pixel format or colour space.
    BadFormat = "unknown pixel format or colour space",
    /// A swapchain of fewer than 2 or more than 16 slots.
    BadSlotCount = "a swapchain of fewer than 2 or more than 16 slots",
    /// The word names a slot that the swapchain does not have.
    SlotOutOfRange = "a frame in a slot that does not exist",
    /// The word names a slot that the host holds.
    SlotHeld = "a frame in a slot that the host holds",
    /// The word's sequence is not ahead of the last one.
    SequenceNotNewer = "a frame that is not newer than the last",
    /// The word's frame went away untaken, or its own slot is given back with it.
    BadWord = "an impossible control word",
    /// The word gives back a slot that does not exist.
    FreeOutOfRange = "a free slot that does not exist",
    /// The word gives back a slot that the host holds.
    FreeHeld = "a free slot that the host holds",
    /// The fifo ring's entry is not the frame that is next.
    RingMismatch = "a fifo entry that is not the next frame",
    /// More unread frames than slots.
    TooManyUnread = "more unread frames than slots",
}

/// How a child ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExitReason {
    /// It ended by itself with this code.
    Exited(i32),
    /// A signal ended it.
    Signalled {
        /// The signal's number.
        signal: i32,
        /// Whether it left a core file.
        core_dumped: bool,
    },
    /// The host ended it because it broke the protocol.
    Violation(Violation),
    /// The two have no protocol version in common.
    VersionMismatch {
        /// The host's, lowest and highest.
        ours: (u16, u16),
        /// The child's, lowest and highest.
        theirs: (u16, u16),
    },
    /// The child can't do without features that the host lacks (bits of
    /// `PROTOCOL.md`).
    FeatureMismatch {
        /// The bits that are missing.
        missing: u64,
    },
    /// The host ended it because its sandbox has a gap, and was required.
    NotSandboxed(SandboxGap),
    /// Its sandbox ended it: it made a system call that only an attacker makes.
    ForbiddenCall,
    /// It gave no sign of life, and the host does not put up with that
    /// ([`Limits::end_stalled`](crate::Limits::end_stalled)).
    Stalled,
    /// The host ended it on request.
    Closed,
    /// It could not be started again; its last lines say why.
    NotStarted,
    /// It closed the connection without a word and did not exit in time, or it
    /// was a child that had connected by name, or somebody else took its status.
    Disconnected,
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exited with code {code}"),
            Self::Signalled { signal, core_dumped } => {
                let core = if *core_dumped { ", core dumped" } else { "" };
                write!(f, "was killed by signal {signal}{core}")
            }
            Self::Violation(violation) => {
                write!(f, "was ended for breaking the protocol: {violation}")
            }
            Self::VersionMismatch { ours, theirs } => write!(
                f,
                "speaks protocol versions {} to {}, and this host {} to {}",
                theirs.0, theirs.1, ours.0, ours.1
            ),
            Self::FeatureMismatch { missing } => {
                write!(f, "can't do without features that this host lacks (bits {missing:#x})")
            }
            Self::NotSandboxed(gap) => {
                write!(f, "was ended because its sandbox was required, and {gap}")
            }
            Self::ForbiddenCall => {
                write!(f, "was ended by its sandbox for a forbidden system call")
            }
            Self::Stalled => write!(f, "was ended for giving no sign of life"),
            Self::Closed => write!(f, "was closed"),
            Self::NotStarted => write!(f, "could not be started again"),
            Self::Disconnected => write!(f, "disconnected"),
        }
    }
}

/// The end of a child: why, and its last words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exit {
    /// Why it ended.
    pub reason: ExitReason,
    /// Its process id, if it was a process of ours.
    pub pid: Option<u32>,
    /// Whether it had said Hello; a program that never does is not a
    /// surfaceport child, or failed early.
    pub connected: bool,
    /// The last lines that it wrote to stderr, at most 20.
    pub last_lines: Vec<String>,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the child {}", self.reason)?;
        if !self.connected {
            write!(f, " before it said Hello; is it a surfaceport child?")?;
        }
        for line in &self.last_lines {
            write!(f, "\n  | {line}")?;
        }
        Ok(())
    }
}

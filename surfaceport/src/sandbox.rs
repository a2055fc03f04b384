//! How a child is kept from the system.

use core::fmt;

/// What a sandboxed child can still do.
///
/// A sandbox goes up in two steps. *Before the child's program starts*, it has no
/// capabilities and no way to new ones, no files of the host, few handles, no core
/// file; it reads and runs only what the system's own folders hold and what
/// [`Command::sandbox_read`](crate::Command::sandbox_read) adds; it writes no file,
/// opens no socket, starts no process, signals nobody, and ends at the first try to
/// trace, mount or the like. *When it calls
/// [`Renderer::connect`](crate::Renderer::connect)* the sandbox closes: what
/// remains is drawing. So a child loads its fonts and pictures first, and connects
/// before it looks at anything that it can't trust.
///
/// A child that never connects, or that does not use this library, stays in the
/// first step; [`Confinement`] says so. `SAFETY.md` lists what each level permits.
///
/// ```no_run
/// use surfaceport::{Command, Sandbox, Session};
///
/// let command = Command::new("my-renderer")
///     .require_sandbox(Sandbox::Renderer)
///     .sandbox_read("/opt/my-app/fonts");
/// let session = Session::spawn(command)?;
/// # Ok::<(), surfaceport::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sandbox {
    /// For a child that draws with the processor: once closed, no file at all, no
    /// new code, memory and threads only.
    Renderer,
    /// For a child that draws with a graphics driver: once closed, it may still read
    /// what it could before, make new code (drivers compile shaders), and open and
    /// control the render nodes of graphics cards.
    Gpu,
}

impl fmt::Display for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Renderer => "renderer",
            Self::Gpu => "gpu",
        })
    }
}

/// What a sandbox lacks on this system, or with this child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SandboxGap {
    /// The system can't confine files (on Linux: no Landlock): a
    /// [`Sandbox::Renderer`] reads what the user can read until it is closed, a
    /// [`Sandbox::Gpu`] always, and writes to files that are there.
    Files,
    /// The system can't filter system calls (on Linux: no seccomp).
    SystemCalls,
    /// The child did not close it: it does not use this library, or could not.
    NotClosed,
}

impl fmt::Display for SandboxGap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Files => "files are not confined (Landlock: Linux 5.13, and enabled)",
            Self::SystemCalls => "system calls are not filtered (seccomp)",
            Self::NotClosed => "the child did not close it (is it a surfaceport child in Rust?)",
        })
    }
}

/// What became of the sandbox that a host asked for, from
/// [`Session::sandbox`](crate::Session::sandbox).
///
/// It is what the host did and what the kernel says of the child, not what the
/// child says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confinement {
    level: Sandbox,
    means: String,
    gaps: Vec<SandboxGap>,
}

impl Confinement {
    pub(crate) fn new(level: Sandbox, means: String, gaps: Vec<SandboxGap>) -> Self {
        Self { level, means, gaps }
    }

    /// What was asked for.
    #[must_use]
    pub fn level(&self) -> Sandbox {
        self.level
    }

    /// By what means the system confines the child, as text: `Landlock 7, seccomp`.
    #[must_use]
    pub fn means(&self) -> &str {
        &self.means
    }

    /// What is missing; empty: it is all there.
    #[must_use]
    pub fn gaps(&self) -> &[SandboxGap] {
        &self.gaps
    }
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { level, means, gaps } = self;
        write!(f, "sandbox {level} by {means}")?;
        for (i, gap) in gaps.iter().enumerate() {
            write!(f, "{} {gap}", if i == 0 { ", but" } else { ";" })?;
        }
        Ok(())
    }
}

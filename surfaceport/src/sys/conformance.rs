//! One suite, run over each facade: what a platform's folder must do.
//!
//! The tests drive the facade, not the protocol. Each file of `conformance/` is
//! plain code that says `sys` for the facade, and becomes part of this file
//! once for each of them; `sys::testing` is what a facade offers to its tests
//! only. What only one platform has is tested in that platform's folder.
//!
//! Times: a test asserts that something took long enough, never that it was
//! quick. Where something must happen, it may take as long as [`PATIENCE`].

use std::time::Duration;

/// Far longer than anything takes; only a test that fails waits for so long.
const PATIENCE: Duration = Duration::from_secs(30);
/// Long enough that what should not happen would have.
const A_WHILE: Duration = Duration::from_millis(20);

macro_rules! conformance {
    ($name:ident, $facade:path) => {
        mod $name {
            mod tools {
                use $facade as sys;
                include!("conformance/tools.rs");
            }
            mod messages {
                use $facade as sys;
                include!("conformance/messages.rs");
            }
            mod memory {
                use $facade as sys;
                include!("conformance/memory.rs");
            }
            mod surfaces {
                use $facade as sys;
                include!("conformance/surfaces.rs");
            }
            mod bells {
                use $facade as sys;
                include!("conformance/bells.rs");
            }
            mod wait {
                use $facade as sys;
                include!("conformance/wait.rs");
            }
            mod process {
                use $facade as sys;
                include!("conformance/process.rs");
            }
            mod names {
                use $facade as sys;
                include!("conformance/names.rs");
            }
        }
    };
}

#[cfg(target_os = "linux")]
conformance!(linux, crate::sys::linux);
conformance!(inproc, crate::sys::inproc);
// On a Mac the real one, elsewhere over the simulation.
conformance!(macos, crate::sys::macos);

// For rustfmt, which looks into modules only.
#[cfg(rustfmt)]
mod bells;
#[cfg(rustfmt)]
mod memory;
#[cfg(rustfmt)]
mod messages;
#[cfg(rustfmt)]
mod names;
#[cfg(rustfmt)]
mod process;
#[cfg(rustfmt)]
mod surfaces;
#[cfg(rustfmt)]
mod tools;
#[cfg(rustfmt)]
mod wait;

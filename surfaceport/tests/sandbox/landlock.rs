//! The sandbox on older kernels' Landlock.

use surfaceport::{Error, Sandbox, SandboxGap, Session};

use crate::support::{self, parameter, start};
use crate::{Prey, confined, denied_but_files, hunt};

/// A host on a kernel with Landlock `ABI`.
pub(crate) fn host() -> Result<(), Error> {
    let abi: u32 = parameter("ABI", 0);
    servers::landlock::become_old(abi, parameter("ERRNO", libc::ENOSYS));
    assert_eq!(surfaceport::os::linux::landlock_abi(), abi);
    let prey = Prey::new();
    for level in [Sandbox::Renderer, Sandbox::Gpu] {
        for at_start in [false, true] {
            let early = if at_start { "1" } else { "0" };
            let results = hunt(prey.hunted_by(Some(level)).env("AT_START", early));
            denied_but_files(&results, level, at_start, abi == 0);
        }
    }
    let required = start("free").require_sandbox(Sandbox::Renderer);
    if abi == 0 {
        let refused = Session::spawn(required);
        assert!(matches!(refused, Err(Error::Sandbox(SandboxGap::Files))), "{refused:?}");
        let mut session = Session::spawn(start("free").sandbox(Sandbox::Renderer))?;
        drop(support::frame(&mut session));
        assert_eq!(session.sandbox().unwrap().gaps(), [SandboxGap::Files]);
    } else {
        let (_, means) = confined(required);
        assert_eq!(means, format!("Landlock {abi}, seccomp, limits"));
    }
    Ok(())
}

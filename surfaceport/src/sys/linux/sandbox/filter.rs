//! System-call filters: seccomp(2).

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{BpfProgram, SeccompAction as Action, SeccompFilter, TargetArch};

use super::calls::{self, Call};
use crate::sandbox::Sandbox;

/// Compiled, to be installed one after the other: of several answers to a call the
/// kernel takes the strictest, and of equally strict ones the last filter's.
#[derive(Clone, Debug, Default)]
pub(super) struct Filters(pub(super) Vec<BpfProgram>);

impl Filters {
    /// What goes up before the program starts; empty where there is no seccomp.
    pub(super) fn at_start(level: Sandbox, own_signals: bool) -> Self {
        let refused = |errno: i32| Action::Errno(errno.cast_unsigned());
        let programs = || {
            Some(vec![
                allow(calls::at_start(level, own_signals))?,
                answer(calls::UNKNOWN, refused(libc::ENOSYS))?,
                answer(calls::DEADLY, Action::KillProcess)?,
            ])
        };
        Self(available().then(programs).flatten().unwrap_or_default())
    }

    /// What closes it, in the process `pid`.
    pub(super) fn closed(level: Sandbox, pid: u32) -> Option<BpfProgram> {
        available().then(|| allow(calls::closed(level, pid))).flatten()
    }
}

/// Refuses all but these.
fn allow(calls: Vec<Call>) -> Option<BpfProgram> {
    let rules = calls.into_iter().filter_map(|Call { number, when }| match when {
        None => Some((number, Vec::new())),
        // Without rules it would be allowed whatever its arguments.
        Some(rules) if rules.is_empty() => None,
        Some(rules) => Some((number, rules)),
    });
    compile(rules.collect(), Action::Errno(libc::EPERM.cast_unsigned()), Action::Allow)
}

/// Gives these an answer, and leaves the others alone.
fn answer(calls: &[c_long], action: Action) -> Option<BpfProgram> {
    let rules = calls.iter().map(|call| (*call, Vec::new()));
    compile(rules.collect(), Action::Allow, action)
}

type Rules = BTreeMap<c_long, Vec<seccompiler::SeccompRule>>;

fn compile(rules: Rules, otherwise: Action, then: Action) -> Option<BpfProgram> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).ok()?;
    SeccompFilter::new(rules, otherwise, then, arch).ok()?.try_into().ok()
}

/// Whether this kernel filters calls and ends processes by that.
pub(super) fn available() -> bool {
    let action = libc::SECCOMP_RET_KILL_PROCESS;
    let has = libc::SECCOMP_GET_ACTION_AVAIL;
    // SAFETY: the call reads one u32, which lives until it returns.
    unsafe { libc::syscall(libc::SYS_seccomp, has, 0, &raw const action) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_compile_and_fit() {
        for level in [Sandbox::Renderer, Sandbox::Gpu] {
            let start = Filters::at_start(level, true).0;
            let closed = Filters::closed(level, 1).unwrap();
            assert_eq!(start.len(), 3);
            // BPF_MAXINSNS
            assert!(start.iter().chain([&closed]).all(|program| program.len() < 4096));
        }
    }
}

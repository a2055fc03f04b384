//! Files, sockets and signals: Landlock (landlock(7)).

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError, Scope,
};

use crate::error::Error;
use crate::sandbox::Sandbox;

/// All that the crate knows; of that the kernel takes what it knows.
const NEWEST: ABI = ABI::V10;
/// From this on, signals stay within the sandbox.
pub(super) const SIGNALS_ABI: u32 = 6;

/// Programs, libraries, fonts, and what the dynamic linker reads.
const SYSTEM: &[&str] = &[
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/bin",
    "/sbin",
    "/nix/store",
    "/gnu/store",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/etc/fonts",
    "/etc/localtime",
    "/dev/urandom",
    "/dev/random",
    "/dev/zero",
];
/// What graphics drivers look at.
const DRIVERS: &[&str] = &[
    "/etc/vulkan",
    "/etc/glvnd",
    "/etc/drirc",
    "/sys/bus/pci",
    "/sys/class/drm",
    "/sys/dev/char",
    "/sys/devices",
];

/// The Landlock version that the kernel has; 0: none.
pub(crate) fn landlock_abi() -> u32 {
    const VERSION: u32 = 1;
    let none = std::ptr::null::<libc::c_void>();
    let create = libc::SYS_landlock_create_ruleset;
    // SAFETY: with this flag the call reads no memory and makes nothing.
    let abi = unsafe { libc::syscall(create, none, 0_usize, VERSION) };
    u32::try_from(abi).unwrap_or(0)
}

/// What the child may do with files before it connects, as a descriptor that is
/// applied by one system call. `None` where there is no Landlock.
pub(super) fn at_start(
    level: Sandbox,
    programs: &[PathBuf],
    readable: &[PathBuf],
) -> Result<Option<OwnedFd>, Error> {
    let read = AccessFs::from_read(NEWEST);
    let write = AccessFs::ReadFile | AccessFs::WriteFile;
    let mut rules = everything().map_err(failed)?;
    for path in readable {
        let missing = |error| Error::Os {
            doing: "opening what the sandbox is to let the child read",
            source: std::io::Error::other(format!("{}: {error}", path.display())),
        };
        rules = rules
            .add_rule(beneath(PathFd::new(path).map_err(missing)?, path, read))
            .map_err(failed)?;
    }
    for path in programs.iter().map(PathBuf::as_path).chain(SYSTEM.iter().map(Path::new)) {
        rules = add(rules, path, read)?;
    }
    rules = add(rules, Path::new("/dev/null"), write)?;
    if level == Sandbox::Gpu {
        for path in DRIVERS {
            rules = add(rules, Path::new(path), read)?;
        }
        for device in devices() {
            rules = add(rules, &device, write | AccessFs::IoctlDev)?;
        }
    }
    Ok(rules.into())
}

/// Keeps this thread, and those that it starts, from all files.
pub(super) fn close() -> Result<(), RulesetError> {
    // Calls of other threads are filtered, and Landlock is around all of them from
    // before the start on.
    everything()?.restrict_self().map(drop)
}

/// A ruleset that allows nothing yet.
fn everything() -> Result<RulesetCreated, RulesetError> {
    Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()
}

/// Allows something that this system may lack.
fn add(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, Error> {
    match PathFd::new(path) {
        Ok(fd) => rules.add_rule(beneath(fd, path, access)).map_err(failed),
        Err(_) => Ok(rules),
    }
}

/// What is no folder has no entries to list.
fn beneath(fd: PathFd, path: &Path, access: BitFlags<AccessFs>) -> PathBeneath<PathFd> {
    let folder = if path.is_dir() { access } else { access & AccessFs::from_file(NEWEST) };
    PathBeneath::new(fd, folder)
}

fn failed(error: RulesetError) -> Error {
    Error::Os { doing: "preparing the sandbox", source: std::io::Error::other(error) }
}

/// The render nodes of graphics cards: what draws, never what sets display modes.
fn devices() -> Vec<PathBuf> {
    let named = |folder: &str, start: &str| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let starts = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start))
        };
        entries.map(|entry| entry.path()).filter(starts).collect::<Vec<_>>()
    };
    [named("/dev/dri", "renderD"), named("/dev", "nvidia")].concat()
}

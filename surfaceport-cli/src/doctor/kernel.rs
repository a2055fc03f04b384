//! What the kernel gives: all that the library needs, and what makes it safer.

use std::fs::{File, read_to_string};
use std::path::Path;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::process::{PidfdFlags, Resource, getpid, getrlimit, pidfd_open};
use surfaceport::os::linux::{has_seccomp, landlock_abi};

use super::{Finding, finding};

/// What a child takes of the host's handles: connection, bells, page, process,
/// output and three surfaces.
const HANDLES_PER_CHILD: u64 = 12;

pub(super) fn look() -> Vec<Finding> {
    let mut all = vec![kernel()];
    all.extend(memory_files());
    all.push(finding(
        "processes by handle",
        pidfd_open(getpid(), PidfdFlags::empty()).is_ok(),
        "pidfd_open",
        ("a child's end is heard of at once", "children can't be watched: Linux 5.3 has it"),
    ));
    all.extend(confinement());
    all.extend(limits());
    all.extend(gpu());
    all
}

/// Major and minor.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

fn kernel() -> Finding {
    let system = rustix::system::uname();
    let release = system.release().to_string_lossy();
    finding(
        "Linux 5.14",
        version(&release).is_some_and(|version| version >= (5, 14)),
        format!("this is {release}"),
        ("epoll_pwait2 and pipes that wake every poller are there", "too old: nothing will work"),
    )
}

fn memory_files() -> [Finding; 2] {
    let sealed = || {
        let file = memfd_create("surfaceport-doctor", MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&file, 4096)?;
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)
    };
    let noexec = MemfdFlags::ALLOW_SEALING | MemfdFlags::NOEXEC_SEAL;
    [
        finding(
            "sealed memory files",
            sealed().is_ok(),
            "memfd_create, F_ADD_SEALS",
            ("surfaces can't be cut short under the host", "there can be no surfaces"),
        ),
        finding(
            "MFD_NOEXEC_SEAL",
            memfd_create("surfaceport-doctor", noexec).is_ok(),
            "Linux 6.3 has it",
            ("surfaces can't be run as programs", "surfaces work; they could be run as programs"),
        ),
    ]
}

fn confinement() -> [Finding; 3] {
    let read = |path: &str| read_to_string(path).unwrap_or_default();
    let abi = landlock_abi();
    let number = |path: &str, default| read(path).trim().parse::<u64>().unwrap_or(default);
    let namespaces = number("/proc/sys/user/max_user_namespaces", 0) > 0
        && number("/proc/sys/kernel/unprivileged_userns_clone", 1) > 0
        && number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0) == 0;
    [
        finding(
            "Landlock",
            abi > 0,
            format!("ABI {abi}"),
            (
                "a sandboxed child is kept from files",
                "a sandboxed child is not kept from files: boot with lsm=landlock,…",
            ),
        ),
        finding(
            "seccomp",
            has_seccomp(),
            "filters of system calls",
            (
                "a sandboxed child is kept from most system calls",
                "a sandboxed child is not kept from system calls",
            ),
        ),
        finding(
            "user namespaces",
            namespaces,
            "for users that are not root",
            ("a child could have a network and mounts of its own", "nothing here needs them"),
        ),
    ]
}

fn limits() -> [Finding; 2] {
    let handles = getrlimit(Resource::Nofile).current;
    let children = handles.map_or(u64::MAX, |limit| limit.saturating_sub(32) / HANDLES_PER_CHILD);
    let found = match handles {
        Some(limit) => format!("{limit}: about {children} children at a time"),
        None => "no limit".to_owned(),
    };
    let meminfo = read_to_string("/proc/meminfo").unwrap_or_default();
    let available = meminfo.lines().find_map(|line| {
        line.strip_prefix("MemAvailable:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    });
    let cgroup = read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group_limit = cgroup.and_then(|text| text.trim().parse::<u64>().ok()).map(|b| b >> 10);
    let free = available.into_iter().chain(group_limit).min();
    [
        finding(
            "open files (ulimit -n)",
            children >= 4,
            found,
            ("enough", "raise it: ulimit -n 1024"),
        ),
        Finding {
            topic: "memory",
            there: free.map(|kib| kib >= 64 << 10),
            found: free.map_or("not known".to_owned(), |kib| format!("{} MiB", kib >> 10)),
            so: "three surfaces of 1920x1080 take 24 MiB; /dev/shm is not used",
        },
    ]
}

fn gpu() -> [Finding; 2] {
    let nodes = std::fs::read_dir("/dev/dri").into_iter().flatten().filter_map(Result::ok);
    let mut nodes: Vec<_> = nodes
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().contains("renderD"))
        .collect();
    nodes.sort();
    let usable = |path: &Path| File::options().read(true).write(true).open(path).is_ok();
    let found = nodes.first().map(|path| path.display().to_string());
    let note = "surfaces are for the CPU: nothing here needs it yet";
    let there = |there| if there { Some(true) } else { None };
    [
        Finding {
            topic: "GPU",
            there: there(nodes.first().is_some_and(|path| usable(path))),
            found: found.unwrap_or_else(|| "no render node in /dev/dri".to_owned()),
            so: note,
        },
        Finding {
            topic: "udmabuf",
            there: there(usable(Path::new("/dev/udmabuf"))),
            found: "/dev/udmabuf".to_owned(),
            so: note,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn releases_are_compared_as_numbers() {
        assert_eq!(version("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(version("5.14"), Some((5, 14)));
        assert!(version("5.4.0").unwrap() < (5, 14));
        assert_eq!(version("next"), None);
    }
}

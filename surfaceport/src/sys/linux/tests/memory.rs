//! What memory is made like, and each check of what a peer sends.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};

use rustix::fs::{FallocateFlags, MemfdFlags, Mode, OFlags, SealFlags};
use rustix::pipe::PipeFlags;

use super::super::testing::copies;
use super::*;

const LEN: u64 = 1 << 16;
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);
const FLAGS: MemfdFlags = MemfdFlags::CLOEXEC.union(MemfdFlags::ALLOW_SEALING);

/// A memory file as a peer could make it.
fn memfd(flags: MemfdFlags, allocated: bool, seals: SealFlags) -> OwnedFd {
    let fd = rustix::fs::memfd_create("test", flags).unwrap();
    rustix::fs::ftruncate(&fd, LEN).unwrap();
    if allocated {
        rustix::fs::fallocate(&fd, FallocateFlags::empty(), 0, LEN).unwrap();
    }
    rustix::fs::fcntl_add_seals(&fd, seals).unwrap();
    fd
}

fn good() -> OwnedFd {
    memfd(FLAGS, true, SEALS)
}

/// The same file, opened once more.
fn reopened(fd: &OwnedFd, flags: OFlags) -> OwnedFd {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty()).unwrap()
}

#[track_caller]
fn refused(fd: OwnedFd, because: Violation) {
    assert_violation(Memory::import(fd, LEN), because);
}

#[test]
fn what_is_good_is_taken() {
    let memory = Memory::import(good(), LEN).unwrap();
    assert_eq!(memory.map().unwrap().len() as u64, LEN);
    // With the seal that newer kernels have: there are more than ours.
    if let Ok(fd) = rustix::fs::memfd_create("test", FLAGS | MemfdFlags::NOEXEC_SEAL) {
        drop(fd);
        let fd = memfd(FLAGS | MemfdFlags::NOEXEC_SEAL, true, SEALS);
        assert_ne!(rustix::fs::fcntl_get_seals(&fd), Ok(SEALS));
        Memory::import(fd, LEN).unwrap();
    } else {
        println!("not run: no MFD_NOEXEC_SEAL before Linux 6.3");
    }
    // What we make ourselves is good.
    let own = Memory::create("test", LEN).unwrap();
    Memory::import(own.handle().try_clone_to_owned().unwrap(), LEN).unwrap();
}

#[test]
fn what_is_no_memory_is_refused() {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).unwrap();
    refused(read, Violation::NotMemory);
    refused(write, Violation::NotMemory);
    refused(File::open("/").unwrap().into(), Violation::NotMemory);
    refused(File::open("/dev/zero").unwrap().into(), Violation::NotMemory);
    refused(File::open("/proc/self/maps").unwrap().into(), Violation::NotMemory);
    let (a, _b) = Endpoint::pair().unwrap();
    refused(a.into_socket(), Violation::NotMemory);
    let set = WaitSet::new().unwrap();
    refused(set.as_fd().try_clone_to_owned().unwrap(), Violation::NotMemory);
    // Not even its seals can be asked for.
    refused(reopened(&good(), OFlags::PATH), Violation::NotMemory);
}

#[test]
fn a_file_is_refused() {
    let directory = testing::Directory::new();
    let path = directory.0.join("file");
    let file = File::options().create_new(true).read(true).write(true).open(path).unwrap();
    rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, LEN).unwrap();
    // Files on a tmpfs have seals: just the one that forbids more.
    let on_tmpfs = rustix::fs::fcntl_get_seals(&file).is_ok();
    let because = if on_tmpfs { Violation::NotSealed } else { Violation::NotMemory };
    refused(file.into(), because);
}

#[test]
fn a_file_in_dev_shm_is_refused() {
    let path = format!("/dev/shm/surfaceport-test-{}", std::process::id());
    let mut options = File::options();
    let Ok(file) = options.create_new(true).read(true).write(true).open(&path) else {
        println!("not run: /dev/shm can't be written");
        return;
    };
    fs::remove_file(&path).unwrap();
    rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, LEN).unwrap();
    if rustix::fs::fcntl_get_seals(&file).is_ok() {
        refused(file.into(), Violation::NotSealed);
    } else {
        println!("not run: /dev/shm is no tmpfs");
    }
}

#[test]
fn what_can_be_resized_is_refused() {
    for missing in [SEALS, SealFlags::SHRINK, SealFlags::GROW, SealFlags::SEAL] {
        refused(memfd(FLAGS, true, SEALS.difference(missing)), Violation::NotSealed);
    }
    // Without the flag there is just the seal that forbids more.
    let unsealable = rustix::fs::memfd_create("test", MemfdFlags::CLOEXEC).unwrap();
    rustix::fs::fallocate(&unsealable, FallocateFlags::empty(), 0, LEN).unwrap();
    refused(unsealable, Violation::NotSealed);
}

#[test]
fn what_display_servers_refuse_is_refused() {
    for more in [SealFlags::WRITE, SealFlags::FUTURE_WRITE] {
        refused(memfd(FLAGS, true, SEALS | more), Violation::SealedAgainstWrite);
    }
    refused(reopened(&good(), OFlags::RDONLY), Violation::ReadOnlyHandle);
    refused(reopened(&good(), OFlags::WRONLY), Violation::ReadOnlyHandle);
    Memory::import(reopened(&good(), OFlags::RDWR), LEN).unwrap();
}

#[test]
fn another_length_is_refused() {
    for wrong in [0, 1, LEN - 1, LEN + 1, LEN * 2, u64::MAX] {
        assert_violation(Memory::import(good(), wrong), Violation::WrongLength);
    }
}

#[test]
fn what_has_holes_is_refused() {
    refused(memfd(FLAGS, false, SEALS), Violation::Sparse);
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    for (offset, len) in [(0, LEN), (0, 4096), (LEN - 4096, 4096)] {
        let fd = good();
        // The seals don't forbid it.
        rustix::fs::fallocate(&fd, punch, offset, len).unwrap();
        refused(fd, Violation::Sparse);
    }
}

#[test]
fn huge_pages_are_refused() {
    // A file of huge pages can be made where there are none.
    let fd = match rustix::fs::memfd_create("test", FLAGS | MemfdFlags::HUGETLB) {
        Ok(fd) => fd,
        Err(errno) => {
            println!("not run: no huge pages here ({errno})");
            return;
        }
    };
    let huge = rustix::fs::fstat(&fd).unwrap().st_blksize.unsigned_abs();
    rustix::fs::ftruncate(&fd, huge).unwrap();
    rustix::fs::fcntl_add_seals(&fd, SEALS).unwrap();
    assert_violation(Memory::import(fd, huge), Violation::HugePages);
}

#[test]
fn what_is_refused_is_closed() {
    let fd = memfd(FLAGS, false, SEALS);
    let before = copies(fd.as_fd());
    for len in [LEN, LEN + 1] {
        Memory::import(fd.try_clone().unwrap(), len).unwrap_err();
        assert_eq!(copies(fd.as_fd()), before);
    }
    Memory::adopt(fd.try_clone().unwrap(), LEN + 1).unwrap_err();
    assert_eq!(copies(fd.as_fd()), before);
}

#[test]
fn what_we_make_can_t_be_resized_or_run() {
    let memory = Memory::create("test", LEN).unwrap();
    let fd = memory.handle();
    assert!(rustix::fs::fcntl_get_seals(fd).unwrap().contains(SEALS));
    for len in [0, LEN - 1, LEN + 1] {
        assert_eq!(rustix::fs::ftruncate(fd, len), Err(Errno::PERM));
    }
    assert_eq!(
        rustix::fs::fcntl_add_seals(fd, SealFlags::FUTURE_WRITE),
        Err(Errno::PERM),
        "the peer could seal it against writing"
    );
    assert!(closes_on_exec(fd));
    let stat = rustix::fs::fstat(fd).unwrap();
    assert_eq!(stat.st_blocks * 512, stat.st_size);
    let executable = Mode::from_raw_mode(stat.st_mode).intersects(Mode::XUSR);
    let older = rustix::fs::memfd_create("test", MemfdFlags::NOEXEC_SEAL).is_err();
    assert!(older || !executable);
}

#[test]
fn a_mapping_is_prefaulted_and_goes_when_dropped() {
    const NAME: &str = "surfaceport-test-prefaulted";
    let lines = || {
        let maps = fs::read_to_string("/proc/self/smaps").unwrap();
        let of_ours = maps.lines().skip_while(|line| !line.contains(NAME)).take(12);
        of_ours.map(String::from).collect::<Vec<_>>()
    };
    let memory = Memory::create(NAME, LEN).unwrap();
    assert!(lines().is_empty());
    let mapping = memory.map().unwrap();
    let rss = lines().into_iter().find(|line| line.starts_with("Rss:")).unwrap();
    assert_eq!(rss.split_whitespace().nth(1), Some("64"), "{rss}");
    drop(memory);
    assert!(!lines().is_empty());
    drop(mapping);
    assert!(lines().is_empty());
}

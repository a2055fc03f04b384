//! Shared memory: sealed memfds.
//!
//! Seals make it impossible to cut the memory short under a reader (which would
//! be a SIGBUS); allocating all of it at once makes running out of memory an
//! error here instead of a signal later. See memfd_create(2), fcntl(2) and
//! fallocate(2).

#![allow(unsafe_code, reason = "mmap and munmap")]

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

use rustix::fs::{FallocateFlags, MemfdFlags, OFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};

use super::{os, retry};
use crate::error::{Error, Violation};

/// Nobody may resize the memory, or lift that.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);
/// Display servers refuse memory that can't be mapped for writing.
const REFUSED_SEALS: SealFlags = SealFlags::WRITE.union(SealFlags::FUTURE_WRITE);
/// `st_blocks` counts these, whatever the file system's own blocks are (stat(2)).
const STAT_BLOCK: u64 = 512;
/// statfs(2).
const TMPFS_MAGIC: u64 = 0x0102_1994;

/// A piece of memory that another process can map.
#[derive(Debug)]
pub(crate) struct Memory {
    fd: OwnedFd,
    len: u64,
}

impl Memory {
    /// New memory, zero, allocated and sealed; `len` is rounded up to pages.
    pub(crate) fn create(name: &'static str, len: u64) -> Result<Self, Error> {
        let page = rustix::param::page_size() as u64;
        let no_space = Error::NoSpace { bytes: len };
        let len = len.checked_next_multiple_of(page).ok_or(no_space)?;
        // Memory files have no limit of their own: the kernel would go on
        // allocating, and end processes to find more.
        if len > installed_memory() {
            return Err(Error::NoSpace { bytes: len });
        }
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let fd = match rustix::fs::memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
            // Before Linux 6.3 the flag is unknown.
            Err(Errno::INVAL) => rustix::fs::memfd_create(name, flags),
            other => other,
        };
        let fd = fd.map_err(|errno| match errno {
            Errno::NOSYS | Errno::PERM => Error::Unsupported {
                feature: "memfd_create",
                needs: "Linux 3.17 and a sandbox that allows it",
            },
            errno => os("creating shared memory", errno),
        })?;
        let no_space = |errno| match errno {
            Errno::NOSPC | Errno::NOMEM | Errno::FBIG => Error::NoSpace { bytes: len },
            errno => os("allocating shared memory", errno),
        };
        retry(|| rustix::fs::ftruncate(&fd, len)).map_err(no_space)?;
        retry(|| rustix::fs::fallocate(&fd, FallocateFlags::empty(), 0, len)).map_err(no_space)?;
        rustix::fs::fcntl_add_seals(&fd, SEALS).map_err(|errno| os("sealing memory", errno))?;
        Ok(Self { fd, len })
    }

    /// Memory that an untrusted peer sent, once it is proved harmless: a memory
    /// file of just this length, in ordinary pages, all of them there, sealed
    /// against resizing, open for writing.
    pub(crate) fn import(fd: OwnedFd, len: u64) -> Result<Self, Error> {
        let failed = |errno| os("looking at shared memory", errno);
        let seals = rustix::fs::fcntl_get_seals(&fd).map_err(|errno| match errno {
            // Only memory files can be sealed at all; a file in /dev/shm says
            // F_SEAL_SEAL alone. A mere path is no open file.
            Errno::INVAL | Errno::BADF => Violation::NotMemory.into(),
            errno => failed(errno),
        })?;
        let flags = rustix::fs::fcntl_getfl(&fd).map_err(failed)?;
        let system = retry(|| rustix::fs::fstatfs(&fd)).map_err(failed)?;
        let stat = rustix::fs::fstat(&fd).map_err(failed)?;
        #[expect(clippy::cast_sign_loss, reason = "a magic number, compared as bits")]
        if system.f_type as u64 != TMPFS_MAGIC {
            // hugetlbfs takes seals too, but its pages can be punched out from
            // under a reader.
            return Err(Violation::HugePages.into());
        }
        if !seals.contains(SEALS) {
            return Err(Violation::NotSealed.into());
        }
        if seals.intersects(REFUSED_SEALS) {
            return Err(Violation::SealedAgainstWrite.into());
        }
        if flags & OFlags::ACCMODE != OFlags::RDWR || flags.contains(OFlags::PATH) {
            return Err(Violation::ReadOnlyHandle.into());
        }
        if u64::try_from(stat.st_size) != Ok(len) {
            return Err(Violation::WrongLength.into());
        }
        let allocated = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(STAT_BLOCK);
        if allocated < len {
            return Err(Violation::Sparse.into());
        }
        Ok(Self { fd, len })
    }

    /// Memory that a trusted peer sent.
    pub(crate) fn adopt(fd: OwnedFd, len: u64) -> Result<Self, Error> {
        let stat = rustix::fs::fstat(&fd).map_err(|errno| os("looking at shared memory", errno))?;
        if u64::try_from(stat.st_size).unwrap_or(0) < len {
            return Err(Violation::WrongLength.into());
        }
        Ok(Self { fd, len })
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// What to send so that another process can use it.
    pub(crate) fn handle(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Maps it for reading and writing, prefaulted.
    pub(crate) fn map(&self) -> Result<Mapping, Error> {
        let len = usize::try_from(self.len).map_err(|_| Error::NoSpace { bytes: self.len })?;
        // SAFETY: a new mapping at an address that the kernel chooses touches
        // no memory that exists (mmap(2) without MAP_FIXED).
        let start = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED | MapFlags::POPULATE,
                &self.fd,
                0,
            )
        };
        let start = start.map_err(|errno| match errno {
            Errno::NOMEM => Error::NoSpace { bytes: self.len },
            errno => os("mapping shared memory", errno),
        })?;
        let start = NonNull::new(start.cast()).ok_or(Error::NoSpace { bytes: self.len })?;
        Ok(Mapping { start, len })
    }

    /// Copies bytes out without mapping anything.
    pub(crate) fn read_at(&self, mut offset: u64, mut out: &mut [u8]) -> Result<(), Error> {
        while !out.is_empty() {
            let read = retry(|| rustix::io::pread(&self.fd, &mut *out, offset))
                .map_err(|errno| os("reading shared memory", errno))?;
            if read == 0 {
                return Err(Violation::WrongLength.into());
            }
            offset += read as u64;
            out = out.get_mut(read..).unwrap_or_default();
        }
        Ok(())
    }
}

/// What the machine has in all, swap included; no limit where a sandbox refuses to
/// say, for which rustix is not prepared.
fn installed_memory() -> u64 {
    let mut system = MaybeUninit::<libc::sysinfo>::uninit();
    // SAFETY: the call writes one struct, which lives until it returns.
    if unsafe { libc::sysinfo(system.as_mut_ptr()) } != 0 {
        return u64::MAX;
    }
    // SAFETY: the call succeeded, so it has written all of it.
    let system = unsafe { system.assume_init() };
    let units = system.totalram.saturating_add(system.totalswap);
    units.saturating_mul(system.mem_unit.into())
}

/// Shared memory in this process's address space, until dropped.
///
/// It is only an address and a length: whoever uses it must know that the peer
/// may write the memory at any time.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

impl Mapping {
    /// Where it starts: page-aligned, valid for as long as this lives.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is one whole mapping that `Memory::map` made and
        // that only this value owns; users borrow it and are gone.
        let unmapped = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.len) };
        debug_assert_eq!(unmapped, Ok(()));
    }
}

// SAFETY: a mapping belongs to the process, not to a thread; the type itself
// reads and writes nothing through the address.
unsafe impl Send for Mapping {}
// SAFETY: as above; sharing the address and the length is harmless.
unsafe impl Sync for Mapping {}

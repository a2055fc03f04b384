//! Memory that both processes of a run see, for the floors and for the run's
//! own account.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64};

use rustix::fs::{FallocateFlags, MemfdFlags, fallocate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Bytes from one word to the next: two cache lines, so that neighbours that
/// are fetched together do not meet.
const LINE: usize = 128;

/// A file in memory, mapped. It has no name: the kernel frees it, however its
/// users end.
#[derive(Debug)]
pub struct Shared {
    start: NonNull<u8>,
    len: usize,
    file: File,
}

impl Shared {
    /// New memory, all zero and all present.
    ///
    /// # Errors
    ///
    /// If there is no room.
    pub fn create(len: usize) -> io::Result<Self> {
        let file = File::from(memfd_create("surfaceport-bench", MemfdFlags::CLOEXEC)?);
        fallocate(&file, FallocateFlags::empty(), 0, len as u64)?;
        Self::map(file, len)
    }

    /// The same memory in the other process.
    ///
    /// # Errors
    ///
    /// If it is gone.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().read(true).write(true).open(path)?;
        let len = usize::try_from(file.metadata()?.len()).unwrap_or(0);
        Self::map(file, len)
    }

    fn map(file: File, len: usize) -> io::Result<Self> {
        let flags = MapFlags::SHARED | MapFlags::POPULATE;
        // SAFETY: a new mapping where the kernel likes; nothing of ours is there.
        let start = unsafe {
            mmap(std::ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, flags, &file, 0)
        }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, len, file })
    }

    /// Where the other process finds it, while this one has it.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd()).into()
    }

    fn line(&self, index: usize) -> NonNull<u8> {
        let at = index * LINE;
        assert!(at + LINE <= self.len, "word {index} is outside");
        // SAFETY: within the mapping, by the line before.
        unsafe { self.start.add(at) }
    }

    /// A word of its own line.
    #[must_use]
    pub fn word(&self, index: usize) -> &AtomicU64 {
        // SAFETY: mapped for as long as `self`, aligned to its line, and only
        // ever used as an atomic of this size by both sides.
        unsafe { self.line(index).cast().as_ref() }
    }

    /// All words of a line.
    #[must_use]
    pub fn words_of_line(&self, index: usize) -> &[AtomicU64; LINE / 8] {
        // SAFETY: as for `word`.
        unsafe { self.line(index).cast().as_ref() }
    }

    /// A word of its own line, as a futex wants it.
    #[must_use]
    pub fn futex(&self, index: usize) -> &AtomicU32 {
        // SAFETY: as for `word`.
        unsafe { self.line(index).cast().as_ref() }
    }

    /// Memory that the caller's protocol gives to this side for now.
    ///
    /// # Safety
    ///
    /// While the slice lives, the other side does not write there, and nobody
    /// else on this side has it.
    #[must_use]
    #[expect(clippy::mut_from_ref, reason = "the protocol hands parts out, not the borrow")]
    pub unsafe fn part(&self, offset: usize, len: usize) -> &mut [u8] {
        assert!(offset + len <= self.len, "outside");
        // SAFETY: within the mapping.
        let start = unsafe { self.start.as_ptr().add(offset) };
        // SAFETY: mapped for as long as `self`; that it is ours alone is the
        // caller's to see to.
        unsafe { std::slice::from_raw_parts_mut(start, len) }
    }

    /// Memory that the other side may write at the same time, word by word.
    ///
    /// # Panics
    ///
    /// If it is outside.
    pub fn words(&self, offset: usize, len: usize) -> impl Iterator<Item = *mut u64> + '_ {
        assert!(offset.is_multiple_of(8) && offset + len <= self.len, "outside");
        // SAFETY: within the mapping.
        let start = unsafe { self.start.as_ptr().add(offset) }.cast::<u64>();
        // SAFETY: likewise, by the check above.
        (0..len / 8).map(move |index| unsafe { start.add(index) })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: our own mapping, and no borrow of it outlives `self`.
        let _unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}

// SAFETY: plain memory; who may touch which part when is the users' protocol,
// and the words are atomics.
unsafe impl Send for Shared {}
// SAFETY: as for `Send`.
unsafe impl Sync for Shared {}

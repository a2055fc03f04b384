//! Whether larger pages would pay for surfaces: whole 4K frames written and read
//! in shared memory of each kind that the kernel offers.

use std::time::Instant;

use rustix::fs::MemfdFlags;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};

use crate::experiment::median;
use crate::results::Grid;
use crate::subject::Failure;

const FRAME: usize = 3840 * 2160 * 4;
/// Three slots, in whole pages of 2 MiB.
const LEN: usize = (3 * FRAME).next_multiple_of(2 << 20);

/// A kind of memory.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Normal,
    Advised,
    HugeTlb,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Normal => "pages of 4 KiB",
            Self::Advised => "advised to be huge",
            Self::HugeTlb => "MFD_HUGETLB",
        }
    }
}

/// First touch, whole frames written, and read; in ms, medians.
fn measure(kind: Kind) -> Result<[f64; 3], Failure> {
    let flags = match kind {
        Kind::HugeTlb => MemfdFlags::HUGETLB | MemfdFlags::HUGE_2MB,
        Kind::Normal | Kind::Advised => MemfdFlags::empty(),
    };
    let file = rustix::fs::memfd_create("surfaceport-bench", flags)?;
    rustix::fs::ftruncate(&file, LEN as u64)?;
    let (access, null) = (ProtFlags::READ | ProtFlags::WRITE, std::ptr::null_mut());
    // SAFETY: a new mapping where the kernel likes; nothing of ours is there.
    let start = unsafe { mmap(null, LEN, access, MapFlags::SHARED, &file, 0) }?;
    if matches!(kind, Kind::Advised) {
        // SAFETY: our own mapping; the advice does not change what is in it.
        unsafe { madvise(start, LEN, Advice::LinuxHugepage) }?;
    }
    // SAFETY: our own mapping, which nobody else has, until it is unmapped below.
    let frames = unsafe { std::slice::from_raw_parts_mut(start.cast::<u8>(), LEN) };
    let ms = |begin: Instant| begin.elapsed().as_secs_f64() * 1000.0;
    let begin = Instant::now();
    frames.fill(1);
    let touched = ms(begin);
    let (mut writes, mut reads) = (Vec::new(), Vec::new());
    for round in 0..30 {
        let at = round % 3 * FRAME;
        let Some(frame) = frames.get_mut(at..at + FRAME) else { break };
        let begin = Instant::now();
        frame.fill(u8::try_from(round)?);
        writes.push(ms(begin));
        let begin = Instant::now();
        let words = frame.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word));
        std::hint::black_box(words.fold(0, |all, word| all | word));
        reads.push(ms(begin));
    }
    // SAFETY: our own mapping, no longer used.
    unsafe { munmap(start, LEN) }?;
    Ok([touched, median(writes), median(reads)])
}

/// Each kind that there is.
pub(crate) fn grid() -> Result<Grid, Failure> {
    let mut grid = Grid::new(
        "huge pages",
        &["first touch of three 4K frames, ms", "a frame written, ms", "read, ms"],
    );
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let policy = read("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
    let offered = policy
        .split_once('[')
        .map_or("never", |(_, rest)| rest.split(']').next().unwrap_or("never"));
    let spare: usize = read("/proc/sys/vm/nr_hugepages").trim().parse().unwrap_or(0);
    for kind in [Kind::Normal, Kind::Advised, Kind::HugeTlb] {
        let excuse = match kind {
            Kind::Advised if ["never", "deny"].contains(&offered) => {
                Some(format!("the kernel's shmem_enabled says {offered}"))
            }
            Kind::HugeTlb if spare * (2 << 20) < LEN => Some(format!("vm.nr_hugepages is {spare}")),
            Kind::Normal | Kind::Advised | Kind::HugeTlb => None,
        };
        match excuse {
            Some(why) => grid.notes.push(format!("not run: {}: {why}", kind.name())),
            None => grid.row(kind.name(), &measure(kind)?),
        }
    }
    Ok(grid)
}

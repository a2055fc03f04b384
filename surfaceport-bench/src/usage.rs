//! What a process used, and what it has.

use crate::alloc::{allocations, uncounted};

/// What a process used in a run, and has at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time on the processor, ns.
    pub cpu_ns: u64,
    /// Page faults.
    pub faults: u64,
    /// Context switches of both kinds.
    pub switches: u64,
    /// Allocations of the thread that measures, if the program counts them.
    pub allocations: u64,
    /// Frames handed over.
    pub frames: u64,
    /// Its share of memory beyond the surfaces, KiB.
    pub memory_kib: u64,
    /// Pieces of shared memory that are mapped more than once.
    pub mapped_twice: u64,
}

impl Usage {
    /// Of this process, so far. Memory is another matter: see [`Self::with_memory`].
    #[must_use]
    pub fn now(frames: u64) -> Self {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let (faults, switches) = uncounted(|| {
            let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
            let after_name = stat.rsplit(") ").next();
            let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
            let switches = status
                .lines()
                .filter(|line| line.contains("ctxt_switches"))
                .filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
                .sum();
            (after_name.and_then(|rest| rest.split(' ').nth(7)?.parse().ok()), switches)
        });
        Self {
            cpu_ns: time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned(),
            faults: faults.unwrap_or(0),
            switches,
            allocations: allocations(),
            frames,
            ..Self::default()
        }
    }

    /// What came to it since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            cpu_ns: self.cpu_ns.saturating_sub(earlier.cpu_ns),
            faults: self.faults.saturating_sub(earlier.faults),
            switches: self.switches.saturating_sub(earlier.switches),
            allocations: self.allocations.saturating_sub(earlier.allocations),
            frames: self.frames.saturating_sub(earlier.frames),
            ..self
        }
    }

    /// The same, and what memory the process has, with frames of so many bytes.
    #[must_use]
    pub fn with_memory(self, frame_bytes: usize) -> Self {
        let text = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
        let (memory_kib, mapped_twice) = memory(&text, frame_bytes as u64 / 1024);
        Self { memory_kib, mapped_twice, ..self }
    }

    /// As words, to be written down in shared memory.
    #[must_use]
    pub(crate) fn to_words(self) -> [u64; 7] {
        let Self { cpu_ns, faults, switches, allocations, frames, memory_kib, mapped_twice } = self;
        [cpu_ns, faults, switches, allocations, frames, memory_kib, mapped_twice]
    }

    /// And back.
    #[must_use]
    pub(crate) fn from_words(words: [u64; 7]) -> Self {
        let [cpu_ns, faults, switches, allocations, frames, memory_kib, mapped_twice] = words;
        Self { cpu_ns, faults, switches, allocations, frames, memory_kib, mapped_twice }
    }
}

/// The proportional share of all that is no surface, in KiB, and how many shared
/// pieces are mapped more than once. A surface is shared memory at least as
/// large as a frame.
fn memory(smaps: &str, frame_kib: u64) -> (u64, u64) {
    let (mut share, mut twice) = (0, 0);
    let mut seen: Vec<(&str, &str)> = Vec::new();
    let (mut is_shared, mut is_surface) = (false, false);
    for line in smaps.lines() {
        let mut words = line.split_whitespace();
        let (first, second) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        if !first.ends_with(':') {
            // `55e0-55e1 rw-s 00000000 00:01 42 /memfd:name`: a mapping begins.
            is_shared = second.ends_with('s');
            let (device, inode) = (words.nth(1).unwrap_or(""), words.next().unwrap_or(""));
            // The part of a piece that it maps does not matter: none needs two.
            if is_shared && inode != "0" {
                twice += u64::from(seen.contains(&(device, inode)));
                seen.push((device, inode));
            }
        } else if first == "Size:" {
            is_surface = is_shared && second.parse().is_ok_and(|kib: u64| kib >= frame_kib);
        } else if first == "Pss:" && !is_surface {
            share += second.parse().unwrap_or(0);
        }
    }
    (share, twice)
}

#[cfg(test)]
mod tests {
    use super::{Usage, memory};

    #[test]
    fn surfaces_do_not_count_and_what_is_mapped_twice_does() {
        let smaps = "\
7f01-7f02 rw-s 00000000 00:01 42 /memfd:surface (deleted)
Size:               8100 kB
Pss:                4050 kB
7f03-7f04 rw-s 00000000 00:01 43 /memfd:page (deleted)
Size:                 16 kB
Pss:                   8 kB
7f05-7f06 r--s 00001000 00:01 43 /memfd:page (deleted)
Size:                 16 kB
Pss:                   4 kB
7f07-7f08 rw-p 00000000 00:00 0 [heap]
Size:               9000 kB
Pss:                 300 kB
";
        assert_eq!(memory(smaps, 8100), (312, 1));
    }

    #[test]
    fn this_process_has_memory_and_maps_nothing_twice() {
        let usage = Usage::now(3).with_memory(1 << 20);
        assert!(usage.memory_kib > 100, "{usage:?}");
        assert_eq!((usage.mapped_twice, usage.frames), (0, 3));
        assert_eq!(Usage::from_words(usage.to_words()), usage);
    }
}

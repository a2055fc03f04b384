//! An allocator that counts, for programs that run benchmarks.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator; it counts the allocations of each thread. A program
/// that wants them in its tables has it as its `#[global_allocator]`.
#[derive(Debug)]
pub struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    let _ended = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

/// Allocations of this thread so far; none if nobody counts.
pub(crate) fn allocations() -> u64 {
    ALLOCATIONS.get()
}

/// Does what is not to be counted.
pub(crate) fn uncounted<T>(work: impl FnOnce() -> T) -> T {
    let before = ALLOCATIONS.get();
    let done = work();
    ALLOCATIONS.set(before);
    done
}

// SAFETY: each method only counts, in a thread-local that needs no allocation,
// and passes on to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of the same method.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of the same method.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of the same method.
        unsafe { System.realloc(start, layout, size) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of the same method.
        unsafe { System.dealloc(start, layout) }
    }
}

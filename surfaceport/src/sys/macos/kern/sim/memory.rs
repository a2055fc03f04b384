//! Memory entries and IOSurfaces: words that all share, for good.

use std::collections::{BTreeMap, BTreeSet};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use super::tasks::TaskId;
use crate::format::ColorSpace;
use crate::sync::{AtomicU64, Ordering};
use crate::sys::macos::kern::Geometry;

/// As on Apple silicon.
pub(in crate::sys::macos) const PAGE: usize = 16384;
const WORDS: usize = PAGE / size_of::<u64>();

/// A page that others write at any time, hence atomics.
#[derive(Debug)]
#[repr(C, align(16384))]
struct Page([AtomicU64; WORDS]);

/// The memory itself.
#[derive(Debug)]
pub(in crate::sys::macos) struct Block(Vec<Page>);

impl Block {
    /// Zeros; `None` where there is no room.
    pub(super) fn new(len: usize) -> Option<Arc<Self>> {
        let pages = len.div_ceil(PAGE);
        let mut block = Vec::new();
        block.try_reserve_exact(pages).ok()?;
        block.resize_with(pages, || Page([const { AtomicU64::new(0) }; _]));
        Some(Arc::new(Self(block)))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len() * PAGE
    }

    pub(super) fn start(&self) -> NonNull<u8> {
        // Writing through it is sound: all of it is atomics.
        NonNull::from(self.0.as_slice()).cast()
    }

    pub(super) fn words(&self) -> impl Iterator<Item = &AtomicU64> {
        self.0.iter().flat_map(|page| &page.0)
    }

    /// Copies bytes out.
    pub(super) fn copy(&self, offset: usize, out: &mut [u8]) {
        let words = self.words().skip(offset / 8);
        let bytes = words.flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes());
        for (to, from) in out.iter_mut().zip(bytes.skip(offset % 8)) {
            *to = from;
        }
    }
}

/// An IOSurface as the kernel has it.
#[derive(Debug)]
pub(in crate::sys::macos) struct SurfaceObject {
    pub(super) geometry: Geometry,
    pub(super) block: Arc<Block>,
    pub(super) uses: Mutex<Uses>,
}

/// Who counts as using it.
#[derive(Debug, Default)]
pub(super) struct Uses {
    pub(super) locked: BTreeSet<TaskId>,
    pub(super) seed: u32,
    /// `kIOSurfaceColorSpace`.
    pub(super) color_space: Option<ColorSpace>,
    /// The use counts, by task.
    pub(super) counts: BTreeMap<TaskId, u32>,
}

impl SurfaceObject {
    pub(super) fn uses<T>(&self, look: impl FnOnce(&mut Uses) -> T) -> T {
        look(&mut self.uses.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

//! The control page and the transitions on it: pure, atomics only.
//!
//! A frame travels by one `swap` of one 64-bit word a generation (see [`word`]).
//! [`child`] and [`host`] hold each side's private account and its transitions;
//! [`page`] says where the words lie. What the two sides say *about* a frame
//! lies beside the word: [`record`] and [`damage`], and both once more in
//! [`note`] (child to host), [`feedback`] and [`begin_frame`] (host to child).
//!
//! Nothing here sleeps, rings or reads a clock: a transition returns whether
//! the other side is to be rung.

#![forbid(unsafe_code)]

pub(crate) mod begin_frame;
pub(crate) mod child;
pub(crate) mod damage;
pub(crate) mod feedback;
pub(crate) mod host;
pub(crate) mod note;
pub(crate) mod page;
pub(crate) mod record;
pub(crate) mod word;

#[cfg(any(test, fuzzing))]
pub(crate) mod hostile;
#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;

/// The fewest slots a swapchain can have, as a length.
pub(crate) const MIN_SLOTS: usize = crate::mode::MIN_SLOTS as usize;
/// The most slots a swapchain can have, as a length.
pub(crate) const MAX_SLOTS: usize = crate::mode::MAX_SLOTS as usize;

/// The element at `index` modulo the length: total, so that no number that
/// comes from a peer can reach outside.
#[expect(clippy::indexing_slicing, reason = "the index is taken modulo the length")]
fn at<T, const N: usize>(array: &[T; N], index: u64) -> &T {
    #[expect(clippy::cast_possible_truncation, reason = "below N after the modulo")]
    let index = (index % N as u64) as usize;
    &array[index]
}

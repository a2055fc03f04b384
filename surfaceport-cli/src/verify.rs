//! What `--verify` goes by: the child says in each frame's user data what it
//! drew, and the host looks whether that is what it sees.

use std::hash::Hasher as _;

use surfaceport::PixelView;
use twox_hash::XxHash3_64;

/// What the child says of a frame, in the first 32 bytes of its user data: the
/// letters `spstamp1`, then hash, child and sequence as little-endian u64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// XXH3 of the rows, from the top, without their padding.
    pub(crate) hash: u64,
    /// The child's process id.
    pub(crate) child: u64,
    /// The frame's number in its generation, from 1.
    pub(crate) sequence: u64,
}

const MAGIC: u64 = u64::from_le_bytes(*b"spstamp1");

impl Stamp {
    /// The stamp of a frame that this process has just drawn.
    pub(crate) fn of<'a>(rows: impl Iterator<Item = &'a mut [u8]>, sequence: u64) -> Self {
        let mut hasher = XxHash3_64::new();
        rows.for_each(|row| hasher.write(row));
        Self { hash: hasher.finish(), child: std::process::id().into(), sequence }
    }

    /// As user data.
    pub(crate) fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let words = [MAGIC, self.hash, self.child, self.sequence];
        for (to, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
            *to = word.to_le_bytes();
        }
        bytes
    }

    /// From user data, if it holds one.
    pub(crate) fn from_bytes(user_data: &[u8; 64]) -> Option<Self> {
        let mut words = user_data.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
        let mut next = || words.next();
        let (magic, hash, child, sequence) = (next()?, next()?, next()?, next()?);
        (magic == MAGIC).then_some(Self { hash, child, sequence })
    }
}

/// The hash of what the host sees. It reads in place, a row at a time.
pub(crate) fn hash(view: PixelView<'_>) -> u64 {
    let descriptor = view.descriptor();
    let mut row = vec![0; descriptor.row_bytes() as usize];
    let mut hasher = XxHash3_64::new();
    for y in 0..descriptor.size().height {
        view.copy_row(y, &mut row);
        hasher.write(&row);
    }
    hasher.finish()
}

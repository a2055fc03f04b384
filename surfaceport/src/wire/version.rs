//! Protocol versions and features, and how the two sides agree on them.

use core::ops::RangeInclusive;

use crate::error::Violation;

use super::{Hello, Refusal, Refused, Welcome};

/// The versions that this library speaks.
pub(crate) const VERSIONS: RangeInclusive<u16> = 1..=1;

/// The features that this library has.
pub(crate) const SUPPORTED: u64 = feature::INPUT;

/// The features' bits. Each is off unless both sides have it.
#[allow(dead_code, reason = "numbers are reserved before they are used")]
pub(crate) mod feature {
    /// Pointer, keyboard and focus.
    pub(crate) const INPUT: u64 = 1 << 0;
    /// Input methods.
    pub(crate) const TEXT_INPUT: u64 = 1 << 1;
    /// The child chooses the cursor.
    pub(crate) const CURSOR: u64 = 1 << 2;
    /// The child's accessibility tree.
    pub(crate) const ACCESSIBILITY: u64 = 1 << 3;
    /// Surfaces that are dma-bufs.
    pub(crate) const DMABUF: u64 = 1 << 4;
    /// Fences with the frames.
    pub(crate) const EXPLICIT_SYNC: u64 = 1 << 5;
}

/// What the two sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// The newest version that both speak.
    pub(crate) version: u16,
    /// The features that both have.
    pub(crate) features: u64,
}

/// The host's answer to a Hello.
///
/// # Errors
///
/// What to refuse it with.
pub(crate) fn negotiate(hello: &Hello) -> Result<Agreed, Refused> {
    agree(hello, &VERSIONS, SUPPORTED).map_err(|why| Refused { subject: 0, why })
}

pub(super) fn agree(
    hello: &Hello,
    versions: &RangeInclusive<u16>,
    supported: u64,
) -> Result<Agreed, Refusal> {
    let version = hello.version_max.min(*versions.end());
    if version < hello.version_min || version < *versions.start() {
        return Err(Refusal::Version { min: *versions.start(), max: *versions.end() });
    }
    let missing = hello.required & !supported;
    if missing != 0 {
        return Err(Refusal::Features { missing });
    }
    Ok(Agreed { version, features: hello.features & supported })
}

impl Hello {
    /// The child's check of the host's answer: what it was offered, and what it
    /// needs.
    ///
    /// # Errors
    ///
    /// [`Violation::BadField`] if the host chose what was not on offer.
    pub(crate) fn check(&self, welcome: &Welcome) -> Result<(), Violation> {
        let version_offered = (self.version_min..=self.version_max).contains(&welcome.version);
        let features_offered = welcome.features & !self.features == 0;
        let has_required = self.required & !welcome.features == 0;
        if version_offered && features_offered && has_required {
            Ok(())
        } else {
            Err(Violation::BadField)
        }
    }
}

//! What a host may say.

use crate::error::Violation;
use crate::geometry::{Scale, Size};
use crate::input::Input;

use super::codec::{self, Reader, Writer};
use super::{
    Bye, MAX_MESSAGE_BYTES, MAX_SLOTS, MIN_SLOTS, UserBytes, WELCOME_HANDLES, exact_handles, input,
    kind, no_handles,
};

/// A message from the host to the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FromHost<'a> {
    /// The answer to Hello.
    Welcome(Welcome),
    /// The last frame of this generation is gone, and with it the host's hold
    /// on the surfaces.
    Retired {
        /// Which one.
        generation: u32,
    },
    /// The host wants another size or scale.
    Configure(Configure),
    /// Bytes that mean something to the two programs.
    Message(UserBytes<'a>),
    /// The last message.
    Bye(Bye),
    /// The host won't have a Hello or a Setup.
    Refused(Refused),
    /// Pointer, key or focus, if the child has the feature.
    Input(Input),
}

impl<'a> FromHost<'a> {
    /// Reads a packet that came with this many handles.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it, looked for in this order: its
    /// length, its kind, its body's length, its handles, its fields.
    pub(crate) fn decode(packet: &'a [u8], handles: usize) -> Result<Self, Violation> {
        let (number, body) = codec::open(packet)?;
        match number {
            kind::WELCOME => Welcome::decode(body, handles).map(Self::Welcome),
            kind::RETIRED => {
                let mut fields = Reader::fields(body, RETIRED_BYTES)?;
                no_handles(handles)?;
                Ok(Self::Retired { generation: fields.nonzero_u32()? })
            }
            kind::CONFIGURE => {
                let mut fields = Reader::fields(body, CONFIGURE_BYTES)?;
                no_handles(handles)?;
                let configure = Configure::decode(&mut fields)?;
                if configure.serial == 0 {
                    return Err(Violation::BadField);
                }
                Ok(Self::Configure(configure))
            }
            kind::MESSAGE => UserBytes::decode(body, handles).map(Self::Message),
            kind::BYE => Bye::decode(body, handles).map(Self::Bye),
            kind::REFUSED => Refused::decode(body, handles).map(Self::Refused),
            kind::POINTER | kind::KEY | kind::FOCUS => {
                input::decode(number, body, handles).map(Self::Input)
            }
            _ => Err(Violation::UnknownMessage),
        }
    }

    /// The packet.
    pub(crate) fn encode<'b>(&self, out: &'b mut [u8; MAX_MESSAGE_BYTES]) -> &'b [u8] {
        match self {
            Self::Welcome(welcome) => welcome.encode(out),
            Self::Retired { generation } => {
                Writer::begin(out, kind::RETIRED).u32(*generation).finish()
            }
            Self::Configure(configure) => {
                configure.encode(Writer::begin(out, kind::CONFIGURE)).finish()
            }
            Self::Message(bytes) => bytes.encode(out),
            Self::Bye(bye) => bye.encode(out),
            Self::Refused(refused) => refused.encode(out),
            Self::Input(input) => input::encode(*input, out),
        }
    }

    /// How many handles go with the packet.
    pub(crate) const fn handles(&self) -> usize {
        match self {
            Self::Welcome(_) => WELCOME_HANDLES,
            Self::Retired { .. }
            | Self::Configure(_)
            | Self::Message(_)
            | Self::Bye(_)
            | Self::Refused(_)
            | Self::Input(_) => 0,
        }
    }
}

const RETIRED_BYTES: usize = 12;
const CONFIGURE_BYTES: usize = 24;

/// What the host wants of the child's surfaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Configure {
    /// Counts from 1; the child names it in the Setup that answers. In Welcome
    /// it may be 0: there is nothing to answer.
    pub(crate) serial: u32,
    /// The size; `None` means that the child chooses (0x0 between them).
    pub(crate) size: Option<Size>,
    /// Physical pixels for each logical one.
    pub(crate) scale: Scale,
}

impl Configure {
    fn decode(fields: &mut Reader<'_>) -> Result<Self, Violation> {
        let serial = fields.u32()?;
        let size = match Size::new(fields.u32()?, fields.u32()?) {
            Size { width: 0, height: 0 } => None,
            size if size.is_valid() => Some(size),
            _ => return Err(Violation::BadGeometry),
        };
        let scale = Scale::from_120ths(fields.u32()?).ok_or(Violation::BadField)?;
        Ok(Self { serial, size, scale })
    }

    fn encode(self, writer: Writer<'_>) -> Writer<'_> {
        let size = self.size.unwrap_or_default();
        writer.u32(self.serial).u32(size.width).u32(size.height).u32(self.scale.get())
    }
}

/// What the two agreed on, and the host's limits. With it come the control page
/// and the bells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Welcome {
    /// The version that both speak from now on.
    pub(crate) version: u16,
    /// The length of the control page.
    pub(crate) page_bytes: u32,
    /// The features that both have.
    pub(crate) features: u64,
    /// The first Configure.
    pub(crate) configure: Configure,
    /// The largest surface that the host takes.
    pub(crate) max_size: Size,
    /// The most slots.
    pub(crate) max_slots: u8,
    /// The most bytes that all live surfaces together may take.
    pub(crate) max_bytes: u64,
}

impl Welcome {
    const BYTES: usize = 64;

    fn decode(body: &[u8], handles: usize) -> Result<Self, Violation> {
        let mut fields = Reader::fields(body, Self::BYTES)?;
        exact_handles(handles, WELCOME_HANDLES)?;
        let version = fields.u16()?;
        if version == 0 {
            return Err(Violation::BadField);
        }
        fields.reserved_u16()?;
        let page_bytes = fields.nonzero_u32()?;
        let features = fields.u64()?;
        let configure = Configure::decode(&mut fields)?;
        let max_size = Size::new(fields.u32()?, fields.u32()?);
        if !max_size.is_valid() {
            return Err(Violation::BadGeometry);
        }
        let max_slots = u8::try_from(fields.u32()?).map_err(|_| Violation::BadSlotCount)?;
        if !(MIN_SLOTS..=MAX_SLOTS).contains(&max_slots) {
            return Err(Violation::BadSlotCount);
        }
        fields.reserved_u32()?;
        let max_bytes = fields.u64()?;
        Ok(Self { version, page_bytes, features, configure, max_size, max_slots, max_bytes })
    }

    fn encode(self, out: &mut [u8; MAX_MESSAGE_BYTES]) -> &[u8] {
        let start = Writer::begin(out, kind::WELCOME)
            .u16(self.version)
            .u16(0)
            .u32(self.page_bytes)
            .u64(self.features);
        self.configure
            .encode(start)
            .u32(self.max_size.width)
            .u32(self.max_size.height)
            .u32(self.max_slots.into())
            .u32(0)
            .u64(self.max_bytes)
            .finish()
    }
}

/// The host won't have something. A refused Hello ends the connection; a
/// refused Setup leaves things as they were. Its layout is the same in every
/// version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// 0 for the Hello, otherwise the Setup's generation.
    pub(crate) subject: u32,
    /// Why.
    pub(crate) why: Refusal,
}

/// Why the host won't have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No common version; these are the host's.
    Version {
        /// The oldest.
        min: u16,
        /// The newest.
        max: u16,
    },
    /// The host lacks features that the child can't do without.
    Features {
        /// Their bits.
        missing: u64,
    },
    /// The surfaces would take too much memory.
    OverQuota {
        /// Bytes that they would take.
        asked: u64,
        /// Bytes that the host still grants.
        granted: u64,
    },
    /// The surfaces are too large.
    OverSize {
        /// Their size.
        asked: Size,
        /// The largest.
        largest: Size,
    },
    /// The host has run out of something itself.
    Resources,
}

impl Refused {
    const BYTES: usize = 32;

    fn decode(body: &[u8], handles: usize) -> Result<Self, Violation> {
        let mut fields = Reader::fields(body, Self::BYTES)?;
        no_handles(handles)?;
        let subject = fields.u32()?;
        let code = fields.u32()?;
        let (a, b) = (fields.u64()?, fields.u64()?);
        Ok(Self { subject, why: Refusal::from_parts(code, a, b).ok_or(Violation::BadField)? })
    }

    fn encode(self, out: &mut [u8; MAX_MESSAGE_BYTES]) -> &[u8] {
        let (code, a, b) = self.why.into_parts();
        Writer::begin(out, kind::REFUSED).u32(self.subject).u32(code).u64(a).u64(b).finish()
    }
}

impl Refusal {
    fn from_parts(code: u32, a: u64, b: u64) -> Option<Self> {
        Some(match (code, a, b) {
            (1, min, max) => Self::Version { min: min.try_into().ok()?, max: max.try_into().ok()? },
            (2, missing, 0) => Self::Features { missing },
            (3, asked, granted) => Self::OverQuota { asked, granted },
            (4, asked, largest) => {
                Self::OverSize { asked: unpack(asked)?, largest: unpack(largest)? }
            }
            (5, 0, 0) => Self::Resources,
            _ => return None,
        })
    }

    fn into_parts(self) -> (u32, u64, u64) {
        match self {
            Self::Version { min, max } => (1, u64::from(min), u64::from(max)),
            Self::Features { missing } => (2, missing, 0),
            Self::OverQuota { asked, granted } => (3, asked, granted),
            Self::OverSize { asked, largest } => (4, pack(asked), pack(largest)),
            Self::Resources => (5, 0, 0),
        }
    }
}

/// A size in one field: the width in the upper half.
fn pack(size: Size) -> u64 {
    (u64::from(size.width) << 32) | u64::from(size.height)
}

fn unpack(value: u64) -> Option<Size> {
    let width = u32::try_from(value >> 32).ok()?;
    let height = u32::try_from(value & u64::from(u32::MAX)).ok()?;
    Some(Size::new(width, height))
}

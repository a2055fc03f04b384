//! What a child may say.

use crate::error::Violation;
use crate::format::{ColorSpace, Format};
use crate::geometry::{Size, SurfaceDescriptor};
use crate::mode::PresentMode;

use super::codec::{self, Reader, Writer};
use super::{
    Bye, MAGIC, MAX_MESSAGE_BYTES, MAX_SLOT_SLACK, MAX_SLOTS, MIN_SLOTS, SUPPORTED, UserBytes,
    VERSIONS, exact_handles, kind, no_handles,
};

/// A message from the child to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FromChild<'a> {
    /// The first message.
    Hello(Hello),
    /// The surfaces of a new generation.
    Setup(Setup),
    /// Bytes that mean something to the two programs.
    Message(UserBytes<'a>),
    /// The last message.
    Bye(Bye),
}

impl<'a> FromChild<'a> {
    /// Reads a packet that came with this many handles.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it, looked for in this order: its
    /// length, its kind, its body's length, its handles, its fields. Setup says
    /// itself how many handles it has, so there the fields come first.
    pub(crate) fn decode(packet: &'a [u8], handles: usize) -> Result<Self, Violation> {
        let (number, body) = codec::open(packet)?;
        match number {
            kind::HELLO => Hello::decode(body, handles).map(Self::Hello),
            kind::SETUP => Setup::decode(body, handles).map(Self::Setup),
            kind::MESSAGE => UserBytes::decode(body, handles).map(Self::Message),
            kind::BYE => Bye::decode(body, handles).map(Self::Bye),
            _ => Err(Violation::UnknownMessage),
        }
    }

    /// The packet.
    pub(crate) fn encode<'b>(&self, out: &'b mut [u8; MAX_MESSAGE_BYTES]) -> &'b [u8] {
        match self {
            Self::Hello(hello) => hello.encode(out),
            Self::Setup(setup) => setup.encode(out),
            Self::Message(bytes) => bytes.encode(out),
            Self::Bye(bye) => bye.encode(out),
        }
    }

    /// How many handles go with the packet.
    pub(crate) const fn handles(&self) -> usize {
        match self {
            Self::Setup(setup) => setup.slots as usize,
            Self::Hello(_) | Self::Message(_) | Self::Bye(_) => 0,
        }
    }
}

/// What the child is and can do. Its layout is the same in every version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    /// The oldest version that it speaks.
    pub(crate) version_min: u16,
    /// The newest.
    pub(crate) version_max: u16,
    /// The features that it has.
    pub(crate) features: u64,
    /// Those of them that it can't do without.
    pub(crate) required: u64,
}

impl Hello {
    const BYTES: usize = 32;

    /// What this library says.
    pub(crate) const OURS: Self = Self {
        version_min: *VERSIONS.start(),
        version_max: *VERSIONS.end(),
        features: SUPPORTED,
        required: 0,
    };

    fn decode(body: &[u8], handles: usize) -> Result<Self, Violation> {
        let mut fields = Reader::fields(body, Self::BYTES)?;
        no_handles(handles)?;
        if fields.u32()? != MAGIC {
            return Err(Violation::BadMagic);
        }
        let hello = Self {
            version_min: fields.u16()?,
            version_max: fields.u16()?,
            features: fields.u64()?,
            required: fields.u64()?,
        };
        let versions_fit = hello.version_min >= 1 && hello.version_min <= hello.version_max;
        if !versions_fit || hello.required & !hello.features != 0 {
            return Err(Violation::BadField);
        }
        Ok(hello)
    }

    fn encode(self, out: &mut [u8; MAX_MESSAGE_BYTES]) -> &[u8] {
        Writer::begin(out, kind::HELLO)
            .u32(MAGIC)
            .u16(self.version_min)
            .u16(self.version_max)
            .u64(self.features)
            .u64(self.required)
            .finish()
    }
}

/// A new generation of surfaces. Their handles ride beside it, slot 0 first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setup {
    /// The generation, counted from 1.
    pub(crate) generation: u32,
    /// The Configure that it answers; 0 for none.
    pub(crate) configure_serial: u32,
    /// What every slot's surface is like.
    pub(crate) surface: SurfaceDescriptor,
    /// How many slots there are.
    pub(crate) slots: u8,
    /// Which frames are shown.
    pub(crate) mode: PresentMode,
    /// The length of each slot's memory object.
    pub(crate) bytes_per_slot: u64,
}

impl Setup {
    const BYTES: usize = 56;

    fn decode(body: &[u8], handles: usize) -> Result<Self, Violation> {
        let mut fields = Reader::fields(body, Self::BYTES)?;
        let generation = fields.nonzero_u32()?;
        let configure_serial = fields.u32()?;
        let size = Size::new(fields.u32()?, fields.u32()?);
        let format = Format::from_fourcc(fields.u32()?).ok_or(Violation::BadFormat)?;
        let color_space = ColorSpace::from_code(fields.u32()?).ok_or(Violation::BadFormat)?;
        let surface = SurfaceDescriptor::with_stride(size, format, fields.u32()?)
            .map_err(|_| Violation::BadGeometry)?
            .with_color_space(color_space);
        let slots = u8::try_from(fields.u32()?).map_err(|_| Violation::BadSlotCount)?;
        if !(MIN_SLOTS..=MAX_SLOTS).contains(&slots) {
            return Err(Violation::BadSlotCount);
        }
        let mode = PresentMode::from_code(fields.u32()?).ok_or(Violation::BadField)?;
        fields.reserved_u32()?;
        let bytes_per_slot = fields.u64()?;
        let most = surface.bytes().saturating_add(MAX_SLOT_SLACK);
        if bytes_per_slot < surface.bytes() || bytes_per_slot > most {
            return Err(Violation::WrongLength);
        }
        exact_handles(handles, slots.into())?;
        Ok(Self { generation, configure_serial, surface, slots, mode, bytes_per_slot })
    }

    fn encode(self, out: &mut [u8; MAX_MESSAGE_BYTES]) -> &[u8] {
        Writer::begin(out, kind::SETUP)
            .u32(self.generation)
            .u32(self.configure_serial)
            .u32(self.surface.size().width)
            .u32(self.surface.size().height)
            .u32(self.surface.format().fourcc())
            .u32(self.surface.color_space().code())
            .u32(self.surface.stride())
            .u32(self.slots.into())
            .u32(self.mode.code())
            .u32(0)
            .u64(self.bytes_per_slot)
            .finish()
    }
}

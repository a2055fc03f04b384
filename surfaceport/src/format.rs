//! Pixel formats and colour spaces.

use core::fmt;

/// How the pixels of a surface lie in memory. Alpha is premultiplied.
///
/// The codes are those of the Linux kernel's `drm_fourcc.h`; they are what
/// travels between the processes on every operating system.
///
/// ```
/// use surfaceport::Format;
///
/// assert_eq!(Format::Bgra8.bytes_per_pixel(), 4);
/// assert_eq!(Format::from_fourcc(u32::from_le_bytes(*b"AR24")), Some(Format::Bgra8));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Bytes B, G, R, A. `DRM_FORMAT_ARGB8888`, `wl_shm` argb8888, OSType `BGRA`.
    #[default]
    Bgra8,
    /// Bytes B, G, R, and one that is written 0xff. `DRM_FORMAT_XRGB8888`.
    Bgrx8,
    /// Bytes R, G, B, A. `DRM_FORMAT_ABGR8888`.
    Rgba8,
    /// A little-endian word of 2 bits alpha and 10 each of red, green and blue
    /// (blue lowest). `DRM_FORMAT_ARGB2101010`.
    Bgr10a2,
    /// Four half-precision floats R, G, B, A. `DRM_FORMAT_ABGR16161616F`.
    Rgba16f,
}

impl Format {
    /// Every format, in the order of this page.
    pub const ALL: [Self; 5] =
        [Self::Bgra8, Self::Bgrx8, Self::Rgba8, Self::Bgr10a2, Self::Rgba16f];

    /// The format's `drm_fourcc.h` code.
    #[must_use]
    pub const fn fourcc(self) -> u32 {
        u32::from_le_bytes(match self {
            Self::Bgra8 => *b"AR24",
            Self::Bgrx8 => *b"XR24",
            Self::Rgba8 => *b"AB24",
            Self::Bgr10a2 => *b"AR30",
            Self::Rgba16f => *b"AB4H",
        })
    }

    /// The format with this code, if it is one of ours.
    #[must_use]
    pub fn from_fourcc(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.fourcc() == code)
    }

    /// Bytes that one pixel takes.
    #[must_use]
    pub const fn bytes_per_pixel(self) -> u32 {
        match self {
            Self::Bgra8 | Self::Bgrx8 | Self::Rgba8 | Self::Bgr10a2 => 4,
            Self::Rgba16f => 8,
        }
    }

    /// Whether pixels can be transparent.
    #[must_use]
    pub const fn has_alpha(self) -> bool {
        !matches!(self, Self::Bgrx8)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What the numbers in a pixel mean as light. It travels with the surface.
///
/// ```
/// use surfaceport::ColorSpace;
///
/// assert_eq!(ColorSpace::default(), ColorSpace::Srgb);
/// assert_eq!(ColorSpace::from_code(1), Some(ColorSpace::DisplayP3));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ColorSpace {
    /// IEC 61966-2-1.
    #[default]
    Srgb,
    /// Display P3 with sRGB's transfer function.
    DisplayP3,
    /// sRGB's primaries with a linear transfer function; values above 1 are
    /// brighter than white (for [`Format::Rgba16f`]).
    LinearSrgb,
    /// BT.2020 primaries with the PQ transfer function (BT.2100).
    Bt2020Pq,
}

impl ColorSpace {
    /// Every colour space, by code.
    pub const ALL: [Self; 4] = [Self::Srgb, Self::DisplayP3, Self::LinearSrgb, Self::Bt2020Pq];

    /// The number that stands for it between the processes.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Srgb => 0,
            Self::DisplayP3 => 1,
            Self::LinearSrgb => 2,
            Self::Bt2020Pq => 3,
        }
    }

    /// The colour space with this code.
    #[must_use]
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|space| space.code() == code)
    }
}

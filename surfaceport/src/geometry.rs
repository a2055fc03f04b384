//! Sizes, rectangles, damage and the checked arithmetic of surfaces.

use core::fmt;

use crate::error::Error;
use crate::format::{ColorSpace, Format};

/// The longest side of a surface, in pixels.
pub const MAX_SIDE: u32 = 16_384;

/// Every row starts at a multiple of this many bytes, so that a GPU can import
/// the memory as it is.
pub const STRIDE_ALIGN: u32 = 256;

/// The longest row that a child may ask for, in bytes: twice what the widest
/// format needs at [`MAX_SIDE`].
pub const MAX_STRIDE: u32 = MAX_SIDE * 8 * 2;

/// Width and height in pixels.
///
/// ```
/// use surfaceport::Size;
///
/// let size = Size::new(1920, 1080);
/// assert_eq!(size.to_string(), "1920x1080");
/// assert_eq!("640x480".parse(), Ok(Size::new(640, 480)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Size {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl Size {
    /// A size.
    #[must_use]
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// Whether a surface can have this size: no side zero or above [`MAX_SIDE`].
    #[must_use]
    pub const fn is_valid(self) -> bool {
        self.check().is_ok()
    }

    /// Why a surface can't have this size.
    pub(crate) const fn check(self) -> Result<(), GeometryError> {
        if self.width == 0 || self.height == 0 {
            return Err(GeometryError::Empty);
        }
        if self.width > MAX_SIDE || self.height > MAX_SIDE {
            return Err(GeometryError::TooLarge(self));
        }
        Ok(())
    }

    /// Whether this fits within `outer`.
    #[must_use]
    pub const fn fits(self, outer: Self) -> bool {
        self.width <= outer.width && self.height <= outer.height
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl core::str::FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once(['x', 'X']).and_then(|(width, height)| {
            Some(Self::new(width.trim().parse().ok()?, height.trim().parse().ok()?))
        });
        parsed.ok_or_else(|| format!("{text:?} is not a size: write it as 1280x720"))
    }
}

/// Physical pixels for each logical one, in 120ths (the unit of Wayland's
/// fractional-scale protocol, which divides evenly by all common scales).
///
/// ```
/// use surfaceport::Scale;
///
/// assert_eq!(Scale::ONE.as_f64(), 1.0);
/// assert_eq!(Scale::from_f64(1.5).get(), 180);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scale(u32);

impl Scale {
    /// One physical pixel a logical one.
    pub const ONE: Self = Self(120);
    const MAX: u32 = 120 * 16;

    /// From 120ths; `None` outside 1/120 to 16.
    #[must_use]
    pub const fn from_120ths(value: u32) -> Option<Self> {
        if value >= 1 && value <= Self::MAX { Some(Self(value)) } else { None }
    }

    /// The nearest scale to a number; out of range or NaN is clamped.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "float casts saturate, and the result is clamped"
    )]
    pub fn from_f64(value: f64) -> Self {
        Self(((value * 120.0).round() as u32).clamp(1, Self::MAX))
    }

    /// In 120ths.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// As a number.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 120.0
    }
}

impl Default for Scale {
    fn default() -> Self {
        Self::ONE
    }
}

/// A rectangle in pixels, from the top left.
///
/// ```
/// use surfaceport::{Rect, Size};
///
/// let rect = Rect::new(60, 60, 100, 100).clipped(Size::new(64, 64));
/// assert_eq!(rect, Rect::new(60, 60, 4, 4));
/// assert!(Rect::new(70, 0, 9, 9).clipped(Size::new(64, 64)).is_empty());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rect {
    /// Pixels from the left.
    pub x: u32,
    /// Pixels from the top.
    pub y: u32,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl Rect {
    /// A rectangle.
    #[must_use]
    pub const fn new(x: u32, y: u32, width: u32, height: u32) -> Self {
        Self { x, y, width, height }
    }

    /// Whether it covers no pixel.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.width == 0 || self.height == 0
    }

    /// The part that lies within a surface of this size.
    #[must_use]
    pub fn clipped(self, size: Size) -> Self {
        let x = self.x.min(size.width);
        let y = self.y.min(size.height);
        let right = self.x.saturating_add(self.width).min(size.width);
        let bottom = self.y.saturating_add(self.height).min(size.height);
        Self::new(x, y, right - x, bottom - y)
    }

    /// The smallest rectangle around both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        if self.is_empty() {
            return other;
        }
        if other.is_empty() {
            return self;
        }
        let x = self.x.min(other.x);
        let y = self.y.min(other.y);
        let right = self.x.saturating_add(self.width).max(other.x.saturating_add(other.width));
        let bottom = self.y.saturating_add(self.height).max(other.y.saturating_add(other.height));
        Self::new(x, y, right - x, bottom - y)
    }
}

impl From<Size> for Rect {
    fn from(size: Size) -> Self {
        Self::new(0, 0, size.width, size.height)
    }
}

/// What changed since the frame before.
///
/// Up to [`Damage::MAX_RECTS`] rectangles; one more, and they become the one
/// around them all. It never says less than what changed.
///
/// ```
/// use surfaceport::{Damage, Rect};
///
/// let mut damage = Damage::from(Rect::new(0, 0, 8, 8));
/// damage.add(Rect::new(20, 20, 4, 4));
/// assert_eq!(damage.rects().unwrap().len(), 2);
/// damage.union(&Damage::FULL);
/// assert_eq!(damage.rects(), None);
/// assert!(Damage::NONE.is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    rects: [Rect; Self::MAX_RECTS],
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Full,
    Rects(u8),
}

impl Damage {
    /// How many rectangles it can tell apart.
    pub const MAX_RECTS: usize = 7;
    /// Everything may have changed.
    pub const FULL: Self = Self { rects: [Rect::new(0, 0, 0, 0); 7], kind: Kind::Full };
    /// Nothing changed.
    pub const NONE: Self = Self { rects: [Rect::new(0, 0, 0, 0); 7], kind: Kind::Rects(0) };

    /// The rectangles; `None` means the whole surface.
    #[must_use]
    pub fn rects(&self) -> Option<&[Rect]> {
        match self.kind {
            Kind::Full => None,
            Kind::Rects(count) => Some(self.rects.get(..usize::from(count)).unwrap_or(&[])),
        }
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.kind == Kind::Rects(0)
    }

    /// Adds a rectangle.
    pub fn add(&mut self, rect: Rect) {
        let Kind::Rects(count) = self.kind else { return };
        if rect.is_empty() {
            return;
        }
        if let Some(place) = self.rects.get_mut(usize::from(count)) {
            *place = rect;
            self.kind = Kind::Rects(count + 1);
        } else {
            let around = self.rects.iter().fold(rect, |all, one| all.union(*one));
            *self = Self::from(around);
        }
    }

    /// Adds all that another has.
    pub fn union(&mut self, other: &Self) {
        match other.rects() {
            None => *self = Self::FULL,
            Some(rects) => rects.iter().for_each(|rect| self.add(*rect)),
        }
    }

    /// The part that lies within a surface of this size.
    #[must_use]
    pub fn clipped(&self, size: Size) -> Self {
        let mut clipped = *self;
        clipped.clip(size);
        clipped
    }

    /// Keeps only that part. All of a surface stays so, and is not even copied.
    #[inline]
    pub(crate) fn clip(&mut self, size: Size) {
        if let Some(rects) = self.rects() {
            let mut clipped = Self::NONE;
            rects.iter().for_each(|rect| clipped.add(rect.clipped(size)));
            *self = clipped;
        }
    }
}

impl Default for Damage {
    fn default() -> Self {
        Self::FULL
    }
}

impl From<Rect> for Damage {
    fn from(rect: Rect) -> Self {
        let mut damage = Self::NONE;
        damage.add(rect);
        damage
    }
}

/// Why a surface can't be as described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GeometryError {
    /// A side is zero.
    Empty,
    /// A side is above [`MAX_SIDE`].
    TooLarge(Size),
    /// A row is shorter than its pixels, not aligned, or above [`MAX_STRIDE`].
    BadStride(u32),
}

impl fmt::Display for GeometryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "a surface needs at least one pixel each way"),
            Self::TooLarge(size) => {
                write!(f, "{size} is too large: {MAX_SIDE} pixels is the longest side")
            }
            Self::BadStride(stride) => write!(
                f,
                "{stride} bytes is no usable row: it must hold the pixels, be a multiple of \
                 {STRIDE_ALIGN} and at most {MAX_STRIDE}"
            ),
        }
    }
}

impl std::error::Error for GeometryError {}

/// Size, format and layout of a surface.
///
/// ```
/// use surfaceport::{Format, Size, SurfaceDescriptor};
///
/// let surface = SurfaceDescriptor::new(Size::new(100, 50), Format::Bgra8)?;
/// assert_eq!(surface.stride(), 512); // 400 bytes of pixels, aligned
/// assert_eq!(surface.bytes(), 512 * 50);
/// assert!(SurfaceDescriptor::new(Size::new(100_000, 50), Format::Bgra8).is_err());
/// # Ok::<(), surfaceport::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SurfaceDescriptor {
    size: Size,
    format: Format,
    color_space: ColorSpace,
    stride: u32,
}

impl SurfaceDescriptor {
    /// A surface with the smallest aligned stride, in sRGB.
    ///
    /// # Errors
    ///
    /// [`Error::Geometry`] if a side is zero or above [`MAX_SIDE`].
    pub fn new(size: Size, format: Format) -> Result<Self, Error> {
        let row = size.width.saturating_mul(format.bytes_per_pixel());
        let stride = row.checked_next_multiple_of(STRIDE_ALIGN).unwrap_or(u32::MAX);
        Self::with_stride(size, format, stride).map_err(Error::Geometry)
    }

    /// A surface with a given stride: what a host checks a child's claim with.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn with_stride(size: Size, format: Format, stride: u32) -> Result<Self, GeometryError> {
        Self::aligned(size, format, stride, STRIDE_ALIGN)
    }

    /// The same, for surfaces of others with an alignment of their own, which is
    /// a multiple of 8.
    pub(crate) fn aligned(
        size: Size,
        format: Format,
        stride: u32,
        align: u32,
    ) -> Result<Self, GeometryError> {
        size.check()?;
        // Neither product can overflow: sides are at most 2^14, pixels 2^3 bytes.
        let row = size.width * format.bytes_per_pixel();
        if stride < row || !stride.is_multiple_of(align) || stride > MAX_STRIDE {
            return Err(GeometryError::BadStride(stride));
        }
        Ok(Self { size, format, color_space: ColorSpace::Srgb, stride })
    }

    /// The same surface in another colour space.
    #[must_use]
    pub const fn with_color_space(mut self, color_space: ColorSpace) -> Self {
        self.color_space = color_space;
        self
    }

    /// Size in pixels.
    #[must_use]
    pub const fn size(&self) -> Size {
        self.size
    }

    /// Pixel format.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Colour space.
    #[must_use]
    pub const fn color_space(&self) -> ColorSpace {
        self.color_space
    }

    /// Bytes from one row to the next.
    #[must_use]
    pub const fn stride(&self) -> u32 {
        self.stride
    }

    /// Bytes of one row's pixels, without the padding behind them.
    #[must_use]
    pub const fn row_bytes(&self) -> u32 {
        self.size.width * self.format.bytes_per_pixel()
    }

    /// Bytes of the whole image, padding included.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.stride as u64 * self.size.height as u64
    }
}

#[cfg(test)]
mod tests;

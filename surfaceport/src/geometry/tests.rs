//! The arithmetic of geometry: every value at an edge with every other, against
//! the same in numbers that are too wide to overflow; every small one; and any.

use proptest::prelude::*;

use super::{Damage, GeometryError, MAX_SIDE, MAX_STRIDE, Rect, STRIDE_ALIGN};
use super::{Scale, Size, SurfaceDescriptor};
use crate::format::Format;

/// Where 32 bits, or what is made of them, could go wrong.
const EDGES: [u32; 20] = [
    0,
    1,
    2,
    63,
    64,
    65,
    255,
    256,
    MAX_SIDE - 1,
    MAX_SIDE,
    MAX_SIDE + 1,
    u16::MAX as u32,
    u16::MAX as u32 + 1,
    MAX_STRIDE,
    (1 << 30) - 1,
    1 << 30,
    i32::MAX as u32,
    i32::MAX as u32 + 1,
    u32::MAX - 1,
    u32::MAX,
];

/// What PROTOCOL.md says of a surface, in numbers that can't overflow.
fn rule(size: Size, format: Format, stride: u32) -> Result<u128, GeometryError> {
    let [width, height, wide] = [size.width, size.height, stride].map(u128::from);
    if width == 0 || height == 0 {
        return Err(GeometryError::Empty);
    }
    if width > 16_384 || height > 16_384 {
        return Err(GeometryError::TooLarge(size));
    }
    let row = width * u128::from(format.bytes_per_pixel());
    if wide < row || wide % 256 != 0 || wide > 2 * 16_384 * 8 {
        return Err(GeometryError::BadStride(stride));
    }
    Ok(wide * height)
}

fn check_descriptor(size: Size, format: Format, stride: u32) {
    let made = SurfaceDescriptor::with_stride(size, format, stride);
    let what = format!("{size} {format} {stride}");
    assert_eq!(made.map(|made| u128::from(made.bytes())), rule(size, format, stride), "{what}");
    let Ok(made) = made else { return };
    assert_eq!((made.size(), made.format(), made.stride()), (size, format, stride));
    let [width, height, wide] = [size.width, size.height, stride].map(u128::from);
    let pixel = u128::from(format.bytes_per_pixel());
    assert_eq!(u128::from(made.row_bytes()), width * pixel, "{what}");
    // The last pixel of the last row lies within.
    assert!((height - 1) * wide + width * pixel <= u128::from(made.bytes()), "{what}");
}

#[test]
fn a_surface_of_every_edge() {
    for width in EDGES {
        for height in EDGES {
            let size = Size::new(width, height);
            for format in Format::ALL {
                let row = width.wrapping_mul(format.bytes_per_pixel());
                let around = [
                    row,
                    row.wrapping_add(STRIDE_ALIGN - 1) / STRIDE_ALIGN * STRIDE_ALIGN,
                    MAX_STRIDE - STRIDE_ALIGN,
                    MAX_STRIDE + STRIDE_ALIGN,
                    u32::MAX - STRIDE_ALIGN + 1,
                ];
                for stride in around.into_iter().chain(EDGES) {
                    for stride in [stride.wrapping_sub(1), stride, stride.wrapping_add(1)] {
                        check_descriptor(size, format, stride);
                    }
                }
            }
        }
    }
}

#[test]
fn every_width_gets_the_smallest_row() {
    for format in Format::ALL {
        for width in 1..=MAX_SIDE {
            let made = SurfaceDescriptor::new(Size::new(width, MAX_SIDE), format).unwrap();
            let (row, stride) = (made.row_bytes(), made.stride());
            assert!(stride >= row && stride - row < STRIDE_ALIGN, "{width} {format}");
            check_descriptor(made.size(), format, stride);
        }
    }
    for beyond in EDGES.into_iter().filter(|side| *side == 0 || *side > MAX_SIDE) {
        for size in [Size::new(beyond, 1), Size::new(1, beyond), Size::new(beyond, beyond)] {
            assert!(SurfaceDescriptor::new(size, Format::Rgba16f).is_err(), "{size}");
            assert!(!size.is_valid());
        }
    }
}

/// From here to there, in numbers that can't overflow; `None` is nothing.
type Span = Option<(u64, u64)>;

fn span(from: u32, len: u32) -> Span {
    (len > 0).then(|| (from.into(), u64::from(from) + u64::from(len)))
}

fn spans(rect: Rect) -> (Span, Span) {
    if rect.is_empty() {
        return (None, None);
    }
    (span(rect.x, rect.width), span(rect.y, rect.height))
}

/// The part of a span below an end.
fn below(span: Span, end: u64) -> Span {
    span.map(|(from, to)| (from, to.min(end))).filter(|(from, to)| from < to)
}

/// The smallest span around two; what lies beyond 32 bits can't be said.
fn around(one: Span, other: Span) -> Span {
    let all = match (one, other) {
        (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
        (one, other) => one.or(other),
    };
    below(all, u32::MAX.into())
}

fn check_clipped(rect: Rect, size: Size) {
    let (across, down) = spans(rect);
    let wanted = (below(across, size.width.into()), below(down, size.height.into()));
    let wanted = if wanted.0.is_none() || wanted.1.is_none() { (None, None) } else { wanted };
    let clipped = rect.clipped(size);
    assert_eq!(spans(clipped), wanted, "{rect:?} {size}");
    assert!(clipped.x <= size.width && clipped.y <= size.height);
    assert_eq!(clipped.clipped(size), clipped);
}

fn check_union(one: Rect, other: Rect) {
    let union = one.union(other);
    let ((x, y), (across, down)) = (spans(one), spans(other));
    let wanted = (around(x, across), around(y, down));
    // A rectangle at the last pixel of all has nothing that can be said beyond it.
    if one.is_empty() || other.is_empty() {
        assert_eq!(union, if one.is_empty() { other } else { one });
    } else if wanted.0.is_some() && wanted.1.is_some() {
        assert_eq!(spans(union), wanted, "{one:?} {other:?}");
    }
}

#[test]
fn rectangles_of_every_edge() {
    let few = [0, 1, 64, MAX_SIDE, MAX_SIDE + 1, 1 << 31, u32::MAX - 1, u32::MAX];
    let mut all = Vec::new();
    for x in few {
        for y in few {
            for width in few {
                all.extend(few.map(|height| Rect::new(x, y, width, height)));
            }
        }
    }
    for rect in &all {
        for width in few {
            few.iter().for_each(|height| check_clipped(*rect, Size::new(width, *height)));
        }
    }
    // Each with those that differ from it in one direction, both ways round.
    for one in &all {
        for x in few {
            for width in few {
                check_union(*one, Rect::new(x, one.y, width, one.height));
                check_union(Rect::new(one.x, x, one.width, width), *one);
            }
        }
    }
}

#[test]
fn every_small_rectangle_pixel_by_pixel() {
    let covers = |rect: Rect, x: u32, y: u32| {
        (rect.x..rect.x + rect.width).contains(&x) && (rect.y..rect.y + rect.height).contains(&y)
    };
    let small = |end: u32| {
        let rects = move |x| (0..end).map(move |y| (x, y));
        (0..end).flat_map(rects).collect::<Vec<_>>()
    };
    let mut rects = Vec::new();
    for (x, y) in small(4) {
        rects.extend(small(4).into_iter().map(|(width, height)| Rect::new(x, y, width, height)));
    }
    for rect in &rects {
        for (width, height) in small(6) {
            let size = Size::new(width, height);
            let clipped = rect.clipped(size);
            check_clipped(*rect, size);
            for (x, y) in small(8) {
                let inside = covers(*rect, x, y) && x < width && y < height;
                assert_eq!(covers(clipped, x, y), inside, "{rect:?} {size} {x} {y}");
            }
        }
        for other in &rects {
            check_union(*rect, *other);
        }
    }
}

#[test]
fn every_scale() {
    for value in 0..=120 * 16 + 1 {
        let scale = Scale::from_120ths(value);
        assert_eq!(scale.map(Scale::get), (1..=120 * 16).contains(&value).then_some(value));
        if let Some(scale) = scale {
            assert_eq!(Scale::from_f64(scale.as_f64()), scale);
        }
    }
    for value in EDGES {
        let wanted = (1..=120 * 16).contains(&value);
        assert_eq!(Scale::from_120ths(value).is_some(), wanted, "{value}");
    }
    let [least, most] = [1, 120 * 16].map(|value| Scale::from_120ths(value).unwrap());
    for (number, wanted) in [
        (f64::NAN, least),
        (f64::NEG_INFINITY, least),
        (-0.0, least),
        (f64::MIN_POSITIVE, least),
        (1.0 / 240.1, least),
        (16.004, most),
        (f64::MAX, most),
        (f64::INFINITY, most),
    ] {
        assert_eq!(Scale::from_f64(number), wanted, "{number}");
    }
}

fn any_rect() -> impl Strategy<Value = Rect> {
    let number =
        || prop_oneof![3 => 0..100_u32, 1 => prop::sample::select(&EDGES[..]), 1 => any::<u32>()];
    (number(), number(), number(), number())
        .prop_map(|(x, y, width, height)| Rect::new(x, y, width, height))
}

/// Whether a rectangle lies within one of those that a damage has.
fn is_covered(rect: Rect, damage: &Damage, size: Size) -> bool {
    let wanted = spans(rect.clipped(size));
    let (Some(x), Some(y)) = wanted else { return true };
    damage.clipped(size).rects().is_none_or(|rects| {
        rects.iter().any(|one| match spans(*one) {
            (Some(across), Some(down)) => {
                across.0 <= x.0 && x.1 <= across.1 && down.0 <= y.0 && y.1 <= down.1
            }
            _ => false,
        })
    })
}

proptest! {
    #[test]
    fn any_surface(width: u32, height: u32, stride: u32, format in prop::sample::select(&Format::ALL[..])) {
        check_descriptor(Size::new(width, height), format, stride);
        let size = Size::new(width % (MAX_SIDE + 2), height % (MAX_SIDE + 2));
        check_descriptor(size, format, stride);
        check_descriptor(size, format, stride % (MAX_STRIDE + 512) / 256 * 256);
    }

    #[test]
    fn any_rectangles(one in any_rect(), other in any_rect(), width: u32, height: u32) {
        check_clipped(one, Size::new(width, height));
        check_clipped(one, Size::new(width % 128, height % 128));
        check_union(one, other);
    }

    /// It never says less than it was told, and never more rectangles than it may.
    #[test]
    fn any_damage(rects in prop::collection::vec(any_rect(), 0..20), width in 1..=MAX_SIDE, height in 1..=MAX_SIDE) {
        let size = Size::new(width, height);
        let mut damage = Damage::NONE;
        rects.iter().for_each(|rect| damage.add(*rect));
        prop_assert!(damage.rects().is_some_and(|kept| kept.len() <= Damage::MAX_RECTS));
        prop_assert_eq!(damage.is_none(), rects.iter().all(|rect| rect.is_empty()));
        for rect in &rects {
            prop_assert!(is_covered(*rect, &damage, size), "{:?} of {:?}", rect, damage);
        }
        let clipped = damage.clipped(size);
        for rect in clipped.rects().unwrap_or_default() {
            prop_assert_eq!(rect.clipped(size), *rect);
        }
        damage.union(&Damage::FULL);
        prop_assert_eq!(damage, Damage::FULL);
    }
}

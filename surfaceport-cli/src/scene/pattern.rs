//! `--scene pattern`: a picture of which every pixel is known, for whoever looks
//! at the other end (a window, a screenshot) whether all of it came through.
//!
//! [`pixel`] is the whole of it. Opaque, and
//!
//! - the outermost row or column of each side in one colour: cyan at the top,
//!   magenta at the bottom, yellow on the left, grey on the right. A picture that
//!   is cut or shifted by one pixel lacks one of them;
//! - 16x16 blocks in the corners: red top left, green top right, blue bottom
//!   left, white bottom right. A picture that is turned or mirrored, or whose
//!   red and blue are exchanged, has them elsewhere;
//! - elsewhere a grid of black lines, 16 pixels apart, and between them blocks
//!   of which each carries one bit of the frame's number: bit n in each 32nd
//!   block, counted along the rows of the grid. Dark is 0, light is 1. A torn
//!   picture has blocks of two numbers. Red and green of a block say where it is,
//!   modulo 8, so a scaled or shifted picture shows.

use surfaceport::{Damage, Size};

use super::Target;

/// The grid's spacing, and the corners' size, in pixels.
pub(crate) const BLOCK: u32 = 16;

/// The bytes B, G, R, A of the pixel at `x`, `y` of a surface of this size, in the
/// frame of this number.
pub(crate) fn pixel(x: u32, y: u32, size: Size, sequence: u64) -> [u8; 4] {
    let (right, bottom) = (size.width - 1 - x, size.height - 1 - y);
    if y == 0 {
        return [255, 255, 0, 255];
    }
    if bottom == 0 {
        return [255, 0, 255, 255];
    }
    if x == 0 {
        return [0, 255, 255, 255];
    }
    if right == 0 {
        return [128, 128, 128, 255];
    }
    match (x < BLOCK, right < BLOCK, y < BLOCK, bottom < BLOCK) {
        (true, _, true, _) => return [0, 0, 255, 255],
        (_, true, true, _) => return [0, 255, 0, 255],
        (true, _, _, true) => return [255, 0, 0, 255],
        (_, true, _, true) => return [255; 4],
        _ => {}
    }
    if x.is_multiple_of(BLOCK) || y.is_multiple_of(BLOCK) {
        return [0, 0, 0, 255];
    }
    let (column, row) = (x / BLOCK, y / BLOCK);
    let bit = (row * size.width.div_ceil(BLOCK) + column) % 32;
    let light = if sequence >> bit & 1 == 1 { 128 } else { 0 };
    // The last digits of its place, in steps of 15: at most 105 above `light`.
    let [column, row] = [column, row].map(|place| light + 15 * (place % 8) as u8);
    [light + 60, row, column, 255]
}

/// Draws it, whole: nearly every block changes from frame to frame.
pub(super) fn draw(target: Target<'_>) -> Damage {
    let Target { bytes, stride, size, sequence, .. } = target;
    for (y, row) in (0..size.height).zip(bytes.chunks_mut(stride)) {
        for (x, bytes) in (0..size.width).zip(row.as_chunks_mut().0) {
            *bytes = pixel(x, y, size, sequence);
        }
    }
    Damage::FULL
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size::new(320, 240);

    #[test]
    fn the_number_is_read_back_from_any_part() {
        // 24 columns of blocks and up: two whole rows of the grid have all bits.
        for sequence in [0, 1, 0x1234_5678, 0xffff_ffff] {
            let mut read = 0;
            for block in 60..92 {
                let (x, y) = (block % 20 * BLOCK + 8, block / 20 * BLOCK + 8);
                let [blue, ..] = pixel(x, y, SIZE, sequence);
                // Those at the sides are cut by edges and corners only.
                read |= u64::from(blue >= 128) << (block % 32);
            }
            assert_eq!(read, sequence, "{sequence:#x}");
        }
    }

    #[test]
    fn a_shift_by_one_pixel_shows() {
        for (dx, dy) in [(1, 0), (0, 1), (16, 0), (0, 16)] {
            let differ = (0..SIZE.width - dx).any(|x| {
                (0..SIZE.height - dy)
                    .any(|y| pixel(x, y, SIZE, 7) != pixel(x + dx, y + dy, SIZE, 7))
            });
            assert!(differ, "by {dx}, {dy}");
        }
    }

    #[test]
    fn corners_edges_and_lines_are_where_the_page_says() {
        let at = |x, y| pixel(x, y, SIZE, 1);
        assert_eq!(at(5, 5), [0, 0, 255, 255], "red");
        assert_eq!(at(310, 5), [0, 255, 0, 255], "green");
        assert_eq!(at(5, 230), [255, 0, 0, 255], "blue");
        assert_eq!(at(310, 230), [255; 4], "white");
        assert_eq!(at(100, 0), [255, 255, 0, 255], "cyan");
        assert_eq!(at(100, 239), [255, 0, 255, 255], "magenta");
        assert_eq!(at(0, 100), [0, 255, 255, 255], "yellow");
        assert_eq!(at(319, 100), [128, 128, 128, 255], "grey");
        assert_eq!(at(32, 40), [0, 0, 0, 255], "a line");
    }
}

//! A picture as what a terminal understands.

use std::fmt::Write as _;

use anyhow::anyhow;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use surfaceport::Size;

/// A picture without alpha.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) size: Size,
    /// R, G, B, row by row from the top.
    pub(super) pixels: Vec<[u8; 3]>,
}

impl Picture {
    /// The same picture in another size: each pixel the mean of those that it
    /// covers, or the nearest one.
    pub(super) fn scaled(&self, size: Size) -> Self {
        let span = |at: u32, of: u32, from: u32| {
            let edge = |at: u32| (u64::from(at) * u64::from(from) / u64::from(of)) as usize;
            let start = edge(at);
            start..edge(at + 1).max(start + 1)
        };
        let mut pixels = Vec::with_capacity(size.width as usize * size.height as usize);
        for y in 0..size.height {
            let rows = span(y, size.height, self.size.height);
            for x in 0..size.width {
                let columns = span(x, size.width, self.size.width);
                let (mut sum, mut count) = ([0_u32; 3], 0);
                for row in rows.clone() {
                    let row = &self.pixels[row * self.size.width as usize..];
                    for pixel in &row[columns.clone()] {
                        sum.iter_mut()
                            .zip(pixel)
                            .for_each(|(sum, color)| *sum += u32::from(*color));
                        count += 1;
                    }
                }
                pixels.push(sum.map(|sum| u8::try_from(sum / count).unwrap_or(255)));
            }
        }
        Self { size, pixels }
    }
}

/// Half blocks: each cell shows two pixels, one above the other. Cells that show
/// them already are left out.
pub(super) struct Blocks {
    true_color: bool,
    /// What is on the screen.
    cells: Vec<[[u8; 3]; 2]>,
}

impl Blocks {
    pub(super) fn new(true_color: bool) -> Self {
        Self { true_color, cells: Vec::new() }
    }

    /// Forgets what is on the screen: it was cleared.
    pub(super) fn forget(&mut self) {
        self.cells.clear();
    }

    /// Writes a picture of as many columns as cells, and twice as many rows.
    pub(super) fn write(&mut self, picture: &Picture, at: (u32, u32), out: &mut String) {
        let width = picture.size.width as usize;
        let rows = picture.pixels.chunks_exact(width * 2);
        let cells: Vec<_> = rows
            .flat_map(|rows| {
                let (upper, lower) = rows.split_at(width);
                upper.iter().zip(lower).map(|(upper, lower)| [*upper, *lower])
            })
            .collect();
        let known = self.cells.len() == cells.len();
        let (mut place, mut colors) = (None, None);
        for (i, cell) in cells.iter().enumerate() {
            if known && self.cells.get(i) == Some(cell) {
                continue;
            }
            if place != Some(i) || i % width == 0 {
                let (x, y) = (i % width, i / width);
                let _ok = write!(out, "\x1b[{};{}H", at.1 as usize + y + 1, at.0 as usize + x + 1);
            }
            if colors != Some(*cell) {
                self.write_colors(*cell, out);
                colors = Some(*cell);
            }
            out.push('\u{2580}');
            place = Some(i + 1);
        }
        out.push_str("\x1b[0m");
        self.cells = cells;
    }

    fn write_colors(&self, [upper, lower]: [[u8; 3]; 2], out: &mut String) {
        for (layer, color) in [(38, upper), (48, lower)] {
            let [r, g, b] = color;
            let _ok = if self.true_color {
                write!(out, "\x1b[{layer};2;{r};{g};{b}m")
            } else {
                write!(out, "\x1b[{layer};5;{}m", of_256(color))
            };
        }
    }
}

/// The nearest colour of xterm's cube of 6 by 6 by 6, or of its greys.
fn of_256(color: [u8; 3]) -> u8 {
    let level = |value: u8| [48, 115, 155, 195, 235].iter().filter(|edge| value >= **edge).count();
    let [r, g, b] = color.map(level);
    let [low, high] = [color.iter().min(), color.iter().max()].map(|side| *side.unwrap_or(&0));
    if high - low < 8 && (8..238).contains(&high) {
        return 232 + (high - 8) / 10;
    }
    u8::try_from(16 + 36 * r + 6 * g + b).unwrap_or(16)
}

/// kitty's graphics: the pixels, which the terminal scales to so many cells. The
/// picture has a number, so that the next one replaces it.
pub(super) fn write_kitty(
    picture: &Picture,
    number: u32,
    at: (u32, u32),
    cells: Size,
    out: &mut String,
) {
    /// The longest piece that the protocol allows.
    const PIECE: usize = 4096;
    let encoded = STANDARD.encode(picture.pixels.as_flattened());
    let Size { width, height } = picture.size;
    let _ok = write!(
        out,
        "\x1b[{};{}H\x1b_Ga=T,q=2,C=1,f=24,i={number},p=1,s={width},v={height},c={},r={}",
        at.1 + 1,
        at.0 + 1,
        cells.width,
        cells.height
    );
    let mut pieces = encoded.as_bytes().chunks(PIECE).peekable();
    let mut first = true;
    while let Some(piece) = pieces.next() {
        let more = u8::from(pieces.peek().is_some());
        out.push_str(if first { "," } else { "\x1b_G" });
        first = false;
        let _ok = write!(out, "m={more};{}\x1b\\", String::from_utf8_lossy(piece));
    }
}

/// Sixels.
pub(super) fn write_sixel(
    picture: &Picture,
    at: (u32, u32),
    out: &mut String,
) -> anyhow::Result<()> {
    let rgba = picture.pixels.iter().flat_map(|[r, g, b]| [*r, *g, *b, 255]).collect();
    let (width, height) = (picture.size.width as usize, picture.size.height as usize);
    let image = icy_sixel::SixelImage::try_from_rgba(rgba, width, height)
        .map_err(|error| anyhow!("no sixels: {error}"))?;
    let sixels = image.encode().map_err(|error| anyhow!("no sixels: {error}"))?;
    let _ok = write!(out, "\x1b[{};{}H{sixels}", at.1 + 1, at.0 + 1);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: [u8; 3] = [255, 0, 0];
    const BLUE: [u8; 3] = [0, 0, 255];

    fn picture(width: u32, height: u32, pixels: &[[u8; 3]]) -> Picture {
        Picture { size: Size::new(width, height), pixels: pixels.to_vec() }
    }

    #[test]
    fn smaller_is_the_mean_and_larger_the_nearest() {
        let two = picture(2, 1, &[[10, 0, 0], [20, 0, 100]]);
        assert_eq!(two.scaled(Size::new(1, 1)).pixels, [[15, 0, 50]]);
        let four = two.scaled(Size::new(4, 2));
        assert_eq!(four.pixels[..4], [[10, 0, 0], [10, 0, 0], [20, 0, 100], [20, 0, 100]]);
        assert_eq!(four.pixels[..4], four.pixels[4..]);
    }

    #[test]
    fn a_cell_shows_two_pixels_and_only_what_changed() {
        let mut blocks = Blocks::new(true);
        let mut out = String::new();
        blocks.write(&picture(2, 2, &[RED, BLUE, BLUE, BLUE]), (4, 2), &mut out);
        assert_eq!(
            out,
            "\x1b[3;5H\x1b[38;2;255;0;0m\x1b[48;2;0;0;255m\u{2580}\
             \x1b[38;2;0;0;255m\x1b[48;2;0;0;255m\u{2580}\x1b[0m"
        );
        out.clear();
        blocks.write(&picture(2, 2, &[RED, BLUE, BLUE, RED]), (4, 2), &mut out);
        assert_eq!(out, "\x1b[3;6H\x1b[38;2;0;0;255m\x1b[48;2;255;0;0m\u{2580}\x1b[0m");
        blocks.forget();
        out.clear();
        blocks.write(&picture(2, 2, &[RED, BLUE, BLUE, RED]), (4, 2), &mut out);
        assert_eq!(out.matches('\u{2580}').count(), 2);
    }

    #[test]
    fn colours_of_256_are_near() {
        assert_eq!(of_256([0, 0, 0]), 16);
        assert_eq!(of_256([255, 255, 255]), 231);
        assert_eq!(of_256(RED), 196);
        assert_eq!(of_256([128, 128, 128]), 244);
    }

    #[test]
    fn kittys_pieces_make_the_whole() {
        let pixels: Vec<_> = (0..64 * 64_u32).map(|i| [i as u8, (i >> 8) as u8, 7]).collect();
        let mut out = String::new();
        write_kitty(&picture(64, 64, &pixels), 3, (0, 0), Size::new(8, 4), &mut out);
        let body = out.strip_prefix("\x1b[1;1H").unwrap();
        let mut encoded = String::new();
        let pieces: Vec<_> = body.split_terminator("\x1b\\").collect();
        for (i, piece) in pieces.iter().enumerate() {
            let (control, data) = piece.strip_prefix("\x1b_G").unwrap().split_once(';').unwrap();
            let more = i + 1 < pieces.len();
            assert!(control.ends_with(if more { "m=1" } else { "m=0" }), "{control}");
            assert!(data.len() <= 4096 && (!more || data.len() % 4 == 0));
            encoded.push_str(data);
        }
        assert_eq!(STANDARD.decode(encoded).unwrap(), pixels.as_flattened());
    }

    #[test]
    fn sixels_show_the_picture() {
        let pixels: Vec<_> = (0..24 * 12).map(|i| if i % 24 < 12 { RED } else { BLUE }).collect();
        let mut out = String::new();
        write_sixel(&picture(24, 12, &pixels), (0, 0), &mut out).unwrap();
        let sixels = out.strip_prefix("\x1b[1;1H").unwrap();
        let shown = icy_sixel::SixelImage::decode(sixels.as_bytes()).unwrap();
        assert_eq!((shown.width, shown.height), (24, 12));
        for (shown, [r, g, b]) in shown.pixels.chunks_exact(4).zip(pixels) {
            let near = |one: u8, other: u8| one.abs_diff(other) < 12;
            assert!(near(shown[0], r) && near(shown[1], g) && near(shown[2], b), "{shown:?}");
        }
    }
}

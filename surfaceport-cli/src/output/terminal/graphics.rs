//! How a terminal can show pictures, by asking it.

use std::time::{Duration, Instant};

use super::screen::Screen;

/// A way to show a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Graphics {
    /// kitty's protocol: the pixels themselves.
    Kitty,
    /// Sixels: the pixels, in 256 colours.
    Sixel,
    /// Half blocks: two pixels a cell. True colour, or the 256 of xterm.
    Blocks { true_color: bool },
}

impl Graphics {
    /// In words.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kitty => "kitty's graphics: the pixels themselves",
            Self::Sixel => "sixels: the pixels, in 256 colours",
            Self::Blocks { true_color: true } => "half blocks in true colour",
            Self::Blocks { true_color: false } => "half blocks in 256 colours",
        }
    }
}

/// How long a terminal may take to answer. One that does not gets half blocks.
const PATIENCE: Duration = Duration::from_millis(400);

/// Whether kitty's query is understood, and then what every terminal answers:
/// its device attributes.
const QUESTION: &[u8] = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c";

/// The best way that the terminal has, or what `SURFACEPORT_GRAPHICS` says:
/// `kitty`, `sixel` or `blocks`.
pub(super) fn ask(screen: &mut Screen) -> Graphics {
    let true_color = std::env::var("COLORTERM")
        .is_ok_and(|says| says.contains("truecolor") || says.contains("24bit"));
    let blocks = Graphics::Blocks { true_color };
    match std::env::var("SURFACEPORT_GRAPHICS").as_deref() {
        Ok("kitty") => return Graphics::Kitty,
        Ok("sixel") => return Graphics::Sixel,
        Ok("blocks") => return blocks,
        _ => {}
    }
    judge(&answer(screen)).unwrap_or(blocks)
}

fn answer(screen: &mut Screen) -> Vec<u8> {
    let mut answer = Vec::new();
    if screen.input().is_none() || !screen.write(QUESTION) {
        return answer;
    }
    let until = Instant::now() + PATIENCE;
    while !is_whole(&answer) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        answer.extend(screen.read_within(left));
    }
    answer
}

/// The device attributes in an answer: `ESC [ ? 6 ; 4 c` and the like.
fn attributes(answer: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let start = answer.windows(3).position(|start| start == b"\x1b[?")? + 3;
    let rest = answer.get(start..)?;
    let end = rest.iter().position(|byte| *byte == b'c')?;
    Some(rest.get(..end)?.split(|byte| *byte == b';'))
}

fn is_whole(answer: &[u8]) -> bool {
    attributes(answer).is_some()
}

fn judge(answer: &[u8]) -> Option<Graphics> {
    if answer.windows(9).any(|part| part == b"_Gi=31;OK") {
        return Some(Graphics::Kitty);
    }
    let sixel = attributes(answer)?.any(|attribute| attribute == b"4");
    sixel.then_some(Graphics::Sixel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_told_by_their_answers() {
        let kitty = b"\x1b_Gi=31;OK\x1b\\\x1b[?62;c";
        let xterm_with_sixels = b"\x1b[?63;1;2;4;6;9;15;22c";
        let tmux = b"\x1b[?1;2c";
        let refused = b"\x1b_Gi=31;ENOENT:no\x1b\\\x1b[?62;4c";
        assert_eq!(judge(kitty), Some(Graphics::Kitty));
        assert_eq!(judge(xterm_with_sixels), Some(Graphics::Sixel));
        assert_eq!(judge(refused), Some(Graphics::Sixel));
        assert_eq!((judge(tmux), judge(b""), judge(b"q")), (None, None, None));
        assert!(!is_whole(b"\x1b_Gi=31;OK\x1b\\\x1b[?62;"));
    }
}

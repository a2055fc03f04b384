//! Which scene.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::native;

/// `--scene`'s value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SceneChoice {
    /// The demo's own, drawn by the program itself.
    Portable,
    /// The same of CoreAnimation's layers, on macOS.
    CoreAnimation,
    /// A test pattern of which every pixel is known.
    Pattern,
    /// The user's picture.
    Svg(PathBuf),
}

impl Default for SceneChoice {
    /// The demo's own, by what the system draws layers with.
    fn default() -> Self {
        if native::IS_DEFAULT { Self::CoreAnimation } else { Self::Portable }
    }
}

impl FromStr for SceneChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "portable" => Self::Portable,
            "coreanimation" => Self::CoreAnimation,
            "pattern" => Self::Pattern,
            path => Self::Svg(path.into()),
        })
    }
}

impl fmt::Display for SceneChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Portable => f.write_str("portable"),
            Self::CoreAnimation => f.write_str("coreanimation"),
            Self::Pattern => f.write_str("pattern"),
            Self::Svg(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_as_they_are_written() {
        for text in ["portable", "coreanimation", "pattern", "a picture.svg", "./pattern"] {
            assert_eq!(text.parse::<SceneChoice>().unwrap().to_string(), text);
        }
        assert_eq!("portable".parse(), Ok(SceneChoice::Portable));
        assert_eq!("./pattern".parse(), Ok(SceneChoice::Svg("./pattern".into())));
    }
}

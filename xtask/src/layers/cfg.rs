//! The conditions of `cfg`: just enough to know what they ask for.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A condition, as in `cfg(all(test, not(loom)))`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// `test`, `target_os = "linux"` (by its name alone).
    Name(String),
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
}

impl Condition {
    /// From what stands between the parentheses of `cfg`. Of `cfg_attr` this is
    /// the condition too: it stands first.
    pub(super) fn first_of(tokens: TokenStream) -> Option<Self> {
        Self::list(tokens).into_iter().next()
    }

    fn list(tokens: TokenStream) -> Vec<Self> {
        let mut list = Vec::new();
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            let TokenTree::Ident(name) = token else { continue };
            let name = name.to_string();
            let inner = match tokens.peek() {
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => {
                    Some(Self::list(group.stream()))
                }
                _ => None,
            };
            list.push(match (name.as_str(), inner) {
                ("all", Some(inner)) => Self::All(inner),
                ("any", Some(inner)) => Self::Any(inner),
                ("not", Some(mut inner)) if inner.len() == 1 => {
                    Self::Not(Box::new(inner.remove(0)))
                }
                _ => Self::Name(name),
            });
        }
        list
    }

    /// Whether it can only hold where `name` is set.
    pub(super) fn implies(&self, name: &str) -> bool {
        match self {
            Self::Name(own) => own == name,
            Self::All(list) => list.iter().any(|one| one.implies(name)),
            Self::Any(list) => !list.is_empty() && list.iter().all(|one| one.implies(name)),
            Self::Not(_) => false,
        }
    }

    /// Every name in it.
    pub(super) fn names(&self) -> Vec<&str> {
        match self {
            Self::Name(name) => vec![name],
            Self::All(list) | Self::Any(list) => list.iter().flat_map(Self::names).collect(),
            Self::Not(one) => one.names(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Condition;

    fn condition(text: &str) -> Condition {
        Condition::first_of(text.parse().expect("tokens")).expect("a condition")
    }

    #[test]
    fn what_only_tests_can_meet() {
        for text in ["test", "all(test, loom)", "all(not(loom), test)", "any(test, all(test, a))"] {
            assert!(condition(text).implies("test"), "{text}");
        }
        for text in ["not(test)", "any(test, fuzzing)", "loom", "all(loom, unix)", "any()"] {
            assert!(!condition(text).implies("test"), "{text}");
        }
    }

    #[test]
    fn every_name_is_seen() {
        let names = condition("any(all(unix, not(target_os = \"macos\")), loom)");
        assert_eq!(names.names(), ["unix", "target_os", "loom"]);
    }
}

//! Licence expressions: `MIT OR (Apache-2.0 WITH LLVM-exception AND BSD-3-Clause)`,
//! and the old `MIT/Apache-2.0`.

/// Whether a licence expression can be met with allowed licences alone. An
/// error says why it cannot, or why it is no expression.
pub(super) fn permits(expression: &str, allowed: &[String]) -> Result<(), String> {
    let mut parser = Parser { words: words(expression), at: 0, allowed };
    let met = parser.or()?;
    if let Some(word) = parser.peek() {
        return Err(format!("`{word}` stands where the expression should end"));
    }
    if met { Ok(()) } else { Err("not on the list of allowed licences".to_owned()) }
}

fn words(expression: &str) -> Vec<String> {
    let mut spaced = String::new();
    for letter in expression.chars() {
        match letter {
            '(' | ')' => spaced.extend([' ', letter, ' ']),
            '/' => spaced.push_str(" OR "),
            letter => spaced.push(letter),
        }
    }
    spaced.split_whitespace().map(str::to_owned).collect()
}

struct Parser<'a> {
    words: Vec<String>,
    at: usize,
    allowed: &'a [String],
}

impl Parser<'_> {
    fn peek(&self) -> Option<&str> {
        self.words.get(self.at).map(String::as_str)
    }

    fn accept(&mut self, word: &str) -> bool {
        let is = self.peek().is_some_and(|next| next.eq_ignore_ascii_case(word));
        self.at += usize::from(is);
        is
    }

    fn or(&mut self) -> Result<bool, String> {
        let mut met = self.and()?;
        while self.accept("OR") {
            met |= self.and()?;
        }
        Ok(met)
    }

    fn and(&mut self) -> Result<bool, String> {
        let mut met = self.one()?;
        while self.accept("AND") {
            met &= self.one()?;
        }
        Ok(met)
    }

    fn one(&mut self) -> Result<bool, String> {
        if self.accept("(") {
            let met = self.or()?;
            return if self.accept(")") { Ok(met) } else { Err("a `)` is missing".to_owned()) };
        }
        let mut name = self.name()?;
        if self.accept("WITH") {
            name = format!("{name} WITH {}", self.name()?);
        }
        Ok(self.allowed.contains(&name))
    }

    fn name(&mut self) -> Result<String, String> {
        match self.peek().map(str::to_owned) {
            Some(word) if !["(", ")", "OR", "AND", "WITH"].contains(&word.as_str()) => {
                self.at += 1;
                Ok(word)
            }
            Some(word) => Err(format!("`{word}` stands where a licence should")),
            None => Err("the expression ends where a licence should stand".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::permits;

    fn allowed() -> Vec<String> {
        ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0"]
            .map(str::to_owned)
            .to_vec()
    }

    #[test]
    fn allowed_expressions() {
        for text in [
            "MIT",
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "Apache-2.0 / GPL-3.0-only",
            "GPL-3.0-only OR MIT",
            "GPL-2.0 AND LGPL-2.0 OR MIT",
            "(MIT OR GPL-3.0-only) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR Zlib",
            "MIT or GPL-3.0-only",
        ] {
            assert_eq!(permits(text, &allowed()), Ok(()), "{text}");
        }
    }

    #[test]
    fn refused_expressions() {
        for text in [
            "GPL-3.0-only",
            "mit",
            "MIT AND GPL-3.0-only",
            "MIT AND (GPL-3.0-only OR Zlib)",
            "(MIT OR Apache-2.0) AND Zlib",
            "MIT WITH Classpath-exception-2.0",
            "Unicode-3.0 WITH LLVM-exception",
        ] {
            assert!(permits(text, &allowed()).is_err(), "{text}");
        }
    }

    #[test]
    fn no_expressions() {
        for text in ["", "OR", "MIT OR", "(MIT", "MIT)", "MIT MIT", "MIT WITH", "()", "AND MIT"] {
            assert!(permits(text, &allowed()).is_err(), "{text}");
        }
    }
}

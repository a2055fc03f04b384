//! Reading compiler assembly: functions, their instructions, who calls whom.

use std::collections::BTreeMap;

/// One instruction, as it is written (AT&T or Intel), without comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instruction<'a>(&'a str);

impl<'a> Instruction<'a> {
    pub(super) fn text(&self) -> &'a str {
        self.0
    }

    /// Its words without the `lock` before them.
    fn words(&self) -> impl Iterator<Item = &'a str> {
        self.0.split_whitespace().filter(|word| *word != "lock")
    }

    fn name(&self) -> &'a str {
        self.words().next().unwrap_or_default()
    }

    fn locked(&self) -> bool {
        self.0.split_whitespace().next() == Some("lock")
    }

    /// `(%rdi)` or `[rdi]`
    fn touches_memory(&self) -> bool {
        self.0.contains('(') || self.0.contains('[')
    }

    pub(super) fn is_compare_and_swap(&self) -> bool {
        self.words().any(|word| word.starts_with("cmpxchg"))
    }

    /// With memory it is locked by itself.
    pub(super) fn is_swap(&self) -> bool {
        self.name().starts_with("xchg") && self.touches_memory()
    }

    pub(super) fn is_locked_or(&self) -> bool {
        let name = matches!(self.name(), "or" | "orb" | "orw" | "orl" | "orq");
        self.locked() && name && self.touches_memory()
    }

    /// The function that it calls or goes on in.
    fn callee(&self) -> Option<&'a str> {
        let mut words = self.words();
        let name = words.next()?;
        if !name.starts_with("call") && !name.starts_with('j') {
            return None;
        }
        let to = words.last()?.trim_start_matches('*');
        to.split(['@', '(']).next().filter(|name| !name.is_empty() && !name.starts_with('.'))
    }
}

/// All functions of one file of assembly.
#[derive(Debug, Default)]
pub(super) struct Assembly<'a> {
    functions: BTreeMap<&'a str, Vec<Instruction<'a>>>,
}

impl<'a> Assembly<'a> {
    /// Reads a file: a function goes from its label to its `.size`.
    pub(super) fn read(text: &'a str) -> Self {
        let mut functions: BTreeMap<&str, Vec<Instruction<'_>>> = BTreeMap::new();
        let mut current = None;
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if let Some(label) = line.strip_suffix(':') {
                if !label.starts_with('.') {
                    current = Some(label);
                    functions.entry(label).or_default();
                }
            } else if line.starts_with(".size") {
                current = None;
            } else if !line.is_empty()
                && !line.starts_with('.')
                && let Some(list) = current.and_then(|name| functions.get_mut(name))
            {
                list.push(Instruction(line));
            }
        }
        Self { functions }
    }

    /// The functions of a module, as the assembly names them.
    pub(super) fn functions_in(&self, module: &[&str]) -> impl Iterator<Item = &'a str> {
        let names = self.functions.keys().copied();
        names.filter(|name| stands_in(name, module))
    }

    /// The instructions of a function and of all that it reaches by calls within
    /// the file, each with the function it stands in.
    pub(super) fn reached(&self, function: &'a str) -> Vec<(&'a str, Instruction<'a>)> {
        let mut open = vec![function];
        let mut at = 0;
        let mut reached = Vec::new();
        while let Some(&name) = open.get(at) {
            at += 1;
            for instruction in self.functions.get(name).into_iter().flatten() {
                reached.push((name, *instruction));
                let callee = instruction.callee().filter(|one| !open.contains(one));
                open.extend(callee.filter(|one| self.functions.contains_key(one)));
            }
        }
        reached
    }
}

/// Whether a mangled symbol stands in a module. Both schemes write each name
/// behind its length; a trait's functions in the old one write dots.
fn stands_in(symbol: &str, module: &[&str]) -> bool {
    let counted: String = module.iter().map(|name| format!("{}{name}", name.len())).collect();
    symbol.contains(&counted) || symbol.contains(&format!("..{}..", module.join("..")))
}

/// Whether a mangled symbol is a function of this name: `_ZN..4take17h<hash>E`,
/// or `_RNv..4take`.
pub(super) fn is_function(symbol: &str, name: &str) -> bool {
    let counted = format!("{}{name}", name.len());
    if symbol.starts_with("_R") {
        symbol.ends_with(&counted)
    } else {
        symbol.contains(&format!("{counted}17h"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Assembly, Instruction, is_function, stands_in};

    #[test]
    fn both_manglings_are_read() {
        let module = ["swapchain", "host"];
        for symbol in [
            "_ZN11surfaceport9swapchain4host4Host4take17h0123456789abcdefE",
            "_RNvMs_NtNtCs8hLmNoPqRsT_11surfaceport9swapchain4hostNtB4_4Host4take",
        ] {
            assert!(stands_in(symbol, &module) && is_function(symbol, "take"), "{symbol}");
            assert!(!is_function(symbol, "ake") && !is_function(symbol, "Host"), "{symbol}");
            assert!(!stands_in(symbol, &["swapchain", "child"]), "{symbol}");
        }
        let shown =
            "_ZN66_$LT$surfaceport..swapchain..host..Host$u20$as$u20$core..fmt..Debug$GT$3fmt17h0E";
        assert!(stands_in(shown, &module));
        assert!(!stands_in("_ZN11surfaceport9swapchain7hostile4take17h0E", &module));
    }

    #[test]
    fn instructions_are_told_apart() {
        for text in ["xchgq\t%rax, (%rdi)", "xchg qword ptr [rdi], rax"] {
            assert!(Instruction(text).is_swap(), "{text}");
        }
        for text in ["xchgq\t%rax, %rdi", "cmpxchgq\t%rax, (%rdi)", "movq (%rdi), %rax"] {
            assert!(!Instruction(text).is_swap(), "{text}");
        }
        for text in
            ["lock\t\torq\t%rax, (%rdi)", "lock or qword ptr [rdi], rax", "lock orb $4, 7(%rdi)"]
        {
            assert!(Instruction(text).is_locked_or(), "{text}");
        }
        for text in ["orq\t%rax, (%rdi)", "lock\t\txorq\t%rax, (%rdi)", "lock orps (%rdi), %xmm0"] {
            assert!(!Instruction(text).is_locked_or(), "{text}");
        }
        for text in ["lock\t\tcmpxchgq\t%rcx, (%rdi)", "lock cmpxchg16b (%rdi)"] {
            assert!(Instruction(text).is_compare_and_swap(), "{text}");
        }
    }

    #[test]
    fn calls_are_followed() {
        let text = "a:\n\tcallq\tb\n\tjmp\tc@PLT\n\t.size a, 1\nx:\n\tud2\n\t.size x, 1\nb:\n\tcallq\t*d@GOTPCREL(%rip)\n\t.size b, 1\nc:\n\tcallq\ta\n\tcallq *%rax\n\t.size c, 1\nd:\n.LBB1:\n\tret # the end\n\t.size d, 1\n";
        let assembly = Assembly::read(text);
        let names: Vec<&str> = assembly.reached("a").iter().map(|one| one.0).collect();
        assert_eq!(names, ["a", "a", "b", "c", "c", "d"]);
        assert_eq!(assembly.reached("d"), [("d", Instruction("ret"))]);
    }
}

//! What the output of `cargo test` says: how many tests ran, and what did not.

/// What one test binary, or one package's doc tests, ran.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Binary {
    /// `tests/spawn.rs`, `unittests src/lib.rs`, `doc surfaceport`.
    pub(crate) name: String,
    /// Its file, or the package.
    pub(crate) file: String,
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) ignored: usize,
    /// Among its tests is the one that the others start as their child.
    child: bool,
}

/// A process test starts its own binary again as the child, which then runs the
/// test of this name. It tests nothing by itself, so it is not counted.
const CHILD: &str = "child";

impl Binary {
    /// `ok. 5 passed; 0 failed; ..`
    fn result(&mut self, counts: &str) {
        let passed = count(counts, "passed").saturating_sub(usize::from(self.child));
        let (failed, ignored) = (count(counts, "failed"), count(counts, "ignored"));
        if self.name.starts_with("doc ") {
            // One result for those that run, one for those that must not compile.
            self.passed += passed;
            self.failed += failed;
            self.ignored += ignored;
        } else {
            // A child on the same output says a result of its own, before this one.
            (self.passed, self.failed, self.ignored) = (passed, failed, ignored);
        }
    }
}

/// What a whole output says.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct TestsRan {
    pub(crate) binaries: Vec<Binary>,
    /// The names of the tests that passed, and of those that failed.
    pub(crate) names: Vec<String>,
    pub(crate) failed: Vec<String>,
    /// What the tests say that they could not do: the rest of each line
    /// that begins with `not run:`.
    pub(crate) not_run: Vec<String>,
}

/// Where in the output of `cargo test -- --show-output` a line stands.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The names of the tests, the results, what builds them.
    #[default]
    Run,
    /// What tests printed that passed.
    Successes,
    /// What tests printed that failed.
    Failures,
}

impl Part {
    /// Where the next line stands.
    #[must_use]
    pub(crate) fn next(self, line: &str) -> Self {
        match line {
            "successes:" => Self::Successes,
            "failures:" => Self::Failures,
            line if line.starts_with("test result: ") => Self::Run,
            _ => self,
        }
    }
}

/// Chooses the lines that are worth showing: of what a test printed that passed,
/// only what it did not run.
pub(crate) fn worth_showing() -> impl FnMut(&str) -> bool + Send {
    let mut part = Part::default();
    move |line| {
        part = part.next(line);
        part != Part::Successes || line.trim_start().starts_with("not run: ")
    }
}

/// What the tests printed that failed; of a binary that ended before it could tell
/// which (a crash, a watchdog, no harness) all that it printed.
pub(crate) fn failures(output: &str) -> Vec<&str> {
    let mut failed = Vec::new();
    let mut part = Part::default();
    // Of the binary that runs.
    let (mut all, mut told) = (Vec::new(), false);
    for line in output.lines() {
        if line.trim_start().starts_with("Running ") || line.trim_start().starts_with("Doc-tests ")
        {
            (part, told) = (Part::default(), false);
            all.clear();
        }
        part = part.next(line);
        all.push(line);
        if part == Part::Failures {
            told = true;
            failed.push(line);
        } else if line.starts_with("error: test failed") && !told {
            failed.append(&mut all);
            // What cargo knows of its end.
            part = Part::Failures;
        }
    }
    failed
}

impl TestsRan {
    /// Reads an output.
    pub(crate) fn read(output: &str) -> Self {
        let mut ran = Self::default();
        for line in output.lines() {
            ran.line(line.trim());
        }
        ran
    }

    fn line(&mut self, line: &str) {
        if let Some((name, file)) = line
            .strip_prefix("Running ")
            .and_then(|rest| rest.strip_suffix(')'))
            .and_then(|rest| rest.split_once(" ("))
        {
            let (name, file) = (name.to_owned(), file.to_owned());
            self.binaries.push(Binary { name, file, ..Binary::default() });
        } else if let Some(package) = line.strip_prefix("Doc-tests ") {
            let name = format!("doc {package}");
            self.binaries.push(Binary { name, file: package.to_owned(), ..Binary::default() });
        } else if let Some(counts) = line.strip_prefix("test result: ") {
            if self.binaries.is_empty() {
                self.binaries.push(Binary::default());
            }
            if let Some(binary) = self.binaries.last_mut() {
                binary.result(counts);
            }
        } else if let Some((name, end)) =
            line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... "))
        {
            match end {
                "ok" if name == CHILD => {
                    if let Some(binary) = self.binaries.last_mut() {
                        binary.child = true;
                    }
                }
                "ok" => self.names.push(name.to_owned()),
                "FAILED" => self.failed.push(name.to_owned()),
                _ => {}
            }
        }
        // With `--nocapture` the name of the test can stand before it.
        let said = line.strip_prefix("not run: ").or_else(|| {
            let rest = line.strip_prefix("test ")?;
            rest.split_once(" ... not run: ").map(|(_, said)| said)
        });
        if let Some(said) = said
            && !self.not_run.iter().any(|known| known == said)
        {
            self.not_run.push(said.to_owned());
        }
    }

    /// How many tests passed.
    pub(crate) fn passed(&self) -> usize {
        self.binaries.iter().map(|binary| binary.passed).sum()
    }

    /// Why a run of the tests failed: `why`, which tests did, and in further lines
    /// what they printed.
    pub(crate) fn blame(&self, why: &str, output: &str) -> String {
        let which = if self.failed.is_empty() { "" } else { ": " };
        let first = format!("{why}{which}{}", self.failed.join(", "));
        let lines: Vec<&str> = std::iter::once(first.as_str()).chain(failures(output)).collect();
        lines.join("\n")
    }

    /// `12 tests passed, 1 ignored`
    pub(crate) fn summary(&self) -> String {
        let ignored: usize = self.binaries.iter().map(|binary| binary.ignored).sum();
        match ignored {
            0 => format!("{} tests passed", self.passed()),
            ignored => format!("{} tests passed, {ignored} ignored", self.passed()),
        }
    }
}

/// `5` for `passed` in `ok. 5 passed; 0 failed; ..`
fn count(counts: &str, word: &str) -> usize {
    let words: Vec<&str> = counts.split([' ', ';']).filter(|one| !one.is_empty()).collect();
    let number =
        words.windows(2).find(|pair| pair[1] == word).and_then(|pair| pair[0].parse().ok());
    number.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{TestsRan, failures, worth_showing};

    #[test]
    fn what_passed_is_quiet_and_what_failed_is_not() {
        let output = "\
running 2 tests
test loud ... ok
test bad ... FAILED

successes:

---- loud stdout ----
thread 'loud' panicked, as it was told
not run: no huge pages

successes:
    loud

failures:

---- bad stdout ----
left: 1

failures:
    bad

test result: FAILED. 1 passed; 1 failed
error: test failed";
        let mut worth = worth_showing();
        let shown: Vec<&str> = output.lines().filter(|line| worth(line)).collect();
        for (line, wanted) in [
            ("test loud ... ok", true),
            ("thread 'loud' panicked, as it was told", false),
            ("    loud", false),
            ("not run: no huge pages", true),
            ("left: 1", true),
            ("error: test failed", true),
        ] {
            assert_eq!(shown.contains(&line), wanted, "{line}");
        }
        let wanted =
            ["failures:", "", "---- bad stdout ----", "left: 1", "", "failures:", "    bad", ""];
        assert_eq!(failures(output), wanted);
    }

    #[test]
    fn a_binary_that_crashed_is_shown_whole() {
        let crashed = "\
     Running tests/death.rs (target/debug/deps/death-0123)
running 2 tests
test kill ... ok
hung: back-off
error: test failed, to rerun pass `--test death`

Caused by:
  process didn't exit successfully (signal: 6, SIGABRT: process abort signal)";
        let fine = "\
     Running tests/abuse.rs (target/debug/deps/abuse-0123)
test chatter ... ok
test result: ok. 1 passed; 0 failed; 0 ignored;";
        let output = format!("{fine}\n{crashed}\n{fine}\n");
        assert_eq!(failures(&output), crashed.lines().collect::<Vec<_>>());
    }

    const OUTPUT: &str = "\
   Compiling surfaceport v0.1.0
     Running unittests src/lib.rs (target/debug/deps/surfaceport-0123)

running 3 tests
test geometry::tests::damage ... ok
test sys::conformance::linux::bells ... ok
test time::tests::clock ... ignored, slow
successes:
---- x stdout ----
not run: strace is missing

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s

     Running tests/spawn.rs (target/debug/deps/spawn-0123)

running 1 test
test calls ... not run: strace is missing
ok
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s

   Doc-tests surfaceport
running 0 tests
not run: no huge pages
test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
";

    #[test]
    fn every_binary_is_counted() {
        let ran = TestsRan::read(OUTPUT);
        let counts: Vec<_> =
            ran.binaries.iter().map(|one| (one.name.as_str(), one.passed, one.ignored)).collect();
        let wanted =
            [("unittests src/lib.rs", 2, 1), ("tests/spawn.rs", 1, 0), ("doc surfaceport", 0, 0)];
        assert_eq!(counts, wanted);
        assert_eq!(ran.passed(), 3);
        assert_eq!(ran.summary(), "3 tests passed, 1 ignored");
        assert_eq!(ran.names, ["geometry::tests::damage", "sys::conformance::linux::bells"]);
        assert_eq!(ran.not_run, ["strace is missing", "no huge pages"]);
    }

    #[test]
    fn children_are_not_counted() {
        let output = "\
     Running tests/spawn.rs (target/debug/deps/spawn-0123)
running 3 tests
running 1 test
test child ... ok
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out
test child ... ok
test kill ... ok
test starve ... ok
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out
";
        let ran = TestsRan::read(output);
        assert_eq!((ran.passed(), ran.names.len()), (2, 2));
        let alone = output.replace("3 passed", "1 passed");
        assert_eq!(TestsRan::read(&alone).passed(), 0);
    }

    #[test]
    fn the_results_of_doc_tests_add_up() {
        let output = "   Doc-tests surfaceport\n\
            test result: ok. 7 passed; 0 failed; 1 ignored;\n\
            test result: ok. 2 passed; 0 failed; 0 ignored;\n";
        assert_eq!(TestsRan::read(output).summary(), "9 tests passed, 1 ignored");
    }

    #[test]
    fn nothing_ran_is_nothing() {
        assert_eq!(TestsRan::read("").passed(), 0);
        assert_eq!(TestsRan::read("running 5 tests\n").passed(), 0);
        let failed = TestsRan::read("test result: FAILED. 1 passed; 2 failed; 0 ignored;");
        assert_eq!((failed.passed(), failed.binaries[0].failed), (1, 2));
        assert_eq!(TestsRan::read("test a::b (line 3) ... FAILED\n").failed, ["a::b (line 3)"]);
    }
}

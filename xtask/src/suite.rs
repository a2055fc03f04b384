//! The test suites, and whether each of their tiers ran at all.

use std::process::Command;

use crate::project::{self, Checked, Verdict};
use crate::run::{self, Ran};
use crate::tests_ran::{self, TestsRan};

/// The README's command, and every tier of it.
pub(crate) fn debug() -> Checked {
    let mut command = project::cargo();
    command.args(["test", "--workspace", "--no-fail-fast"]);
    run(command, &[Tier::Unit, Tier::Conformance, Tier::Process, Tier::Doc])
}

/// The heavy runs: what is ignored in a debug build runs here.
pub(crate) fn release() -> Checked {
    let mut command = project::cargo();
    command.args(["test", "--release", "--package", "surfaceport", "--tests"]);
    command.arg("--no-fail-fast");
    run(command, &[Tier::Unit, Tier::Conformance, Tier::Process])
}

/// Runs a `cargo test` and judges it.
pub(crate) fn run(mut command: Command, tiers: &[Tier]) -> Checked {
    // Without `--show-output` a test that passes could not say what it did not run.
    command.args(["--", "--show-output"]);
    judge(&run::run_showing(&mut command, tests_ran::worth_showing())?, tiers)
}

/// One tier of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tier {
    /// In the library itself.
    Unit,
    /// Of those, the suite over each `sys` facade.
    Conformance,
    /// Real processes: `surfaceport/tests/*.rs`.
    Process,
    /// The examples in the documentation.
    Doc,
}

impl Tier {
    fn passed(self, ran: &TestsRan) -> usize {
        let of = |wanted: fn(&str, &str) -> bool| {
            let binaries = ran.binaries.iter().filter(|one| wanted(&one.name, &one.file));
            binaries.map(|one| one.passed).sum()
        };
        match self {
            Self::Unit => of(|name, file| {
                name == "unittests src/lib.rs" && file.contains("/deps/surfaceport-")
            }),
            Self::Conformance => {
                ran.names.iter().filter(|name| name.contains("conformance")).count()
            }
            Self::Process => of(|name, _| name.starts_with("tests/")),
            Self::Doc => of(|name, _| name.starts_with("doc ")),
        }
    }
}

/// Fails where a test failed, or where a tier, or a whole file of process tests,
/// ran nothing.
fn judge(run: &Ran, tiers: &[Tier]) -> Checked {
    let ran = TestsRan::read(&run.output);
    if let Some(why) = &run.failure {
        return Err(ran.blame(why, &run.output));
    }
    let tiers = tiers.iter().filter(|tier| tier.passed(&ran) == 0);
    let files = ran.binaries.iter().filter(|one| one.name.starts_with("tests/"));
    let files = files.filter(|one| one.passed + one.ignored == 0);
    let empty: Vec<String> = tiers
        .map(|tier| format!("the {tier:?} tier").to_lowercase())
        .chain(files.map(|one| format!("surfaceport/{}", one.name)))
        .collect();
    if !empty.is_empty() {
        return Err(format!("no test ran in {}", empty.join(", ")));
    }
    Ok(Verdict::Passed { summary: ran.summary(), not_run: ran.not_run })
}

#[cfg(test)]
mod tests {
    use super::{Tier, judge};
    use crate::project::{Checked, Verdict};
    use crate::run::Ran;

    const GOOD: &str = "\
     Running unittests src/lib.rs (target/debug/deps/surfaceport-0123)
test sys::conformance::linux::bells ... ok
test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured
     Running tests/spawn.rs (target/debug/deps/spawn-0123)
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured
     Running tests/heavy.rs (target/debug/deps/heavy-0123)
test result: ok. 0 passed; 0 failed; 1 ignored; 0 measured
   Doc-tests surfaceport
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured
not run: strace is missing
";
    const ALL: [Tier; 4] = [Tier::Unit, Tier::Conformance, Tier::Process, Tier::Doc];

    fn all(output: &str) -> Checked {
        judge(&Ran { output: output.to_owned(), failure: None }, &ALL)
    }

    #[test]
    fn what_failed_is_named() {
        let output = format!("{GOOD}test spawn::kill ... FAILED\nfailures:\nleft: 1\n");
        let why = judge(&Ran { output, failure: Some("exit 101".to_owned()) }, &ALL);
        assert_eq!(why, Err("exit 101: spawn::kill\nfailures:\nleft: 1".to_owned()));
    }

    #[test]
    fn what_was_not_run_is_told() {
        let wanted = Verdict::Passed {
            summary: "6 tests passed, 1 ignored".to_owned(),
            not_run: vec!["strace is missing".to_owned()],
        };
        assert_eq!(all(GOOD), Ok(wanted));
    }

    #[test]
    fn a_tier_that_ran_nothing_fails() {
        for (good, bad, tier) in [
            ("2 passed", "0 passed", "unit"),
            ("sys::conformance::", "sys::", "conformance"),
            (
                "conformance::linux::bells ... ok",
                "conformance::linux::bells ... ignored",
                "conformance",
            ),
            ("1 passed", "0 passed", "process"),
            ("1 passed", "0 passed", "tests/spawn.rs"),
            ("3 passed", "0 passed", "doc"),
        ] {
            let why = all(&GOOD.replace(good, bad)).expect_err(tier);
            assert!(why.contains(tier), "{why}");
        }
        assert!(all("").is_err());
    }
}

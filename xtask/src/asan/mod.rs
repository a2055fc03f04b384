//! `cargo xtask asan`: the tests of the library, its process tests above all,
//! under the address sanitizer.

use std::path::Path;
use std::process::Command;

use crate::project::{self, Checked, Verdict};
use crate::suite::{self, Tier};
use crate::{host, run};

const FLAGS: &str = "-Zsanitizer=address";

/// Builds and runs the tests.
pub(crate) fn run() -> Checked {
    let target = host::rustc("host")?;
    let folder = project::target("asan");
    let mut not_run = Vec::new();
    let leaks = match probe(&target, &folder)? {
        Ok(()) => 1,
        Err(why) => {
            not_run.push(format!("leak detection of AddressSanitizer: {why}"));
            0
        }
    };
    let mut command = project::cargo();
    command
        .args(["test", "--package", "surfaceport", "--tests", "--target", &target])
        .arg("--no-fail-fast")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", FLAGS)
        .env("ASAN_OPTIONS", format!("detect_leaks={leaks}"))
        .env("CARGO_TARGET_DIR", &folder);
    match suite::run(command, &[Tier::Unit, Tier::Process])? {
        Verdict::Passed { summary, not_run: more } => {
            not_run.extend(more);
            Ok(Verdict::Passed { summary, not_run })
        }
        other => Ok(other),
    }
}

/// Whether the sanitizer works here. The inner result is that of leak
/// detection, which some containers forbid.
fn probe(target: &str, folder: &Path) -> Result<Result<(), String>, String> {
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let program = folder.join("probe");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut compile = Command::new(rustc);
    compile
        .arg(project::root().join("xtask/src/asan/probe.rs"))
        .args(["--edition", "2024", "--target", target, FLAGS, "-o"])
        .arg(&program)
        .env("RUSTC_BOOTSTRAP", "1");
    run::run(&mut compile)?.ok()?;

    let try_it = |what: &str, leaks: bool| {
        let output = Command::new(&program)
            .arg(what)
            .env("ASAN_OPTIONS", format!("detect_leaks={}", u8::from(leaks)))
            .output()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok::<_, String>((output.status.success(), said))
    };
    if !try_it("clean", false)?.0 {
        return Err("a correct program fails under AddressSanitizer".to_owned());
    }
    let (passed, said) = try_it("overflow", false)?;
    if passed || !said.contains("heap-buffer-overflow") {
        return Err("AddressSanitizer does not catch a read behind the end".to_owned());
    }
    if !try_it("clean", true)?.0 {
        return Ok(Err("it does not work on this machine".to_owned()));
    }
    let (passed, said) = try_it("leak", true)?;
    if passed || !said.contains("LeakSanitizer") {
        return Ok(Err("it does not catch a leak on this machine".to_owned()));
    }
    Ok(Ok(()))
}

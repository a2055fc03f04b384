//! `cargo xtask fuzz --coverage`: how many lines of what decodes a child's bytes the
//! checked-in inputs reach. `-Cinstrument-coverage` counts, LLVM's tools add up.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{PLATFORM, cargo, files, fresh, names};
use crate::project::{self, Checked, Verdict};
use crate::{host, run};

/// What reads bytes and words that a hostile process may have written. Where the
/// reader stands beside its writer (damage, records, outcomes) both are run by the
/// property tests.
const DECODERS: [&str; 8] = [
    "wire/codec.rs",
    "wire/from_child.rs",
    "wire/from_host.rs",
    "wire/input.rs",
    "wire/mod.rs",
    "sys/mach_frame.rs",
    "swapchain/host.rs",
    "swapchain/word.rs",
];

/// Of all their lines, in percent.
const WANTED: f64 = 95.0;

/// Builds the targets to count, replays the corpora and adds up.
pub(super) fn run() -> Checked {
    let (Some(profdata), Some(cov)) = (tool("profdata")?, tool("cov")?) else {
        return Ok(Verdict::NotRun(format!(
            "coverage needs LLVM's tools of rustc's version: install the package llvm-{}",
            major()?
        )));
    };
    let built = project::target("coverage");
    let mut build = cargo();
    build
        .args(["build", "--release", "--locked", "--target", PLATFORM])
        .env("CARGO_TARGET_DIR", &built)
        .env("RUSTFLAGS", "--cfg=fuzzing -Cinstrument-coverage");
    run::run(&mut build)?.ok()?;

    let counted = built.join("counted");
    fresh(&counted)?;
    let mut programs = Vec::new();
    for name in names()? {
        let program = built.join(PLATFORM).join("release").join(&name);
        let inputs = files(&project::root().join("fuzz/corpus").join(&name))?;
        if inputs.is_empty() {
            return Err(format!("{name} has no inputs"));
        }
        let mut replay = Command::new(&program);
        // The inputs by name: libFuzzer runs each once and looks for no others.
        replay.args(&inputs).env("LLVM_PROFILE_FILE", counted.join(format!("{name}.profraw")));
        let replayed = replay.output().map_err(|error| format!("{name}: {error}"))?;
        if !replayed.status.success() {
            let said = String::from_utf8_lossy(&replayed.stderr).into_owned();
            return Err(format!("{name}: {}: {said}", replayed.status));
        }
        println!("{name}: {} inputs", inputs.len());
        programs.push(program);
    }

    let sum = counted.join("all.profdata");
    let mut merge = Command::new(profdata);
    merge.args(["merge", "-sparse", "-o"]).arg(&sum).args(files(&counted)?);
    run::run(&mut merge)?.ok()?;
    let mut export = Command::new(cov);
    export.args(["export", "-summary-only", "-instr-profile"]).arg(&sum);
    let mut programs = programs.iter();
    export.args(programs.next());
    programs.for_each(|program| {
        export.arg("-object").arg(program);
    });
    let output = export.output().map_err(|error| format!("llvm-cov: {error}"))?;
    if !output.status.success() {
        return Err(format!("llvm-cov: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let summary = serde_json::from_slice(&output.stdout);
    judge(&lines(&summary.map_err(|error| format!("llvm-cov: {error}"))?))
}

fn major() -> Result<String, String> {
    let version = host::rustc("LLVM version")?;
    Ok(version.split('.').next().unwrap_or_default().to_owned())
}

/// A tool of LLVM that reads what rustc's LLVM writes: Debian's, or the toolchain's.
fn tool(name: &str) -> Result<Option<PathBuf>, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let root = Command::new(rustc).args(["--print", "sysroot"]).output();
    let root = root.map_err(|error| format!("rustc: {error}"))?.stdout;
    let root = PathBuf::from(String::from_utf8_lossy(&root).trim());
    let own = root.join("lib/rustlib").join(PLATFORM).join("bin").join(format!("llvm-{name}"));
    let works = |path: &PathBuf| {
        Command::new(path).arg("--version").output().is_ok_and(|output| output.status.success())
    };
    let debian = PathBuf::from(format!("llvm-{name}-{}", major()?));
    Ok([debian, own].into_iter().find(works))
}

/// A decoder, its lines, and how many of them were reached.
type Lines = (&'static str, u64, u64);

fn lines(summary: &serde_json::Value) -> Vec<Lines> {
    let files = summary["data"][0]["files"].as_array().cloned().unwrap_or_default();
    let of = |decoder: &'static str| {
        let path = Path::new("surfaceport/src").join(decoder);
        let found = files.iter().find(|file| {
            file["filename"].as_str().is_some_and(|name| Path::new(name).ends_with(&path))
        });
        let count = |what| found.and_then(|file| file["summary"]["lines"][what].as_u64());
        (decoder, count("count").unwrap_or(0), count("covered").unwrap_or(0))
    };
    DECODERS.map(of).to_vec()
}

fn judge(lines: &[Lines]) -> Checked {
    let percent = |all: u64, reached: u64| 100.0 * reached as f64 / all as f64;
    for (decoder, all, reached) in lines {
        if *all == 0 {
            return Err(format!("{decoder} has no lines that count: was it moved?"));
        }
        println!("{decoder:<22}{reached:>5} of{all:>5} lines{:>7.1} %", percent(*all, *reached));
    }
    let all = lines.iter().map(|(_, all, _)| all).sum();
    let reached = lines.iter().map(|(_, _, reached)| reached).sum();
    let share = percent(all, reached);
    let said = format!("{reached} of {all} lines of the decoders, {share:.1} %");
    if share < WANTED {
        Err(format!("{said}; {WANTED} % are wanted"))
    } else {
        Ok(Verdict::passed(said))
    }
}

#[cfg(test)]
mod tests {
    use super::{DECODERS, judge, lines};
    use crate::project::Verdict;

    #[test]
    fn lines_are_found_by_their_file() {
        let file = |name: &str| {
            let lines = serde_json::json!({ "count": 40, "covered": 38 });
            serde_json::json!({ "filename": name, "summary": { "lines": lines } })
        };
        let here = file("/here/surfaceport/src/wire/codec.rs");
        let all = serde_json::json!({ "data": [{ "files": [file("/x/codec.rs"), here] }] });
        let found = lines(&all);
        assert_eq!(found.len(), DECODERS.len());
        assert_eq!(found[0], ("wire/codec.rs", 40, 38));
        assert!(judge(&found).is_err(), "the others have none");
    }

    #[test]
    fn too_few_lines_fail() {
        let wanted = Verdict::passed("95 of 100 lines of the decoders, 95.0 %");
        assert_eq!(judge(&[("a", 60, 60), ("b", 40, 35)]), Ok(wanted));
        assert!(judge(&[("a", 60, 60), ("b", 40, 34)]).is_err());
    }
}

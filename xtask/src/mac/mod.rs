//! `cargo xtask mac`: what can be known of the macOS side without a Mac.
//!
//! Every package, with its tests and examples, is type-checked and linted for both
//! kinds of Mac, and linked to Mach-O. Nothing is run. It takes the darwin
//! targets of this toolchain, if they are installed, or else Debian's compiler
//! with a standard library that is built once, from Debian's source of it.
//!
//! What is linked against: Apple's own list of libSystem's symbols, which the
//! PyPI package `ziglang` ships, and lists for the frameworks made from what
//! the binding crates declare (`xtask/mac/stubs.py`). A symbol that this
//! project declares by hand is in none of them unless it exists.

mod symbols;
mod toolchain;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::project::{self, Checked, Verdict};
use crate::{host, run};
use toolchain::Toolchain;

/// Apple silicon, and Intel. The first one is linked, too.
const TARGETS: [&str; 2] = ["aarch64-apple-darwin", "x86_64-apple-darwin"];

/// The release of `ziglang` whose headers and symbol list were compared with
/// the SDK of macOS 15.5.
const ZIG: &str = "0.15.2";

/// Runs all of it.
pub(crate) fn run() -> Checked {
    if host::rustc("host")?.ends_with("apple-darwin") {
        let why = "this is a Mac: `cargo clippy` and `cargo test` do it there";
        return Ok(Verdict::NotRun(why.to_owned()));
    }
    let cache = cache()?;
    let toolchain = match Toolchain::find(&cache, &TARGETS)? {
        Ok(toolchain) => toolchain,
        Err(missing) => return Ok(Verdict::NotRun(missing)),
    };
    let zig = match zig(&cache)? {
        Ok(zig) => zig,
        Err(missing) => return Ok(Verdict::NotRun(missing)),
    };
    let sdk = sdk(&toolchain, &zig)?;
    let declared = symbols::check(&sdk)?;
    let layouts = layouts(&zig, &cache)?;
    for target in TARGETS {
        let mut clippy = toolchain.cargo(&sdk);
        clippy.args(["clippy", "--quiet", "--workspace", "--all-targets", "--target", target]);
        clippy.args(["--", "-D", "warnings"]);
        run::run(&mut clippy)?.ok()?;
    }
    let linked = link(&toolchain, &sdk)?;
    Ok(Verdict::passed(format!(
        "linted for {} by {}; {linked} Mach-O programs linked; \
         {declared} hand-declared symbols and {layouts} C layouts hold; nothing was run",
        TARGETS.join(" and "),
        toolchain.name()
    )))
}

/// What is worth keeping when the project's own `target` is thrown away.
fn cache() -> Result<PathBuf, String> {
    let home = || std::env::home_dir().map(|home| home.join(".cache"));
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    let path = base.ok_or("there is no home directory")?.join("surfaceport-mac");
    std::fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

/// The unpacked package; the inner error says what is missing.
fn zig(cache: &Path) -> Result<Result<PathBuf, String>, String> {
    let folder = cache.join(format!("zig-{ZIG}"));
    let zig = folder.join("ziglang/zig");
    if zig.exists() {
        return Ok(Ok(folder.join("ziglang")));
    }
    let wheels = cache.join("wheel");
    let mut download = Command::new("python3");
    download.args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"]).arg(&wheels);
    download.arg(format!("ziglang=={ZIG}"));
    if let Err(why) = run::run(&mut download).and_then(run::Ran::ok) {
        return Ok(Err(format!("`ziglang` from PyPI: {why} (package: python3-pip)")));
    }
    let mut unpack = Command::new("python3");
    // Into another folder first: one that exists is whole.
    let part = cache.join("zig-part");
    unpack.arg("-c").arg(UNPACK).arg(&wheels).arg(&part);
    run::run(&mut unpack)?.ok()?;
    let failed = |error| format!("{}: {error}", folder.display());
    std::fs::rename(&part, &folder).map_err(failed)?;
    std::fs::remove_dir_all(&wheels).map_err(failed)?;
    Ok(Ok(folder.join("ziglang")))
}

/// Unpacks the wheels of a folder, and makes the compiler executable.
const UNPACK: &str = "
import glob, os, shutil, sys, zipfile
shutil.rmtree(sys.argv[2], ignore_errors=True)
for wheel in glob.glob(sys.argv[1] + '/*.whl'):
    zipfile.ZipFile(wheel).extractall(sys.argv[2])
os.chmod(sys.argv[2] + '/ziglang/zig', 0o755)
";

/// A folder that looks like Apple's SDK to a linker.
fn sdk(toolchain: &Toolchain, zig: &Path) -> Result<PathBuf, String> {
    let sdk = project::target("mac").join("sdk");
    let mut stubs = Command::new("python3");
    stubs.arg(project::root().join("xtask/mac/stubs.py")).arg(&sdk).arg(TARGETS[0]);
    stubs.arg(zig.join("lib/libc/darwin/libSystem.tbd"));
    stubs.env("CARGO", toolchain.cargo_path()).current_dir(project::root());
    run::run(&mut stubs)?.ok()?;
    Ok(sdk)
}

/// Compiles `xtask/mac/layouts.c`, whose static assertions are the C side of
/// those in `sys/macos/kern`; how many there are.
fn layouts(zig: &Path, cache: &Path) -> Result<usize, String> {
    let source = project::root().join("xtask/mac/layouts.c");
    let object = project::target("mac").join("layouts.o");
    for target in ["aarch64-macos", "x86_64-macos"] {
        let mut compile = Command::new(zig.join("zig"));
        compile.args(["cc", "-target", target, "-c"]).arg(&source).arg("-o").arg(&object);
        compile.env("ZIG_GLOBAL_CACHE_DIR", cache.join("zig-cache"));
        compile.env("ZIG_LOCAL_CACHE_DIR", cache.join("zig-cache"));
        run::run(&mut compile)?.ok()?;
    }
    let text = std::fs::read_to_string(&source).map_err(|error| format!("layouts.c: {error}"))?;
    Ok(text.lines().filter(|line| line.starts_with("SAME(")).count())
}

/// Links the program, and all tests and examples, for Apple silicon; how many
/// programs.
fn link(toolchain: &Toolchain, sdk: &Path) -> Result<usize, String> {
    let what = "test --quiet --no-run --workspace --target";
    let what: Vec<&str> = what.split(' ').chain([TARGETS[0]]).collect();
    println!("$ cargo {}", what.join(" "));
    let mut cargo = toolchain.cargo(sdk);
    cargo.args(what).args(["--message-format", "json"]).stderr(std::process::Stdio::inherit());
    let output = cargo.output().map_err(|error| format!("cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo test: {}", output.status));
    }
    let lines = String::from_utf8_lossy(&output.stdout);
    let messages = lines.lines().filter_map(|line| serde_json::from_str(line).ok());
    let programs = messages
        .filter_map(|message: serde_json::Value| message["executable"].as_str().map(PathBuf::from));
    let programs: Vec<PathBuf> = programs.collect();
    for program in &programs {
        let failed = |error| format!("{}: {error}", program.display());
        let bytes = std::fs::read(program).map_err(failed)?;
        if !is_program(&bytes) {
            return Err(format!("{} is no Mach-O program for arm64", program.display()));
        }
    }
    if programs.is_empty() { Err("nothing was linked".to_owned()) } else { Ok(programs.len()) }
}

/// The head of a Mach-O file (mach-o/loader.h): 64 bits, arm64, an executable.
fn is_program(bytes: &[u8]) -> bool {
    let word = |index: usize| {
        let bytes = bytes.get(index * 4..index * 4 + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    const MAGIC: u32 = 0xfeed_facf;
    const ARM64: u32 = 0x0100_000c;
    const EXECUTE: u32 = 2;
    [word(0), word(1), word(3)] == [Some(MAGIC), Some(ARM64), Some(EXECUTE)]
}

#[cfg(test)]
mod tests {
    use super::is_program;

    #[test]
    fn only_mach_o_is_a_program() {
        let head = |words: [u32; 4]| words.map(u32::to_le_bytes).concat();
        assert!(is_program(&head([0xfeed_facf, 0x0100_000c, 0, 2])));
        for other in [
            [0xfeed_facf, 0x0100_0007, 3, 2],
            [0xfeed_facf, 0x0100_000c, 0, 6],
            [0x464c_457f, 0x0100_000c, 0, 2],
        ] {
            assert!(!is_program(&head(other)));
        }
        assert!(!is_program(b"short"));
    }
}

//! A compiler for the darwin targets.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{project, run};

/// What has to be installed, by Debian's names.
const PACKAGES: &str = "rustc-web cargo-web rust-web-clippy rust-web-src";

/// Where Debian's own stand, whatever comes first on the path.
const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const CLIPPY: &str = "/usr/bin/clippy-driver";

/// The standard library's crates, and what Rust's own build does to one of
/// them: panic_abort alone is compiled with the strategy that it implements.
const STD: &str = "-Zbuild-std=std,panic_abort,proc_macro,test";
const WRAPPER: &str = r#"#!/bin/sh
case " $* " in *" --crate-name panic_abort "*) exec "$@" -Cpanic=abort ;; esac
exec "$@"
"#;
/// It is never run, so it need not be fast.
const MANIFEST: &str = r#"
[package]
name = "mkstd"
version = "0.0.0"
edition = "2021"

[profile.dev]
opt-level = 0
debug = false
incremental = false
debug-assertions = false
overflow-checks = false
"#;

/// A compiler, its linker, and where its standard library is.
#[derive(Debug)]
pub(super) struct Toolchain {
    /// Debian's, or this one where it has the targets.
    debian: bool,
    release: String,
    linker: PathBuf,
    /// Only where it is not the compiler's own.
    sysroot: Option<PathBuf>,
    targets: Vec<&'static str>,
}

impl Toolchain {
    /// Finds one, and builds its standard library if need be. The first target is
    /// to be linked for, the others only checked. The inner error says what is
    /// missing.
    pub(super) fn find(
        cache: &Path,
        targets: &[&'static str],
    ) -> Result<Result<Self, String>, String> {
        let own = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let installed = print(&own, &["--print", "sysroot"])?;
        let rustlib = Path::new(installed.trim()).join("lib/rustlib");
        let debian = !targets.iter().all(|target| rustlib.join(target).join("lib").exists());
        let compiler = if debian { RUSTC.into() } else { own };
        let needed = [RUSTC, CARGO, CLIPPY, "/usr/lib/rustlib/src/rust/library/std/Cargo.toml"];
        if debian && !needed.iter().all(|path| Path::new(path).exists()) {
            let missing = "no darwin targets in this toolchain, and not all of";
            return Ok(Err(format!("{missing} Debian's {PACKAGES}")));
        }
        let version = print(&compiler, &["-vV"])?;
        let line = |key: &str| {
            let line = version.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
            line.unwrap_or_default().to_owned()
        };
        let Some(linker) = linker(&rustlib, &line("LLVM version")) else {
            return Ok(Err("ld64.lld, the linker (package: lld-22)".to_owned()));
        };
        let mut toolchain = Self {
            debian,
            release: line("release"),
            linker,
            sysroot: None,
            targets: targets.to_vec(),
        };
        if debian {
            let name = format!("std-{}-{:.9}", toolchain.release, line("commit-hash"));
            let sysroot = cache.join(name);
            if !sysroot.exists() {
                toolchain.build_std(&sysroot)?;
            }
            toolchain.sysroot = Some(sysroot);
        }
        Ok(Ok(toolchain))
    }

    /// For the report.
    pub(super) fn name(&self) -> String {
        let whose = if self.debian { "Debian's" } else { "this toolchain's" };
        format!("{whose} rustc {}", self.release)
    }

    /// The cargo that goes with the compiler.
    pub(super) fn cargo_path(&self) -> OsString {
        let own = || std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        if self.debian { CARGO.into() } else { own() }
    }

    /// A cargo that compiles and links for the targets, in a folder of its own.
    pub(super) fn cargo(&self, sdk: &Path) -> Command {
        let mut command = self.plain_cargo();
        command.env("CARGO_TARGET_DIR", project::target("mac")).env("SDKROOT", sdk);
        // Warnings are for clippy to deny; a build that compiles is what counts.
        command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        // Nobody runs it, so it need not be fast. (Without debug information cargo
        // would strip it, by a tool that Debian does not have.)
        command.env("CARGO_PROFILE_DEV_OPT_LEVEL", "0");
        command.env("CARGO_INCREMENTAL", "0");
        let sysroot = self.sysroot.as_deref().map(|path| format!("--sysroot {} ", path.display()));
        let flags = format!("{}-Clinker-flavor=ld64.lld", sysroot.unwrap_or_default());
        for target in &self.targets {
            let key = target.to_uppercase().replace('-', "_");
            command.env(format!("CARGO_TARGET_{key}_LINKER"), &self.linker);
            command.env(format!("CARGO_TARGET_{key}_RUSTFLAGS"), &flags);
        }
        command
    }

    fn plain_cargo(&self) -> Command {
        let mut command = project::cargo();
        if self.debian {
            // A cargo finds the others beside itself, unless it is told.
            let path = std::env::var_os("PATH").unwrap_or_default();
            let path = [PathBuf::from("/usr/bin")].into_iter().chain(std::env::split_paths(&path));
            let mut debian = Command::new(CARGO);
            debian.current_dir(project::root());
            debian.env("PATH", std::env::join_paths(path).unwrap_or_default());
            debian.env("RUSTC", RUSTC).env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
            for (name, value) in command.get_envs() {
                if value.is_none() {
                    debian.env_remove(name);
                }
            }
            command = debian;
        }
        command
    }

    /// Builds the standard library into a folder that has the shape of a
    /// compiler's own.
    fn build_std(&self, sysroot: &Path) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("building the standard library: {error}");
        let work = sysroot.with_extension("part");
        if work.exists() {
            std::fs::remove_dir_all(&work).map_err(failed)?;
        }
        let package = work.join("package");
        std::fs::create_dir_all(package.join("src")).map_err(failed)?;
        std::fs::write(package.join("src/lib.rs"), "#![no_std]\n").map_err(failed)?;
        std::fs::write(package.join("Cargo.toml"), MANIFEST).map_err(failed)?;
        let wrapper = work.join("wrapper");
        std::fs::write(&wrapper, WRAPPER).map_err(failed)?;
        run::run(Command::new("chmod").arg("+x").arg(&wrapper))?.ok()?;

        let built = work.join("target");
        let rustlib = work.join("sysroot/lib/rustlib");
        for target in &self.targets {
            // What is never linked needs no code.
            let linked = self.targets.first() == Some(target);
            let (command, kind) = if linked { ("build", ".rlib") } else { ("check", ".rmeta") };
            let mut cargo = self.plain_cargo();
            cargo.args([command, "--quiet", STD, "--target", target, "--manifest-path"]);
            cargo.arg(package.join("Cargo.toml"));
            cargo.env("CARGO_TARGET_DIR", &built).env("RUSTC_BOOTSTRAP", "1");
            cargo.env("RUSTC_WRAPPER", &wrapper);
            run::run(&mut cargo)?.ok()?;
            let into = rustlib.join(target).join("lib");
            std::fs::create_dir_all(&into).map_err(failed)?;
            let from = built.join(target).join("debug/deps");
            for entry in std::fs::read_dir(from).map_err(failed)? {
                let path = entry.map_err(failed)?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if name.ends_with(kind) && !name.starts_with("libmkstd") {
                    std::fs::copy(&path, into.join(name)).map_err(failed)?;
                }
            }
        }
        std::fs::rename(work.join("sysroot"), sysroot).map_err(failed)?;
        std::fs::remove_dir_all(&work).map_err(failed)
    }
}

/// The linker of this LLVM release, or one that a toolchain brought along.
fn linker(rustlib: &Path, llvm: &str) -> Option<PathBuf> {
    let major = llvm.split('.').next().unwrap_or_default();
    let debian = [format!("/usr/lib/llvm-{major}/bin/ld64.lld"), "/usr/bin/ld64.lld".to_owned()];
    let brought = rustlib.join("x86_64-unknown-linux-gnu/bin/gcc-ld/ld64.lld");
    debian.into_iter().map(PathBuf::from).chain([brought]).find(|path| path.exists())
}

fn print(program: &OsString, arguments: &[&str]) -> Result<String, String> {
    let name = program.display().to_string();
    let output = Command::new(program)
        .args(arguments)
        .current_dir(project::root())
        .output()
        .map_err(|error| format!("{name}: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

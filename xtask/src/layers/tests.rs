//! Each rule fires on what breaks it, and only on that.

use super::rules::{Finding, check};
use super::table::TABLE;
use super::tree::Files;

/// The findings over a small library. Its `lib.rs` is made from the names of the files.
fn findings(sources: &[(&str, &str)]) -> Vec<Finding> {
    let mut files = Files::new();
    let mut root = String::new();
    for (name, text) in sources {
        if let Some(text) = text.strip_prefix("//root ") {
            root.push_str(text);
            continue;
        }
        let path = match name.strip_prefix('/') {
            Some(path) => path.to_owned(),
            None => format!("surfaceport/src/{name}"),
        };
        if !name.starts_with('/')
            && name.matches('/').count() == usize::from(name.contains("mod.rs"))
        {
            let module = name.trim_end_matches(".rs").trim_end_matches("/mod");
            root.push_str(&format!("mod {module};\n"));
        }
        files.insert(path, (*text).to_owned());
    }
    files.insert("surfaceport/src/lib.rs".to_owned(), root);
    check(&files, &["rustix".to_owned(), "loom".to_owned()]).findings
}

/// Exactly one finding; its rule and line.
#[track_caller]
fn fires(sources: &[(&str, &str)], rule: &str, line: usize) {
    let found = findings(sources);
    assert!(
        matches!(found.as_slice(), [one] if one.rule == rule && one.line == line),
        "wanted [{rule}] on line {line}, found {found:#?}"
    );
}

#[track_caller]
fn silent(sources: &[(&str, &str)]) {
    let found = findings(sources);
    assert!(found.is_empty(), "{found:#?}");
}

const PURE: &str = "#![forbid(unsafe_code)]\n";

#[test]
fn every_line_of_the_table_fires() {
    // Importer, what it may not import.
    let forbidden = [
        ("error", "wire"),
        ("geometry", "sys"),
        ("format", "surface"),
        ("time", "session"),
        ("outcome", "view"),
        ("mode", "os"),
        ("sync", "page"),
        ("wire", "sys"),
        ("wire", "swapchain"),
        ("swapchain", "wire"),
        ("swapchain", "page"),
        ("sys", "wire"),
        ("sys", "swapchain"),
        ("sys", "channel"),
        ("channel", "page"),
        ("channel", "child"),
        ("page", "channel"),
        ("page", "bell"),
        ("bell", "wait"),
        ("wait", "bell"),
        ("surface", "page"),
        ("child", "surface"),
        ("child", "session"),
        ("session", "sys"),
        ("session", "pane"),
        ("session", "view"),
        ("session", "os"),
        ("pane", "session"),
        ("pane", "channel"),
        ("pane", "child"),
        ("pane", "sys"),
        ("pane", "wire"),
        ("view", "surface"),
        ("view", "sys"),
        ("view", "channel"),
        ("view", "swapchain"),
        ("os", "view"),
    ];
    for (from, to) in forbidden {
        let from_file = format!("{from}/mod.rs");
        let to_file = format!("{to}/mod.rs");
        let text = format!("{PURE}use crate::{to}::Thing;\n");
        fires(&[(&from_file, &text), (&to_file, PURE)], "import table", 2);
    }
}

#[test]
fn what_the_table_allows_is_silent() {
    let allowed = [
        ("error", "geometry"),
        ("wire", "format"),
        ("swapchain", "sync"),
        ("sys", "error"),
        ("channel", "sys"),
        ("channel", "wire"),
        ("child", "channel"),
        ("page", "surface"),
        ("page", "swapchain"),
        ("session", "child"),
        ("session", "swapchain"),
        ("pane", "surface"),
        ("view", "session"),
        ("view", "pane"),
        ("view", "geometry"),
        ("os", "session"),
        ("os", "sys"),
        ("fuzzing", "wire"),
    ];
    for (from, to) in allowed {
        let from_file = format!("{from}/mod.rs");
        let to_file = format!("{to}/mod.rs");
        let text = format!("{PURE}use crate::{to}::Thing;\n");
        silent(&[(&from_file, &text), (&to_file, PURE)]);
    }
}

/// However a path is written, it is seen.
#[test]
fn every_way_to_write_an_import_fires() {
    let ways = [
        "use crate::sys::Thing;",
        "use crate::{error::Error, sys};",
        "use crate::{error::Error, sys::{self, linux::Thing}};",
        "use crate::sys as other;",
        "use crate::sys::*;",
        "use super::sys::Thing;",
        "use {super::sys::Thing};",
        "use ::surfaceport::sys::Thing;",
        "fn f() { crate::sys::call(); }",
        "fn f(x: crate::sys::Thing) {}",
        "fn f() -> Vec<super::sys::Thing> { Vec::new() }",
        "impl crate::sys::Trait for () {}",
        "fn f() { <crate::sys::Thing as Clone>::clone(); }",
        "mod inner { use super::super::sys::Thing; }",
        "mod inner { fn f() { use crate::sys::Thing; } }",
        "fn f() { println!(\"{}\", crate::sys::call()); }",
        "fn f() { vec![Some(super::sys::call())]; }",
        "fn f() { with!(use crate::{error::Error, sys::Thing}); }",
        "macro_rules! m { () => { $crate::sys::call() } }",
        "crate::sys::make!();",
        "#[cfg(not(test))] use crate::sys::Thing;",
        "#[cfg(any(test, fuzzing))] use crate::sys::Thing;",
        "pub(crate) use crate::sys::Thing;",
    ];
    for way in ways {
        let found =
            findings(&[("wire.rs", &format!("{PURE}{way}")), ("sys.rs", ""), ("error.rs", "")]);
        assert!(!found.is_empty(), "not seen: {way}");
        assert!(found.iter().all(|one| one.rule == "import table" && one.line == 2), "{found:?}");
    }
}

#[test]
fn what_is_no_import_is_silent() {
    let ways = [
        "//! crate::sys::Thing\n/// [`crate::sys::Thing`]\nstruct A;",
        "const TEXT: &str = \"crate::sys\";",
        "pub(in crate::wire) struct A;",
        "pub(super) struct A;",
        "impl A { fn f(self) { self.b(); Self::c(); } }",
        "#[cfg(test)] mod tests { use crate::sys::Thing; use super::*; }",
        "#[cfg(all(test, not(loom)))] mod tests { use crate::sys::Thing; }",
        "#[cfg(test)] use crate::sys::Thing;",
        "mod inner { use super::A; use crate::wire::A; }",
    ];
    for way in ways {
        silent(&[("wire.rs", &format!("{PURE}{way}")), ("sys.rs", "")]);
    }
}

#[test]
fn files_below_a_module_belong_to_it() {
    let mut tree = vec![
        ("wire/mod.rs", "#![forbid(unsafe_code)]\nmod codec;\n#[cfg(test)]\nmod tests;\n"),
        ("wire/codec/mod.rs", "mod deep;\n"),
        ("wire/tests.rs", "use crate::sys::Thing;\n"),
        ("sys.rs", ""),
    ];
    let mut with = tree.clone();
    with.push(("wire/codec/deep.rs", "\n\nuse super::super::super::sys::Thing;\n"));
    fires(&with, "import table", 3);
    tree.push(("wire/codec/deep.rs", "use super::super::codec::Thing;\n"));
    silent(&tree);
}

#[test]
fn a_file_that_no_mod_leads_to_fires() {
    let tree = [("wire.rs", PURE), ("wire/left/over.rs", "use crate::sys::Thing;")];
    fires(&tree, "every file is checked", 1);
    fires(&[("wire.rs", "#![forbid(unsafe_code)]\nmod gone;")], "every file is read", 1);
    fires(&[("wire.rs", "#![forbid(unsafe_code)]\nfn (")], "every file is read", 2);
}

#[test]
fn a_module_without_a_line_fires() {
    fires(&[("sprites.rs", "")], "import table", 1);
    let from = [("error.rs", "use crate::sprites::A;"), ("sprites.rs", "")];
    assert_eq!(findings(&from).len(), 2);
}

#[test]
fn the_root_is_no_way_round() {
    let root = "//root pub use session::{Session, frame::Frame as Picture};\npub use crate::error::Error;\n";
    let modules = [("session.rs", ""), ("error.rs", "")];
    let with = |text| [&modules[..], &[("", root), ("pane.rs", text)]].concat();
    fires(&with("use crate::Session;"), "import table", 1);
    fires(&with("use crate::Picture;"), "import table", 1);
    fires(&with("use super::*;"), "import table", 1);
    fires(&with("use crate as root;"), "import table", 1);
    fires(&with("fn f() { crate::unknown(); }"), "import table", 1);
    silent(&with("use crate::Error;"));
}

#[test]
fn dependencies_stay_below() {
    fires(&[("channel.rs", "use rustix::fd::OwnedFd;")], "import table", 1);
    fires(&[("error.rs", "fn f(e: rustix::io::Errno) {}")], "import table", 1);
    silent(&[("sys.rs", "use rustix::fd::OwnedFd;"), ("pane.rs", "use rustix::fd::OwnedFd;")]);
}

#[test]
fn pure_modules_are_pure() {
    fires(&[("wire.rs", "")], "pure modules", 1);
    fires(&[("swapchain/mod.rs", "#![deny(unsafe_code)]")], "pure modules", 1);
    fires(&[("wire.rs", "#[forbid(unsafe_code)]\nmod a {}")], "pure modules", 1);
    silent(&[("wire.rs", "#![forbid(missing_docs, unsafe_code)]")]);
    for bad in [
        "use std::os::fd::OwnedFd;",
        "use std::io;",
        "use std::{fmt, io::Read};",
        "use std::fs::File;",
        "use core::net::IpAddr;",
        "use std::time::Instant;",
        "fn f() { std::time::SystemTime::UNIX_EPOCH; }",
        "fn f(x: Instant) {}",
        "fn f() { Timestamp::now(); }",
        "use libc::c_int;",
        "fn f() { println!(\"{}\", std::process::id()); }",
    ] {
        fires(&[("wire.rs", &format!("{PURE}{bad}"))], "pure modules", 2);
    }
    silent(&[("wire.rs", &format!("{PURE}use std::time::Duration; use core::fmt;"))]);
    silent(&[("wire.rs", &format!("{PURE}#[cfg(test)] mod tests {{ use std::time::Instant; }}"))]);
    silent(&[("session.rs", "use std::time::Instant;")]);
}

#[test]
fn the_platform_has_its_places() {
    for bad in [
        "#[cfg(target_os = \"linux\")] fn f() {}",
        "#[cfg(not(unix))] mod a {}",
        "#[cfg_attr(windows, allow(dead_code))] fn f() {}",
        "#[cfg_attr(windows, allow(dead_code))] mod f {}",
        "fn f() -> bool { cfg!(target_os = \"macos\") }",
        "fn f() { assert!(cfg!(unix)); }",
        "fn f() { let x = 1; #[cfg(unix)] let x = 2; }",
        "struct A { #[cfg(unix)] a: u8 }",
        "macro_rules! m { () => { #[cfg(unix)] fn f() {} } }",
        "#[cfg(test)] mod tests { #[cfg(unix)] fn f() {} }",
        "#![cfg(unix)]",
        "#[cfg(unix)] const _: () = ();",
    ] {
        fires(&[("session.rs", bad)], "platform", 1);
    }
    let good = "#[cfg(target_os = \"linux\")] fn f() {}";
    silent(&[("sys/mod.rs", good), ("os.rs", good), ("pane/mod.rs", good)]);
    let inner = [("pane/mod.rs", "mod x11;"), ("pane/x11.rs", good)];
    fires(&inner, "platform", 1);
    silent(&[("session.rs", "#[cfg(target_pointer_width = \"64\")] fn f() {}")]);
}

#[test]
fn atomics_come_from_sync() {
    for bad in [
        "use std::sync::atomic::AtomicBool;",
        "use core::sync::atomic;",
        "use std::{fmt, sync::{Arc, atomic::Ordering}};",
        "use std::sync;\nfn f() {}",
        "fn f() { vec![std::sync::atomic::AtomicU8::new(0)]; }",
        "use std::sync::*;",
    ] {
        let text = bad.replace("use std::sync;\nfn f() {}", "fn f() { sync::atomic::fence(); }");
        fires(&[("session.rs", &text)], "atomics", 1);
    }
    silent(&[("sync.rs", "use std::sync::atomic::AtomicU64;")]);
    silent(&[("session.rs", "use crate::sync::AtomicU64; use std::sync::Arc;"), ("sync.rs", "")]);
}

#[test]
fn loom_stays_in_sync_and_in_tests() {
    fires(&[("page.rs", "use loom::thread;")], "loom", 1);
    fires(&[("page.rs", "#[cfg(loom)] fn f() {}")], "loom", 1);
    fires(&[("page.rs", "#[cfg(not(loom))] mod a {}")], "loom", 1);
    fires(&[("page.rs", "fn f() { if cfg!(loom) {} }")], "loom", 1);
    fires(&[("page.rs", "#[cfg(not(loom))] const A: u8 = 1;")], "loom", 1);
    silent(&[("page.rs", "#[cfg(not(loom))] const _: () = assert!(size_of::<u8>() == 1);")]);
    silent(&[("sync.rs", "#[cfg(loom)] use loom::sync::atomic::AtomicU64;")]);
    silent(&[("page.rs", "#[cfg(all(test, loom))] mod models { use loom::thread; }")]);
    silent(&[("page.rs", "#[cfg(all(test, not(loom)))] mod tests {}")]);
    silent(&[("page.rs", ""), ("", "//root #[cfg(not(loom))] mod bell;"), ("bell/mod.rs", "")]);
}

#[test]
fn unsafe_has_an_address() {
    for bad in [
        "fn f() { unsafe { g() } }",
        "unsafe fn f() {}",
        "fn f() { m!(unsafe { g() }); }",
        "#[unsafe(no_mangle)] fn f() {}",
        "unsafe impl Send for A {}",
    ] {
        fires(&[("session.rs", bad)], "unsafe", 1);
        fires(&[("error.rs", ""), ("/surfaceport/tests/spawn.rs", bad)], "unsafe", 1);
        fires(&[("error.rs", ""), ("/xtask/src/main.rs", bad)], "unsafe", 1);
        silent(&[("page.rs", bad), ("sys/mod.rs", "mod linux;"), ("sys/linux/mod.rs", bad)]);
    }
    silent(&[("session.rs", "#![deny(unsafe_code)]\n// unsafe\nconst A: &str = \"unsafe\";")]);
}

#[test]
fn only_the_public_api() {
    for bad in [
        "#[path = \"../src/wire.rs\"] mod wire;",
        "include!(\"../../surfaceport/src/wire/mod.rs\");",
        "const A: &str = include_str!(\"../src/wire.rs\");",
    ] {
        for file in [
            "/surfaceport/tests/a.rs",
            "/surfaceport/examples/a.rs",
            "/surfaceport/benches/a.rs",
            "/surfaceport-cli/src/main.rs",
        ] {
            fires(&[("error.rs", ""), (file, bad)], "public API only", 1);
        }
    }
    let good = "use surfaceport::Session; const A: &[u8] = include_bytes!(\"c/child.c\");";
    silent(&[("error.rs", ""), ("/surfaceport/tests/a.rs", good)]);
}

#[test]
fn path_attributes_stay_in_sys() {
    let text = "#[cfg_attr(target_os = \"linux\", path = \"linux/mod.rs\")]\nmod platform;";
    let broken = "use crate::wire::Message;";
    fires(
        &[("sys/mod.rs", text), ("sys/linux/mod.rs", broken), ("wire.rs", PURE)],
        "import table",
        1,
    );
    silent(&[("sys/mod.rs", text), ("sys/linux/mod.rs", "use super::Thing;")]);
    let away =
        [("bell.rs", "#[path = \"sys/a.rs\"] mod a;"), ("sys/mod.rs", "mod a;"), ("sys/a.rs", "")];
    fires(&away, "import table", 1);
}

/// The table that people read says the same as the one that is checked.
#[test]
fn the_written_table_names_every_module() {
    let written = include_str!("../../../CONTRIBUTING.md");
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for line in written.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if cells[1].parse::<u8>().is_ok() {
            let modules = cells[2].split(", ").map(str::to_owned).collect();
            lines.push((cells[1].to_owned(), modules));
        }
    }
    for row in TABLE {
        for module in row.modules {
            let found = lines.iter().any(|(layer, modules)| {
                *layer == row.layer.to_string() && modules.iter().any(|one| one == module)
            });
            assert!(found, "CONTRIBUTING.md does not show {module} in layer {}", row.layer);
        }
    }
    let count: usize = TABLE.iter().map(|row| row.modules.len()).sum();
    // The last line is of packages, which have no line in the checked table.
    let shown: usize = lines.iter().filter(|line| line.0 != "6").map(|line| line.1.len()).sum();
    assert_eq!(shown, count);
}

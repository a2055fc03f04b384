//! Who may import whom: the table of the design, as data.
//!
//! A module that is not here is an error. To add one, add its line here and to
//! the table in ARCHITECTURE.md.

/// One line of the table.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) layer: u8,
    /// Modules at the root of the library.
    pub(super) modules: &'static [&'static str],
    /// Whole layers that they may import.
    pub(super) layers: &'static [u8],
    /// Single modules that they may import beside those layers.
    pub(super) also: &'static [&'static str],
    /// Dependencies that they may name; [`ANY`] for all.
    pub(super) crates: &'static [&'static str],
}

/// Any dependency.
pub(super) const ANY: &[&str] = &["*"];

const fn row(
    layer: u8,
    modules: &'static [&'static str],
    layers: &'static [u8],
    also: &'static [&'static str],
    crates: &'static [&'static str],
) -> Row {
    Row { layer, modules, layers, also, crates }
}

#[rustfmt::skip]
pub(super) const TABLE: &[Row] = &[
    // layer, modules,                              may import: layers,   modules, dependencies
    row(0, &["error", "geometry", "format", "input"],           &[0],             &[], &[]),
    row(0, &["time", "rate", "outcome", "mode", "sandbox"],     &[0],             &[], &[]),
    row(0, &["sync"],                                           &[0],             &[], &["loom"]),
    row(1, &["wire"],                                           &[0],             &[], &[]),
    row(1, &["swapchain"],                                      &[0],             &[], &[]),
    row(2, &["sys"],                                            &[0],             &[], ANY),
    row(3, &["channel"],                                        &[0, 1, 2],       &[], &[]),
    row(3, &["bell"],                                           &[0, 1, 2],       &[], &[]),
    row(3, &["wait"],                                           &[0, 1, 2],       &[], &[]),
    row(3, &["surface"],                                        &[0, 1, 2],       &[], &[]),
    row(3, &["page"],                                           &[0, 1, 2],       &["surface"], &[]),
    row(3, &["child"],                                          &[0, 1, 2],       &["channel"], &[]),
    row(4, &["session"],                                        &[0, 1, 3],       &[], &[]),
    row(4, &["pane"],                                           &[0],             &["surface"], ANY),
    row(5, &["view"],                                           &[0],             &["session", "pane"], &[]),
    row(5, &["os"],                                             &[0, 1, 2, 3, 4], &[], ANY),
];

/// May import anything: the crate's root, and the doors of the fuzz targets
/// (`cfg(fuzzing)`) and of the benchmarks (the feature `internals`), which are no
/// part of what ships.
pub(super) const FREE: &[&str] = &["fuzzing", "internals"];

/// Pure modules: `forbid(unsafe_code)`, no handle, no I/O, no clock.
pub(super) const PURE_LAYER: u8 = 1;

/// Paths that no pure module may name.
pub(super) const IMPURE: &[&[&str]] = &[
    &["std", "os"],
    &["std", "io"],
    &["std", "fs"],
    &["std", "net"],
    &["std", "env"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "time", "Instant"],
    &["std", "time", "SystemTime"],
    &["Instant"],
    &["SystemTime"],
    &["rustix"],
    &["libc"],
];

/// Where the platform may be asked for by `cfg`: a file, or a folder that ends in `/`.
pub(super) const PLATFORM: &[&str] =
    &["surfaceport/src/sys/", "surfaceport/src/os.rs", "surfaceport/src/pane/mod.rs"];

/// The words of a `cfg` that ask for the platform.
pub(super) const PLATFORM_WORDS: &[&str] =
    &["target_os", "target_family", "target_vendor", "target_env", "unix", "windows"];

/// The one file that names std's atomics and loom's.
pub(super) const SYNC: &str = "surfaceport/src/sync.rs";

/// Where `unsafe` may stand, and why it must.
pub(super) const UNSAFE: &[(&str, &str)] = &[
    ("surfaceport/src/sys/linux/", "system calls that rustix leaves unsafe"),
    ("surfaceport/src/sys/macos/kern/apple.rs", "the calls of Apple's libraries"),
    ("surfaceport/src/os/macos/", "pointers of CoreFoundation, CoreGraphics and Metal"),
    ("surfaceport/src/pane/calayer/", "the toolkit's view, and what the display link calls"),
    ("surfaceport/src/page.rs", "atomics in a mapping"),
    ("surfaceport/src/surface.rs", "pixels in a mapping"),
    ("surfaceport/src/pane/wayland/server.rs", "the toolkit's wl_display and wl_surface"),
    ("surfaceport/tests/sandbox.rs", "descriptors by number"),
    ("surfaceport/tests/sandbox/", "bare system calls, as an attacker makes them"),
    ("servers/src/landlock.rs", "filters of system calls, and their supervisor"),
    ("surfaceport/tests/support/window.rs", "a window's raw handles, as a toolkit gives them"),
    ("surfaceport-cli/src/scene/coreanimation/", "methods of Apple's that take any object"),
    ("surfaceport-cli/src/output/probe.rs", "opening a library to see whether it is there"),
    ("surfaceport/tests/support/macos.rs", "a kqueue's changes, which could name fds"),
    ("surfaceport/tests/ladder.rs", "a window's handle, as a toolkit makes it"),
    ("surfaceport/tests/steady_state.rs", "an allocator that counts"),
    ("surfaceport-bench/src/alloc.rs", "an allocator that counts"),
    ("surfaceport-bench/src/huge.rs", "advice for a mapping"),
    ("surfaceport-bench/src/shared.rs", "memory that two processes share without the library"),
    ("surfaceport-bench/src/subject/", "frames in such memory, and inherited fds"),
    ("peers/src/", "samples of other libraries, in such memory"),
    ("xtask/src/asan/probe.rs", "what AddressSanitizer must catch"),
];

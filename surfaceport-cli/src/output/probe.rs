//! Whether there can be a window, asked before a toolkit is: winit panics where
//! a library is missing, and says little where a server is.

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::{Path, PathBuf};

/// A display server that a window can be opened on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Display {
    Wayland,
    X11,
}

/// A library that winit or softbuffer opens when it runs, and Debian's package.
type Library = (&'static str, &'static str);

const WAYLAND: &[Library] =
    &[("libwayland-client.so.0", "libwayland-client0"), ("libxkbcommon.so.0", "libxkbcommon0")];
const X11: &[Library] = &[
    ("libX11.so.6", "libx11-6"),
    ("libX11-xcb.so.1", "libx11-xcb1"),
    ("libxcb.so.1", "libxcb1"),
    ("libXcursor.so.1", "libxcursor1"),
    ("libXi.so.6", "libxi6"),
    ("libxkbcommon.so.0", "libxkbcommon0"),
    ("libxkbcommon-x11.so.0", "libxkbcommon-x11-0"),
];

/// The best display that there is, or none; and why no better one.
pub(crate) fn display() -> (Option<Display>, Vec<String>) {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let wayland = variable("WAYLAND_DISPLAY");
    let inherited = variable("WAYLAND_SOCKET").is_some();
    let x11 = variable("DISPLAY");
    let mut reasons = Vec::new();
    if wayland.is_none() && !inherited && x11.is_none() {
        reasons.push("neither WAYLAND_DISPLAY nor DISPLAY is set".to_owned());
    }
    if inherited || wayland.is_some() {
        let reached = match wayland {
            // A socket that was inherited is connected already.
            Some(name) if !inherited => reach_wayland(name, variable("XDG_RUNTIME_DIR")),
            _ => Ok(()),
        };
        match reached.and_then(|()| all_there(WAYLAND)) {
            Ok(()) => return (Some(Display::Wayland), reasons),
            Err(why) => reasons.push(format!("no Wayland: {why}")),
        }
    }
    if let Some(name) = x11 {
        match reach_x11(&name.to_string_lossy()).and_then(|()| all_there(X11)) {
            Ok(()) => return (Some(Display::X11), reasons),
            Err(why) => reasons.push(format!("no X11: {why}")),
        }
    }
    (None, reasons)
}

/// Connects to a compositor and hangs up.
fn reach_wayland(name: OsString, runtime: Option<OsString>) -> Result<(), String> {
    let mut path = PathBuf::from(name);
    if path.is_relative() {
        let runtime = runtime.ok_or("WAYLAND_DISPLAY is set, but XDG_RUNTIME_DIR is not")?;
        path = Path::new(&runtime).join(path);
    }
    match UnixStream::connect(&path) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("nothing answers at {}: {error}", path.display())),
    }
}

/// Connects to an X server on this machine and hangs up. One elsewhere is left
/// to the toolkit.
fn reach_x11(display: &str) -> Result<(), String> {
    let (host, number) =
        display.rsplit_once(':').ok_or(format!("DISPLAY={display} names no display"))?;
    if !matches!(host, "" | "unix") {
        return Ok(());
    }
    let number = number.split('.').next().unwrap_or_default();
    let path = format!("/tmp/.X11-unix/X{number}");
    let unnamed = SocketAddr::from_abstract_name(&path);
    let reached = unnamed
        .and_then(|address| UnixStream::connect_addr(&address))
        .or_else(|_| UnixStream::connect(&path));
    match reached {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("nothing answers at {path}: {error}")),
    }
}

/// Opens each library and closes it.
fn all_there(libraries: &[Library]) -> Result<(), String> {
    let missing: Vec<_> = libraries.iter().filter(|(file, _)| !is_there(file)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = |name: fn(&Library) -> &'static str| {
        missing.iter().map(|library| name(library)).collect::<Vec<_>>().join(" ")
    };
    Err(format!(
        "{} can't be loaded; install it (on Debian: apt install {})",
        names(|library| library.0),
        names(|library| library.1)
    ))
}

#[allow(unsafe_code, reason = "a library's initialisers run when it is opened")]
fn is_there(file: &str) -> bool {
    // SAFETY: the initialisers of these libraries have no preconditions: they are
    // made to be opened by any program at any time (dlopen(3)), and nothing of
    // them is called here.
    unsafe { libloading::Library::new(file) }.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_missing_is_named_with_its_package() {
        let missing = [("libc.so.6", "libc6"), ("libnothere.so.9", "libnothere9")];
        let why = all_there(&missing).unwrap_err();
        assert!(
            why.contains("libnothere.so.9") && why.contains("apt install libnothere9"),
            "{why}"
        );
        assert!(!why.contains("libc6"), "{why}");
    }

    #[test]
    fn servers_that_are_not_there_are_told_by_their_socket() {
        let why = reach_wayland("wayland-none".into(), Some("/nowhere".into())).unwrap_err();
        assert!(why.contains("/nowhere/wayland-none"), "{why}");
        assert!(reach_wayland("wayland-0".into(), None).unwrap_err().contains("XDG_RUNTIME_DIR"));
        assert!(reach_x11(":7654.0").unwrap_err().contains("/tmp/.X11-unix/X7654"));
        assert!(reach_x11("none").is_err());
        assert!(reach_x11("elsewhere:0").is_ok());
    }
}

//! Where frames can be shown.

use wayland_client::globals::{GlobalListContents, registry_queue_init};
use wayland_client::protocol::wl_registry::{self, WlRegistry};
use wayland_client::{Connection, Dispatch, QueueHandle};
use x11rb::connection::RequestConnection as _;

use super::{Finding, finding};
use crate::output::{self, Display};

pub(super) fn look() -> Vec<Finding> {
    let (best, reasons) = output::probe_display();
    let mut all = vec![super::window(best, &reasons)];
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if is_set("WAYLAND_DISPLAY") || best == Some(Display::Wayland) {
        all.push(wayland());
    }
    if is_set("DISPLAY") {
        all.push(x11());
    }
    all.push(super::terminal());
    all
}

/// What is said of some that are wanted, and whether all are there.
fn some_of(wanted: &[&'static str], is_there: impl Fn(&'static str) -> bool) -> (bool, String) {
    let mark = |name: &&'static str| {
        if is_there(name) { (*name).to_owned() } else { format!("no {name}") }
    };
    (
        wanted.iter().all(|name| is_there(name)),
        wanted.iter().map(mark).collect::<Vec<_>>().join(", "),
    )
}

fn x11() -> Finding {
    let so = ("frames are shown without a copy", "frames are copied by the host");
    let asked = x11rb::connect(None).map_err(|error| error.to_string()).map(|(server, _screen)| {
        let present =
            |name: &'static str| matches!(server.extension_information(name), Ok(Some(_)));
        some_of(EXTENSIONS, present)
    });
    match asked {
        Ok((all, found)) => finding("X11 extensions", all, found, so),
        Err(error) => finding("X11 extensions", false, error, ("", "there is no X server")),
    }
}

const EXTENSIONS: &[&str] = &["MIT-SHM", "Present", "XFIXES", "SHAPE"];
const GLOBALS: &[&str] = &["wl_shm", "wl_subcompositor", "wp_viewporter", "wp_presentation"];

struct Globals;

impl Dispatch<WlRegistry, GlobalListContents> for Globals {
    fn event(
        _: &mut Self,
        _: &WlRegistry,
        _: wl_registry::Event,
        _: &GlobalListContents,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
    }
}

fn wayland() -> Finding {
    let asked = || -> anyhow::Result<(bool, String)> {
        let server = Connection::connect_to_env()?;
        let (globals, _queue) = registry_queue_init::<Globals>(&server)?;
        let there = globals.contents().clone_list();
        Ok(some_of(GLOBALS, |name| there.iter().any(|global| global.interface == name)))
    };
    let so = ("frames are shown without a copy, and timed", "some of it is done without");
    match asked() {
        Ok((all, found)) => finding("Wayland globals", all, found, so),
        Err(error) => {
            finding("Wayland globals", false, error.to_string(), ("", "there is no compositor"))
        }
    }
}

//! The table: what a child, or a third process, may try.

mod bells;
mod geometry;
mod handles;
mod life;
mod messages;
mod peers;
mod shared_page;

use crate::table::Behaviour;

/// All of it, in the order of the catalogue.
pub fn all() -> Vec<Behaviour> {
    [
        messages::rows(),
        handles::rows(),
        geometry::rows(),
        shared_page::rows(),
        bells::rows(),
        life::rows(),
        peers::rows(),
    ]
    .concat()
}

//! The display servers that other tests use: each starts, shows its empty
//! screen and ends.
#![allow(missing_docs)]

use servers::{HEIGHT, Kind, WIDTH};

#[test]
fn each_starts_shows_itself_and_ends() {
    for kind in [Kind::Xvfb, Kind::WestonPixman, Kind::WestonGl, Kind::Sway] {
        let Some(mut server) = servers::start(kind) else { continue };
        let picture = server.screenshot();
        assert_eq!((picture.width, picture.height), (WIDTH, HEIGHT), "{kind:?}");
        let centre = picture.pixel(WIDTH / 2, HEIGHT / 2);
        let (others, first) = picture.differing([400, 200, 300, 300], |_, _| centre);
        assert_eq!(others, 0, "{kind:?}: {first:?}");
        server.kill();
    }
}

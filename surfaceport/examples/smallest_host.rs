//! The smallest host: shows `smallest_child` for three seconds, with no display,
//! and says what it saw. `cargo build --examples`, then run it.
use std::time::Duration;

use surfaceport::{Command, Error, HeadlessPane, Session, Size, View};

fn main() -> Result<(), Error> {
    // The child lies beside this program.
    let child = std::env::args_os().nth(1).map(Into::into).unwrap_or_else(|| {
        let this = std::env::current_exe().expect("this program has a path");
        this.with_file_name("smallest_child")
    });
    let session = Session::spawn(Command::new(child))?;
    let mut view = View::new(session, HeadlessPane::new(Size::new(320, 240)))?;
    if let Some(exit) = view.run(Duration::from_secs(3))? {
        println!("{exit}");
    }
    let exit = view.session_mut().close_child(Duration::from_secs(1));
    let blue = view.pane().picture().iter().filter(|pixel| **pixel == [240, 120, 40, 255]).count();
    println!("{} frames, {blue} blue pixels in the last", view.pane().shown());
    println!("the child {}", exit.reason);
    Ok(())
}

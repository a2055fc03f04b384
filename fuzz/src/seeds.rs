//! Writes the named seeds of the corpora: real messages, as the library encodes
//! them. To be run after a change of the protocol, from the folder `fuzz`.

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    for (target, name, (packet, handles)) in surfaceport::fuzzing::packets() {
        let folder = Path::new("corpus").join(target);
        fs::create_dir_all(&folder)?;
        let handles = u8::try_from(handles).map_err(io::Error::other)?;
        fs::write(folder.join(name), [&[handles], packet.as_slice()].concat())?;
    }
    Ok(())
}

//! Looks at each frame twice, before and while its display has it, without mapping
//! anything.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use surfaceport::os::linux::surface_fd;
use surfaceport::{Error, Lease, Observe, SurfaceDescriptor};

use super::pattern::Mark;

/// What it saw.
#[derive(Default)]
pub struct Checker {
    /// What went wrong, in words.
    pub faults: Vec<String>,
    /// How often frames were looked at.
    pub looks: u64,
    /// The last sequence of each child.
    last: BTreeMap<u32, u32>,
    /// The frame that the inner pane got last, and what it was then.
    held: Option<(OwnedFd, SurfaceDescriptor, Vec<u8>)>,
}

impl Checker {
    /// The sequence of the frame that this child showed last.
    pub fn last_of(&self, child: u32) -> u32 {
        self.last.get(&child).copied().unwrap_or(0)
    }

    /// Before the display has it: it is whole, and newer than all before.
    fn take(&mut self, lease: &Lease) {
        let fd = surface_fd(lease.surface()).try_clone_to_owned().unwrap();
        let descriptor = *lease.surface().descriptor();
        let bytes = read(&fd, &descriptor);
        let pixel = |x: u32, y: u32| {
            let at = (y * descriptor.stride() + x * 4) as usize;
            [bytes[at + 2], bytes[at + 1], bytes[at]]
        };
        let mark = Mark::read(pixel);
        let (wrong, first) = mark.faults(lease.size(), pixel);
        if wrong > 0 || mark.size != lease.size() {
            self.faults.push(format!("{}: {mark:?} is torn: {first:?}", lease.id()));
        }
        let last = self.last.insert(mark.child, mark.sequence).unwrap_or(0);
        if mark.sequence <= last {
            self.faults.push(format!("{}: {mark:?} after {last}", lease.id()));
        }
        self.looks += 1;
        self.held = Some((fd, descriptor, bytes));
    }

    /// While the display has it: nobody has drawn into it. The inner pane learns
    /// of a release in its `poll_tick`, so before that it has given nothing back.
    fn look_again(&mut self) {
        if let Some((fd, descriptor, bytes)) = self.held.take() {
            self.looks += 1;
            if read(&fd, &descriptor) != bytes {
                self.faults.push(format!(
                    "{:?} changed while it was shown",
                    Mark::read(|x, _| {
                        let at = x as usize * 4;
                        [bytes[at + 2], bytes[at + 1], bytes[at]]
                    })
                ));
            }
        }
    }
}

fn read(fd: &OwnedFd, descriptor: &SurfaceDescriptor) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(descriptor.bytes()).unwrap()];
    let read = rustix::io::pread(fd, &mut bytes[..], 0).unwrap();
    assert_eq!(read, bytes.len());
    bytes
}

impl Observe for Checker {
    fn frame(&mut self, lease: &Lease) -> Result<(), Error> {
        self.look_again();
        self.take(lease);
        Ok(())
    }

    fn before_release(&mut self) {
        self.look_again();
    }
}

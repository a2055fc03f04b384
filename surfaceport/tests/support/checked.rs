//! A pane that looks at each frame twice, before and while its display has it,
//! without mapping anything.

use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, OwnedFd};

use surfaceport::os::linux::surface_fd;
use surfaceport::{
    Applied, Error, Fit, Lease, Pane, PaneStats, Placement, Scale, Size, SurfaceDescriptor,
    Timestamp,
};

use super::pattern::Mark;

/// Passes all on to another pane.
pub struct Checked<P> {
    pub inner: P,
    /// What went wrong, in words.
    pub faults: Vec<String>,
    /// How often frames were looked at.
    pub looks: u64,
    /// The last sequence of each child.
    last: BTreeMap<u32, u32>,
    /// The frame that the inner pane got last, and what it was then.
    held: Option<(OwnedFd, SurfaceDescriptor, Vec<u8>)>,
}

impl<P> Checked<P> {
    pub fn new(inner: P) -> Self {
        Self { inner, faults: Vec::new(), looks: 0, last: BTreeMap::new(), held: None }
    }

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

impl<P: Pane> Pane for Checked<P> {
    fn size(&self) -> Size {
        self.inner.size()
    }

    fn scale(&self) -> Scale {
        self.inner.scale()
    }

    fn resize(&mut self, size: Size, scale: Scale, fit: Fit) -> Result<Applied, Error> {
        self.inner.resize(size, scale, fit)
    }

    fn place(&mut self, placement: Placement) -> Result<Applied, Error> {
        self.inner.place(placement)
    }

    fn parent_committed(&mut self) -> Result<(), Error> {
        self.inner.parent_committed()
    }

    fn present(&mut self, lease: Lease) -> Result<(), Error> {
        self.look_again();
        self.take(&lease);
        self.inner.present(lease)
    }

    fn poll_tick(&mut self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        self.look_again();
        self.inner.poll_tick(now)
    }

    fn next_wake(&self) -> Option<Timestamp> {
        self.inner.next_wake()
    }

    fn source(&self) -> Option<BorrowedFd<'_>> {
        self.inner.source()
    }

    fn wants_new_surfaces(&mut self) -> bool {
        self.inner.wants_new_surfaces()
    }

    fn stats(&self) -> PaneStats {
        self.inner.stats()
    }
}

//! The proof of concept that this library comes from, from either side: a host
//! that its own child can't tell from its parent, and the other way round.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, ExitReason};
use crate::format::Format;
use crate::geometry::{Damage, Size, SurfaceDescriptor};
use crate::outcome::{FrameId, Outcome};
use crate::surface::{DrawSurface, Lease, Lessor, Slot, Surface, SwapchainId};
use crate::swapchain::record::FrameRecord;
use crate::sys::{self, PipeRead, PocNews, Sent};
use crate::time::Timestamp;

/// Both of its sides count in these.
const SURFACES: usize = 2;

/// Hosts the proof of concept's own child.
///
/// It takes the public name `com.example.messageport`, starts the child, and
/// hands out what that draws. There is no way to tell the child what is on
/// display: it draws into its two surfaces in turn, seen or not, so frames can
/// tear. A [`Renderer`](crate::Renderer) does better.
///
/// ```no_run
/// use surfaceport::os::macos::{PocEvent, PocHost};
/// use surfaceport::{HeadlessPane, Pane as _, Size};
///
/// let mut pane = HeadlessPane::new(Size::new(600, 600));
/// let mut host = PocHost::spawn("./ChildProcess")?;
/// loop {
///     match host.dispatch()? {
///         Some(PocEvent::Frame(lease)) => pane.present(lease)?,
///         Some(PocEvent::Ended(reason)) => break println!("the child {reason}"),
///         Some(_) => {}
///         None => host.wait(None)?,
///     }
/// }
/// # Ok::<(), surfaceport::Error>(())
/// ```
#[derive(Debug)]
pub struct PocHost {
    host: sys::PocHost,
    shown: Option<Shown>,
}

/// What there is once the child has set up.
#[derive(Debug)]
struct Shown {
    slots: [Arc<Slot>; SURFACES],
    frames: u64,
}

/// What the proof of concept's child does.
#[allow(clippy::large_enum_variant, reason = "it is taken apart at once")]
#[derive(Debug)]
#[non_exhaustive]
pub enum PocEvent {
    /// It has two of these.
    SetUp(SurfaceDescriptor),
    /// It has drawn one.
    Frame(Lease),
    /// It wrote this to stdout or stderr.
    Output(Vec<u8>),
    /// It is gone.
    Ended(ExitReason),
}

impl PocHost {
    /// Starts the child: a program's path, as its parent has `./ChildProcess`.
    ///
    /// # Errors
    ///
    /// [`Error::NameInUse`] if its parent, or another host, runs already;
    /// [`Error::Spawn`]; [`Error::Os`].
    pub fn spawn(program: impl Into<PathBuf>) -> Result<Self, Error> {
        let spawn = sys::Spawn { program: program.into(), ..sys::Spawn::default() };
        Ok(Self { host: sys::PocHost::start(&spawn)?, shown: None })
    }

    /// What the child has done, without waiting; `None`: nothing more. To be
    /// called until it says so.
    ///
    /// # Errors
    ///
    /// [`Error::Violation`] if the child says what it may not, or [`Error::Os`].
    pub fn dispatch(&mut self) -> Result<Option<PocEvent>, Error> {
        let mut text = vec![0; 4096];
        if let PipeRead::Bytes(len) = self.host.read_output(&mut text) {
            text.truncate(len);
            return Ok(Some(PocEvent::Output(text)));
        }
        let Some(news) = self.host.next()? else { return Ok(None) };
        Ok(Some(match news {
            PocNews::SetUp(surfaces) => {
                let descriptor = surfaces[0].1;
                let free = Arc::new(Free { id: SwapchainId::new(), pid: self.host.pid() });
                let mut number = 0;
                let slots = surfaces.map(|(memory, is)| {
                    let lessor = Arc::<Free>::clone(&free);
                    number += 1;
                    Arc::new(Slot::new(lessor, number - 1, Surface::of(memory, is)))
                });
                self.shown = Some(Shown { slots, frames: 0 });
                PocEvent::SetUp(descriptor)
            }
            PocNews::Swap(index) => {
                match self.shown.as_mut().and_then(|shown| shown.frame(index)) {
                    Some(lease) => PocEvent::Frame(lease),
                    // Neither can be: such a message has been refused.
                    None => return Ok(None),
                }
            }
            PocNews::Ended(reason) => PocEvent::Ended(reason),
        }))
    }

    /// Sleeps until the child has done something, or the time is over.
    ///
    /// # Errors
    ///
    /// [`Error::Os`].
    pub fn wait(&self, timeout: Option<Duration>) -> Result<(), Error> {
        self.host.wait(timeout)
    }
}

impl AsFd for PocHost {
    /// Readable when there is something to [`dispatch`](Self::dispatch).
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.host.as_fd()
    }
}

impl Shown {
    fn frame(&mut self, index: usize) -> Option<Lease> {
        let slot = self.slots.get(index)?;
        self.frames += 1;
        let id = FrameId { generation: 1, sequence: self.frames };
        let now = Timestamp::now();
        let record = FrameRecord { presented_at: now.as_nanos(), ..FrameRecord::default() };
        slot.said().set(&record, &Damage::FULL);
        Some(slot.lease(id, now))
    }
}

/// Nobody wants to hear that a slot is free, or what became of a frame.
#[derive(Debug)]
struct Free {
    id: SwapchainId,
    pid: u32,
}

impl Lessor for Free {
    fn id(&self) -> SwapchainId {
        self.id
    }

    fn child_pid(&self) -> Option<u32> {
        Some(self.pid)
    }

    fn give_back(&self, _slot: u8) {}

    fn report(&self, _id: FrameId, _outcome: Outcome) {}
}

/// Draws for the proof of concept's own parent, as its child does: two surfaces
/// of 600x600, in turn.
///
/// ```no_run
/// use surfaceport::os::macos::PocChild;
///
/// let mut child = PocChild::connect()?;
/// for shade in 0..=255 {
///     child.present(|bytes, _stride| bytes.fill(shade))?;
///     std::thread::sleep(std::time::Duration::from_millis(16));
/// }
/// # Ok::<(), surfaceport::Error>(())
/// ```
#[derive(Debug)]
pub struct PocChild {
    parent: sys::PocChild,
    surfaces: [DrawSurface; SURFACES],
    stride: usize,
    presented: u64,
}

impl PocChild {
    /// The size of its surfaces in pixels: 300 points, at the two pixels each
    /// that its parent counts on.
    pub const SIZE: Size = Size::new(600, 600);

    /// Finds the parent, and shows it the surfaces.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchName`] if no parent runs, [`Error::HostGone`],
    /// [`Error::TimedOut`] if it is too busy to take a message, [`Error::NoSpace`]
    /// or [`Error::Os`].
    pub fn connect() -> Result<Self, Error> {
        let descriptor = SurfaceDescriptor::new(Self::SIZE, Format::Bgra8)?;
        let parent = sys::PocChild::connect()?;
        let mut surfaces = [DrawSurface::create(descriptor)?, DrawSurface::create(descriptor)?];
        match parent.set_up(surfaces.each_ref().map(DrawSurface::handle))? {
            Sent::Done => {}
            Sent::Closed => return Err(Error::HostGone),
            Sent::Full => return Err(Error::TimedOut { waiting_for: "the parent" }),
        }
        surfaces.iter_mut().for_each(DrawSurface::forget_handle);
        let stride = usize::try_from(descriptor.stride()).unwrap_or(0);
        Ok(Self { parent, surfaces, stride, presented: 0 })
    }

    /// Has the next frame drawn, into all bytes of a surface, so many a row; and
    /// shown. `false`: the parent was too busy to hear of it.
    ///
    /// # Errors
    ///
    /// [`Error::HostGone`]: it is time to exit. [`Error::Os`].
    pub fn present(&mut self, draw: impl FnOnce(&mut [u8], usize)) -> Result<bool, Error> {
        let index = usize::from(self.presented % 2 == 1);
        let Some(surface) = self.surfaces.get_mut(index) else { return Ok(false) };
        surface.begin_drawing();
        draw(surface.bytes_mut(), self.stride);
        surface.end_drawing();
        self.presented += 1;
        match self.parent.swap(index)? {
            Sent::Done => Ok(true),
            Sent::Full => Ok(false),
            Sent::Closed => Err(Error::HostGone),
        }
    }

    /// How many frames old the content of the next surface is; 0: there is none.
    #[must_use]
    pub fn age(&self) -> u64 {
        if self.presented < 2 { 0 } else { 2 }
    }

    /// How many frames were drawn.
    #[must_use]
    pub fn presented(&self) -> u64 {
        self.presented
    }
}

//! The child's slots.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::canvas::Canvas;
use super::hub::Hub;
use crate::error::Error;
use crate::format::{ColorSpace, Format};
use crate::geometry::{Damage, Size, SurfaceDescriptor};
use crate::mode::PresentMode;
use crate::outcome::{FrameId, Outcome};
use crate::surface::DrawSurface;
use crate::swapchain::child::Child;
use crate::swapchain::page::Block;
use crate::swapchain::record::FrameRecord;
use crate::swapchain::{MAX_SLOTS, MIN_SLOTS, begin_frame};
use crate::time::{Deadline, Timestamp, spin};
use crate::wire::{FromChild, Setup};

/// What a swapchain is to be like.
///
/// ```
/// use surfaceport::{Format, PresentMode, Size, SwapchainDescriptor};
///
/// let descriptor = SwapchainDescriptor::new(Size::new(1280, 720))
///     .format(Format::Bgrx8)
///     .slots(4)
///     .mode(PresentMode::Fifo);
/// # let _ = descriptor;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SwapchainDescriptor {
    size: Size,
    format: Format,
    color_space: ColorSpace,
    slots: usize,
    mode: PresentMode,
    spin: Duration,
}

impl SwapchainDescriptor {
    /// Three slots of this size, `Bgra8` in sRGB, mailbox.
    #[must_use]
    pub fn new(size: Size) -> Self {
        Self {
            size,
            format: Format::default(),
            color_space: ColorSpace::default(),
            slots: 3,
            mode: PresentMode::default(),
            spin: Duration::ZERO,
        }
    }

    /// Sets the pixel format.
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Sets the colour space.
    #[must_use]
    pub fn color_space(mut self, color_space: ColorSpace) -> Self {
        self.color_space = color_space;
        self
    }

    /// Sets the number of slots, 2 to 16. Nobody waits in mailbox when there
    /// are two more than the host holds at a time: 3 for a host that holds one
    /// frame, 4 with a display server behind it.
    #[must_use]
    pub fn slots(mut self, slots: usize) -> Self {
        self.slots = slots;
        self
    }

    /// Sets what happens when the child is faster than the host.
    #[must_use]
    pub fn mode(mut self, mode: PresentMode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets for how long the child looks again before it sleeps, when it waits
    /// for a slot or a begin-frame, 10 ms at most; zero by default.
    ///
    /// It saves the host a wake-up, and the child the way through the kernel,
    /// where each side has a core of its own to burn. Where they share one it
    /// makes every wait longer: the other side can't run meanwhile.
    #[must_use]
    pub fn spin(mut self, spin: Duration) -> Self {
        self.spin = spin;
        self
    }
}

/// For when the host's display wants the next frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BeginFrame {
    /// The time; now, if a frame is wanted for another reason: it is the
    /// generation's first, or a Configure came.
    pub time: Timestamp,
}

/// The child's slots, shared with the host.
///
/// A swapchain holds one generation of surfaces; a resize makes a new one by
/// [`Renderer::swapchain`](crate::Renderer::swapchain).
#[derive(Debug)]
pub struct Swapchain {
    hub: Rc<Hub>,
    generation: u32,
    surface: SurfaceDescriptor,
    mode: PresentMode,
    slots: u8,
    spin: Duration,
    state: RefCell<State>,
    begin_frame: Cell<begin_frame::BeginFrame>,
    /// The Configure for which a begin-frame was given.
    configure: Cell<u32>,
    presented: Cell<u64>,
    /// When a canvas last came back: a clock that costs nothing.
    now: Cell<Timestamp>,
}

#[derive(Debug)]
struct State {
    account: Child,
    /// `None` while a canvas has it. Boxed, for they come and go with each frame.
    surfaces: Vec<Option<Box<DrawSurface>>>,
}

impl Swapchain {
    pub(super) fn set_up(
        hub: &Rc<Hub>,
        wanted: SwapchainDescriptor,
        deadline: Deadline,
    ) -> Result<Self, Error> {
        let SwapchainDescriptor { size, format, color_space, slots, mode, spin } = wanted;
        let surface = SurfaceDescriptor::new(size, format)?.with_color_space(color_space);
        let count = u8::try_from(slots).ok().filter(|_| (MIN_SLOTS..=MAX_SLOTS).contains(&slots));
        let count = count.ok_or(Error::SlotCount(slots))?;
        let largest = hub.welcome.max_size;
        if !size.fits(largest) {
            return Err(Error::OverSize { asked: size, largest });
        }
        hub.attend(Deadline::NOW)?;
        // A generation that was refused gives its number to the next.
        if hub.refusal_of(hub.generation.get()).is_some() {
            hub.forget_refusal();
            hub.generation.set(hub.generation.get() - 1);
            hub.bytes.set([hub.bytes.get()[1], 0]);
        }
        let generation = hub.generation.get() + 1;
        while hub.retired() + 2 < generation {
            if deadline.passed() {
                return Err(Error::TimedOut { waiting_for: "the host to let go of old frames" });
            }
            hub.attend(deadline)?;
        }
        let asked = surface.bytes().saturating_mul(u64::from(count));
        let granted = hub.welcome.max_bytes.saturating_sub(hub.bytes.get()[0]);
        if asked > granted {
            return Err(Error::OverQuota { asked, granted });
        }
        let mut surfaces: Vec<_> =
            (0..count).map(|_| DrawSurface::create(surface)).collect::<Result<_, _>>()?;
        let bytes_per_slot = surfaces.first().map_or(0, DrawSurface::memory_bytes);
        // The block's last user, two generations ago, is retired.
        hub.page.control().block(generation).reset();
        let setup = FromChild::Setup(Setup {
            generation,
            // One that came since then asks for another size, maybe.
            configure_serial: hub.known_serial.get(),
            surface,
            slots: count,
            mode,
            bytes_per_slot,
        });
        let handles: Vec<_> = surfaces.iter().map(DrawSurface::handle).collect();
        hub.send(&setup, &handles, deadline)?;
        surfaces.iter_mut().for_each(DrawSurface::forget_handle);
        hub.generation.set(generation);
        hub.bytes.set([bytes_per_slot.saturating_mul(u64::from(count)), hub.bytes.get()[0]]);
        let account = Child::new(slots, mode);
        let surfaces = surfaces.into_iter().map(Box::new).map(Some).collect();
        Ok(Self {
            hub: Rc::clone(hub),
            generation,
            surface,
            mode,
            slots: count,
            spin,
            state: RefCell::new(State { account, surfaces }),
            begin_frame: Cell::new(hub.page.control().begin_frame.read()),
            configure: Cell::new(hub.known_serial.get()),
            presented: Cell::new(0),
            now: Cell::new(Timestamp::now()),
        })
    }

    fn block(&self) -> &Block {
        self.hub.page.control().block(self.generation)
    }

    /// Whether the generation can still present.
    fn check(&self) -> Result<(), Error> {
        if let Some(refusal) = self.hub.refusal_of(self.generation) {
            return Err(refusal);
        }
        if self.hub.generation.get() != self.generation {
            return Err(Error::Stale);
        }
        Ok(())
    }

    /// Size, format and layout of the surfaces.
    #[must_use]
    pub fn surface(&self) -> &SurfaceDescriptor {
        &self.surface
    }

    /// The number of slots.
    #[must_use]
    pub fn slots(&self) -> usize {
        usize::from(self.slots)
    }

    /// A slot to draw into, waiting until there is one. Several canvases can be
    /// had at a time.
    ///
    /// # Errors
    ///
    /// [`Error::NoFreeSlot`] at the deadline, or [`Error::Hidden`] if nobody can
    /// see the frames; [`Error::Stale`] if there is a newer swapchain;
    /// [`Error::HostGone`]; [`Error::OverQuota`], [`Error::OverSize`] or
    /// [`Error::Refused`] if the host refused this one.
    pub fn acquire(&self, deadline: impl Into<Deadline>) -> Result<Canvas<'_>, Error> {
        self.hub.attend_if_due(self.now.get())?;
        self.check()?;
        // One that is there already does not even cost a look at the clock.
        if let Some(canvas) = self.try_acquire() {
            return Ok(canvas);
        }
        self.await_slot(deadline.into())
    }

    fn await_slot(&self, deadline: Deadline) -> Result<Canvas<'_>, Error> {
        let mut last_look = false;
        loop {
            self.check()?;
            spin(self.spin, deadline, || self.has_free_slot());
            if let Some(canvas) = self.try_acquire() {
                return Ok(canvas);
            }
            // Said even if the deadline has passed: then the caller may go and
            // poll the renderer's fd, and the host must ring. Each look for a
            // slot takes it back.
            if !Child::sleep(&self.block().word) {
                continue;
            }
            if last_look {
                self.hub.remind();
                let hidden = self.hub.page.control().begin_frame.read().hidden;
                return Err(if hidden { Error::Hidden } else { Error::NoFreeSlot });
            }
            self.hub.attend(deadline)?;
            last_look = deadline.passed();
        }
    }

    fn has_free_slot(&self) -> bool {
        self.state.borrow().account.has_free(&self.block().word)
    }

    fn try_acquire(&self) -> Option<Canvas<'_>> {
        let mut state = self.state.borrow_mut();
        let slot = state.account.acquire(&self.block().word)?;
        let age = state.account.age(slot);
        let surface = state.surfaces.get_mut(usize::from(slot))?.take()?;
        self.hub.set_rests(false);
        Some(Canvas::new(self, slot, surface, age))
    }

    /// A canvas comes back undrawn.
    pub(super) fn cancel(&self, slot: u8, surface: Box<DrawSurface>, drawn: bool) {
        surface.end_drawing();
        let mut state = self.state.borrow_mut();
        state.account.cancel(slot, drawn);
        if let Some(place) = state.surfaces.get_mut(usize::from(slot)) {
            *place = Some(surface);
        }
        // Or a child that presents nothing would never hear that its host is gone.
        self.now.set(Timestamp::now());
    }

    /// A canvas is the newest frame.
    pub(super) fn present(
        &self,
        slot: u8,
        surface: Box<DrawSurface>,
        record: &mut FrameRecord,
        mut damage: Damage,
    ) -> Result<FrameId, Error> {
        if let Err(error) = self.check() {
            self.cancel(slot, surface, true);
            return Err(error);
        }
        surface.end_drawing();
        let mut state = self.state.borrow_mut();
        let block = self.block();
        let now = Timestamp::now();
        record.presented_at = now.as_nanos();
        record.begin_frame = self.begin_frame.get().time;
        damage.clip(self.surface.size());
        block.describe(slot, state.account.next_sequence(), record, &damage);
        let ring = block.ring(self.slots);
        let presented = state.account.present(&block.word, ring, slot);
        if presented.ring {
            self.hub.host.ring();
        }
        if let Some(place) = state.surfaces.get_mut(usize::from(slot)) {
            *place = Some(surface);
        }
        let id = |sequence| FrameId { generation: self.generation, sequence };
        if let Some(superseded) = presented.superseded {
            self.hub.note(id(superseded), Outcome::Superseded);
        }
        self.now.set(now);
        self.presented.set(presented.sequence);
        Ok(id(presented.sequence))
    }

    /// Waits until the host's display wants another frame. It does not wait for
    /// the generation's first frame, nor, once, after a Configure.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] at the deadline, or [`Error::Hidden`] if nobody can
    /// see the frames; [`Error::Stale`]; [`Error::HostGone`]; a refusal as from
    /// [`acquire`](Self::acquire).
    pub fn wait_begin_frame(&self, deadline: impl Into<Deadline>) -> Result<BeginFrame, Error> {
        let deadline = deadline.into();
        let word = &self.hub.page.control().begin_frame;
        loop {
            self.check()?;
            let posted = word.read();
            if posted.time != self.begin_frame.get().time {
                self.begin_frame.set(posted);
                return Ok(BeginFrame { time: Timestamp::from_nanos(posted.time) });
            }
            let serial = self.hub.configure().serial;
            let configured = self.hub.has_configure() && self.configure.replace(serial) != serial;
            if self.presented.get() == 0 || configured {
                return Ok(BeginFrame { time: Timestamp::now() });
            }
            let expired = deadline.passed();
            let news = || word.read() != posted;
            if spin(self.spin, deadline, news) || !word.sleep(posted) {
                continue;
            }
            if expired {
                self.hub.remind();
                let waiting_for = "a begin-frame";
                let error = Error::TimedOut { waiting_for };
                return Err(if posted.hidden { Error::Hidden } else { error });
            }
            self.hub.attend(deadline)?;
        }
    }

    /// What became of frames since the last call: one outcome for each present,
    /// in no certain order, of older swapchains too.
    pub fn outcomes(&self) -> impl Iterator<Item = (FrameId, Outcome)> + '_ {
        std::iter::from_fn(|| self.hub.next_outcome())
    }

    /// How many outcomes were lost because nobody fetched them: at least 63 are
    /// kept.
    #[must_use]
    pub fn outcomes_missed(&self) -> u64 {
        self.hub.outcomes_missed()
    }

    /// Frames presented in this generation.
    #[must_use]
    pub fn presented(&self) -> u64 {
        self.presented.get()
    }

    /// What happens when the child is faster than the host.
    #[must_use]
    pub fn mode(&self) -> PresentMode {
        self.mode
    }
}

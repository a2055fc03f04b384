//! Which of the frames that a child presents are shown, and in how many slots.

/// The fewest slots a swapchain can have.
pub(crate) const MIN_SLOTS: u8 = 2;
/// The most slots a swapchain can have (the control word has 16 bits for them),
/// and the most handles beside any message.
pub(crate) const MAX_SLOTS: u8 = 16;

/// What happens to a frame that the host has not taken when the next one comes.
///
/// ```
/// use surfaceport::PresentMode;
///
/// assert_eq!(PresentMode::default(), PresentMode::Mailbox);
/// assert_eq!(PresentMode::from_code(1), Some(PresentMode::Fifo));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PresentMode {
    /// The newest frame wins: an older one that was not shown yet is
    /// superseded, and its slot is free again. The lowest latency; the child
    /// never waits for the host.
    #[default]
    Mailbox,
    /// Every frame is shown, in order. A child that is ahead waits for a slot.
    Fifo,
}

impl PresentMode {
    /// Every mode, by code.
    pub const ALL: [Self; 2] = [Self::Mailbox, Self::Fifo];

    /// The number that stands for it between the processes.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Mailbox => 0,
            Self::Fifo => 1,
        }
    }

    /// The mode with this code.
    #[must_use]
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.code() == code)
    }
}

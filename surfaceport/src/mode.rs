//! How frames queue up.

/// What happens when the child presents faster than the host shows.
///
/// ```
/// use surfaceport::PresentMode;
///
/// assert_eq!(PresentMode::default(), PresentMode::Mailbox);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PresentMode {
    /// The newest frame wins; older unread ones are superseded. The child
    /// never waits for the host if there are enough slots.
    #[default]
    Mailbox,
    /// Every frame is shown, in order; the child waits when all slots are used.
    Fifo,
}

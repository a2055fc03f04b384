//! What a session tells its host, and a renderer its child.

use std::collections::VecDeque;
use std::time::Duration;

use super::frame::Frame;
use crate::error::Exit;
use crate::geometry::{Scale, Size, SurfaceDescriptor};
use crate::input::Input;
use crate::mode::PresentMode;

/// What happened, from [`Session::dispatch`](crate::Session::dispatch).
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A frame to show.
    Frame(Frame),
    /// The child said Hello.
    Connected {
        /// Its process id, where the kernel tells.
        pid: Option<u32>,
    },
    /// The child set up a new generation of surfaces; frames of the older one
    /// stay valid until they are dropped.
    Setup {
        /// The generation, counted from 1.
        generation: u32,
        /// The [`configure`](crate::Session::configure) that it answers; 0 is none.
        serial: u32,
        /// What the surfaces are like.
        surface: SurfaceDescriptor,
        /// How many there are.
        slots: usize,
        /// Which frames are shown.
        mode: PresentMode,
    },
    /// A message of the child: its bytes mean what the two programs agreed on.
    Message(Vec<u8>),
    /// The child has given no sign of life for so long
    /// ([`Limits::stall`](crate::Limits::stall),
    /// [`Limits::begin_frames`](crate::Limits::begin_frames)): it draws nothing,
    /// and does not rest either. The last frame stays shown. A host that wants
    /// to end it calls [`kill_child`](crate::Session::kill_child), or says so
    /// beforehand ([`Limits::end_stalled`](crate::Limits::end_stalled)).
    Stalled,
    /// The child ended. Its frames stay valid until they are dropped.
    Exited {
        /// How, with its last words.
        exit: Exit,
        /// In what time it is started again; `None`: it is not, the session is
        /// over.
        restart_in: Option<Duration>,
    },
}

/// Messages are kept for a host that does not fetch them while there are fewer
/// events than this.
pub(super) const MAX_MESSAGES: usize = 256;
/// The same for what a child said last, which comes all at once: more than its
/// socket holds, unless a grandchild goes on.
pub(super) const LAST_MESSAGES: usize = 1000;
/// Events that are kept in any case; after the last messages there is room for
/// the child's end.
const MAX_EVENTS: usize = 1024;

impl Event {
    /// Queues it, a message only beside fewer than `most`. A child can cause events
    /// without end, and a host that only asks for frames never fetches them: then
    /// new messages are dropped, and of the others the oldest.
    pub(super) fn queue(self, events: &mut VecDeque<Self>, stats: &mut Stats, most: usize) {
        if events.len() >= most && matches!(self, Self::Message(_)) {
            stats.messages_dropped += 1;
            return;
        }
        if events.len() >= MAX_EVENTS {
            events.pop_front();
            stats.events_dropped += 1;
        }
        events.push_back(self);
    }
}

/// Counts over the life of a session, all children together.
///
/// When no frame is held and no child runs, presented = shown + superseded +
/// stale + lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Frames that the children presented, as far as they are known of.
    pub presented: u64,
    /// Frames that were shown.
    pub shown: u64,
    /// Frames that a newer one replaced before they were shown.
    pub superseded: u64,
    /// Unread frames of generations that had been replaced.
    pub stale: u64,
    /// Frames that were given up.
    pub lost: u64,
    /// How often a child was started again.
    pub restarts: u64,
    /// Messages that were thrown away because the host did not fetch them.
    pub messages_dropped: u64,
    /// Old events that were thrown away because the host did not fetch them.
    pub events_dropped: u64,
    /// Inputs that were thrown away because the child did not read.
    pub inputs_dropped: u64,
    /// Setups that were refused.
    pub setups_refused: u64,
    /// Frames that were found without a bell.
    pub bells_lost: u64,
    /// How often a bell that rang for nothing was ignored for a while.
    pub bells_muted: u64,
    /// How often a child that sent too many messages was not listened to for a
    /// while.
    pub messages_muted: u64,
    /// How often a child wrote more to its output than was read at a time.
    pub output_muted: u64,
    /// How often a child gave no sign of life in time.
    pub stalls: u64,
    /// Frames that the host copied to show only the copy
    /// ([`Session::set_snapshots`](crate::Session::set_snapshots)).
    pub host_copies: u64,
}

/// What the host says to the child.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RendererEvent {
    /// Surfaces of another size or scale are wanted: set up a new swapchain.
    /// Several that came meanwhile are one, the last; one that comes while the
    /// last is being carried out waits until the host shows its first frame.
    Configure {
        /// The host's number for it; the next swapchain answers it.
        serial: u32,
        /// The size in pixels; `None` leaves it to the child.
        size: Option<Size>,
        /// Physical pixels for each logical one.
        scale: Scale,
    },
    /// A message: its bytes mean what the two programs agreed on.
    Message(Vec<u8>),
    /// Something that the user did. A renderer that does not fetch them keeps
    /// the oldest few: no key stays down for it.
    Input(Input),
    /// The host asks the child to end.
    Bye,
}

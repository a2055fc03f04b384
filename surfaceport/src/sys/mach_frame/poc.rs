//! The two messages of the proof of concept that this library comes from
//! (`message-structures.h` there): surfaces once, then which of them to show.
//!
//! | | bytes | id | holds |
//! |---|---|---|---|
//! | Setup | 52 | 1000 | two ports of surfaces |
//! | Swap | 28 | 2000 | the index of the surface that was drawn |

use super::{Disposition, Incoming};
use crate::error::Violation;

/// The name under which its parent waits.
pub(crate) const NAME: &str = "com.example.messageport";
/// How many surfaces its child has.
pub(crate) const SURFACES: usize = 2;
/// The longer message, in bytes.
pub(crate) const MOST: usize = 52;

const SETUP: i32 = 1000;
const SWAP: i32 = 2000;

/// What its child says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// These are the surfaces; their ports stand beside the message.
    Setup,
    /// This surface is to be shown, below [`SURFACES`].
    Swap(usize),
}

impl Message {
    pub(crate) fn id(self) -> i32 {
        match self {
            Self::Setup => SETUP,
            Self::Swap(_) => SWAP,
        }
    }

    /// What stands behind the header and the ports.
    pub(crate) fn payload(self) -> Vec<u8> {
        match self {
            Self::Setup => Vec::new(),
            Self::Swap(index) => i32::try_from(index).unwrap_or(-1).to_le_bytes().to_vec(),
        }
    }

    /// What was received, exact to the last byte.
    pub(crate) fn parse(incoming: &Incoming<'_>) -> Result<Self, Violation> {
        if incoming.has_remote {
            return Err(Violation::BadField);
        }
        match incoming.id {
            SETUP if !incoming.payload.is_empty() => Err(Violation::LengthMismatch),
            SETUP if !incoming.carries(&[Disposition::MoveSend; SURFACES]) => {
                Err(Violation::MissingHandles)
            }
            SETUP => Ok(Self::Setup),
            SWAP if !incoming.carries(&[]) => Err(Violation::UnexpectedHandles),
            SWAP => {
                let index = <[u8; 4]>::try_from(incoming.payload);
                let index = index.map_err(|_| Violation::LengthMismatch)?;
                let index = usize::try_from(i32::from_le_bytes(index)).ok();
                let index = index.filter(|index| *index < SURFACES);
                index.map(Self::Swap).ok_or(Violation::SlotOutOfRange)
            }
            _ => Err(Violation::UnknownMessage),
        }
    }
}

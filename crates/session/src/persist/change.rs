//! One thing that changes in a state.

use alloc::vec::Vec;

use headwater_codec::PacketId;

use super::reader::{Reader, write_message, write_packet_id};
use super::{DecodeError, EncodeError};
use crate::state::{InFlight, Incoming, Stage, State};

/// What changed in the [`State`] of a session, from `poll_change`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change<T> {
    /// A message was taken to be sent, under the identifier that was given out last.
    Taken {
        /// Its identifier.
        packet_id: PacketId,
        /// Whether its QoS is 2.
        exactly_once: bool,
        /// The message.
        message: T,
    },
    /// A message was written for the first time: from now on it is a resend.
    Written {
        /// Its identifier.
        packet_id: PacketId,
    },
    /// PUBREC came: only PUBREL is sent again, behind those of earlier ones.
    Received {
        /// Its identifier.
        packet_id: PacketId,
    },
    /// An exchange is complete, or was given up.
    Completed {
        /// Its identifier.
        packet_id: PacketId,
    },
    /// The peer has forgotten the session: what was written, and all incoming identifiers, are gone.
    Forgotten,
    /// An identifier was given out for what is not kept: a request, or a message whose exchange was complete before this was asked for.
    Skipped {
        /// The identifier.
        packet_id: PacketId,
    },
    /// An incoming message of QoS 2 was acknowledged: its identifier is held until PUBREL.
    Held {
        /// The sender's identifier.
        packet_id: PacketId,
    },
    /// PUBREL came, or the message was refused: the identifier is free.
    Released {
        /// The sender's identifier.
        packet_id: PacketId,
    },
}

impl<T: Clone> Change<&T> {
    /// The same with a copy of the message.
    #[must_use]
    pub fn cloned(self) -> Change<T> {
        match self {
            Self::Taken { packet_id, exactly_once, message } => {
                Change::Taken { packet_id, exactly_once, message: message.clone() }
            }
            Self::Written { packet_id } => Change::Written { packet_id },
            Self::Received { packet_id } => Change::Received { packet_id },
            Self::Completed { packet_id } => Change::Completed { packet_id },
            Self::Forgotten => Change::Forgotten,
            Self::Skipped { packet_id } => Change::Skipped { packet_id },
            Self::Held { packet_id } => Change::Held { packet_id },
            Self::Released { packet_id } => Change::Released { packet_id },
        }
    }
}

impl<T> Change<T> {
    /// Adds the change to `out`: three bytes, and a message's own with four more. `write` adds a message.
    ///
    /// # Errors
    ///
    /// [`EncodeError::MessageTooLarge`] for one of 4 GiB or more.
    pub fn encode(
        &self,
        out: &mut Vec<u8>,
        mut write: impl FnMut(&T, &mut Vec<u8>),
    ) -> Result<(), EncodeError> {
        let (kind, packet_id) = match self {
            Self::Taken { packet_id, exactly_once: false, .. } => (1, packet_id),
            Self::Taken { packet_id, exactly_once: true, .. } => (2, packet_id),
            Self::Written { packet_id } => (3, packet_id),
            Self::Received { packet_id } => (4, packet_id),
            Self::Completed { packet_id } => (5, packet_id),
            Self::Forgotten => {
                out.push(6);
                return Ok(());
            }
            Self::Skipped { packet_id } => (7, packet_id),
            Self::Held { packet_id } => (8, packet_id),
            Self::Released { packet_id } => (9, packet_id),
        };
        out.push(kind);
        write_packet_id(*packet_id, out);
        match self {
            Self::Taken { message, .. } => write_message(message, out, &mut write),
            _ => Ok(()),
        }
    }

    /// Reads the change at the beginning of `bytes`, and tells its length; `read` makes a message of its bytes.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when there is none, with the place of what is wrong.
    pub fn decode(
        bytes: &[u8],
        mut read: impl FnMut(&[u8]) -> Option<T>,
    ) -> Result<(Self, usize), DecodeError> {
        const KIND: &str = "kind of a change";
        let mut reader = Reader::new(bytes);
        let kind = reader.u8(KIND)?;
        if kind == 6 {
            return Ok((Self::Forgotten, reader.position));
        }
        if !(1..=9).contains(&kind) {
            return Err(DecodeError::Value { position: 0, field: KIND, value: kind.into() });
        }
        let packet_id = reader.packet_id("packet identifier of a change")?;
        let change = match kind {
            1 | 2 => Self::Taken { packet_id, exactly_once: kind == 2, message: reader.message(&mut read)? },
            3 => Self::Written { packet_id },
            4 => Self::Received { packet_id },
            5 => Self::Completed { packet_id },
            7 => Self::Skipped { packet_id },
            8 => Self::Held { packet_id },
            _ => Self::Released { packet_id },
        };
        Ok((change, reader.position))
    }
}

impl<T> State<T> {
    /// Makes a change that a session told of, in the order in which it told of them. One that names what is not there changes nothing.
    /// O(messages in flight).
    pub fn apply(&mut self, change: Change<T>) {
        match change {
            Change::Taken { packet_id, exactly_once, message } => {
                self.last_packet_id = Some(packet_id);
                let stage = if exactly_once { Stage::PubRec } else { Stage::PubAck };
                if self.index_of(packet_id).is_none() {
                    self.outgoing.push(InFlight { packet_id, stage, sent: false, message });
                }
            }
            Change::Written { packet_id } => {
                if let Some(one) = self.outgoing.iter_mut().find(|one| one.packet_id == packet_id) {
                    one.sent = true;
                }
            }
            Change::Received { packet_id } => {
                let waits = |one: &InFlight<T>| one.packet_id == packet_id && one.stage == Stage::PubRec;
                if let Some(index) = self.outgoing.iter().position(waits) {
                    let one = self.outgoing.remove(index);
                    // [MQTT-4.6.0-4]
                    self.outgoing.push(InFlight { stage: Stage::PubComp, sent: true, ..one });
                }
            }
            Change::Completed { packet_id } => {
                if let Some(index) = self.index_of(packet_id) {
                    self.outgoing.remove(index);
                }
            }
            Change::Forgotten => {
                self.outgoing.retain(|one| !one.sent);
                self.incoming.clear();
            }
            Change::Skipped { packet_id } => self.last_packet_id = Some(packet_id),
            Change::Held { packet_id } => {
                self.incoming.retain(|kept| kept.packet_id != packet_id);
                self.incoming.push(Incoming { packet_id, receipt: None });
            }
            Change::Released { packet_id } => self.incoming.retain(|kept| kept.packet_id != packet_id),
        }
    }

    fn index_of(&self, packet_id: PacketId) -> Option<usize> {
        self.outgoing.iter().position(|one| one.packet_id == packet_id)
    }
}

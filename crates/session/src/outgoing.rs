//! Messages on their way to the peer: packet identifiers, the window, and the order of sending.
//!
//! ```text
//!  publish() --> ready (in order) --> poll() --> entries: one a packet identifier
//!                  ^                                |  PUBACK / PUBREC, PUBCOMP
//!                  '---- resume(): in first order --'---> message given back
//! ```

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use headwater_codec::{Delivery, PacketId, QoS};

use crate::state::{InFlight, Stage};

/// Messages to the peer, over reconnections.
#[derive(Debug)]
pub(crate) struct Outgoing<T> {
    entries: BTreeMap<PacketId, Entry<T>>,
    /// Identifiers that requests hold (SUBSCRIBE, UNSUBSCRIBE of a client).
    requests: BTreeSet<PacketId>,
    ready: VecDeque<Ready<T>>,
    /// The QoS 0 message that the last poll lent out.
    lent: Option<T>,
    last_id: u16,
    next_turn: u64,
    /// PUBLISH packets of QoS 1 and 2 sent on this connection and not complete: section 4.9 of 5.0.
    unacknowledged: usize,
    /// The peer's receive maximum.
    receive_maximum: usize,
    /// The most messages that may be in flight and the most that may be ready, each.
    window: usize,
}

#[derive(Debug)]
struct Entry<T> {
    message: T,
    stage: Stage,
    /// Position in the order of first sending.
    turn: u64,
    /// Written out at least once, on whatever connection.
    sent: bool,
    /// Counted in `unacknowledged`.
    counted: bool,
}

#[derive(Debug)]
enum Ready<T> {
    AtMostOnce(T),
    Stored(PacketId),
}

/// What an acknowledgement did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress<T> {
    /// The exchange is complete; here is the message.
    Complete(T),
    /// PUBREC was taken: PUBREL is due.
    Release,
    /// The identifier is not in use.
    Unknown,
    /// The identifier is in use, for something else.
    Wrong,
}

impl<T> Outgoing<T> {
    pub(crate) fn new(window: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            requests: BTreeSet::new(),
            ready: VecDeque::new(),
            lent: None,
            last_id: 0,
            next_turn: 0,
            unacknowledged: 0,
            receive_maximum: usize::from(u16::MAX),
            window: window.clamp(1, usize::from(u16::MAX)),
        }
    }

    /// How many more messages of this QoS may be published now.
    pub(crate) fn room(&self, qos: QoS) -> usize {
        let ready = self.window.saturating_sub(self.ready.len());
        match qos {
            QoS::AtMostOnce => ready,
            QoS::AtLeastOnce | QoS::ExactlyOnce => {
                let window = self.window.min(self.receive_maximum);
                ready.min(window.saturating_sub(self.entries.len()))
            }
        }
    }

    /// Takes a message in; gives it back when there is no room.
    pub(crate) fn publish(&mut self, message: T, qos: QoS) -> Result<(), T> {
        if self.room(qos) == 0 {
            return Err(message);
        }
        let stage = match qos {
            QoS::AtMostOnce => {
                self.ready.push_back(Ready::AtMostOnce(message));
                return Ok(());
            }
            QoS::AtLeastOnce => Stage::PubAck,
            QoS::ExactlyOnce => Stage::PubRec,
        };
        let Some(packet_id) = self.free_id() else { return Err(message) };
        let turn = self.next_turn;
        self.next_turn += 1;
        self.entries.insert(packet_id, Entry { message, stage, turn, sent: false, counted: false });
        self.ready.push_back(Ready::Stored(packet_id));
        Ok(())
    }

    /// An identifier for a request, held until [`finish_request`](Self::finish_request).
    pub(crate) fn begin_request(&mut self) -> Option<PacketId> {
        let packet_id = self.free_id()?;
        self.requests.insert(packet_id);
        Some(packet_id)
    }

    /// Whether there was such a request; its identifier is free again.
    pub(crate) fn finish_request(&mut self, packet_id: PacketId) -> bool {
        self.requests.remove(&packet_id)
    }

    /// The next unused identifier after the last one given [MQTT-2.2.1-3]: never one that is in flight.
    fn free_id(&mut self) -> Option<PacketId> {
        let mut candidate = self.last_id;
        for _ in 0..u16::MAX {
            candidate = candidate.checked_add(1).unwrap_or(1);
            let packet_id = PacketId::new(candidate)?;
            if !self.entries.contains_key(&packet_id) && !self.requests.contains(&packet_id) {
                self.last_id = candidate;
                return Some(packet_id);
            }
        }
        None
    }

    /// The next message to send, if the peer's receive maximum lets one go [MQTT-3.3.4-9].
    pub(crate) fn poll(&mut self) -> Option<(&T, Delivery)> {
        loop {
            match self.ready.front()? {
                Ready::AtMostOnce(_) => {
                    let Some(Ready::AtMostOnce(message)) = self.ready.pop_front() else { return None };
                    return Some((self.lent.insert(message), Delivery::AtMostOnce));
                }
                Ready::Stored(packet_id) => {
                    let packet_id = *packet_id;
                    if self.entries.get(&packet_id).is_some_and(|entry| entry.stage != Stage::PubComp) {
                        if self.unacknowledged >= self.receive_maximum {
                            return None;
                        }
                        self.ready.pop_front();
                        self.unacknowledged += 1;
                        let entry = self.entries.get_mut(&packet_id)?;
                        let dup = core::mem::replace(&mut entry.sent, true);
                        entry.counted = true;
                        let delivery = match entry.stage {
                            Stage::PubAck => Delivery::AtLeastOnce { packet_id, dup },
                            Stage::PubRec | Stage::PubComp => Delivery::ExactlyOnce { packet_id, dup },
                        };
                        return Some((&entry.message, delivery));
                    }
                    // Acknowledged while it waited to be sent again.
                    self.ready.pop_front();
                }
            }
        }
    }

    /// PUBACK.
    pub(crate) fn puback(&mut self, packet_id: PacketId) -> Progress<T> {
        self.complete(packet_id, Stage::PubAck)
    }

    /// PUBCOMP.
    pub(crate) fn pubcomp(&mut self, packet_id: PacketId) -> Progress<T> {
        self.complete(packet_id, Stage::PubComp)
    }

    /// PUBREC; one that refuses the message ends the exchange [MQTT-4.3.3-4].
    pub(crate) fn pubrec(&mut self, packet_id: PacketId, refused: bool) -> Progress<T> {
        match self.entries.get_mut(&packet_id) {
            None => Progress::Unknown,
            Some(entry) if !entry.sent || entry.stage == Stage::PubAck => Progress::Wrong,
            Some(entry) if refused => {
                let stage = entry.stage;
                self.complete(packet_id, stage)
            }
            Some(entry) => {
                entry.stage = Stage::PubComp;
                Progress::Release
            }
        }
    }

    fn complete(&mut self, packet_id: PacketId, stage: Stage) -> Progress<T> {
        match self.entries.get(&packet_id) {
            None => Progress::Unknown,
            Some(entry) if !entry.sent || entry.stage != stage => Progress::Wrong,
            Some(_) => match self.entries.remove(&packet_id) {
                Some(entry) => {
                    if entry.counted {
                        self.unacknowledged = self.unacknowledged.saturating_sub(1);
                    }
                    Progress::Complete(entry.message)
                }
                None => Progress::Unknown,
            },
        }
    }

    /// A new connection begins: what is in flight becomes ready again, in the order of first sending. Returns the identifiers whose
    /// PUBREL is due, in that order too.
    pub(crate) fn resume(&mut self, receive_maximum: u16) -> Vec<PacketId> {
        self.receive_maximum = usize::from(receive_maximum);
        self.unacknowledged = 0;
        self.requests.clear();
        self.lent = None;
        // QoS 0 of the old connection is gone with it: at most once.
        self.ready.clear();
        let mut order: Vec<(u64, PacketId)> =
            self.entries.iter().map(|(id, entry)| (entry.turn, *id)).collect();
        order.sort_unstable();
        let mut releases = Vec::new();
        for (_, packet_id) in order {
            let Some(entry) = self.entries.get_mut(&packet_id) else { continue };
            entry.counted = false;
            match entry.stage {
                Stage::PubComp => releases.push(packet_id),
                Stage::PubAck | Stage::PubRec => self.ready.push_back(Ready::Stored(packet_id)),
            }
        }
        releases
    }

    /// Fills an empty one from kept state. Later entries of the same identifier are ignored.
    pub(crate) fn restore(&mut self, in_flight: Vec<InFlight<T>>) {
        for InFlight { packet_id, stage, sent, message } in in_flight {
            let turn = self.next_turn;
            self.next_turn += 1;
            self.last_id = self.last_id.max(packet_id.get());
            self.entries.entry(packet_id).or_insert(Entry { message, stage, turn, sent, counted: false });
        }
    }

    /// What is in flight, in the order of first sending, leaving nothing behind.
    pub(crate) fn take(&mut self) -> Vec<InFlight<T>> {
        self.ready.clear();
        self.lent = None;
        self.unacknowledged = 0;
        let mut entries: Vec<_> = core::mem::take(&mut self.entries).into_iter().collect();
        entries.sort_unstable_by_key(|(_, entry)| entry.turn);
        entries
            .into_iter()
            .map(|(packet_id, Entry { message, stage, sent, .. })| InFlight {
                packet_id,
                stage,
                sent,
                message,
            })
            .collect()
    }

    /// The peer has forgotten the session: gives back the messages that it may have had, in order; those never sent stay.
    pub(crate) fn forget_sent(&mut self) -> Vec<T> {
        let (sent, unsent): (Vec<_>, Vec<_>) = self.take().into_iter().partition(|in_flight| in_flight.sent);
        self.restore(unsent);
        sent.into_iter().map(|in_flight| in_flight.message).collect()
    }

    /// A copy of what is in flight, in the order of first sending.
    pub(crate) fn in_flight(&self) -> Vec<InFlight<T>>
    where
        T: Clone,
    {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_unstable_by_key(|(_, entry)| entry.turn);
        let copy = |(packet_id, entry): (&PacketId, &Entry<T>)| InFlight {
            packet_id: *packet_id,
            stage: entry.stage,
            sent: entry.sent,
            message: entry.message.clone(),
        };
        entries.into_iter().map(copy).collect()
    }

    /// How many exchanges of QoS 1 and 2 are not complete.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

//! Messages on their way to the peer: packet identifiers, the window, and the order of sending.
//!
//! ```text
//!  publish() --> ready (in order) --> poll() --> entries: one a packet identifier
//!                  ^                                |  PUBACK / PUBREC, PUBCOMP
//!                  '---- resume(): in first order --'---> message given back
//! ```

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use headwater_codec::{Delivery, PacketId, QoS};

use crate::ids::{IDS, Ids};
use crate::state::{InFlight, Stage};

/// Messages to the peer, over reconnections.
#[derive(Debug)]
pub(crate) struct Outgoing<T> {
    entries: BTreeMap<PacketId, Entry<T>>,
    /// Identifiers that requests of a client hold, and what for.
    requests: BTreeMap<PacketId, Request>,
    ready: VecDeque<Ready<T>>,
    /// The QoS 0 message that the last poll lent out.
    lent: Option<T>,
    pub(crate) ids: Ids,
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
    /// Its place in the order of sending; PUBREL has one of its own.
    turn: u64,
    /// The first of these.
    taken: u64,
    /// Written out at least once, on whatever connection.
    sent: bool,
    /// Counted in `unacknowledged`.
    counted: bool,
}

#[derive(Debug)]
enum Ready<T> {
    AtMostOnce(T),
    /// The turn tells it from a later message under the same identifier.
    Stored(PacketId, u64),
}

/// What a client asked for, and for how many filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    Subscribe(usize),
    Unsubscribe(usize),
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
            requests: BTreeMap::new(),
            ready: VecDeque::new(),
            lent: None,
            ids: Ids::new(),
            next_turn: 0,
            unacknowledged: 0,
            receive_maximum: IDS,
            window: window.clamp(1, IDS),
        }
    }

    /// How many more messages of this QoS may be published now.
    pub(crate) fn room(&self, qos: QoS) -> usize {
        let ready = self.window.saturating_sub(self.ready.len());
        match qos {
            QoS::AtMostOnce => ready,
            QoS::AtLeastOnce | QoS::ExactlyOnce => {
                let window = self.window.min(self.receive_maximum);
                ready.min(self.free_ids()).min(window.saturating_sub(self.entries.len()))
            }
        }
    }

    /// Takes a message in, and gives the identifier that it will be sent under; gives the message back when there is no room.
    pub(crate) fn publish(&mut self, message: T, qos: QoS) -> Result<Option<PacketId>, T> {
        if self.room(qos) == 0 {
            return Err(message);
        }
        let stage = match qos {
            QoS::AtMostOnce => {
                self.ready.push_back(Ready::AtMostOnce(message));
                return Ok(None);
            }
            QoS::AtLeastOnce => Stage::PubAck,
            QoS::ExactlyOnce => Stage::PubRec,
        };
        let Some(packet_id) = self.free_id() else { return Err(message) };
        let turn = self.next_turn();
        let entry = Entry { message, stage, turn, taken: turn, sent: false, counted: false };
        self.entries.insert(packet_id, entry);
        self.ready.push_back(Ready::Stored(packet_id, turn));
        Ok(Some(packet_id))
    }

    /// At least so many identifiers are free, and no more than there are: exact when they are fewer than the window.
    fn free_ids(&self) -> usize {
        let used = self.entries.len() + self.requests.len();
        let left = self.ids.left();
        let surely = left.saturating_sub(used);
        if left == IDS || surely >= self.window {
            return surely;
        }
        // Those in flight are behind the last one given, all but a few of them.
        let used = self.ids.ahead().map(|(first, last)| self.used_within(first, last)).sum();
        left.saturating_sub(used)
    }

    /// How many identifiers from `first` to `last` are in use.
    fn used_within(&self, first: PacketId, last: PacketId) -> usize {
        self.entries.range(first..=last).count() + self.requests.range(first..=last).count()
    }

    fn next_turn(&mut self) -> u64 {
        let turn = self.next_turn;
        self.next_turn += 1;
        turn
    }

    /// An identifier for a request, held until [`finish_request`](Self::finish_request).
    pub(crate) fn begin_request(&mut self, request: Request) -> Option<PacketId> {
        let packet_id = self.free_id()?;
        self.requests.insert(packet_id, request);
        Some(packet_id)
    }

    /// What was asked for under this identifier, which is free again.
    pub(crate) fn finish_request(&mut self, packet_id: PacketId) -> Option<Request> {
        self.requests.remove(&packet_id)
    }

    fn free_id(&mut self) -> Option<PacketId> {
        let Self { ids, entries, requests, .. } = self;
        ids.next(|id| entries.contains_key(&id) || requests.contains_key(&id))
    }

    /// The next message to send, if the peer's receive maximum lets one go [MQTT-3.3.4-9].
    pub(crate) fn poll(&mut self) -> Option<(&T, Delivery)> {
        // What was written before is not held any longer.
        self.lent = None;
        loop {
            match self.ready.front()? {
                Ready::AtMostOnce(_) => {
                    let Some(Ready::AtMostOnce(message)) = self.ready.pop_front() else { return None };
                    return Some((self.lent.insert(message), Delivery::AtMostOnce));
                }
                Ready::Stored(packet_id, turn) => {
                    let (packet_id, turn) = (*packet_id, *turn);
                    if self.entries.get(&packet_id).is_some_and(|entry| entry.turn == turn) {
                        if self.unacknowledged >= self.receive_maximum {
                            return None;
                        }
                        self.ready.pop_front();
                        return self.send(packet_id);
                    }
                    // Acknowledged while it waited to be sent again.
                    self.ready.pop_front();
                }
            }
        }
    }

    fn send(&mut self, packet_id: PacketId) -> Option<(&T, Delivery)> {
        let entry = self.entries.get_mut(&packet_id)?;
        self.unacknowledged += 1;
        entry.counted = true;
        // [MQTT-3.3.1-1]
        let dup = core::mem::replace(&mut entry.sent, true);
        let delivery = match entry.stage {
            Stage::PubAck => Delivery::AtLeastOnce { packet_id, dup },
            Stage::PubRec | Stage::PubComp => Delivery::ExactlyOnce { packet_id, dup },
        };
        Some((&entry.message, delivery))
    }

    /// PUBACK.
    pub(crate) fn puback(&mut self, packet_id: PacketId) -> Progress<T> {
        self.complete(packet_id, Stage::PubAck)
    }

    /// PUBCOMP.
    pub(crate) fn pubcomp(&mut self, packet_id: PacketId) -> Progress<T> {
        self.complete(packet_id, Stage::PubComp)
    }

    /// PUBREC; one that refuses the message ends the exchange.
    pub(crate) fn pubrec(&mut self, packet_id: PacketId, refused: bool) -> Progress<T> {
        let turn = self.next_turn();
        match self.entries.get_mut(&packet_id) {
            None => Progress::Unknown,
            Some(entry) if !entry.sent || entry.stage == Stage::PubAck => Progress::Wrong,
            // It had been taken before.
            Some(entry) if refused && entry.stage == Stage::PubComp => Progress::Wrong,
            Some(_) if refused => self.complete(packet_id, Stage::PubRec),
            Some(entry) => {
                if entry.stage == Stage::PubRec {
                    entry.stage = Stage::PubComp;
                    // PUBREL is sent again in the order of PUBREC [MQTT-4.6.0-4].
                    entry.turn = turn;
                }
                Progress::Release
            }
        }
    }

    fn complete(&mut self, packet_id: PacketId, stage: Stage) -> Progress<T> {
        match self.entries.get(&packet_id) {
            None => Progress::Unknown,
            Some(entry) if !entry.sent || entry.stage != stage => Progress::Wrong,
            Some(_) => self.discard(packet_id).map_or(Progress::Unknown, Progress::Complete),
        }
    }

    /// Ends an exchange, however far it has come.
    pub(crate) fn discard(&mut self, packet_id: PacketId) -> Option<T> {
        let entry = self.entries.remove(&packet_id)?;
        if entry.counted {
            self.unacknowledged -= 1;
        }
        Some(entry.message)
    }

    /// The connection is gone, and QoS 0 with it: at most once.
    pub(crate) fn disconnect(&mut self) {
        self.lent = None;
        self.ready.retain(|ready| matches!(ready, Ready::Stored(..)));
        self.requests.clear();
    }

    /// A new connection begins: what is in flight becomes ready again, in the order of first sending. Returns the identifiers whose
    /// PUBREL is due, in the order in which PUBREC came.
    pub(crate) fn resume(&mut self, receive_maximum: u16) -> Vec<PacketId> {
        self.disconnect();
        self.receive_maximum = usize::from(receive_maximum);
        self.unacknowledged = 0;
        self.ready.clear();
        let mut order: Vec<(u64, PacketId)> =
            self.entries.iter().map(|(id, entry)| (entry.turn, *id)).collect();
        order.sort_unstable();
        let mut releases = Vec::new();
        for (turn, packet_id) in order {
            let Some(entry) = self.entries.get_mut(&packet_id) else { continue };
            entry.counted = false;
            match entry.stage {
                Stage::PubComp => releases.push(packet_id),
                Stage::PubAck | Stage::PubRec => self.ready.push_back(Ready::Stored(packet_id, turn)),
            }
        }
        releases
    }

    /// Adds kept messages, in order. A second one under the same identifier is ignored.
    pub(crate) fn restore(&mut self, in_flight: Vec<InFlight<T>>) {
        for InFlight { packet_id, stage, sent, message } in in_flight {
            let turn = self.next_turn();
            // What was received was sent.
            let sent = sent || stage == Stage::PubComp;
            let entry = Entry { message, stage, turn, taken: turn, sent, counted: false };
            self.entries.entry(packet_id).or_insert(entry);
        }
    }

    /// What is in flight, in order, leaving nothing behind.
    pub(crate) fn take(&mut self) -> Vec<InFlight<T>> {
        self.ready.clear();
        self.lent = None;
        self.unacknowledged = 0;
        let mut entries: Vec<_> = core::mem::take(&mut self.entries).into_iter().collect();
        entries.sort_unstable_by_key(|(_, entry)| entry.turn);
        let keep = |(packet_id, entry): (PacketId, Entry<T>)| InFlight {
            packet_id,
            stage: entry.stage,
            sent: entry.sent,
            message: entry.message,
        };
        entries.into_iter().map(keep).collect()
    }

    /// The peer has forgotten the session: gives back the messages that it may have had, in order; those never sent stay.
    pub(crate) fn forget_sent(&mut self) -> Vec<T> {
        self.ready.clear();
        self.lent = None;
        self.unacknowledged = 0;
        for entry in self.entries.values_mut() {
            entry.counted = false;
        }
        let sent = self.entries.iter().filter(|(_, entry)| entry.sent);
        let mut sent: Vec<(u64, PacketId)> = sent.map(|(id, entry)| (entry.turn, *id)).collect();
        sent.sort_unstable();
        let forget = |(_, id)| self.entries.remove(&id).map(|entry| entry.message);
        sent.into_iter().filter_map(forget).collect()
    }

    /// The turn in which the message under this identifier was taken.
    pub(crate) fn taken(&self, packet_id: PacketId) -> Option<u64> {
        self.entries.get(&packet_id).map(|entry| entry.taken)
    }

    /// The message that was taken in this turn, if its exchange is not complete.
    pub(crate) fn message(&self, packet_id: PacketId, taken: u64) -> Option<&T> {
        self.entries.get(&packet_id).filter(|entry| entry.taken == taken).map(|entry| &entry.message)
    }

    /// A copy of what is in flight, in order.
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

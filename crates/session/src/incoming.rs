//! Messages from the peer: who still has to be acknowledged, and which QoS 2 identifiers are taken.
//!
//! ```text
//!            PUBLISH QoS 1                     PUBLISH QoS 2
//!                 |                                  |        (again: same identifier)
//!              waiting -- release() --> PUBACK    waiting -- release() --> PUBREC
//!                                                    |                        |
//!                                                    '---- received, until PUBREL --> PUBCOMP
//! ```
//!
//! Acknowledgements leave in the order in which the messages came [MQTT-4.6.0-2] [MQTT-4.6.0-3]: one that is released early waits for
//! those before it.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use headwater_codec::{PacketId, QoS, ReasonCode};

use crate::explained::Kept as Words;
use crate::state::{Incoming as Kept, Receipt};

/// Messages from the peer, over reconnections.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// Unacknowledged messages of this connection, in order of arrival.
    waiting: VecDeque<Waiting>,
    /// QoS 2 identifiers between PUBLISH and PUBREL.
    received: BTreeMap<PacketId, Received>,
    /// How many of `received` came, or came again, on this connection.
    here: usize,
    /// How many of `waiting` are of QoS 1.
    at_least_once: usize,
    next_receipt: u64,
    receive_maximum: usize,
    /// How many of `received` there may be before new ones are refused.
    held_max: usize,
    /// Whether the peer was told the receive maximum and counts by the rules of 5.0.
    peer_counts: bool,
}

/// A QoS 2 message between PUBLISH and PUBREL.
#[derive(Debug, Clone, Copy)]
struct Received {
    /// While PUBREC has not left.
    receipt: Option<Receipt>,
    /// Whether its PUBLISH came on this connection: only then it counts against the quota of the peer (5.0, section 4.9).
    here: bool,
}

#[derive(Debug)]
struct Waiting {
    receipt: Receipt,
    packet_id: PacketId,
    qos: QoS,
    released: Option<ReasonCode>,
    /// Why, in words.
    words: Option<Box<Words>>,
}

/// What a PUBLISH turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// New: to be delivered, and acknowledged under this receipt.
    New(Receipt),
    /// Seen before, no delivery [MQTT-4.3.3-10]; its PUBREC comes out of [`Incoming::due`] in its turn.
    Pending,
    /// Seen before on this connection and PUBREC has left: PUBREC again, no delivery.
    Repeat,
    /// More than the receive maximum.
    TooMany,
    /// More identifiers than are held, over all connections; nothing is done about it.
    TooManyHeld,
}

/// An acknowledgement that may leave now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) packet_id: PacketId,
    pub(crate) qos: QoS,
    pub(crate) reason: ReasonCode,
    pub(crate) words: Option<Box<Words>>,
}

impl Incoming {
    pub(crate) fn new(receive_maximum: u16) -> Self {
        Self {
            waiting: VecDeque::new(),
            received: BTreeMap::new(),
            here: 0,
            at_least_once: 0,
            next_receipt: 0,
            receive_maximum: usize::from(receive_maximum).max(1),
            held_max: usize::from(u16::MAX),
            peer_counts: true,
        }
    }

    /// What was announced to the peer on this connection, what is held at most, and whether the version lets the first be announced.
    pub(crate) fn begin(&mut self, receive_maximum: u16, held_max: u16, peer_counts: bool) {
        self.receive_maximum = usize::from(receive_maximum).max(1);
        // A peer that was told how many it may send is not refused any of them, if nothing is left of earlier connections.
        let held_max = if peer_counts { held_max.max(receive_maximum) } else { held_max };
        self.held_max = usize::from(held_max).max(1);
        self.peer_counts = peer_counts;
    }

    /// Whether the peer may send another one of QoS 1 or 2.
    ///
    /// By the rules of 5.0, a QoS 2 message counts until PUBCOMP. Before 5.0 the peer knows of no limit: it is held back by not reading,
    /// and PUBREL must be read, so only what the caller has not released counts.
    pub(crate) fn has_room(&self) -> bool {
        let unacknowledged =
            if self.peer_counts { self.at_least_once + self.here } else { self.waiting.len() };
        unacknowledged < self.receive_maximum
    }

    /// A PUBLISH of QoS 1 or 2 came.
    pub(crate) fn publish(&mut self, packet_id: PacketId, qos: QoS) -> Arrival {
        if qos == QoS::ExactlyOnce && self.received.contains_key(&packet_id) {
            return self.again(packet_id);
        }
        if !self.has_room() {
            return Arrival::TooMany;
        }
        if qos == QoS::ExactlyOnce && self.received.len() >= self.held_max {
            return Arrival::TooManyHeld;
        }
        let receipt = self.wait(packet_id, qos, None);
        if qos == QoS::ExactlyOnce {
            self.received.insert(packet_id, Received { receipt: Some(receipt), here: true });
            self.here += 1;
        } else {
            self.at_least_once += 1;
        }
        Arrival::New(receipt)
    }

    /// A new QoS 2 message is one too many to be held, and the peer can be told: PUBREC refuses it in its turn [MQTT-4.6.0-3]. Until then it
    /// counts as others do, so that there are never more than the receive maximum of them.
    pub(crate) fn refuse(&mut self, packet_id: PacketId, reason: ReasonCode) {
        let receipt = self.wait(packet_id, QoS::ExactlyOnce, Some(reason));
        self.received.insert(packet_id, Received { receipt: Some(receipt), here: true });
        self.here += 1;
    }

    /// How many identifiers are held.
    pub(crate) fn held(&self) -> usize {
        self.received.len()
    }

    /// A QoS 2 message came again. The first time on a new connection its PUBREC takes its place behind those of the messages before it.
    fn again(&mut self, packet_id: PacketId) -> Arrival {
        let Some(state) = self.received.get_mut(&packet_id) else { return Arrival::Repeat };
        if core::mem::replace(&mut state.here, true) {
            return if state.receipt.is_some() { Arrival::Pending } else { Arrival::Repeat };
        }
        self.here += 1;
        if let Some(receipt) = state.receipt {
            self.waiting.push_back(Waiting {
                receipt,
                packet_id,
                qos: QoS::ExactlyOnce,
                released: None,
                words: None,
            });
        } else {
            let receipt = self.wait(packet_id, QoS::ExactlyOnce, Some(ReasonCode::SUCCESS));
            if let Some(state) = self.received.get_mut(&packet_id) {
                state.receipt = Some(receipt);
            }
        }
        Arrival::Pending
    }

    fn wait(&mut self, packet_id: PacketId, qos: QoS, released: Option<ReasonCode>) -> Receipt {
        let receipt = Receipt(self.next_receipt);
        self.next_receipt += 1;
        self.waiting.push_back(Waiting { receipt, packet_id, qos, released, words: None });
        receipt
    }

    /// The caller is done with a message. Acknowledgements that may leave now come out of [`due`](Self::due). O(receive maximum), O(1)
    /// for the oldest. Gives the identifier of which something changes that must be kept.
    pub(crate) fn release(
        &mut self,
        receipt: Receipt,
        reason: ReasonCode,
        words: Option<Box<Words>>,
    ) -> Option<PacketId> {
        if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.receipt == receipt) {
            waiting.released = Some(reason);
            waiting.words = words;
            return (waiting.qos == QoS::ExactlyOnce).then_some(waiting.packet_id);
        }
        // A QoS 2 message of an earlier connection whose PUBLISH has not been sent again: PUBREC will follow when it is.
        let kept = self.received.iter().find(|(_, state)| state.receipt == Some(receipt)).map(|(id, _)| *id);
        if let Some(packet_id) = kept {
            self.settle(packet_id, reason);
        }
        kept
    }

    fn settle(&mut self, packet_id: PacketId, reason: ReasonCode) {
        if reason.is_error() {
            // The identifier is free again: for the sender PUBREC with an error is the end [MQTT-4.3.3-9].
            self.forget(packet_id);
        } else if let Some(state) = self.received.get_mut(&packet_id) {
            state.receipt = None;
        }
    }

    fn forget(&mut self, packet_id: PacketId) {
        if self.received.remove(&packet_id).is_some_and(|state| state.here) {
            self.here -= 1;
        }
    }

    /// The next acknowledgement that may leave.
    pub(crate) fn due(&mut self) -> Option<Due> {
        let reason = self.waiting.front()?.released?;
        let Waiting { packet_id, qos, words, .. } = self.waiting.pop_front()?;
        if qos == QoS::ExactlyOnce {
            self.settle(packet_id, reason);
        } else {
            self.at_least_once -= 1;
        }
        Some(Due { packet_id, qos, reason, words })
    }

    /// A PUBREL came.
    pub(crate) fn pubrel(&mut self, packet_id: PacketId) -> Release {
        match self.received.get(&packet_id).map(|state| state.receipt) {
            None => Release::Unknown,
            Some(Some(_)) => Release::TooEarly,
            Some(None) => {
                self.forget(packet_id);
                Release::Done
            }
        }
    }

    /// The connection is gone: QoS 1 messages that were not acknowledged will be sent again as new ones.
    pub(crate) fn disconnect(&mut self) {
        self.at_least_once = 0;
        self.here = 0;
        // Those that were released while another before them was not: their PUBREC is due when PUBLISH is sent again.
        let waiting = core::mem::take(&mut self.waiting);
        for Waiting { packet_id, qos, released, .. } in waiting {
            if qos == QoS::ExactlyOnce
                && let Some(reason) = released
            {
                if let Some(state) = self.received.get_mut(&packet_id) {
                    state.here = false;
                }
                self.settle(packet_id, reason);
            }
        }
        for state in self.received.values_mut() {
            state.here = false;
        }
    }

    /// Fills an empty one from kept state.
    pub(crate) fn restore(&mut self, kept: Vec<Kept>, next_receipt: u64) {
        self.next_receipt = next_receipt;
        let received = |Kept { packet_id, receipt }| (packet_id, Received { receipt, here: false });
        self.received = kept.into_iter().map(received).collect();
    }

    /// The QoS 2 identifiers that must outlive the connection.
    pub(crate) fn kept(&self) -> Vec<Kept> {
        // What is released and waits for its turn is settled when the connection ends, and so it is here. Rarely there are any.
        let settled = |one: &Waiting| one.released.map(|reason| (one.receipt, reason));
        let settled: BTreeMap<Receipt, ReasonCode> = self.waiting.iter().filter_map(settled).collect();
        let keep = |(packet_id, state): (&PacketId, &Received)| {
            let reason = state.receipt.and_then(|receipt| settled.get(&receipt));
            if reason.is_some_and(|reason| reason.is_error()) {
                return None;
            }
            let receipt = state.receipt.filter(|_| reason.is_none());
            Some(Kept { packet_id: *packet_id, receipt })
        };
        self.received.iter().filter_map(keep).collect()
    }

    /// The receipt after the last one given out: no later session may give out an earlier one.
    pub(crate) fn next_receipt(&self) -> u64 {
        self.next_receipt
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.received.clear();
        self.at_least_once = 0;
        self.here = 0;
    }
}

/// What a PUBREL turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// The exchange is complete.
    Done,
    /// PUBREC has not been sent yet.
    TooEarly,
    /// The identifier is not in use: PUBCOMP all the same, or the sender hangs.
    Unknown,
}

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

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use headwater_codec::{PacketId, QoS, ReasonCode};

use crate::state::{Incoming as Kept, Receipt};

/// Messages from the peer, over reconnections.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// Unacknowledged messages of this connection, in order of arrival.
    waiting: VecDeque<Waiting>,
    /// QoS 2 identifiers between PUBLISH and PUBREL: the receipt while PUBREC is not allowed yet.
    received: BTreeMap<PacketId, Option<Receipt>>,
    /// How many of `waiting` are of QoS 1.
    at_least_once: usize,
    next_receipt: u64,
    receive_maximum: usize,
}

#[derive(Debug)]
struct Waiting {
    receipt: Receipt,
    packet_id: PacketId,
    qos: QoS,
    released: Option<ReasonCode>,
}

/// What a PUBLISH turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// New: to be delivered, and acknowledged under this receipt.
    New(Receipt),
    /// Seen before and not yet released by the caller; the acknowledgement will follow.
    Pending,
    /// Seen before: PUBREC again, no delivery [MQTT-4.3.3-10].
    Repeat,
    /// More than the receive maximum.
    TooMany,
}

/// An acknowledgement that may leave now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) packet_id: PacketId,
    pub(crate) qos: QoS,
    pub(crate) reason: ReasonCode,
}

impl Incoming {
    pub(crate) fn new(receive_maximum: u16) -> Self {
        Self {
            waiting: VecDeque::new(),
            received: BTreeMap::new(),
            at_least_once: 0,
            next_receipt: 0,
            receive_maximum: usize::from(receive_maximum).max(1),
        }
    }

    /// What was announced to the peer on this connection.
    pub(crate) fn set_receive_maximum(&mut self, receive_maximum: u16) {
        self.receive_maximum = usize::from(receive_maximum).max(1);
    }

    /// PUBLISH packets that the peer has sent and that are not acknowledged to their end.
    fn unacknowledged(&self) -> usize {
        self.at_least_once + self.received.len()
    }

    /// Whether the peer may send another one of QoS 1 or 2.
    pub(crate) fn has_room(&self) -> bool {
        self.unacknowledged() < self.receive_maximum
    }

    /// A PUBLISH of QoS 1 or 2 came.
    pub(crate) fn publish(&mut self, packet_id: PacketId, qos: QoS) -> Arrival {
        if qos == QoS::ExactlyOnce
            && let Some(state) = self.received.get(&packet_id)
        {
            let Some(receipt) = *state else { return Arrival::Repeat };
            // Resent on a new connection before the caller released it: queue its acknowledgement here.
            if !self.waiting.iter().any(|waiting| waiting.receipt == receipt) {
                self.waiting.push_back(Waiting { receipt, packet_id, qos, released: None });
            }
            return Arrival::Pending;
        }
        if !self.has_room() {
            return Arrival::TooMany;
        }
        let receipt = Receipt(self.next_receipt);
        self.next_receipt += 1;
        self.waiting.push_back(Waiting { receipt, packet_id, qos, released: None });
        if qos == QoS::ExactlyOnce {
            self.received.insert(packet_id, Some(receipt));
        } else {
            self.at_least_once += 1;
        }
        Arrival::New(receipt)
    }

    /// The caller is done with a message. Acknowledgements that may leave now come out of [`due`](Self::due).
    pub(crate) fn release(&mut self, receipt: Receipt, reason: ReasonCode) {
        // Receipts rise along the queue, but for messages resumed out of turn; the searched one is nearly always in front.
        if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.receipt == receipt) {
            waiting.released = Some(reason);
            return;
        }
        // A QoS 2 message of an earlier connection whose PUBLISH has not been sent again: PUBREC will follow when it is.
        let kept = self.received.iter().find(|(_, state)| **state == Some(receipt)).map(|(id, _)| *id);
        if let Some(packet_id) = kept {
            self.settle(packet_id, reason);
        }
    }

    fn settle(&mut self, packet_id: PacketId, reason: ReasonCode) {
        if reason.is_error() {
            // The identifier is free again: the sender treats PUBREC with an error as the end [MQTT-4.3.3-4].
            self.received.remove(&packet_id);
        } else {
            self.received.insert(packet_id, None);
        }
    }

    /// The next acknowledgement that may leave.
    pub(crate) fn due(&mut self) -> Option<Due> {
        let reason = self.waiting.front()?.released?;
        let Waiting { packet_id, qos, .. } = self.waiting.pop_front()?;
        if qos == QoS::ExactlyOnce {
            self.settle(packet_id, reason);
        } else {
            self.at_least_once -= 1;
        }
        Some(Due { packet_id, qos, reason })
    }

    /// A PUBREL came.
    pub(crate) fn pubrel(&mut self, packet_id: PacketId) -> Release {
        match self.received.get(&packet_id) {
            None => Release::Unknown,
            Some(Some(_)) => Release::TooEarly,
            Some(None) => {
                self.received.remove(&packet_id);
                Release::Done
            }
        }
    }

    /// The connection is gone: QoS 1 messages that were not acknowledged will be sent again as new ones.
    pub(crate) fn disconnect(&mut self) {
        self.at_least_once = 0;
        // Those that were released while another before them was not: their PUBREC is due when PUBLISH is sent again.
        let waiting = core::mem::take(&mut self.waiting);
        for Waiting { packet_id, qos, released, .. } in waiting {
            if qos == QoS::ExactlyOnce
                && let Some(reason) = released
            {
                self.settle(packet_id, reason);
            }
        }
    }

    /// Fills an empty one from kept state.
    pub(crate) fn restore(&mut self, kept: Vec<Kept>, next_receipt: u64) {
        self.next_receipt = next_receipt;
        self.received = kept.into_iter().map(|Kept { packet_id, receipt }| (packet_id, receipt)).collect();
    }

    /// The QoS 2 identifiers that must outlive the connection.
    pub(crate) fn kept(&self) -> Vec<Kept> {
        self.received
            .iter()
            .map(|(packet_id, receipt)| Kept { packet_id: *packet_id, receipt: *receipt })
            .collect()
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

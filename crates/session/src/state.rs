//! What outlives a network connection: the session state of MQTT 5.0 section 4.1, as far as packets are concerned.

use alloc::vec::Vec;

use headwater_codec::{PacketId, ReasonCode};

use crate::ids::nth_behind;

/// Where the exchange of an outgoing message stands.
///
/// ```text
///  QoS 1   PUBLISH -> [PubAck] -> PUBACK
///  QoS 2   PUBLISH -> [PubRec] -> PUBREC, PUBREL -> [PubComp] -> PUBCOMP
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// QoS 1: waits for PUBACK.
    PubAck,
    /// QoS 2: waits for PUBREC; the message may have to be sent again.
    PubRec,
    /// QoS 2: waits for PUBCOMP; only PUBREL is sent again.
    PubComp,
}

/// An outgoing message whose exchange is not complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlight<T> {
    /// The identifier under which it was sent, and must be sent again.
    pub packet_id: PacketId,
    /// What it waits for.
    pub stage: Stage,
    /// Whether it was ever written out; if so, a resend carries the DUP flag. Always so for [`Stage::PubComp`].
    pub sent: bool,
    /// The caller's message.
    pub message: T,
}

/// The part of a session that is kept while its client is away.
///
/// A server writes it where it keeps sessions and hands it back to [`accept`](crate::server::Session::accept) when the client
/// returns. The subscriptions are not in it; they belong to whoever matches topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State<T> {
    /// Outgoing messages, in the order in which they must be sent again: PUBLISH in the order of first sending [MQTT-4.6.0-1],
    /// PUBREL in the order in which PUBREC came [MQTT-4.6.0-4].
    pub outgoing: Vec<InFlight<T>>,
    /// Identifiers of QoS 2 messages that were received and not yet released by PUBREL.
    pub incoming: Vec<Incoming>,
    /// The packet identifier that was given out last: new ones go on behind it. `None` if that is not known; they go on behind the highest
    /// one in flight then.
    ///
    /// A receiver of QoS 2 takes a new message under an identifier that it still holds for one that it has, and drops it. Where a crash
    /// can bring an older state back, go on behind the last one that *may* have been given out, see
    /// [`reserve_packet_ids`](crate::server::Session::reserve_packet_ids).
    pub last_packet_id: Option<PacketId>,
    /// Identifiers that are never given out, first and last of each range: those that the peer may hold though nothing is known to be in
    /// flight under them.
    pub avoided_packet_ids: Vec<(PacketId, PacketId)>,
    /// So that a receipt of an earlier connection never names a message of a later one.
    pub(crate) next_receipt: u64,
}

/// A QoS 2 message that was received and whose PUBREL has not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// The identifier that the sender gave it.
    pub packet_id: PacketId,
    /// The receipt under which the caller may still acknowledge it; `None` when that is done.
    pub receipt: Option<Receipt>,
}

/// The handle by which the caller acknowledges a received message, once it is safe.
///
/// It belongs to the session that gave it out and to those that are resumed from its [`State`], and to no other. There, one of a QoS 2
/// message stays valid, and a stale one is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt(pub(crate) u64);

impl<T> State<T> {
    /// A session with these exchanges under way, for instance read back from a disk.
    ///
    /// Receipts do not outlive the process that gave them out: entries of `incoming` that still have one must be left out.
    #[must_use]
    pub fn new(outgoing: Vec<InFlight<T>>, incoming: Vec<Incoming>) -> Self {
        let after = incoming.iter().filter_map(|kept| kept.receipt).max().map_or(0, |Receipt(last)| last + 1);
        let avoided_packet_ids = Vec::new();
        Self { outgoing, incoming, last_packet_id: None, avoided_packet_ids, next_receipt: after }
    }

    /// The message under this receipt is safe, or refused with an error, and the client is away: PUBREC leaves when the client sends the
    /// message again. A receipt of QoS 1, or a stale one, does nothing.
    ///
    /// A program that keeps receipts over the end of a connection hands them in here until the state is resumed, and to the
    /// new session from then on.
    pub fn acknowledge(&mut self, receipt: Receipt, reason: ReasonCode) {
        let Some(index) = self.incoming.iter().position(|kept| kept.receipt == Some(receipt)) else { return };
        if reason.is_error() {
            self.incoming.remove(index);
        } else if let Some(kept) = self.incoming.get_mut(index) {
            kept.receipt = None;
        }
    }

    /// The identifier so many behind the last one that was given out: the one to reserve up to. O(`count` x ranges that are avoided).
    #[must_use]
    pub fn packet_id_ahead(&self, count: u16) -> Option<PacketId> {
        nth_behind(self.last_packet_id, &self.avoided_packet_ids, count)
    }

    /// Whether nothing is under way in either direction.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.outgoing.is_empty() && self.incoming.is_empty()
    }
}

impl<T> Default for State<T> {
    fn default() -> Self {
        Self::new(Vec::new(), Vec::new())
    }
}

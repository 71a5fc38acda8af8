//! What can be asked.

use headwater_codec::{QoS, Version};

use super::{Phase, Session};
use crate::persist::{Change, ChangesLost};
use crate::state::State;

impl<T> Session<T> {
    /// The version of the last CONNECT; before that, 5.0.
    #[must_use]
    pub fn version(&self) -> Version {
        self.exchange.version
    }

    /// Whether messages can be exchanged.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open { .. })
    }

    /// Whether the connection is to be closed once everything is written.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// How many more messages of this QoS [`publish`](Self::publish) takes now.
    #[must_use]
    pub fn room(&self, qos: QoS) -> usize {
        self.exchange.outgoing.room(qos)
    }

    /// How many messages of QoS 1 and 2 to the server are not complete.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.exchange.outgoing.len()
    }

    /// How many QoS 2 identifiers are held between PUBLISH and PUBREL; see [`Config::held_max`](super::Config::held_max).
    #[must_use]
    pub fn held(&self) -> usize {
        self.exchange.incoming.held()
    }

    /// A copy of what would outlive the program if it ended now: to be kept where a crash does not reach it.
    #[must_use]
    pub fn state(&self) -> State<T>
    where
        T: Clone,
    {
        self.exchange.state()
    }

    /// A number that rises whenever [`state`](Self::state) changes.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.exchange.revision()
    }

    /// From now on, what changes in [`state`](Self::state) is kept for [`poll_change`](Self::poll_change), at most `limit` changes of some 24
    /// bytes. Begin with [`state`](Self::state), taken now.
    pub fn record_changes(&mut self, limit: usize) {
        self.exchange.record_changes(limit);
    }

    /// The next change of the state, `None` when all are told; see [`persist`](crate::persist). O(log messages in flight).
    ///
    /// One that a packet depends on, for instance that an incoming message is held, must be where a crash does not reach it before the
    /// packet is written: poll for changes first, and then to transmit.
    ///
    /// # Errors
    ///
    /// [`ChangesLost`] when more waited than the limit: take the state again; changes from now on are kept.
    pub fn poll_change(&mut self) -> Result<Option<Change<&T>>, ChangesLost> {
        self.exchange.poll_change()
    }

    /// Whether the next packet may be read: before 5.0 a server cannot be told how many messages may be unacknowledged, and is held back
    /// by not reading.
    #[must_use]
    pub fn wants_packet(&self) -> bool {
        !self.is_open() || self.exchange.version == Version::V5 || self.exchange.incoming.has_room()
    }

    /// Bytes of control packets that wait to be written; the caller bounds them by not reading more.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.exchange.queued_bytes()
    }

    /// Acknowledgements that named no message in flight; after a thousand on one connection the server is taken for broken.
    #[must_use]
    pub fn unknown_acknowledgements(&self) -> u32 {
        self.exchange.unknown_acknowledgements()
    }

    /// For how many seconds the session outlives its connection, as the last CONNECT and CONNACK have settled.
    #[must_use]
    pub fn session_expiry_secs(&self) -> u32 {
        self.session_expiry_secs
    }

    /// The largest packet that the server takes; a larger message must not be sent to it [MQTT-3.2.2-15].
    #[must_use]
    pub fn peer_packet_size_max(&self) -> u32 {
        self.exchange.packet_size_max
    }
}

//! A client that writes and reads packets, and can do it wrong.

use std::time::Duration;

use headwater::codec::{
    Connect, Delivery, Frame, FrameReader, Limits, Packet, PacketId, Properties, Property, Publish, QoS,
    Subscribe, SubscribeFilter, Version,
};
use headwater::topic::{TopicFilter, TopicName};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;

use crate::Bed;

/// Who waits longer than this waits in vain.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// One end of a connection.
#[derive(Debug)]
pub struct Peer {
    stream: DuplexStream,
    frames: FrameReader,
    /// The version that it reads and writes.
    pub version: Version,
}

impl Peer {
    /// A connection on which nothing was said.
    pub fn open(bed: &mut Bed, version: Version) -> Self {
        Self { stream: bed.connect(), frames: FrameReader::new(Limits::PROTOCOL), version }
    }

    /// Connected, with a session that lasts if `expiry_secs` is not 0.
    ///
    /// # Panics
    ///
    /// When it is not let in.
    pub async fn connect(bed: &mut Bed, version: Version, client_id: &str, expiry_secs: u32) -> Self {
        let mut peer = Self::open(bed, version);
        let mut connect = Connect::new(version, client_id);
        (connect.clean_start, connect.keep_alive_secs) = (expiry_secs == 0, 0);
        let properties = [Property::SessionExpiryInterval(expiry_secs)];
        if version == Version::V5 {
            connect.properties = Properties::from(&properties[..]);
        }
        peer.send(&Packet::Connect(connect)).await;
        let frame = peer.read().await.expect("CONNACK");
        assert!(matches!(frame.packet(version), Ok(Packet::ConnAck(connack)) if !connack.reason.is_error()));
        peer
    }

    /// Writes a packet; false when the other end is closed.
    ///
    /// # Panics
    ///
    /// When the packet cannot be written in this version, or nobody reads it.
    pub async fn send(&mut self, packet: &Packet<'_>) -> bool {
        let mut bytes = Vec::new();
        packet.encode(self.version, &mut bytes).expect("a packet of this version");
        self.send_bytes(&bytes).await
    }

    /// Writes bytes; false when the other end is closed.
    ///
    /// # Panics
    ///
    /// When nobody reads them.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> bool {
        timeout(PATIENCE, self.stream.write_all(bytes)).await.expect("the broker reads, or closes").is_ok()
    }

    /// The next packet; `None` when the other end is closed.
    ///
    /// # Panics
    ///
    /// When none comes, or what comes is no packet.
    pub async fn read(&mut self) -> Option<Frame> {
        self.read_within(PATIENCE).await.expect("the broker answers, or closes")
    }

    /// The next packet, if one comes in this time; `Some(None)` when the other end is closed.
    ///
    /// # Panics
    ///
    /// When what comes is no packet.
    pub async fn read_within(&mut self, time: Duration) -> Option<Option<Frame>> {
        loop {
            if let Some(frame) = self.frames.next_frame().expect("the broker writes packets") {
                return Some(Some(frame));
            }
            match timeout(time, self.stream.read_buf(self.frames.buffer_mut())).await {
                Err(_) => return None,
                // In the middle of a packet, if it did not read for too long.
                Ok(Ok(0) | Err(_)) => return Some(None),
                Ok(Ok(_)) => {}
            }
        }
    }

    /// Subscribes, and waits for SUBACK.
    ///
    /// # Panics
    ///
    /// When that does not come next.
    pub async fn subscribe(&mut self, filters: &[&str], qos: QoS) {
        let filters = filters.iter().map(|text| TopicFilter::parse(text).expect("a filter"));
        let filters: Vec<_> = filters.map(|filter| SubscribeFilter::new(filter, qos)).collect();
        self.send(&Packet::Subscribe(Subscribe::new(PacketId::MIN, &filters))).await;
        let frame = self.read().await.expect("SUBACK");
        assert!(matches!(frame.packet(self.version), Ok(Packet::SubAck(_))), "{frame:?}");
    }

    /// Sends a message with the first packet identifier, if any.
    ///
    /// # Panics
    ///
    /// When `topic` is none.
    pub async fn publish(&mut self, topic: &str, payload: &[u8], qos: QoS) -> bool {
        let packet_id = PacketId::MIN;
        let delivery = match qos {
            QoS::AtMostOnce => Delivery::AtMostOnce,
            QoS::AtLeastOnce => Delivery::AtLeastOnce { packet_id, dup: false },
            QoS::ExactlyOnce => Delivery::ExactlyOnce { packet_id, dup: false },
        };
        let topic = TopicName::parse(topic).expect("a topic name");
        self.send(&Packet::Publish(Publish::new(topic, payload).with_delivery(delivery))).await
    }
}

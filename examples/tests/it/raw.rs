//! A client that writes and reads packets, and can do it wrong.

use std::io::{Read, Write};
use std::net::TcpStream;

use headwater::codec::{
    Connect, Delivery, Frame, FrameReader, Limits, Packet, PacketId, Properties, Property, PubAck, PubRel,
    Publish, QoS, Subscribe, SubscribeFilter, Version,
};
use headwater::topic::{TopicFilter, TopicName};

use crate::program::Broker;

pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    frames: FrameReader,
    pub(crate) version: Version,
}

impl Raw {
    pub(crate) fn open(broker: &Broker, version: Version) -> Self {
        Self { stream: broker.connect(), frames: FrameReader::new(Limits::PROTOCOL), version }
    }

    /// Connected, with a session that lasts if `expiry_secs` is not 0.
    pub(crate) fn connect(broker: &Broker, version: Version, client_id: &str, expiry_secs: u32) -> Self {
        let mut raw = Self::open(broker, version);
        let mut connect = Connect::new(version, client_id);
        connect.clean_start = expiry_secs == 0;
        let properties = [Property::SessionExpiryInterval(expiry_secs)];
        if version == Version::V5 {
            connect.properties = Properties::from(&properties[..]);
        }
        raw.send(&Packet::Connect(connect));
        let frame = raw.read().expect("CONNACK");
        let Packet::ConnAck(connack) = frame.packet(version).unwrap() else { panic!("{frame:?}") };
        assert!(!connack.reason.is_error(), "{connack:?}");
        raw
    }

    pub(crate) fn send(&mut self, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        packet.encode(self.version, &mut bytes).unwrap();
        self.stream.write_all(&bytes).unwrap();
    }

    /// The next packet; `None` when the broker has closed.
    pub(crate) fn read(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.frames.next_frame().unwrap() {
                return Some(frame);
            }
            let mut buffer = [0; 4_096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.frames.extend(&buffer[..count]),
                // The process was stopped and goes on.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                // Closed with bytes of ours unread.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub(crate) fn subscribe(&mut self, filter: &str, qos: QoS) {
        let filters = [SubscribeFilter::new(TopicFilter::parse(filter).unwrap(), qos)];
        self.send(&Packet::Subscribe(Subscribe::new(PacketId::MIN, &filters)));
        let frame = self.read().expect("SUBACK");
        assert!(matches!(frame.packet(self.version).unwrap(), Packet::SubAck(_)), "{frame:?}");
    }

    /// Publishes with QoS 1 and waits for PUBACK; gives its reason.
    pub(crate) fn publish(&mut self, topic: &str, payload: &[u8]) -> headwater::codec::ReasonCode {
        self.publish_at(topic, payload, QoS::AtLeastOnce)
    }

    /// Publishes with QoS 1 or 2 and waits for PUBACK or PUBCOMP; gives the reason.
    pub(crate) fn publish_at(
        &mut self,
        topic: &str,
        payload: &[u8],
        qos: QoS,
    ) -> headwater::codec::ReasonCode {
        let packet_id = PacketId::MIN;
        let delivery = match qos {
            QoS::ExactlyOnce => Delivery::ExactlyOnce { packet_id, dup: false },
            _ => Delivery::AtLeastOnce { packet_id, dup: false },
        };
        let topic = TopicName::parse(topic).unwrap();
        self.send(&Packet::Publish(Publish::new(topic, payload).with_delivery(delivery)));
        loop {
            let frame = self.read().expect("an acknowledgement");
            match frame.packet(self.version).unwrap() {
                Packet::PubAck(ack) => return ack.reason,
                Packet::PubRec(_) => self.send(&Packet::PubRel(PubRel::new(packet_id))),
                Packet::PubComp(ack) => return ack.reason,
                other => panic!("{other:?}"),
            }
        }
    }

    /// The payload of the next message, which is acknowledged.
    pub(crate) fn receive(&mut self) -> Vec<u8> {
        let frame = self.read().expect("PUBLISH");
        self.acknowledge(&frame)
    }

    /// The same; `None` if nothing comes in the time of the socket.
    pub(crate) fn try_receive(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(frame) = self.frames.next_frame().unwrap() {
                return Some(self.acknowledge(&frame));
            }
            let mut buffer = [0; 4_096];
            match self.stream.read(&mut buffer) {
                Ok(count) => self.frames.extend(&buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn acknowledge(&mut self, frame: &Frame) -> Vec<u8> {
        let Packet::Publish(publish) = frame.packet(self.version).unwrap() else { panic!("{frame:?}") };
        let payload = publish.payload.to_vec();
        if let Some(packet_id) = publish.packet_id() {
            self.send(&Packet::PubAck(PubAck::new(packet_id)));
        }
        payload
    }
}

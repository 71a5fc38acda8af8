//! Packets of QoS 2 that wait until the session is durable.
//!
//! ```text
//!   outbox   [ may be written ][ waits: the session was saved as it was here ][ depends on what is not saved yet ]
//!                              ^ saved                                        ^ unsaved
//! ```
//!
//! A crash must find in the session what the client was told: under which identifier it has a message, that its PUBREC came, that an
//! identifier of its own is free again. Everything behind such a packet waits with it, for order. One save does for all that came until then, and the next
//! one is made when that is durable: however many packets there are, the log takes one record of the session each time it is synced.

use headwater::session::persist::Change;
use headwater::store::Placement;

use super::end::End;
use super::{Connection, SETTLE};

/// So many changes may wait to be looked at; of more, it is known that there were some.
pub(super) const CHANGES_MAX: usize = 1_000;

/// Where in the outbox something waits.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// From here on until this is durable.
    saved: Option<(u64, Placement)>,
    /// From here on until the session is saved.
    unsaved: Option<u64>,
}

impl Gate {
    /// What is waited for.
    pub(super) fn placement(&self) -> Option<&Placement> {
        self.saved.as_ref().map(|(_, placement)| placement)
    }

    /// From where on nothing may be written.
    fn closed_from(&self) -> Option<u64> {
        self.saved.as_ref().map(|(from, _)| *from).or(self.unsaved)
    }
}

/// Whether a packet depends on it that must not be written before it is durable. That an incoming message is held is in the message's
/// record, and that an exchange is complete comes again from the client.
fn is_told<T>(change: &Change<T>) -> bool {
    matches!(
        change,
        Change::Taken { exactly_once: true, .. } | Change::Received { .. } | Change::Released { .. }
    )
}

impl Connection {
    /// Closes the gate behind what is in the outbox, if what comes next depends on changes that are not saved. To be called before
    /// anything is put there.
    pub(super) fn look_at_changes(&mut self) {
        let mut told = false;
        loop {
            match self.session.poll_change() {
                Ok(Some(change)) => told |= is_told(&change),
                Ok(None) => break,
                // There were too many to know.
                Err(_) => told = true,
            }
        }
        if told && self.gate.unsaved.is_none() {
            self.gate.unsaved = Some(self.outbox.end());
            self.outbox.close_from(self.gate.closed_from());
        }
    }

    /// Opens the gate for what is durable, and saves the session for what waits next.
    pub(super) fn pass_gate(&mut self) -> Result<(), End> {
        if self.gate.placement().is_some_and(|placement| self.hub.store.is_durable(placement)) {
            self.gate.saved = None;
        }
        if self.gate.saved.is_none()
            && let Some(from) = self.gate.unsaved
        {
            let placement = self.save_now().map_err(End::Append)?;
            self.gate.unsaved = None;
            self.gate.saved = (!placement.is_empty()).then_some((from, placement));
        }
        self.outbox.close_from(self.gate.closed_from());
        Ok(())
    }

    /// Waits until the gate is open. What cannot be made durable is not written.
    pub(super) async fn leave_gate(&mut self) {
        let wait = async {
            while self.pass_gate().is_ok() {
                let Some(placement) = self.gate.placement() else { break };
                if self.hub.store.durable(placement).await.is_err() {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(SETTLE, wait).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use clap::Parser;
    use headwater::codec::{
        Connect, Delivery, FrameReader, Limits, Packet, PacketId, PacketType, PubRec, PubRel, Publish, QoS,
        Subscribe, SubscribeFilter, Version,
    };
    use headwater::log::{Log, LogOptions};
    use headwater::store::{Lane, Store, StoreOptions};
    use headwater::topic::{TopicFilter, TopicName};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::Connection;
    use crate::files::Share;
    use crate::hub::Hub;
    use crate::options::Options;

    /// A client on a connection of a broker whose lanes run when the test says so.
    struct Client {
        stream: DuplexStream,
        frames: FrameReader,
        lanes: Vec<Lane>,
        hub: Arc<Hub>,
        _log: Log,
        _folder: tempfile::TempDir,
    }

    impl Client {
        async fn connect() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let log = Log::open(folder.path(), LogOptions::default()).unwrap();
            let store = Store::open(&log, StoreOptions::default(), 0).unwrap();
            let lanes = store.lanes();
            let files = Share { limit: 1_000, log: 100, connections: 8, refusals: 1 };
            let hub = Arc::new(Hub::new(store, Options::parse_from(["broker"]), files));
            let permit = Arc::clone(&hub.connections).try_acquire_owned().ok();
            let (stream, theirs) = tokio::io::duplex(64 * 1024);
            let (reader, writer) = tokio::io::split(theirs);
            let connection = Connection::new(Arc::clone(&hub), "127.0.0.1:1".parse().unwrap(), permit);
            tokio::spawn(connection.run(reader, writer));
            let frames = FrameReader::new(Limits::PROTOCOL);
            let mut client = Self { stream, frames, lanes, hub, _log: log, _folder: folder };
            let mut connect = Connect::new(Version::V3_1_1, "c");
            connect.clean_start = false;
            client.send(&Packet::Connect(connect)).await;
            assert_eq!(client.next(&["mqtt", "sessions"]).await, PacketType::ConnAck);
            client
        }

        async fn send(&mut self, packet: &Packet<'_>) {
            let mut bytes = Vec::new();
            packet.encode(Version::V3_1_1, &mut bytes).unwrap();
            self.stream.write_all(&bytes).await.unwrap();
        }

        /// What comes while these lanes run and no other.
        async fn next(&mut self, lanes: &[&str]) -> PacketType {
            loop {
                if let Some(found) = self.within(lanes, Duration::from_millis(10)).await {
                    return found;
                }
            }
        }

        async fn within(&mut self, lanes: &[&str], patience: Duration) -> Option<PacketType> {
            let runs =
                self.lanes.iter().filter(|lane| lanes.iter().any(|name| lane.name().starts_with(name)));
            runs.for_each(|lane| _ = lane.run(Duration::ZERO).unwrap());
            if let Some(frame) = self.frames.next_frame().unwrap() {
                return Some(frame.packet_type());
            }
            let mut buffer = [0; 1_024];
            let read = tokio::time::timeout(patience, self.stream.read(&mut buffer)).await.ok()?;
            self.frames.extend(&buffer[..read.unwrap()]);
            self.frames.next_frame().unwrap().map(|frame| frame.packet_type())
        }

        /// Nothing comes before the session is durable, and then this.
        async fn waits_for_the_session(&mut self, expected: PacketType) {
            assert_eq!(self.within(&["mqtt"], Duration::from_millis(100)).await, None, "too early");
            for _ in 0..5 {
                // So that the connection has its turns. The answer comes behind what waits.
                self.send(&Packet::PingReq).await;
                assert_eq!(self.within(&["mqtt"], Duration::from_millis(40)).await, None, "too early");
            }
            assert_eq!(self.next(&["sessions"]).await, expected);
            for _ in 0..5 {
                assert_eq!(self.next(&["mqtt"]).await, PacketType::PingResp);
            }
        }
    }

    #[tokio::test]
    async fn pubrec_waits_for_the_message_and_pubcomp_for_the_session() {
        let mut client = Client::connect().await;
        let topic = TopicName::parse("t").unwrap();
        let delivery = Delivery::ExactlyOnce { packet_id: PacketId::MIN, dup: false };
        client.send(&Packet::Publish(Publish::new(topic, b"x").with_delivery(delivery))).await;
        assert_eq!(client.within(&["sessions"], Duration::from_millis(50)).await, None, "it is not durable");
        assert_eq!(client.next(&["mqtt"]).await, PacketType::PubRec);
        client.send(&Packet::PubRel(PubRel::new(PacketId::MIN))).await;
        client.waits_for_the_session(PacketType::PubComp).await;
    }

    #[tokio::test]
    async fn publish_and_pubrel_wait_for_the_session_and_qos_1_does_not() {
        let mut client = Client::connect().await;
        let filters = [SubscribeFilter::new(TopicFilter::parse("t").unwrap(), QoS::ExactlyOnce)];
        client.send(&Packet::Subscribe(Subscribe::new(PacketId::MIN, &filters))).await;
        assert_eq!(client.next(&["sessions"]).await, PacketType::SubAck);
        let topic = TopicName::parse("t").unwrap();
        let publish = |client: &Client, delivery| {
            let publish = Publish::new(topic, b"x").with_delivery(delivery);
            let _ = client.hub.store.publish(&publish, || Bytes::from_static(b"x"), "p", 0).unwrap();
        };
        publish(&client, Delivery::AtLeastOnce { packet_id: PacketId::MIN, dup: false });
        assert_eq!(client.next(&["mqtt"]).await, PacketType::Publish);
        publish(&client, Delivery::ExactlyOnce { packet_id: PacketId::MIN, dup: false });
        client.waits_for_the_session(PacketType::Publish).await;
        // The second one that was given out.
        client.send(&Packet::PubRec(PubRec::new(PacketId::new(2).unwrap()))).await;
        client.waits_for_the_session(PacketType::PubRel).await;
    }
}

//! A client with its exchanges: what it was sent and has not acknowledged.

use headwater_codec::{PacketId, QoS, SubscribeOptions};
use headwater_session::{InFlight, Stage, State};
use headwater_store::{Delivery, Placement};
use headwater_topic::TopicFilter;

use crate::bed::{Bed, Client};

/// A client, and what is under way to it.
pub(crate) struct Worker {
    pub(crate) client: Client,
    pub(crate) under_way: Vec<InFlight<Delivery>>,
    last_id: u16,
    /// Identifiers up to this one were given out before the client came.
    pub(crate) resumed_through: u16,
}

impl Worker {
    /// A client that is subscribed, with QoS 2, and whose session lasts.
    pub(crate) fn lasting(bed: &Bed, name: &str, filter: &str) -> Self {
        let mut worker = Self::back(bed, name);
        worker.subscribe(filter, QoS::ExactlyOnce);
        worker.save();
        worker
    }

    /// The same, with a session that ends with its connection.
    pub(crate) fn passing(bed: &Bed, name: &str, filter: &str) -> Self {
        let mut worker = Self::of(bed.attach(name, true, 0));
        worker.subscribe(filter, QoS::ExactlyOnce);
        worker
    }

    /// A client that comes back.
    pub(crate) fn back(bed: &Bed, name: &str) -> Self {
        Self::of(bed.lasting(name))
    }

    pub(crate) fn of(mut client: Client) -> Self {
        let resumed = client.resumed.take().unwrap_or_default();
        let last_id = resumed.last_packet_id.map_or(0, PacketId::get);
        Self { client, under_way: resumed.outgoing, last_id, resumed_through: last_id }
    }

    pub(crate) fn subscribe(&mut self, filter: &str, qos: QoS) -> bool {
        let filter = TopicFilter::parse(filter).unwrap();
        self.client.attached.subscribe(filter, SubscribeOptions::new(qos), None).existed
    }

    pub(crate) fn unsubscribe(&mut self, filter: &str) -> bool {
        self.client.attached.unsubscribe(TopicFilter::parse(filter).unwrap())
    }

    /// Takes the next message, which is sent; gives its payload.
    pub(crate) fn take(&mut self) -> Option<String> {
        let message = self.client.next()?;
        let payload = String::from_utf8(message.message.payload.to_vec()).unwrap();
        let stage = match message.qos {
            QoS::AtMostOnce => return Some(payload),
            QoS::AtLeastOnce => Stage::PubAck,
            QoS::ExactlyOnce => Stage::PubRec,
        };
        self.last_id = self.last_id % u16::MAX + 1;
        let packet_id = PacketId::new(self.last_id).unwrap();
        self.under_way.push(InFlight { packet_id, stage, sent: true, message });
        Some(payload)
    }

    /// Takes all that is there.
    pub(crate) fn take_all(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.take()).collect()
    }

    /// Acknowledges one of those under way; gives its payload.
    pub(crate) fn finish(&mut self, index: usize) -> String {
        let done = self.under_way.remove(index).message;
        self.client.attached.finish(&done).unwrap();
        String::from_utf8(done.message.payload.to_vec()).unwrap()
    }

    /// Acknowledges all; gives their payloads.
    pub(crate) fn finish_all(&mut self) -> Vec<String> {
        (0..self.under_way.len()).map(|_| self.finish(0)).collect()
    }

    /// Takes all and acknowledges all; gives what it took.
    pub(crate) fn work(&mut self) -> Vec<String> {
        let taken = self.take_all();
        self.finish_all();
        taken
    }

    pub(crate) fn state(&self) -> State<Delivery> {
        let mut state = State::new(self.under_way.clone(), Vec::new());
        state.last_packet_id = PacketId::new(self.last_id);
        state
    }

    pub(crate) fn save(&self) -> Placement {
        self.client.attached.save(&self.state(), self.client.expiry_secs).unwrap()
    }

    /// The client goes; what is under way stays as it is.
    pub(crate) fn leave(self) -> Placement {
        let state = self.state();
        self.client.attached.detach(&state, self.client.expiry_secs, self.client.now_ms).unwrap()
    }
}

//! Wills: published when a client is gone, after the delay it asked for, unless it comes back before [MQTT-3.1.3-9].
//! When the broker stops, those that wait are published: they are nowhere but in memory, and late is worse than early.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use headwater::codec::{Connect, Delivery, PacketId, Publish, QoS};
use headwater::store::Message;
use headwater_examples::show::now_ms;
use tokio::task::AbortHandle;

use crate::hub::{Hub, count};
use crate::sys;

/// What a will that waits takes beside its message, about.
const WAITING_BYTES: usize = 1_024;

/// A client's will, copied out of its CONNECT, which may be much larger.
#[derive(Debug)]
pub(crate) struct Will {
    message: Message,
    delay_secs: u32,
}

impl Will {
    /// The will in a CONNECT, if there is one.
    pub(crate) fn of(connect: &Connect<'_>, client_id: &str) -> Option<Self> {
        let will = connect.will?;
        let publish = Publish::new(will.topic, will.payload)
            .with_delivery(delivery(will.qos))
            .with_retain(will.retain)
            .with_properties(will.properties);
        let payload = Bytes::copy_from_slice(will.payload);
        let message = Message::from_publish(&publish, payload, client_id, 0)?;
        Some(Self { message, delay_secs: will.properties.will_delay_interval().unwrap_or(0) })
    }

    fn cost(&self) -> u64 {
        u64::try_from(self.message.memory_bytes().saturating_add(WAITING_BYTES)).unwrap_or(u64::MAX)
    }

    fn publish(mut self, hub: &Hub, client_id: &str) {
        let now_ms = now_ms();
        // Its life begins now.
        self.message.timestamp_ms = now_ms;
        let message = &self.message;
        let mut properties = Vec::new();
        message.fill(&[], now_ms, &mut properties);
        let publish = message.publish(delivery(message.qos), message.retain, &properties);
        count(&hub.counters.received);
        if sys::is_reserved(message.topic()) {
            count(&hub.counters.reserved);
            return;
        }
        if let Err(error) = hub.store.publish(&publish, || message.payload.clone(), client_id, now_ms) {
            count(&hub.counters.failed);
            tracing::error!(client = client_id, %error, "a will was not stored");
        }
    }
}

/// Nobody acknowledges a will: the identifier is never sent.
fn delivery(qos: QoS) -> Delivery {
    let packet_id = PacketId::MIN;
    match qos {
        QoS::AtMostOnce => Delivery::AtMostOnce,
        QoS::AtLeastOnce => Delivery::AtLeastOnce { packet_id, dup: false },
        QoS::ExactlyOnce => Delivery::ExactlyOnce { packet_id, dup: false },
    }
}

/// Wills that wait for their time.
#[derive(Debug, Default)]
pub(crate) struct Wills {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    by_client: HashMap<String, Entry>,
    /// What they take together.
    bytes: u64,
}

#[derive(Debug)]
struct Entry {
    will: Will,
    /// Tells it from a later will of the same client.
    turn: u64,
    /// What sleeps until its time.
    timer: AbortHandle,
}

impl Waiting {
    fn insert(&mut self, client_id: String, entry: Entry) {
        self.bytes = self.bytes.saturating_add(entry.will.cost());
        let old = self.by_client.insert(client_id, entry);
        self.release(old);
    }

    fn remove(&mut self, client_id: &str, is_meant: impl FnOnce(&Entry) -> bool) -> Option<Will> {
        let entry = self.by_client.get(client_id).is_some_and(is_meant);
        let entry = entry.then(|| self.by_client.remove(client_id)).flatten();
        self.release(entry)
    }

    /// What is not waited for any more leaves no timer behind, which could be there for years.
    fn release(&mut self, entry: Option<Entry>) -> Option<Will> {
        let entry = entry?;
        entry.timer.abort();
        self.bytes = self.bytes.saturating_sub(entry.will.cost());
        Some(entry.will)
    }
}

impl Wills {
    /// The client is back. In its old session the will is not published any more; with a new one the old session has ended, and its
    /// will is due.
    pub(crate) fn client_is_back(&self, hub: &Hub, client_id: &str, resumed: bool) {
        let will = self.lock().remove(client_id, |_| true);
        if let Some(will) = will.filter(|_| !resumed) {
            will.publish(hub, client_id);
        }
    }

    /// Publishes a will now, or when its delay or the session is over. If too much waits already, it is published before its time: that is
    /// better than not at all.
    pub(crate) fn publish(&self, hub: &Arc<Hub>, client_id: &str, will: Will, expiry_secs: u32) {
        let delay_secs = will.delay_secs.min(expiry_secs);
        if delay_secs == 0 {
            will.publish(hub, client_id);
            return;
        }
        let mut waiting = self.lock();
        if waiting.bytes.saturating_add(will.cost()) > hub.options.wills_bytes_max {
            drop(waiting);
            count(&hub.counters.wills_early);
            tracing::warn!(
                client = client_id,
                "a will is published before its time; --wills-bytes-max lets more wait"
            );
            will.publish(hub, client_id);
            return;
        }
        let turn = fastrand::u64(..);
        let timer = tokio::spawn({
            let (hub, client_id) = (Arc::clone(hub), client_id.to_owned());
            async move {
                tokio::time::sleep(Duration::from_secs(u64::from(delay_secs))).await;
                // Its timer is this task, which ends before it waits for anything again.
                let will = hub.wills.lock().remove(&client_id, |entry| entry.turn == turn);
                if let Some(will) = will {
                    will.publish(&hub, &client_id);
                }
            }
        });
        waiting.insert(client_id.to_owned(), Entry { will, turn, timer: timer.abort_handle() });
    }

    /// Publishes all that wait: the broker stops, and whoever waited for them would wait for ever.
    pub(crate) fn publish_all(&self, hub: &Hub) {
        let all = std::mem::take(&mut *self.lock());
        for (client_id, entry) in all.by_client {
            entry.timer.abort();
            entry.will.publish(hub, &client_id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

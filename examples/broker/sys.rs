//! Statistics under `$SYS`, by the names that mosquitto gave them.
//!
//! ```text
//!   every --sys-interval: values --watch--> connections whose client has a filter that begins with $SYS --> outbox
//! ```
//!
//! They are sent to those who ask and stand nowhere else: the log keeps what devices say, not what the broker says of itself. To a client
//! they look like retained messages of QoS 0: it gets all of them when it subscribes, and those that change.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use headwater::log::Partition;
use headwater::topic::{TopicName, TopicNameBuf};
use tokio::time::MissedTickBehavior;

use crate::hub::Hub;

/// What their topics begin with. No client can publish there.
pub(crate) const PREFIX: &str = "$SYS/";

/// The values as they were last taken; none before that.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values {
    /// How often they were taken.
    pub(crate) turn: u64,
    pub(crate) all: Arc<[Value]>,
}

/// A topic and what is known of it.
#[derive(Debug)]
pub(crate) struct Value {
    pub(crate) topic: TopicNameBuf,
    pub(crate) text: String,
    /// The turn in which it became what it is.
    pub(crate) since: u64,
}

/// Takes the values now and then, until the broker stops.
pub(crate) async fn run(hub: Arc<Hub>) {
    let Some(interval) = hub.options.sys_interval() else { return };
    let mut stopping = hub.stopping.subscribe();
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        let known = hub.sys.borrow().clone();
        hub.sys.send_replace(take(&hub, &known));
    }
}

/// Whether a topic is one that only the broker publishes to.
pub(crate) fn is_reserved(topic: TopicName<'_>) -> bool {
    topic.as_str().starts_with(PREFIX)
}

fn take(hub: &Hub, known: &Values) -> Values {
    let (counters, statistics) = (&hub.counters, hub.store.statistics());
    let connected = hub.registry.len();
    let partitions: Vec<Partition> =
        hub.store.topics().flat_map(|topic| topic.partitions().collect::<Vec<_>>()).collect();
    let stored: u64 = partitions.iter().map(|one| one.durable_end() - one.start_offset()).sum();
    let stored_bytes: u64 = partitions.iter().map(Partition::size_bytes).sum();
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed).to_string();
    let all = [
        ("version", format!("headwater {}", env!("CARGO_PKG_VERSION"))),
        ("uptime", format!("{} seconds", hub.now().0 / 1_000)),
        ("clients/connected", connected.to_string()),
        ("clients/disconnected", statistics.sessions.saturating_sub(connected).to_string()),
        ("clients/total", statistics.sessions.max(connected).to_string()),
        ("publish/messages/received", load(&counters.received)),
        ("publish/messages/sent", load(&counters.sent)),
        ("publish/messages/dropped", statistics.dropped.to_string()),
        ("publish/messages/expired", statistics.expired.to_string()),
        ("publish/messages/refused", load(&counters.failed)),
        ("retained messages/count", statistics.retained.to_string()),
        ("subscriptions/count", statistics.subscriptions.to_string()),
        ("shared_subscriptions/count", statistics.groups.to_string()),
        ("store/messages/count", stored.to_string()),
        ("store/messages/bytes", stored_bytes.to_string()),
    ];
    let turn = known.turn + 1;
    let values = all.into_iter().filter_map(|(name, text)| {
        let topic = TopicNameBuf::parse(format!("{PREFIX}broker/{name}")).ok()?;
        let same = known.all.iter().find(|one| one.topic == topic && one.text == text);
        Some(Value { topic, text, since: same.map_or(turn, |same| same.since) })
    });
    Values { turn, all: values.collect() }
}

//! A client that subscribes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Result;
use headwater::session::client::Event;
use headwater::topic::{TopicFilterBuf, TopicNameBuf};
use tokio::sync::watch;

use crate::client::Client;
use crate::latency::Latency;
use crate::options::Options;
use crate::order::Order;
use crate::payload::Stamp;
use crate::plan::Plan;

/// A client that subscribes to its share of the topics.
pub(crate) struct Subscriber {
    client: Client,
    received: Received,
}

/// What it has received.
#[derive(Debug)]
pub(crate) struct Received {
    /// The order of what came from each publisher that is heard here, by its number.
    pub(crate) orders: Vec<Option<Order>>,
    /// Those that came while it was measured, whenever they were sent.
    pub(crate) measured: u64,
    /// When the last of these came.
    pub(crate) last_ns: u64,
    /// Messages that nobody of this program has sent to it, or not so.
    pub(crate) strange: u64,
    /// From when a measured message was due until it came.
    pub(crate) latency: Latency,
}

impl Received {
    /// Takes note of a message; tells whether it had not come before.
    fn note(&mut self, payload: &[u8], now_ns: u64, plan: &Plan) -> bool {
        let stamp = Stamp::read(payload).filter(|_| payload.len() == plan.options.size);
        let place = stamp.and_then(|stamp| {
            let order = self.orders.get_mut(usize::try_from(stamp.publisher).ok()?)?.as_mut()?;
            Some((stamp, order))
        });
        let Some((stamp, order)) = place else {
            self.strange += 1;
            return false;
        };
        let is_new = order.note(stamp.sequence);
        if plan.is_measured(now_ns) {
            self.measured += 1;
            self.last_ns = now_ns;
        }
        if stamp.due_ns >= plan.begin_ns {
            self.latency.record(now_ns.saturating_sub(stamp.due_ns));
        }
        is_new
    }
}

impl Subscriber {
    /// Subscribes to the topics of those publishers that this subscriber gets.
    pub(crate) async fn start(mut client: Client, number: u32, options: &Options) -> Result<Self> {
        let heard = |publisher: &u32| options.gets(number, *publisher);
        let mut topics: Vec<TopicNameBuf> = (0..options.publishers)
            .filter(heard)
            .map(|publisher| options.topic(publisher))
            .collect::<Result<_, _>>()?;
        topics.dedup();
        let filters = topics.iter().map(|topic| TopicFilterBuf::parse(topic.as_str()));
        client.subscribe(&filters.collect::<Result<Vec<_>, _>>()?, options.qos).await?;
        let orders = (0..options.publishers).map(|publisher| heard(&publisher).then(Order::default));
        let received = Received {
            orders: orders.collect(),
            measured: 0,
            last_ns: 0,
            strange: 0,
            latency: Latency::new(),
        };
        Ok(Self { client, received })
    }

    /// Receives until told to stop.
    pub(crate) async fn run(mut self, plan: Arc<Plan>, mut stop: watch::Receiver<bool>) -> Result<Received> {
        while !*stop.borrow() {
            let other = async { _ = stop.wait_for(|stop| *stop).await };
            self.client.turn(other).await?;
            let Self { client, received } = &mut self;
            let mut came = 0;
            client.handle(|now_ns, event| {
                if let Event::Publish { publish, .. } = event {
                    came += u64::from(received.note(publish.payload, now_ns, &plan));
                }
            })?;
            client.transmit()?;
            plan.received.fetch_add(came, Ordering::Relaxed);
        }
        self.client.leave().await?;
        Ok(self.received)
    }
}

//! A client that publishes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Result, anyhow};
use headwater::session::client::Event;
use tokio::sync::{Notify, watch};

use crate::client::Client;
use crate::latency::Latency;
use crate::pace::Pace;
use crate::payload::Stamp;
use crate::plan::Plan;

/// A client that publishes what is planned.
pub(crate) struct Publisher {
    client: Client,
    number: u32,
    plan: Arc<Plan>,
    pace: Option<Pace>,
    bell: Arc<Notify>,
    left: Option<u64>,
    sent: Sent,
}

/// What it has sent.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) publisher: u32,
    /// All messages, those of the warm-up too: one behind the last sequence number.
    pub(crate) count: u32,
    /// Those behind the warm-up.
    pub(crate) measured: u64,
    /// When the last one was sent.
    pub(crate) last_ns: u64,
    /// Those that the broker refused.
    pub(crate) refused: u64,
    /// Those of QoS 1 and 2 whose acknowledgement has not come.
    pub(crate) unacknowledged: u64,
    /// From when a measured message was due until its last acknowledgement came.
    pub(crate) acknowledged: Latency,
}

impl Publisher {
    pub(crate) fn new(client: Client, number: u32, plan: &Arc<Plan>, bell: Arc<Notify>) -> Self {
        let sent = Sent {
            publisher: number,
            count: 0,
            measured: 0,
            last_ns: 0,
            refused: 0,
            unacknowledged: 0,
            acknowledged: Latency::new(),
        };
        let (pace, left) = (plan.pace(), plan.options.share(number));
        Self { client, number, plan: Arc::clone(plan), pace, bell, left, sent }
    }

    /// Publishes until everything is acknowledged that was to be published, or until told to give up.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<Sent> {
        loop {
            let is_over = self.publish()?;
            if is_over && self.client.is_done() || *stop.borrow() {
                break;
            }
            let waits_for_bell = !is_over && self.pace.is_some();
            let bell = &self.bell;
            let other = async {
                tokio::select! {
                    () = bell.notified(), if waits_for_bell => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
            };
            self.client.turn(other).await?;
            self.handle()?;
        }
        self.sent.unacknowledged = self.client.session.in_flight() as u64;
        self.client.leave().await?;
        Ok(self.sent)
    }

    /// Publishes what is due and has room; tells whether there is nothing more to publish.
    fn publish(&mut self) -> Result<bool> {
        let (qos, before) = (self.plan.options.qos, self.sent.count);
        let now_ns = self.plan.clock.now_ns();
        let is_over = loop {
            let due_ns = self.pace.map_or(now_ns, |pace| pace.due_ns(self.number, self.sent.count));
            let is_measured = due_ns >= self.plan.begin_ns;
            if is_measured && self.left == Some(0) || self.plan.end_ns.is_some_and(|end| due_ns >= end) {
                break true;
            }
            if due_ns > now_ns || !self.client.has_room(qos) {
                break false;
            }
            let stamp = Stamp { due_ns, publisher: self.number, sequence: self.sent.count };
            let published = self.client.session.publish(stamp, qos);
            published.map_err(|refused| anyhow!("a message cannot be published: {}", refused.misuse))?;
            self.client.transmit()?;
            self.sent.count =
                self.sent.count.checked_add(1).ok_or_else(|| anyhow!("4 billion messages are sent"))?;
            if is_measured {
                self.sent.measured += 1;
                self.left = self.left.map(|left| left - 1);
                self.sent.last_ns = now_ns;
            }
        };
        self.client.transmit()?;
        self.plan.sent.fetch_add(u64::from(self.sent.count - before), Ordering::Relaxed);
        Ok(is_over)
    }

    /// Takes in acknowledgements.
    fn handle(&mut self) -> Result<()> {
        let Self { client, sent, plan, .. } = self;
        let mut acknowledged = 0;
        client.handle(|now_ns, event| {
            let Event::Delivered { message, reason } = event else { return };
            acknowledged += 1;
            sent.refused += u64::from(reason.is_error());
            if message.due_ns >= plan.begin_ns {
                sent.acknowledged.record(now_ns.saturating_sub(message.due_ns));
            }
        })?;
        plan.acknowledged.fetch_add(acknowledged, Ordering::Relaxed);
        Ok(())
    }
}

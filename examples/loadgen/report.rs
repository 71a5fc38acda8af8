//! What came out.

use std::time::Duration;

use headwater::codec::QoS;
use headwater_examples::show;
use serde_json::{Map, Value};

use crate::latency::{Latency, shown};
use crate::options::Options;
use crate::plan::Plan;
use crate::publisher::Sent;
use crate::subscriber::Received;

/// The figures of a run.
#[derive(Debug)]
pub(crate) struct Report {
    options: Options,
    /// All that was sent, and what should have come of it, with the warm-up.
    sent: u64,
    expected: u64,
    lost: u64,
    duplicated: u64,
    out_of_order: u64,
    refused: u64,
    unacknowledged: u64,
    strange: u64,
    sent_per_sec: f64,
    received_per_sec: f64,
    pub(crate) latency: Latency,
    pub(crate) acknowledged: Latency,
    processor_us: Option<f64>,
    idle_bytes: Option<f64>,
}

impl Report {
    pub(crate) fn new(
        plan: &Plan,
        sent: &[Sent],
        received: &[Received],
        processor: Option<Duration>,
        idle_bytes: Option<f64>,
    ) -> Self {
        let (mut latency, mut acknowledged) = (Latency::new(), Latency::new());
        sent.iter().for_each(|sent| acknowledged.add(&sent.acknowledged));
        received.iter().for_each(|received| latency.add(&received.latency));
        let orders = || {
            let all = received.iter().flat_map(|received| received.orders.iter().zip(0..));
            all.filter_map(|(order, publisher)| Some((order.as_ref()?, publisher)))
        };
        let sent_by = |publisher: u32| {
            sent.iter().find(|sent| sent.publisher == publisher).map_or(0, |sent| sent.count)
        };
        let measured_sent = sent.iter().map(|sent| sent.measured).sum();
        let measured_received = received.iter().map(|received| received.measured).sum();
        let last_sent = sent.iter().map(|sent| sent.last_ns).max().max(plan.end_ns);
        let last_received = plan.end_ns.or(received.iter().map(|received| received.last_ns).max());
        let per_sec = |count: u64, last_ns: Option<u64>| {
            let ns = last_ns.unwrap_or(0).saturating_sub(plan.begin_ns);
            if ns == 0 { 0.0 } else { count as f64 * 1e9 / ns as f64 }
        };
        // A message that reaches a hundred clients is the work of a hundred; without subscribers, that of one.
        let worked = if plan.options.subscribers == 0 { measured_sent } else { measured_received };
        Self {
            options: (*plan.options).clone(),
            sent: sent.iter().map(|sent| u64::from(sent.count)).sum(),
            expected: sent
                .iter()
                .map(|sent| u64::from(sent.count) * plan.options.receivers(sent.publisher))
                .sum(),
            lost: orders().map(|(order, publisher)| order.lost(sent_by(publisher))).sum(),
            duplicated: orders().map(|(order, _)| order.duplicated).sum(),
            out_of_order: orders().map(|(order, _)| order.out_of_order).sum(),
            refused: sent.iter().map(|sent| sent.refused).sum(),
            unacknowledged: sent.iter().map(|sent| sent.unacknowledged).sum(),
            strange: received.iter().map(|received| received.strange).sum(),
            sent_per_sec: per_sec(measured_sent, last_sent),
            received_per_sec: per_sec(measured_received, last_received),
            latency,
            acknowledged,
            idle_bytes,
            processor_us: processor
                .filter(|_| worked > 0)
                .map(|used| used.as_secs_f64() * 1e6 / worked as f64),
        }
    }

    /// Whether the quality of service was kept: at least once, exactly once.
    pub(crate) fn is_kept(&self) -> bool {
        let missing = self.lost + self.refused + self.unacknowledged;
        match self.options.qos {
            QoS::AtMostOnce => true,
            QoS::AtLeastOnce => missing == 0,
            QoS::ExactlyOnce => missing == 0 && self.duplicated == 0,
        }
    }

    /// What was done.
    pub(crate) fn title(&self) -> String {
        let Options { publishers, subscribers, qos, size, version, rate, window, .. } = &self.options;
        let pace = match rate {
            Some(rate) => format!("{} messages a second", show::count(*rate)),
            None => format!("as fast as a window of {window} lets through"),
        };
        format!(
            "{publishers} publishers, {subscribers} subscribers, {} topics; QoS {}, {}, {version}; {pace}",
            self.options.topic_count(),
            qos.as_u8(),
            show::bytes(*size as u64),
        )
    }

    /// As lines for people.
    pub(crate) fn text(&self) -> String {
        let mut lines = vec![
            self.title(),
            format!(
                "sent          {} messages, {} a second",
                show::count(self.sent),
                whole(self.sent_per_sec)
            ),
            format!(
                "received      {} of {}, {} a second",
                show::count((self.expected + self.duplicated).saturating_sub(self.lost)),
                show::count(self.expected),
                whole(self.received_per_sec)
            ),
            format!(
                "              {} lost, {} duplicated, {} out of order",
                show::count(self.lost),
                show::count(self.duplicated),
                show::count(self.out_of_order)
            ),
        ];
        let rare = [
            (self.refused, "refused by the broker"),
            (self.unacknowledged, "not acknowledged"),
            (self.strange, "not of this program: does something else publish to these topics?"),
        ];
        lines.extend(
            rare.iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, what)| format!("              {} {what}", show::count(*count))),
        );
        for (name, latency) in [("end to end", &self.latency), ("acknowledged", &self.acknowledged)] {
            if latency.len() > 0 {
                lines.push(format!("{name:<14}{}", latency.line()));
            }
        }
        if let Some(micros) = self.processor_us {
            lines.push(format!("broker        {} of processor time a message", shown(micros)));
        }
        if let Some(bytes) = self.idle_bytes {
            lines.push(format!("broker        {bytes:.0} bytes of memory an idle connection"));
        }
        lines.join("\n")
    }

    /// As an object for programs.
    pub(crate) fn object(&self) -> Value {
        let options = &self.options;
        let distribution = |latency: &Latency| if latency.len() > 0 { latency.object() } else { Value::Null };
        let fields: [(&str, Value); 23] = [
            ("publishers", options.publishers.into()),
            ("subscribers", options.subscribers.into()),
            ("topics", options.topic_count().into()),
            ("qos", options.qos.as_u8().into()),
            ("size", options.size.into()),
            ("version", options.version.to_string().into()),
            ("rate", options.rate.into()),
            ("window", options.window.into()),
            ("sent", self.sent.into()),
            ("expected", self.expected.into()),
            ("lost", self.lost.into()),
            ("duplicated", self.duplicated.into()),
            ("out_of_order", self.out_of_order.into()),
            ("refused", self.refused.into()),
            ("unacknowledged", self.unacknowledged.into()),
            ("strange", self.strange.into()),
            ("sent_per_sec", self.sent_per_sec.into()),
            ("received_per_sec", self.received_per_sec.into()),
            ("end_to_end", distribution(&self.latency)),
            ("acknowledged", distribution(&self.acknowledged)),
            ("processor_us", self.processor_us.into()),
            ("idle_bytes", self.idle_bytes.into()),
            ("kept", self.is_kept().into()),
        ];
        Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
    }
}

/// A figure a second: what is behind the point says nothing.
fn whole(per_sec: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is far from both ends"
    )]
    let whole = per_sec.round() as u64;
    show::count(whole)
}

//! What the load generator may be told.

use std::path::PathBuf;

use clap::{ArgAction, Parser};
use headwater::codec::{QoS, Version};
use headwater::topic::{InvalidTopicName, TopicNameBuf};
use headwater_examples::value;

use crate::payload::STAMP_BYTES;

/// What stands for the publisher's number in a pattern of topics.
const NUMBER: &str = "{}";

/// Publishes to a broker and subscribes to what it publishes, counts what is lost and times what arrives.
///
/// Its exit status is 0 when everything arrived, 1 when messages of QoS 1 or 2 are missing or those of QoS 2 came twice, and 2 when there
/// is no result. A queue of QoS 0 messages may be cut short by any broker: those are only counted.
#[derive(Debug, Clone, Parser)]
#[command(name = "loadgen")]
pub(crate) struct Options {
    /// Address and port of the broker
    #[arg(long, default_value = "127.0.0.1:1883")]
    pub(crate) address: String,
    /// How many clients publish
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) publishers: u32,
    /// How many clients subscribe, each to its share of the topics: with fewer topics than subscribers, several to each topic
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) subscribers: u32,
    /// The topic of each publisher, {} for its number; without {} all publish to one topic
    #[arg(long, default_value = "load/{}")]
    pub(crate) topics: String,
    /// Quality of service, of publishing and of the subscriptions
    #[arg(long, default_value = "1", value_parser = qos)]
    pub(crate) qos: QoS,
    /// Bytes of a payload, like 64 or 1KiB
    #[arg(long, visible_alias = "payload-bytes", default_value = "64", value_parser = size)]
    pub(crate) size: usize,
    /// Messages published a second, by all publishers together [default: as many as the window lets through]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) rate: Option<u64>,
    /// How many messages are published and measured [default: those of --seconds]
    #[arg(long, conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..=2_000_000_000))]
    pub(crate) messages: Option<u64>,
    /// For how many seconds is measured
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: u64,
    /// For how many seconds messages are published before anything is measured
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=3_600))]
    pub(crate) warmup: u64,
    /// Messages in flight of each publisher, of QoS 1 and 2
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) window: u16,
    /// Clients that are connected and do nothing; with --broker-pid the memory that they cost is told
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub(crate) idle: u32,
    /// Subscriptions with wildcards that match nothing of what is published to load/{}, a thousand a client
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=10_000_000))]
    pub(crate) wildcards: u32,
    /// Clients that subscribe to all topics and never read; what they miss is not counted
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=10_000))]
    pub(crate) deaf: u32,
    /// The version of MQTT: 3.1.1 or 5.0
    #[arg(long = "version", default_value = "5.0", value_parser = version, action = ArgAction::Set)]
    pub(crate) version: Version,
    /// Threads that the clients share [default: half of the processors, so that a broker on this machine has the others]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    threads: Option<u16>,
    /// Draws how long messages took into this file, as SVG
    #[arg(long)]
    pub(crate) svg: Option<PathBuf>,
    /// Prints the result as a JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// The process of a broker on this machine: its processor time is told (Linux)
    #[arg(long)]
    pub(crate) broker_pid: Option<u32>,
}

impl Options {
    /// How many threads the clients share.
    pub(crate) fn threads(&self) -> usize {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.map_or((processors / 2).max(1), usize::from)
    }

    /// How many topics there are.
    pub(crate) fn topic_count(&self) -> u32 {
        if self.topics.contains(NUMBER) { self.publishers } else { 1 }
    }

    /// The topic of a publisher.
    pub(crate) fn topic(&self, publisher: u32) -> Result<TopicNameBuf, InvalidTopicName> {
        TopicNameBuf::parse(self.topics.replace(NUMBER, &publisher.to_string()))
    }

    /// Whether a subscriber gets what a publisher publishes. Topics and subscribers are dealt out to each other, in turn.
    pub(crate) fn gets(&self, subscriber: u32, publisher: u32) -> bool {
        let topics = self.topic_count();
        let topic = publisher % topics;
        if self.subscribers >= topics {
            subscriber % topics == topic
        } else {
            topic % self.subscribers.max(1) == subscriber
        }
    }

    /// How many subscribers get what a publisher publishes.
    pub(crate) fn receivers(&self, publisher: u32) -> u64 {
        (0..self.subscribers).map(|subscriber| u64::from(self.gets(subscriber, publisher))).sum()
    }

    /// How many of `--messages` a publisher publishes.
    pub(crate) fn share(&self, publisher: u32) -> Option<u64> {
        let (all, publishers) = (self.messages?, u64::from(self.publishers));
        Some(all / publishers + u64::from(u64::from(publisher) < all % publishers))
    }
}

fn qos(text: &str) -> Result<QoS, String> {
    let qos = text.parse().ok().and_then(QoS::from_u8);
    qos.ok_or_else(|| format!("'{text}' is not 0, 1 or 2"))
}

fn version(text: &str) -> Result<Version, String> {
    match text {
        "3.1.1" => Ok(Version::V3_1_1),
        "5.0" | "5" => Ok(Version::V5),
        _ => Err(format!("'{text}' is not 3.1.1 or 5.0")),
    }
}

fn size(text: &str) -> Result<usize, String> {
    let range = STAMP_BYTES..=128 << 20;
    let bytes = usize::try_from(value::bytes(text)?).ok().filter(|bytes| range.contains(bytes));
    bytes.ok_or_else(|| {
        format!("{text} is not from {STAMP_BYTES} to 128MiB: time, publisher and number are in each payload")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(arguments: &[&str]) -> Options {
        Options::try_parse_from(["loadgen"].iter().chain(arguments)).unwrap()
    }

    fn receivers(publishers: &str, subscribers: &str, topics: &str) -> Vec<u64> {
        let all = options(&["--publishers", publishers, "--subscribers", subscribers, "--topics", topics]);
        (0..all.publishers).map(|publisher| all.receivers(publisher)).collect()
    }

    #[test]
    fn subscribers_and_topics_are_dealt_out_to_each_other() {
        assert_eq!(receivers("1", "1", "t/{}"), [1]);
        assert_eq!(receivers("3", "3", "t/{}"), [1, 1, 1]);
        assert_eq!(receivers("1", "100", "t/{}"), [100]);
        assert_eq!(receivers("2", "3", "t/{}"), [2, 1]);
        assert_eq!(receivers("4", "2", "t/{}"), [1, 1, 1, 1]);
        assert_eq!(receivers("3", "3", "t"), [3, 3, 3]);
        assert_eq!(receivers("2", "0", "t/{}"), [0, 0]);
    }

    #[test]
    fn messages_are_shared_out_to_the_last_one() {
        let all = options(&["--publishers", "3", "--messages", "11"]);
        assert_eq!([0, 1, 2].map(|publisher| all.share(publisher)), [Some(4), Some(4), Some(3)]);
        assert_eq!(options(&[]).share(0), None);
    }

    #[test]
    fn a_refusal_says_the_right_form() {
        for (name, value, right) in [
            ("--qos", "3", "0, 1 or 2"),
            ("--version", "4", "3.1.1 or 5.0"),
            ("--size", "15", "from 16 to 128MiB"),
        ] {
            let refused = Options::try_parse_from(["loadgen", name, value]).unwrap_err().to_string();
            assert!(refused.contains(right), "{refused}");
        }
        assert!(Options::try_parse_from(["loadgen", "--messages", "1", "--seconds", "1"]).is_err());
        assert_eq!(options(&["--payload-bytes", "1KiB"]).size, 1_024);
    }
}

//! What the broker may be told.

use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use headwater::log::TopicOptions;
use headwater::session::server;
use headwater::store::{Route, RouteError, StoreOptions};
use headwater_examples::value;

/// An MQTT broker that keeps every message in a log with Kafka's file format.
#[derive(Debug, Clone, Parser)]
#[command(name = "broker", version)]
pub struct Options {
    /// Address and port to listen on, like 127.0.0.1:1883 or [::1]:1883
    #[arg(long, default_value = "127.0.0.1:1883", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// Folder of the log; made when missing
    #[arg(long, default_value = "./data")]
    pub(crate) data: PathBuf,
    /// Partitions of the log topic `mqtt` [default: what is there, or 4 for a new log]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) partitions: Option<u32>,
    /// Messages that FILTER matches go to log topic TOPIC, with the key and headers of the templates, in which {topic}, {1}, {2} and
    /// {client-id} are filled in; may be given several times, the first that matches decides [default: all to `mqtt`]
    #[arg(long = "route", value_name = "FILTER=TOPIC[;key=TEMPLATE][;header=NAME:TEMPLATE]", value_parser = route)]
    pub(crate) routes: Vec<Route>,
    /// How long messages are kept, like 7days or 12h
    #[arg(long, default_value = "7days", value_parser = value::duration)]
    pub(crate) retention: Duration,
    /// How much is kept in each partition at least, like 1GiB; the oldest file goes when the others have that much
    #[arg(long, default_value = "1GiB", value_parser = value::bytes)]
    pub(crate) retention_bytes: u64,
    /// Size of one file of the log, like 64MiB; retention deletes whole files
    #[arg(long, default_value = "64MiB", value_parser = segment_bytes)]
    pub(crate) segment_bytes: u64,
    /// The largest MQTT packet that is taken, like 1MiB
    #[arg(long, default_value = "1MiB", value_parser = packet_bytes)]
    pub(crate) packet_bytes_max: u32,
    /// How long a packet that has begun may take to arrive, like 60s; then the connection is closed
    #[arg(long, default_value = "60s", value_parser = packet_timeout)]
    pub(crate) packet_timeout: Duration,
    /// How many connections may be open at a time
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections_max: u32,
    /// Messages in flight to one client, and as many from one client
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) inflight_max: u16,
    /// Topic aliases that a 5.0 client may set, and as many for the messages to it
    #[arg(long, default_value_t = 16)]
    pub(crate) topic_alias_max: u16,
    /// Messages that may wait in memory for one connected client; more are read from the log later
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) inbox_max: u32,
    /// Bytes of messages that may wait in memory for one connected client, like 4MiB
    #[arg(long, default_value = "4MiB", value_parser = value::bytes)]
    pub(crate) inbox_bytes_max: u64,
    /// Subscriptions that one client may have
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) subscriptions_max: u32,
    /// How many sessions there may be, connected or away; a client without one is refused beyond that
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) sessions_max: u32,
    /// How long a session is kept while its client is away, like 30days, whatever the client asks for
    #[arg(long, default_value = "30days", value_parser = value::duration)]
    pub(crate) session_expiry_max: Duration,
    /// How many retained messages there may be; more are refused
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) retained_max: u32,
    /// Memory for retained messages, like 256MiB; more are refused
    #[arg(long, default_value = "256MiB", value_parser = value::bytes)]
    pub(crate) retained_bytes_max: u64,
    /// Memory for wills that wait for their delay, like 16MiB; beyond it a will is published without delay
    #[arg(long, default_value = "16MiB", value_parser = value::bytes)]
    pub(crate) wills_bytes_max: u64,
    /// When a message of QoS 1 or 2 is acknowledged: once it is durable, or once it is appended. What is appended survives the end of the
    /// broker, not that of the machine or its power: such a message may be lost though its publisher was told that it is safe
    #[arg(long, value_enum, default_value_t = Ack::Durable)]
    pub(crate) ack: Ack,
    /// Threads that the connections share [default: half of the processors; the log's threads have the others]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    threads: Option<u16>,
    /// How often the statistics below $SYS are taken, like 10s, or never
    #[arg(long, default_value = "10s", value_parser = interval)]
    sys_interval: Duration,
}

/// When a message is acknowledged to its publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Ack {
    Durable,
    Appended,
}

/// Partitions of a new log.
pub(crate) const PARTITIONS_DEFAULT: u32 = 4;

/// How much larger than its packet a record can be. The smallest user property that gets a longer name, `mqtt.` and nothing, has 10
/// bytes and becomes a header of 26.
const RECORD_BYTES_A_PACKET_BYTE: u64 = 3;
/// What a record needs beside the packet it came in: the batch around it, the headers of the mapping, whose names are longer than the
/// identifiers of the properties that they stand for, and the client identifier, which came in another packet.
const RECORD_OVERHEAD_BYTES: u64 = 1_024 + STRING_BYTES_MAX;
/// The longest string of MQTT.
const STRING_BYTES_MAX: u64 = 65_535;

impl Options {
    /// How often statistics are taken, if at all.
    pub(crate) fn sys_interval(&self) -> Option<Duration> {
        Some(self.sys_interval).filter(|interval| !interval.is_zero())
    }

    /// How many threads the connections share. Each partition has one of its own beside them, and one that would only look for work
    /// costs more than it does: a second one took a third more processor time for each message on two processors.
    #[must_use]
    pub fn threads(&self) -> usize {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.map_or((processors / 2).max(1), usize::from)
    }

    /// How messages are kept.
    #[must_use]
    pub fn store(&self) -> StoreOptions {
        let topic_bytes_max = u64::from(self.packet_bytes_max).min(STRING_BYTES_MAX);
        let of_routes =
            self.routes.iter().map(|route| route.record_bytes_more(topic_bytes_max, STRING_BYTES_MAX)).max();
        let batch_bytes_max = u64::from(self.packet_bytes_max) * RECORD_BYTES_A_PACKET_BYTE
            + RECORD_OVERHEAD_BYTES
            + of_routes.unwrap_or(0);
        let mut messages = TopicOptions::default()
            .retention_ms(Some(u64::try_from(self.retention.as_millis()).unwrap_or(u64::MAX)))
            .retention_bytes(Some(self.retention_bytes))
            .segment_bytes(self.segment_bytes.max(batch_bytes_max))
            .batch_bytes_max(batch_bytes_max);
        messages.partitions = self.partitions;
        let options = self.routes.iter().cloned().fold(StoreOptions::default(), StoreOptions::route);
        options
            .sessions_max(usize::try_from(self.sessions_max).unwrap_or(usize::MAX))
            .retained_max(usize::try_from(self.retained_max).unwrap_or(usize::MAX))
            .retained_bytes_max(self.retained_bytes_max)
            .messages(messages)
            .inbox_max(usize::try_from(self.inbox_max).unwrap_or(usize::MAX))
            .inbox_bytes_max(usize::try_from(self.inbox_bytes_max).unwrap_or(usize::MAX))
    }

    /// What is offered to clients.
    pub(crate) fn session(&self) -> server::Config {
        server::Config {
            receive_maximum: NonZeroU16::new(self.inflight_max).unwrap_or(NonZeroU16::MIN),
            window: usize::from(self.inflight_max),
            topic_alias_maximum: self.topic_alias_max,
            topic_aliases_out: self.topic_alias_max,
            // A part of a second is a second: 0 would be not at all.
            session_expiry_secs_max: u32::try_from(self.session_expiry_max.as_secs().max(1))
                .unwrap_or(u32::MAX),
            packet_size_max: NonZeroU32::new(self.packet_bytes_max).unwrap_or(NonZeroU32::MIN),
            shared_subscription_available: true,
            ..server::Config::default()
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("'{text}' is not an address with a port; write it like 127.0.0.1:1883 or [::1]:1883")
    })
}

fn route(text: &str) -> Result<Route, String> {
    const FORM: &str = "write it like 'factory/+/temperature=telemetry', or \
        'factory/#=telemetry;key={2};header=site:{1}'";
    let mut parts = text.split(';');
    // A filter may have the sign in it, a log topic may not.
    let (filter, topic) = parts
        .next()
        .and_then(|first| first.rsplit_once('='))
        .ok_or_else(|| format!("'{text}' has no log topic; {FORM}"))?;
    let refused = |error: RouteError| format!("{error}; {FORM}");
    let mut route = Route::new(filter).and_then(|route| route.topic(topic)).map_err(refused)?;
    for part in parts {
        route = match part.split_once('=') {
            Some(("key", template)) => route.key(template),
            Some(("header", header)) => {
                let form = || format!("'{part}' has no value; {FORM}");
                let (name, template) = header.split_once(':').ok_or_else(form)?;
                route.header(name, template)
            }
            _ => return Err(format!("'{part}' is neither a key nor a header; {FORM}")),
        }
        .map_err(refused)?;
    }
    Ok(route)
}

fn segment_bytes(text: &str) -> Result<u64, String> {
    let bytes = value::bytes(text)?;
    let range = 1 << 20..=1 << 30;
    if range.contains(&bytes) { Ok(bytes) } else { Err(format!("{text} is not from 1MiB to 1GiB")) }
}

fn packet_bytes(text: &str) -> Result<u32, String> {
    let range = 1_024..=256 << 20;
    let bytes = u32::try_from(value::bytes(text)?).ok().filter(|bytes| range.contains(bytes));
    bytes.ok_or_else(|| format!("{text} is not from 1KiB to 256MiB"))
}

fn packet_timeout(text: &str) -> Result<Duration, String> {
    let range = Duration::from_secs(1)..=Duration::from_secs(3_600);
    let form = || format!("'{text}' is not a duration from 1s to 1h; write it like 60s or 5min");
    value::duration(text).ok().filter(|duration| range.contains(duration)).ok_or_else(form)
}

/// Never is zero.
fn interval(text: &str) -> Result<Duration, String> {
    if text == "never" {
        return Ok(Duration::ZERO);
    }
    value::duration(text).map_err(|_| format!("'{text}' is not a duration; write it like 10s, or never"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(arguments: &[&str]) -> String {
        let all = ["broker"].iter().chain(arguments);
        Options::try_parse_from(all).unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_are_those_of_the_readme() {
        let options = Options::try_parse_from(["broker"]).unwrap();
        assert_eq!(options.listen.to_string(), "127.0.0.1:1883");
        assert_eq!(options.data, PathBuf::from("./data"));
        assert_eq!(options.partitions.unwrap_or(PARTITIONS_DEFAULT), 4);
        assert_eq!(options.store().messages.retention_ms, Some(7 * 24 * 3_600 * 1_000));
        assert_eq!(options.store().messages.retention_bytes, Some(1 << 30));
    }

    #[test]
    fn rules_are_read_in_order() {
        let rules = ["a=b/#=telemetry;key={2}/{client-id};header=site:{1};header=of:{topic}", "+=mqtt"];
        let arguments = ["broker", "--route", rules[0], "--route", rules[1]];
        let options = Options::try_parse_from(arguments).unwrap();
        let first = Route::new("a=b/#").unwrap().topic("telemetry").unwrap().key("{2}/{client-id}").unwrap();
        let first = first.header("site", "{1}").unwrap().header("of", "{topic}").unwrap();
        assert_eq!(options.routes, [first, Route::new("+").unwrap()]);
        assert_eq!(options.store().routes, options.routes);
        let bytes_max = |options: &Options| options.store().messages.batch_bytes_max;
        let without = Options::try_parse_from(["broker"]).unwrap();
        assert!(bytes_max(&options) > bytes_max(&without) + 5 * 65_535);
    }

    #[test]
    fn a_wrong_rule_is_answered_by_what_is_wrong_and_the_right_form() {
        for (rule, wrong) in [
            ("factory/#", "no log topic"),
            ("factory/#/a=telemetry", "the filter of a rule"),
            ("$share/g/a=telemetry", "not shared"),
            ("a=__consumer_offsets", "begin with __"),
            ("a=b/c", "byte 1"),
            ("a=b;key={x}", "the braces at byte 0"),
            ("a=b;key={2}", "no level 2"),
            ("a=b;header=site", "no value"),
            ("a=b;header=mqtt.qos:2", "does not begin with mqtt."),
            ("a=b;headers=x:y", "neither a key nor a header"),
        ] {
            let refusal = refusal(&["--route", rule]);
            assert!(
                refusal.contains(wrong) && refusal.contains("factory/+/temperature=telemetry"),
                "{refusal}"
            );
        }
    }

    #[test]
    fn a_wrong_value_is_answered_by_the_right_form() {
        assert!(refusal(&["--listen", "1883"]).contains("127.0.0.1:1883"));
        assert!(refusal(&["--partitions", "0"]).contains("1..=1000"));
        assert!(refusal(&["--retention", "week"]).contains("7days"));
        assert!(refusal(&["--retention-bytes", "lots"]).contains("1GiB"));
        assert!(refusal(&["--segment-bytes", "1KiB"]).contains("1MiB to 1GiB"));
        assert!(refusal(&["--packet-bytes-max", "1GiB"]).contains("1KiB to 256MiB"));
        assert!(refusal(&["--packet-timeout", "10ms"]).contains("60s"));
        assert!(refusal(&["--connections-max", "0"]).contains('1'));
        assert!(refusal(&["--ack", "sent"]).contains("durable, appended"));
        assert!(refusal(&["--threads", "0"]).contains("1..=1024"));
        assert!(refusal(&["--sys-interval", "often"]).contains("never"));
    }
}

//! MQTT in, Apache Kafka's log format out: the parts of Headwater under one name.
//!
//! Each part is a crate of its own, re-exported here under a feature of the same name; all are on by default. Depend on a single crate
//! where one part is enough.
//!
//! | feature, module | crate | what it is |
//! |---|---|---|
//! | [`topic`] | `headwater-topic` | topic names, filters, wildcard matching, subscription and retained trees |
//! | [`codec`] | `headwater-codec` | MQTT 3.1, 3.1.1 and 5.0 packets, decoded without copying |
//! | [`session`] | `headwater-session` | MQTT sessions without I/O, QoS 0, 1 and 2, for clients and servers |
//! | [`log`] | `headwater-log` | an embedded, partitioned, append-only commit log whose files are Kafka's |
//! | [`store`] | `headwater-store` | the joint: messages as records, retained messages, sessions and positions in the log |
//!
//! The features `lz4`, `snappy`, `gzip` and `zstd` are the codecs of the log's record batches; all but `zstd`, which needs a C compiler, are
//! on by default.
//!
//! # Examples
//!
//! A packet is decoded, matched, appended to a log, and read back:
//!
//! ```
//! //! A packet is decoded, matched, appended to a log, and read back.
//!
//! use headwater::codec::{FrameReader, Limits, Packet, Version};
//! use headwater::log::{Ack, Log, LogOptions, Record, TopicOptions};
//! use headwater::topic::{SubscriptionTree, TopicFilter};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // The bytes of a PUBLISH as they come from a socket: the topic factory/line-1/temperature, the payload 21.5.
//!     let mut frames = FrameReader::new(Limits::default());
//!     frames.extend(b"\x30\x20\x00\x1afactory/line-1/temperature21.5");
//!     let frame = frames.next_frame()?.ok_or("not a whole packet yet")?;
//!     let Packet::Publish(publish) = frame.packet(Version::V3_1_1)? else { return Err("not a PUBLISH".into()) };
//!     let topic = publish.topic.ok_or("no topic name")?;
//!
//!     // Who gets it?
//!     let mut subscriptions = SubscriptionTree::new();
//!     subscriptions.subscribe(TopicFilter::parse("factory/+/temperature")?, "dashboard", ());
//!     subscriptions.matches(topic, |who, ()| println!("for {who}"));
//!
//!     // Keep it: on disk when append returns, in files that Kafka's tools can read.
//!     let folder = std::env::temp_dir().join(format!("headwater-quickstart-{}", std::process::id()));
//!     let log = Log::open(&folder, LogOptions::default())?;
//!     let telemetry = log.create_topic("telemetry", TopicOptions::default().partitions(4))?;
//!     let at = telemetry.append(&Record::new(publish.payload).key(topic.as_str()), Ack::Durable)?;
//!
//!     // Read it back: the bytes are the file's own, mapped.
//!     let partition = telemetry.partition(at.partition).ok_or("no such partition")?;
//!     for record in partition.read(at.offset, 64 * 1024)?.views() {
//!         let record = record?;
//!         println!("partition {}, offset {}: {:?}", at.partition, record.offset, record.value);
//!         assert_eq!(record.value, Some(b"21.5".as_slice()));
//!     }
//!     log.close()?;
//!     Ok(std::fs::remove_dir_all(folder)?)
//! }
//! ```

#[cfg(feature = "codec")]
pub use headwater_codec as codec;
#[cfg(feature = "log")]
pub use headwater_log as log;
#[cfg(feature = "session")]
pub use headwater_session as session;
#[cfg(feature = "store")]
pub use headwater_store as store;
#[cfg(feature = "topic")]
pub use headwater_topic as topic;

/// The guides compile: their code runs with the tests of this crate.
#[cfg(doctest)]
#[doc = include_str!("../docs/codec.md")]
mod codec_guide {}

#[cfg(doctest)]
#[doc = include_str!("../docs/log.md")]
mod log_guide {}

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
//! # Examples
//!
#![doc = "A packet is decoded, matched, appended to a log, and read back:"]
//!
//! ```
#![doc = include_str!("../examples/quickstart/main.rs")]
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

//! MQTT messages, retained messages and sessions, kept in a commit log and nowhere else.
//!
//! A publisher's message is appended to the log once. Subscribers get it from there, now or when they come back; a session that is away
//! is a position in the log, not a queue. What was acknowledged survives the end of the process and the loss of power.
//!
//! ```text
//!   publish() --> log topic `mqtt` --- Lane: sync, dispatch ---> sessions that are up to date --.
//!      |          (partitions)  '----- read by themselves -----> sessions that are behind ------+--> Attached::next()
//!      |                                                                                        |
//!      '--------> `__headwater_retained`, and a tree in memory --> new subscriptions -----------'
//!
//!   Lane, who reads --> `__headwater_summaries`: which topics are where, so that who is behind skips; a cache
//!   Attached::save(), detach() --> `__headwater_sessions`: subscriptions, positions, exchanges under way, groups
//! ```
//!
//! * [`Store`] takes messages and says when they are safe: a PUBLISH is acknowledged when its [`Placement`] is durable.
//! * [`Lane`] is the work on one partition. Each wants a thread that runs it; nothing here starts one or needs a runtime.
//! * [`Attached`] is a session whose client is connected: it subscribes, gives the messages to send, and is saved.
//! * [`Attached::subscribe_since`] makes a subscription that begins in the past: the log has it.
//! * A shared subscription, `$share/{name}/{filter}`, is a [`group`] of sessions: it has a position of its own, and each message goes to one
//!   of them, which [finishes](Attached::finish) it or leaves it to the next.
//! * [`Route`] sends messages to other log topics than `mqtt`, under keys of a program's choice, for those who read the log;
//!   [`StoreOptions::hook`] lets a program change or stop them. Subscribers do not notice.
//! * [`Message`] is what a record means to MQTT, and back; `docs/mapping.md` of the repository has the table.
//!
//! Packets are the business of `headwater-session`, whose state of exchanges is saved here; sockets are that of the program, such as the
//! broker among the examples.
//!
//! # Examples
//!
//! A sensor publishes, a display is subscribed:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use headwater_codec::{Delivery, PacketId, Publish, QoS, SubscribeOptions};
//! use headwater_log::{Log, LogOptions};
//! use headwater_session::State;
//! use headwater_store::{Attach, Next, Store, StoreOptions};
//! use headwater_topic::{TopicFilter, TopicName};
//!
//! let dir = tempfile::tempdir()?;
//! let log = Log::open(dir.path(), LogOptions::default())?;
//! let now_ms = 1_700_000_000_000;
//! let store = Store::open(&log, StoreOptions::default(), now_ms)?;
//!
//! // The display connects. Its session outlives the connection by an hour.
//! let wake = Arc::new(|| { /* wake the connection up, to call next() */ });
//! let attach = Attach { client_id: "display", clean_start: true, expiry_secs: 3_600, wake, now_ms };
//! let (mut display, _resumed, placement) = store.attach(&attach)?;
//! store.wait_durable(&placement)?; // then CONNACK
//! display.subscribe(TopicFilter::parse("factory/+/temperature")?, SubscribeOptions::new(QoS::AtLeastOnce), None);
//! let placement = display.save(&State::default(), 3_600)?;
//! store.wait_durable(&placement)?; // then SUBACK
//!
//! // A message comes from the sensor.
//! let delivery = Delivery::AtLeastOnce { packet_id: PacketId::MIN, dup: false };
//! let publish = Publish::new(TopicName::parse("factory/line-1/temperature")?, b"21.5").with_delivery(delivery);
//! let placement = store.publish(&publish, || "21.5".into(), "sensor", now_ms)?;
//!
//! // A thread each would run the lanes over and over.
//! for lane in store.lanes() {
//!     lane.run(Duration::ZERO)?;
//! }
//! assert!(store.is_durable(&placement)); // then PUBACK
//!
//! let received = loop {
//!     match display.next(now_ms)? {
//!         Next::Delivery(delivery) => break delivery,
//!         Next::Again => {}
//!         Next::Idle => return Err("woken when something comes".into()),
//!     }
//! };
//! assert_eq!(received.message.payload, "21.5");
//! assert_eq!((received.qos, received.retain), (QoS::AtLeastOnce, false));
//!
//! // The display goes. What comes meanwhile waits in the log.
//! let placement = display.detach(&State::default(), 3_600, now_ms)?;
//! store.wait_durable(&placement)?;
//! # drop(store);
//! # log.close()?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//!
//! * A message whose placement is durable reaches every session that was subscribed, durably, when it came, as long as retention leaves it
//!   in the log: QoS 1 at least once, and QoS 2 exactly once, over crashes too, if what [`Attached::save`] says is waited for. So is a
//!   QoS 2 message that a client sends by [`Attached::publish`] in the log exactly once, however often it is sent again. Sessions that end with
//!   their connection have that as long as the connection lasts. `docs/mapping.md` has the order in which things become durable, and one case
//!   of a power failure with retained messages that is left.
//! * Messages of one topic come in the order in which they were taken; with routing rules whose key has the client identifier in it, those
//!   of one client.
//! * A message for a shared subscription reaches one of its sessions, as long as one of them lasts: QoS 1 at least once, and exactly
//!   once if no session ends that has it and there is no crash; QoS 2 once, or not at all if it was sent to a session that ended. After a crash
//!   what was finished since the group was last saved may come again, to any of them: about as much as was under way or a second's worth,
//!   and not more than 1,024 messages unless more are under way.
//! * QoS 0 is at most once: it is forwarded when it comes, dropped and counted when a session has no room for it, and not kept for a client
//!   that is away.
//! * Memory for a connected session is bounded by [`StoreOptions::inbox_max`], [`StoreOptions::inbox_bytes_max`] and
//!   [`StoreOptions::catch_up_bytes`], and its subscriptions; for a shared subscription by what its sessions have in their inboxes and under
//!   way, some tens of bytes each. A slow client never holds others up.
//!
//! # Features
//!
//! None. The crate needs `std`, and no runtime.
//!
//! # What does not work yet
//!
//! * What was not compacted yet of the topics of retained messages and of sessions is read whole when the store is opened; who
//!   never calls `Log::maintain` never compacts them.
//! * Retained messages are all held in memory, as many as [`StoreOptions`] allows.
//! * Saving a session in part: each save writes all of it, subscriptions too. With QoS 2 that is once for each sync of the topic of sessions.
//! * What is known of the topics in pieces of the log, by which a session that catches up skips, is kept in one log topic, whose bytes all
//!   partitions share: what a busy one writes pushes out what was written long ago of a quiet one, which is read again. Who never calls
//!   `Log::maintain` never shortens it.
//! * A session with many subscriptions that catches up compares each topic of a piece with each of them.
//! * The dispatcher that is overtaken by retention counts it in [`Statistics`] alone: the sessions that were up to date are not told.
//! * Another number of partitions of a log topic than that the sessions were saved with.
//! * Order for a session that is away while the routing rules change, between what one topic had before and after.
//! * Other retention for a log topic of a routing rule than `mqtt` has.

#![forbid(unsafe_code)]
#![deny(clippy::print_stdout, clippy::print_stderr, reason = "a library returns what it has to say")]

mod counters;
mod delivery;
mod dispatch;
mod error;
pub mod group;
mod hook;
mod lane;
mod lock;
pub mod message;
mod offsets;
mod options;
mod placement;
mod retained;
mod route;
mod scan;
mod select;
pub mod session;
mod store;
mod subscription;
mod topics;

pub use self::counters::Statistics;
pub use self::delivery::{Delivery, Origin, Share, Source};
pub use self::error::{AttachError, LaneError, OpenError, PublishError, SubscribeError};
pub use self::hook::{Incoming, InvalidChange, Verdict};
pub use self::lane::Lane;
pub use self::message::Message;
pub use self::offsets::Offsets;
pub use self::options::StoreOptions;
pub use self::placement::Placement;
pub use self::route::{Route, RouteError, TemplateError};
pub use self::session::{Attach, Attached, Next, Since};
pub use self::store::{MESSAGES_TOPIC, Store};
pub use self::subscription::{Earlier, Past, Subscription, Terms};

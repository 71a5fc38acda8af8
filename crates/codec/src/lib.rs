//! Every packet of MQTT 3.1, 3.1.1 and 5.0, decoded without a copy and encoded into any buffer; `no_std`.
//!
//! ```text
//!  bytes -> frame::FrameReader -> Frame -> Packet<'_> -> its fields, borrowed from the frame
//!           where a packet ends            checked whole, nothing allocated
//! ```
//!
//! # Examples
//!
//! A stream of bytes, cut into frames, each decoded where it lies:
//!
#![cfg_attr(feature = "alloc", doc = "```")]
#![cfg_attr(not(feature = "alloc"), doc = "```text")]
//! use headwater_codec::{Delivery, FrameReader, Limits, Packet, PacketId, PubAck, Publish, TopicName, Version};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // What a client sends ..
//! let packet_id = PacketId::new(7).ok_or("0 is no packet identifier")?;
//! let publish = Publish::new(TopicName::parse("factory/line-1/temperature")?, b"21.5")
//!     .with_delivery(Delivery::AtLeastOnce { packet_id, dup: false });
//! let mut wire = Vec::new();
//! publish.encode(Version::V5, &mut wire)?;
//!
//! // .. arrives in two pieces at a server, which answers.
//! let mut frames = FrameReader::new(Limits::default());
//! let mut answers = Vec::new();
//! for piece in wire.chunks(20) {
//!     frames.extend(piece);
//!     while let Some(frame) = frames.next_frame()? {
//!         match frame.packet(Version::V5)? {
//!             Packet::Publish(publish) => {
//!                 let kept = frame.slice(publish.payload); // shared bytes, not a copy
//!                 assert_eq!(kept, b"21.5"[..]);
//!                 if let Some(packet_id) = publish.packet_id() {
//!                     PubAck::new(packet_id).encode(Version::V5, &mut answers)?;
//!                 }
//!             }
//!             other => println!("not looked at: {other:?}"),
//!         }
//!     }
//! }
//! assert_eq!(answers, [0x40, 2, 0, 7]);
//! # Ok(())
//! # }
//! ```
//!
//! # What it is like
//!
//! * A packet is plain data that borrows. Lists and properties are iterators over bytes that were checked once, or the
//!   caller's own slices; equality does not see the difference, so `decode(encode(packet)) == packet`. One thing is said more
//!   coarsely before 5.0: a reason code of CONNACK or SUBACK becomes the return code that there is for it.
//! * Decoding allocates nothing and looks at each byte a fixed number of times. Bytes that break a rule of the
//!   specification give a [`DecodeError`] with rule, field, position and the reason code to answer with.
//! * Encoding measures first, by the code that writes, and writes whole packets or nothing.
//! * The rules of a packet by itself are kept here. Who may send it and when, and what it means for a connection, is a
//!   session's to know.
//!
//! The guide, `docs/codec.md` of the repository, has a client and a server, and the way from `mqttbytes`.
//!
//! # Features
//!
//! `std` (default) includes `alloc`. `alloc` adds [`Frame`], [`FrameReader`] and the growing sinks, on the `bytes` crate.
//! With neither there is no heap: [`frame::first`], [`Packet::decode`] and [`SliceSink`] work on the caller's slices.
//! `tokio-util` adds `framed::PacketCodec`, framing for that crate's `Framed`.
//!
//! # Strict, with one exception by name
//!
//! Every rule of a packet by itself is checked, and there is one that a receiver may waive for the sake of small devices:
//! [`Limits::with_overlong_lengths`].
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod ack;
mod auth;
mod connack;
mod connect;
mod decode_error;
mod disconnect;
mod encode_error;
mod fan_out;
mod field;
pub mod frame;
#[cfg(feature = "tokio-util")]
pub mod framed;
mod id;
mod list;
mod only;
mod packet;
mod packet_type;
mod parse;
mod properties;
mod property;
mod puback;
mod pubcomp;
mod publish;
mod pubrec;
mod pubrel;
mod qos;
mod reason;
mod reason_codes;
pub mod sink;
mod suback;
mod subscribe;
mod text;
mod unsuback;
mod unsubscribe;
mod version;
mod will;
mod write;

pub use auth::Auth;
pub use connack::ConnAck;
pub use connect::Connect;
pub use decode_error::{DecodeError, Rule};
pub use disconnect::Disconnect;
pub use encode_error::EncodeError;
pub use fan_out::{FanOut, Receiver};
pub use field::Field;
#[cfg(feature = "alloc")]
pub use frame::{Frame, FrameReader};
pub use frame::{Header, Limits, Status};
pub use headwater_topic as topic;
pub use headwater_topic::{TopicFilter, TopicName};
pub use id::{PacketId, SubscriptionId};
pub use packet::{DecodeOptions, Packet};
pub use packet_type::PacketType;
pub use properties::{Properties, PropertyIter};
pub use property::{Property, PropertyId, PropertyPlace};
pub use puback::PubAck;
pub use pubcomp::PubComp;
pub use publish::{Delivery, Publish};
pub use pubrec::PubRec;
pub use pubrel::PubRel;
pub use qos::QoS;
pub use reason::ReasonCode;
pub use reason_codes::{ReasonCodeIter, ReasonCodes};
pub use sink::{Sink, SliceSink};
pub use suback::SubAck;
pub use subscribe::{FilterIter, Filters, RetainHandling, Subscribe, SubscribeFilter, SubscribeOptions};
pub use unsuback::UnsubAck;
pub use unsubscribe::{TopicFilterIter, TopicFilters, Unsubscribe};
pub use version::Version;
pub use will::Will;

/// What the README shows compiles.
#[cfg(all(doctest, feature = "alloc"))]
#[doc = include_str!("../README.md")]
mod readme {}

//! MQTT packets of 3.1, 3.1.1 and 5.0: decoded without copying, encoded without surprise.
#![no_std]
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
mod field;
pub mod frame;
mod id;
mod list;
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
pub use field::Field;
#[cfg(feature = "alloc")]
pub use frame::{Frame, FrameReader};
pub use frame::{Header, Limits, Status};
pub use headwater_topic::{TopicFilter, TopicName};
pub use id::{PacketId, SubscriptionId};
pub use packet::{DecodeOptions, Packet};
pub use packet_type::PacketType;
pub use properties::Properties;
pub use property::{Property, PropertyId, PropertyPlace};
pub use puback::PubAck;
pub use pubcomp::PubComp;
pub use publish::{Delivery, Publish};
pub use pubrec::PubRec;
pub use pubrel::PubRel;
pub use qos::QoS;
pub use reason::ReasonCode;
pub use reason_codes::ReasonCodes;
pub use sink::{Sink, SliceSink};
pub use suback::SubAck;
pub use subscribe::{Filters, RetainHandling, Subscribe, SubscribeFilter, SubscribeOptions};
pub use unsuback::UnsubAck;
pub use unsubscribe::{TopicFilters, Unsubscribe};
pub use version::Version;
pub use will::Will;

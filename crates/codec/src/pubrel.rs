//! PUBREL: answers a PUBREC, the second of three steps (section 3.6).

use crate::ack::{self, ack};
use crate::encode_error::EncodeError;
use crate::id::PacketId;
use crate::packet_type::PacketType;
use crate::parse::{Context, Parsed};
use crate::properties::Properties;
use crate::property::PropertyPlace;
use crate::reason::ReasonCode;
use crate::sink::Sink;
use crate::version::Version;
use crate::write::{self, Body, Output, Part};

ack! {
    /// Answers a PUBREC: the sender has let go of the message.
    PubRel, read by pubrel
}

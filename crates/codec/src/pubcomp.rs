//! PUBCOMP: answers a PUBREL, the last of three steps (section 3.7).

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
    /// Answers a PUBREL: the exchange is complete.
    PubComp, read by pubcomp
}

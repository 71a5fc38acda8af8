//! PUBREC: answers a QoS 2 PUBLISH, the first of three steps (section 3.5).

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
    /// Answers a QoS 2 PUBLISH: received, and kept from being received twice.
    ///
    /// An error ends the exchange; the sender does not answer with PUBREL. [MQTT-4.3.3-4]
    PubRec, read by pubrec
}

//! The 27 properties of MQTT 5.0 (section 2.2.2.2): one table, from which everything else follows.

mod place;
mod value;

use core::fmt;
use core::num::{NonZeroU16, NonZeroU32};

use headwater_topic::{Limits, TopicName};

pub use place::PropertyPlace;
use value::Value;

use crate::decode_error::Rule;
use crate::encode_error::EncodeError;
use crate::field::Field;
use crate::id::SubscriptionId;
use crate::parse::{self, Fault, Parsed};
use crate::properties::Properties;
use crate::qos::QoS;
use crate::write::{self, Output};

/// Lists every property but the user property: meaning, number, variant with type, getter, name, and where it may
/// stand. The user property, a pair that may be repeated anywhere, is written out below.
macro_rules! properties {
    ($($(#[doc = $doc:literal])+ $id:literal $name:ident($value:ty) $getter:ident $text:literal in $($place:ident)+;)+) => {
        /// The identifier of a property.
        ///
        /// # Examples
        ///
        /// ```
        /// use headwater_codec::{PropertyId, PropertyPlace};
        ///
        /// assert!(PropertyId::WillDelayInterval.allowed_in(PropertyPlace::Will));
        /// assert!(!PropertyId::WillDelayInterval.allowed_in(PropertyPlace::Publish));
        /// assert!(PropertyId::UserProperty.repeatable_in(PropertyPlace::PubAck));
        /// assert_eq!(PropertyId::from_u8(0x03), Some(PropertyId::ContentType));
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum PropertyId {
            $($(#[doc = $doc])+ $name = $id,)+
            /// A name and a value of the sender's own; may be repeated, and the order is kept.
            UserProperty = 0x26,
        }

        impl PropertyId {
            /// Every property there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+ Self::UserProperty];

            /// The property with this number, if there is one.
            #[inline]
            pub const fn from_u8(id: u8) -> Option<Self> {
                match id {
                    $($id => Some(Self::$name),)+
                    0x26 => Some(Self::UserProperty),
                    _ => None,
                }
            }

            /// The name of the property in lower case.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                    Self::UserProperty => "user property",
                }
            }

            /// The places where the property may stand, one bit each.
            #[inline]
            const fn places(self) -> u16 {
                match self {
                    $(Self::$name => 0 $(| PropertyPlace::$place.bit())+,)+
                    Self::UserProperty => PropertyPlace::EVERYWHERE,
                }
            }
        }

        /// A property with its value.
        ///
        /// Times are in seconds, sizes in bytes.
        ///
        /// # Examples
        ///
        /// ```
        /// use core::num::NonZeroU16;
        /// use headwater_codec::{Property, PropertyId};
        ///
        /// let window = NonZeroU16::new(20).ok_or("a receive maximum is never 0")?;
        /// assert_eq!(Property::ReceiveMaximum(window).id(), PropertyId::ReceiveMaximum);
        /// # Ok::<(), &str>(())
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Property<'a> {
            $($(#[doc = $doc])+ $name($value),)+
            /// A name and a value of the sender's own; may be repeated, and the order is kept.
            UserProperty(&'a str, &'a str),
        }

        impl<'a> Property<'a> {
            /// Which property this is.
            #[inline]
            pub const fn id(&self) -> PropertyId {
                match self {
                    $(Self::$name(_) => PropertyId::$name,)+
                    Self::UserProperty(..) => PropertyId::UserProperty,
                }
            }

            /// Reads the value behind an identifier.
            #[inline]
            fn value(id: PropertyId, limits: Limits, input: &'a [u8]) -> Parsed<'a, Self> {
                match id {
                    $(PropertyId::$name => {
                        let (rest, value) = <$value as Value<'a>>::parse(id, limits, input)?;
                        Ok((rest, Self::$name(value)))
                    })+
                    PropertyId::UserProperty => {
                        // [MQTT-1.5.7-1]
                        let (rest, name) = parse::string(Field::Property(id), input)?;
                        let (rest, value) = parse::string(Field::Property(id), rest)?;
                        Ok((rest, Self::UserProperty(name, value)))
                    }
                }
            }

            /// Goes past the value behind an identifier, after all checks.
            #[inline]
            fn skip(id: PropertyId, limits: Limits, input: &'a [u8]) -> Parsed<'a, ()> {
                match id {
                    $(PropertyId::$name => <$value as Value<'a>>::skip(id, limits, input),)+
                    PropertyId::UserProperty => {
                        // [MQTT-1.5.7-1]
                        let (rest, ()) = parse::skip_string(Field::Property(id), input)?;
                        parse::skip_string(Field::Property(id), rest)
                    }
                }
            }

            /// Writes identifier and value.
            #[inline(always)]
            pub(crate) fn write<O: Output>(&self, out: &mut O) -> Result<(), EncodeError> {
                let id = self.id();
                out.put_u8(id.as_u8());
                match *self {
                    $(Self::$name(value) => value.write(id, out),)+
                    Self::UserProperty(name, value) => {
                        write::string(out, Field::Property(id), name)?;
                        write::string(out, Field::Property(id), value)
                    }
                }
            }
        }

        /// What single properties say; each getter costs O(properties), and O(1) for one that a decoded packet lacks.
        ///
        /// `None` means the sender left it out; what then holds is in the section of the packet.
        impl<'a> Properties<'a> {
            $($(#[doc = $doc])+
            pub fn $getter(self) -> Option<$value> {
                if !self.may_have(PropertyId::$name) {
                    return None;
                }
                self.iter().find_map(|property| match property {
                    Property::$name(value) => Some(value),
                    _ => None,
                })
            })+
        }
    };
}

properties! {
    /// True if the payload is UTF-8 text, false if it is just bytes (section 3.3.2.3.2).
    0x01 PayloadFormatIndicator(bool) payload_format_indicator "payload format indicator" in Publish Will;
    /// How long the message is worth delivering, in seconds (section 3.3.2.3.3).
    0x02 MessageExpiryInterval(u32) message_expiry_interval "message expiry interval" in Publish Will;
    /// What the payload is, such as a MIME type (section 3.3.2.3.9).
    0x03 ContentType(&'a str) content_type "content type" in Publish Will;
    /// Where an answer to the message is to be published (section 3.3.2.3.5).
    0x08 ResponseTopic(TopicName<'a>) response_topic "response topic" in Publish Will;
    /// What ties the answer to the request (section 3.3.2.3.6).
    0x09 CorrelationData(&'a [u8]) correlation_data "correlation data" in Publish Will;
    /// The number of the subscription. In SUBSCRIBE once; in PUBLISH once for each subscription that caused it, of
    /// which the getter gives the first (sections 3.8.2.1.2 and 3.3.2.3.8).
    0x0B SubscriptionIdentifier(SubscriptionId) subscription_identifier "subscription identifier" in Publish Subscribe;
    /// How long the session outlives the connection, in seconds; 0xFFFF_FFFF for ever (section 3.1.2.11.2).
    0x11 SessionExpiryInterval(u32) session_expiry_interval "session expiry interval" in Connect ConnAck Disconnect;
    /// The client identifier the server chose (section 3.2.2.3.7).
    0x12 AssignedClientIdentifier(&'a str) assigned_client_identifier "assigned client identifier" in ConnAck;
    /// The keep alive the server wants instead, in seconds (section 3.2.2.3.14).
    0x13 ServerKeepAlive(u16) server_keep_alive "server keep alive" in ConnAck;
    /// The name of the method of enhanced authentication (section 3.1.2.11.9).
    0x15 AuthenticationMethod(&'a str) authentication_method "authentication method" in Connect ConnAck Auth;
    /// What the authentication method exchanges (section 3.1.2.11.10).
    0x16 AuthenticationData(&'a [u8]) authentication_data "authentication data" in Connect ConnAck Auth;
    /// False if the client wants reason strings and user properties only where they cannot be left out (section
    /// 3.1.2.11.7).
    0x17 RequestProblemInformation(bool) request_problem_information "request problem information" in Connect;
    /// How long the server waits before it publishes the will, in seconds (section 3.1.3.2.2).
    0x18 WillDelayInterval(u32) will_delay_interval "will delay interval" in Will;
    /// True if the client asks for response information (section 3.1.2.11.6).
    0x19 RequestResponseInformation(bool) request_response_information "request response information" in Connect;
    /// What the client may build response topics from (section 3.2.2.3.15).
    0x1A ResponseInformation(&'a str) response_information "response information" in ConnAck;
    /// Another server to use (section 3.2.2.3.16).
    0x1C ServerReference(&'a str) server_reference "server reference" in ConnAck Disconnect;
    /// The reason in words, for people (section 3.2.2.3.9).
    0x1F ReasonString(&'a str) reason_string "reason string"
        in ConnAck PubAck PubRec PubRel PubComp SubAck UnsubAck Disconnect Auth;
    /// How many QoS 1 and 2 messages the sender takes before it acknowledges one (section 3.1.2.11.3).
    0x21 ReceiveMaximum(NonZeroU16) receive_maximum "receive maximum" in Connect ConnAck;
    /// The largest topic alias the sender takes; 0 for none (section 3.1.2.11.5).
    0x22 TopicAliasMaximum(u16) topic_alias_maximum "topic alias maximum" in Connect ConnAck;
    /// A number that stands for the topic name on this connection (section 3.3.2.3.4).
    0x23 TopicAlias(NonZeroU16) topic_alias "topic alias" in Publish;
    /// The highest QoS the server takes, 0 or 1; it takes 2 if it says nothing (section 3.2.2.3.4).
    0x24 MaximumQoS(QoS) maximum_qos "maximum QoS" in ConnAck;
    /// False if the server keeps no retained messages (section 3.2.2.3.5).
    0x25 RetainAvailable(bool) retain_available "retain available" in ConnAck;
    /// The largest whole packet the sender takes, in bytes (section 3.1.2.11.4).
    0x27 MaximumPacketSize(NonZeroU32) maximum_packet_size "maximum packet size" in Connect ConnAck;
    /// False if the server has no wildcard subscriptions (section 3.2.2.3.11).
    0x28 WildcardSubscriptionAvailable(bool) wildcard_subscription_available "wildcard subscription available"
        in ConnAck;
    /// False if the server has no subscription identifiers (section 3.2.2.3.12).
    0x29 SubscriptionIdentifierAvailable(bool) subscription_identifier_available "subscription identifier available"
        in ConnAck;
    /// False if the server has no shared subscriptions (section 3.2.2.3.13).
    0x2A SharedSubscriptionAvailable(bool) shared_subscription_available "shared subscription available" in ConnAck;
}

impl PropertyId {
    /// The number of the property.
    #[inline]
    pub const fn as_u8(self) -> u8 {
        self as u8
    }

    /// True if the property may stand in this place (table 2-4).
    #[inline]
    pub const fn allowed_in(self, place: PropertyPlace) -> bool {
        self.places() & place.bit() != 0
    }

    /// True if the property may stand more than once in this place (sections 2.2.2.2 and 3.3.2.3.8).
    #[inline]
    pub const fn repeatable_in(self, place: PropertyPlace) -> bool {
        match self {
            Self::UserProperty => true,
            Self::SubscriptionIdentifier => matches!(place, PropertyPlace::Publish),
            _ => false,
        }
    }

    /// One bit per property, for the set of those seen; the largest number is 42.
    #[inline]
    pub(crate) const fn bit(self) -> u64 {
        1 << self.as_u8()
    }
}

impl fmt::Display for PropertyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Reads the identifier of a property.
#[inline]
pub(crate) fn id(input: &[u8]) -> Parsed<'_, PropertyId> {
    // All there are fit one byte, the first of a variable byte integer that has no other.
    if let [first, rest @ ..] = input
        && let Some(id) = PropertyId::from_u8(*first)
    {
        return Ok((rest, id));
    }
    Err(wrong_id(input))
}

/// What is wrong with an identifier that is none. Section 2.2.2.2: it is a variable byte integer.
#[cold]
fn wrong_id(input: &[u8]) -> nom::Err<Fault<'_>> {
    match parse::variable(Field::PropertyId)(input) {
        Ok((_, number)) => Fault::new(input, Field::PropertyId, Rule::PropertyUnknown { id: number }),
        Err(error) => error,
    }
}

/// Reads the value of a property.
#[inline]
pub(crate) fn value(id: PropertyId, limits: Limits, input: &[u8]) -> Parsed<'_, Property<'_>> {
    Property::value(id, limits, input)
}

/// Goes past the value of a property, after all checks.
#[inline]
pub(crate) fn skip(id: PropertyId, limits: Limits, input: &[u8]) -> Parsed<'_, ()> {
    Property::skip(id, limits, input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_27_properties_and_each_number_is_its_own() {
        assert_eq!(PropertyId::ALL.len(), 27);
        for number in 0..=u8::MAX {
            let known = PropertyId::ALL.iter().find(|id| id.as_u8() == number);
            assert_eq!(PropertyId::from_u8(number), known.copied());
        }
    }

    #[test]
    fn each_place_takes_as_many_properties_as_table_2_4_lists() {
        let counts = [
            (PropertyPlace::Will, 7),
            (PropertyPlace::Connect, 9),
            (PropertyPlace::ConnAck, 17),
            (PropertyPlace::Publish, 8),
            (PropertyPlace::PubAck, 2),
            (PropertyPlace::PubRec, 2),
            (PropertyPlace::PubRel, 2),
            (PropertyPlace::PubComp, 2),
            (PropertyPlace::Subscribe, 2),
            (PropertyPlace::SubAck, 2),
            (PropertyPlace::Unsubscribe, 1),
            (PropertyPlace::UnsubAck, 2),
            (PropertyPlace::Disconnect, 4),
            (PropertyPlace::Auth, 4),
        ];
        for (place, count) in counts {
            assert_eq!(PropertyId::ALL.iter().filter(|id| id.allowed_in(place)).count(), count, "{place}");
        }
    }

    #[test]
    fn a_bit_of_its_own_fits_64() {
        let all = PropertyId::ALL.iter().fold(0_u64, |set, id| set | id.bit());
        assert_eq!(all.count_ones(), 27);
    }
}

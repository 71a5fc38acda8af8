//! The types a property's value can have on the wire (section 2.2.2.2).

use core::num::{NonZeroU16, NonZeroU32};

use headwater_topic::{Limits, TopicName};

use super::PropertyId;
use crate::decode_error::Rule;
use crate::encode_error::EncodeError;
use crate::field::Field;
use crate::id::SubscriptionId;
use crate::parse::{self, Fault, Parsed};
use crate::qos::QoS;
use crate::write::{self, Output};

/// A type of value: how it is read and written.
pub(super) trait Value<'a>: Sized {
    /// Reads the value of a property.
    fn parse(id: PropertyId, limits: Limits, input: &'a [u8]) -> Parsed<'a, Self>;

    /// Goes past the value of a property, after all checks.
    #[inline]
    fn skip(id: PropertyId, limits: Limits, input: &'a [u8]) -> Parsed<'a, ()> {
        let (rest, _) = Self::parse(id, limits, input)?;
        Ok((rest, ()))
    }

    /// Writes the value of a property.
    fn write<O: Output>(self, id: PropertyId, out: &mut O) -> Result<(), EncodeError>;
}

/// A value outside the range its section gives.
#[cold]
fn out_of_range<'a, T>(id: PropertyId, input: &'a [u8]) -> Parsed<'a, T> {
    Err(Fault::new(input, Field::Property(id), Rule::PropertyOutOfRange))
}

/// One byte, 0 or 1; anything else is a protocol error (such as section 3.1.2.11.6).
impl<'a> Value<'a> for bool {
    #[inline]
    fn parse(id: PropertyId, _limits: Limits, input: &'a [u8]) -> Parsed<'a, Self> {
        match parse::byte(Field::Property(id))(input)? {
            (rest, 0) => Ok((rest, false)),
            (rest, 1) => Ok((rest, true)),
            _ => out_of_range(id, input),
        }
    }

    #[inline]
    fn write<O: Output>(self, _id: PropertyId, out: &mut O) -> Result<(), EncodeError> {
        out.put_u8(u8::from(self));
        Ok(())
    }
}

/// One byte, 0 or 1: a server that takes QoS 2 leaves the property out (section 3.2.2.3.4).
impl<'a> Value<'a> for QoS {
    #[inline]
    fn parse(id: PropertyId, _limits: Limits, input: &'a [u8]) -> Parsed<'a, Self> {
        match parse::byte(Field::Property(id))(input)? {
            (rest, 0) => Ok((rest, Self::AtMostOnce)),
            (rest, 1) => Ok((rest, Self::AtLeastOnce)),
            _ => out_of_range(id, input),
        }
    }

    #[inline]
    fn write<O: Output>(self, id: PropertyId, out: &mut O) -> Result<(), EncodeError> {
        if self == Self::ExactlyOnce {
            return Err(EncodeError::PropertyOutOfRange { property: id });
        }
        out.put_u8(self.as_u8());
        Ok(())
    }
}

impl<'a> Value<'a> for u16 {
    #[inline]
    fn parse(id: PropertyId, _limits: Limits, input: &'a [u8]) -> Parsed<'a, Self> {
        parse::two_bytes(Field::Property(id))(input)
    }

    #[inline]
    fn write<O: Output>(self, _id: PropertyId, out: &mut O) -> Result<(), EncodeError> {
        out.put(&self.to_be_bytes());
        Ok(())
    }
}

impl<'a> Value<'a> for u32 {
    #[inline]
    fn parse(id: PropertyId, _limits: Limits, input: &'a [u8]) -> Parsed<'a, Self> {
        parse::four_bytes(Field::Property(id))(input)
    }

    #[inline]
    fn write<O: Output>(self, _id: PropertyId, out: &mut O) -> Result<(), EncodeError> {
        out.put(&self.to_be_bytes());
        Ok(())
    }
}

/// Receive maximum and topic alias: 0 is a protocol error (sections 3.1.2.11.3 and 3.3.2.3.4).
impl<'a> Value<'a> for NonZeroU16 {
    #[inline]
    fn parse(id: PropertyId, _limits: Limits, input: &'a [u8]) -> Parsed<'a, Self> {
        let (rest, value) = parse::two_bytes(Field::Property(id))(input)?;
        match Self::new(value) {
            Some(value) => Ok((rest, value)),
            // [MQTT-3.3.2-8]: the alias has a reason code of its own.
            None if id == PropertyId::TopicAlias => {
                Err(Fault::new(input, Field::Property(id), Rule::TopicAliasZero))
            }
            None => out_of_range(id, input),
        }
    }

    #[inline]
    fn write<O: Output>(self, id: PropertyId, out: &mut O) -> Result<(), EncodeError> {
        self.get().write(id, out)
    }
}

/// Maximum packet size: 0 is a protocol error (section 3.1.2.11.4).
impl<'a> Value<'a> for NonZeroU32 {
    #[inline]
    fn parse(id: PropertyId, _limits: Limits, input: &'a [u8]) -> Parsed<'a, Self> {
        let (rest, value) = parse::four_bytes(Field::Property(id))(input)?;
        match Self::new(value) {
            Some(value) => Ok((rest, value)),
            None => out_of_range(id, input),
        }
    }

    #[inline]
    fn write<O: Output>(self, id: PropertyId, out: &mut O) -> Result<(), EncodeError> {
        self.get().write(id, out)
    }
}

/// A variable byte integer; 0 is a protocol error (section 3.8.2.1.2).
impl<'a> Value<'a> for SubscriptionId {
    #[inline]
    fn parse(id: PropertyId, _limits: Limits, input: &'a [u8]) -> Parsed<'a, Self> {
        let (rest, value) = parse::variable(Field::Property(id))(input)?;
        match Self::new(value) {
            Some(value) => Ok((rest, value)),
            None => out_of_range(id, input),
        }
    }

    #[inline]
    fn write<O: Output>(self, _id: PropertyId, out: &mut O) -> Result<(), EncodeError> {
        write::variable(out, self.get());
        Ok(())
    }
}

impl<'a> Value<'a> for &'a str {
    #[inline]
    fn parse(id: PropertyId, _limits: Limits, input: &'a [u8]) -> Parsed<'a, Self> {
        parse::string(Field::Property(id), input)
    }

    #[inline]
    fn skip(id: PropertyId, _limits: Limits, input: &'a [u8]) -> Parsed<'a, ()> {
        parse::skip_string(Field::Property(id), input)
    }

    #[inline]
    fn write<O: Output>(self, id: PropertyId, out: &mut O) -> Result<(), EncodeError> {
        write::string(out, Field::Property(id), self)
    }
}

impl<'a> Value<'a> for &'a [u8] {
    #[inline]
    fn parse(id: PropertyId, _limits: Limits, input: &'a [u8]) -> Parsed<'a, Self> {
        parse::binary(Field::Property(id), input)
    }

    #[inline]
    fn write<O: Output>(self, id: PropertyId, out: &mut O) -> Result<(), EncodeError> {
        write::binary(out, Field::Property(id), self)
    }
}

/// The response topic: a topic name, without wildcards [MQTT-3.3.2-14].
impl<'a> Value<'a> for TopicName<'a> {
    #[inline]
    fn parse(id: PropertyId, limits: Limits, input: &'a [u8]) -> Parsed<'a, Self> {
        parse::topic_name(Field::Property(id), limits, input)
    }

    #[inline]
    fn write<O: Output>(self, id: PropertyId, out: &mut O) -> Result<(), EncodeError> {
        write::binary(out, Field::Property(id), self.as_str().as_bytes())
    }
}

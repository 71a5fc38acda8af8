//! The reason codes of SUBACK and UNSUBACK: one for each filter that is acknowledged.

use crate::decode_error::Rule;
use crate::field::Field;
use crate::list::{check_each, list};
use crate::packet_type::PacketType;
use crate::parse::{self, Context, Fault, Parsed};
use crate::reason::ReasonCode;
use crate::version::Version;

list! {
    /// The reason codes of a SUBACK or UNSUBACK, in the order of the filters they answer.
    ReasonCodes, ReasonCodeIter of ReasonCode, with (), parsed by validated
}

/// One code that passed before.
#[inline]
fn validated((): (), input: &[u8]) -> Parsed<'_, ReasonCode> {
    parse::byte(Field::ReasonCode)(input).map(|(rest, code)| (rest, ReasonCode(code)))
}

/// One code of a SUBACK before 5.0.
#[inline]
fn return_code(input: &[u8]) -> Parsed<'_, ReasonCode> {
    match parse::byte(Field::ReasonCode)(input)? {
        // 3.1.1: [MQTT-3.9.3-2]
        (rest, code @ (0..=2 | 0x80)) => Ok((rest, ReasonCode(code))),
        (_, code) => Err(Fault::new(input, Field::ReasonCode, Rule::ReasonCode { code })),
    }
}

/// All that is left of a SUBACK or UNSUBACK, at least one code.
pub(crate) fn reason_codes<'a>(
    context: Context,
    packet: PacketType,
    input: &'a [u8],
) -> Parsed<'a, ReasonCodes<'a>> {
    // [MQTT-3.8.4-6], section 3.11.3: each filter has its code, and there is no SUBSCRIBE without filters.
    if input.is_empty() {
        return Err(Fault::new(input, Field::ReasonCode, Rule::NoReasonCodes));
    }
    match context.version {
        Version::V3_1 | Version::V3_1_1 => check_each(input, return_code)?,
        // [MQTT-3.9.3-2], [MQTT-3.11.3-2]
        Version::V5 => check_each(input, parse::reason_code(packet))?,
    }
    Ok((&[], ReasonCodes::validated(input, ())))
}

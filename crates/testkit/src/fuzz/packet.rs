//! Any bytes as one packet.

use bytes::BytesMut;
use headwater_codec::{Connect, DecodeError, DecodeOptions, Field, Frame, Limits, Packet, Rule, Version};
use headwater_topic::{InvalidFilter, InvalidTopicName, Limits as TopicLimits};

/// How many prefixes are tried at either end; those between differ in nothing but their length.
const PREFIXES: usize = 64;

/// Any bytes as one packet, in every revision.
///
/// An error has its place within the input. What decodes does not with bytes missing. The lenient options take all that is
/// taken without them, and more only where they say so. A frame gives what the bytes give.
///
/// # Panics
///
/// When one of this does not hold.
pub fn packet(input: &[u8]) {
    for version in Version::ALL {
        let strict = Packet::decode(input, version);
        let lenient = Packet::decode_with(input, version, every_option());
        match (&strict, &lenient) {
            (Ok(packet), lenient) => {
                assert_eq!(lenient.as_ref(), Ok(packet));
                // [MQTT-1.5.5-1]
                assert_eq!(minimal(input), input, "the length has no byte that it does not need");
                prefixes(input, version);
                if let Packet::Connect(connect) = packet {
                    assert_eq!(Connect::peek_version(input), Some(connect.version));
                }
            }
            (Err(error), Ok(packet)) => waived(error, input, version, packet),
            // Whoever waives nothing that was wrong finds the same.
            (Err(error), Err(other)) => assert!(error == other || is_waived(error.rule), "{error}, {other}"),
        }
        for error in [&strict, &lenient].into_iter().filter_map(|answer| answer.as_ref().err()) {
            assert!(error.position <= input.len(), "{error} in {} bytes", input.len());
        }
        let overlong = Limits::PROTOCOL.with_overlong_lengths();
        framed(input, version, &Limits::PROTOCOL, DecodeOptions::default(), &strict);
        framed(input, version, &overlong, every_option(), &lenient);
    }
}

/// Every option that takes more.
fn every_option() -> DecodeOptions {
    DecodeOptions::default().topic_limits(TopicLimits::SPECIFICATION).overlong_lengths(true)
}

/// A packet ends where its header says, so with fewer bytes there is none.
fn prefixes(input: &[u8], version: Version) {
    let middle = PREFIXES..input.len().saturating_sub(PREFIXES);
    for length in (0..input.len()).filter(|length| !middle.contains(length)) {
        let prefix = input.get(..length).unwrap_or_default();
        let error = Packet::decode(prefix, version).expect_err("a prefix is no packet");
        assert_eq!((error.rule, error.position), (Rule::Truncated, length));
    }
}

/// True for the rules that the lenient options waive.
fn is_waived(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::VariableByteIntegerNotMinimal
            | Rule::TopicName(InvalidTopicName::TooManyLevels { .. })
            | Rule::TopicFilter(InvalidFilter::TooManyLevels { .. })
    )
}

/// What only the lenient options take is what they are for, and it is the packet that it would be without.
fn waived(error: &DecodeError, input: &[u8], version: Version, packet: &Packet<'_>) {
    assert!(is_waived(error.rule), "{error} is waived by no option");
    if error.rule == Rule::VariableByteIntegerNotMinimal {
        assert_eq!((error.field, error.position), (Field::RemainingLength, 1));
        // A CONNECT is judged by the revision that it asks for.
        let own = if let Packet::Connect(connect) = packet { connect.version } else { version };
        assert!(own < Version::V5, "5.0 waives no length");
        let minimal = minimal(input);
        assert!(minimal.len() < input.len());
        let options = DecodeOptions::default().topic_limits(TopicLimits::SPECIFICATION);
        assert_eq!(Packet::decode_with(&minimal, version, options).as_ref(), Ok(packet));
    }
}

/// The same packet with the shortest length there is.
fn minimal(input: &[u8]) -> Vec<u8> {
    let (first, rest) = input.split_first().expect("a packet has a first byte");
    let length_bytes = 1 + rest.iter().take_while(|byte| **byte >= 0x80).count();
    let (length, body) = rest.split_at(length_bytes);
    let mut shortest: Vec<u8> = length.iter().map(|byte| byte & 0x7F).collect();
    while shortest.len() > 1 && shortest.last() == Some(&0) {
        shortest.pop();
    }
    let last = shortest.len() - 1;
    shortest.iter_mut().take(last).for_each(|byte| *byte |= 0x80);
    [&[*first], &*shortest, body].concat()
}

/// The same answer by way of a frame, where the input is one.
fn framed(
    input: &[u8],
    version: Version,
    limits: &Limits,
    options: DecodeOptions,
    expected: &Result<Packet<'_>, DecodeError>,
) {
    let mut buffer = BytesMut::from(input);
    match Frame::take_from(&mut buffer, limits) {
        Ok(Some(frame)) if buffer.is_empty() => {
            assert_eq!(&frame.packet_with(version, options), expected);
            let part = input.get(input.len() / 2..).unwrap_or_default();
            let own = frame.bytes().get(input.len() / 2..).unwrap_or_default();
            assert_eq!(frame.slice(own), part);
        }
        // More than one packet, or less.
        Ok(Some(frame)) => {
            let trailing = Rule::TrailingBytes { bytes: buffer.len() };
            let error = expected.expect_err("this is more than a packet");
            assert_eq!((error.rule, error.position), (trailing, frame.bytes().len()));
        }
        Ok(None) => {
            let error = expected.expect_err("this is less than a packet");
            assert_eq!((error.rule, error.position), (Rule::Truncated, input.len()));
        }
        Err(error) => assert_eq!(expected, &Err(error)),
    }
}

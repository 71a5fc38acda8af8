//! Decoding by hand.

use super::property::{Property, binary, first, skip, text, two, variable};

/// A packet of the cases, borrowed.
#[derive(Clone, Copy, Debug)]
pub enum Packet<'a> {
    Connect(Connect<'a>),
    Publish(Publish<'a>),
    PubAck(u16),
    Subscribe(Subscribe<'a>),
}

/// CONNECT.
#[derive(Clone, Copy, Debug)]
pub struct Connect<'a> {
    pub clean: bool,
    pub keep_alive_secs: u16,
    pub client_id: &'a str,
    pub properties: &'a [u8],
    pub will: Option<Will<'a>>,
    pub user_name: Option<&'a str>,
    pub password: Option<&'a [u8]>,
}

/// The will inside CONNECT.
#[derive(Clone, Copy, Debug)]
pub struct Will<'a> {
    pub qos: u8,
    pub topic: &'a str,
    pub payload: &'a [u8],
    pub properties: &'a [u8],
}

/// PUBLISH.
#[derive(Clone, Copy, Debug)]
pub struct Publish<'a> {
    pub flags: u8,
    pub topic: &'a str,
    pub packet_id: u16,
    pub properties: &'a [u8],
    pub payload: &'a [u8],
}

/// SUBSCRIBE.
#[derive(Clone, Copy, Debug)]
pub struct Subscribe<'a> {
    pub packet_id: u16,
    pub properties: &'a [u8],
    pub filters: &'a [u8],
}

/// The first packet of the bytes, and its size.
#[inline(never)]
pub fn packet(bytes: &[u8], v5: bool) -> Option<(Packet<'_>, usize)> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = variable(rest)?;
    let size = bytes.len() - rest.len() + length as usize;
    let body = rest.get(..length as usize)?;
    let packet = match first >> 4 {
        1 => Packet::Connect(connect(body, v5)?),
        3 => Packet::Publish(publish(first & 0x0F, body, v5)?),
        4 => Packet::PubAck(two(body)?.0),
        8 => Packet::Subscribe(subscribe(body, v5)?),
        _ => return None,
    };
    Some((packet, size))
}

#[inline(always)]
fn publish(flags: u8, body: &[u8], v5: bool) -> Option<Publish<'_>> {
    let (topic, rest) = text(body)?;
    let (packet_id, rest) = if flags & 0b0110 == 0 { (0, rest) } else { two(rest)? };
    let (properties, payload) = properties(rest, v5)?;
    Some(Publish { flags, topic, packet_id, properties, payload })
}

#[inline(always)]
fn connect(body: &[u8], v5: bool) -> Option<Connect<'_>> {
    let (_protocol, rest) = binary(body)?;
    let (_level, rest) = rest.split_first()?;
    let (flags, rest) = rest.split_first()?;
    let (keep_alive_secs, rest) = two(rest)?;
    let (props, rest) = properties(rest, v5)?;
    let (client_id, mut rest) = text(rest)?;
    let mut will = None;
    if flags & 0b100 != 0 {
        let (properties, after) = properties(rest, v5)?;
        let (topic, after) = text(after)?;
        let (payload, after) = binary(after)?;
        will = Some(Will { qos: flags >> 3 & 3, topic, payload, properties });
        rest = after;
    }
    let mut user_name = None;
    if flags & 0x80 != 0 {
        let (name, after) = text(rest)?;
        (user_name, rest) = (Some(name), after);
    }
    let password = if flags & 0x40 != 0 { Some(binary(rest)?.0) } else { None };
    let clean = flags & 0b10 != 0;
    Some(Connect { clean, keep_alive_secs, client_id, properties: props, will, user_name, password })
}

#[inline(always)]
fn subscribe(body: &[u8], v5: bool) -> Option<Subscribe<'_>> {
    let (packet_id, rest) = two(body)?;
    let (properties, filters) = properties(rest, v5)?;
    let mut rest = filters;
    while !rest.is_empty() {
        rest = filter(rest)?.1;
    }
    Some(Subscribe { packet_id, properties, filters })
}

/// The first filter with its options, and the rest.
#[inline(always)]
pub fn filter(input: &[u8]) -> Option<((&str, u8), &[u8])> {
    let (filter, rest) = text(input)?;
    let (options, rest) = rest.split_first()?;
    Some(((filter, *options), rest))
}

/// The bytes of the properties, each within them, and the rest.
#[inline(always)]
fn properties(input: &[u8], v5: bool) -> Option<(&[u8], &[u8])> {
    if !v5 {
        return Some((&[], input));
    }
    let (length, rest) = variable(input)?;
    let (properties, rest) = rest.split_at_checked(length as usize)?;
    let mut left = properties;
    while !left.is_empty() {
        left = skip(left)?;
    }
    Some((properties, rest))
}

/// The properties one after the other.
pub fn each_property(bytes: &[u8]) -> impl Iterator<Item = Property<'_>> {
    let mut left = bytes;
    std::iter::from_fn(move || {
        let (property, rest) = first(left)?;
        left = rest;
        Some(property)
    })
}

/// The filters with their options, one after the other.
pub fn each_filter(bytes: &[u8]) -> impl Iterator<Item = (&str, u8)> {
    let mut left = bytes;
    std::iter::from_fn(move || {
        let (found, rest) = filter(left)?;
        left = rest;
        Some(found)
    })
}

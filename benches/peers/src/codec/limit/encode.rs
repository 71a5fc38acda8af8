//! Encoding by hand, into a slice that has room.

use super::property::Property;

/// What the cases encode: a message, or an acknowledgement.
#[derive(Clone, Debug)]
pub enum Packet {
    Publish(Message),
    PubAck(u16),
}

/// A message as its sender has it.
#[derive(Clone, Debug)]
pub struct Message {
    pub flags: u8,
    pub topic: &'static str,
    pub packet_id: u16,
    /// None before 5.0.
    pub properties: Option<Vec<Property<'static>>>,
    pub payload: &'static [u8],
}

/// Writes a packet and says how long it is; `None` if there is no room.
#[inline(never)]
pub fn packet(packet: &Packet, out: &mut [u8]) -> Option<usize> {
    match packet {
        Packet::Publish(message) => {
            let start = out.len();
            let rest = put(head_into(message, out)?, message.payload)?;
            Some(start - rest.len())
        }
        Packet::PubAck(id) => {
            let [high, low] = id.to_be_bytes();
            *out.first_chunk_mut()? = [0x40, 2, high, low];
            Some(4)
        }
    }
}

/// Writes all but the payload, and says how long it is.
#[inline(never)]
pub fn head(message: &Message, out: &mut [u8]) -> Option<usize> {
    let start = out.len();
    let rest = head_into(message, out)?;
    Some(start - rest.len())
}

/// Writes all but the payload; gives the room behind it.
#[inline]
fn head_into<'o>(message: &Message, out: &'o mut [u8]) -> Option<&'o mut [u8]> {
    let Message { flags, topic, packet_id, properties, payload } = message;
    let properties_len: usize = properties.iter().flatten().map(size).sum();
    let prefix = properties.as_ref().map_or(0, |_| variable_size(properties_len));
    let id_size = if flags & 0b0110 == 0 { 0 } else { 2 };
    let remaining = 2 + topic.len() + id_size + prefix + properties_len + payload.len();
    let out = put(out, &[0x30 | flags])?;
    let out = variable(out, remaining)?;
    let out = binary(out, topic.as_bytes())?;
    let mut out = if id_size == 0 { out } else { put(out, &packet_id.to_be_bytes())? };
    if let Some(properties) = properties {
        out = variable(out, properties_len)?;
        for property in properties {
            out = put_property(out, property)?;
        }
    }
    Some(out)
}

#[inline]
fn put<'o>(out: &'o mut [u8], bytes: &[u8]) -> Option<&'o mut [u8]> {
    let (room, rest) = out.split_at_mut_checked(bytes.len())?;
    room.copy_from_slice(bytes);
    Some(rest)
}

#[inline]
fn binary<'o>(out: &'o mut [u8], bytes: &[u8]) -> Option<&'o mut [u8]> {
    put(put(out, &(bytes.len() as u16).to_be_bytes())?, bytes)
}

#[inline]
fn variable(mut out: &mut [u8], mut value: usize) -> Option<&mut [u8]> {
    while value >= 128 {
        out = put(out, &[value as u8 | 0x80])?;
        value >>= 7;
    }
    put(out, &[value as u8])
}

#[inline]
fn variable_size(value: usize) -> usize {
    match value {
        0..128 => 1,
        128..16_384 => 2,
        16_384..2_097_152 => 3,
        _ => 4,
    }
}

#[inline]
fn size(property: &Property<'_>) -> usize {
    match property {
        Property::Byte(..) => 2,
        Property::Two(..) => 3,
        Property::Four(..) => 5,
        Property::Variable(_, value) => 1 + variable_size(*value as usize),
        Property::Bytes(_, bytes) => 3 + bytes.len(),
        Property::Pair(name, value) => 5 + name.len() + value.len(),
    }
}

#[inline]
fn put_property<'o>(out: &'o mut [u8], property: &Property<'_>) -> Option<&'o mut [u8]> {
    match property {
        Property::Byte(id, value) => put(out, &[*id, *value]),
        Property::Two(id, value) => put(put(out, &[*id])?, &value.to_be_bytes()),
        Property::Four(id, value) => put(put(out, &[*id])?, &value.to_be_bytes()),
        Property::Variable(id, value) => variable(put(out, &[*id])?, *value as usize),
        Property::Bytes(id, bytes) => binary(put(out, &[*id])?, bytes),
        Property::Pair(name, value) => binary(binary(put(out, &[0x26])?, name)?, value),
    }
}

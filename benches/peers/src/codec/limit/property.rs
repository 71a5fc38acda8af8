//! Properties, as far as their bounds go.

/// A property: its identifier and its value.
#[derive(Clone, Copy, Debug)]
pub enum Property<'a> {
    Byte(u8, u8),
    Two(u8, u16),
    Four(u8, u32),
    Variable(u8, u32),
    Bytes(u8, &'a [u8]),
    Pair(&'a [u8], &'a [u8]),
}

/// The first property of the input, and the rest.
#[inline(always)]
pub fn first(input: &[u8]) -> Option<(Property<'_>, &[u8])> {
    let (id, rest) = input.split_first()?;
    Some(match *id {
        0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28..=0x2A => {
            let (value, rest) = rest.split_first()?;
            (Property::Byte(*id, *value), rest)
        }
        0x13 | 0x21..=0x23 => {
            let (value, rest) = two(rest)?;
            (Property::Two(*id, value), rest)
        }
        0x02 | 0x11 | 0x18 | 0x27 => {
            let (value, rest) = rest.split_first_chunk()?;
            (Property::Four(*id, u32::from_be_bytes(*value)), rest)
        }
        0x0B => {
            let (value, rest) = variable(rest)?;
            (Property::Variable(*id, value), rest)
        }
        0x26 => {
            let (name, rest) = binary(rest)?;
            let (value, rest) = binary(rest)?;
            (Property::Pair(name, value), rest)
        }
        _ => {
            let (value, rest) = binary(rest)?;
            (Property::Bytes(*id, value), rest)
        }
    })
}

/// What is behind the first property of the input.
#[inline(always)]
pub fn skip(input: &[u8]) -> Option<&[u8]> {
    let (id, rest) = input.split_first()?;
    let size = match *id {
        0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28..=0x2A => 1,
        0x13 | 0x21..=0x23 => 2,
        0x02 | 0x11 | 0x18 | 0x27 => 4,
        0x0B => return Some(variable(rest)?.1),
        0x26 => return Some(binary(binary(rest)?.1)?.1),
        _ => return Some(binary(rest)?.1),
    };
    Some(rest.split_at_checked(size)?.1)
}

/// Two bytes, and the rest.
#[inline(always)]
pub fn two(input: &[u8]) -> Option<(u16, &[u8])> {
    let (value, rest) = input.split_first_chunk()?;
    Some((u16::from_be_bytes(*value), rest))
}

/// A variable byte integer, and the rest.
#[inline(always)]
pub fn variable(input: &[u8]) -> Option<(u32, &[u8])> {
    let mut value = 0;
    let mut rest = input;
    for shift in [0, 7, 14, 21] {
        let (byte, after) = rest.split_first()?;
        rest = after;
        value |= u32::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some((value, rest));
        }
    }
    None
}

/// Bytes behind their length, and the rest.
#[inline(always)]
pub fn binary(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = two(input)?;
    rest.split_at_checked(usize::from(length))
}

/// Text behind its length, and the rest.
#[inline(always)]
pub fn text(input: &[u8]) -> Option<(&str, &[u8])> {
    let (bytes, rest) = binary(input)?;
    Some((std::str::from_utf8(bytes).ok()?, rest))
}

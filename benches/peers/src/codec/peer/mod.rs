//! One file per crate: how it decodes and encodes the cases by the cheapest way its documentation shows, and what it
//! read, in our words.
//!
//! How each is treated, so that nobody pays for what is not the codec's:
//!
//! * Who reads a slice and borrows gets the slice.
//! * Who takes frames off a `BytesMut` gets one that holds many packets. Putting them there is not timed, nor is giving
//!   the memory back, and the buffer never runs empty, since a codec that then reserves more would allocate.
//! * Who takes the packet to encode by value gets clones that were made before.
//! * A packet that owns is dropped inside the timing, as it would be: who allocates also frees.
//! * The buffer to encode into is reused and has room.

pub mod kit;
pub mod limit;
pub mod mqttrs;
pub mod ntex;
pub mod ours;
pub mod protocol_core;
pub mod rmqtt;
pub mod rumqttc;
pub mod tiny;

use std::hint::black_box;

use bytes::BytesMut;

use super::case::Case;
use crate::timing::Contestant;

/// Looks at what was decoded or encoded, as the optimizer sees it; stops if it is an error.
#[inline(always)]
pub fn look<T, E>(result: &Result<T, E>) {
    match result {
        Ok(value) => {
            black_box(value);
        }
        Err(_) => stopped(),
    }
}

/// [`look`] for those who may say that more bytes are needed.
#[inline(always)]
pub fn look_in<T, E>(result: &Result<Option<T>, E>) {
    match result {
        Ok(Some(value)) => {
            black_box(value);
        }
        _ => stopped(),
    }
}

#[cold]
#[inline(never)]
pub fn stopped() {
    panic!("the answer was right before the clock ran, and is not now");
}

/// How many times a case is done between two refills: 256, or as many as the first cache holds, but 4 at the least.
pub fn batch(case: &Case) -> usize {
    (32 * 1024 / case.bytes.len()).clamp(4, 256)
}

/// One who takes frames off the front of a `BytesMut`, one per call of `decode`.
pub fn taking_frames(
    name: &'static str,
    case: &Case,
    mut decode: impl FnMut(&mut BytesMut) + 'static,
) -> Contestant {
    let (bytes, packets, batch) = (case.bytes, case.packets.len(), batch(case));
    // One time more than is taken.
    let all = bytes.repeat(batch + 1);
    Contestant::refilled(
        name,
        batch,
        BytesMut::with_capacity(all.len()),
        move |buffer| {
            buffer.clear();
            buffer.extend_from_slice(&all);
        },
        move |buffer| {
            for _ in 0..packets {
                decode(buffer);
            }
        },
    )
}

/// One who reads a slice and does not say how much of it was read, so that its user has to frame.
pub fn reading_frames(
    name: &'static str,
    case: &Case,
    mut decode: impl FnMut(&'static [u8]) + 'static,
) -> Contestant {
    let (bytes, packets) = (case.bytes, case.packets.len());
    if packets == 1 {
        return Contestant::repeated(name, move || decode(black_box(bytes)));
    }
    Contestant::repeated(name, move || {
        let mut rest = black_box(bytes);
        while let Some((packet, after)) = rest.split_at_checked(frame_len(rest)) {
            if packet.is_empty() {
                break;
            }
            decode(packet);
            rest = after;
        }
    })
}

/// The size of the first packet of bytes that are right; 0 at their end.
#[inline]
pub fn frame_len(bytes: &[u8]) -> usize {
    let mut length = 0;
    for (position, byte) in bytes.iter().enumerate().skip(1).take(4) {
        length |= usize::from(byte & 0x7F) << (7 * (position - 1));
        if byte & 0x80 == 0 {
            return position + 1 + length;
        }
    }
    0
}

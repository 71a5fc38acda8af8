//! Any bytes as a stream.

use bytes::BytesMut;
use headwater_codec::frame::{self, Limits, Status};
use headwater_codec::framed::{CodecError, PacketCodec};
use headwater_codec::{DecodeError, FrameReader, PacketType, Version};
use tokio_util::codec::Decoder;

/// Where the frames of a stream end, and the error it ended in.
#[derive(Debug, Default, PartialEq, Eq)]
struct Frames {
    ends: Vec<usize>,
    error: Option<DecodeError>,
}

impl Frames {
    /// Takes the next frame, which is the next part of the stream, byte by byte: nothing is left out or made up.
    fn push(&mut self, frame: &[u8], stream: &[u8]) {
        let begin = self.ends.last().copied().unwrap_or(0);
        let end = begin + frame.len();
        assert_eq!(stream.get(begin..end), Some(frame), "a frame is as it came");
        self.ends.push(end);
    }

    fn failed(self, error: DecodeError) -> Self {
        Self { error: Some(error), ..self }
    }
}

/// Any bytes as a stream: any split of it, and each of the three ways to frame it, gives the same frames and the same error.
///
/// The first byte chooses the split, the second the limits.
///
/// # Panics
///
/// When the split or the way makes a difference, when a frame is not as it came, or a reader asks for fewer bytes than it
/// needs.
pub fn stream(input: &[u8]) {
    let [split, limits, bytes @ ..] = input else { return };
    let limits = limits_of(*limits);
    let whole = by_reader(bytes, &[bytes], limits);
    let pieces = pieces(bytes, *split);
    assert_eq!(by_reader(bytes, &pieces, limits), whole, "in {} pieces", pieces.len());
    assert_eq!(by_codec(bytes, &pieces, limits), whole, "by the codec for tokio-util");
    assert_eq!(by_slices(bytes, &limits), whole, "in the caller's slice");
}

/// Limits that a byte stands for.
fn limits_of(byte: u8) -> Limits {
    let limits = match byte & 0b11 {
        0 => Limits::PROTOCOL,
        1 => Limits::new(1 << 16),
        2 => Limits::new(u32::from(byte)),
        _ => Limits::default().with(PacketType::Connect, u32::from(byte)),
    };
    if byte & 0b100 == 0 { limits } else { limits.with_overlong_lengths() }
}

/// The stream in pieces of two sizes in turn, 1 to 16 bytes each, or 0 to 15 times as many.
fn pieces(bytes: &[u8], split: u8) -> Vec<&[u8]> {
    let (small, large) = (usize::from(split & 0x0F) + 1, usize::from(split >> 4) * 16 + 1);
    let mut pieces = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let size = if pieces.len() % 2 == 0 { small } else { large };
        let (piece, after) = rest.split_at(size.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

fn by_reader(stream: &[u8], pieces: &[&[u8]], limits: Limits) -> Frames {
    let mut reader = FrameReader::new(limits);
    let mut found = Frames::default();
    // What was there, and what more was asked for.
    let mut enough = 0;
    for piece in pieces {
        reader.extend(piece);
        loop {
            let before = reader.buffered();
            match reader.next_frame() {
                Ok(Some(frame)) => {
                    assert!(before >= enough, "complete with {before} bytes, {enough} were asked for");
                    assert_eq!(frame.bytes().len(), frame.header().packet_len());
                    assert_eq!(reader.buffered() + frame.bytes().len(), before);
                    found.push(frame.bytes(), stream);
                    enough = 0;
                }
                Ok(None) => {
                    let needed = reader.needed();
                    assert!(needed > 0, "nothing is needed and nothing comes");
                    enough = before + needed;
                    break;
                }
                Err(error) => {
                    assert_eq!(reader.next_frame(), Err(error), "it stays failed");
                    assert_eq!((reader.buffered(), reader.needed()), (0, 0));
                    return found.failed(error);
                }
            }
        }
    }
    found
}

fn by_codec(stream: &[u8], pieces: &[&[u8]], limits: Limits) -> Frames {
    let mut codec = PacketCodec::new(Version::V5, limits);
    let mut buffer = BytesMut::new();
    let mut found = Frames::default();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match codec.decode(&mut buffer) {
                Ok(Some(frame)) => found.push(frame.bytes(), stream),
                Ok(None) => break,
                Err(CodecError::Decode(error)) => return found.failed(error),
                Err(other) => unreachable!("{other} while decoding"),
            }
        }
    }
    found
}

fn by_slices(stream: &[u8], limits: &Limits) -> Frames {
    let mut found = Frames::default();
    let mut rest = stream;
    loop {
        match frame::first(rest, limits) {
            Ok(Status::Complete(packet)) => {
                found.push(packet, stream);
                rest = rest.get(packet.len()..).unwrap_or_default();
            }
            Ok(Status::Partial { needed }) => {
                assert!(needed > 0, "nothing is needed and nothing comes");
                return found;
            }
            Err(error) => return found.failed(error),
        }
    }
}

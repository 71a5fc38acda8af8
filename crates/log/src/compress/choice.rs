use crate::batch::Codec;

pub(super) const NONE: u8 = Codec::NONE.0;
pub(super) const GZIP: u8 = Codec::GZIP.0;
pub(super) const SNAPPY: u8 = Codec::SNAPPY.0;
pub(super) const LZ4: u8 = Codec::LZ4.0;
pub(super) const ZSTD: u8 = Codec::ZSTD.0;

/// What records are compressed with when they are written: the values of Kafka's `compression.type` but `producer`.
///
/// A codec is there with the crate's feature of its name: `lz4`, `snappy` and `gzip`, which are on by default, and `zstd`,
/// which needs a C compiler. Options that name one that is not are refused. LZ4 and Snappy have no levels here.
///
/// # Examples
///
/// ```
/// use headwater_log::{Codec, Compression, TopicOptions};
///
/// let options = TopicOptions::default().compression(Some(Compression::Lz4));
/// assert_eq!(options.compression.map(Compression::codec), Some(Codec::LZ4));
/// assert_eq!(Compression::ZSTD, Compression::Zstd { level: 3 });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not compressed: Kafka's `uncompressed`.
    None,
    /// An LZ4 frame of independent blocks of 64 KiB: fast both ways.
    Lz4,
    /// A Zstandard frame: the smallest.
    Zstd {
        /// From 1, fast, to 22, small: Kafka's `compression.zstd.level`, without those below 0.
        level: u8,
    },
    /// Snappy blocks of 32 KiB in the framing of the Java library.
    Snappy,
    /// A gzip member: what everybody can read.
    Gzip {
        /// From 1, fast, to 9, small: Kafka's `compression.gzip.level`.
        level: u8,
    },
}

impl Compression {
    /// Zstandard with the level that Kafka's clients take.
    pub const ZSTD: Self = Self::Zstd { level: 3 };
    /// gzip with the level that Kafka's clients take.
    pub const GZIP: Self = Self::Gzip { level: 6 };

    /// The codec that a batch names which was compressed so.
    #[must_use]
    pub const fn codec(self) -> Codec {
        match self {
            Self::None => Codec::NONE,
            Self::Lz4 => Codec::LZ4,
            Self::Zstd { .. } => Codec::ZSTD,
            Self::Snappy => Codec::SNAPPY,
            Self::Gzip { .. } => Codec::GZIP,
        }
    }
}

/// What a codec, by Kafka's number, is written with where nothing says with which level; `None` when there is no such codec.
pub(crate) fn of_codec(codec: u8) -> Option<Compression> {
    let all =
        [Compression::None, Compression::Lz4, Compression::ZSTD, Compression::Snappy, Compression::GZIP];
    all.into_iter().find(|compression| compression.codec().0 == codec)
}

/// A topic's choice as one number, so that appends read it without a lock: the codec, and its level above that. 0xff is no choice.
pub(crate) fn to_bits(choice: Option<Compression>) -> u16 {
    let level = match choice {
        Some(Compression::Zstd { level } | Compression::Gzip { level }) => level,
        _ => 0,
    };
    u16::from_be_bytes([level, choice.map_or(0xff, |compression| compression.codec().0)])
}

/// Undoes [`to_bits`].
pub(crate) fn from_bits(bits: u16) -> Option<Compression> {
    let [level, codec] = bits.to_be_bytes();
    Some(match codec {
        NONE => Compression::None,
        LZ4 => Compression::Lz4,
        ZSTD => Compression::Zstd { level },
        SNAPPY => Compression::Snappy,
        GZIP => Compression::Gzip { level },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_comes_back_from_its_number() {
        let levels = (1..=22).flat_map(|level| [Compression::Zstd { level }, Compression::Gzip { level }]);
        let choices = [Compression::None, Compression::Lz4, Compression::Snappy].into_iter().chain(levels);
        for choice in choices.map(Some).chain([None]) {
            assert_eq!(from_bits(to_bits(choice)), choice);
        }
    }
}

//! Bytes that are to be strings, looked at eight at a time.
//!
//! Nearly every string on the wire is plain ASCII, for which one pass over its words shows all that is to be shown.
//! Anything else is left to the standard library and to a look at each byte.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// True if every byte is from 0x01 to 0x7F, so that the bytes are a string as MQTT wants it (section 1.5.4).
#[inline]
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    if let Some((first, last)) = halves(bytes) {
        return all_16_are_plain(first) & all_16_are_plain(last);
    }
    // A zero byte borrows from its own highest bit; one above 0x7F has it set; no other byte of such a word does.
    fold(bytes, |word| word.wrapping_sub(ONES) | word) & HIGH == 0
}

/// Most strings that are not short have from 16 to 32 bytes, which two halves that may overlap cover.
#[inline(always)]
fn halves(bytes: &[u8]) -> Option<(&[u8; 16], &[u8; 16])> {
    if bytes.len() > 32 {
        return None;
    }
    Some((bytes.first_chunk()?, bytes.last_chunk()?))
}

/// Without a branch, so that it becomes a few vector instructions.
#[inline(always)]
fn all_16_are_plain(bytes: &[u8; 16]) -> bool {
    bytes.iter().fold(true, |all, byte| all & (byte.cast_signed() > 0))
}

/// As [`all_16_are_plain`], without a branch.
#[inline(always)]
fn any_of_16_is_null(bytes: &[u8; 16]) -> bool {
    bytes.iter().fold(false, |any, byte| any | (*byte == 0))
}

/// True if the text has a U+0000. [MQTT-1.5.4-2]
#[inline]
pub(crate) fn has_null(text: &str) -> bool {
    if let Some((first, last)) = halves(text.as_bytes()) {
        return any_of_16_is_null(first) | any_of_16_is_null(last);
    }
    fold(text.as_bytes(), |word| word.wrapping_sub(ONES) & !word) & HIGH != 0
}

/// Whatever a function says of each word, with what it says of every other. The last word overlaps the one before it;
/// fewer than eight bytes are filled up by a byte that has nothing to it.
#[inline]
fn fold(bytes: &[u8], look: impl Fn(u64) -> u64) -> u64 {
    if let Some(last) = bytes.last_chunk::<8>() {
        let (words, _) = bytes.as_chunks::<8>();
        let last = look(u64::from_le_bytes(*last));
        return words.iter().fold(last, |seen, word| seen | look(u64::from_le_bytes(*word)));
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return look(u64::from(first) | u64::from(last) << 32);
    }
    look(bytes.iter().fold(ONES, |word, byte| word << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_what_bytes_say() {
        const INTEREST: [u8; 9] = [0, 1, 2, b'a', 0x7E, 0x7F, 0x80, 0x81, 0xFF];
        for filler in [1, b'a', 0x7F] {
            for length in (0..36).chain([39, 40, 41, 64, 65]) {
                let mut room = [filler; 65];
                let bytes = &mut room[..length];
                assert!(is_plain(bytes));
                for place in 0..length {
                    for byte in INTEREST {
                        bytes[place] = byte;
                        assert_eq!(is_plain(bytes), (1..0x80).contains(&byte), "{bytes:?}");
                        if let Ok(text) = core::str::from_utf8(bytes) {
                            assert_eq!(has_null(text), byte == 0, "{bytes:?}");
                        }
                    }
                    bytes[place] = filler;
                }
            }
        }
    }

    #[test]
    fn a_null_is_found_among_letters_of_any_size() {
        for text in ["é", "\u{10FFFF}", "\u{80}\u{7FF}", "aé\u{1}\u{10000}", "éééééééééééé"] {
            assert!(!has_null(text) && !is_plain(text.as_bytes()));
            for (place, _) in text.char_indices() {
                let (before, after) = text.split_at(place);
                assert!(has_null(&std::format!("{before}\0{after}")));
            }
        }
    }
}

//! The order in which `/` is the lowest character.
//!
//! ```text
//!   order of bytes    a   a!   a/   a/b   ab        the names below `a` have `a!` between them and `a`
//!   order of levels   a   a/   a/b   a!   ab        a name, then all below it, then the next: one unbroken run
//! ```

use core::cmp::Ordering;

use crate::scan;

/// Compares by the first byte that differs, `/` below all others. U+0000, which takes the same rank, is in no name.
/// [MQTT-4.7.3-2]
#[inline]
pub(super) fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let rank = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
    let same = scan::common_prefix(a, b);
    a.get(same).map(rank).cmp(&b.get(same).map(rank))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_all_below_it_are_one_unbroken_run() {
        let mut texts = ["ab", "a!", "a/b", "a", "/", "a/", "a/b/c", "", "a/b!"];
        texts.sort_by(|a, b| compare(a.as_bytes(), b.as_bytes()));
        assert_eq!(texts, ["", "/", "a", "a/", "a/b", "a/b/c", "a/b!", "a!", "ab"]);
    }

    #[test]
    fn the_first_byte_that_differs_decides_wherever_it_is() {
        for place in 0..40 {
            let (mut a, mut b) = ([b'x'; 40], [b'x'; 40]);
            assert_eq!(compare(&a, &b), Ordering::Equal);
            assert_eq!(compare(&a[..place], &b), Ordering::Less);
            (a[place], b[place]) = (b'/', b'!');
            assert_eq!((compare(&a, &b), compare(&b, &a)), (Ordering::Less, Ordering::Greater));
            b[place + 1..].fill(b'a');
            assert_eq!(compare(&a, &b), Ordering::Less);
        }
    }
}

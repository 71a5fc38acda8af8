//! Names in the order in which `/` is the lowest character.
//!
//! ```text
//!   order of bytes    a   a!   a/   a/b   ab        the names below `a` have `a!` between them and `a`
//!   order of levels   a   a/   a/b   a!   ab        a name, then all below it, then the next: one unbroken run
//! ```

use alloc::boxed::Box;
use core::borrow::Borrow;
use core::cmp::Ordering;

/// The text of a name, compared level by level.
#[derive(Clone, Debug)]
pub(super) struct Key(pub(super) Box<str>);

/// A text in level order, owned or not: what [`Key`]s are looked up by, so that no lookup copies its text.
pub(super) trait LevelOrder {
    /// The text.
    fn text(&self) -> &str;
}

impl LevelOrder for Key {
    fn text(&self) -> &str {
        &self.0
    }
}

impl LevelOrder for &str {
    fn text(&self) -> &str {
        self
    }
}

/// Compares byte by byte, `/` below all others. U+0000, which takes the same rank, is in no name. [MQTT-4.7.3-2]
fn compare(a: &str, b: &str) -> Ordering {
    let rank = |byte: u8| if byte == b'/' { 0 } else { byte };
    a.bytes().map(rank).cmp(b.bytes().map(rank))
}

impl Ord for dyn LevelOrder + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.text(), other.text())
    }
}

impl PartialOrd for dyn LevelOrder + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for dyn LevelOrder + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for dyn LevelOrder + '_ {}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Key {}

// Lawful: owned and borrowed are compared by the same function.
impl<'a> Borrow<dyn LevelOrder + 'a> for Key {
    fn borrow(&self) -> &(dyn LevelOrder + 'a) {
        self
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn a_name_and_all_below_it_are_one_unbroken_run() {
        let mut keys: Vec<Key> = ["ab", "a!", "a/b", "a", "/", "a/", "a/b/c", "", "a/b!"]
            .into_iter()
            .map(|text| Key(text.into()))
            .collect();
        keys.sort();
        let sorted: Vec<&str> = keys.iter().map(LevelOrder::text).collect();
        assert_eq!(sorted, ["", "/", "a", "a/", "a/b", "a/b/c", "a/b!", "a!", "ab"]);
    }

    #[test]
    fn borrowed_texts_are_ordered_as_keys_are() {
        for (a, b) in [("a/b", "a!"), ("a", "a/"), ("x", "x")] {
            let borrowed = (&a as &dyn LevelOrder).cmp(&b as &dyn LevelOrder);
            assert_eq!(borrowed, Key(a.into()).cmp(&Key(b.into())), "{a} {b}");
        }
    }
}

//! All names in order, in blocks.
//!
//! ```text
//!   blocks   [ a .. f ]  [ g .. k ]  [ l .. z ]     each of up to 64 names: to seek, one is found, and in it the name
//! ```
//!
//! Names that are sought one after the other are near each other most often, so a search begins in the block where the last
//! one ended.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::block::Block;

/// A map from names to values in the order of levels.
#[derive(Clone, Debug)]
pub(super) struct Names<V> {
    // Boxed, so that a new one among many moves little.
    #[expect(
        clippy::vec_box,
        reason = "a block in place is nine times as wide, and all behind a new one are moved"
    )]
    blocks: Vec<Box<Block<V>>>,
    len: usize,
}

/// Where a name is; or, as the lowest of a search that found nothing, where it would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    block: usize,
    index: usize,
}

impl Place {
    /// The place behind it.
    pub(super) const fn next(self) -> Self {
        Self { index: self.index + 1, ..self }
    }
}

impl<V> Names<V> {
    pub(super) const fn new() -> Self {
        Self { blocks: Vec::new(), len: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// What is at a place, and the place behind it; `None` behind the last.
    #[inline]
    pub(super) fn at(&self, place: Place) -> Option<(&str, &V, Place)> {
        let block = self.blocks.get(place.block)?;
        match block.name(place.index) {
            Some(name) => Some((name, block.value(place.index)?, place.next())),
            None => self.at_start_of(place.block + 1),
        }
    }

    fn at_start_of(&self, index: usize) -> Option<(&str, &V, Place)> {
        let block = self.blocks.get(index)?;
        Some((block.name(0)?, block.value(0)?, Place { block: index, index: 1 }))
    }

    /// Where a name is, or else where it would be.
    pub(super) fn find(&self, text: &str) -> Result<Place, Place> {
        // The last block whose first name is not above the text.
        let block = self.blocks.partition_point(|block| block.is_in_reach(text)).saturating_sub(1);
        self.find_in(Place { block, index: 0 }, text)
    }

    /// As [`find`](Self::find); nothing before `from` is looked at, and the farther it is the longer it takes.
    pub(super) fn find_from(&self, from: Place, text: &str) -> Result<Place, Place> {
        if self.blocks.get(from.block).is_none_or(|here| here.ends_in_reach(text)) {
            return self.find_in(from, text);
        }
        // So far as twice the distance is looked for it.
        let rest = self.blocks.get(from.block + 1..).unwrap_or_default();
        let mut reach = 1;
        while rest.get(reach - 1).is_some_and(|block| block.is_in_reach(text)) {
            reach *= 2;
        }
        let near = rest.get(..reach.min(rest.len())).unwrap_or_default();
        match near.partition_point(|block| block.is_in_reach(text)) {
            0 => self.find_in(from, text),
            more => self.find_in(Place { block: from.block + more, index: 0 }, text),
        }
    }

    fn find_in(&self, from: Place, text: &str) -> Result<Place, Place> {
        let place = |index| Place { index, ..from };
        match self.blocks.get(from.block) {
            Some(block) => block.find(from.index, text).map(place).map_err(place),
            None => Err(from),
        }
    }

    pub(super) fn get(&self, text: &str) -> Option<&V> {
        let place = self.find(text).ok()?;
        self.blocks.get(place.block)?.value(place.index)
    }

    pub(super) fn insert(&mut self, text: &str, value: V) -> Option<V> {
        let place = match self.find(text) {
            Ok(place) => {
                let old = self.blocks.get_mut(place.block)?.value_mut(place.index)?;
                return Some(core::mem::replace(old, value));
            }
            Err(place) => place,
        };
        if self.blocks.is_empty() {
            self.blocks.push(Box::new(Block::new()));
        }
        self.len += 1;
        let block = self.blocks.get_mut(place.block)?;
        block.insert(place.index, text, value);
        if block.is_too_large() {
            let upper = block.split();
            self.blocks.insert(place.block + 1, Box::new(upper));
        }
        None
    }

    pub(super) fn remove(&mut self, text: &str) -> Option<V> {
        let place = self.find(text).ok()?;
        let block = self.blocks.get_mut(place.block)?;
        let value = block.remove(place.index)?;
        self.len -= 1;
        if block.is_empty() {
            self.blocks.remove(place.block);
        } else if !self.merge(place.block) && place.block > 0 {
            self.merge(place.block - 1);
        }
        if self.blocks.len() < self.blocks.capacity() / 4 {
            self.blocks.shrink_to(self.blocks.len() * 2);
        }
        Some(value)
    }

    /// Makes one block of this and the next, if both are small.
    fn merge(&mut self, index: usize) -> bool {
        let fits = match self.blocks.get(index..) {
            Some([block, next, ..]) => block.fits(next),
            _ => false,
        };
        if fits {
            let next = self.blocks.remove(index + 1);
            if let Some(block) = self.blocks.get_mut(index) {
                block.append(*next);
            }
        }
        fits
    }

    /// All names with their values, in order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &V)> + ExactSizeIterator {
        Counted { items: self.blocks.iter().flat_map(|block| block.iter()), left: self.len }
    }
}

/// An iterator of which is known how many items are left.
struct Counted<I> {
    items: I,
    left: usize,
}

impl<I: Iterator> Iterator for Counted<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        let item = self.items.next()?;
        self.left -= 1;
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<I: DoubleEndedIterator> DoubleEndedIterator for Counted<I> {
    fn next_back(&mut self) -> Option<I::Item> {
        let item = self.items.next_back()?;
        self.left -= 1;
        Some(item)
    }
}

impl<I: Iterator> ExactSizeIterator for Counted<I> {}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::format;
    use alloc::string::String;
    use alloc::vec;

    use super::super::block::{BYTES_MAX, NAMES_MAX};
    use super::*;

    /// Numbers without pattern, the same each time.
    struct Numbers(u64);

    impl Numbers {
        fn next(&mut self, below: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % below
        }
    }

    /// The texts as lists of levels, whose order is that of the names.
    type Model = BTreeMap<Vec<String>, u64>;

    fn key(text: &str) -> Vec<String> {
        text.split('/').map(String::from).collect()
    }

    fn check(names: &Names<u64>, model: &Model) {
        assert_eq!(names.len(), model.len());
        let texts = || model.iter().map(|(key, value)| (key.join("/"), *value));
        assert!(names.iter().map(|(text, value)| (String::from(text), *value)).eq(texts()));
        assert!(names.iter().rev().map(|(text, value)| (String::from(text), *value)).eq(texts().rev()));
        for block in &names.blocks {
            assert!(!block.is_empty() && block.len() <= NAMES_MAX);
            assert!(
                block.iter().map(|(text, _)| text.len()).sum::<usize>() <= BYTES_MAX + 2 * 9_000
                    || block.len() == 1
            );
            assert!(block.is_in_reach(block.name(0).unwrap()));
        }
        // From each place to each other, near and far.
        let mut place = Some(Place { block: 0, index: 0 });
        let step = model.len() / 7 + 1;
        while let Some((text, _, next)) = place.take().and_then(|place| names.at(place)) {
            for (key, _) in model.iter().step_by(step) {
                let target = key.join("/");
                if compare_texts(&target, text).is_gt() {
                    assert_eq!(names.find_from(next, &target), names.find(&target), "{target} from {text}");
                }
            }
            place = Some(next);
        }
    }

    fn compare_texts(a: &str, b: &str) -> core::cmp::Ordering {
        key(a).cmp(&key(b))
    }

    #[test]
    fn is_the_ordered_map_whatever_is_done_to_it() {
        let mut numbers = Numbers(7);
        let (mut names, mut model) = (Names::new(), Model::new());
        // Grows, then shrinks to nothing, with long names among short ones.
        for round in 0..40_u64 {
            let growing = round < 20;
            for _ in 0..100 {
                let (a, b, c) = (numbers.next(12), numbers.next(12), numbers.next(12));
                let text = match numbers.next(60) {
                    0 => format!("{a}/{}", "long".repeat(2_000)),
                    1..20 => format!("{a}"),
                    20..40 => format!("{a}/{b}!"),
                    _ => format!("{a}/{b}/{c}"),
                };
                if growing || numbers.next(10) == 0 {
                    assert_eq!(names.insert(&text, round), model.insert(key(&text), round));
                } else {
                    let nth = usize::try_from(numbers.next(model.len() as u64 + 1)).unwrap();
                    let text = model.keys().nth(nth).map_or(text, |key| key.join("/"));
                    assert_eq!(names.get(&text), model.get(&key(&text)));
                    assert_eq!(names.remove(&text), model.remove(&key(&text)));
                }
            }
            check(&names, &model);
        }
        for key in model.into_keys() {
            assert!(names.remove(&key.join("/")).is_some());
        }
        assert_eq!((names.len(), names.blocks.capacity()), (0, 0));
    }

    #[test]
    fn blocks_that_were_emptied_most_are_joined() {
        let texts: Vec<String> = (0..20_000).map(|number| format!("{number:05}")).collect();
        let mut names = Names::new();
        for text in &texts {
            names.insert(text, ());
        }
        assert!(names.blocks.len() <= texts.len() / (NAMES_MAX / 2));
        for text in texts.iter().filter(|text| !text.ends_with("00")) {
            assert!(names.remove(text).is_some());
        }
        assert!(names.iter().map(|(text, ())| text).eq(texts.iter().step_by(100)));
        assert!(names.blocks.len() <= 200 / (NAMES_MAX / 8), "{} blocks for 200 names", names.blocks.len());
        assert_eq!(vec![names.get("00100"), names.get("00101")], [Some(&()), None]);
    }
}

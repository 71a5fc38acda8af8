//! The topics of some records, each once.

use headwater_topic::TopicName;

use super::keys::hash;

/// Topics in the order in which they came. One that is there already costs no memory, another one no allocation of its own.
#[derive(Debug, Default)]
pub(crate) struct Names {
    text: String,
    /// Of each: what its text comes to, and where it ends.
    each: Vec<(u64, usize)>,
    /// Places, found by their hash; `EMPTY` where none is. A power of two of them, at most half in use.
    table: Vec<u32>,
}

const EMPTY: u32 = u32::MAX;
const TABLE_MIN: usize = 64;

impl Names {
    /// The place of a topic, or, if it is not there, its hash.
    pub(super) fn find(&self, topic: &[u8]) -> Result<u32, u64> {
        let hash = hash(topic);
        let mut at = self.first(hash);
        loop {
            let place = self.table.get(at).copied().filter(|place| *place != EMPTY).ok_or(hash)?;
            if self.each(place).is_some_and(|(found, text)| found == hash && text.as_bytes() == topic) {
                return Ok(place);
            }
            at = (at + 1) & (self.table.len() - 1);
        }
    }

    /// Adds one that is not there, whose hash this is, and gives its place; `None` if there are as many as can be.
    pub(super) fn add(&mut self, topic: TopicName<'_>, hash: u64) -> Option<u32> {
        let place = u32::try_from(self.each.len()).ok().filter(|place| *place != EMPTY)?;
        self.text.push_str(topic.as_str());
        self.each.push((hash, self.text.len()));
        if self.each.len() * 2 > self.table.len() {
            self.grow();
        } else {
            self.enter(hash, place);
        }
        Some(place)
    }

    fn grow(&mut self) {
        self.table = vec![EMPTY; (self.table.len() * 2).max(TABLE_MIN)];
        let hashes: Vec<u64> = self.each.iter().map(|(hash, _)| *hash).collect();
        (0..).zip(hashes).for_each(|(place, hash)| self.enter(hash, place));
    }

    fn enter(&mut self, hash: u64, place: u32) {
        let mut at = self.first(hash);
        while let Some(slot) = self.table.get_mut(at) {
            if *slot == EMPTY {
                *slot = place;
                return;
            }
            at = (at + 1) & (self.table.len() - 1);
        }
    }

    /// Where to look first; nowhere if there is no table.
    fn first(&self, hash: u64) -> usize {
        let mask = self.table.len().wrapping_sub(1);
        usize::try_from(hash >> 32).unwrap_or(0) & mask
    }

    fn each(&self, place: u32) -> Option<(u64, &str)> {
        let index = usize::try_from(place).ok()?;
        let (hash, end) = *self.each.get(index)?;
        let begin = index.checked_sub(1).and_then(|before| self.each.get(before)).map_or(0, |(_, end)| *end);
        Some((hash, self.text.get(begin..end)?))
    }

    /// All of them, by their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = TopicName<'_>> {
        let texts = (0..).map_while(|place| self.each(place));
        texts.filter_map(|(_, text)| TopicName::parse(text).ok())
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.each.clear();
        self.table.fill(EMPTY);
    }

    /// The same without room for more, and without the way to find any.
    pub(super) fn closed(mut self) -> Self {
        self.table = Vec::new();
        self.text.shrink_to_fit();
        self.each.shrink_to_fit();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_there_once_in_the_order_in_which_it_came() {
        let mut names = Names::default();
        assert_eq!(names.find(b"0"), Err(hash(b"0")));
        for round in 0..3 {
            for number in 0..1_000_u32 {
                let text = number.to_string();
                match names.find(text.as_bytes()) {
                    Ok(place) => assert_eq!((place, round > 0), (number, true)),
                    Err(hash) => assert_eq!(names.add(TopicName::parse(&text).unwrap(), hash), Some(number)),
                }
            }
        }
        let texts = || (0..1_000).map(|number: u32| number.to_string());
        assert!(names.iter().map(|name| name.as_str().to_owned()).eq(texts()));
        assert!(names.find(b"1000").is_err());
        names.clear();
        assert_eq!((names.find(b"7").is_err(), names.iter().count()), (true, 0));
    }
}

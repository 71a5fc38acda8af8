//! What of a topic is written down, and what of it a filter asks for.
//!
//! ```text
//!   topic  site/7/line/3    "site"  "site/7"  "site/7/line"  "site/7/line/3"     its beginnings
//!                           1:"7"  2:"line"  3:"3"                               its levels behind the first
//!   filter site/7/+/3       "site/7"  3:"3"
//!   filter +/7/#            1:"7"
//!   filter #                asks for nothing: it cannot be skipped for
//! ```

use headwater_topic::{TopicFilter, TopicName};

use super::bits::Bits;

/// So many levels are written down: those behind are not asked for.
const LEVELS_MAX: usize = 8;

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const FACTOR: u64 = 0xd6e8_feb8_6659_fd93;
/// What tells a level from a beginning.
const LEVEL: u64 = 0xa076_1d64_78bd_642f;

/// Mixes two numbers, every bit of which counts in every bit of the result.
fn mix(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    let [low, high] =
        [product & u128::from(u64::MAX), product >> 64].map(|half| u64::try_from(half).unwrap_or(0));
    low ^ high
}

/// A number for some bytes. Who finds others with the same number makes us read in vain, no more: it needs no secret.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut sum = SEED ^ u64::try_from(bytes.len()).unwrap_or(0);
    for word in words {
        sum = mix(sum ^ u64::from_le_bytes(*word), FACTOR);
    }
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    mix(mix(sum ^ u64::from_le_bytes(last), FACTOR) ^ SEED, FACTOR)
}

/// The beginning that ends with this level, behind another one.
fn beginning(before: Option<u64>, level: u64) -> u64 {
    before.map_or(level, |before| mix(before ^ SEED, level | 1) ^ level)
}

/// A level in its place.
fn in_place(index: usize, level: u64) -> u64 {
    mix(level ^ LEVEL, FACTOR ^ u64::try_from(index).unwrap_or(0))
}

/// Writes a topic down.
pub(super) fn insert(topic: TopicName<'_>, bits: &mut Bits) {
    let mut before = None;
    for (index, level) in topic.levels().take(LEVELS_MAX).enumerate() {
        let level = hash(level.as_bytes());
        let now = beginning(before, level);
        bits.insert(now);
        if index > 0 {
            bits.insert(in_place(index, level));
        }
        before = Some(now);
    }
}

/// What filters ask for: of one of them, all keys have to be there.
#[derive(Debug)]
pub(crate) struct Probes {
    each: Box<[Box<[u64]>]>,
}

impl Probes {
    /// `None` if a filter asks for nothing, so that nothing can be skipped.
    pub(crate) fn of<'a>(filters: impl Iterator<Item = TopicFilter<'a>>) -> Option<Self> {
        Some(Self { each: filters.map(probe).collect::<Option<_>>()? })
    }

    /// Whether a topic that was written down may match one of the filters.
    pub(super) fn may_match(&self, bits: &Bits) -> bool {
        self.each.iter().any(|keys| keys.iter().all(|key| bits.may_have(*key)))
    }

    pub(super) fn len(&self) -> usize {
        self.each.len()
    }
}

fn probe(filter: TopicFilter<'_>) -> Option<Box<[u64]>> {
    let mut levels = filter.levels().take(LEVELS_MAX).enumerate().peekable();
    let mut begins = None;
    while let Some((_, level)) = levels.next_if(|(_, level)| !is_wildcard(level)) {
        begins = Some(beginning(begins, hash(level.as_bytes())));
    }
    let literal = levels.filter(|(_, level)| !is_wildcard(level));
    let keys =
        begins.into_iter().chain(literal.map(|(index, level)| in_place(index, hash(level.as_bytes()))));
    Some(keys.collect::<Box<[u64]>>()).filter(|keys| !keys.is_empty())
}

fn is_wildcard(level: &str) -> bool {
    matches!(level, "+" | "#")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Texts of up to ten levels over a few words, so that many match.
    fn text(words: &'static [&'static str]) -> impl Strategy<Value = String> {
        let level = proptest::sample::select(words);
        proptest::collection::vec(level, 1..10).prop_map(|levels| levels.join("/"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn a_topic_that_a_filter_matches_is_never_missed(
            topics in proptest::collection::vec(text(&["a", "b", "", "$c", "temperature"]), 1..6),
            filter in text(&["a", "b", "", "$c", "temperature", "+", "+", "#"]),
        ) {
            let mut bits = Bits::new();
            let topics: Vec<_> = topics.iter().filter_map(|topic| TopicName::parse(topic).ok()).collect();
            topics.iter().for_each(|topic| insert(*topic, &mut bits));
            let bits = bits.folded().unwrap();
            if let Ok(filter) = TopicFilter::parse(&filter) {
                let matches = topics.iter().any(|topic| filter.matches(*topic));
                let may_match = Probes::of([filter].into_iter()).is_none_or(|probes| probes.may_match(&bits));
                prop_assert!(may_match || !matches);
            }
        }
    }

    #[test]
    fn filters_ask_for_their_beginning_and_for_every_level_that_they_name_behind_it() {
        let mut bits = Bits::new();
        for topic in ["site/7/line/3", "site/8/line/4", "/x", "a/b/c/d/e/f/g/h/i"] {
            insert(TopicName::parse(topic).unwrap(), &mut bits);
        }
        let bits = bits.folded().unwrap();
        let may_match = |filter: &str| {
            let probes = Probes::of([TopicFilter::parse(filter).unwrap()].into_iter());
            probes.map(|probes| probes.may_match(&bits))
        };
        for filter in ["#", "+", "+/+", "+/#"] {
            assert_eq!(may_match(filter), None, "{filter}");
        }
        for filter in
            ["site/7/#", "+/7/#", "site/+/line/3", "/#", "/x", "+/x", "a/b/c/d/e/f/g/h/j", "site/7/line/3/#"]
        {
            assert_eq!(may_match(filter), Some(true), "{filter}");
        }
        for filter in ["site/7/line/4", "site/9/#", "+/+/7", "x", "line/#", "+/site", "site/7/lin", "a/b/c/x"]
        {
            assert_eq!(may_match(filter), Some(false), "{filter}");
        }
    }
}

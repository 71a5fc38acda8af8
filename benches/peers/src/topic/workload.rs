//! Who subscribed to what, and what is published: seeded, so the same in each run.
//!
//! | | filters | names |
//! |---|---|---|
//! | a | `site/{s}/line/{l}/sensor/{n}/temp`, all different; the three numbers have ranges of one size | any of them |
//! | b | the same, but a tenth has a `+` for one of its numbers | the same |
//! | c | the same, but a hundredth ends in `#` behind line or sensor | the same |
//! | d | 8 levels of 10 words each, half with 1 to 3 `+` | any of them, its `+` filled in |
//! | e | one filter, 10,000 subscribers | it |
//! | f | 12 levels, each the literal or `+`: 4,096 | the one that all match |
//! | g | the same with a 13th level | one with another 13th level: the same walk, no match |

use fastrand::Rng;

use super::texts::Texts;

/// One of the seven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Exact,
    TenthPlus,
    HundredthHash,
    Deep,
    Crowd,
    AllMatch,
    NoneMatch,
}

impl Kind {
    /// Those that come in many sizes.
    pub const SIZED: [Self; 4] = [Self::Exact, Self::TenthPlus, Self::HundredthHash, Self::Deep];
    /// Those that have a size of their own.
    pub const FIXED: [Self; 3] = [Self::Crowd, Self::AllMatch, Self::NoneMatch];

    /// Its name in the tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "a exact",
            Self::TenthPlus => "b 10% with +",
            Self::HundredthHash => "c 1% with #",
            Self::Deep => "d 8 levels, half with 1-3 +",
            Self::Crowd => "e 10k subscribers on one filter",
            Self::AllMatch => "f 4,096 combinations, all match",
            Self::NoneMatch => "g 4,096 combinations, none match",
        }
    }

    /// Its name with its size.
    pub fn case(self, size: usize) -> String {
        if Self::FIXED.contains(&self) {
            return self.name().to_owned();
        }
        format!("{}, {}", self.name(), size_name(size))
    }
}

/// Subscription `n` is that of subscriber `n` to the filter of that number.
#[derive(Debug)]
pub struct Workload {
    /// Which of the seven.
    pub kind: Kind,
    /// Its name in the tables, size included.
    pub case: String,
    /// The filters, in the order in which they are subscribed to.
    pub filters: Texts,
    /// What is published, in that order.
    pub names: Texts,
}

/// A size as it stands in the tables.
pub fn size_name(size: usize) -> String {
    match size {
        1_000_000.. => format!("{}M", size / 1_000_000),
        1_000.. => format!("{}k", size / 1_000),
        _ => size.to_string(),
    }
}

impl Workload {
    /// A workload of that many subscriptions; those of [`Kind::FIXED`] have their own number.
    pub fn new(kind: Kind, size: usize) -> Self {
        // One seed each, so that a workload is the same whichever others are run.
        let mut random = Rng::with_seed(0x7069_6373_0000 + kind as u64 * 16 + size.ilog10() as u64);
        let (filters, names) = match kind {
            Kind::Exact | Kind::TenthPlus | Kind::HundredthHash => sites(kind, size, &mut random),
            Kind::Deep => deep(size, &mut random),
            Kind::Crowd => {
                let one = "site/7/line/3/sensor/42/temp";
                ((0..10_000).map(|_| one).collect(), [one].into_iter().collect())
            }
            Kind::AllMatch => combinations(&mut random, "", ""),
            Kind::NoneMatch => combinations(&mut random, "/end", "/other"),
        };
        Self { kind, case: kind.case(size), filters, names }
    }
}

/// Enough names that what one of them touched is cold again when it returns.
fn names_for(size: usize) -> usize {
    (size * 2).clamp(16 * 1024, 256 * 1024)
}

fn sites(kind: Kind, size: usize, random: &mut Rng) -> (Texts, Texts) {
    let range = (1..).find(|range: &usize| range.pow(3) >= size).unwrap_or(1);
    let numbers = |which: usize| [which % range, which / range % range, which / range / range];
    let exact = |[site, line, sensor]: [usize; 3]| format!("site/{site}/line/{line}/sensor/{sensor}/temp");
    let mut order: Vec<usize> = (0..size).collect();
    random.shuffle(&mut order);
    let mut filters = Texts::default();
    for (place, &which) in order.iter().enumerate() {
        let [site, line, sensor] = numbers(which);
        filters.push(&match kind {
            Kind::TenthPlus if place % 10 == 0 => match random.u8(..3) {
                0 => format!("site/+/line/{line}/sensor/{sensor}/temp"),
                1 => format!("site/{site}/line/+/sensor/{sensor}/temp"),
                _ => format!("site/{site}/line/{line}/sensor/+/temp"),
            },
            Kind::HundredthHash if place % 100 == 0 => match random.bool() {
                true => format!("site/{site}/line/{line}/#"),
                false => format!("site/{site}/line/{line}/sensor/{sensor}/#"),
            },
            _ => exact([site, line, sensor]),
        });
    }
    let names = (0..names_for(size)).map(|_| exact(numbers(random.usize(..size)))).collect();
    (filters, names)
}

fn deep(size: usize, random: &mut Rng) -> (Texts, Texts) {
    const LEVELS: [&str; 8] = ["region", "site", "hall", "line", "cell", "robot", "motor", "value"];
    /// The word of a level, or none for a `+`.
    type Words = [Option<u8>; 8];
    fn text(words: Words) -> String {
        let level = |(level, word): (&str, Option<u8>)| match word {
            Some(word) => format!("{level}{word}"),
            None => "+".to_owned(),
        };
        LEVELS.into_iter().zip(words).map(level).collect::<Vec<_>>().join("/")
    }
    let mut all: Vec<Words> = Vec::with_capacity(size);
    for place in 0..size {
        let mut words: Words = [(); 8].map(|()| Some(random.u8(..10)));
        if place % 2 == 0 {
            let count = random.usize(1..=3);
            for level in random.choose_multiple(0..8, count) {
                if let Some(word) = words.get_mut(level) {
                    *word = None;
                }
            }
        }
        all.push(words);
    }
    random.shuffle(&mut all);
    let filters = all.iter().map(|words| text(*words)).collect();
    let names = (0..names_for(size)).filter_map(|_| {
        let words = all.get(random.usize(..size))?;
        Some(text(words.map(|word| Some(word.unwrap_or_else(|| random.u8(..10))))))
    });
    (filters, names.collect())
}

fn combinations(random: &mut Rng, filters_end: &str, name_end: &str) -> (Texts, Texts) {
    let levels: Vec<String> = (0..12).map(|level| format!("level{level}")).collect();
    let mut order: Vec<u32> = (0..1 << levels.len()).collect();
    random.shuffle(&mut order);
    let filter = |bits: u32| {
        let level = |(place, level)| if bits >> place & 1 == 1 { "+" } else { level };
        let levels = levels.iter().map(String::as_str).enumerate().map(level);
        levels.collect::<Vec<_>>().join("/") + filters_end
    };
    (order.into_iter().map(filter).collect(), [levels.join("/") + name_end].into_iter().collect())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::topic::naive;

    fn matches_of(workload: &Workload, names: usize) -> Vec<usize> {
        let names = workload.names.iter().take(names);
        names.map(|name| naive::all_matching(&workload.filters, name).len()).collect()
    }

    #[test]
    fn all_texts_are_valid_and_the_same_in_each_run() {
        for kind in Kind::SIZED.into_iter().chain(Kind::FIXED) {
            let workload = Workload::new(kind, 1000);
            assert!(
                workload.filters.iter().all(|filter| headwater_topic::TopicFilter::parse(filter).is_ok())
            );
            assert!(workload.names.iter().all(|name| headwater_topic::TopicName::parse(name).is_ok()));
            let again = Workload::new(kind, 1000);
            assert!(workload.filters.iter().eq(again.filters.iter()), "{}", workload.case);
            assert!(workload.names.iter().eq(again.names.iter()), "{}", workload.case);
        }
    }

    #[test]
    fn exact_filters_differ_and_each_name_has_one() {
        let workload = Workload::new(Kind::Exact, 1000);
        assert_eq!(workload.filters.iter().collect::<HashSet<_>>().len(), 1000);
        assert!(matches_of(&workload, 50).iter().all(|count| *count == 1));
    }

    #[test]
    fn wildcards_are_as_many_as_the_name_says() {
        let with = |workload: &Workload, what: char| {
            workload.filters.iter().filter(|filter| filter.contains(what)).count()
        };
        assert_eq!(with(&Workload::new(Kind::TenthPlus, 1000), '+'), 100);
        assert_eq!(with(&Workload::new(Kind::HundredthHash, 1000), '#'), 10);
        let deep = Workload::new(Kind::Deep, 1000);
        assert_eq!(with(&deep, '+'), 500);
        assert!(deep.filters.iter().all(|filter| filter.split('/').count() == 8));
        assert!(deep.filters.iter().all(|filter| filter.matches('+').count() <= 3));
        assert!(matches_of(&deep, 50).iter().all(|count| *count >= 1));
    }

    #[test]
    fn of_the_combinations_all_match_or_none() {
        let all = Workload::new(Kind::AllMatch, 4096);
        assert_eq!((all.filters.len(), matches_of(&all, 1)), (4096, vec![4096]));
        let none = Workload::new(Kind::NoneMatch, 4096);
        assert_eq!((none.filters.len(), matches_of(&none, 1)), (4096, vec![0]));
        assert_eq!(matches_of(&Workload::new(Kind::Crowd, 1), 1), [10_000]);
    }

    #[test]
    fn a_size_has_a_short_name() {
        assert_eq!([1_000, 100_000, 1_000_000].map(size_name), ["1k", "100k", "1M"]);
    }
}

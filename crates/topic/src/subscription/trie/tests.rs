use alloc::string::String;
use alloc::vec::Vec;

use super::*;

/// A tree with the texts of its filters; payloads are numbers.
struct Bed {
    trie: Trie<usize>,
    texts: Texts,
}

impl Bed {
    fn new() -> Self {
        Self { trie: Trie::new(Seed::new(7)), texts: Texts::new() }
    }

    fn with(filters: &[&str]) -> Self {
        let mut bed = Self::new();
        for (number, text) in filters.iter().enumerate() {
            bed.insert(text, number);
        }
        bed
    }

    fn insert(&mut self, text: &str, number: usize) {
        let at = self.texts.add(text);
        self.trie.insert(text, at, number, &self.texts);
    }

    fn remove(&mut self, text: &str) -> Option<usize> {
        self.trie.remove(text, &self.texts).map(|(_, number)| number)
    }

    fn get(&self, text: &str) -> Option<usize> {
        self.trie.find(text, &self.texts).and_then(|at| self.trie.payload(at)).map(|(_, number)| *number)
    }

    /// What a search finds, and how many edges it comes to.
    fn walk(&self, name: &str) -> (Vec<usize>, usize) {
        let mut found = Vec::new();
        let mut walk = Walk::new();
        let visited =
            self.trie.walk(name.as_bytes(), &self.texts, &mut walk, |_, number| found.push(*number), |_| {});
        found.sort_unstable();
        (found, visited)
    }

    fn nodes(&self) -> usize {
        self.trie.nodes.len() - self.trie.vacant.len()
    }
}

/// Every filter of `levels` levels that are `+` or `a`.
fn combinations(levels: u32) -> Vec<String> {
    let text = |number: u32| -> String {
        let levels: Vec<&str> =
            (0..levels).map(|level| if number >> level & 1 == 1 { "+" } else { "a" }).collect();
        levels.join("/")
    };
    (0..1 << levels).map(text).collect()
}

#[test]
fn visits_each_edge_at_most_once_whatever_the_combination_of_plus() {
    let mut bed = Bed::new();
    for (number, text) in combinations(12).iter().enumerate() {
        bed.insert(text, number);
    }
    // An edge for each prefix.
    assert_eq!((bed.trie.branches, bed.nodes()), ((1 << 13) - 2, (1 << 12) - 1));

    let (found, visited) = bed.walk("a/a/a/a/a/a/a/a/a/a/a/a");
    assert_eq!((found.len(), visited), (4_096, bed.trie.branches));
    // The same walk to the end, and none matches.
    let (found, visited) = bed.walk("a/a/a/a/a/a/a/a/a/a/a/a/a");
    assert_eq!((found.len(), visited), (0, bed.trie.branches));
    // Only the filters that have `+` wherever the name has `b`.
    let (found, visited) = bed.walk("b/b/b/b/b/b/b/b/b/b/b/a");
    assert_eq!((found.len(), visited), (2, 13));
}

#[test]
fn an_edge_leads_to_a_filter_that_no_other_begins_like() {
    let bed = Bed::with(&["a/+/c", "a/+/d/e", "a/#", "+/b/c/#"]);
    // The picture: the root, a and a/+ are nodes.
    assert_eq!((bed.nodes(), bed.trie.branches, bed.trie.node_count()), (3, 6, 7));
    assert_eq!(bed.walk("a/b/c"), (alloc::vec![0, 2, 3], 5));
    assert_eq!(bed.walk("a/b/d/e").0, [1, 2]);
    assert_eq!(bed.walk("a/b/d").0, [2]);
    assert_eq!(bed.walk("a").0, [2]);
    assert_eq!(bed.walk("x/b").0, []);
    assert_eq!(bed.walk("x/b/c").0, [3]);
}

#[test]
fn removal_takes_exactly_the_nodes_out_that_are_not_needed_any_more() {
    let filters = ["a/+/c", "a/+/d/e", "a/#", "+/b/c", "#", "+", "+/b"];
    for removed in 0..1 << filters.len() {
        let (mut bed, mut fresh) = (Bed::with(&filters), Bed::new());
        for (number, text) in filters.iter().enumerate() {
            if removed >> number & 1 == 1 {
                assert_eq!(bed.remove(text), Some(number));
                assert_eq!(bed.remove(text), None);
            } else {
                fresh.insert(text, number);
            }
        }
        assert_eq!(bed.trie.branches, fresh.trie.branches, "{removed:b}");
        assert_eq!(bed.trie.words.len(), fresh.trie.words.len(), "{removed:b}");
        if !fresh.trie.nodes.is_empty() {
            assert_eq!(bed.nodes(), fresh.nodes(), "{removed:b}");
        }
        for name in ["a/b/c", "a", "a/x/d/e", "x/b"] {
            assert_eq!(bed.walk(name), fresh.walk(name), "{name} {removed:b}");
        }
    }
}

#[test]
fn levels_longer_than_a_word_are_told_apart() {
    let filters =
        ["12345678/+", "123456789/+", "12345678x/+", "+/12345678901234567/#", "+/12345678901234568/+"];
    let mut bed = Bed::with(&filters);
    assert_eq!(bed.walk("12345678/z").0, [0]);
    assert_eq!(bed.walk("123456789/z").0, [1]);
    assert_eq!(bed.walk("12345678x/z").0, [2]);
    assert_eq!(bed.walk("x/12345678901234567").0, [3]);
    assert_eq!(bed.walk("x/12345678901234568").0, []);
    assert_eq!(bed.walk("x/12345678901234568/").0, [4]);
    for (number, text) in filters.iter().enumerate() {
        assert_eq!(bed.get(text), Some(number));
        assert_eq!(bed.remove(text), Some(number));
    }
    assert_eq!((bed.trie.bytes(), bed.trie.node_count()), (0, 0));
}

#[test]
fn removing_what_is_not_there_changes_nothing() {
    let mut bed = Bed::new();
    assert_eq!(bed.remove("+"), None);
    bed.insert("a/+", 0);
    for text in ["b/+", "a/+/c", "a/#", "#", "+"] {
        assert_eq!((bed.remove(text), bed.get(text)), (None, None), "{text}");
    }
    assert_eq!((bed.get("a/+"), bed.trie.node_count()), (Some(0), 2));
}

#[test]
fn a_tree_that_shrank_is_made_anew() {
    let mut bed = Bed::new();
    let text = |number: usize| alloc::format!("{}/+/a level of some length {number}", number / 2);
    for number in 0..2_000 {
        bed.insert(&text(number), number);
    }
    let before = bed.trie.bytes();
    for number in 10..2_000 {
        assert_eq!(bed.remove(&text(number)), Some(number));
    }
    assert!(bed.trie.bytes() < before / 5, "{} of {before} bytes", bed.trie.bytes());
    for number in 0..10 {
        assert_eq!(bed.get(&text(number)), Some(number));
    }
    assert!((10..2_000).all(|number| bed.get(&text(number)).is_none()));
}

#[test]
fn edges_and_nodes_are_as_small_as_they_are_said_to_be() {
    use crate::subscription::list::List;
    assert_eq!(size_of::<Option<Edge<List<u32, u8>>>>(), 20);
    assert_eq!(size_of::<Node<List<u32, u8>>>(), 32);
}

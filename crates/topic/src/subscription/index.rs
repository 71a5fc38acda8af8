//! Filters, each once, with what is kept for it: the exact ones in a table of their texts, those with wildcards in a tree.
//!
//! ```text
//!   exact   hash of the whole text -> text, payload       a name is looked up once, as it stands
//!   trie    level by level         -> text, payload       a name is walked
//!   texts   |14|site/4/line/12|6|plant#|...               both keep their texts here
//! ```

use super::hash::{self, Seed};
use super::table::{Hashed, Table};
use super::text::{Moved, TextAt, Texts};
use super::trie::{self, Trie, Walk};
use crate::filter::TopicFilter;
use crate::name::TopicName;
use crate::scan;

#[derive(Clone, Debug)]
pub(super) struct Index<P> {
    seed: Seed,
    exact: Table<Exact<P>>,
    trie: Trie<P>,
    texts: Texts,
}

#[derive(Clone, Debug)]
struct Exact<P> {
    hash: u32,
    text: TextAt,
    payload: P,
}

impl<P> Hashed for Exact<P> {
    #[inline(always)]
    fn hash(&self, _seed: u64) -> u32 {
        self.hash
    }
}

/// What a filter is found by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'f> {
    text: &'f str,
    /// The hash of the text, if there is no wildcard in it.
    exact: Option<u32>,
}

/// Where a filter is, as long as nothing is entered or taken out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Exact(usize),
    Wild(trie::Place),
}

impl<P> Index<P> {
    /// What an exact filter takes in the table.
    #[cfg(test)]
    pub(super) const EXACT_BYTES: usize = size_of::<Option<Exact<P>>>();

    pub(super) fn new(seed: &Seed) -> Self {
        Self { seed: seed.clone(), exact: Table::new(0), trie: Trie::new(seed.clone()), texts: Texts::new() }
    }

    /// The number of filters.
    pub(super) const fn len(&self) -> usize {
        self.exact.len() + self.trie.len()
    }

    pub(super) const fn node_count(&self) -> usize {
        self.trie.node_count()
    }

    /// Bytes allocated, what the payloads allocated aside.
    pub(super) const fn bytes(&self) -> usize {
        self.exact.bytes() + self.trie.bytes() + self.texts.bytes()
    }

    /// What a filter is found by.
    #[inline]
    pub(super) fn wanted<'f>(&self, filter: TopicFilter<'f>) -> Wanted<'f> {
        let text = filter.as_str();
        // A valid filter has these characters nowhere else.
        let exact = !scan::any_special(text.as_bytes());
        Wanted { text, exact: exact.then(|| hash::high(self.seed.text(text.as_bytes()))) }
    }

    #[inline]
    pub(super) fn find(&self, wanted: Wanted<'_>) -> Option<Place> {
        match wanted.exact {
            Some(hash) => self.find_exact(hash, wanted.text.as_bytes()).map(Place::Exact),
            None => self.trie.find(wanted.text, &self.texts).map(Place::Wild),
        }
    }

    #[inline(always)]
    fn find_exact(&self, hash: u32, text: &[u8]) -> Option<usize> {
        self.exact.find(hash, |exact| exact.hash == hash && self.texts.get_bytes(exact.text) == text)
    }

    #[inline]
    pub(super) fn payload(&self, place: Place) -> Option<(TextAt, &P)> {
        match place {
            Place::Exact(at) => self.exact.get(at).map(|exact| (exact.text, &exact.payload)),
            Place::Wild(at) => self.trie.payload(at),
        }
    }

    pub(super) fn payload_mut(&mut self, place: Place) -> Option<&mut P> {
        match place {
            Place::Exact(at) => self.exact.get_mut(at).map(|exact| &mut exact.payload),
            Place::Wild(at) => self.trie.payload_mut(at),
        }
    }

    /// The filter whose text is here.
    pub(super) fn filter(&self, text: TextAt) -> TopicFilter<'_> {
        TopicFilter(self.texts.get(text))
    }

    /// All filters with their payloads, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TopicFilter<'_>, &P)> {
        let exact = self.exact.iter().map(|exact| (exact.text, &exact.payload));
        exact.chain(self.trie.iter()).map(|(text, payload)| (self.filter(text), payload))
    }

    /// Enters a filter that is not there yet.
    pub(super) fn insert(&mut self, wanted: Wanted<'_>, payload: P) -> TextAt {
        let text = self.texts.add(wanted.text);
        match wanted.exact {
            Some(hash) => self.exact.insert(Exact { hash, text, payload }),
            None => self.trie.insert(wanted.text, text, payload, &self.texts),
        }
        text
    }

    /// Takes a filter out, which is at this place.
    pub(super) fn remove(&mut self, place: Place, filter: &str) -> Option<P> {
        let (text, payload) = match place {
            Place::Exact(at) => self.exact.remove(at).map(|exact| (exact.text, exact.payload)),
            Place::Wild(_) => self.trie.remove(filter, &self.texts),
        }?;
        self.texts.remove(text);
        if self.len() == 0 {
            self.texts = Texts::new();
        }
        Some(payload)
    }

    /// Whether [`move_texts`](Self::move_texts) is due, if so many others know a text by its place.
    pub(super) fn should_move(&self, knowers: usize) -> bool {
        self.texts.should_move(knowers)
    }

    /// Closes the gaps between the texts; says where each text went. O(filters); the removals before it pay for it.
    pub(super) fn move_texts(&mut self) -> Moved {
        let mut moved = self.texts.begin_move();
        for exact in self.exact.iter_mut() {
            exact.text = moved.take(exact.text, &mut self.texts);
        }
        self.trie.move_texts(&mut moved, &mut self.texts);
        moved
    }

    /// Calls `visit` for each filter that matches the name.
    #[inline]
    pub(super) fn matches<'t>(
        &'t self,
        name: TopicName<'_>,
        walk: &mut Walk,
        mut visit: impl FnMut(Place, &'t P),
        prefetch: impl Fn(&P),
    ) {
        let text = name.as_str().as_bytes();
        let hash = hash::high(self.seed.text(text));
        if self.has_wildcards() {
            // Asked for now, waited for after the walk.
            self.exact.prefetch(hash);
            self.trie.walk(
                text,
                &self.texts,
                walk,
                |place, payload| visit(Place::Wild(place), payload),
                prefetch,
            );
        }
        self.matches_exact(hash, text, visit);
    }

    /// As [`matches`](Self::matches), with memory of its own.
    #[inline]
    pub(super) fn matches_once<'t>(
        &'t self,
        name: TopicName<'_>,
        visit: impl FnMut(Place, &'t P),
        prefetch: impl Fn(&P),
    ) {
        if self.has_wildcards() {
            self.matches(name, &mut Walk::new(), visit, prefetch);
        } else {
            let text = name.as_str().as_bytes();
            self.matches_exact(hash::high(self.seed.text(text)), text, visit);
        }
    }

    /// As [`matches`](Self::matches), for several names at once; `visit` is told which.
    pub(super) fn matches_all<'t, const N: usize>(
        &'t self,
        names: &[TopicName<'_>; N],
        walk: &mut Walk,
        mut visit: impl FnMut(usize, &'t P),
        prefetch: impl Fn(&P),
    ) {
        let texts = names.map(|name| name.as_str().as_bytes());
        let hashes = texts.map(|text| hash::high(self.seed.text(text)));
        // All asked for before the first is waited for.
        hashes.iter().for_each(|hash| self.exact.prefetch(*hash));
        if self.has_wildcards() {
            self.trie.walk_all(&texts, &self.texts, walk, |lane, _, payload| visit(lane, payload), &prefetch);
        }
        for hash in hashes {
            let at = self.exact.find(hash, |exact| exact.hash == hash);
            if let Some(exact) = at.and_then(|at| self.exact.get(at)) {
                self.texts.prefetch(exact.text);
                prefetch(&exact.payload);
            }
        }
        for (lane, (hash, text)) in hashes.into_iter().zip(texts).enumerate() {
            self.matches_exact(hash, text, |_, payload| visit(lane, payload));
        }
    }

    #[inline(always)]
    fn matches_exact<'t>(&'t self, hash: u32, text: &[u8], mut visit: impl FnMut(Place, &'t P)) {
        if let Some(at) = self.find_exact(hash, text)
            && let Some(exact) = self.exact.get(at)
        {
            visit(Place::Exact(at), &exact.payload);
        }
    }

    const fn has_wildcards(&self) -> bool {
        self.trie.len() > 0
    }
}

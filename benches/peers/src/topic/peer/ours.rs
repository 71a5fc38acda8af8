//! `headwater-topic`.

use std::ops::Deref;

use headwater_topic::{RetainedTree, SubscriptionTree, TopicFilter, TopicName, TopicNameBuf};

use super::Tree;

/// Our name in the tables.
pub const NAME: &str = "headwater-topic";

/// The same with many names in one call.
pub const BATCHED: &str = "headwater-topic, batches of 64";

/// How many names that are.
pub const BATCH: usize = 64;

/// Our subscription tree.
pub struct Subscriptions(SubscriptionTree<u32, ()>);

impl Tree for Subscriptions {
    const NAME: &'static str = NAME;

    type Ticket = ();

    fn new(_: u32) -> Self {
        Self(SubscriptionTree::new())
    }

    fn subscribe(&mut self, filter: &str, id: u32) -> Option<()> {
        self.0.subscribe(TopicFilter::parse(filter).ok()?, id, ());
        Some(())
    }

    fn unsubscribe(&mut self, filter: &str, id: u32, (): ()) {
        if let Ok(filter) = TopicFilter::parse(filter) {
            self.0.unsubscribe(filter, &id);
        }
    }

    #[inline]
    fn matches(&self, name: &str, ids: &mut Vec<u32>) {
        if let Ok(name) = TopicName::parse(name) {
            self.0.matches_by_filter(name, |subscribers| ids.extend_from_slice(subscribers.keys()));
        }
    }
}

impl Subscriptions {
    /// As [`matches`](Tree::matches) for a batch of names, a list for each; a name that is refused is left out.
    pub fn matches_batch<'a>(&self, names: impl Iterator<Item = &'a str>, ids: &mut [Vec<u32>; BATCH]) {
        let mut names = names.filter_map(|name| TopicName::parse(name).ok());
        let Some(first) = names.next() else { return };
        let (mut batch, mut count) = ([first; BATCH], 1);
        for (place, name) in batch.iter_mut().skip(1).zip(names) {
            *place = name;
            count += 1;
        }
        let batch = batch.get(..count).unwrap_or_default();
        self.0.matches_batch(batch, |name, subscribers| {
            if let Some(ids) = ids.get_mut(name) {
                ids.extend_from_slice(subscribers.keys());
            }
        });
    }
}

/// The one-off match, both texts parsed; an invalid one matches nothing.
#[inline]
pub fn one_off(filter: &str, name: &str) -> bool {
    match (TopicFilter::parse(filter), TopicName::parse(name)) {
        (Ok(filter), Ok(name)) => filter.matches(name),
        _ => false,
    }
}

/// Our retained tree.
#[derive(Default)]
pub struct Retained(RetainedTree<u32>);

impl Retained {
    /// Enters a name.
    pub fn insert(&mut self, name: &str, value: u32) {
        if let Ok(name) = TopicName::parse(name) {
            self.0.insert(name, value);
        }
    }

    /// Appends the values of all names that match.
    pub fn matches(&self, filter: &str, values: &mut Vec<u32>) {
        if let Ok(filter) = TopicFilter::parse(filter) {
            self.0.matches(filter, |_, &value| values.push(value));
        }
    }

    /// The same page by page: between two pages nothing is kept but the last name.
    pub fn paged(&self, filter: &str, names_max: usize, values: &mut Vec<u32>) {
        let Ok(filter) = TopicFilter::parse(filter) else { return };
        let mut last: Option<TopicNameBuf> = None;
        loop {
            let before = values.len();
            let mut page = match &last {
                None => self.0.matching(filter),
                Some(last) => self.0.matching_after(filter, last.as_name()),
            };
            let end = page.by_ref().take(names_max).fold(None, |_, (name, &value)| {
                values.push(value);
                Some(name)
            });
            let Some(end) = end.filter(|_| values.len() - before == names_max) else { return };
            last = Some(end.into());
        }
    }
}

/// A list of names that is searched from end to end, by our one-off match.
#[derive(Default)]
pub struct Scanned(Vec<(TopicNameBuf, u32)>);

impl Scanned {
    /// Enters a name.
    pub fn insert(&mut self, name: &str, value: u32) {
        if let Ok(name) = TopicNameBuf::parse(name) {
            self.0.push((name, value));
        }
    }

    /// Appends the values of all names that match.
    pub fn matches(&self, filter: &str, values: &mut Vec<u32>) {
        if let Ok(filter) = TopicFilter::parse(filter) {
            let matching = self.0.deref().iter().filter(|(name, _)| filter.matches(name.as_name()));
            values.extend(matching.map(|(_, value)| *value));
        }
    }
}

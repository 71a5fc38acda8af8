//! How fast it can be: one hash lookup where all filters are exact, one copy where all subscribers have the same filter.

use std::collections::HashMap;
use std::hash::BuildHasher;

use super::Tree;

/// Names in the tables.
pub const NAME: &str = "LIMIT";
pub const SIP: &str = "LIMIT, SipHash";

/// One hash lookup of the whole text; nothing is checked, and a filter has one subscriber.
pub struct Hashed<S>(HashMap<Box<str>, u32, S>);

/// A hasher with a name.
pub trait Named: BuildHasher + Default + 'static {
    /// The name in the tables.
    const NAME: &'static str;
}

impl Named for foldhash::fast::RandomState {
    const NAME: &'static str = NAME;
}

impl Named for std::hash::RandomState {
    const NAME: &'static str = SIP;
}

impl<S: Named> Tree for Hashed<S> {
    const NAME: &'static str = S::NAME;

    type Ticket = ();

    fn new(_: u32) -> Self {
        Self(HashMap::default())
    }

    fn subscribe(&mut self, filter: &str, id: u32) -> Option<()> {
        self.0.insert(filter.into(), id);
        Some(())
    }

    fn unsubscribe(&mut self, filter: &str, _: u32, (): ()) {
        self.0.remove(filter);
    }

    #[inline]
    fn matches(&self, name: &str, ids: &mut Vec<u32>) {
        ids.extend(self.0.get(name));
    }
}

/// All subscribers, copied; no name is looked at.
pub struct Copied(Vec<u32>);

impl Tree for Copied {
    const NAME: &'static str = NAME;

    type Ticket = ();

    fn new(_: u32) -> Self {
        Self(Vec::new())
    }

    fn subscribe(&mut self, _: &str, id: u32) -> Option<()> {
        self.0.push(id);
        Some(())
    }

    fn unsubscribe(&mut self, _: &str, id: u32, (): ()) {
        self.0.retain(|one| *one != id);
    }

    /// In pieces of 2 KiB: the `rep movsb` that a longer copy becomes takes twenty times as long on some processors if both
    /// addresses have nearly the same place in their page.
    #[inline]
    fn matches(&self, _: &str, ids: &mut Vec<u32>) {
        self.0.chunks(512).for_each(|piece| ids.extend_from_slice(piece));
    }
}

//! Subscriptions come and go.
//!
//! ```text
//!   subscribe      the filter is new      ->  entered, with the subscriber in place
//!                  it has one subscriber  ->  both go into a list
//!                  it has a list          ->  one more
//!   unsubscribe    the same way back: a list of one becomes the one in place, a filter of none goes
//!   both           tell `owners` who has what
//! ```

use alloc::boxed::Box;
use core::borrow::Borrow;
use core::hash::Hash;
use core::mem;

use super::SubscriptionTree;
use super::group::Groups;
use super::index::Place;
use super::list::List;
use super::members::Members;
use super::text::TextAt;
use crate::filter::TopicFilter;

impl<K: Hash + Eq + Clone, V> SubscriptionTree<K, V> {
    /// Enters a subscription; returns the value it replaces if the subscriber has this very filter already.
    ///
    /// [MQTT-3.8.4-3]: replaced, never doubled.
    pub fn subscribe(&mut self, filter: TopicFilter<'_>, key: K, value: V) -> Option<V> {
        // Cloned before anything is entered: a clone may panic, and is the caller's code.
        let owner = key.clone();
        if let Some(shared) = filter.shared() {
            let groups = self.groups.get_or_insert_with(|| Box::new(Groups::new(&self.seed)));
            return groups.subscribe(shared, filter.as_str(), key, owner, value, &self.seed);
        }
        // Asked for now, waited for after the filter is found.
        self.owners.prefetch(&owner, &self.seed);
        let wanted = self.index.wanted(filter);
        let text = match self.index.find(wanted) {
            None => self.index.insert(wanted, List::One { key, value }),
            Some(place) => match self.join(place, key, value) {
                Ok(text) => text,
                Err(replaced) => return Some(replaced),
            },
        };
        self.owners.add(owner, text, &self.seed);
        self.len += 1;
        None
    }

    /// Adds a subscriber to a filter that has one; or replaces its value, and returns it as an error.
    fn join(&mut self, place: Place, key: K, value: V) -> Result<TextAt, V> {
        let Some((text, list)) = self.index.payload(place) else { return Err(value) };
        if let List::Many(many) = list {
            let replaced =
                self.lists.get_mut(*many).and_then(|members| members.insert(key, value, &self.seed));
            return replaced.map_or(Ok(text), Err);
        }
        let next = self.lists.next();
        let Some(list) = self.index.payload_mut(place) else { return Err(value) };
        if let List::One { key: other, value: old } = list
            && *other == key
        {
            return Err(mem::replace(old, value));
        }
        if let List::One { key: other, value: old } = mem::replace(list, List::Many(next)) {
            let mut members = Members::new();
            members.insert(other, old, &self.seed);
            members.insert(key, value, &self.seed);
            self.lists.push(text, members);
        }
        Ok(text)
    }
}

impl<K: Hash + Eq, V> SubscriptionTree<K, V> {
    /// Removes one subscription and returns its value.
    pub fn unsubscribe<Q>(&mut self, filter: TopicFilter<'_>, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if filter.shared().is_some() {
            let value = self.groups.as_mut()?.unsubscribe(filter.as_str(), key, &self.seed);
            self.return_groups();
            return value;
        }
        // Asked for now, waited for after the filter is found.
        self.owners.prefetch(key, &self.seed);
        let place = self.find_filter(filter)?;
        let (text, _) = self.index.payload(place)?;
        let value = self.leave(place, filter, key)?;
        self.owners.remove(key, text, &self.seed);
        self.move_texts();
        Some(value)
    }

    /// Removes every subscription of one subscriber and returns how many there were.
    pub fn unsubscribe_all<Q>(&mut self, key: &Q) -> usize
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut removed = 0;
        for text in self.owners.take(key, &self.seed) {
            let filter = alloc::string::String::from(self.index.filter(text).as_str());
            let filter = TopicFilter(&filter);
            if let Some(place) = self.find_filter(filter) {
                removed += usize::from(self.leave(place, filter, key).is_some());
            }
        }
        self.move_texts();
        if let Some(groups) = &mut self.groups {
            removed += groups.unsubscribe_all(key, &self.seed);
            self.return_groups();
        }
        removed
    }

    /// Takes a subscriber off a filter, and the filter out with its last subscriber.
    fn leave<Q>(&mut self, place: Place, filter: TopicFilter<'_>, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (_, list) = self.index.payload(place)?;
        let value = match list {
            List::One { key: other, .. } if other.borrow() != key => return None,
            List::One { .. } => match self.index.remove(place, filter.as_str())? {
                List::One { value, .. } => value,
                List::Many(_) => return None,
            },
            List::Many(many) => {
                let many = *many;
                let members = self.lists.get_mut(many)?;
                let value = members.remove(key, &self.seed)?;
                if members.len() == 1 {
                    self.shorten(place, many);
                }
                value
            }
        };
        self.len -= 1;
        Some(value)
    }

    /// Puts the last subscriber of a list in its place.
    fn shorten(&mut self, place: Place, many: u32) {
        let (mut members, moved) = self.lists.swap_remove(many);
        if let Some((key, value)) = members.pop()
            && let Some(list) = self.index.payload_mut(place)
        {
            *list = List::One { key, value };
        }
        if let Some(moved) = moved.and_then(|text| self.find_filter(self.index.filter(text)))
            && let Some(list) = self.index.payload_mut(moved)
        {
            *list = List::Many(many);
        }
    }

    /// Closes the gaps between texts when they are half of it all.
    fn move_texts(&mut self) {
        if !self.index.should_move(self.len) {
            return;
        }
        let moved = self.index.move_texts();
        for entry in self.lists.iter_mut() {
            entry.text = moved.place(entry.text);
        }
        self.owners.rename(|text| moved.place(text), &self.seed);
    }

    fn return_groups(&mut self) {
        if self.groups.as_ref().is_some_and(|groups| groups.len() == 0) {
            self.groups = None;
        }
    }
}

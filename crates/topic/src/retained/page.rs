//! Long answers, a page at a time.
//!
//! ```text
//!   names     a/1/x  a/2/y  a/3/x  a/3/y  a/4/y | a/5/y  a/6/x ..      filter a/+/x, four names a page
//!             match  look   match  seek           ^ a page begins behind the last name that was looked at
//! ```

use super::RetainedTree;
use crate::filter::TopicFilter;
use crate::name::TopicName;
use crate::name_buf::TopicNameBuf;

/// How much one page of [`RetainedTree::page`] may be: what is held while it is made is held no longer than that.
///
/// # Examples
///
/// ```
/// use headwater_topic::PageLimit;
///
/// let limit = PageLimit::default().matches_max(10);
/// assert_eq!((limit.matches_max, limit.names_max), (10, 1_024));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageLimit {
    /// The largest number of matches; 0 counts as 1.
    pub matches_max: usize,
    /// The largest number of names that are looked at, whether they match or not; 0 counts as 1. Each costs O(bytes of name and
    /// filter) and at most one seek.
    pub names_max: usize,
}

impl PageLimit {
    /// These limits with another largest number of matches.
    #[must_use]
    pub const fn matches_max(mut self, matches_max: usize) -> Self {
        self.matches_max = matches_max;
        self
    }

    /// These limits with another largest number of names that are looked at.
    #[must_use]
    pub const fn names_max(mut self, names_max: usize) -> Self {
        self.names_max = names_max;
        self
    }
}

impl Default for PageLimit {
    /// 64 matches, 1,024 names: a fraction of a millisecond.
    fn default() -> Self {
        Self { matches_max: 64, names_max: 1_024 }
    }
}

impl<V> RetainedTree<V> {
    /// Calls `visit` for some of the names the filter matches, those after `after`, in the order of the type; returns the
    /// name after which to go on, or `None` if the end was seen: a page that is full says where it stopped, and the next one may be empty.
    ///
    /// So a hundred thousand messages are handed out while others insert and remove: a lock is held for one page, and what
    /// is kept between two of them is a name. A name that is there from the first page to the last is visited exactly
    /// once, one that comes or goes in between at most once. A page without a match is no end: a filter whose matches are
    /// rare has many.
    ///
    /// Costs a seek, and what the limit says; all pages together cost a search and a seek for each page.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::RwLock;
    ///
    /// use headwater_topic::{PageLimit, RetainedTree, TopicFilter, TopicName};
    ///
    /// let retained = RwLock::new(RetainedTree::new());
    /// for line in 0..1_000 {
    ///     retained.write().unwrap().insert(TopicName::parse(&format!("factory/{line}"))?, line);
    /// }
    /// let filter = TopicFilter::parse("factory/+")?;
    /// let (mut sum, mut pages, mut after) = (0, 0, None);
    /// loop {
    ///     let mut page = Vec::new();
    ///     let name = after.as_ref().map(|name: &headwater_topic::TopicNameBuf| name.as_name());
    ///     after = retained.read().unwrap().page(filter, name, PageLimit::default(), |_, line| page.push(*line));
    ///     // The lock is free: whatever the page is for may take its time.
    ///     sum += page.iter().sum::<u32>();
    ///     pages += 1;
    ///     if after.is_none() {
    ///         break;
    ///     }
    /// }
    /// assert_eq!((sum, pages), (499_500, 16));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn page<'tree>(
        &'tree self,
        filter: TopicFilter<'_>,
        after: Option<TopicName<'_>>,
        limit: PageLimit,
        mut visit: impl FnMut(TopicName<'tree>, &'tree V),
    ) -> Option<TopicNameBuf> {
        let mut matching = match after {
            Some(after) => self.matching_after(filter, after),
            None => self.matching(filter),
        };
        let mut matches_left = limit.matches_max.max(1);
        let mut names_left = limit.names_max.max(1);
        loop {
            let (name, value) = matching.look()?;
            if let Some(value) = value {
                visit(name, value);
                matches_left -= 1;
            }
            names_left -= 1;
            if matches_left == 0 || names_left == 0 {
                return Some(name.into());
            }
        }
    }
}

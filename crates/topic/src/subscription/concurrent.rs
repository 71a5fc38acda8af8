//! A tree that is read while it is changed.
//!
//! ```text
//!   published: A            copy A: read by all             copy B: without the last change
//!
//!   a change                1. is made in B, after the one that B had missed: nobody has read B for a while
//!                           2. published: B                 who comes from now on reads B
//!                           3. is remembered for A, which the next change is made in
//!
//!   stripe 0   [lock A] [lock B]    readers of some threads       each lock holds a reference to its copy; the writer takes them
//!   stripe 1   [lock A] [lock B]    readers of others             all back to change the copy, and then gives them out again
//!   ...
//! ```
//!
//! A reader takes the lock of the published copy in the stripe of its thread. The writer is not there: it changes the other copy. Readers
//! in different stripes write to no common memory, so they do not slow each other. Nobody waits but the writer, in step 1, for a reader who
//! has held on to B all the time since the change before.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::hash::Hash;
use core::ops::Deref;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, TryLockError};

use super::SubscriptionTree;
use crate::filter::TopicFilter;
use crate::filter_buf::TopicFilterBuf;

/// Threads that read at once without meeting.
const STRIPES: usize = 16;

/// More changes than this are not remembered but made in the other copy at once.
const REMEMBERED_MAX: usize = 64;

/// A [`SubscriptionTree`] that many threads read while one changes it, and no reader waits.
///
/// There are two copies: one is read while the other is changed. A change is seen by every [`read`](Self::read) that begins after the
/// method that makes it has returned, and what a guard shows does not change as long as it is held.
///
/// # Cost
///
/// [`read`](Self::read) costs two atomic operations on memory that few other threads touch. A change costs twice what it costs in a
/// [`SubscriptionTree`] and sixteen locks more, and waits for readers who have held a guard since the change before the last; so hold a guard
/// for one message or a batch of them, not for long. Many changes in one [`apply`](Self::apply) pay for that once. Memory is that of
/// two trees, keys and values cloned once more, and of the last change or the last 64 of them.
///
/// Each copy counts the turns of its shared groups by itself: of two members that were there all along, one may have had two messages
/// more than the other.
///
/// What was removed or replaced is in the other copy until the next change: a key or value that counts references, or closes something when
/// it is dropped, lives on till then. [`apply`](Self::apply) without changes drops it.
///
/// # Deadlock
///
/// A thread that makes changes while it holds a guard of its own waits for itself, and so does a change from within the caller's code that
/// a change runs: the clone, comparison, hash or drop of a key or value.
///
/// # Examples
///
/// ```
/// use std::thread;
/// use headwater_topic::{ConcurrentTree, TopicFilter, TopicName};
///
/// let tree = ConcurrentTree::new();
/// thread::scope(|scope| {
///     scope.spawn(|| {
///         for id in 0..100 {
///             tree.subscribe(TopicFilter::parse("plant/#").expect("a filter"), id, ());
///         }
///     });
///     scope.spawn(|| {
///         let name = TopicName::parse("plant/7").expect("a name");
///         let mut found = 0;
///         tree.read().matches(name, |_, ()| found += 1);
///         assert!(found <= 100);
///     });
/// });
/// assert_eq!(tree.read().len(), 100);
/// ```
pub struct ConcurrentTree<K, V> {
    published: Published,
    stripes: [Stripe<K, V>; STRIPES],
    /// What the copy that is not published has missed.
    missed: Mutex<Vec<Missed<K, V>>>,
}

/// The copy that readers go to; changed by who has the lock of `missed`.
#[repr(align(128))]
struct Published(AtomicUsize);

/// Alone on its lines of memory, and on those that a processor fetches with them.
#[repr(align(128))]
struct Stripe<K, V>([Slot<K, V>; 2]);

/// Empty only while the writer changes the copy.
type Slot<K, V> = RwLock<Option<Arc<SubscriptionTree<K, V>>>>;

/// One change of a [`ConcurrentTree`], for [`ConcurrentTree::apply`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Change<'a, K, V> {
    /// As [`SubscriptionTree::subscribe`].
    Subscribe(TopicFilter<'a>, K, V),
    /// As [`SubscriptionTree::unsubscribe`].
    Unsubscribe(TopicFilter<'a>, K),
    /// As [`SubscriptionTree::unsubscribe_all`].
    UnsubscribeAll(K),
}

/// A change that the other copy has missed.
enum Missed<K, V> {
    Subscribe(TopicFilterBuf, K, V),
    Unsubscribe(TopicFilterBuf, K),
    UnsubscribeAll(K),
}

/// A [`ConcurrentTree`] as it is read; made by [`ConcurrentTree::read`].
pub struct ReadGuard<'a, K, V>(RwLockReadGuard<'a, Option<Arc<SubscriptionTree<K, V>>>>);

impl<K, V> Stripe<K, V> {
    const fn slot(&self, copy: usize) -> &Slot<K, V> {
        let [a, b] = &self.0;
        if copy == 0 { a } else { b }
    }
}

impl<K, V> ConcurrentTree<K, V> {
    /// The tree, to be read. Never waits.
    pub fn read(&self) -> ReadGuard<'_, K, V> {
        let stripe = self.stripes.get(stripe_of_thread() % STRIPES).unwrap_or_else(|| self.any_stripe());
        loop {
            // The writer comes to this copy only after it has published the other: then there is another try.
            let guard = match stripe.slot(self.published.0.load(Ordering::Acquire)).try_read() {
                Ok(guard) => guard,
                Err(TryLockError::Poisoned(error)) => error.into_inner(),
                Err(TryLockError::WouldBlock) => continue,
            };
            if guard.is_some() {
                return ReadGuard(guard);
            }
        }
    }

    const fn any_stripe(&self) -> &Stripe<K, V> {
        let [stripe, ..] = &self.stripes;
        stripe
    }
}

impl<K: Hash + Eq + Clone, V: Clone> ConcurrentTree<K, V> {
    /// A tree without subscriptions, with a random seed.
    #[must_use]
    pub fn new() -> Self {
        SubscriptionTree::new().into()
    }

    /// As [`SubscriptionTree::subscribe`].
    pub fn subscribe(&self, filter: TopicFilter<'_>, key: K, value: V) -> Option<V> {
        let (again_key, again_value) = (key.clone(), value.clone());
        self.change(&[Change::Subscribe(filter, again_key, again_value)], |tree| {
            tree.subscribe(filter, key, value)
        })
    }

    /// As [`SubscriptionTree::unsubscribe`].
    pub fn unsubscribe(&self, filter: TopicFilter<'_>, key: &K) -> Option<V> {
        self.change(&[Change::Unsubscribe(filter, key.clone())], |tree| tree.unsubscribe(filter, key))
    }

    /// As [`SubscriptionTree::unsubscribe_all`].
    pub fn unsubscribe_all(&self, key: &K) -> usize {
        self.change(&[Change::UnsubscribeAll(key.clone())], |tree| tree.unsubscribe_all(key))
    }

    /// Makes several changes, one after the other. A reader sees all of them or none.
    pub fn apply(&self, changes: &[Change<'_, K, V>]) {
        self.change(changes, |tree| changes.iter().for_each(|change| change.make(tree)));
    }

    /// Makes changes by `first` in the copy that is not read, publishes that, and sees to it that they are made in the other one.
    fn change<R>(
        &self,
        changes: &[Change<'_, K, V>],
        first: impl FnOnce(&mut SubscriptionTree<K, V>) -> R,
    ) -> R {
        let mut missed = self.missed.lock().unwrap_or_else(|poisoned| {
            // The caller's code panicked in the middle of a change. What is published is whole; the other copy is made from it.
            let mut missed = poisoned.into_inner();
            missed.clear();
            for stripe in &self.stripes {
                let slot = stripe.slot(1 - self.published.0.load(Ordering::Relaxed));
                *slot.write().unwrap_or_else(PoisonError::into_inner) = None;
            }
            self.missed.clear_poison();
            missed
        });
        let old = self.published.0.load(Ordering::Relaxed);
        let new = 1 - old;
        let result = self.alter(new, |tree| {
            missed.drain(..).for_each(|missed| missed.make(tree));
            first(tree)
        });
        self.published.0.store(new, Ordering::Release);
        if changes.len() > REMEMBERED_MAX {
            self.alter(old, |tree| changes.iter().for_each(|change| change.make(tree)));
        } else {
            missed.extend(changes.iter().map(Missed::of));
        }
        result
    }

    /// Changes a copy that is not published.
    fn alter<R>(&self, copy: usize, change: impl FnOnce(&mut SubscriptionTree<K, V>) -> R) -> R {
        let mut slots = self
            .stripes
            .each_ref()
            .map(|stripe| stripe.slot(copy).write().unwrap_or_else(PoisonError::into_inner));
        let mut tree = None;
        for slot in &mut slots {
            // One reference is kept, the others go.
            tree = slot.take();
        }
        let mut tree = tree.unwrap_or_else(|| Arc::new(SubscriptionTree::clone(&self.read())));
        let result = Arc::get_mut(&mut tree).map(change);
        for slot in &mut slots {
            **slot = Some(Arc::clone(&tree));
        }
        result.unwrap_or_else(|| unreachable!("the copy has one owner"))
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Change<'_, K, V> {
    fn make(&self, tree: &mut SubscriptionTree<K, V>) {
        match self {
            Self::Subscribe(filter, key, value) => {
                tree.subscribe(*filter, key.clone(), value.clone());
            }
            Self::Unsubscribe(filter, key) => {
                tree.unsubscribe(*filter, key);
            }
            Self::UnsubscribeAll(key) => {
                tree.unsubscribe_all(key);
            }
        }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Missed<K, V> {
    fn of(change: &Change<'_, K, V>) -> Self {
        match change {
            Change::Subscribe(filter, key, value) => {
                Self::Subscribe((*filter).into(), key.clone(), value.clone())
            }
            Change::Unsubscribe(filter, key) => Self::Unsubscribe((*filter).into(), key.clone()),
            Change::UnsubscribeAll(key) => Self::UnsubscribeAll(key.clone()),
        }
    }

    fn make(self, tree: &mut SubscriptionTree<K, V>) {
        match self {
            Self::Subscribe(filter, key, value) => {
                tree.subscribe(filter.as_filter(), key, value);
            }
            Self::Unsubscribe(filter, key) => {
                tree.unsubscribe(filter.as_filter(), &key);
            }
            Self::UnsubscribeAll(key) => {
                tree.unsubscribe_all(&key);
            }
        }
    }
}

/// The tree becomes one copy, its clone the other.
impl<K: Clone, V: Clone> From<SubscriptionTree<K, V>> for ConcurrentTree<K, V> {
    fn from(tree: SubscriptionTree<K, V>) -> Self {
        let copies = [Arc::new(tree.clone()), Arc::new(tree)];
        Self {
            published: Published(AtomicUsize::new(0)),
            stripes: core::array::from_fn(|_| {
                Stripe(copies.each_ref().map(|copy| RwLock::new(Some(Arc::clone(copy)))))
            }),
            missed: Mutex::new(Vec::new()),
        }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Default for ConcurrentTree<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> Deref for ReadGuard<'_, K, V> {
    type Target = SubscriptionTree<K, V>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        match &*self.0 {
            Some(tree) => tree,
            None => unreachable!("nobody took the tree while it is read"),
        }
    }
}

/// Threads are given stripes in turn.
fn stripe_of_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static STRIPE: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    // At the end of a thread it may be gone; then any will do.
    STRIPE.try_with(|stripe| *stripe).unwrap_or_default()
}

/// Prints the counts.
impl<K, V> fmt::Debug for ConcurrentTree<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConcurrentTree").field(&*self.read()).finish()
    }
}

/// Prints the counts.
impl<K, V> fmt::Debug for ReadGuard<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

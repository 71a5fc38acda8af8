//! A tree that is read while it is changed.
//!
//! ```text
//!   copies        A, which is read                        B, which is changed
//!
//!   a change      1. is made in B
//!                 2. the stripes are led to B, one by one   [A] [A] [A] [A]  ->  [B] [B] [A] [A]  ->  [B] [B] [B] [B]
//!                 3. nobody reads A any more: it is made in A, which the next change begins with
//!
//!   a reader      takes the stripe of its thread for reading; if the writer is just there, the next one
//! ```
//!
//! A stripe is a lock around a reference to a copy, in memory of its own: readers on different stripes write to no common place, so they do
//! not slow each other. The writer holds one stripe at a time, for as long as it takes to exchange a pointer, and waits in step 2 for who
//! reads there; who comes then finds another stripe.

use alloc::sync::Arc;
use core::fmt;
use core::hash::Hash;
use core::mem;
use core::ops::Deref;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, TryLockError};

use super::SubscriptionTree;
use crate::filter::TopicFilter;

/// Threads that read at once without meeting.
const STRIPES: usize = 16;

/// A [`SubscriptionTree`] that many threads read while one changes it, and no reader waits.
///
/// There are two copies: while one is changed, the other is read. A change is seen by everybody when the method that makes it returns;
/// until then, some may see it and others not yet. What a guard shows does not change as long as it is held.
///
/// # Cost
///
/// [`read`](Self::read) costs two atomic operations on memory that other threads seldom touch. A change costs twice what it costs in
/// a [`SubscriptionTree`], some hundred nanoseconds for the exchange, and the wait until each reader has given up the guard that it held:
/// hold a guard for one message or a batch of them, not for long. Many changes in one [`apply`](Self::apply) exchange and wait once. Memory
/// is that of two trees; keys and values are cloned once more.
///
/// Each copy counts the turns of its shared groups by itself: of two members that were there all along, one may have had two messages
/// more than the other.
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
    stripes: [Stripe<K, V>; STRIPES],
    /// The copy that is not read; only the writer has a reference to it.
    spare: Mutex<Arc<SubscriptionTree<K, V>>>,
}

/// Alone on its lines of memory, and on the one that a processor fetches with them.
#[repr(align(128))]
struct Stripe<K, V>(RwLock<Arc<SubscriptionTree<K, V>>>);

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

/// A [`ConcurrentTree`] as it is read; made by [`ConcurrentTree::read`].
pub struct ReadGuard<'a, K, V>(RwLockReadGuard<'a, Arc<SubscriptionTree<K, V>>>);

impl<K, V> ConcurrentTree<K, V> {
    /// The tree, to be read. Never waits.
    pub fn read(&self) -> ReadGuard<'_, K, V> {
        let home = stripe_of_thread();
        // The writer is in one stripe at a time, so the first or the second is free; if it moves on at the wrong moment, there is a third.
        let mut stripes = self.stripes.iter().cycle().skip(home % STRIPES);
        loop {
            let Some(stripe) = stripes.next() else { continue };
            match stripe.0.try_read() {
                Ok(guard) => return ReadGuard(guard),
                // Nothing that can panic is done in a stripe.
                Err(TryLockError::Poisoned(error)) => return ReadGuard(error.into_inner()),
                Err(TryLockError::WouldBlock) => {}
            }
        }
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
        self.change(|tree| tree.subscribe(filter, key.clone(), value.clone()))
    }

    /// As [`SubscriptionTree::unsubscribe`].
    pub fn unsubscribe(&self, filter: TopicFilter<'_>, key: &K) -> Option<V> {
        self.change(|tree| tree.unsubscribe(filter, key))
    }

    /// As [`SubscriptionTree::unsubscribe_all`].
    pub fn unsubscribe_all(&self, key: &K) -> usize {
        self.change(|tree| tree.unsubscribe_all(key))
    }

    /// Makes several changes, one after the other. A reader sees all of them or none.
    pub fn apply(&self, changes: &[Change<'_, K, V>]) {
        self.change(|tree| {
            for change in changes {
                match change {
                    Change::Subscribe(filter, key, value) => {
                        tree.subscribe(*filter, key.clone(), value.clone());
                    }
                    Change::Unsubscribe(filter, key) => {
                        tree.unsubscribe(*filter, key);
                    }
                    Change::UnsubscribeAll(key) => {
                        tree.unsubscribe_all(key);
                    }
                }
            }
        });
    }

    /// Makes a change in both copies; returns what the first one returned.
    fn change<R>(&self, change: impl Fn(&mut SubscriptionTree<K, V>) -> R) -> R {
        let mut spare = self.spare.lock().unwrap_or_else(|poisoned| {
            // The caller's code panicked in the middle of a change: what is read was not touched.
            let mut spare = poisoned.into_inner();
            *spare = Arc::new(SubscriptionTree::clone(&self.read()));
            self.spare.clear_poison();
            spare
        });
        let result = Arc::get_mut(&mut spare).map(&change);
        let mut old = None;
        for stripe in &self.stripes {
            let mut stripe = stripe.0.write().unwrap_or_else(PoisonError::into_inner);
            old = Some(mem::replace(&mut *stripe, Arc::clone(&spare)));
        }
        if let Some(old) = old {
            *spare = old;
        }
        let again = Arc::get_mut(&mut spare).map(&change);
        result.or(again).unwrap_or_else(|| unreachable!("the spare copy has one owner"))
    }
}

/// The tree becomes one copy, its clone the other.
impl<K: Clone, V: Clone> From<SubscriptionTree<K, V>> for ConcurrentTree<K, V> {
    fn from(tree: SubscriptionTree<K, V>) -> Self {
        let spare = Mutex::new(Arc::new(tree.clone()));
        let tree = Arc::new(tree);
        Self { stripes: core::array::from_fn(|_| Stripe(RwLock::new(Arc::clone(&tree)))), spare }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Default for ConcurrentTree<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> Deref for ReadGuard<'_, K, V> {
    type Target = SubscriptionTree<K, V>;

    fn deref(&self) -> &Self::Target {
        &self.0
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

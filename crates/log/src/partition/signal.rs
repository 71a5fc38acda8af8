//! Waiting for an end to move: threads, and futures without a runtime.
//!
//! ```text
//!   who waits                                 who changes the state
//!   1. says so (`waiting`, its waker)         1. changes it (publishes an end)
//!   2. fence                                  2. fence
//!   3. looks at the state                     3. looks at `waiting`, and wakes
//! ```
//!
//! One of the two sees the other, so no wake-up is lost; some are for nothing, and who is woken looks for himself. All
//! interleavings of small cases are gone through by `tests/loom.rs`, which compiles this file once more over loom's locks.

use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use crate::sync::atomic::{AtomicUsize, Ordering, fence};
use crate::sync::{Condvar, Mutex};

/// Says that something changed, to threads and wakers that wait. Costs one load when nobody does.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    waiting: AtomicUsize,
    wakers: Mutex<Wakers>,
    changed: Condvar,
}

/// One place per future that waits; places are used again, so there are never more than ever waited at once.
#[derive(Debug, Default)]
struct Wakers {
    places: Vec<Place>,
    free: Vec<usize>,
}

#[derive(Debug)]
enum Place {
    Free,
    /// `None` after it was woken.
    Taken(Option<Waker>),
}

impl Signal {
    /// Wakes all who wait; they look for themselves whether it was for them.
    pub(crate) fn notify(&self) {
        fence(Ordering::SeqCst);
        self.notify_after_fence();
    }

    /// The same when the caller made the fence.
    pub(crate) fn notify_after_fence(&self) {
        if self.waiting.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut woken = Vec::new();
        for place in &mut self.wakers.lock().places {
            if let Place::Taken(waker) = place {
                woken.extend(waker.take());
            }
        }
        self.changed.notify_all();
        woken.into_iter().for_each(Waker::wake);
    }

    /// Blocks until `ready` gives something, or until the timeout.
    pub(crate) fn wait<T>(&self, timeout: Duration, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
        if let Some(value) = ready() {
            return Some(value);
        }
        // A timeout beyond what the clock can count is none.
        let deadline = Instant::now().checked_add(timeout);
        self.waiting.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let mut guard = self.wakers.lock();
        let outcome = loop {
            if let Some(value) = ready() {
                break Some(value);
            }
            let left = deadline.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                break None;
            }
            guard = if deadline.is_some() {
                self.changed.wait_timeout(guard, left)
            } else {
                self.changed.wait(guard)
            };
        };
        drop(guard);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        outcome
    }

    /// The poll of a future that waits: ready when `ready` gives something, otherwise its waker is left behind. The place
    /// of `ticket` is the future's until then; a future that is dropped gives it back by [`Signal::deregister`].
    pub(crate) fn poll<T>(
        &self,
        ticket: &mut Option<usize>,
        waker: &Waker,
        mut ready: impl FnMut() -> Option<T>,
    ) -> Poll<T> {
        let mut outcome = ready();
        if outcome.is_none() {
            self.register(ticket, waker);
            outcome = ready();
        }
        match outcome {
            None => Poll::Pending,
            Some(outcome) => {
                self.deregister(ticket);
                Poll::Ready(outcome)
            }
        }
    }

    /// Leaves a waker in the place of `ticket`, taking a place first if it has none.
    fn register(&self, ticket: &mut Option<usize>, waker: &Waker) {
        let mut wakers = self.wakers.lock();
        let at = *ticket.get_or_insert_with(|| {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            wakers.free.pop().unwrap_or_else(|| {
                wakers.places.push(Place::Free);
                wakers.places.len() - 1
            })
        });
        let old = wakers.places.get_mut(at).and_then(|place| match place {
            Place::Taken(Some(known)) if known.will_wake(waker) => None,
            _ => Some(std::mem::replace(place, Place::Taken(Some(waker.clone())))),
        });
        drop(wakers);
        drop(old); // A waker's drop is foreign code: not under the lock.
        fence(Ordering::SeqCst);
    }

    /// Gives back the place of a future, and its waker.
    pub(crate) fn deregister(&self, ticket: &mut Option<usize>) {
        let Some(at) = ticket.take() else { return };
        let mut wakers = self.wakers.lock();
        let old = wakers.places.get_mut(at).map(|place| std::mem::replace(place, Place::Free));
        wakers.free.push(at);
        drop(wakers);
        drop(old); // A waker's drop is foreign code: not under the lock.
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::task::Wake;

    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_waker_is_woken_once_for_each_registration() {
        let (signal, counter) = (Signal::default(), Arc::new(Counter::default()));
        let waker = Waker::from(Arc::clone(&counter));
        let mut ticket = None;
        signal.register(&mut ticket, &waker);
        signal.register(&mut ticket, &waker);
        signal.notify();
        signal.notify();
        assert_eq!(counter.0.load(Ordering::SeqCst), 1);
        signal.register(&mut ticket, &waker);
        signal.notify();
        assert_eq!(counter.0.load(Ordering::SeqCst), 2);
        signal.deregister(&mut ticket);
        signal.notify();
        assert_eq!((counter.0.load(Ordering::SeqCst), ticket), (2, None));
    }

    #[test]
    fn places_are_used_again() {
        let signal = Signal::default();
        for _ in 0..100 {
            let (mut one, mut two) = (None, None);
            signal.register(&mut one, Waker::noop());
            signal.register(&mut two, Waker::noop());
            assert_ne!(one, two);
            signal.deregister(&mut one);
            signal.deregister(&mut two);
        }
        assert_eq!(signal.wakers.lock().places.len(), 2);
        assert_eq!(signal.waiting.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_thread_that_waits_sees_every_change() {
        let (signal, flag) = (Signal::default(), AtomicBool::new(false));
        let (signal, flag) = (&signal, &flag);
        std::thread::scope(|scope| {
            for round in 0..1000 {
                let wanted = round % 2 == 0;
                let waiter = scope.spawn(move || {
                    let ready = || (flag.load(Ordering::Acquire) == wanted).then_some(());
                    signal.wait(Duration::from_secs(60), ready)
                });
                flag.store(wanted, Ordering::Release);
                signal.notify();
                assert_eq!(waiter.join().unwrap(), Some(()), "round {round}");
            }
        });
    }

    #[test]
    fn a_wait_ends_at_its_timeout() {
        assert_eq!(Signal::default().wait(Duration::from_millis(1), || None::<()>), None);
    }
}

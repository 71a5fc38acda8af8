//! What wakes a connection, though its socket does not.
//!
//! ```text
//!   store, lanes: ring() ------------------> Bell ---> the connection's task
//!   another client, the clock, the disk ---> Watched --^       only those that have rung are looked at
//! ```
//!
//! A connection that is busy looks at its socket tens of thousands of times a second and at the others as often for nothing, unless
//! they say themselves that there is something to see.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Wakes one task. What rings before it was heard rings once.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Bell {
    /// Wakes the task, unless it is about to look already. Costs one exchange then.
    pub(super) fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel)
            && let Some(waker) = &*self.waker.lock().unwrap_or_else(PoisonError::into_inner)
        {
            waker.wake_by_ref();
        }
    }

    /// Ready once for all that rang since it was ready before.
    pub(super) fn poll_rung(&self, context: &Context<'_>) -> Poll<()> {
        if self.rung.swap(false, Ordering::AcqRel) {
            return Poll::Ready(());
        }
        {
            let mut waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
            if !waker.as_ref().is_some_and(|known| known.will_wake(context.waker())) {
                *waker = Some(context.waker().clone());
            }
        }
        // Who rang meanwhile may not have seen the waker.
        if self.rung.swap(false, Ordering::AcqRel) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// A future that rings the connection's bell when there is something to see, and is looked at only then.
pub(super) struct Watched<T> {
    future: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    woken: Arc<Woken>,
    waker: Waker,
}

#[derive(Debug)]
struct Woken {
    is_woken: AtomicBool,
    bell: Arc<Bell>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Before the bell: who hears it must see it.
        self.is_woken.store(true, Ordering::Release);
        self.bell.ring();
    }
}

impl<T> Watched<T> {
    /// Nothing to watch yet.
    pub(super) fn new(bell: &Arc<Bell>) -> Self {
        let woken = Arc::new(Woken { is_woken: AtomicBool::new(false), bell: Arc::clone(bell) });
        Self { future: None, waker: Waker::from(Arc::clone(&woken)), woken }
    }

    /// Watches this one from now on.
    pub(super) fn set(&mut self, future: impl Future<Output = T> + Send + 'static) {
        self.future = Some(Box::pin(future));
        self.woken.is_woken.store(true, Ordering::Release);
    }

    /// Watches nothing.
    pub(super) fn clear(&mut self) {
        self.future = None;
    }

    pub(super) fn is_set(&self) -> bool {
        self.future.is_some()
    }

    /// Ready once for each future that is.
    pub(super) fn poll_once(&mut self) -> Poll<T> {
        let Some(future) = &mut self.future else { return Poll::Pending };
        if !self.woken.is_woken.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let polled = future.as_mut().poll(&mut Context::from_waker(&self.waker));
        if polled.is_ready() {
            self.future = None;
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use tokio::sync::watch;
    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn what_rings_before_it_is_heard_is_heard_once() {
        let bell = Bell::default();
        bell.ring();
        bell.ring();
        let heard = poll_fn(|context| Poll::Ready([bell.poll_rung(context), bell.poll_rung(context)])).await;
        assert_eq!(heard, [Poll::Ready(()), Poll::Pending]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_ring_of_another_thread_is_missed() {
        let (bell, rounds) = (Arc::new(Bell::default()), 20_000);
        let (told, mut tells) = watch::channel(0);
        let ringer = tokio::spawn({
            let bell = Arc::clone(&bell);
            async move {
                for round in 0..rounds {
                    tells.wait_for(|told| *told == round).await.unwrap();
                    bell.ring();
                }
            }
        });
        for round in 1..=rounds {
            timeout(PATIENCE, poll_fn(|context| bell.poll_rung(context))).await.unwrap();
            told.send_replace(round);
        }
        ringer.await.unwrap();
    }

    #[tokio::test]
    async fn a_future_is_looked_at_only_when_it_has_woken() {
        let bell = Arc::new(Bell::default());
        let mut watched = Watched::new(&bell);
        let (sender, mut receiver) = watch::channel(0);
        let looked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        watched.set({
            let looked = Arc::clone(&looked);
            async move {
                let changed = receiver.wait_for(|value| *value == 2);
                let mut changed = std::pin::pin!(changed);
                poll_fn(|context| {
                    looked.fetch_add(1, Ordering::Relaxed);
                    changed.as_mut().poll(context).map(|value| *value.unwrap())
                })
                .await
            }
        });
        for _ in 0..5 {
            assert_eq!(watched.poll_once(), Poll::Pending);
        }
        assert_eq!(looked.load(Ordering::Relaxed), 1);
        sender.send_replace(2);
        timeout(PATIENCE, poll_fn(|context| bell.poll_rung(context))).await.unwrap();
        assert_eq!(watched.poll_once(), Poll::Ready(2));
        assert!(!watched.is_set());
    }
}

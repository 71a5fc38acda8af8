//! Waiting until one of several things has happened: for a task, and for a thread.
//!
//! Each [`Signal`](super::Signal) knows only who waits for it. Who waits for several leaves a waker with each of them; a
//! thread's waker is a bell that it sleeps by. So there is no thread that waits for others, and no lock that all partitions share.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crate::sync::{Condvar, Mutex};

/// A future that is ready as soon as one of its parts is: it gives the part's place and outcome.
///
/// A poll costs a poll of each part up to the first that is ready. Without parts it is never ready.
#[derive(Debug)]
pub(crate) struct Any<F> {
    parts: Vec<F>,
}

impl<F> FromIterator<F> for Any<F> {
    fn from_iter<I: IntoIterator<Item = F>>(parts: I) -> Self {
        Self { parts: parts.into_iter().collect() }
    }
}

impl<F: Future + Unpin> Future for Any<F> {
    type Output = (usize, F::Output);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        for (at, part) in self.parts.iter_mut().enumerate() {
            if let Poll::Ready(outcome) = Pin::new(part).poll(context) {
                return Poll::Ready((at, outcome));
            }
        }
        Poll::Pending
    }
}

/// What a sleeping thread is woken by. Not `std::thread::park`: its token is shared with whatever else the thread does.
#[derive(Debug, Default)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *self.rung.lock() = true;
        self.changed.notify_all();
    }
}

impl Bell {
    /// Sleeps until it has rung since the last time, or until `deadline`.
    fn wait(&self, deadline: Option<Instant>) {
        let mut rung = self.rung.lock();
        while !*rung {
            rung = match deadline.map(|at| at.saturating_duration_since(Instant::now())) {
                Some(left) if left.is_zero() => return,
                Some(left) => self.changed.wait_timeout(rung, left),
                None => self.changed.wait(rung),
            };
        }
        *rung = false;
    }
}

/// Blocks until a future is ready, or until the timeout. It is polled once whatever the timeout.
pub(crate) fn wait<F: Future + Unpin>(future: F, timeout: Duration) -> Option<F::Output> {
    // A timeout beyond what the clock can count is none.
    wait_until(future, Instant::now().checked_add(timeout))
}

/// The same until a time; `None` is for ever.
pub(crate) fn wait_until<F: Future + Unpin>(mut future: F, deadline: Option<Instant>) -> Option<F::Output> {
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut context = Context::from_waker(&waker);
    loop {
        // Before the poll: one that is ready wins over a timeout that has passed meanwhile.
        let is_over = deadline.is_some_and(|at| at <= Instant::now());
        if let Poll::Ready(outcome) = Pin::new(&mut future).poll(&mut context) {
            return Some(outcome);
        }
        if is_over {
            return None;
        }
        bell.wait(deadline);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Signal;
    use super::*;
    use std::future::{pending, poll_fn, ready};
    use std::sync::atomic::{AtomicBool, Ordering};

    /// A flag that many wait for.
    #[derive(Default)]
    struct Flag {
        set: AtomicBool,
        moved: Signal,
    }

    impl Flag {
        fn set(&self) {
            self.set.store(true, Ordering::Release);
            self.moved.notify();
        }

        fn is_set(&self) -> impl Future<Output = ()> + Unpin + '_ {
            let mut ticket = None;
            poll_fn(move |context| {
                let is_set = || self.set.load(Ordering::Acquire).then_some(());
                self.moved.poll(&mut ticket, context.waker(), is_set)
            })
        }
    }

    #[test]
    fn the_first_that_is_ready_is_given() {
        let any: Any<_> = [false, true, true].into_iter().map(|is| Pin::from(promise(is))).collect();
        assert_eq!(wait(any, Duration::ZERO), Some((1, ())));
    }

    fn promise(is_ready: bool) -> Box<dyn Future<Output = ()>> {
        if is_ready { Box::new(ready(())) } else { Box::new(pending()) }
    }

    #[test]
    fn a_thread_wakes_for_whichever_comes() {
        for last in 0..3 {
            for _ in 0..300 {
                let flags: [Flag; 3] = Default::default();
                let any: Any<_> = flags.iter().map(Flag::is_set).collect();
                std::thread::scope(|scope| {
                    let waiter = scope.spawn(|| wait(any, Duration::from_secs(60)));
                    flags[last].set();
                    assert_eq!(waiter.join().unwrap(), Some((last, ())));
                });
            }
        }
    }

    #[test]
    fn a_wait_ends_at_its_timeout_and_none_is_too_long() {
        assert_eq!(wait(pending::<()>(), Duration::from_millis(1)), None);
        assert_eq!(wait(ready(()), Duration::MAX), Some(()));
        let none: Any<std::future::Pending<()>> = std::iter::empty().collect();
        assert_eq!(wait(none, Duration::ZERO), None);
    }
}

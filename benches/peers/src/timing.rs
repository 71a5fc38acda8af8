//! Times contestants in turn, so that what disturbs the machine disturbs all of them.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Somebody who does a case.
pub struct Contestant {
    /// The crate, and what sets this entry apart from others of the same crate.
    pub name: &'static str,
    /// Does the case so many times; gives the time of one.
    run: Box<dyn FnMut(u64) -> f64>,
}

impl Contestant {
    /// One that needs nothing but the call.
    pub fn repeated(name: &'static str, mut call: impl FnMut() + 'static) -> Self {
        let run = move |times| {
            let start = Instant::now();
            for _ in 0..times {
                call();
            }
            start.elapsed().as_nanos() as f64 / times as f64
        };
        Self { name, run: Box::new(run) }
    }

    /// One that does so many at each call; the time is that of one.
    pub fn many(name: &'static str, count: u64, mut call: impl FnMut() + 'static) -> Self {
        let run = move |times: u64| {
            let calls = times.div_ceil(count);
            let start = Instant::now();
            for _ in 0..calls {
                call();
            }
            start.elapsed().as_nanos() as f64 / (calls * count) as f64
        };
        Self { name, run: Box::new(run) }
    }

    /// One that uses up what it is given: `fill` makes it ready for `batch` calls and is not timed.
    ///
    /// The clock is read twice per batch; what that costs is taken off.
    pub fn refilled<S: 'static>(
        name: &'static str,
        batch: usize,
        mut state: S,
        mut fill: impl FnMut(&mut S) + 'static,
        mut call: impl FnMut(&mut S) + 'static,
    ) -> Self {
        let run = move |times: u64| {
            let batches = times.div_ceil(batch as u64);
            let mut total = Duration::ZERO;
            for _ in 0..batches {
                fill(&mut state);
                let start = Instant::now();
                for _ in 0..batch {
                    call(&mut state);
                }
                total += start.elapsed().saturating_sub(clock());
            }
            total.as_nanos() as f64 / (batches * batch as u64) as f64
        };
        Self { name, run: Box::new(run) }
    }
}

/// What reading the clock twice costs.
fn clock() -> Duration {
    static COST: OnceLock<Duration> = OnceLock::new();
    *COST.get_or_init(|| {
        let mut costs: Vec<_> = (0..10_001)
            .map(|_| {
                let start = Instant::now();
                black_box(start).elapsed()
            })
            .collect();
        costs.sort_unstable();
        costs.get(costs.len() / 2).copied().unwrap_or_default()
    })
}

/// The part of this thread's life in which it waited for a processor, where the system tells.
///
/// Figures beside each other bear that alike; nanoseconds by themselves are of a quiet machine only if this is nearly 0.
pub fn waited() -> Option<f64> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let mut told = told.split_ascii_whitespace().map_while(|number| number.parse::<f64>().ok());
    let (ran, waited) = (told.next()?, told.next()?);
    Some(waited / (ran + waited))
}

/// Times all in turn, round after round; gives each one's median in nanoseconds, in the order they came.
///
/// Each is warmed up first, by finding out how many calls fill a slice of time.
pub fn medians(contestants: &mut [Contestant], rounds: usize, slice: Duration) -> Vec<f64> {
    let times: Vec<u64> = contestants.iter_mut().map(|one| calls_in(one, slice)).collect();
    let mut figures = vec![Vec::new(); contestants.len()];
    for _ in 0..rounds {
        for ((one, times), figures) in contestants.iter_mut().zip(&times).zip(&mut figures) {
            figures.push((one.run)(*times));
        }
    }
    figures.into_iter().map(median).collect()
}

/// How many calls take about as long as this.
fn calls_in(one: &mut Contestant, slice: Duration) -> u64 {
    let mut times = 1;
    loop {
        let start = Instant::now();
        let each = (one.run)(times);
        // By the wall clock, refills included, or a contestant with dear refills would never end.
        if start.elapsed() * 4 >= slice || times >= 1 << 30 {
            let wanted = slice.as_nanos() as f64 / each.max(0.1);
            return (wanted as u64).clamp(1, times.saturating_mul(8));
        }
        times *= 2;
    }
}

/// The one in the middle; not a number if there is none.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn what_is_refilled_is_full_at_each_call() {
        let mut one = Contestant::refilled(
            "counter",
            3,
            0,
            |left| *left = 3,
            |left| {
                assert!(*left > 0);
                *left -= 1;
            },
        );
        assert!((one.run)(10) >= 0.0);
    }
}

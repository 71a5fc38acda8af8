//! The time that retention goes by: the wall clock, unless it has jumped ahead.
//!
//! ```text
//!   wall clock   |-----------'          ,--------------------------    a jump of a year
//!   believed     |-----------'-----------------------------'           goes on as fast as time passes
//!                            ^ jump                        ^ confirmed by the program, or shown for as long as the step
//! ```
//!
//! A clock that is set back only delays retention; one that is set ahead would delete what is not old. How fast time passes
//! tells a clock that nobody sets. A log that is opened knows no time but the one that its marks say was believed last. When
//! records were appended is noted by the wall clock all the same: if it is ahead, they are kept longer, not shorter.

use crate::clock::Clock;

/// How far the wall clock may be ahead of what is believed.
#[derive(Debug, Default)]
pub(crate) struct Believed {
    step_ms_max: Option<u64>,
    at_ms: i64,
    seen_at: u64,
    jump: Option<Jump>,
}

/// A jump that is not believed yet.
#[derive(Debug, Clone, Copy)]
struct Jump {
    /// How far it was when it was seen, and when that was.
    by_ms: u64,
    since: u64,
}

impl Believed {
    /// Begins with the time that is known, or with that of the clock where none is.
    pub(super) fn new(step_ms_max: Option<u64>, known_ms: Option<i64>, clock: &dyn Clock) -> Self {
        let at_ms = known_ms.unwrap_or_else(|| clock.now_ms());
        Self { step_ms_max, at_ms, seen_at: clock.monotonic_ms(), jump: None }
    }

    /// Takes note of a time; gives the one to go by, and how far the clock is ahead of it.
    pub(super) fn observe(&mut self, now_ms: i64, seen_at: u64) -> (i64, Option<u64>) {
        let passed = seen_at.saturating_sub(self.seen_at);
        let expected = self.at_ms.saturating_add_unsigned(passed);
        self.seen_at = seen_at;
        self.at_ms = expected;
        let ahead = u64::try_from(now_ms.saturating_sub(expected)).unwrap_or(0);
        let Some(step) = self.step_ms_max.filter(|step| ahead > *step) else {
            return self.believe(now_ms);
        };
        let jump = self.jump.filter(|jump| jump.by_ms.abs_diff(ahead) <= step);
        let jump = *self.jump.insert(jump.unwrap_or(Jump { by_ms: ahead, since: seen_at }));
        if seen_at.saturating_sub(jump.since) >= step {
            return self.believe(now_ms);
        }
        (self.at_ms, Some(ahead))
    }

    /// Goes by this time from now on, whatever was seen before.
    pub(super) fn confirm(&mut self, now_ms: i64, seen_at: u64) {
        self.seen_at = seen_at;
        self.believe(now_ms);
    }

    fn believe(&mut self, now_ms: i64) -> (i64, Option<u64>) {
        self.at_ms = now_ms;
        self.jump = None;
        (now_ms, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: u64 = 1000;

    fn believed(at_ms: i64) -> Believed {
        Believed { step_ms_max: Some(STEP), at_ms, seen_at: 0, jump: None }
    }

    #[test]
    fn a_clock_that_runs_is_believed_also_when_it_was_not_looked_at_for_long() {
        let mut believed = believed(5000);
        assert_eq!(believed.observe(5100, 100), (5100, None));
        assert_eq!(believed.observe(905_000, 900_000), (905_000, None), "a little fast");
        assert_eq!(believed.observe(3000, 900_100), (3000, None), "set back");
        assert_eq!(believed.observe(4100, 900_200), (4100, None), "and ahead by as much as is allowed");
    }

    #[test]
    fn a_jump_is_believed_when_it_lasts() {
        let mut believed = believed(0);
        assert_eq!(believed.observe(50_000, 10), (10, Some(49_990)));
        assert_eq!(believed.observe(50_500, 510), (510, Some(49_990)));
        assert_eq!(believed.observe(50_999, 1009), (1009, Some(49_990)));
        assert_eq!(believed.observe(51_000, 1010), (51_000, None));
        assert_eq!(believed.observe(51_100, 1110), (51_100, None));
    }

    #[test]
    fn a_clock_that_jumps_about_is_not_believed() {
        let mut believed = believed(0);
        for round in 1..90_u64 {
            let now = i64::try_from(round % 7 * 100_000 + 50_000).unwrap();
            let (at, ahead) = believed.observe(now, round * 500);
            assert!(at == i64::try_from(round * 500).unwrap() && ahead.is_some(), "round {round}");
        }
        assert_eq!(believed.observe(45_200, 45_000), (45_200, None), "and when it is right again, it is");
    }

    #[test]
    fn what_the_program_confirms_is_believed_at_once() {
        let mut believed = believed(0);
        assert_eq!(believed.observe(50_000, 10), (10, Some(49_990)));
        believed.confirm(50_000, 10);
        assert_eq!(believed.observe(50_020, 30), (50_020, None));
        let mut any = Believed { step_ms_max: None, ..believed };
        assert_eq!(any.observe(i64::MAX, 31), (i64::MAX, None));
    }
}

/// Decides what chance decides.
pub trait Choose {
    /// Gives a number below `count`, which is at least 1.
    fn below(&mut self, count: usize) -> usize;

    /// Whether each thing is to be decided on its own, down to whole sectors: so for those who go through all
    /// choices. Chance decides for several at once now and then, and tears sectors.
    fn one_by_one(&self) -> bool {
        false
    }
}

impl Choose for fastrand::Rng {
    fn below(&mut self, count: usize) -> usize {
        self.usize(..count)
    }
}

/// Goes through all combinations of choices, one after the other, for exhaustive tests.
///
/// # Examples
///
/// ```
/// use headwater_testkit::sim_disk::{Choose, Odometer};
///
/// let mut odometer = Odometer::default();
/// let mut seen = Vec::new();
/// loop {
///     seen.push((odometer.below(2), odometer.below(3)));
///     if !odometer.advance() {
///         break;
///     }
/// }
/// assert_eq!(seen, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Odometer {
    /// Each choice made in this round, and how many there were.
    wheels: Vec<(usize, usize)>,
    at: usize,
}

impl Odometer {
    /// Goes to the next combination; false when all were had.
    pub fn advance(&mut self) -> bool {
        self.wheels.truncate(self.at);
        self.at = 0;
        while let Some((choice, count)) = self.wheels.pop() {
            if choice + 1 < count {
                self.wheels.push((choice + 1, count));
                return true;
            }
        }
        false
    }
}

impl Choose for Odometer {
    fn below(&mut self, count: usize) -> usize {
        let choice = match self.wheels.get(self.at) {
            Some((choice, _)) => *choice,
            None => {
                self.wheels.push((0, count));
                0
            }
        };
        self.at += 1;
        choice
    }

    fn one_by_one(&self) -> bool {
        true
    }
}

/// Keeps nothing or everything, except for one thing; lengths are the shortest or the longest.
#[derive(Debug)]
pub(super) struct AllBut {
    pub(super) keep: bool,
    /// The number of the choice that is made the other way.
    pub(super) but: Option<usize>,
    pub(super) at: usize,
}

impl Choose for AllBut {
    fn below(&mut self, count: usize) -> usize {
        let keep = self.keep != (self.but == Some(self.at));
        self.at += 1;
        if keep { count - 1 } else { 0 }
    }

    fn one_by_one(&self) -> bool {
        true
    }
}

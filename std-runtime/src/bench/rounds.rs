use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{BenchError, Spread};
use crate::device::DeviceError;

/// Work to time.
pub trait Candidate {
    /// Performs one unit of work and returns the duration of its timed part.
    ///
    /// # Errors
    /// [`BenchError`] when the work fails.
    fn run(&mut self) -> Result<Duration, BenchError>;
}

/// How long to measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Number of turns of each candidate.
    pub rounds: usize,
    /// Approximate total time of all rounds. A turn consists of as many units of work as fit into its share of this
    /// time, at least one.
    pub time: Duration,
}

impl Plan {
    /// Returns the time for measuring the limits of the machine: 10 %, but at most half a second.
    pub fn aside(&self) -> Duration {
        (self.time / 10).min(Duration::from_millis(500))
    }

    /// Returns the time for a profile: 25 %.
    pub fn profile(&self) -> Duration {
        self.time / 4
    }
}

/// Times candidates.
pub trait Timer {
    /// The error type.
    type Error: From<BenchError> + From<DeviceError>;

    /// Times the candidates according to `plan`. Returns `None` if another program timed them.
    ///
    /// # Errors
    /// Returns the errors of the candidates and those of the timer.
    fn time(
        &self,
        candidates: Vec<Box<dyn Candidate + '_>>,
        plan: Plan,
    ) -> Result<Option<Vec<Times>>, Self::Error>;
}

/// Seconds per unit of work of a candidate, by round.
#[derive(Debug, Clone, PartialEq)]
pub struct Times(pub Vec<f64>);

impl Times {
    /// Returns the spread over all rounds.
    pub fn spread(&self) -> Spread {
        Spread::new(&self.0)
    }

    /// Returns the spread of the ratios to `other`, round by round.
    pub fn ratio(&self, other: &Self) -> Spread {
        Spread::from_ratios(&self.0, &other.0)
    }
}

/// Times the candidates in turns, every second round in reverse order. First runs each candidate once as a warm-up.
///
/// # Errors
/// [`BenchError::Interrupted`] once `stop` is set, or the first error of a candidate.
pub fn alternate(
    candidates: &mut [Box<dyn Candidate + '_>],
    plan: Plan,
    stop: &AtomicBool,
) -> Result<Vec<Times>, BenchError> {
    let run = |candidate: &mut Box<dyn Candidate + '_>| {
        if stop.load(Ordering::Relaxed) { Err(BenchError::Interrupted) } else { candidate.run() }
    };
    for candidate in candidates.iter_mut() {
        run(candidate)?;
    }
    let turn = plan.time.div_f64((plan.rounds.max(1) * candidates.len().max(1)) as f64);
    let mut times = vec![Times(Vec::new()); candidates.len()];
    for round in 0..plan.rounds {
        let mut order: Vec<_> = candidates.iter_mut().zip(&mut times).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for (candidate, times) in order {
            let started = Instant::now();
            let (mut measured, mut units) = (Duration::ZERO, 0);
            while units == 0 || started.elapsed() < turn {
                measured += run(candidate)?;
                units += 1;
            }
            times.0.push(measured.as_secs_f64() / f64::from(units));
        }
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    struct Clockwork<'a>(u64, &'a RefCell<Vec<u64>>);

    impl Candidate for Clockwork<'_> {
        fn run(&mut self) -> Result<Duration, BenchError> {
            self.1.borrow_mut().push(self.0);
            Ok(Duration::from_secs(self.0))
        }
    }

    #[test]
    fn candidates_take_turns_in_alternating_order() {
        let order = RefCell::new(Vec::new());
        let plan = Plan { rounds: 3, time: Duration::ZERO };
        let mut candidates: Vec<Box<dyn Candidate>> =
            (1..4).map(|n| Box::new(Clockwork(n, &order)) as Box<dyn Candidate>).collect();
        let times = alternate(&mut candidates, plan, &AtomicBool::new(false)).unwrap();
        assert_eq!(times[1], Times(vec![2.0; 3]));
        assert_eq!(times[2].ratio(&times[0]).median, 3.0);
        drop(candidates);
        // The first three are the warm-up.
        assert_eq!(order.into_inner(), [1, 2, 3, 1, 2, 3, 3, 2, 1, 1, 2, 3]);
    }

    #[test]
    fn stop_interrupts_the_rounds() {
        let order = RefCell::new(Vec::new());
        let mut candidates: Vec<Box<dyn Candidate>> = vec![Box::new(Clockwork(1, &order))];
        let plan = Plan { rounds: 3, time: Duration::ZERO };
        let found = alternate(&mut candidates, plan, &AtomicBool::new(true));
        assert!(matches!(found, Err(BenchError::Interrupted)));
    }
}

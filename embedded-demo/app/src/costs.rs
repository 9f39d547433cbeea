use core::hint::black_box;

use crate::InstructionCounter;

/// Mean and maximum number of instructions per generated token.
#[derive(Default)]
pub struct TokenCosts {
    total: u64,
    maximum: u64,
    tokens: u64,
    current: u64,
    uncounted: bool,
}

impl TokenCosts {
    /// Runs `work` and adds its instructions to those of the current token.
    pub fn measure<T>(&mut self, counter: &impl InstructionCounter, work: impl FnOnce() -> T) -> T {
        let before = counter.now();
        let result = work();
        let after = counter.now();
        // `black_box` keeps the compiler from moving the computation into the next measurement.
        match black_box(counter.instructions(before, after)) {
            Some(instructions) => self.current += instructions,
            None => self.uncounted = true,
        }
        result
    }

    /// Ends the current token and includes it in the statistics.
    pub fn end_token(&mut self) {
        let token = core::mem::take(&mut self.current);
        self.total += token;
        self.maximum = self.maximum.max(token);
        self.tokens += 1;
    }

    /// Ends the current token without including it.
    pub fn discard_token(&mut self) {
        self.current = 0;
    }

    /// Logs the mean and the maximum.
    pub fn log(&self) {
        match self.total.checked_div(self.tokens) {
            Some(mean) if !self.uncounted => {
                defmt::println!(
                    "instructions per token {=u64}, at most {=u64}",
                    mean,
                    self.maximum
                );
            }
            _ => defmt::println!("instructions cannot be counted here"),
        }
    }
}

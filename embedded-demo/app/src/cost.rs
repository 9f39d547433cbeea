use core::hint::black_box;

use crate::Machine;

/// Instructions that tokens take.
#[derive(Default)]
pub struct Cost {
    total: u64,
    most: u64,
    tokens: u64,
    token: u64,
    uncounted: bool,
}

impl Cost {
    /// Does some of the work for a token and counts its instructions.
    pub fn of<T>(&mut self, machine: &impl Machine, work: impl FnOnce() -> T) -> T {
        let before = machine.now();
        let result = work();
        let after = machine.now();
        // Not to be put off until the next measurement.
        match black_box(machine.instructions(before, after)) {
            Some(instructions) => self.token += instructions,
            None => self.uncounted = true,
        }
        result
    }

    /// Ends a token; the first one, which waits for the whole prompt, does not count.
    pub fn next(&mut self, first: bool) {
        let token = core::mem::take(&mut self.token);
        if first {
            return;
        }
        self.total += token;
        self.most = self.most.max(token);
        self.tokens += 1;
    }

    /// Logs what was counted.
    pub fn log(&self) {
        match self.total.checked_div(self.tokens) {
            Some(mean) if !self.uncounted => {
                defmt::println!("instructions per token {=u64}, at most {=u64}", mean, self.most);
            }
            _ => defmt::println!("instructions cannot be counted here"),
        }
    }
}

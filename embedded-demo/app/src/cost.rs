use crate::Machine;

/// Instructions that tokens take.
#[derive(Default)]
pub struct Cost {
    total: u64,
    most: u64,
    tokens: u64,
    uncounted: bool,
}

impl Cost {
    /// Does the work for one token and counts its instructions.
    pub fn count<T>(&mut self, machine: &impl Machine, work: impl FnOnce() -> T) -> T {
        let before = machine.instructions();
        let result = work();
        match (before, machine.instructions()) {
            (Some(before), Some(after)) => {
                let cost = after.saturating_sub(before);
                self.total = self.total.saturating_add(cost);
                self.most = self.most.max(cost);
                self.tokens += 1;
            }
            _ => self.uncounted = true,
        }
        result
    }

    /// Logs what was counted.
    pub fn log(&self) {
        match self.total.checked_div(self.tokens) {
            Some(mean) if !self.uncounted => {
                defmt::println!("instructions per token {=u64}, at most {=u64}", mean, self.most,)
            }
            _ => defmt::println!("instructions cannot be counted here"),
        }
    }
}

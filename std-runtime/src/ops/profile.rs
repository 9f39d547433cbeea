//! Where the time of training goes, operation by operation: a switch for the whole process, off unless a
//! benchmark asks, and then one look at it per operation.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// Parts of a training step that are timed by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Rows of the token table, with positions.
    Embedding,
    /// Norms.
    Norm,
    /// Projections to queries, keys and values, with positions.
    Inputs,
    /// Scores, softmax and values.
    Attention,
    /// Attention's output projection.
    Projection,
    /// The MLP.
    FeedForward,
    /// Logits and loss; its derivatives are computed along with it.
    CrossEntropy,
    /// The sum of the parts' gradients, and its norm.
    Reduction,
    /// Clipping and AdamW.
    Optimizer,
}

/// Forward or backward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Forward.
    Forward,
    /// Backward.
    Backward,
}

impl Operation {
    /// All of them, in the order of a step.
    pub const ALL: [Self; 9] = [
        Self::Embedding,
        Self::Norm,
        Self::Inputs,
        Self::Attention,
        Self::Projection,
        Self::FeedForward,
        Self::CrossEntropy,
        Self::Reduction,
        Self::Optimizer,
    ];

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Embedding => "embedding",
            Self::Norm => "norm",
            Self::Inputs => "query, key, value",
            Self::Attention => "attention",
            Self::Projection => "output projection",
            Self::FeedForward => "MLP",
            Self::CrossEntropy => "cross-entropy",
            Self::Reduction => "sum of gradients",
            Self::Optimizer => "AdamW",
        }
    }
}

/// What an operation has taken, summed over calls and threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Calls.
    pub calls: u64,
    /// Nanoseconds of threads.
    pub nanoseconds: u64,
    /// Those of them inside matrix products.
    pub product_nanoseconds: u64,
    /// Operations of matrix products, a multiplication and an addition counted as two.
    pub flops: u64,
}

#[derive(Debug)]
struct Account([AtomicU64; 4]);

impl Account {
    const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; 4])
    }

    fn add(&self, values: [u64; 4]) {
        for (sum, value) in self.0.iter().zip(values) {
            sum.fetch_add(value, Ordering::Relaxed);
        }
    }

    fn take(&self) -> Cost {
        let [calls, nanoseconds, product_nanoseconds, flops] =
            [0, 1, 2, 3].map(|index| self.0[index].swap(0, Ordering::Relaxed));
        Cost { calls, nanoseconds, product_nanoseconds, flops }
    }
}

static ON: AtomicBool = AtomicBool::new(false);
static ACCOUNTS: [Account; 2 * Operation::ALL.len()] =
    [const { Account::new() }; 2 * Operation::ALL.len()];

thread_local! {
    /// The account of what this thread is at.
    static CURRENT: Cell<Option<&'static Account>> = const { Cell::new(None) };
}

fn account(operation: Operation, pass: Pass) -> &'static Account {
    &ACCOUNTS[2 * operation as usize + pass as usize]
}

/// Time everything from now on, from zero.
pub fn start() {
    ACCOUNTS.iter().for_each(|account| {
        account.take();
    });
    ON.store(true, Ordering::Relaxed);
}

/// What has been timed since [`start`], which ends with it.
pub fn stop() -> Vec<(Operation, Pass, Cost)> {
    ON.store(false, Ordering::Relaxed);
    let list = |operation| {
        let cost = move |pass| (operation, pass, account(operation, pass).take());
        [Pass::Forward, Pass::Backward].map(cost)
    };
    Operation::ALL.into_iter().flat_map(list).filter(|(.., cost)| cost.calls > 0).collect()
}

fn since(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Run `work`, a part of `operation` that this thread does alone.
#[inline]
pub fn timed<R>(operation: Operation, pass: Pass, work: impl FnOnce() -> R) -> R {
    timed_by(1, operation, pass, work)
}

/// Run `work`, which keeps `threads` threads busy.
pub fn timed_by<R>(
    threads: usize,
    operation: Operation,
    pass: Pass,
    work: impl FnOnce() -> R,
) -> R {
    if !ON.load(Ordering::Relaxed) {
        return work();
    }
    let account = account(operation, pass);
    let outer = CURRENT.replace(Some(account));
    let started = Instant::now();
    let result = work();
    account.add([1, threads as u64 * since(started), 0, 0]);
    CURRENT.set(outer);
    result
}

/// Run `work`, a matrix product inside a timed operation.
#[inline]
pub fn product<R>(rows: usize, columns: usize, inner: usize, work: impl FnOnce() -> R) -> R {
    if !ON.load(Ordering::Relaxed) {
        return work();
    }
    let started = Instant::now();
    let result = work();
    if let Some(account) = CURRENT.get() {
        account.add([0, 0, since(started), 2 * (rows * columns * inner) as u64]);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_an_account_of_its_own() {
        for (index, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation as usize, index);
            for pass in [Pass::Forward, Pass::Backward] {
                let index = 2 * index + pass as usize;
                assert!(std::ptr::eq(account(operation, pass), &ACCOUNTS[index]));
            }
        }
    }
}

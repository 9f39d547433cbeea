use std::cell::RefCell;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::ops::trace::{OPERATION, Operation, PRODUCT, Pass, TARGET};

/// The cost of an operation, summed over calls and threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Number of calls.
    pub calls: u64,
    /// Thread time in nanoseconds.
    pub nanoseconds: u64,
    /// Thread time in matrix products, in nanoseconds.
    pub product_nanoseconds: u64,
    /// Number of operations of matrix products; a multiplication and an addition count as two.
    pub flops: u64,
}

#[derive(Debug, Default)]
struct Account([AtomicU64; 4]);

impl Account {
    fn add(&self, cost: Cost) {
        let Cost { calls, nanoseconds, product_nanoseconds, flops } = cost;
        for (sum, value) in self.0.iter().zip([calls, nanoseconds, product_nanoseconds, flops]) {
            sum.fetch_add(value, Ordering::Relaxed);
        }
    }

    fn read(&self) -> Cost {
        let [calls, nanoseconds, product_nanoseconds, flops] =
            [0, 1, 2, 3].map(|index| self.0[index].load(Ordering::Relaxed));
        Cost { calls, nanoseconds, product_nanoseconds, flops }
    }
}

/// A `tracing` subscriber that accumulates the time of the spans of [`trace`](crate::ops::trace).
///
/// It relies on spans being entered and closed on the thread that creates them, in reverse order of creation.
#[derive(Debug, Clone, Default)]
pub struct Collector(Arc<[Account; 2 * Operation::ALL.len()]>);

/// A span that this thread is in.
#[derive(Debug, Default)]
struct Open {
    /// The index of the account of an operation.
    account: Option<usize>,
    threads: u64,
    flops: u64,
    started: Option<Instant>,
}

thread_local! {
    static OPEN: RefCell<Vec<Open>> = const { RefCell::new(Vec::new()) };
}

/// Returns the index of the account of an operation and direction.
fn account(operation: u64, pass: u64) -> usize {
    2 * operation as usize + pass as usize
}

/// The fields of a span.
#[derive(Debug, Default)]
struct Fields {
    operation: u64,
    pass: u64,
    threads: u64,
    flops: u64,
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "operation" => self.operation = value,
            "pass" => self.pass = value,
            "threads" => self.threads = value,
            "flops" => self.flops = value,
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

impl Collector {
    /// Returns the cost of every operation that was called, in the order of a training step.
    pub fn costs(&self) -> Vec<(Operation, Pass, Cost)> {
        let all = Operation::ALL.into_iter().flat_map(|operation| {
            Pass::ALL.map(|pass| {
                let account = &self.0[account(operation as u64, pass as u64)];
                (operation, pass, account.read())
            })
        });
        all.filter(|(.., cost)| cost.calls > 0).collect()
    }
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target() == TARGET
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        span.record(&mut fields);
        let Fields { operation, pass, threads, flops } = fields;
        let account = (span.metadata().name() == OPERATION).then(|| account(operation, pass));
        debug_assert!(account.is_some() || span.metadata().name() == PRODUCT);
        OPEN.with_borrow_mut(|open| {
            open.push(Open { account, threads, flops, started: None });
            Id::from_u64(open.len() as u64)
        })
    }

    fn enter(&self, _: &Id) {
        OPEN.with_borrow_mut(|open| {
            if let Some(span) = open.last_mut() {
                span.started = Some(Instant::now());
            }
        });
    }

    fn exit(&self, _: &Id) {
        OPEN.with_borrow(|open| {
            let Some((span, outer)) = open.split_last() else { return };
            let elapsed = span.started.map_or(0, |started| {
                u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX)
            });
            if let Some(account) = span.account {
                let nanoseconds = span.threads * elapsed;
                self.0[account].add(Cost { calls: 1, nanoseconds, ..Cost::default() });
            } else if let Some(account) = outer.iter().rev().find_map(|span| span.account) {
                let (product_nanoseconds, flops) = (elapsed, span.flops);
                self.0[account].add(Cost { product_nanoseconds, flops, ..Cost::default() });
            }
        });
    }

    fn try_close(&self, _: Id) -> bool {
        OPEN.with_borrow_mut(Vec::pop).is_some()
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}
}

#[cfg(test)]
mod tests {
    use tracing::subscriber::with_default;

    use super::*;
    use crate::ops::trace::{operation, operation_on, product};

    #[test]
    fn every_operation_and_direction_has_its_own_account() {
        let mut seen = Vec::new();
        for (index, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation as usize, index);
            seen.extend(Pass::ALL.map(|pass| account(operation as u64, pass as u64)));
        }
        let all: Vec<usize> = (0..2 * Operation::ALL.len()).collect();
        assert_eq!(seen, all);
    }

    #[test]
    fn products_are_attributed_to_the_innermost_operation() {
        let collector = Collector::default();
        with_default(collector.clone(), || {
            drop(product(1, 1, 1));
            let _outer = operation(Operation::Norm, Pass::Forward);
            drop(product(2, 3, 4));
            {
                let _inner = operation_on(3, Operation::Attention, Pass::Backward);
                drop(product(5, 6, 7));
            }
            drop(product(1, 1, 1));
        });
        drop(operation(Operation::Norm, Pass::Forward));
        let costs = collector.costs();
        let counted: Vec<_> =
            costs.iter().map(|(op, pass, cost)| (*op, *pass, cost.calls, cost.flops)).collect();
        let expected = [
            (Operation::Norm, Pass::Forward, 1, 2 * 24 + 2),
            (Operation::Attention, Pass::Backward, 1, 2 * 210),
        ];
        assert_eq!(counted, expected);
        assert!(costs.iter().all(|(.., cost)| cost.nanoseconds >= cost.product_nanoseconds));
    }
}

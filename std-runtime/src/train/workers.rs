use std::panic;
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use tracing::dispatcher;

/// Threads that process the shards of a batch.
///
/// Each has a pool of one thread, so that the matrix products of a shard are not split further. The results
/// depend only on the shards, not on the number of threads.
#[derive(Debug)]
pub struct Workers {
    pools: Vec<ThreadPool>,
}

impl Workers {
    /// Starts as many threads as the current rayon pool has, but at most `shards`. If that is one, all work runs
    /// on the calling thread instead.
    ///
    /// # Errors
    /// [`ThreadPoolBuildError`] when a thread cannot be started.
    pub fn new(shards: usize) -> Result<Self, ThreadPoolBuildError> {
        let count = rayon::current_num_threads().min(shards);
        let pool = |_| ThreadPoolBuilder::new().num_threads(1).build();
        let count = if count > 1 { count } else { 0 };
        Ok(Self { pools: (0..count).map(pool).collect::<Result<_, _>>()? })
    }

    /// Applies `work` to every item and returns the results in the order of the items.
    ///
    /// # Panics
    /// Panics if `work` panics.
    pub fn map<I: Sync, R: Send>(&self, items: &[I], work: impl Fn(&I) -> R + Sync) -> Vec<R> {
        if self.pools.is_empty() || items.len() < 2 {
            return items.iter().map(work).collect();
        }
        let share = items.len().div_ceil(self.pools.len());
        let work = &work;
        thread::scope(|scope| {
            let running: Vec<_> = self
                .pools
                .iter()
                .zip(items.chunks(share))
                .map(|(pool, items)| {
                    let observer = dispatcher::get_default(Clone::clone);
                    scope.spawn(move || {
                        dispatcher::with_default(&observer, || {
                            install(pool, || items.iter().map(work).collect::<Vec<R>>())
                        })
                    })
                })
                .collect();
            running
                .into_iter()
                .flat_map(|thread| {
                    thread.join().unwrap_or_else(|cause| panic::resume_unwind(cause))
                })
                .collect()
        })
    }
}

/// Runs `work` in `pool` with the `tracing` subscriber of the calling thread.
pub(super) fn install<R: Send>(pool: &ThreadPool, work: impl FnOnce() -> R + Send) -> R {
    let observer = dispatcher::get_default(Clone::clone);
    pool.install(|| dispatcher::with_default(&observer, work))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_for_any_number_of_threads() {
        let items: Vec<u32> = (0..7).collect();
        for threads in 1..9 {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let found = pool.install(|| {
                let workers = Workers::new(4).unwrap();
                assert!(workers.pools.len() <= threads.min(4));
                workers.map(&items, |item| (item * 2, rayon::current_num_threads()))
            });
            let doubled: Vec<u32> = found.iter().map(|(item, _)| *item).collect();
            assert_eq!(doubled, [0, 2, 4, 6, 8, 10, 12]);
            assert!(found.iter().all(|(_, threads)| *threads == 1));
        }
    }
}

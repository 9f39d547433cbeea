use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use dfdx::tensor::NoneTape;
use rayon::ThreadPoolBuilder;

use super::BenchError;
use crate::config::Precision;
use crate::device::Cpu;
use crate::model::ModelError;
use crate::ops::{Backend, tensor};

/// Number of rows and columns, large enough that memory does not limit the rate.
const SIZE: usize = 768;

/// Measures the operations per second of matrix products in single precision on `threads` threads.
///
/// Each thread multiplies its own square matrices of 768 rows, with the kernel that training uses. The result is
/// the sum over the threads of the rate of the fastest product within `time`, out of at least three.
///
/// # Errors
/// [`BenchError::Transformer`] when memory runs out, [`BenchError::Threads`] when a thread cannot be started.
pub fn matmul_rate(threads: usize, time: Duration) -> Result<f64, BenchError> {
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(|| one(time))).collect();
        let rates = running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause)));
        rates.sum()
    })
}

/// Measures the rate of one thread.
fn one(time: Duration) -> Result<f64, BenchError> {
    let values: Vec<f32> = (0..SIZE * SIZE).map(|n| (n % 31) as f32 / 31.0 - 0.5).collect();
    let matrix = tensor(&Cpu::default(), (SIZE, SIZE), &values).map_err(ModelError::device)?;
    // Keeps the product on this thread.
    let pool = ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.map_err(|source| BenchError::Threads { threads: 1, source })?;
    pool.install(|| {
        let started = Instant::now();
        let (mut best, mut products) = (f64::INFINITY, 0);
        while products < 3 || started.elapsed() < time {
            let left = matrix.clone();
            let product = Instant::now();
            let done =
                Cpu::project::<NoneTape>(None, black_box(left), black_box(&matrix), Precision::F32);
            let done = done.map_err(ModelError::device)?;
            best = product.elapsed().as_secs_f64().min(best);
            drop(black_box(done));
            products += 1;
        }
        Ok(2.0 * (SIZE as f64).powi(3) / best.max(1e-9))
    })
}

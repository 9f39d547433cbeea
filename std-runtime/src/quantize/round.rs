//! Rounding of rows of weights to integers.

use expe_core::internals::{GROUP, GROUP_BYTES};

use super::Compensation;

/// A row of 8-bit integers.
#[derive(Debug, Clone, PartialEq)]
pub struct Int8Row {
    pub scale: f32,
    pub quants: Vec<i8>,
}

/// A row of 4-bit integers.
#[derive(Debug, Clone, PartialEq)]
pub struct Int4Row {
    pub scale: f32,
    pub factors: Vec<u8>,
    pub quants: Vec<u8>,
}

/// Returns the fractions of the largest magnitude to try as the limit of the range.
fn cuts() -> impl Iterator<Item = f64> {
    (0..=20).map(|step| 1.0 - 0.02 * f64::from(step))
}

/// Returns the scale with the smallest error `Σ_i weight_i·(w_i − ŵ_i)²`, where `ŵ_i` is the scale times an
/// integer from `lowest` to `highest`. The scale of a row of zeros is 0.
fn best_scale(row: &[f64], weights: &[f64], lowest: f64, highest: f64) -> f64 {
    let largest = row.iter().fold(0.0, |max: f64, w| max.max(w.abs()));
    let error = |scale: f64| -> f64 {
        let squares = row.iter().zip(weights).map(|(w, weight)| {
            let quant = (w / scale).round().clamp(lowest, highest);
            weight * (w - quant * scale).powi(2)
        });
        squares.sum()
    };
    let candidates = cuts().map(|cut| largest / highest * cut);
    let scored = candidates.map(|scale| (error(scale), scale));
    let best = scored.fold((f64::INFINITY, largest / highest), |best, candidate| {
        if candidate.0 < best.0 { candidate } else { best }
    });
    best.1
}

/// Rounds the weights in order, where `step(i)` is the scale of weight `i`. Later weights compensate for the
/// error of each.
fn round_all(
    row: &[f64],
    compensation: Option<&Compensation>,
    step: impl Fn(usize) -> f64,
    (lowest, highest): (f64, f64),
) -> Vec<f64> {
    let mut row = row.to_vec();
    let mut quants = Vec::with_capacity(row.len());
    for i in 0..row.len() {
        let scale = step(i);
        let quant = if scale > 0.0 { (row[i] / scale).round().clamp(lowest, highest) } else { 0.0 };
        let error = row[i] - quant * scale;
        quants.push(quant);
        if let Some(compensation) = compensation {
            for (w, share) in row[i + 1..].iter_mut().zip(compensation.shares(i)) {
                *w -= error * share;
            }
        }
    }
    quants
}

/// Rounds a row to 8 bits. `importance` contains the mean square of each input.
pub fn int8(row: &[f64], importance: &[f64], compensation: Option<&Compensation>) -> Int8Row {
    let range = (-127.0, 127.0);
    let scale = best_scale(row, importance, range.0, range.1) as f32;
    let quants = round_all(row, compensation, |_| f64::from(scale), range);
    Int8Row { scale, quants: quants.into_iter().map(|quant| quant as i8).collect() }
}

/// Rounds a row to 4 bits in groups of 32 columns.
pub fn int4(row: &[f64], importance: &[f64], compensation: Option<&Compensation>) -> Int4Row {
    let range = (-8.0, 7.0);
    let groups = row.chunks(GROUP).zip(importance.chunks(GROUP));
    let scales: Vec<f64> =
        groups.map(|(row, weights)| best_scale(row, weights, range.0, range.1)).collect();
    let largest = scales.iter().fold(0.0, |max: f64, scale| max.max(*scale));
    let scale = (largest / 255.0) as f32;
    let factor = |wanted: &f64| match f64::from(scale) {
        unit if unit > 0.0 => (wanted / unit).round().clamp(0.0, 255.0) as u8,
        _ => 0,
    };
    let factors: Vec<u8> = scales.iter().map(factor).collect();
    let step = |i: usize| f64::from(scale) * f64::from(factors[i / GROUP]);
    let rounded = round_all(row, compensation, step, range);
    let mut quants = Vec::with_capacity(factors.len() * GROUP_BYTES);
    for group in rounded.chunks(GROUP) {
        let mut bytes = [0u8; GROUP_BYTES];
        for (i, quant) in group.iter().enumerate() {
            let bits = (*quant as i8 as u8) & 15;
            bytes[i % GROUP_BYTES] |= bits << (4 * (i / GROUP_BYTES));
        }
        quants.extend(bytes);
    }
    Int4Row { scale, factors, quants }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expe_core::internals::{Matrix, Random, Weights};

    const WIDTH: usize = 72;

    /// A row, and the second moments of inputs that vary together.
    fn problem(seed: u64) -> (Vec<f64>, Vec<f64>) {
        let mut random = Random::new(seed);
        let mut normal = || f64::from(random.normal());
        let row = (0..WIDTH).map(|_| normal()).collect();
        let mix: Vec<f64> = (0..WIDTH * 12).map(|_| normal()).collect();
        let second = (0..WIDTH * WIDTH)
            .map(|k| {
                let (i, j) = (k / WIDTH, k % WIDTH);
                let shared: f64 = (0..12).map(|f| mix[i * 12 + f] * mix[j * 12 + f]).sum();
                shared + if i == j { 1.0 } else { 0.0 }
            })
            .collect();
        (row, second)
    }

    fn loss(row: &[f64], found: &[f32], second: &[f64]) -> f64 {
        let lost: Vec<f64> =
            row.iter().zip(found).map(|(w, found)| w - f64::from(*found)).collect();
        let products = second.chunks(WIDTH).zip(&lost);
        products.map(|(row, a)| a * row.iter().zip(&lost).map(|(h, b)| h * b).sum::<f64>()).sum()
    }

    /// Returns the weights as the engine reads them.
    fn read(weights: Weights<'_>) -> Vec<f32> {
        let mut row = vec![0.0; WIDTH];
        assert!(Matrix::new(weights, 1, WIDTH).unwrap().read_row(0, &mut row));
        row
    }

    #[test]
    fn compensation_lowers_the_loss() {
        for seed in 0..20 {
            let (row, second) = problem(seed);
            let compensation = Compensation::new(&second, WIDTH);
            let importance: Vec<f64> = (0..WIDTH).map(|i| second[i * WIDTH + i]).collect();
            let losses = |compensation: Option<&Compensation>| {
                let Int8Row { scale, quants } = int8(&row, &importance, compensation);
                let eight = read(Weights::Int8 { scales: &[scale], quants: &quants });
                let Int4Row { scale, factors, quants } = int4(&row, &importance, compensation);
                let four =
                    read(Weights::Int4 { scales: &[scale], factors: &factors, quants: &quants });
                (loss(&row, &eight, &second), loss(&row, &four, &second))
            };
            let (plain, better) = (losses(None), losses(Some(&compensation)));
            assert!(better.0 < plain.0 && better.1 < plain.1, "{seed}: {plain:?} {better:?}");
        }
    }

    #[test]
    fn without_compensation_every_weight_is_rounded_to_nearest() {
        let (row, _) = problem(99);
        let flat = vec![1.0; WIDTH];
        let Int8Row { scale, quants } = int8(&row, &flat, None);
        let found = read(Weights::Int8 { scales: &[scale], quants: &quants });
        let step = f64::from(scale);
        for (w, found) in row.iter().zip(found) {
            let inside = w.abs() <= 127.5 * step;
            let error = (w - f64::from(found)).abs();
            assert!(!inside || error <= step * 0.500_001, "{w} {found}");
        }
        // Clipping the range never increases the error.
        let largest = row.iter().fold(0.0, |max: f64, w| max.max(w.abs()));
        let whole = largest / 127.0;
        let squares = |scale: f64| -> f64 {
            let rounded = |w: &f64| (w / scale).round().clamp(-127.0, 127.0) * scale;
            row.iter().map(|w| (w - rounded(w)).powi(2)).sum()
        };
        assert!(squares(best_scale(&row, &flat, -127.0, 127.0)) <= squares(whole));
    }

    #[test]
    fn zeros_stay_zero() {
        let zeros = [0.0; WIDTH];
        let Int8Row { scale, quants } = int8(&zeros, &zeros, None);
        assert!(scale == 0.0 && quants.iter().all(|quant| *quant == 0));
        let Int4Row { scale, factors, quants } = int4(&zeros, &zeros, None);
        assert!(scale == 0.0 && factors.iter().chain(&quants).all(|byte| *byte == 0));
    }
}

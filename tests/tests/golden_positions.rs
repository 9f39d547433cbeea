//! Compares the position encodings of core with `golden/positions.py`: exact rationals and decimal angles.

use expe_core::num::{Element, Exponent};
use expe_core::position::{
    Expe, Exqpe, ModelDims, Position, PositionConfig, PositionEncoding, PositionError, Scaling,
};
use expe_tests::golden;
use half::{bf16, f16};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    expe: Vec<ExpeCase>,
    exqpe: Vec<ExqpeCase>,
    sinusoidal: Vec<WaveCase>,
    rope: Vec<WaveCase>,
    alibi: Vec<AlibiCase>,
}

/// Rows are `[n, query value, key value]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpeCase {
    config: PositionConfig,
    format: String,
    /// The first position whose value equals that of an earlier position.
    collision: u32,
    /// How far the guaranteed length may be below `collision` (derived in the script).
    slack: u32,
    rows: Vec<(u32, f64, f64)>,
}

/// Rows are `[n, query values, key values]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExqpeCase {
    config: PositionConfig,
    format: String,
    length: u32,
    rows: Vec<(u32, Vec<f64>, Vec<f64>)>,
}

/// Rows are `[n, values that the encoding writes]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WaveCase {
    config: PositionConfig,
    width: usize,
    /// Radians per position of each pair of columns.
    frequencies: Vec<f64>,
    rows: Vec<(u32, Vec<f64>)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlibiCase {
    config: PositionConfig,
    heads: usize,
    slopes: Vec<f64>,
}

fn kept() -> Golden {
    golden::read("positions.json")
}

/// Every value of a half-precision format is exact in f32.
fn value<T: Element>(element: T) -> f64 {
    f64::from(element.to_f32())
}

fn check_expe<T: Element>(case: &ExpeCase) {
    let PositionConfig::Expe { start, step, width, query_cap, .. } = case.config else {
        panic!("not ExPE: {:?}", case.config)
    };
    let mut expe = Expe::<T>::new(start, step, width as usize).unwrap();
    if let Some(cap) = query_cap {
        expe = expe.with_query_cap(cap);
    }
    let length = expe.length();
    let name = format!("{:?} in {}", case.config, case.format);
    assert!(length <= case.collision, "{name}: {length} > {}", case.collision);
    assert!(length + case.slack >= case.collision, "{name}: {length} << {}", case.collision);
    for (n, query, key) in &case.rows {
        let mut row = vec![T::ZERO; width as usize + 1];
        expe.override_query(*n, &mut row).unwrap();
        assert!(
            row[..width as usize].iter().all(|element| value(*element) == *query),
            "{name} at {n}"
        );
        expe.override_key(*n, &mut row).unwrap();
        assert!(
            row[..width as usize].iter().all(|element| value(*element) == *key),
            "{name} at {n}"
        );
        assert_eq!(row[width as usize], T::ZERO, "{name} at {n}");
        assert_eq!(expe.decode(row[0]), Some(*n), "{name} at {n}");
    }
}

#[test]
fn expe_is_the_rational_rounded_once() {
    let cases = kept().expe;
    assert!(cases.len() > 20);
    for case in &cases {
        assert!(case.rows.len() > 5, "{:?}", case.config);
        match case.format.as_str() {
            "f32" => check_expe::<f32>(case),
            "f16" => check_expe::<f16>(case),
            "bf16" => check_expe::<bf16>(case),
            other => panic!("unknown format {other}"),
        }
    }
}

fn check_exqpe<T: Element>(case: &ExqpeCase) {
    let PositionConfig::Exqpe { start, step, width, base, digits, growth, query_cap, .. } =
        case.config
    else {
        panic!("not ExQPE: {:?}", case.config)
    };
    let name = format!("{:?} in {}", case.config, case.format);
    let mut exqpe = Exqpe::<T>::new(start, step, width as usize, base, digits, growth)
        .unwrap_or_else(|e| panic!("{name}: {e}"));
    if let Some(cap) = query_cap {
        exqpe = exqpe.with_query_cap(cap);
    }
    let length = exqpe.length();
    // The guaranteed length may be short by one value of the top digit (see the script).
    let top = base.pow(digits - 1);
    assert!(length <= case.length, "{name}: {length} > {}", case.length);
    assert!(length >= case.length - top, "{name}: {length} < {} - {top}", case.length);
    let refused = exqpe.encode(length, &mut vec![T::ZERO; digits as usize]);
    assert_eq!(refused, Err(PositionError::BeyondLength { position: length, length }), "{name}");
    let run = (width / digits) as usize;
    for (n, query, key) in &case.rows {
        let mut row = vec![T::ZERO; width as usize];
        exqpe.override_query(*n, &mut row).unwrap();
        let spread = |values: &[f64]| -> Vec<f64> {
            values.iter().flat_map(|value| std::iter::repeat_n(*value, run)).collect()
        };
        assert_eq!(row.iter().map(|c| value(*c)).collect::<Vec<_>>(), spread(query), "{name}: {n}");
        exqpe.override_key(*n, &mut row).unwrap();
        assert_eq!(row.iter().map(|c| value(*c)).collect::<Vec<_>>(), spread(key), "{name}: {n}");
        let digits: Vec<T> = row.iter().copied().step_by(run).collect();
        assert_eq!(exqpe.decode(&digits), Some(*n), "{name}: {n}");
    }
}

#[test]
fn exqpe_represents_the_digits_exactly() {
    let cases = kept().exqpe;
    assert!(cases.len() > 10);
    for case in &cases {
        assert!(case.rows.len() > 5, "{:?}", case.config);
        match case.format.as_str() {
            "f32" => check_exqpe::<f32>(case),
            "f16" => check_exqpe::<f16>(case),
            "bf16" => check_exqpe::<bf16>(case),
            other => panic!("unknown format {other}"),
        }
    }
}

#[test]
fn encodings_chosen_at_run_time_give_the_same_values() {
    let kept = kept();
    let shape = ModelDims { width: 16, heads: 2, head_width: 8 };
    for case in kept.expe.iter().filter(|case| case.format == "f32") {
        let position = Position::new(&case.config, shape, &[]).unwrap();
        for (n, query, key) in &case.rows {
            let mut values = [0.0];
            position.query_values(*n, &mut values).unwrap();
            assert_eq!(f64::from(values[0]), *query);
            position.key_values(*n, &mut values).unwrap();
            assert_eq!(f64::from(values[0]), *key);
        }
    }
    for case in kept.exqpe.iter().filter(|case| case.format == "f32") {
        let position = Position::new(&case.config, shape, &[]).unwrap();
        for (n, query, key) in &case.rows {
            let mut values = vec![0.0f32; key.len()];
            position.query_values(*n, &mut values).unwrap();
            assert!(values.iter().zip(query).all(|(a, b)| f64::from(*a) == *b));
            position.key_values(*n, &mut values).unwrap();
            assert!(values.iter().zip(key).all(|(a, b)| f64::from(*a) == *b));
        }
    }
}

/// Bounds the error of the angle of pair `i` at position `n`, in radians.
///
/// Core stores a frequency as an integer fraction of a turn: one radian, multiplied by a ratio `i` times. The
/// ratio is exact to `2^-59` (see `Frequencies`), and each product is truncated to `2^-64` turns. A scaling
/// adds the relative error `stretch` and one more truncation. Multiplication by `n` is exact.
fn angle_error(n: u32, i: usize, frequency: f64, stretch: f64) -> f64 {
    let relative = i as f64 * 0.5f64.powi(59) + stretch;
    let cut = std::f64::consts::TAU * (i as f64 + 2.0) * 0.5f64.powi(64);
    // The script's angle, below 2π, is rounded to f64.
    f64::from(n) * (frequency * relative + cut) + 0.5f64.powi(51)
}

/// Error bound of `Turn::sin_cos_fixed`, in multiples of `2^-30`.
const WAVE: f64 = 2.2;
/// The unit of fixed-point sines.
const UNIT: f64 = 1.0 / (1 << 30) as f64;
/// Error bound of `Turn::sin_cos`, plus the rounding to the eleven decimals that the script writes.
const SINE: f64 = 1.0 / 16_777_216.0 + DECIMALS;
const DECIMALS: f64 = 5e-12;

#[test]
fn sinusoids_stay_exact_at_long_positions() {
    let cases = kept().sinusoidal;
    assert_eq!(cases.len(), 3);
    for case in &cases {
        let shape = ModelDims { width: case.width, heads: 1, head_width: case.width };
        let position = Position::new(&case.config, shape, &[]).unwrap();
        for (n, expected) in &case.rows {
            let (mut row, mut fixed) = (vec![0.0; case.width], vec![0; case.width]);
            position.embed(*n, &mut row).unwrap();
            position.embed_fixed(*n, Exponent(-30), &mut fixed).unwrap();
            let found = row.iter().zip(&fixed);
            for (column, ((found, fixed), expected)) in found.zip(expected).enumerate() {
                let pair = column / 2;
                let angle = angle_error(*n, pair, case.frequencies[pair], 0.0);
                let error = (f64::from(*found) - expected).abs();
                assert!(error <= SINE + angle, "{:?} at {n}, {column}: {error}", case.config);
                let error = (f64::from(*fixed) * UNIT - expected).abs();
                let bound = WAVE * UNIT + DECIMALS + angle;
                assert!(error <= bound, "{:?} at {n}, {column}: {error} > {bound}", case.config);
            }
        }
    }
}

#[test]
fn rotations_stay_exact_at_long_positions() {
    let cases = kept().rope;
    assert_eq!(cases.len(), 9);
    for case in &cases {
        let PositionConfig::Rope { scaling, .. } = case.config else {
            panic!("not RoPE: {:?}", case.config)
        };
        let shape = ModelDims { width: case.width, heads: 1, head_width: case.width };
        let position = Position::new(&case.config, shape, &[]).unwrap();
        for (n, expected) in &case.rows {
            let (mut table, mut fixed) = (vec![0.0; case.width], vec![0; case.width]);
            position.rotation(*n, &mut table).unwrap();
            position.rotation_fixed(*n, &mut fixed).unwrap();
            let found = table.iter().zip(&fixed);
            for (column, ((found, fixed), expected)) in found.zip(expected).enumerate() {
                let pair = column % (case.width / 2);
                let i = pair as f64;
                // The relative error that the scaling adds. Linear: `1/s` is truncated to 2^-64. NTK changes
                // only the ratio. YaRN interpolates by the number of turns in the original context, up to
                // 32, divided by 31; their error is that of the frequency, and the
                // interpolated factor is at least `1/s`.
                let (stretch, magnitude) = match scaling {
                    Scaling::None | Scaling::Ntk { .. } => (0.0, 1.0),
                    Scaling::Linear { factor } => (f64::from(factor) * 0.5f64.powi(64), 1.0),
                    Scaling::Yarn { factor, original } => {
                        let factor = f64::from(factor);
                        let cut = (i + 1.0) * f64::from(original) / 31.0 + 4.0;
                        let blend = 1.1 * i * 0.5f64.powi(59) + cut * 0.5f64.powi(64);
                        (factor * blend, 0.1 * factor.ln() + 1.0)
                    }
                };
                let angle = angle_error(*n, pair, case.frequencies[pair], stretch);
                // Half a unit of 2^-29 for the product, and another half for YaRN's factor. The table in
                // floating point also rounds the result to f32.
                let bound = magnitude * (WAVE * UNIT + angle) + 2.0 * UNIT + DECIMALS;
                let error = (2.0 * UNIT * f64::from(*fixed) - expected).abs();
                assert!(error <= bound, "{:?} at {n}, {column}: {error} > {bound}", case.config);
                let rounding = f64::from(f32::EPSILON) / 2.0 * magnitude;
                let error = (f64::from(*found) - expected).abs();
                assert!(error <= bound + rounding, "{:?} at {n}, {column}: {error}", case.config);
            }
        }
    }
}

#[test]
fn alibi_slopes_are_those_of_the_paper() {
    let cases = kept().alibi;
    assert_eq!(cases.len(), 10);
    for case in &cases {
        let shape = ModelDims { width: case.heads, heads: case.heads, head_width: 1 };
        let position = Position::new(&case.config, shape, &[]).unwrap();
        assert_eq!(case.slopes.len(), case.heads);
        for (head, expected) in case.slopes.iter().enumerate() {
            // Rounded once to f32; the recursive powers in the script are off by a few f64 ulps.
            let allowed = expected * (0.5 * f64::from(f32::EPSILON) + 1e-13);
            let slope = f64::from(position.slope(head));
            assert!((slope - expected).abs() <= allowed, "{} heads, {head}", case.heads);
            // The distance is exact up to 2^24; the product is rounded once more.
            for (n, m) in [(0, 0), (5, 5), (9, 2), (1 << 20, 1), (1 << 24, 0)] {
                let bias = f64::from(position.bias(head, n, m));
                let exact = -expected * f64::from(n - m);
                assert!(
                    (bias - exact).abs() <= exact.abs() * 1.3e-7,
                    "{} heads, {head}",
                    case.heads
                );
            }
        }
    }
}

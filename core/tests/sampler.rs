//! Compares sampling with its specified distribution.

use expe_core::{Logit, SampleError, Sampler};
use proptest::prelude::*;

/// Draws 100 000 times and compares the counts with the softmax of `logits`.
fn draws_follow<L: Logit>(logits: [L; 7], value: impl Fn(L) -> f64) {
    let logit = |token: usize| value(logits[token]);
    for (temperature, top_k) in [(1.0, 0), (0.5, 0), (2.0, 3), (1.0, 2), (0.7, 100)] {
        let mut ranked: Vec<usize> = (0..logits.len()).collect();
        ranked.sort_by(|a, b| logit(*b).total_cmp(&logit(*a)));
        let kept = if top_k == 0 { ranked.len() } else { top_k.min(ranked.len()) };
        let mut expected = [0.0f64; 7];
        for token in &ranked[..kept] {
            expected[*token] = (logit(*token) / f64::from(temperature)).exp();
        }
        let total: f64 = expected.iter().sum();
        let mut sampler = Sampler::new(temperature, top_k, 9).unwrap();
        let count = 100_000;
        let mut counts = [0u32; 7];
        for _ in 0..count {
            counts[sampler.sample(&logits).unwrap() as usize] += 1;
        }
        for (found, expected) in counts.iter().zip(expected) {
            let (n, p) = (f64::from(count), expected / total);
            // Five standard deviations of a binomial count; exactly 0 if p is 0.
            let bound = 5.0 * (n * p * (1.0 - p)).sqrt();
            assert!((f64::from(*found) - n * p).abs() <= bound, "{counts:?}, top {top_k}");
        }
    }
}

#[test]
fn draws_follow_the_distribution() {
    let logits = [0.3f32, -1.0, 2.0, 2.0, f32::NEG_INFINITY, 0.9, 1.1];
    draws_follow(logits, f64::from);
    // The same in units of 2^-16; the excluded logits are far below the others.
    let integers = logits.map(|logit| (logit * 65_536.0) as i32);
    assert_eq!(integers[4], i32::MIN);
    draws_follow(integers, |logit| f64::from(logit) / 65_536.0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tokens_are_among_the_largest(
        logits in prop::collection::vec(prop_oneof![-9i8..9, Just(0)], 1..40),
        top_k in 0usize..50,
        temperature in 0.0f32..3.0,
        seed: u64,
    ) {
        // Small integers, so that many tie; zeros of both signs.
        let signed = |(index, x): (usize, &i8)| if index % 2 == 0 { f32::from(*x) } else { -f32::from(-*x) };
        let logits: Vec<f32> = logits.iter().enumerate().map(signed).collect();
        let mut sampler = Sampler::new(temperature, top_k, seed).unwrap();
        let mut again = sampler.clone();
        // Integers in the same order give the same draws, except for the last digits of the weights.
        let integers: Vec<i32> = logits.iter().map(|logit| *logit as i32 * 65_536).collect();
        for _ in 0..20 {
            let drawn = sampler.clone().sample(&integers).unwrap();
            let larger = integers.iter().filter(|other| **other > integers[drawn as usize]).count();
            prop_assert!(top_k == 0 || larger < top_k);
            let token = sampler.sample(&logits).unwrap();
            prop_assert_eq!(again.sample(&logits), Ok(token));
            let logit = logits[token as usize];
            let larger = logits.iter().filter(|other| **other > logit).count();
            let earlier = logits[..token as usize].iter().filter(|other| **other == logit).count();
            let limit = match top_k { 0 => logits.len(), k => k };
            prop_assert!(larger + earlier < limit);
        }
    }

    #[test]
    fn any_floats_are_a_token_or_an_error(
        logits in prop::collection::vec(any::<u32>().prop_map(f32::from_bits), 0..20),
        top_k in 0usize..5,
        temperature in any::<u32>().prop_map(f32::from_bits),
    ) {
        let Ok(mut sampler) = Sampler::new(temperature, top_k, 1) else {
            prop_assert!(!(temperature >= 0.0 && temperature.is_finite()));
            return Ok(());
        };
        let bad = logits.iter().position(|x| x.is_nan() || *x == f32::INFINITY);
        match sampler.sample(&logits) {
            Ok(token) => prop_assert!(logits[token as usize] > f32::NEG_INFINITY && bad.is_none()),
            Err(SampleError::NotFinite { token, .. }) => prop_assert_eq!(Some(token as usize), bad),
            Err(error) => {
                prop_assert_eq!(error, SampleError::Empty);
                prop_assert!(logits.iter().all(|x| *x == f32::NEG_INFINITY));
            }
        }
    }
}

#[test]
fn zero_temperature_and_top_1_are_greedy() {
    let logits = [1.0, 3.0, 3.0, -2.0];
    for (temperature, top_k) in [(0.0, 0), (0.0, 3), (1.0, 1), (f32::MIN_POSITIVE, 1)] {
        assert_eq!(Sampler::new(temperature, top_k, 3).unwrap().sample(&logits), Ok(1));
    }
    assert_eq!(Sampler::greedy().sample(&logits), Ok(1));
    assert_eq!(Sampler::greedy().sample::<f32>(&[]), Err(SampleError::Empty));
    for value in [-1.0, f32::INFINITY] {
        assert_eq!(Sampler::new(value, 0, 0).unwrap_err(), SampleError::Temperature { value });
    }
}

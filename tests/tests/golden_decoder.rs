//! The engine of core against `golden/decoder.py`: the documented model in f64, taken literally.

use expe_core::format::Numbers;
use expe_core::model::Config;
use expe_tests::{Aligned, Weights, golden, logits};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    text: Vec<u32>,
    /// The tokens whose logits are kept.
    kept: Vec<usize>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    config: Config,
    /// The largest relative change of any position's logits when every weight moves by half an ulp.
    sensitivity: f64,
    /// Position, largest magnitude of its logits, and the kept ones.
    rows: Vec<(usize, f64, Vec<f64>)>,
}

impl Case {
    /// Reading as far as the encoding goes: a learned table ends with the context.
    fn text<'a>(&self, golden: &'a Golden) -> &'a [u32] {
        match self.config.position.name() {
            "learned" => &golden.text[..self.config.context],
            _ => &golden.text,
        }
    }

    fn name(&self) -> String {
        let Config { norm, activation, kv_heads, tied_head, position, .. } = self.config;
        format!("{position:?} {norm:?} {activation:?} kv_heads={kv_heads} tied={tied_head}")
    }

    /// `max|a − b| / max|b|` of each kept position must lie within `tolerance`; the largest one.
    fn check(&self, kept: &[usize], tolerance: f64, found: &[Vec<f32>]) -> f64 {
        let mut worst: f64 = 0.0;
        for (n, largest, expected) in &self.rows {
            let found = kept.iter().map(|token| f64::from(found[*n][*token]));
            let errors = found.zip(expected).map(|(a, b)| (a - b).abs() / largest);
            let error = errors.fold(0.0, f64::max);
            assert!(error <= tolerance, "{} at {n}: {error:e} > {tolerance:e}", self.name());
            worst = worst.max(error);
        }
        worst
    }

    /// What f32 may lose: every weight is met by dot products of at most `hidden + 4` terms and a few
    /// operations before and after, each of which rounds by at most half an ulp.
    fn tolerance(&self) -> f64 {
        let terms = (self.config.hidden + 4) as f64;
        let tolerance = terms * self.sensitivity;
        assert!(tolerance < 1e-4, "{}: the case is too badly conditioned", self.name());
        tolerance
    }
}

fn kept() -> (Golden, Vec<u8>) {
    let golden: Golden = golden::read("decoder.json");
    let weights = std::fs::read(golden::folder().join("decoder.safetensors")).unwrap();
    assert_eq!(golden.cases.len(), 144);
    // Sixteen times the context of 8, and beyond it in every case but the learned table.
    assert_eq!(golden.text.len(), 128);
    (golden, weights)
}

#[test]
fn the_engine_computes_the_golden_logits() {
    let (golden, weights) = kept();
    let mut worst: f64 = 0.0;
    for case in &golden.cases {
        let file = Aligned::new(&Weights::part_of(&weights, case.config).to_expe(Numbers::F32));
        let found = logits(&file, case.text(&golden), 16);
        worst = worst.max(case.check(&golden.kept, case.tolerance(), &found));
    }
    println!("largest relative error: {worst:e}");
}

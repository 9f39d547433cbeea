//! The model on dfdx and the engine of core against `golden/decoder.py`: the documented model in
//! f64, taken literally.

use expe_core::format::Numbers;
use expe_core::model::Config;
use expe_runtime::device::Cpu;
use expe_runtime::model::from_safetensors;
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

    /// What f32 may lose. A dot product of `k` terms is the exact one of weights that are off by up to
    /// `k` half ulps; roundings go both ways, so that `√k` is to be expected (Higham and Mary 2019).
    /// The longest one here is that of `wo`, over all heads.
    fn tolerance(&self) -> f64 {
        let tolerance = (self.config.query_width() as f64).sqrt() * self.sensitivity;
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
    let errors = golden.cases.iter().map(|case| {
        let file = Aligned::new(&Weights::part_of(&weights, case.config).to_expe(Numbers::F32));
        let found = logits(&file, case.text(&golden), 16);
        case.check(&golden.kept, case.tolerance(), &found)
    });
    println!("largest relative error: {:e}", errors.fold(0.0, f64::max));
}

#[test]
fn the_model_on_dfdx_computes_the_golden_logits() {
    let (golden, weights) = kept();
    let errors = golden.cases.iter().map(|case| {
        let file = Weights::part_of(&weights, case.config).to_safetensors();
        let model = from_safetensors(&case.config, &Cpu::default(), &file).unwrap();
        let found = model.logits(case.text(&golden), 1).unwrap();
        let found: Vec<_> = found.chunks(case.config.vocab).map(<[f32]>::to_vec).collect();
        case.check(&golden.kept, case.tolerance(), &found)
    });
    println!("largest relative error: {:e}", errors.fold(0.0, f64::max));
}

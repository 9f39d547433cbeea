//! Compares the dfdx model and the core engine with `golden/decoder.py`, a literal implementation of the
//! documented model in f64.

use std::path::Path;

use expe::data::Tokenizer;
use expe::device::Cpu;
use expe::engine::{self, ModelFile};
use expe::model::{Stored, Tensors, from_safetensors, read_tensors, write_tensors};
use expe::{export, train};
use expe_core::Config;
use expe_core::internals::{DType, layout};
use expe_core::position::PositionConfig;
use expe_tests::golden;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    text: Vec<u32>,
    /// The tokens whose logits are stored.
    kept: Vec<usize>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    config: Config,
    /// The largest relative change of any position's logits when every weight changes by half an ulp.
    sensitivity: f64,
    /// Position, largest magnitude of its logits, and the stored logits.
    rows: Vec<(usize, f64, Vec<f64>)>,
}

impl Case {
    /// The text, up to the length that the encoding supports: a learned table ends with the context.
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

    /// Asserts that `max|a − b| / max|b|` at each stored position is at most `tolerance`; returns the largest.
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

    /// The error that f32 may cause. A dot product of `k` terms is exact for weights that are off by up to
    /// `k` half ulps; because roundings go both ways, `√k` is expected (Higham and Mary 2019).
    /// The longest dot product here is that of `wo`, over all heads.
    fn tolerance(&self) -> f64 {
        let tolerance = (self.config.query_width() as f64).sqrt() * self.sensitivity;
        assert!(tolerance < 1e-4, "{}: the case is too badly conditioned", self.name());
        tolerance
    }
}

/// Returns the tensors of a model with this configuration: the first rows and columns of the stored tensors.
fn submodel(kept: &Tensors, config: &Config) -> Tensors {
    // Without folded columns, a model file has the layout of the checkpoint.
    let position = match config.position {
        PositionConfig::Learned => PositionConfig::Learned,
        _ => PositionConfig::None,
    };
    let config = Config { position, ..*config };
    let tensors = layout(&config).map(|wanted| {
        let name = wanted.id.to_string();
        let Stored { shape, values } = &kept[&name];
        let width = *shape.last().unwrap();
        let rows = values.chunks_exact(width).take(wanted.rows);
        let values = rows.flat_map(|row| row[..wanted.columns].to_vec()).collect();
        let vector = shape.len() == 1;
        let shape = if vector { vec![wanted.columns] } else { vec![wanted.rows, wanted.columns] };
        (name, Stored { shape, values })
    });
    tensors.collect()
}

fn kept() -> (Golden, Tensors) {
    let golden: Golden = golden::read("decoder.json");
    let weights = std::fs::read(golden::folder().join("decoder.safetensors")).unwrap();
    assert_eq!(golden.cases.len(), 144);
    // Sixteen times the context of 8.
    assert_eq!(golden.text.len(), 128);
    (golden, read_tensors(&weights).unwrap())
}

fn engine_logits(config: &Config, tensors: &Tensors, text: &[u32]) -> Vec<Vec<f32>> {
    let mut bytes = Vec::new();
    export::write(config, tensors, &Tokenizer::Byte, DType::F32, None, &mut bytes).unwrap();
    let file = ModelFile::from_bytes(Path::new("golden.expe"), &bytes).unwrap();
    engine::logits(&file.model().unwrap(), text).unwrap()
}

#[test]
fn the_engine_computes_the_golden_logits_from_the_exported_file() {
    let (golden, weights) = kept();
    let errors = golden.cases.iter().map(|case| {
        let tensors = submodel(&weights, &case.config);
        let found = engine_logits(&case.config, &tensors, case.text(&golden));
        case.check(&golden.kept, case.tolerance(), &found)
    });
    println!("largest relative error: {:e}", errors.fold(0.0, f64::max));
}

#[test]
fn the_model_on_dfdx_computes_the_golden_logits() {
    let (golden, weights) = kept();
    let errors = golden.cases.iter().map(|case| {
        let file = write_tensors(&submodel(&weights, &case.config), None).unwrap();
        let model = from_safetensors(&case.config, &Cpu::default(), &file).unwrap();
        let found = model.logits(case.text(&golden), 1).unwrap();
        let found: Vec<_> = found.chunks(case.config.vocab).map(<[f32]>::to_vec).collect();
        case.check(&golden.kept, case.tolerance(), &found)
    });
    println!("largest relative error: {:e}", errors.fold(0.0, f64::max));
}

/// Run folders written by another program that only follows the documentation.
#[test]
fn run_folders_written_by_numpy_are_read() {
    let (golden, _) = kept();
    for name in ["expe", "rope"] {
        let folder = golden::folder().join("runs").join(name);
        let (config, model) = train::load_model(&folder, &Cpu::default()).unwrap();
        let case = golden.cases.iter().find(|case| case.config == config.model).unwrap();
        let found = model.logits(case.text(&golden), 1).unwrap();
        let found: Vec<_> = found.chunks(config.model.vocab).map(<[f32]>::to_vec).collect();
        case.check(&golden.kept, case.tolerance(), &found);
    }
}

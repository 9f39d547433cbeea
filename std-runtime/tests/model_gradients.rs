//! The whole model's gradients against central finite differences, for every encoding.

use std::convert::Infallible;

use dfdx::shapes::Shape;
use dfdx::tensor::{Cpu, Gradients, NoneTape, OwnedTape, Tensor};
use dfdx::tensor_ops::Backward;
use expe::model::{Kind, Sites, Transformer, Visit, VisitMut};
use expe::ops::composed;
use expe_core::internals::Random;
use expe_core::position::{Growth, PositionConfig, Scaling};
use expe_core::{Activation, Config, Norm};

fn config(position: PositionConfig) -> Config {
    Config {
        vocab: 7,
        width: 8,
        layers: 2,
        heads: 2,
        kv_heads: 1,
        head_width: 4,
        hidden: 6,
        context: 5,
        norm: Norm::RmsNorm,
        epsilon: 1e-5,
        activation: Activation::Gelu,
        tied_head: true,
        position,
    }
}

/// Lists every encoding, with small numbers so that no softmax saturates.
fn encodings() -> Vec<PositionConfig> {
    let beyond = Default::default();
    vec![
        PositionConfig::None,
        PositionConfig::Learned,
        PositionConfig::Sinusoidal { base: 10_000.0 },
        PositionConfig::Rope { base: 10_000.0, scaling: Scaling::None },
        PositionConfig::Alibi,
        PositionConfig::Expe { start: 1.0, step: 0.25, width: 2, query_cap: Some(3), beyond },
        PositionConfig::Exqpe {
            start: 1.0,
            step: 0.25,
            width: 4,
            base: 3,
            digits: 2,
            growth: Growth::Equal,
            query_cap: None,
            beyond,
        },
    ]
}

type Model = Transformer<Cpu, f64>;

const TOKENS: [u32; 10] = [1, 5, 0, 6, 2, 3, 3, 4, 1, 0];
const TARGETS: [u32; 10] = [5, 0, 6, 2, 4, 3, 4, 1, 0, 6];

fn loss(model: &Model, sites: &Sites<f64, Cpu>) -> f64 {
    let logits = model.forward(&TOKENS, sites, None, NoneTape).unwrap();
    let loss = composed::cross_entropy(logits, model.indices(&TARGETS).unwrap()).unwrap();
    loss.as_vec()[0]
}

/// Sets larger weights than initial ones, so that gradients are far from zero and every site matters.
struct Spread(Random);

impl VisitMut<f64, Cpu> for Spread {
    type Error = Infallible;

    fn visit<S: Shape>(
        &mut self,
        _: &str,
        kind: Kind,
        parameter: &mut Tensor<S, f64, Cpu>,
    ) -> Result<(), Infallible> {
        let base = if kind == Kind::Norm { 1.0 } else { 0.0 };
        let mut draw = || base + 0.3 * f64::from(self.0.normal());
        let values: Vec<f64> = (0..parameter.as_vec().len()).map(|_| draw()).collect();
        parameter.copy_from(&values);
        Ok(())
    }
}

/// Adds `delta` to element `index` of the parameter called `name`.
struct Nudge<'a> {
    name: &'a str,
    index: usize,
    delta: f64,
}

impl VisitMut<f64, Cpu> for Nudge<'_> {
    type Error = Infallible;

    fn visit<S: Shape>(
        &mut self,
        name: &str,
        _: Kind,
        parameter: &mut Tensor<S, f64, Cpu>,
    ) -> Result<(), Infallible> {
        if name == self.name {
            let mut values = parameter.as_vec();
            values[self.index] += self.delta;
            parameter.copy_from(&values);
        }
        Ok(())
    }
}

/// Collects the gradient of every parameter.
struct Collect<'a>(&'a Gradients<f64, Cpu>, Vec<(String, Vec<f64>)>);

impl Visit<f64, Cpu> for Collect<'_> {
    type Error = Infallible;

    fn visit<S: Shape>(
        &mut self,
        name: &str,
        _: Kind,
        parameter: &Tensor<S, f64, Cpu>,
    ) -> Result<(), Infallible> {
        self.1.push((name.to_string(), self.0.get(parameter).as_vec()));
        Ok(())
    }
}

/// Five-point differences in f64 with step h = 5e-5: the truncation error is h⁴/30 = 2e-19 times
/// the fifth derivative, the rounding error about 2^-52·loss/h = 2e-11; 1e-9 leaves room for fifth
/// derivatives up to 5e9, which norms of small embeddings have.
fn check(config: &Config) {
    let mut model = Model::new(config, &Cpu::default(), 1).unwrap();
    model.weights.visit_mut(&mut Spread(Random::new(11))).unwrap();
    let sites = model.sites(5).unwrap();
    let logits = model.forward(&TOKENS, &sites, None, OwnedTape::default()).unwrap();
    let targets = model.indices(&TARGETS).unwrap();
    let gradients = composed::cross_entropy(logits, targets).unwrap().backward();
    let mut collect = Collect(&gradients, Vec::new());
    model.weights.visit(&mut collect).unwrap();
    let step = 5e-5;
    for (name, gradient) in collect.1 {
        assert!(gradient.iter().any(|x| x.abs() > 1e-6), "{name} has no gradient");
        for (index, found) in gradient.into_iter().enumerate() {
            let mut at = |delta| {
                model.weights.visit_mut(&mut Nudge { name: &name, index, delta }).unwrap();
                let loss = loss(&model, &sites);
                model.weights.visit_mut(&mut Nudge { name: &name, index, delta: -delta }).unwrap();
                loss
            };
            let (near, far) = (at(step) - at(-step), at(2.0 * step) - at(-2.0 * step));
            let expected = (8.0 * near - far) / (12.0 * step);
            assert!(
                (found - expected).abs() < 1e-9,
                "{} {name}[{index}]: {found} against {expected}",
                config.position.name()
            );
        }
    }
}

#[test]
fn gradients_of_every_encoding_are_finite_differences() {
    for position in encodings() {
        check(&config(position));
    }
}

#[test]
fn gradients_of_every_norm_activation_and_head_are_finite_differences() {
    let base = config(encodings()[5]);
    let swiglu = Activation::SwiGlu;
    for changed in [
        Config { activation: swiglu, kv_heads: 2, ..base },
        Config { activation: Activation::Relu, tied_head: false, ..base },
        Config { norm: Norm::LayerNorm, ..base },
    ] {
        check(&changed);
    }
}

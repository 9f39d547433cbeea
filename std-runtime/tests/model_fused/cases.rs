//! The whole `f32` model on a device against the composed `f64` model on the processor: scores, logits, losses, and
//! all gradients.

use std::convert::Infallible;

use dfdx::dtypes::Dtype;
use dfdx::shapes::Shape;
use dfdx::tensor::{Cpu, Gradients, NoneTape, OwnedTape, Tensor};
use dfdx::tensor_ops::Backward;
use expe::config::{Precision, position};
use expe::model::{Kind, Transformer, Visit, VisitMut};
use expe::ops::Backend;
use expe_core::internals::{Random, SUPPORTED};
use expe_core::position::{Growth, PositionConfig};
use expe_core::{Activation, Config, Norm};

use super::{LENGTHS, fast};

/// Sizes that are not multiples of any block size.
fn config(position: PositionConfig, context: usize) -> Config {
    Config {
        vocab: 37,
        width: 22,
        layers: 2,
        heads: 3,
        kv_heads: 1,
        head_width: 6,
        hidden: 29,
        context,
        norm: Norm::RmsNorm,
        epsilon: 1e-5,
        activation: Activation::Gelu,
        tied_head: true,
        position,
    }
}

/// Sets the same parameters on both devices, exact in `f32` and larger than initial ones, so that every site
/// matters.
struct Spread(Random);

impl<E: Dtype, D: Backend<E>> VisitMut<E, D> for Spread {
    type Error = Infallible;

    fn visit<S: Shape>(
        &mut self,
        _: &str,
        kind: Kind,
        parameter: &mut Tensor<S, E, D>,
    ) -> Result<(), Infallible> {
        let base = if kind == Kind::Norm { 1.0 } else { 0.0 };
        let mut draw = || E::from_f32(base + 0.2 * self.0.normal()).unwrap();
        let values: Vec<E> = (0..parameter.as_vec().len()).map(|_| draw()).collect();
        parameter.copy_from(&values);
        Ok(())
    }
}

struct Collect<'a, E: Dtype, D: Backend<E>>(&'a Gradients<E, D>, Vec<(String, Vec<f64>)>);

impl<E: Dtype, D: Backend<E>> Visit<E, D> for Collect<'_, E, D> {
    type Error = Infallible;

    fn visit<S: Shape>(
        &mut self,
        name: &str,
        _: Kind,
        parameter: &Tensor<S, E, D>,
    ) -> Result<(), Infallible> {
        let values = self.0.get(parameter).as_vec().into_iter();
        self.1.push((name.to_string(), values.map(|x| x.to_f64().unwrap()).collect()));
        Ok(())
    }
}

/// Computes named lists of numbers: the scores, the logits, the loss, the gradients.
fn outcome<E: Dtype, D: Backend<E>>(
    device: &D,
    config: &Config,
    batch: usize,
    length: usize,
) -> Vec<(String, Vec<f64>)> {
    let mut model = Transformer::<D, E>::new(config, device, 1).unwrap();
    model.weights.visit_mut(&mut Spread(Random::new(5))).unwrap();
    let sites = model.sites(length).unwrap();
    let mut random = Random::new(6);
    let mut tokens = || -> Vec<u32> {
        (0..batch * length).map(|_| random.next_u64() as u32 % config.vocab as u32).collect()
    };
    let (tokens, targets) = (tokens(), tokens());
    let numbers = |x: Vec<E>| x.into_iter().map(|x| x.to_f64().unwrap()).collect::<Vec<f64>>();
    let scores = numbers(model.log_probabilities(&tokens, &targets, &sites).unwrap());
    let logits = numbers(model.forward(&tokens, &sites, None, NoneTape).unwrap().as_vec());
    let loss =
        model.loss(&tokens, &targets, &sites, Precision::F32, None, OwnedTape::default()).unwrap();
    let losses = numbers(loss.as_vec());
    let mean = -scores.iter().sum::<f64>() / scores.len() as f64;
    assert!((losses[0] - mean).abs() < 1e-6 * mean, "{losses:?} {mean}");
    let gradients = loss.backward();
    let mut collect = Collect(&gradients, Vec::new());
    model.weights.visit(&mut collect).unwrap();
    let lists = [("scores", scores), ("logits", logits), ("loss", losses)];
    let lists = lists.map(|(name, numbers)| (name.to_string(), numbers));
    [Vec::from(lists), collect.1].concat()
}

/// The error of each number of a list may be `terms·2^-24` of the list's largest. An element is a sum over at most
/// `batch·length` rows of products of factors that are sums of at most 37 terms, and depends on two dozen such
/// factors in sequence. Errors of random sign grow with the root of their number: `24·√37 + √(batch·length)`, which
/// is below 200 here, and twice that for their spread. The order of a sum and fused multiply-adds do not make it
/// larger.
fn check(config: &Config, batch: usize, length: usize) {
    let found = outcome::<f32, _>(&fast(), config, batch, length);
    let exact = outcome::<f64, _>(&Cpu::default(), config, batch, length);
    assert_eq!(found.len(), exact.len());
    for ((name, found), (_, exact)) in found.iter().zip(&exact) {
        let largest = exact.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
        assert!(largest > 1e-6 && found.len() == exact.len(), "{name}: {largest}");
        assert!(found.iter().all(|x| x.is_finite()), "{name}");
        let off = found.iter().zip(exact).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let bound = 400.0 / f64::from(1 << 24);
        let position = config.position.name();
        assert!(off <= bound * largest, "{position} {length} {name}: {:e}", off / largest);
    }
}

/// Lengths within one block of queries, across two of them, and across two blocks of keys.
#[test]
fn every_encoding_follows_the_composed_model() {
    for name in SUPPORTED {
        for (batch, length) in LENGTHS {
            check(&config(position(name, 22).unwrap(), length), batch, length);
        }
    }
}

#[test]
fn every_norm_activation_head_and_query_cap_follows_the_composed_model() {
    let base = config(position("expe", 22).unwrap(), 9);
    let capped = PositionConfig::Exqpe {
        start: 1.0,
        step: 0.25,
        width: 22,
        base: 3,
        digits: 2,
        growth: Growth::Equal,
        query_cap: Some(5),
        beyond: Default::default(),
    };
    for changed in [
        Config { activation: Activation::SwiGlu, kv_heads: 3, ..base },
        Config { activation: Activation::Relu, tied_head: false, ..base },
        Config { norm: Norm::LayerNorm, ..base },
        Config { position: capped, ..base },
        // Not ExPE: with a single position its large values would cancel.
        Config {
            heads: 1,
            head_width: 1,
            hidden: 1,
            vocab: 2,
            position: PositionConfig::Alibi,
            ..base
        },
    ] {
        check(&changed, 2, 9);
    }
}

/// Every sum of the device has one order.
#[test]
fn results_do_not_differ_between_runs() {
    let device = fast();
    for name in SUPPORTED {
        let config = config(position(name, 22).unwrap(), 33);
        let run = || outcome::<f32, _>(&device, &config, 4, 33);
        assert_eq!(run(), run(), "{name}");
    }
}

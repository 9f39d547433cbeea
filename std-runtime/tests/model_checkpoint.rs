//! `model.safetensors`: names, shapes, round trip, and damaged files.

use dfdx::tensor::Cpu;
use expe::model::{
    ModelError, Stored, Tensors, Transformer, from_safetensors, to_safetensors, write_tensors,
};
use expe_core::position::PositionConfig;
use expe_core::{Activation, Config};
use proptest::prelude::*;

fn config() -> Config {
    Config {
        vocab: 5,
        width: 4,
        layers: 2,
        heads: 2,
        kv_heads: 1,
        head_width: 2,
        hidden: 6,
        context: 3,
        norm: Default::default(),
        epsilon: 1e-5,
        activation: Activation::SwiGlu,
        tied_head: false,
        position: PositionConfig::Learned,
    }
}

fn model() -> Transformer<Cpu> {
    Transformer::new(&config(), &Cpu::default(), 7).unwrap()
}

fn read(bytes: &[u8]) -> Result<Transformer<Cpu>, ModelError> {
    from_safetensors(&config(), &Cpu::default(), bytes)
}

fn changed(change: impl FnOnce(&mut Tensors)) -> Result<Transformer<Cpu>, ModelError> {
    let mut tensors = model().weights.to_tensors();
    change(&mut tensors);
    read(&write_tensors(&tensors, None).unwrap())
}

#[test]
fn names_and_shapes_are_those_of_pytorch() {
    let tensors = model().weights.to_tensors();
    let found: Vec<(&str, &[usize])> = tensors
        .iter()
        .filter(|(name, _)| !name.starts_with("layers.1"))
        .map(|(name, stored)| (name.as_str(), stored.shape.as_slice()))
        .collect();
    let expected: [(&str, &[usize]); 13] = [
        ("embed.weight", &[5, 4]),
        ("final_norm.weight", &[4]),
        ("head.weight", &[5, 4]),
        ("layers.0.attn.wk.weight", &[2, 4]),
        ("layers.0.attn.wo.weight", &[4, 4]),
        ("layers.0.attn.wq.weight", &[4, 4]),
        ("layers.0.attn.wv.weight", &[2, 4]),
        ("layers.0.attn_norm.weight", &[4]),
        ("layers.0.mlp.w1.weight", &[6, 4]),
        ("layers.0.mlp.w2.weight", &[4, 6]),
        ("layers.0.mlp.w3.weight", &[6, 4]),
        ("layers.0.mlp_norm.weight", &[4]),
        ("position.weight", &[3, 4]),
    ];
    assert_eq!(found, expected);
}

#[test]
fn optional_tensors_are_absent() {
    let config = Config {
        activation: Activation::Relu,
        tied_head: true,
        position: PositionConfig::None,
        ..config()
    };
    let model = Transformer::<Cpu>::new(&config, &Cpu::default(), 7).unwrap();
    let tensors = model.weights.to_tensors();
    for name in ["head.weight", "position.weight", "layers.0.mlp.w3.weight"] {
        assert!(!tensors.contains_key(name));
    }
}

#[test]
fn a_round_trip_changes_nothing() {
    let (model, bytes) = (model(), to_safetensors(&model()).unwrap());
    let again = read(&bytes).unwrap();
    assert_eq!(again.weights.to_tensors(), model.weights.to_tensors());
    assert_eq!(to_safetensors(&again).unwrap(), bytes);
    let tokens = [1, 2, 3];
    assert_eq!(again.logits(&tokens, 1).unwrap(), model.logits(&tokens, 1).unwrap());
}

#[test]
fn tensors_that_do_not_fit_the_configuration_are_named() {
    let name = "layers.1.attn.wk.weight";
    let missing = changed(|tensors| drop(tensors.remove(name))).unwrap_err();
    assert_eq!(missing.to_string(), format!("tensor `{name}` of shape [2, 4] is missing"));

    let shape = changed(|tensors| {
        tensors.insert(name.to_string(), Stored { shape: vec![4, 2], values: vec![0.0; 8] });
    });
    assert_eq!(
        shape.unwrap_err().to_string(),
        format!("tensor `{name}`: expected shape [2, 4], found [4, 2]")
    );

    let unexpected = changed(|tensors| {
        tensors.insert("spare".to_string(), Stored { shape: vec![1], values: vec![0.0] });
    });
    assert!(matches!(unexpected, Err(ModelError::Unexpected { name, .. }) if name == "spare"));

    for value in [f32::NAN, f32::INFINITY] {
        let error = changed(|tensors| tensors.get_mut(name).unwrap().values[5] = value);
        assert!(matches!(error, Err(ModelError::NotFinite { index: 5, .. })), "{error:?}");
    }
}

#[test]
fn other_number_formats_are_refused() {
    let view =
        safetensors::tensor::TensorView::new(safetensors::Dtype::F16, vec![2], &[0; 4]).unwrap();
    let bytes = safetensors::serialize([("embed.weight", view)], None).unwrap();
    let error = read(&bytes).unwrap_err();
    assert_eq!(error.to_string(), "tensor `embed.weight` is stored as F16, only F32 is read");
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = to_safetensors(&model()).unwrap();
    for length in 0..bytes.len() {
        assert!(read(&bytes[..length]).is_err(), "{length}");
    }
}

proptest! {
    #[test]
    fn changed_bytes_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = to_safetensors(&model()).unwrap();
        for (index, value) in changes {
            let index = index.index(bytes.len());
            bytes[index] = value;
        }
        // A changed weight gives a valid file, and every other change an error, but never a panic.
        if let Ok(model) = read(&bytes) {
            prop_assert!(model.weights.to_tensors().values().all(
                |stored| stored.values.iter().all(|x| x.is_finite())
            ));
        }
    }
}

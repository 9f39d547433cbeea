//! The model file format: files are written as specified and can be read back.

mod support;

use std::convert::Infallible;

use expe_core::format::{FormatError, TensorId};
use expe_core::internals::{
    Bf16, Bpe, DType, Execution, Matrix, QuantizedRow, Storage, Stored, TensorKind, WeightSource,
    Weights, WriteError, Writer, layout,
};
use expe_core::position::{Beyond, Growth, PositionConfig, Scaling};
use expe_core::{Activation, Config, ConfigError, F16, F32, Model, Norm, Tokenizer, include_model};
use support::TestModel;
use support::model::{expe, positions, small};

/// A file of version 1, which must stay readable and be written identically.
const FIXTURE: &[u8] = include_model!("data/version1.expe");

const FIXTURE_CONFIG: Config = Config {
    vocab: 256,
    width: 4,
    layers: 1,
    heads: 2,
    kv_heads: 1,
    head_width: 2,
    hidden: 4,
    context: 8,
    norm: Norm::LayerNorm,
    epsilon: 0.0009765625,
    activation: Activation::SwiGlu,
    tied_head: true,
    position: PositionConfig::Exqpe {
        start: 4.0,
        step: 0.5,
        width: 2,
        base: 16,
        digits: 2,
        growth: Growth::Weighted,
        query_cap: Some(9),
        beyond: Beyond::Saturate,
    },
};

/// The configuration is a constant expression.
const READ: Config = match Config::from_file(FIXTURE) {
    Ok(config) => config,
    Err(_) => panic!("the fixture is a model"),
};

#[test]
fn version_1_stays_readable() {
    static CACHE: [u32; READ.cache_len::<F32>(3)] = [0; READ.cache_len::<F32>(3)];
    assert_eq!(CACHE.len(), 3 * (2 * 2 + 2));
    assert_eq!(READ, FIXTURE_CONFIG);
    let model = Model::new(FIXTURE).unwrap();
    assert_eq!(*model.config(), FIXTURE_CONFIG);
    let written = TestModel::random(FIXTURE_CONFIG, 1).file(DType::F16);
    // Version 2 of this model differs only in the version field.
    let mut expected = FIXTURE.to_vec();
    expected[8] = 2;
    assert!(written.bytes() == expected);
}

#[test]
fn version_2_stays_readable() {
    const PINNED: &[u8] = include_model!("data/version2.expe");
    let storage = Storage {
        layers: DType::Int4,
        vocabulary: DType::Int4,
        execution: Execution::Integer,
        residual_range: 40.1,
    };
    let config = Config { width: 36, ..FIXTURE_CONFIG };
    let written = TestModel::random(config, 1).file_with(Tokenizer::Bytes, storage);
    if std::env::var_os("EXPE_BLESS").is_some() {
        std::fs::write("tests/data/version2.expe", written.bytes()).unwrap();
    }
    assert!(written.bytes() == PINNED);
    assert_eq!(PINNED[124..128], [1, 0, 0x21, 0x42]);
    let model = Model::new(PINNED).unwrap();
    // The range is rounded up.
    assert_eq!((model.execution(), model.residual_range()), (Execution::Integer, 40.25));
    // Scales and factors of the embedding come before its integers.
    let embed = model.tensors().next().unwrap();
    assert_eq!(embed.bytes.len(), 256 * 4 + 256 * 2 + 256 * 2 * 16);
    let Weights::Int4 { scales, factors, quants } = model.embed().weights() else { panic!() };
    let start = embed.bytes.as_ptr().addr();
    assert_eq!(scales.as_ptr().addr(), start);
    assert_eq!(factors.as_ptr().addr(), start + 1024);
    assert_eq!(quants.as_ptr().addr(), start + 1024 + 512);
    // Column 17 of row 0 is in the high half of byte 1.
    let mut row = [0.0; 36];
    model.embed().read_row(0, &mut row);
    let code = quants[1] as i8 >> 4;
    assert_eq!(row[17], scales[0] * (f32::from(factors[0]) * f32::from(code)));
}

#[test]
fn the_header_is_written_as_specified() {
    let mut expected = Vec::new();
    let put = |bytes: &mut Vec<u8>, field: &[u8]| bytes.extend_from_slice(field);
    put(&mut expected, &[0x89, b'E', b'X', b'P', b'E', 0x0d, 0x0a, 0x1a]);
    put(&mut expected, &1u32.to_le_bytes());
    let tensors = 1 + 11 + 1u32;
    put(&mut expected, &(128 + 32 * tensors).to_le_bytes());
    put(&mut expected, &(FIXTURE.len() as u64).to_le_bytes());
    put(&mut expected, &crc32(&FIXTURE[32..]).to_le_bytes());
    put(&mut expected, &[0; 4]);
    for dimension in [256u32, 4, 1, 2, 1, 2, 4, 8] {
        put(&mut expected, &dimension.to_le_bytes());
    }
    put(&mut expected, &0.0009765625f32.to_le_bytes());
    put(&mut expected, &[1, 1, 1, 0]);
    put(&mut expected, &0u32.to_le_bytes());
    put(&mut expected, &tensors.to_le_bytes());
    put(&mut expected, &[6, 1, 1, 0]);
    put(&mut expected, &4.0f32.to_le_bytes());
    put(&mut expected, &0.5f32.to_le_bytes());
    for field in [2u32, 16, 2, 1, 9, 0, 0, 0, 0] {
        put(&mut expected, &field.to_le_bytes());
    }
    assert_eq!(expected.len(), 128);
    assert_eq!(FIXTURE[..128], expected);
    // The second entry: a gain of four f32 after 2 KiB of embeddings.
    let mut entry = Vec::new();
    put(&mut entry, &[2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0]);
    put(&mut entry, &(128 + 32 * u64::from(tensors) + 256 * 4 * 2).to_le_bytes());
    put(&mut entry, &16u64.to_le_bytes());
    assert_eq!(FIXTURE[128 + 32..][..32], entry);
}

/// Computes CRC-32 bit by bit, as in ISO 3309.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

/// Checks that the matrix has these weights, exactly if its format can represent them, else within half a step.
#[track_caller]
fn assert_holds(matrix: Matrix<'_>, expected: &[f32]) {
    for (o, expected) in expected.chunks(matrix.cols().max(1)).enumerate() {
        let mut row = vec![0.0; matrix.cols()];
        assert!(matrix.read_row(o, &mut row));
        let largest = expected.iter().fold(0.0, |max: f32, w| max.max(w.abs()));
        // The scales of int4's groups are 255ths of the row's.
        let step = match matrix.weights() {
            Weights::Int8 { .. } => largest / 127.0,
            Weights::Int4 { .. } => largest / 7.0,
            _ => 0.0,
        };
        for (found, expected) in row.iter().zip(expected) {
            assert!((found - expected).abs() <= step * 0.5 * 1.001, "{found} {expected} {step}");
        }
    }
    assert!(!matrix.read_row(matrix.rows(), &mut [0.0]));
}

#[test]
fn every_model_reads_back() {
    let mut all = positions();
    for scaling in [Scaling::Ntk { factor: 2.0 }, Scaling::Yarn { factor: 4.0, original: 16 }] {
        all.push(PositionConfig::Rope { base: 10_000.0, scaling });
    }
    for position in all {
        for (norm, activation, tied_head) in [
            (Norm::RmsNorm, Activation::Gelu, true),
            (Norm::LayerNorm, Activation::SwiGlu, false),
            (Norm::RmsNorm, Activation::Relu, true),
        ] {
            let config = Config { norm, activation, tied_head, ..small(position) };
            let source = TestModel::random(config, 2);
            for dtype in DType::ALL {
                let file = source.file(dtype);
                let model = Model::new(file.bytes()).unwrap();
                assert_eq!(*model.config(), config);
                assert_eq!(Config::from_file(file.bytes()), Ok(config));
                check_weights(&source, &model, dtype);
            }
        }
    }
}

fn check_weights(source: &TestModel, model: &Model<'_>, dtype: DType) {
    let config = model.config();
    let stored = |w: f32| match dtype {
        DType::F16 => F16::widen(F16::narrow(w).unwrap()),
        DType::Bf16 => Bf16::widen(Bf16::narrow(w).unwrap()),
        _ => w,
    };
    let matrix = |kind, layer| -> Vec<f32> {
        source.tensor(kind, layer).iter().map(|w| stored(*w)).collect()
    };
    let skip = config.override_block().width;
    let free = |kind, layer| -> Vec<f32> {
        matrix(kind, layer).chunks(config.width).flat_map(|row| row[skip..].to_vec()).collect()
    };
    let folded = |kind, layer| -> Vec<f32> {
        let rows: Vec<_> = source.tensor(kind, layer).chunks(config.width).collect();
        let run = config.override_block().run_width();
        let sum = |row: &[f32], digit: usize| -> f32 {
            row[digit * run..][..run].iter().map(|w| f64::from(*w)).sum::<f64>() as f32
        };
        let digits = 0..config.override_block().digits;
        digits.flat_map(|digit| rows.iter().map(move |row| sum(row, digit))).collect()
    };
    assert_holds(model.embed(), &matrix(TensorKind::Embed, 0));
    assert_eq!(model.final_norm(), source.tensor(TensorKind::FinalNorm, 0));
    let head = if config.tied_head { TensorKind::Embed } else { TensorKind::Head };
    assert_holds(model.head(), &matrix(head, 0));
    if config.position == PositionConfig::Learned {
        assert_eq!(model.position_table(), source.tensor(TensorKind::Position, 0));
    } else {
        assert!(model.position_table().is_empty());
    }
    assert_eq!(model.layers().count(), config.layers);
    for (layer, weights) in (0u32..).zip(model.layers()) {
        assert_eq!(weights.attn_norm, source.tensor(TensorKind::AttnNorm, layer));
        assert_eq!(weights.mlp_norm, source.tensor(TensorKind::MlpNorm, layer));
        assert_holds(weights.wq, &free(TensorKind::Wq, layer));
        assert_holds(weights.wk, &free(TensorKind::Wk, layer));
        assert_eq!(weights.query_folded, folded(TensorKind::Wq, layer));
        assert_eq!(weights.key_folded, folded(TensorKind::Wk, layer));
        assert_holds(weights.wv, &matrix(TensorKind::Wv, layer));
        assert_holds(weights.wo, &matrix(TensorKind::Wo, layer));
        assert_holds(weights.w1, &matrix(TensorKind::W1, layer));
        assert_holds(weights.w2, &matrix(TensorKind::W2, layer));
        match weights.w3 {
            Some(w3) => assert_holds(w3, &matrix(TensorKind::W3, layer)),
            None => assert_ne!(config.activation, Activation::SwiGlu),
        }
    }
    let tensors: Vec<_> = model.tensors().collect();
    assert!(tensors.iter().map(|tensor| tensor.shape).eq(layout(config)));
    for tensor in tensors {
        let is_matrix = tensor.shape.id.kind.is_matrix();
        assert_eq!(tensor.dtype, if is_matrix { dtype } else { DType::F32 });
        assert_eq!(tensor.bytes.len() as u64, tensor.shape.size(tensor.dtype).unwrap());
        assert_eq!(tensor.bytes.as_ptr().addr() % 16, 0);
    }
}

#[test]
fn the_tokenizer_reads_back() {
    let config = Config { vocab: 259, ..small(expe()) };
    let mut records = [[0; 3]; 3];
    let bpe = Bpe::build([(104, 105), (32, 256), (257, 257)], &mut records).unwrap();
    let file = TestModel::random(config, 3).file_with(Tokenizer::Bpe(bpe), DType::F32);
    let model = Model::new(file.bytes()).unwrap();
    assert_eq!(model.tokenizer(), Tokenizer::Bpe(bpe));
    let mut tokens = [0; 16];
    assert_eq!(
        model.tokenizer().encode(b"hi hi you", &mut tokens).unwrap(),
        [256, 257, 32, 121, 111, 117]
    );
    let vocabulary = FormatError::Vocabulary { model: 259, tokenizer: 256 };
    let rejected = Writer::new(&config, Tokenizer::Bytes, DType::F32).unwrap_err();
    assert_eq!(rejected, vocabulary);
}

#[test]
fn tensor_names_match_the_checkpoint() {
    let names: Vec<String> = layout(&Config { tied_head: false, ..small(expe()) })
        .map(|shape| shape.id.to_string())
        .collect();
    assert_eq!(
        names[..4],
        [
            "embed.weight",
            "layers.0.attn_norm.weight",
            "layers.0.attn.wq.weight",
            "layers.0.attn.wq.columns"
        ]
    );
    assert_eq!(
        names[names.len() - 3..],
        ["layers.1.mlp.w2.weight", "final_norm.weight", "head.weight"]
    );
}

/// A weight source with one fault.
struct Faulty {
    model: TestModel,
    tensor: TensorId,
    fault: Fault,
    row: Vec<f32>,
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Missing,
    Narrow,
    Value(f32),
}

impl WeightSource for Faulty {
    type Error = String;

    fn row(&mut self, tensor: TensorId, row: usize) -> Result<&[f32], String> {
        self.row = self.model.row(tensor, row)?.to_vec();
        if tensor == self.tensor && row == 3 {
            match self.fault {
                Fault::Missing => return Err("gone".into()),
                Fault::Narrow => drop(self.row.pop()),
                Fault::Value(value) => self.row[1] = value,
            }
        }
        Ok(&self.row)
    }

    fn quantized_row(&mut self, tensor: TensorId, row: usize) -> Result<QuantizedRow<'_>, String> {
        self.model.quantized_row(tensor, row)
    }
}

#[test]
fn a_source_or_sink_that_fails_is_an_error() {
    let model = TestModel::random(small(expe()), 4);
    let write = |kind, fault, dtype| {
        let tensor = TensorId { kind, layer: 1 };
        let mut source = Faulty { model: model.clone(), tensor, fault, row: Vec::new() };
        let mut written = 0;
        let result = Writer::new(&model.config, Tokenizer::Bytes, dtype).unwrap().write(
            &mut source,
            |piece| {
                written += piece.len();
                Ok::<(), Infallible>(())
            },
        );
        (result.unwrap_err(), written)
    };
    let tensor = TensorId { kind: TensorKind::Wv, layer: 1 };
    let row = 3;
    // The whole source is read once before anything is written.
    let gone = WriteError::Source("gone".to_string());
    assert_eq!(write(TensorKind::Wv, Fault::Missing, DType::F32), (gone, 0));
    let narrow = WriteError::Width { tensor, row, expected: 24, found: 23 };
    assert_eq!(write(TensorKind::Wv, Fault::Narrow, DType::F32), (narrow, 0));
    let range = |value, dtype| WriteError::OutOfRange { tensor, row, value, dtype };
    for (value, dtype) in [(f32::INFINITY, DType::F32), (65_520.0, DType::F16)] {
        let found = write(TensorKind::Wv, Fault::Value(value), dtype);
        assert_eq!(found, (range(value, dtype), 0));
    }
    // Overridden weights are not written, but their sum is.
    let (error, written) = write(TensorKind::Wq, Fault::Value(f32::NAN), DType::F32);
    assert!(matches!(error, WriteError::OutOfRange { .. }) && written == 0);

    let mut room = 1_000usize;
    let full = Writer::new(&model.config, Tokenizer::Bytes, DType::F32).unwrap().write(
        &mut model.clone(),
        |piece| match room.checked_sub(piece.len()) {
            Some(rest) => {
                room = rest;
                Ok(())
            }
            None => Err("full"),
        },
    );
    assert_eq!(full, Err(WriteError::Sink("full")));
}

#[test]
fn models_that_could_not_be_read_are_not_written() {
    let rejected =
        |config| Writer::new(&config, Tokenizer::Bytes, DType::F32).map(|_| ()).unwrap_err();
    let zero = ConfigError::Dimension { name: "layers", value: 0 };
    assert_eq!(rejected(Config { layers: 0, ..small(expe()) }), FormatError::Config(zero));
    let PositionConfig::Exqpe { start, step, width, base, growth, query_cap, beyond, .. } =
        FIXTURE_CONFIG.position
    else {
        unreachable!()
    };
    for digits in [0, 3, 9] {
        let position =
            PositionConfig::Exqpe { start, step, width, base, digits, growth, query_cap, beyond };
        let found = rejected(small(position));
        assert_eq!(found, FormatError::Unknown { field: "digits", value: digits });
    }
    let huge =
        Config { vocab: 256, width: 1 << 24, layers: 1 << 24, ..small(PositionConfig::None) };
    assert_eq!(rejected(huge), FormatError::TooLarge);
}

#[test]
fn a_range_that_is_not_a_magnitude_is_rejected() {
    let int8 = Storage::from(DType::Int8);
    for range in [-1.0, f32::NAN, f32::INFINITY] {
        let storage = Storage { residual_range: range, ..int8 };
        let rejected = Writer::new(&FIXTURE_CONFIG, Tokenizer::Bytes, storage).unwrap_err();
        let value = range.to_bits();
        assert_eq!(rejected, FormatError::Unknown { field: "residual range", value });
    }
    let storage = Storage { residual_range: f32::MAX, ..int8 };
    assert!(Writer::new(&FIXTURE_CONFIG, Tokenizer::Bytes, storage).is_ok());
}

//! Damaged and malicious model files: reading them gives a typed error or a model that runs.

mod support;

use expe_core::format::{FormatError, TensorId};
use expe_core::internals::{Bpe, DType, Random, TensorKind};
use expe_core::position::{Position, PositionConfig};
use expe_core::{Config, Decoder, F32, I8, Model, Sampler, Tokenizer};
use support::model::{expe, positions};
use support::{AlignedBytes, TestModel};

/// Returns minimal files of every encoding and tokenizer.
fn files() -> Vec<AlignedBytes> {
    let tiny = |position: PositionConfig| {
        let position = match position {
            PositionConfig::Expe { start, step, query_cap, beyond, .. } => {
                PositionConfig::Expe { start, step, width: 2, query_cap, beyond }
            }
            other => other,
        };
        Config {
            width: 6,
            layers: 1,
            heads: 2,
            kv_heads: 1,
            head_width: 2,
            hidden: 3,
            ..support::model::small(position)
        }
    };
    let mut files: Vec<_> = positions()
        .into_iter()
        .zip(DType::ALL.into_iter().cycle())
        .map(|(position, dtype)| TestModel::random(tiny(position), 1).file(dtype))
        .collect();
    // Three merges, so that padding follows the directory.
    let mut records = [[0; 3]; 3];
    let pairs = [(104, 105), (32, 256), (257, 257)];
    let bpe = Tokenizer::Bpe(Bpe::build(pairs, &mut records).unwrap());
    let config = Config { vocab: 259, tied_head: false, ..tiny(expe()) };
    files.push(TestModel::random(config, 2).file_with(bpe, DType::F32));
    files
}

/// Computes CRC-32 with the `crc` crate.
fn checksum(bytes: &[u8]) -> u32 {
    crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(bytes)
}

/// Updates length and checksum in the first 32 bytes, so that later checks are reached.
fn fix_checksum(file: &mut AlignedBytes) {
    let bytes = file.bytes_mut();
    let len = bytes.len() as u64;
    if len >= 32 {
        bytes[16..24].copy_from_slice(&len.to_le_bytes());
        let sum = checksum(&bytes[32..]);
        bytes[24..28].copy_from_slice(&sum.to_le_bytes());
    }
}

/// Returns whether the file is accepted as a model, in which case it must run.
fn loads_and_runs(file: &AlignedBytes) -> bool {
    let Ok(model) = Model::new(file.bytes()) else { return false };
    let config = model.config();
    assert_eq!(model.layers().count(), config.layers);
    let Ok(position) = model.position() else { return true };
    runs_in_integers(&model, position);
    let decoder = Decoder::new(&model, position).unwrap();
    let mut cache = vec![0; config.cache_len::<F32>(8)];
    let mut cache = decoder.cache::<F32>(8, &mut cache).unwrap();
    let mut workspace = vec![0; config.workspace_len(3, 8)];
    let mut workspace = decoder.workspace(3, 8, &mut workspace).unwrap();
    let mut tokens = [0; 8];
    let tokens = model.tokenizer().encode(b"hi hi\xff\n", &mut tokens).unwrap();
    if let Ok(logits) = decoder.forward(tokens, &mut cache, &mut workspace) {
        assert_eq!(logits.len(), config.vocab);
        if let Ok(token) = Sampler::new(1.0, 3, 1).unwrap().sample(logits) {
            assert!(model.tokenizer().decode(token).unwrap().count() > 0);
        }
    }
    true
}

/// Checks that the model also runs in integers or is rejected.
fn runs_in_integers(model: &Model<'_>, position: Position<'_>) {
    let config = model.config();
    let Ok(decoder) = Decoder::integer(model, position) else { return };
    let mut cache = vec![0; config.cache_len::<I8>(3)];
    let mut cache = decoder.ring_cache::<I8>(3, 1, &mut cache).unwrap();
    let mut workspace = vec![0; config.workspace_len(2, 3)];
    let mut workspace = decoder.workspace(2, 3, &mut workspace).unwrap();
    if let Ok(logits) = decoder.forward(&[104, 105, 32, 33, 34], &mut cache, &mut workspace) {
        assert!((Sampler::new(1.0, 3, 1).unwrap().sample(logits).unwrap() as usize) < config.vocab);
    }
}

#[test]
fn every_truncation_is_an_error() {
    for file in files() {
        assert!(loads_and_runs(&file));
        for len in 0..file.bytes().len() {
            let mut cut = AlignedBytes::new(&file.bytes()[..len]);
            let error = Model::new(cut.bytes()).unwrap_err();
            assert!(matches!(error, FormatError::TooShort { .. }), "{len}: {error}");
            fix_checksum(&mut cut);
            assert!(Model::new(cut.bytes()).is_err(), "{len}, with a valid checksum");
        }
    }
}

#[test]
fn bytes_after_the_end_are_an_error() {
    for file in files() {
        for extra in [1, 15, 16, 1000] {
            let mut long = file.bytes().to_vec();
            long.resize(long.len() + extra, 0);
            let mut long = AlignedBytes::new(&long);
            assert!(matches!(Model::new(long.bytes()), Err(FormatError::Length { .. })));
            fix_checksum(&mut long);
            assert!(matches!(Model::new(long.bytes()), Err(FormatError::Length { .. })));
        }
    }
}

#[test]
fn random_changes_are_detected() {
    let files = files();
    let mut random = Random::new(3);
    for round in 0..10_000usize {
        let original = &files[round % files.len()];
        let mut changed = AlignedBytes::new(original.bytes());
        let len = changed.bytes().len() as u32;
        for _ in 0..1 + random.below(4) {
            let at = random.below(len) as usize;
            changed.bytes_mut()[at] ^= 1 + random.below(255) as u8;
        }
        if changed.bytes() == original.bytes() {
            continue;
        }
        assert!(Model::new(changed.bytes()).is_err(), "round {round}");
    }
}

#[test]
fn random_changes_with_a_valid_checksum_are_an_error_or_run() {
    let files = files();
    let mut random = Random::new(4);
    let (mut rejected, mut ran) = (0, 0);
    for round in 0..10_000usize {
        let mut changed = AlignedBytes::new(files[round % files.len()].bytes());
        // Half of the changes are in header, merges and directory.
        let len = changed.bytes().len() as u32;
        let front = u32::from_le_bytes(changed.bytes()[12..16].try_into().unwrap());
        let range = if round % 2 == 0 { front } else { len };
        for _ in 0..1 + random.below(4) {
            let at = random.below(range) as usize;
            changed.bytes_mut()[at] = match random.below(4) {
                0 => 0,
                1 => 0xff,
                2 => changed.bytes()[at] ^ 1 << random.below(8),
                _ => random.next_u32() as u8,
            };
        }
        fix_checksum(&mut changed);
        match loads_and_runs(&changed) {
            true => ran += 1,
            false => rejected += 1,
        }
    }
    // Both outcomes must occur often for the test to be meaningful.
    assert!(rejected > 1_000 && ran > 1_000, "{rejected} rejected, {ran} ran");
}

#[test]
fn absurd_numbers_are_an_error_or_run() {
    let absurd =
        [0, 1, 2, 3, 255, 256, 1 << 16, 1 << 24, (1 << 24) + 1, 1 << 31, u32::MAX - 1, u32::MAX];
    for file in files() {
        let front = u32::from_le_bytes(file.bytes()[12..16].try_into().unwrap()) as usize;
        for at in (0..front).step_by(4) {
            for value in absurd {
                let mut changed = AlignedBytes::new(file.bytes());
                changed.bytes_mut()[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
                fix_checksum(&mut changed);
                loads_and_runs(&changed);
                // Changes two fields at a time: the product of two dimensions may overflow 32 or 64 bits.
                let other = 32 + (at * 7 + value as usize % 64) / 4 * 4 % (front - 36);
                changed.bytes_mut()[other..other + 4].copy_from_slice(&u32::to_le_bytes(value));
                fix_checksum(&mut changed);
                loads_and_runs(&changed);
            }
        }
    }
}

#[test]
fn an_address_that_is_not_aligned_is_an_error() {
    let file = &files()[0];
    for shift in 1..16 {
        let bytes = AlignedBytes::new(&[&vec![0; shift][..], file.bytes()].concat());
        let found = Model::new(&bytes.bytes()[shift..]).unwrap_err();
        assert_eq!(found, FormatError::Misaligned { remainder: shift });
    }
}

#[test]
fn errors_name_what_is_wrong() {
    let message = |change: &dyn Fn(&mut [u8])| {
        let mut file = AlignedBytes::new(files()[6].bytes());
        change(file.bytes_mut());
        Model::new(file.bytes()).unwrap_err().to_string()
    };
    let says = |message: String, words: &str| assert!(message.contains(words), "{message}");
    says(message(&|bytes| bytes[0] = 0), "not an .expe model file");
    says(message(&|bytes| bytes[8] = 3), "version 3 of the model file is not known");
    says(message(&|bytes| bytes[28] = 1), "byte 28 must be zero");
    says(message(&|bytes| bytes[40] ^= 4), "checksum");
    says(message(&|bytes| bytes[80] = 7), "`position encoding` is 7");
    says(message(&|bytes| bytes[48..52].fill(0)), "`kv_heads` is 0");
    says(message(&|bytes| bytes[125] = 1), "byte 125 must be zero");
    says(message(&|bytes| bytes[124] = 2), "`execution` is 2");
    says(message(&|bytes| bytes[127] = 0x80), "`residual range` is 32768");
    says(message(&|bytes| (bytes[8], bytes[126]) = (1, 1)), "byte 126 must be zero");
}

#[test]
fn padding_must_be_zero() {
    for file in files() {
        let model = Model::new(file.bytes()).unwrap();
        let start = file.bytes().as_ptr().addr();
        let ends: Vec<_> =
            model.tensors().map(|t| t.bytes.as_ptr().addr() - start + t.bytes.len()).collect();
        let front = u32::from_le_bytes(file.bytes()[12..16].try_into().unwrap()) as usize;
        let merges = u32::from_le_bytes(file.bytes()[72..76].try_into().unwrap()) as usize;
        let directory_end = 128 + 12 * merges + 32 * ends.len();
        let after = ends.into_iter().map(|end| end..end.next_multiple_of(16));
        let paddings: Vec<_> = std::iter::once(directory_end..front).chain(after).collect();
        assert!(paddings.iter().filter(|padding| !padding.is_empty()).count() > 3);
        for at in paddings.into_iter().flatten() {
            let mut changed = AlignedBytes::new(file.bytes());
            changed.bytes_mut()[at] = 1;
            fix_checksum(&mut changed);
            let expected = FormatError::Reserved { offset: at as u64 };
            assert_eq!(Model::new(changed.bytes()).unwrap_err(), expected);
        }
    }
}

#[test]
fn weights_must_be_finite() {
    for file in files() {
        let model = Model::new(file.bytes()).unwrap();
        let start = file.bytes().as_ptr().addr();
        for tensor in model.tensors().filter(|tensor| !tensor.bytes.is_empty()) {
            let (infinite, nan): (&[u8], &[u8]) = match tensor.dtype {
                DType::F16 => (&[0x00, 0xfc], &[0x01, 0x7c]),
                DType::Bf16 => (&[0x80, 0xff], &[0x81, 0x7f]),
                _ => (&[0x00, 0x00, 0x80, 0xff], &[0x01, 0x00, 0x80, 0x7f]),
            };
            let size = infinite.len();
            // The last weight, or the last scale, which precedes the integers.
            let end =
                if tensor.dtype.is_integer() { 4 * tensor.shape.rows } else { tensor.bytes.len() };
            let last = tensor.bytes.as_ptr().addr() - start + end - size;
            for bits in [infinite, nan] {
                let mut changed = AlignedBytes::new(file.bytes());
                changed.bytes_mut()[last..last + size].copy_from_slice(bits);
                fix_checksum(&mut changed);
                let expected = FormatError::NotFinite { tensor: tensor.shape.id };
                assert_eq!(Model::new(changed.bytes()).unwrap_err(), expected);
            }
        }
    }
}

#[test]
fn more_tensors_than_the_model_has_are_an_error() {
    let file = &files()[0];
    let model = Model::new(file.bytes()).unwrap();
    let count = model.tensors().count();
    let front = 128 + 32 * count;
    // Inserts one more entry and moves everything after it.
    let mut bytes = file.bytes().to_vec();
    bytes.splice(front..front, [0; 32]);
    let mut shift = |at: usize, by: u32| {
        let field = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        bytes[at..at + 4].copy_from_slice(&(field + by).to_le_bytes());
    };
    shift(12, 32);
    shift(76, 1);
    for entry in 0..count {
        shift(128 + 32 * entry + 16, 32);
    }
    let mut longer = AlignedBytes::new(&bytes);
    fix_checksum(&mut longer);
    let expected = FormatError::Unknown { field: "tensors", value: count as u32 + 1 };
    assert_eq!(Model::new(longer.bytes()).unwrap_err(), expected);
}

#[test]
fn every_field_of_an_entry_has_one_value() {
    let file = &files()[6];
    // The third entry, `layers.0.attn.wq.weight`; its data type is the only field with several valid values.
    let tensor = TensorId { kind: TensorKind::Wq, layer: 0 };
    let fields =
        [(0, "kind"), (4, "layer"), (8, "rows"), (12, "columns"), (16, "offset"), (24, "length")];
    for (at, name) in fields {
        let mut changed = AlignedBytes::new(file.bytes());
        changed.bytes_mut()[128 + 2 * 32 + at] ^= 0x10;
        fix_checksum(&mut changed);
        match Model::new(changed.bytes()).unwrap_err() {
            FormatError::Entry { tensor: found, field, .. } => {
                assert_eq!((found, field), (tensor, name))
            }
            other => panic!("{name}: {other}"),
        }
    }
    // A norm in half precision, and a data type that does not exist.
    for (entry, value, expected) in [(1, 1, "must be 0, found 1"), (0, 5, "`dtype` is 5")] {
        let mut changed = AlignedBytes::new(file.bytes());
        changed.bytes_mut()[128 + entry * 32 + 2] = value;
        fix_checksum(&mut changed);
        let message = Model::new(changed.bytes()).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

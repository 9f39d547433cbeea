//! The contents of a cache after truncation and after errors.

mod support;

use expe_core::internals::{DType, Random, TensorKind};
use expe_core::position::{Beyond, Growth, Position, PositionConfig};
use expe_core::{Config, DecodeError, Decoder, I8, Integer, KvCache, Model, Workspace};
use support::model::{positions, small};
use support::{AlignedBytes, TestModel};

fn tokens(count: usize, seed: u64) -> Vec<u32> {
    let mut random = Random::new(seed);
    (0..count).map(|_| random.below(256)).collect()
}

/// Calls `act` with a ring of eight positions, of which the first two are sinks, and a workspace for five tokens.
fn with_ring<R>(
    file: &AlignedBytes,
    act: impl FnOnce(
        &Decoder<'_, Position<'_>, Integer>,
        &mut KvCache<'_, I8, Integer>,
        &mut Workspace<'_>,
    ) -> R,
) -> R {
    let model = Model::new(file.bytes()).unwrap();
    let config = model.config();
    let decoder = Decoder::integer(&model, model.position().unwrap()).unwrap();
    let (mut cache, mut workspace) =
        (vec![0; config.cache_len::<I8>(8)], vec![0; config.workspace_len(5, 8)]);
    let mut ring = decoder.ring_cache::<I8>(8, 2, &mut cache).unwrap();
    let mut workspace = decoder.workspace(5, 8, &mut workspace).unwrap();
    act(&decoder, &mut ring, &mut workspace)
}

/// Sinks do not depend on dropped positions.
#[test]
fn a_ring_truncated_to_its_sinks_matches_one_that_was_never_full() {
    for position in positions() {
        let file = TestModel::random(small(position), 1).file(DType::Int8);
        let all = tokens(16, 2);
        for left in [0, 1, 2] {
            let again = with_ring(&file, |decoder, ring, workspace| {
                decoder.forward(&all, ring, workspace).unwrap();
                assert_eq!(ring.len(), 8);
                ring.truncate(left);
                decoder.forward(&all[left..6], ring, workspace).unwrap().to_vec()
            });
            let once = with_ring(&file, |decoder, ring, workspace| {
                decoder.forward(&all[..6], ring, workspace).unwrap().to_vec()
            });
            assert_eq!(again, once, "{position:?}, {left}");
        }
    }
}

/// Truncating a full ring by a few tokens and decoding them again changes nothing, wherever its window begins. This is
/// checked in the first layer, whose keys and values do not depend on the previous contents of the window.
#[test]
fn a_full_ring_can_be_truncated_and_filled_again() {
    for position in positions() {
        let config = Config { layers: 1, ..small(position) };
        let file = TestModel::random(config, 1).file(DType::Int8);
        let all = tokens(16, 3);
        for read in 8..16 {
            let (once, again) = with_ring(&file, |decoder, ring, workspace| {
                let once = decoder.forward(&all[..read], ring, workspace).unwrap().to_vec();
                ring.truncate(5);
                let again = decoder.forward(&all[read - 3..read], ring, workspace).unwrap();
                (once, again.to_vec())
            });
            assert_eq!(again, once, "{position:?}, {read}");
        }
    }
}

#[test]
fn a_full_ring_that_meets_an_error_loses_nothing() {
    let file = TestModel::random(small(PositionConfig::Learned), 4).file(DType::Int8);
    let all = tokens(17, 5);
    let run = |errors: usize| {
        with_ring(&file, |decoder, ring, workspace| {
            // All rows of the table of learned positions.
            decoder.forward(&all[..16], ring, workspace).unwrap();
            for _ in 0..errors {
                let result = decoder.forward(&all[16..], ring, workspace).map(|_| ());
                assert!(matches!(result, Err(DecodeError::Position(_))), "{result:?}");
                assert_eq!(ring.len(), 8);
            }
            ring.truncate(7);
            decoder.forward(&all[16..], ring, workspace).unwrap().to_vec()
        })
    };
    assert_eq!(run(9), run(0));
}

/// With several digits, a query can exceed its range at one position and not at the next.
#[test]
fn an_error_at_a_middle_position_comes_before_any_logits() {
    let position = PositionConfig::Exqpe {
        start: 0.0,
        step: 4.0,
        width: 6,
        base: 4,
        digits: 3,
        growth: Growth::Equal,
        query_cap: None,
        beyond: Beyond::Refuse,
    };
    let mut source = TestModel::random(small(position), 6);
    for layer in 0..2 {
        source.tensor_mut(TensorKind::AttnNorm, layer).iter_mut().for_each(|gain| *gain *= 10.0);
    }
    let all = tokens(20, 7);
    // Returns how many logits the first `count` tokens give, and whether there is an error.
    let run = |factor: f32, count: usize| {
        let mut source = source.clone();
        for layer in 0..2 {
            source.tensor_mut(TensorKind::Wq, layer).iter_mut().for_each(|w| *w *= factor);
        }
        let file = source.file(DType::Int8);
        let model = Model::new(file.bytes()).unwrap();
        let config = model.config();
        let decoder = Decoder::integer(&model, model.position().unwrap()).ok()?;
        let (mut cache, mut workspace) =
            (vec![0; config.cache_len::<I8>(20)], vec![0; config.workspace_len(4, 20)]);
        let mut cache = decoder.cache::<I8>(20, &mut cache).unwrap();
        let mut workspace = decoder.workspace(4, 20, &mut workspace).unwrap();
        let mut given = 0;
        let read = &all[..count];
        let result = decoder.forward_each(read, &mut cache, &mut workspace, |_, _| given += 1);
        assert_eq!(cache.len(), if result.is_ok() { count } else { 0 });
        Some((given, result.is_ok()))
    };
    // Position 15 has the digits 3, 3, 0: the largest sum below 20. Find weights that just reach it.
    let (mut low, mut high) = (1.0, 1_000.0);
    while run(low, 16) != Some((0, false)) {
        let middle = f32::midpoint(low, high);
        assert!(low < middle && middle < high, "no weights between {low} and {high}");
        match run(middle, 16) {
            Some((16, true)) => low = middle,
            // An error at position 15 and not before: found.
            Some((0, false)) if run(middle, 15) == Some((15, true)) => {
                (low, high) = (middle, middle);
            }
            found => {
                assert!(matches!(found, None | Some((0, false))), "{found:?}");
                high = middle;
            }
        }
    }
    assert_eq!(run(low, 20), Some((0, false)));
}

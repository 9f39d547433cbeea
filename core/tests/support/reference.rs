//! A simple reference decoder in `f64`, without cache and chunks, which overrides the inputs of the projections.
//! It shares no code with the engine.

use expe_core::internals::TensorKind;
use expe_core::position::{Growth, PositionConfig, Scaling};
use expe_core::{Activation, Config, Norm};

use super::TestModel;

type Row = Vec<f64>;

/// Returns the logits after every token.
pub fn logits(model: &TestModel, tokens: &[u32]) -> Vec<Row> {
    let config = &model.config;
    let embed = matrix(model, TensorKind::Embed, 0, config.width);
    let mut x: Vec<Row> = tokens.iter().map(|token| embed[*token as usize].clone()).collect();
    for (n, x) in x.iter_mut().enumerate() {
        embed_position(model, n, x);
    }
    for layer in 0..config.layers as u32 {
        attention(model, layer, &mut x);
        mlp(model, layer, &mut x);
    }
    let gain = &matrix(model, TensorKind::FinalNorm, 0, config.width)[0];
    let head =
        if config.tied_head { embed } else { matrix(model, TensorKind::Head, 0, config.width) };
    x.iter().map(|x| times(&head, &norm(config, x, gain))).collect()
}

fn matrix(model: &TestModel, kind: TensorKind, layer: u32, columns: usize) -> Vec<Row> {
    let rows = model.tensor(kind, layer).chunks(columns);
    rows.map(|row| row.iter().map(|w| f64::from(*w)).collect()).collect()
}

fn times(matrix: &[Row], x: &[f64]) -> Row {
    matrix.iter().map(|row| row.iter().zip(x).map(|(w, x)| w * x).sum()).collect()
}

fn norm(config: &Config, x: &[f64], gain: &[f64]) -> Row {
    let count = x.len() as f64;
    let mean = match config.norm {
        Norm::RmsNorm => 0.0,
        Norm::LayerNorm => x.iter().sum::<f64>() / count,
    };
    let square = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
    let scale = (square + f64::from(config.epsilon)).sqrt();
    x.iter().zip(gain).map(|(x, gain)| gain * (x - mean) / scale).collect()
}

fn embed_position(model: &TestModel, n: usize, x: &mut [f64]) {
    match model.config.position {
        PositionConfig::Learned => {
            let table = matrix(model, TensorKind::Position, 0, x.len());
            x.iter_mut().zip(&table[n]).for_each(|(x, p)| *x += p);
        }
        PositionConfig::Sinusoidal { base } => {
            let width = x.len() as f64;
            for (i, x) in x.iter_mut().enumerate() {
                let pair = (i - i % 2) as f64;
                let angle = n as f64 * f64::from(base).powf(-pair / width);
                *x = *x * width.sqrt() + if i % 2 == 0 { angle.sin() } else { angle.cos() };
            }
        }
        _ => {}
    }
}

/// Returns the value of every overridden column at position `n`.
fn override_values(position: &PositionConfig, n: usize, is_query: bool) -> Row {
    let capped = |cap: Option<u32>| match cap {
        Some(cap) if is_query => n.min(cap as usize),
        _ => n,
    };
    match *position {
        PositionConfig::Expe { start, step, width, query_cap, .. } => {
            vec![f64::from(start) + f64::from(step) * capped(query_cap) as f64; width as usize]
        }
        PositionConfig::Exqpe { start, step, width, base, digits, growth, query_cap, .. } => {
            let (run, base) = ((width / digits) as usize, base as usize);
            let mut rest = capped(query_cap);
            let mut values = Vec::new();
            for digit in 0..digits {
                let value = if digit + 1 == digits { rest } else { rest % base };
                rest /= base;
                let weight = match growth {
                    Growth::Equal => 1.0,
                    Growth::Weighted => (base as f64).powi(digit as i32),
                };
                let code = f64::from(start) + f64::from(step) * weight * value as f64;
                values.extend(std::iter::repeat_n(code, run));
            }
            values
        }
        _ => Vec::new(),
    }
}

fn rotate(position: &PositionConfig, n: usize, head: &mut [f64]) {
    let PositionConfig::Rope { base, scaling } = *position else { return };
    let factor = match scaling {
        Scaling::None => 1.0,
        Scaling::Linear { factor } => f64::from(factor),
        other => panic!("no reference for {other:?}"),
    };
    let half = head.len() / 2;
    for i in 0..half {
        let exponent = -2.0 * i as f64 / head.len() as f64;
        let (sin, cos) = (n as f64 * f64::from(base).powf(exponent) / factor).sin_cos();
        let (a, b) = (head[i], head[i + half]);
        (head[i], head[i + half]) = (a * cos - b * sin, b * cos + a * sin);
    }
}

/// Returns the ALiBi slope of a head; the number of heads must be a power of two.
fn slope(config: &Config, head: usize) -> f64 {
    assert!(config.heads.is_power_of_two());
    match config.position {
        PositionConfig::Alibi => 2f64.powf(-8.0 * (head as f64 + 1.0) / config.heads as f64),
        _ => 0.0,
    }
}

fn attention(model: &TestModel, layer: u32, x: &mut [Row]) {
    let config = &model.config;
    let Config { width, heads, kv_heads, head_width, .. } = *config;
    let gain = &matrix(model, TensorKind::AttnNorm, layer, width)[0];
    let [wq, wk, wv] = [TensorKind::Wq, TensorKind::Wk, TensorKind::Wv]
        .map(|kind| matrix(model, kind, layer, width));
    let wo = matrix(model, TensorKind::Wo, layer, heads * head_width);

    let h: Vec<Row> = x.iter().map(|x| norm(config, x, gain)).collect();
    let project = |matrix: &[Row], is_query: bool| -> Vec<Row> {
        let project_one = |(n, h): (usize, &Row)| {
            let mut input = h.clone();
            for (x, p) in input.iter_mut().zip(override_values(&config.position, n, is_query)) {
                *x = p;
            }
            let mut output = times(matrix, &input);
            output.chunks_mut(head_width).for_each(|head| rotate(&config.position, n, head));
            output
        };
        h.iter().enumerate().map(project_one).collect()
    };
    let (q, k) = (project(&wq, true), project(&wk, false));
    let v: Vec<Row> = h.iter().map(|h| times(&wv, h)).collect();

    for n in 0..x.len() {
        let mut output = Vec::new();
        for head in 0..heads {
            let kv = head / (heads / kv_heads);
            let part = |row: &Row, head: usize| row[head * head_width..][..head_width].to_vec();
            let query = part(&q[n], head);
            let scores: Row = (0..=n)
                .map(|m| {
                    let key = part(&k[m], kv);
                    let product: f64 = query.iter().zip(&key).map(|(q, k)| q * k).sum();
                    product / (head_width as f64).sqrt() - slope(config, head) * (n - m) as f64
                })
                .collect();
            let max = scores.iter().copied().fold(f64::MIN, f64::max);
            let weights: Row = scores.iter().map(|score| (score - max).exp()).collect();
            let total: f64 = weights.iter().sum();
            for i in 0..head_width {
                let sum: f64 = (0..=n).map(|m| weights[m] * v[m][kv * head_width + i]).sum();
                output.push(sum / total);
            }
        }
        x[n].iter_mut().zip(times(&wo, &output)).for_each(|(x, y)| *x += y);
    }
}

fn mlp(model: &TestModel, layer: u32, x: &mut [Row]) {
    let config = &model.config;
    let gain = &matrix(model, TensorKind::MlpNorm, layer, config.width)[0];
    let w1 = matrix(model, TensorKind::W1, layer, config.width);
    let w2 = matrix(model, TensorKind::W2, layer, config.hidden);
    for x in x {
        let h = norm(config, x, gain);
        let inner = times(&w1, &h);
        let inner: Row = match config.activation {
            Activation::Relu => inner.iter().map(|x| x.max(0.0)).collect(),
            Activation::Gelu => {
                let slope = (2.0 / std::f64::consts::PI).sqrt();
                let gelu = |x: f64| x / 2.0 * (1.0 + (slope * (x + 0.044715 * x.powi(3))).tanh());
                inner.iter().map(|x| gelu(*x)).collect()
            }
            Activation::SwiGlu => {
                let gate = times(&matrix(model, TensorKind::W3, layer, config.width), &h);
                inner.iter().zip(gate).map(|(x, g)| x / (1.0 + (-x).exp()) * g).collect()
            }
        };
        x.iter_mut().zip(times(&w2, &inner)).for_each(|(x, y)| *x += y);
    }
}

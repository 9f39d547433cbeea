use std::fmt::Write;

use expe_core::Config;
use serde::Serialize;

use super::{Machine, PositionCost, Profiled, Spread, Times, peak_memory};

/// The result of a benchmark. Its JSON is a stable format that omits keys without a value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The benchmark: `train`, `decode`, `prefill`, `eval`, `positions` or `scaling`.
    pub benchmark: &'static str,
    /// The machine.
    pub machine: Machine,
    /// The GPU, if the benchmark did not run on the CPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Bytes per second of one thread that reads memory sequentially.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_rate: Option<f64>,
    /// Operations per second of large matrix products, on the same number of threads as the candidates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matmul_rate: Option<f64>,
    /// Peak memory of the process, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory: Option<u64>,
    /// The candidates.
    pub rows: Vec<Row>,
    /// How times and cache sizes grow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slopes: Vec<Slope>,
    /// The cost of each encoding per token and layer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub positions: Vec<PositionCost>,
    /// Sizes that were skipped, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The result of one candidate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Its name in this report.
    pub candidate: String,
    /// Kind of work: `train`, `decode`, `prefill` or `eval`.
    pub work: &'static str,
    /// The type of its weights; for training, the precision of its matrix products.
    #[serde(rename = "numbers")]
    pub dtype: String,
    /// The model.
    pub model: Config,
    /// Number of threads.
    pub threads: usize,
    /// Number of tokens in a unit of work.
    pub tokens: usize,
    /// Number of preceding tokens, for decoding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub past: Option<usize>,
    /// Seconds per unit of work, over the rounds.
    pub seconds: Spread,
    /// Ratio of its time to that of the first candidate with the same work in the same round.
    pub ratio: Spread,
    /// Ratio of its time to that of the candidate with RoPE, if encodings are compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over_rope: Option<Spread>,
    /// Calculated number of bytes read per token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_token: Option<f64>,
    /// Bytes read per second, as a share of `read_rate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_share: Option<f64>,
    /// Bytes read per second, as a share of the rate of reading the same number of bytes repeatedly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_read_share: Option<f64>,
    /// Size in bytes of each thread's key-value cache, for evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_bytes: Option<u64>,
    /// Peak memory of the process after one run of this candidate and the previous ones, in bytes, for
    /// evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory: Option<u64>,
    /// Calculated number of operations of the matrix products in a unit of work.
    pub flops: f64,
    /// Operations per second, as a share of `matmul_rate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matmul_share: Option<f64>,
    /// Time by operation, for training steps if requested.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub profile: Vec<Profiled>,
}

/// How the time of some work grows with a size: `time ∝ size^slope`, fitted to a series of rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slope {
    /// The work.
    pub work: &'static str,
    /// The size that varies.
    pub against: &'static str,
    /// Smallest size.
    pub from: usize,
    /// Largest size.
    pub to: usize,
    /// The exponent from a least-squares fit of logarithms.
    pub slope: f64,
    /// The exponent between the last two sizes.
    pub last: f64,
}

impl Row {
    /// Creates a row for a candidate with `model` whose units of work took the times `measured`. `first` are the
    /// times of the first candidate. The other fields have defaults: `f32`, one thread, one token.
    pub fn new(work: &'static str, model: &Config, measured: &Times, first: &Times) -> Self {
        Self {
            candidate: String::new(),
            work,
            dtype: "f32".to_owned(),
            model: *model,
            threads: 1,
            tokens: 1,
            past: None,
            seconds: measured.spread(),
            ratio: measured.ratio(first),
            over_rope: None,
            bytes_per_token: None,
            read_share: None,
            cached_read_share: None,
            cache_bytes: None,
            peak_memory: None,
            flops: 0.0,
            matmul_share: None,
            profile: Vec::new(),
        }
    }

    /// Returns the tokens per second at the median time.
    pub fn tokens_per_second(&self) -> f64 {
        self.tokens as f64 / self.seconds.median
    }
}

/// Returns a value that not every row has.
type Share = fn(&Row) -> Option<f64>;

impl Report {
    /// Creates an empty report with this machine and the peak memory so far.
    pub fn new(benchmark: &'static str) -> Self {
        Self {
            benchmark,
            machine: Machine::this(),
            device: None,
            read_rate: None,
            matmul_rate: None,
            peak_memory: peak_memory(),
            rows: Vec::new(),
            slopes: Vec::new(),
            positions: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Formats the report as tables.
    pub fn table(&self) -> String {
        let mut head =
            vec!["candidate", "work", "ms", "quartiles", "tokens/s", "time ratio", "quartiles"];
        let with = |get: Share| self.rows.iter().any(|row| get(row).is_some());
        let shares: [(&str, Share); 3] = [
            ("of read", |row| row.read_share),
            ("of cached read", |row| row.cached_read_share),
            ("of matmul", |row| row.matmul_share),
        ];
        let reads = with(|row| row.bytes_per_token);
        if reads {
            head.push("MB/token");
        }
        let encodings = with(|row| row.over_rope.map(|ratio| ratio.median));
        if encodings {
            head.push("over rope");
        }
        let sizes: [(&str, Share); 2] = [
            ("cache MB", |row| row.cache_bytes.map(|bytes| bytes as f64 / 1e6)),
            ("peak MB", |row| row.peak_memory.map(|bytes| bytes as f64 / 1e6)),
        ];
        let sizes: Vec<_> = sizes.into_iter().filter(|(_, get)| with(*get)).collect();
        head.extend(sizes.iter().map(|(name, _)| *name));
        let shares: Vec<_> = shares.into_iter().filter(|(_, get)| with(*get)).collect();
        head.extend(shares.iter().map(|(name, _)| *name));
        let mut lines = vec![head.into_iter().map(str::to_owned).collect::<Vec<_>>()];
        for row in &self.rows {
            let ms = row.seconds.scaled(1e3);
            let Spread { median, low, high } = row.ratio;
            let mut line = vec![
                row.candidate.clone(),
                row.work.to_owned(),
                figure(ms.median),
                format!("{}–{}", figure(ms.low), figure(ms.high)),
                figure(row.tokens_per_second()),
                format!("{median:.3}"),
                format!("{low:.3}–{high:.3}"),
            ];
            let percent = |share: Option<f64>| {
                share.map_or(String::new(), |share| format!("{:.0} %", 100.0 * share))
            };
            if reads {
                line.push(row.bytes_per_token.map_or(String::new(), |bytes| figure(bytes / 1e6)));
            }
            if encodings {
                let ratio = row.over_rope.map(|ratio| format!("{:.3}", ratio.median));
                line.push(ratio.unwrap_or_default());
            }
            line.extend(sizes.iter().map(|(_, get)| get(row).map_or(String::new(), figure)));
            line.extend(shares.iter().map(|(_, get)| percent(get(row))));
            lines.push(line);
        }
        let mut text = self.position_table();
        text.push_str(&aligned(&lines));
        for row in self.rows.iter().filter(|row| !row.profile.is_empty()) {
            let _ = write!(text, "\n{}\n", profile_table(row));
        }
        let mut note = |name: &str, value: Option<f64>, unit: &str| {
            if let Some(value) = value {
                let _ = writeln!(text, "{name}: {} {unit}", figure(value));
            }
        };
        note("plain read of 256 MiB, 1 thread", self.read_rate.map(|rate| rate / 1e9), "GB/s");
        note("matrix products", self.matmul_rate.map(|rate| rate / 1e9), "GFLOP/s");
        note("peak memory", self.peak_memory.map(|bytes| bytes as f64 / 1e6), "MB");
        for Slope { work, against, from, to, slope, last } in &self.slopes {
            let _ = writeln!(
                text,
                "{work} against {against}, {from} to {to}: slope {slope:.2}, at the end {last:.2}"
            );
        }
        for line in &self.notes {
            let _ = writeln!(text, "{line}");
        }
        if let Some(device) = &self.device {
            let _ = writeln!(text, "measured on {device}");
        }
        let _ = writeln!(text, "{}", self.machine.line());
        text
    }
}

impl Report {
    /// Formats the cost of each encoding per token and layer.
    fn position_table(&self) -> String {
        if self.positions.is_empty() {
            return String::new();
        }
        let head = [
            "ns per token and layer",
            "apply",
            "projections",
            "attention",
            "sum",
            "apply over rope",
            "sum over rope",
        ];
        let mut lines = vec![head.map(str::to_owned).to_vec()];
        for cost in &self.positions {
            let part = |spread: Spread| format!("{:.1}", spread.median);
            lines.push(vec![
                cost.encoding.clone(),
                part(cost.apply),
                part(cost.projections),
                part(cost.attention),
                format!("{:.1}", cost.sum),
                format!("{:.3}", cost.apply_over_rope),
                format!("{:.3}", cost.sum_over_rope),
            ]);
        }
        aligned(&lines) + "\n"
    }
}

/// Formats the time of each operation of a training step.
fn profile_table(row: &Row) -> String {
    let title = format!("one step, {}", row.candidate);
    let head = [
        &title,
        "pass",
        "calls",
        "ms of threads",
        "share",
        "GFLOP",
        "GFLOP/s per thread",
        "in products",
    ];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    for line in &row.profile {
        let or_none = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
        lines.push(vec![
            line.operation.to_owned(),
            line.pass.unwrap_or("–").to_owned(),
            format!("{:.0}", line.calls),
            figure(line.seconds * 1e3),
            format!("{:.1} %", 100.0 * line.share),
            or_none((line.flops > 0.0).then(|| figure(line.flops / 1e9))),
            or_none(line.product_rate.map(|rate| figure(rate / 1e9))),
            or_none(line.product_share.map(|share| format!("{:.0} %", 100.0 * share))),
        ]);
    }
    aligned(&lines)
}

/// Formats a number with three digits, or with all digits of its integer part.
fn figure(value: f64) -> String {
    match value.abs() {
        small if small < 9.995 => format!("{value:.2}"),
        middle if middle < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Formats cells in columns. The first column is left-aligned, the others are right-aligned.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            let width = *width;
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_figures_short() {
        let cell = |text: &str| text.to_owned();
        let lines = [vec![cell("a"), cell("ms")], vec![cell("näme"), cell(&figure(1234.5))]];
        assert_eq!(aligned(&lines), "a       ms\nnäme  1234\n");
        assert_eq!([9.994, 9.996, 99.96].map(figure), ["9.99", "10.0", "100"]);
    }
}

//! Checks the table of collision-free lengths in `docs/positions.md`.
//!
//! `EXPE_BLESS=1 cargo test -p expe-core --all-features --test positions_table` updates it.
#![cfg(all(feature = "half", feature = "fixed"))]

use std::collections::HashMap;
use std::path::Path;
use std::{env, fs};

use expe_core::internals::Grid;
use expe_core::num::Element;
use expe_core::position::{
    Alibi, Expe, Exqpe, Growth, Learned, NoPosition, PositionEncoding, PositionError, Rope,
    Scaling, Sinusoidal,
};
use fixed::types::{I4F12, I8F8, I16F16};
use half::{bf16, f16};

/// Number of positions that are compared one by one.
const TRIED: u32 = 1 << 16;

/// One encoding, a line of the table.
enum Line {
    Expe { start: f32, step: f32 },
    Exqpe { start: f32, step: f32, base: u32, digits: u32, growth: Growth },
    Learned,
    Sinusoidal,
    Rope,
    Alibi,
    None,
}

/// The name and the parameters.
const LINES: [(&str, Line); 15] = [
    ("ExPE `S = 0, θ = 1`", Line::Expe { start: 0.0, step: 1.0 }),
    ("ExPE `S = 0, θ = 1/8`", Line::Expe { start: 0.0, step: 0.125 }),
    ("ExPE `S = 16, θ = 1/16`", Line::Expe { start: 16.0, step: 0.0625 }),
    ("ExPE `S = 0, θ = 0.1`", Line::Expe { start: 0.0, step: 0.1 }),
    ("ExQPE `S = 0, θ = 1, B = 16, D = 2, g = 1`", exqpe(0.0, 1.0, 16, 2, Growth::Equal)),
    ("ExQPE `S = 0, θ = 1, B = 16, D = 2, g = B`", exqpe(0.0, 1.0, 16, 2, Growth::Weighted)),
    ("ExQPE `S = 4, θ = 1/2, B = 16, D = 2, g = 1`", exqpe(4.0, 0.5, 16, 2, Growth::Equal)),
    (
        "ExQPE `S = 16, θ = 1/16, B = 16, D = 2, g = B`",
        exqpe(16.0, 0.0625, 16, 2, Growth::Weighted),
    ),
    ("ExQPE `S = 0, θ = 1, B = 10, D = 4, g = 1`", exqpe(0.0, 1.0, 10, 4, Growth::Equal)),
    ("ExQPE `S = 0, θ = 1/8, B = 16, D = 4, g = 1`", exqpe(0.0, 0.125, 16, 4, Growth::Equal)),
    ("learned, 512 rows", Line::Learned),
    ("sinusoidal, 64 columns, base 10 000", Line::Sinusoidal),
    ("RoPE, 64 columns, base 10 000", Line::Rope),
    ("ALiBi, 8 heads (distances)", Line::Alibi),
    ("none", Line::None),
];

const fn exqpe(start: f32, step: f32, base: u32, digits: u32, growth: Growth) -> Line {
    Line::Exqpe { start, step, base, digits, growth }
}

const WIDTH: usize = 64;

/// Returns the exact values of a code, which can be hashed.
fn bits<T: Element>(code: &[T]) -> Vec<(i64, i32)> {
    let exact = |x: &T| x.to_dyadic().unwrap().reduced();
    code.iter().map(exact).map(|x| (x.mantissa, x.exponent)).collect()
}

/// Returns the first position below `length` and [`TRIED`] that has the code of an earlier one.
fn collision<T: Element>(
    length: u32,
    mut code: impl FnMut(u32) -> Result<Vec<T>, PositionError>,
) -> Option<u32> {
    let mut seen = HashMap::new();
    (0..length.min(TRIED)).find(|n| seen.insert(bits(&code(*n).unwrap()), *n).is_some())
}

/// Formats a guaranteed length, after comparing the first positions.
fn promised<T: Element>(
    length: u32,
    code: impl Fn(u32) -> Result<Vec<T>, PositionError>,
) -> String {
    assert_eq!(collision(length, code), None);
    spaced(length)
}

/// Formats a length found by comparing the first positions.
fn tried<T: Element>(code: impl FnMut(u32) -> Result<Vec<T>, PositionError>) -> String {
    match collision(TRIED, code) {
        Some(length) => spaced(length),
        None => format!("≥ {}", spaced(TRIED)),
    }
}

/// Returns the length of one encoding in one format; a dash if it cannot be built.
fn cell<T: Element>(line: &Line) -> String {
    let none = || "–".to_owned();
    let digits = |encoding: &dyn PositionEncoding<T>, n| {
        let mut values = vec![T::ZERO; encoding.override_block().digits];
        encoding.key_values(n, &mut values).map(|()| values)
    };
    match *line {
        Line::Expe { start, step } => match Expe::<T>::new(start, step, WIDTH) {
            Ok(expe) => promised(expe.length(), |n| digits(&expe, n)),
            Err(_) => none(),
        },
        Line::Exqpe { start, step, base, digits: count, growth } => {
            match Exqpe::<T>::new(start, step, WIDTH, base, count, growth) {
                Ok(exqpe) => promised(exqpe.length(), |n| digits(&exqpe, n)),
                Err(_) => none(),
            }
        }
        Line::Learned => {
            let table = [0.0; 512 * WIDTH];
            spaced(PositionEncoding::<T>::length(&Learned::new(&table, WIDTH).unwrap()))
        }
        Line::Sinusoidal => {
            let sinusoidal = Sinusoidal::new(10_000.0, WIDTH).unwrap();
            tried(|n| {
                let mut row = vec![T::ZERO; WIDTH];
                sinusoidal.embed(n, &mut row).map(|()| row)
            })
        }
        Line::Rope => {
            let rope = Rope::new(10_000.0, WIDTH, Scaling::None).unwrap();
            tried(|n| {
                let mut table = [0.0; WIDTH];
                PositionEncoding::<T>::rotation(&rope, n, &mut table)?;
                Ok(table.map(T::from_f32).to_vec())
            })
        }
        Line::Alibi => {
            let alibi = Alibi::new(8).unwrap();
            let grids = (0..8).map(|head| PositionEncoding::<T>::slope(&alibi, head));
            let lengths: Result<Vec<u32>, _> =
                grids.map(|slope| Grid::<T>::new(0.0, -slope).map(|grid| grid.length())).collect();
            lengths.map_or_else(|_| none(), |lengths| spaced(*lengths.iter().min().unwrap()))
        }
        Line::None => tried(|n| {
            let mut row = vec![T::ZERO; WIDTH];
            NoPosition.embed(n, &mut row).map(|()| row)
        }),
    }
}

/// Formats a number in groups of three digits.
fn spaced(number: u32) -> String {
    match number {
        0..1_000 => number.to_string(),
        _ => format!("{} {:03}", spaced(number / 1_000), number % 1_000),
    }
}

fn table() -> String {
    let mut text = String::from(
        "| encoding | `f32` | `f16` | `bf16` | `i16` | `i8` | `I16F16` | `I8F8` | `I4F12` |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for (name, line) in &LINES {
        let cells = [
            cell::<f32>(line),
            cell::<f16>(line),
            cell::<bf16>(line),
            cell::<i16>(line),
            cell::<i8>(line),
            cell::<I16F16>(line),
            cell::<I8F8>(line),
            cell::<I4F12>(line),
        ];
        text += &format!("| {name} | {} |\n", cells.join(" | "));
    }
    text
}

#[test]
fn documented_lengths_match_the_code() {
    const BEGIN: &str = "<!-- lengths: written by core/tests/positions_table.rs -->\n";
    const END: &str = "<!-- end of lengths -->\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/positions.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page has the table's first line");
    let (kept, after) = rest.split_once(END).expect("the page has the table's last line");
    let table = table();
    if env::var_os("EXPE_BLESS").is_some_and(|bless| bless == "1") {
        fs::write(&path, [before, BEGIN, &table, END, after].concat()).unwrap();
    } else {
        assert_eq!(
            kept, table,
            "docs/positions.md is out of date: run this test with EXPE_BLESS=1"
        );
    }
}

//! Arm's M profile with the DSP extension (Cortex-M4, M7, M33 and larger).

use core::arch::asm;

use crate::kernels::{dot_int8, rows};

/// [`sums_int8`](crate::kernels::sums_int8), four rows at a time.
pub fn sums_int8(weights: &[i8], columns: usize, x: &[i8], sums: &mut [i32]) -> bool {
    let columns = if x.len() < columns { return false } else { columns };
    let done = columns & !3;
    let rest = x.get(done..columns).unwrap_or(&[]);
    let mut sums = sums.iter_mut();
    let mut left = weights;
    while sums.len() >= 4 {
        let Some((four, after)) = left.split_at_checked(4 * columns) else { break };
        left = after;
        for ((sum, found), row) in
            sums.by_ref().take(4).zip(four_sums(four, columns, x)).zip(rows(four, columns))
        {
            let row = row.get(done..).unwrap_or(&[]);
            *sum =
                row.iter().zip(rest).fold(found, |sum, (w, x)| sum + i32::from(*w) * i32::from(*x));
        }
    }
    for (sum, row) in sums.zip(rows(left, columns)) {
        *sum = dot_int8(row, x);
    }
    true
}

pub const fn sums_int4(_: &[u8], _: &[u8], _: usize, _: &[i8], _: &mut [i32]) -> bool {
    false
}

/// Four columns of four rows: a word of inputs and one of each row, whose bytes are widened two by two
/// into halves of words (bytes 0 and 2, bytes 1 and 3), and multiplied and added two by two.
macro_rules! four_columns {
    () => {
        concat!(
            "ldr {even}, [{x}], #4\n",
            "sxtb16 {odd}, {even}, ror #8\n",
            "sxtb16 {even}, {even}\n",
            four_columns!("ldr {w}, [{p}, {stride}, lsl #1]", "{c}"),
            four_columns!("ldr {w}, [{p}], #4", "{a}"),
            four_columns!("ldr {w}, [{q}, {stride}, lsl #1]", "{d}"),
            four_columns!("ldr {w}, [{q}], #4", "{b}"),
        )
    };
    ($load:literal, $sum:literal) => {
        concat!(
            $load,
            "\n",
            "sxtb16 {t}, {w}, ror #8\n",
            "sxtb16 {w}, {w}\n",
            "smlad ",
            $sum,
            ", {t}, {odd}, ",
            $sum,
            "\n",
            "smlad ",
            $sum,
            ", {w}, {even}, ",
            $sum,
            "\n",
        )
    };
}

/// The sums of products of the first `columns / 4 · 4` columns of four neighbouring rows of `columns`
/// weights with `x`: 23 instructions for 16 products.
///
/// `weights` are at least four rows, and `x` at least one.
pub fn four_sums(weights: &[i8], columns: usize, x: &[i8]) -> [i32; 4] {
    let [mut a, mut b, mut c, mut d] = [0i32; 4];
    let fours = columns / 4;
    if fours == 0 || x.len() < columns || weights.len() / 4 < columns {
        return [0; 4];
    }
    // SAFETY: the loads are of `4·fours` bytes, no more than `columns`, from the start of `x` and of each
    // of the four rows, all of which the slices have, as was just checked. ARMv7-M and ARMv8-M Mainline
    // load words from any address. Nothing is written.
    unsafe {
        asm!(
            "subs {n}, {n}, #4",
            "blt 3f",
            "2:",
            four_columns!(),
            four_columns!(),
            four_columns!(),
            four_columns!(),
            "subs {n}, {n}, #4",
            "bge 2b",
            "3:",
            "adds {n}, {n}, #4",
            "beq 5f",
            "4:",
            four_columns!(),
            "subs {n}, {n}, #1",
            "bne 4b",
            "5:",
            p = inout(reg) weights.as_ptr() => _,
            q = inout(reg) weights.as_ptr().wrapping_add(columns) => _,
            x = inout(reg) x.as_ptr() => _,
            n = inout(reg) fours => _,
            stride = in(reg) columns,
            a = inout(reg) a,
            b = inout(reg) b,
            c = inout(reg) c,
            d = inout(reg) d,
            even = out(reg) _,
            odd = out(reg) _,
            w = out(reg) _,
            t = out(reg) _,
            options(nostack, readonly),
        );
    }
    [a, b, c, d]
}

//! Integer matrix products for RISC-V processors with the M extension (`riscv32im`).

use core::arch::asm;

use crate::kernels::dot_quants::dot_int8;
use crate::kernels::rows::rows;

/// Multiplies one column of four rows by an input and adds the products to the sums.
macro_rules! column {
    ($index:literal) => {
        concat!(
            concat!("lb t1, ", $index, "({x})\n"),
            column!($index, "{a}", "t2"),
            column!($index, "{b}", "t3"),
            column!($index, "{c}", "t4"),
            column!($index, "{d}", "t5"),
        )
    };
    ($index:literal, $row:literal, $sum:literal) => {
        concat!(
            concat!("lb t0, ", $index, "(", $row, ")\n"),
            "mul t0, t0, t1\n",
            concat!("add ", $sum, ", ", $sum, ", t0\n"),
        )
    };
}

/// Computes [`sums_int8`](crate::kernels::sums_int8) for four rows at a time, with 111 instructions per 32 products.
///
/// Returns `false` if `x` is shorter than a row.
pub fn sums_int8(weights: &[i8], cols: usize, x: &[i8], sums: &mut [i32]) -> bool {
    let count = rows(weights, cols).len().min(sums.len());
    let Some(sums) = sums.get_mut(..count).filter(|_| x.len() >= cols) else { return false };
    let mut fours = sums.chunks_exact_mut(4);
    for (four, start) in (&mut fours).zip((0..).step_by(cols.saturating_mul(4))) {
        let row = |index: usize| weights.as_ptr().wrapping_add(start + index * cols);
        if let [a, b, c, d] = four {
            // SAFETY: the code loads `cols` bytes of `x` and of four of the `count` rows of `weights`, which are
            // in bounds.
            unsafe {
                asm!(
                    "addi t6, {x}, 8",
                    "bgtu t6, {end}, 3f",
                    "2:",
                    column!(0),
                    column!(1),
                    column!(2),
                    column!(3),
                    column!(4),
                    column!(5),
                    column!(6),
                    column!(7),
                    "addi {x}, {x}, 8",
                    "addi {a}, {a}, 8",
                    "addi {b}, {b}, 8",
                    "addi {c}, {c}, 8",
                    "addi {d}, {d}, 8",
                    "addi t6, t6, 8",
                    "bleu t6, {end}, 2b",
                    "3:",
                    "beq {x}, {end}, 5f",
                    "4:",
                    column!(0),
                    "addi {x}, {x}, 1",
                    "addi {a}, {a}, 1",
                    "addi {b}, {b}, 1",
                    "addi {c}, {c}, 1",
                    "addi {d}, {d}, 1",
                    "bne {x}, {end}, 4b",
                    "5:",
                    x = inout(reg) x.as_ptr() => _,
                    end = in(reg) x.as_ptr().wrapping_add(cols),
                    a = inout(reg) row(0) => _,
                    b = inout(reg) row(1) => _,
                    c = inout(reg) row(2) => _,
                    d = inout(reg) row(3) => _,
                    out("t0") _,
                    out("t1") _,
                    inout("t2") 0 => *a,
                    inout("t3") 0 => *b,
                    inout("t4") 0 => *c,
                    inout("t5") 0 => *d,
                    out("t6") _,
                    options(nostack, readonly),
                );
            }
        }
    }
    let done = count & !3;
    for (sum, row) in fours.into_remainder().iter_mut().zip(rows(weights, cols).skip(done)) {
        *sum = dot_int8(row, x);
    }
    true
}

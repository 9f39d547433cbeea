//! The single-precision FPU of Cortex-M4F, M7 and M33.

use core::arch::asm;

use crate::kernels::dot::dot;
use crate::kernels::inputs::Inputs;
use crate::kernels::rows::{rows, rows_mut};
use crate::kernels::stored::{F32, StoredSlice};
use crate::num::invariant::slice;

/// Independent partial sums, as in [`dot`].
const LANES: usize = 8;

/// Puts (or adds, with `add`) every row's [`dot`] with every input into its place; whether it did.
pub fn each_dot(
    weights: Option<StoredSlice<'_>>,
    cols: usize,
    inputs: &Inputs<'_>,
    outputs: &mut [f32],
    outs: usize,
    add: bool,
) -> bool {
    let Some(StoredSlice::F32(weights)) = weights else { return false };
    if inputs.width.checked_sub(inputs.skip) != Some(cols) {
        return false;
    }
    for (x, y) in inputs.iter().zip(rows_mut(outputs, outs)) {
        let done = dots_of_two(weights, cols, x, y, add);
        let rows = rows(weights, cols).skip(done);
        for (y, row) in y.iter_mut().skip(done).zip(rows) {
            let value = dot::<F32>(row, x);
            *y = if add { *y + value } else { value };
        }
    }
    true
}

static NOTHING: [f32; 2 * LANES] = [0.0; 2 * LANES];

/// The products of one column of two rows with an input, each in a sum of its own.
macro_rules! first_products {
    ($bytes:literal, $first:literal, $second:literal) => {
        concat!(
            concat!("vldr s16, [r2, #", $bytes, "]\n"),
            concat!("vldr s24, [r0, #", $bytes, "]\n"),
            concat!("vmla.f32 ", $first, ", s16, s24\n"),
            concat!("vldr s25, [r1, #", $bytes, "]\n"),
            concat!("vmla.f32 ", $second, ", s16, s25\n"),
        )
    };
}

/// From where the program counter is read to the first of them: 16 bytes of instructions, of which it is four
/// ahead; and the bit that says Thumb.
const BEFORE_FIRST: usize = 16 - 4 + 1;
/// Bytes of what that makes, and of what is left out if there are no such columns.
const FIRST_BYTES: usize = 20;
const NO_FIRST_BYTES: usize = 7 * FIRST_BYTES + 12;

/// Puts (or adds, with `add`) the [`dot`]s of rows with an input into their places, two neighboring rows at
/// a time, in the partial sums and the order of `dot`: the first `columns % 8` products, then 20
/// instructions for 16 products. Gives the number of rows that are done.
#[inline(never)]
fn dots_of_two(weights: &[f32], cols: usize, x: &[f32], y: &mut [f32], add: bool) -> usize {
    let pairs = rows(weights, cols).len().min(y.len()) / 2;
    if pairs == 0 || x.len() < cols {
        return 0;
    }
    let (blocks, odd) = (cols / LANES, cols % LANES);
    let jump = if odd == 0 { NO_FIRST_BYTES } else { (LANES - 1 - odd) * FIRST_BYTES };
    // SAFETY: `pairs` times, loads of `columns` elements of `x` and of each of two rows, all of which the
    // slices have, as was just checked; loads and stores of two elements of `y`; loads of the zeros. The
    // jump is to one of the groups of instructions that begin at 6, each `FIRST_BYTES` long, or to what
    // follows the three additions behind them. The stack is restored.
    unsafe {
        asm!(
            "push {{r4}}",
            // Gives the address four bytes on, whatever the alignment.
            "mov r5, pc",
            "add.w r8, r8, r5",
            "1:",
            "vldmia r12, {{s0-s15}}",
            "add.w r1, r0, r10",
            "bx r8",
            // The first products, from the last of them to column 0.
            "6:",
            first_products!("24", "s6", "s14"),
            first_products!("20", "s5", "s13"),
            first_products!("16", "s4", "s12"),
            first_products!("12", "s3", "s11"),
            first_products!("8", "s2", "s10"),
            first_products!("4", "s1", "s9"),
            first_products!("0", "s0", "s8"),
            "add.w r0, r0, r11",
            "add.w r1, r1, r11",
            "add.w r2, r2, r11",
            "movs r4, r9",
            "beq 3f",
            "2:",
            "vldmia r2!, {{s16-s23}}",
            "vldmia r0!, {{s24-s31}}",
            "vmla.f32 s0, s16, s24",
            "vmla.f32 s1, s17, s25",
            "vmla.f32 s2, s18, s26",
            "vmla.f32 s3, s19, s27",
            "vmla.f32 s4, s20, s28",
            "vmla.f32 s5, s21, s29",
            "vmla.f32 s6, s22, s30",
            "vmla.f32 s7, s23, s31",
            "vldmia r1!, {{s24-s31}}",
            "vmla.f32 s8, s16, s24",
            "vmla.f32 s9, s17, s25",
            "vmla.f32 s10, s18, s26",
            "vmla.f32 s11, s19, s27",
            "vmla.f32 s12, s20, s28",
            "vmla.f32 s13, s21, s29",
            "vmla.f32 s14, s22, s30",
            "vmla.f32 s15, s23, s31",
            "subs r4, r4, #1",
            "bne 2b",
            "3:",
            "vadd.f32 s0, s0, s1",
            "vadd.f32 s8, s8, s9",
            "vadd.f32 s0, s0, s2",
            "vadd.f32 s8, s8, s10",
            "vadd.f32 s0, s0, s3",
            "vadd.f32 s8, s8, s11",
            "vadd.f32 s0, s0, s4",
            "vadd.f32 s8, s8, s12",
            "vadd.f32 s0, s0, s5",
            "vadd.f32 s8, s8, s13",
            "vadd.f32 s0, s0, s6",
            "vadd.f32 s8, s8, s14",
            "vadd.f32 s0, s0, s7",
            "vadd.f32 s1, s8, s15",
            "ldr r5, [sp]",
            "cbz r5, 4f",
            "vldmia r3, {{s2-s3}}",
            "vadd.f32 s0, s2, s0",
            "vadd.f32 s1, s3, s1",
            "4:",
            "vstmia r3!, {{s0-s1}}",
            // Back to the first input, and on to the third row.
            "mov r0, r1",
            "sub r2, r2, r10",
            "subs lr, lr, #1",
            "bne 1b",
            "pop {{r4}}",
            inout("r0") weights.as_ptr() => _,
            out("r1") _,
            inout("r2") x.as_ptr() => _,
            inout("r3") y.as_mut_ptr() => _,
            inout("r4") u32::from(add) => _,
            out("r5") _,
            inout("r8") BEFORE_FIRST + jump => _,
            in("r9") blocks,
            in("r10") cols.wrapping_mul(4),
            in("r11") odd.wrapping_mul(4),
            in("r12") NOTHING.as_ptr(),
            inout("lr") pairs => _,
            out("s0") _, out("s1") _, out("s2") _, out("s3") _,
            out("s4") _, out("s5") _, out("s6") _, out("s7") _,
            out("s8") _, out("s9") _, out("s10") _, out("s11") _,
            out("s12") _, out("s13") _, out("s14") _, out("s15") _,
            out("s16") _, out("s17") _, out("s18") _, out("s19") _,
            out("s20") _, out("s21") _, out("s22") _, out("s23") _,
            out("s24") _, out("s25") _, out("s26") _, out("s27") _,
            out("s28") _, out("s29") _, out("s30") _, out("s31") _,
        );
    }
    2 * pairs
}

/// `y += Σ_m factors[m]·matrix[m]` in the order of `m`, as
/// [`add_weighted_rows`](crate::kernels::add_weighted_rows) does; whether it did.
pub fn add_rows(factors: &[f32], matrix: Option<StoredSlice<'_>>, y: &mut [f32]) -> bool {
    let Some(StoredSlice::F32(matrix)) = matrix else { return false };
    let width = y.len();
    let count = rows(matrix, width).len().min(factors.len());
    if count == 0 {
        return true;
    }
    for (start, y) in (0..).step_by(LANES).zip(y.chunks_mut(LANES)) {
        if y.len() < LANES {
            for (factor, row) in factors.iter().zip(rows(matrix, width)) {
                for (y, x) in y.iter_mut().zip(slice(row, start..)) {
                    *y += factor * x;
                }
            }
            break;
        }
        // SAFETY: loads of the eight elements of `y`, of the first `count` factors, and of eight
        // elements from `start` on of the first `count` rows of `matrix`, which has as many; stores to
        // the elements of `y`.
        unsafe {
            asm!(
                "vldmia {y}, {{s0-s7}}",
                "2:",
                "vldmia {factors}!, {{s8}}",
                "vldmia {row}, {{s16-s23}}",
                "vmla.f32 s0, s8, s16",
                "vmla.f32 s1, s8, s17",
                "vmla.f32 s2, s8, s18",
                "vmla.f32 s3, s8, s19",
                "vmla.f32 s4, s8, s20",
                "vmla.f32 s5, s8, s21",
                "vmla.f32 s6, s8, s22",
                "vmla.f32 s7, s8, s23",
                "add {row}, {row}, {stride}",
                "subs {count}, {count}, #1",
                "bne 2b",
                "vstmia {y}, {{s0-s7}}",
                y = in(reg) y.as_mut_ptr(),
                factors = inout(reg) factors.as_ptr() => _,
                row = inout(reg) matrix.as_ptr().wrapping_add(start) => _,
                stride = in(reg) width.wrapping_mul(4),
                count = inout(reg) count => _,
                out("s0") _, out("s1") _, out("s2") _, out("s3") _,
                out("s4") _, out("s5") _, out("s6") _, out("s7") _, out("s8") _,
                out("s16") _, out("s17") _, out("s18") _, out("s19") _,
                out("s20") _, out("s21") _, out("s22") _, out("s23") _,
                options(nostack),
            );
        }
    }
    true
}

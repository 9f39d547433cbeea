//! Floating-point kernels for the single-precision FPU of the Cortex-M4F, M7 and M33.

use core::arch::asm;

use crate::kernels::dot::dot;
use crate::kernels::inputs::Inputs;
use crate::kernels::rows::{rows, rows_mut};
use crate::kernels::stored::{F32, StoredSlice};
use crate::num::invariant::slice;

/// Number of partial sums, the same as in [`dot`].
const LANES: usize = 8;

/// Computes the [`dot`] of every row with every input and stores it, or adds it to the output if `add`.
///
/// Returns `false`, without computing anything, for weights other than `f32` or inputs of another width.
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
        let done = dots_of_row_pairs(weights, cols, x, y, add);
        let rows = rows(weights, cols).skip(done);
        for (y, row) in y.iter_mut().skip(done).zip(rows) {
            let value = dot::<F32>(row, x);
            *y = if add { *y + value } else { value };
        }
    }
    true
}

/// Loaded to clear the registers of the partial sums.
static ZEROS: [f32; 2 * LANES] = [0.0; 2 * LANES];

/// Multiplies one column of two rows with an input and adds each product to its own sum.
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

/// Offset from the program counter read below to the first `first_products!`: 16 bytes of instructions, minus four
/// because the program counter reads four bytes ahead, plus the Thumb bit.
const BEFORE_FIRST: usize = 16 - 4 + 1;
/// Number of bytes of one `first_products!`.
const FIRST_BYTES: usize = 20;
/// Number of bytes to skip if there are no odd columns: all `first_products!` and the three additions after them.
const NO_FIRST_BYTES: usize = 7 * FIRST_BYTES + 12;

/// Computes the [`dot`]s of rows with an input, two rows at a time, and stores them, or adds them if `add`.
///
/// Partial sums and order are those of `dot`: first the leading `cols % 8` products, then eight columns at a time
/// with 20 instructions per 16 products. Returns the number of rows computed.
#[inline(never)]
fn dots_of_row_pairs(weights: &[f32], cols: usize, x: &[f32], y: &mut [f32], add: bool) -> usize {
    let pairs = rows(weights, cols).len().min(y.len()) / 2;
    if pairs == 0 || x.len() < cols {
        return 0;
    }
    let (blocks, odd) = (cols / LANES, cols % LANES);
    let jump = if odd == 0 { NO_FIRST_BYTES } else { (LANES - 1 - odd) * FIRST_BYTES };
    // SAFETY: the code loads `cols` elements of `x` and the first `2·pairs` rows of `weights`, loads and stores
    // the first `2·pairs` elements of `y`, and loads `ZEROS`; all are in bounds, as was just checked. The jump
    // goes to one of the groups of instructions from label 6 on, each `FIRST_BYTES` long, or past the three
    // additions that follow them. The stack is restored.
    unsafe {
        asm!(
            "push {{r4}}",
            // Reads the address four bytes ahead, whatever the alignment.
            "mov r5, pc",
            "add.w r8, r8, r5",
            "1:",
            "vldmia r12, {{s0-s15}}",
            "add.w r1, r0, r10",
            "bx r8",
            // The first products, from the last column to column 0.
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
            // Return to the first input and advance by two rows.
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
            in("r12") ZEROS.as_ptr(),
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

/// Computes `y += Σ_m factors[m]·matrix[m]` in the order of `m`, as
/// [`add_weighted_rows`](crate::kernels::add_weighted_rows) does.
///
/// Returns `false`, without computing anything, for a matrix of another format.
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
        // SAFETY: the code loads and stores the eight elements of `y`, and loads the first `count` factors and
        // eight elements from column `start` on of the first `count` rows of `matrix`; all are in bounds.
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

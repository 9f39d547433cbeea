//! Kernels for Arm's M-profile vector extension (Cortex-M52, M55, M85), where the compiler vectorizes poorly.

use core::arch::asm;

use crate::kernels::dot_quants::dot_int8;
use crate::kernels::rows::rows;

/// Requantizes sums, four outputs at a time, and returns the number of outputs computed.
///
/// Computes `y ← ⌊⌊sum·2^left·m / 2^32⌋ / 2^right⌉`, or adds it to `y` with saturation if `add`. `m` and `right` are
/// those of [`RowScales`](crate::num::RowScales) for the scale of the row; `right` must be in `0..=31` for every
/// row.
pub fn requantize(
    (mantissa, left, right): (u32, u32, i32),
    sums: &[i32],
    rows: &[f32],
    outputs: &mut [i32],
    add: bool,
) -> usize {
    let fours = sums.len().min(rows.len()).min(outputs.len()) / 4;
    if fours == 0 {
        return 0;
    }
    // SAFETY: the code loads `4·fours` words of each slice, and stores as many outputs; all are in bounds and
    // aligned for words.
    unsafe {
        asm!(
            "vdup.32 q4, {mantissa}",
            "2:",
            "vldrw.u32 q0, [{rows}], #16",
            "vshr.u32 q1, q0, #23",
            "vshl.i32 q0, q0, #8",
            "vorr.i32 q0, #0x80000000",
            // The upper half of the product of the mantissas, truncated to 31 digits; q2 is 1 if it had 32.
            "vmulh.u32 q0, q0, q4",
            "vshr.u32 q2, q0, #31",
            "vneg.s32 q3, q2",
            "vshl.u32 q0, q0, q3",
            // −(right + 1): the shift rounds the last digit.
            "vadd.i32 q1, q1, q2",
            "vadd.i32 q1, q1, {base}",
            "vldrw.u32 q2, [{sums}], #16",
            "vshl.s32 q2, {left}",
            "vmulh.s32 q2, q2, q0",
            "vrshl.s32 q2, q2, q1",
            "cmp {add}, #0",
            "beq 3f",
            "vldrw.u32 q3, [{outputs}]",
            "vqadd.s32 q2, q2, q3",
            "3:",
            "vstrw.32 q2, [{outputs}], #16",
            "subs {count}, {count}, #1",
            "bne 2b",
            mantissa = in(reg) mantissa,
            left = in(reg) left,
            base = in(reg) right.wrapping_add(1).wrapping_neg(),
            add = in(reg) u32::from(add),
            sums = inout(reg) sums.as_ptr() => _,
            rows = inout(reg) rows.as_ptr() => _,
            outputs = inout(reg) outputs.as_mut_ptr() => _,
            count = inout(reg) fours => _,
            out("d0") _,
            out("d1") _,
            out("d2") _,
            out("d3") _,
            out("d4") _,
            out("d5") _,
            out("d6") _,
            out("d7") _,
            out("d8") _,
            out("d9") _,
            options(nostack),
        );
    }
    4 * fours
}

/// [`sums_int8`](crate::kernels::sums_int8), four rows at a time.
///
/// Returns `false` if `x` is shorter than a row.
pub fn sums_int8(weights: &[i8], cols: usize, x: &[i8], sums: &mut [i32]) -> bool {
    let count = rows(weights, cols).len().min(sums.len());
    let Some(sums) = sums.get_mut(..count).filter(|_| x.len() >= cols) else { return false };
    let (mut row, step) = (weights.as_ptr(), cols.wrapping_mul(4));
    let mut fours = sums.chunks_exact_mut(4);
    for four in &mut fours {
        if let [a, b, c, d] = four {
            // SAFETY: the code loads `cols` bytes of `x` and of four of the `count` rows of `weights`, which
            // are in bounds; the tail-predicated loop reads nothing beyond them.
            unsafe {
                asm!(
                    "dlstp.8 lr, {n}",
                    "2:",
                    "vldrb.u8 q0, [{x}], #16",
                    "vldrb.u8 q1, [{p}], #16",
                    "vmladava.s8 r4, q0, q1",
                    "vldrb.u8 q1, [{q}], #16",
                    "vmladava.s8 r8, q0, q1",
                    "vldrb.u8 q1, [{r}], #16",
                    "vmladava.s8 r10, q0, q1",
                    "vldrb.u8 q1, [{s}], #16",
                    "vmladava.s8 r12, q0, q1",
                    "letp lr, 2b",
                    n = in(reg) cols,
                    x = inout(reg) x.as_ptr() => _,
                    p = inout(reg) row => _,
                    q = inout(reg) row.wrapping_add(cols) => _,
                    r = inout(reg) row.wrapping_add(cols.wrapping_mul(2)) => _,
                    s = inout(reg) row.wrapping_add(cols.wrapping_mul(3)) => _,
                    inout("r4") 0 => *a,
                    inout("r8") 0 => *b,
                    inout("r10") 0 => *c,
                    inout("r12") 0 => *d,
                    out("lr") _,
                    out("d0") _,
                    out("d1") _,
                    out("d2") _,
                    out("d3") _,
                    options(nostack, readonly),
                );
            }
        }
        row = row.wrapping_add(step);
    }
    let done = count & !3;
    for (sum, row) in fours.into_remainder().iter_mut().zip(rows(weights, cols).skip(done)) {
        *sum = dot_int8(row, x);
    }
    true
}

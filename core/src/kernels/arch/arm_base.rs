//! Kernels for Arm M-profile processors from the Cortex-M3 on, with sign-extending loads and multiply-accumulate.

use core::arch::asm;

use crate::kernels::rows::rows;

/// Computes `y += Σ_m weights[m]·matrix[m]` for rows of 8-bit integers of the width of `y`.
///
/// Computes eight columns at a time, with 20 instructions per 8 products, and returns the number of columns
/// computed: the largest multiple of eight.
pub fn add_weighted(weights: &[i32], matrix: &[i8], y: &mut [i32]) -> usize {
    let width = y.len();
    let count = rows(matrix, width).len().min(weights.len());
    let done = width & !7;
    if count == 0 {
        return done;
    }
    for (start, y) in (0..).step_by(8).zip(y.chunks_exact_mut(8)) {
        // SAFETY: the code loads and stores the eight elements of `y`, and loads the first `count` weights and
        // eight elements from column `start` on of the first `count` rows of `matrix`; all are in bounds. It
        // restores the stack and r6 and r7, which cannot be operands.
        unsafe {
            asm!(
                "push {{r6, r7}}",
                "push {{r3}}",
                "ldm r3, {{r3, r4, r5, r6, r7, r8, r9, r10}}",
                "2:",
                "ldr r11, [r0], #4",
                "ldrsb r12, [r1]",
                "mla r3, r12, r11, r3",
                "ldrsb r12, [r1, #1]",
                "mla r4, r12, r11, r4",
                "ldrsb r12, [r1, #2]",
                "mla r5, r12, r11, r5",
                "ldrsb r12, [r1, #3]",
                "mla r6, r12, r11, r6",
                "ldrsb r12, [r1, #4]",
                "mla r7, r12, r11, r7",
                "ldrsb r12, [r1, #5]",
                "mla r8, r12, r11, r8",
                "ldrsb r12, [r1, #6]",
                "mla r9, r12, r11, r9",
                "ldrsb r12, [r1, #7]",
                "mla r10, r12, r11, r10",
                "add r1, r1, lr",
                "subs r2, r2, #1",
                "bne 2b",
                "pop {{r12}}",
                "stm r12, {{r3, r4, r5, r6, r7, r8, r9, r10}}",
                "pop {{r6, r7}}",
                inout("r0") weights.as_ptr() => _,
                inout("r1") matrix.as_ptr().wrapping_add(start) => _,
                inout("r2") count => _,
                inout("r3") y.as_mut_ptr() => _,
                inout("lr") width => _,
                out("r4") _,
                out("r5") _,
                out("r8") _,
                out("r9") _,
                out("r10") _,
                out("r11") _,
                out("r12") _,
            );
        }
    }
    done
}

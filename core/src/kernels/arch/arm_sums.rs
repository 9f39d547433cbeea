//! Integer matrix products for Arm M-profile processors without the DSP extension (Cortex-M3, some M33).

use core::arch::asm;

use crate::kernels::dot_quants::dot_int8;
use crate::kernels::rows::rows;

/// Multiplies and adds one column of four rows. r10 holds the input, r11 and r12 are scratch; the rows are at r0,
/// r4 = r0 + r1, r0 + 2·r1 and r4 + 2·r1.
macro_rules! column {
    () => {
        concat!(
            "ldrsb r10, [r2], #1\n",
            "ldrsb r11, [r0, r1, lsl #1]\n",
            "ldrsb r12, [r0], #1\n",
            "mla r8, r11, r10, r8\n",
            "mla r6, r12, r10, r6\n",
            "ldrsb r11, [r4, r1, lsl #1]\n",
            "ldrsb r12, [r4], #1\n",
            "mla r9, r11, r10, r9\n",
            "mla r7, r12, r10, r7\n",
        )
    };
}

/// [`sums_int8`](crate::kernels::sums_int8), four rows at a time, with 9 instructions per 4 products.
///
/// Returns `false` if `x` is shorter than a row.
pub fn sums_int8(weights: &[i8], cols: usize, x: &[i8], sums: &mut [i32]) -> bool {
    let count = rows(weights, cols).len().min(sums.len());
    let Some(sums) = sums.get_mut(..count).filter(|_| x.len() >= cols) else { return false };
    let done = count & !3;
    if done > 0 {
        // SAFETY: the code loads the first `cols` bytes of `x` and the first `done` rows of `weights`, `cols`
        // bytes each, and stores the first `done` sums; all are in bounds. It restores the stack and r6 and r7,
        // which cannot be operands.
        unsafe {
            asm!(
                "push {{r6, r7, lr}}",
                "1:",
                "movs r6, #0",
                "mov r7, r6",
                "mov r8, r6",
                "mov r9, r6",
                "add r4, r0, r1",
                "subs r5, r1, #8",
                "blt 3f",
                "2:",
                column!(),
                column!(),
                column!(),
                column!(),
                column!(),
                column!(),
                column!(),
                column!(),
                "subs r5, r5, #8",
                "bge 2b",
                "3:",
                "adds r5, r5, #8",
                "beq 5f",
                "4:",
                column!(),
                "subs r5, r5, #1",
                "bne 4b",
                "5:",
                "stm r3!, {{r6, r7, r8, r9}}",
                // Return to the first input and advance by four rows.
                "sub r2, r2, r1",
                "add r0, r0, r1",
                "add r0, r0, r1, lsl #1",
                "ldr r5, [sp, #8]",
                "subs r5, r5, #1",
                "str r5, [sp, #8]",
                "bne 1b",
                "pop {{r6, r7, lr}}",
                inout("r0") weights.as_ptr() => _,
                in("r1") cols,
                inout("r2") x.as_ptr() => _,
                inout("r3") sums.as_mut_ptr() => _,
                inout("lr") done / 4 => _,
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
    for (sum, row) in sums.iter_mut().zip(rows(weights, cols)).skip(done) {
        *sum = dot_int8(row, x);
    }
    true
}

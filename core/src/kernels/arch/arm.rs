//! Integer matrix products for Arm M-profile processors with the DSP extension (Cortex-M4, M7, M33).

use core::arch::asm;
use core::mem::MaybeUninit;

use crate::kernels::dot_quants::dot_int8;
use crate::kernels::rows::rows;
use crate::num::invariant::slice;

/// Number of inputs that are widened at a time, into a buffer on the stack.
const COLUMNS: usize = 256;

/// [`sums_int8`](crate::kernels::sums_int8), four rows at a time.
///
/// Returns `false` if `x` is shorter than a row.
pub fn sums_int8(weights: &[i8], cols: usize, x: &[i8], sums: &mut [i32]) -> bool {
    let count = rows(weights, cols).len().min(sums.len());
    let Some(sums) = sums.get_mut(..count).filter(|_| x.len() >= cols) else { return false };
    // The last word of a row may extend into the next row, where it is multiplied by zero inputs. The last row
    // is excluded if its last word would extend past the slice.
    let overhang = cols.next_multiple_of(4) - cols;
    let safe = if count.saturating_mul(cols).saturating_add(overhang) > weights.len() {
        count.saturating_sub(1)
    } else {
        count
    };
    let Some((fours, rest)) = sums.split_at_mut_checked(safe & !3) else { return false };
    let mut words = [const { MaybeUninit::<[u32; 2]>::uninit() }; COLUMNS / 4];
    let mut start = 0;
    while start < cols && !fours.is_empty() {
        let end = cols.min(start + COLUMNS);
        let quads = slice(x, start..end).chunks_exact(4);
        let (odd, mut count) = (quads.remainder(), quads.len());
        for (word, quad) in words.iter_mut().zip(quads) {
            if let [a, b, c, d] = *quad {
                word.write(widened([a as u8, b as u8, c as u8, d as u8]));
            }
        }
        if let Some(word) = words.get_mut(count).filter(|_| !odd.is_empty()) {
            let mut quad = [0u8; 4];
            for (place, x) in quad.iter_mut().zip(odd) {
                *place = *x as u8;
            }
            word.write(widened(quad));
            count += 1;
        }
        // SAFETY: the first `count` elements were just written.
        let words = unsafe { core::slice::from_raw_parts(words.as_ptr().cast(), count) };
        four_columns(weights, cols, start, words, fours);
        start = end;
    }
    let done = fours.len();
    for (sum, row) in rest.iter_mut().zip(rows(weights, cols).skip(done)) {
        *sum = dot_int8(row, x);
    }
    true
}

/// Sign-extends the even bytes (0 and 2) and the odd bytes (1 and 3) of a word to 16 bits each.
#[inline(always)]
fn widened(x: [u8; 4]) -> [u32; 2] {
    let x = u32::from_le_bytes(x);
    let (even, odd);
    // SAFETY: the code accesses registers only.
    unsafe {
        asm!(
            "sxtb16 {even}, {x}",
            "sxtb16 {odd}, {x}, ror #8",
            x = in(reg) x,
            even = out(reg) even,
            odd = lateout(reg) odd,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    [even, odd]
}

/// Multiplies and adds four columns of four rows. r10 and r11 hold the widened inputs, r12 and lr are scratch; the
/// rows are at r0, r4 = r0 + r1, r0 + 2·r1 and r4 + 2·r1. The weights are widened and multiplied in pairs.
macro_rules! four_columns {
    () => {
        concat!(
            "ldrd r10, r11, [r2], #8\n",
            four_columns!("ldr r12, [r0, r1, lsl #1]", "r8"),
            four_columns!("ldr r12, [r0], #4", "r6"),
            four_columns!("ldr r12, [r4, r1, lsl #1]", "r9"),
            four_columns!("ldr r12, [r4], #4", "r7"),
        )
    };
    ($load:literal, $sum:literal) => {
        concat!(
            $load,
            "\n",
            "sxtb16 lr, r12, ror #8\n",
            "sxtb16 r12, r12\n",
            concat!("smlad ", $sum, ", lr, r11, ", $sum, "\n"),
            concat!("smlad ", $sum, ", r12, r10, ", $sum, "\n"),
        )
    };
}

/// Adds the products of the columns from `start` on with the widened inputs `x` to `sums`, four rows at a time.
///
/// Overwrites the sums if `start` is 0. Takes 21 instructions per 16 products.
#[inline(never)]
fn four_columns(weights: &[i8], cols: usize, start: usize, x: &[[u32; 2]], sums: &mut [i32]) {
    let (groups, quads) = (sums.len() / 4, x.len());
    let end = start.saturating_add(quads.saturating_mul(4));
    let last = groups.saturating_mul(4).saturating_sub(1).saturating_mul(cols);
    if groups == 0 || quads == 0 || last.saturating_add(end) > weights.len() {
        return;
    }
    // SAFETY: the code loads `4·quads` bytes from column `start` on of `4·groups` rows, which end inside
    // `weights` as was just checked, and all of `x`, which is aligned for words; it loads and stores the first
    // `4·groups` sums. ARMv7-M and ARMv8-M Mainline allow unaligned loads of single words. The code restores
    // the stack and r6 and r7, which cannot be operands.
    unsafe {
        asm!(
            "push {{r8}}",
            "push {{r4, r5, r6, r7}}",
            // One group of four rows.
            "1:",
            "movs r6, #0",
            "mov r7, r6",
            "mov r8, r6",
            "mov r9, r6",
            "ldr r5, [sp, #16]",
            "cbz r5, 6f",
            "ldm r3, {{r6, r7, r8, r9}}",
            "6:",
            "add r4, r0, r1",
            "ldr r5, [sp, #4]",
            "subs r5, r5, #4",
            "blt 3f",
            "2:",
            four_columns!(),
            four_columns!(),
            four_columns!(),
            four_columns!(),
            "subs r5, r5, #4",
            "bge 2b",
            "3:",
            "adds r5, r5, #4",
            "beq 5f",
            "4:",
            four_columns!(),
            "subs r5, r5, #1",
            "bne 4b",
            "5:",
            "stm r3!, {{r6, r7, r8, r9}}",
            "ldr r5, [sp, #4]",
            // Return to the first input and advance by four rows.
            "sub r2, r2, r5, lsl #3",
            "sub r0, r0, r5, lsl #2",
            "add r0, r0, r1, lsl #2",
            "ldr r5, [sp]",
            "subs r5, r5, #1",
            "str r5, [sp]",
            "bne 1b",
            "pop {{r4, r5, r6, r7}}",
            "pop {{r8}}",
            inout("r0") weights.as_ptr().add(start) => _,
            in("r1") cols,
            inout("r2") x.as_ptr() => _,
            inout("r3") sums.as_mut_ptr() => _,
            inout("r4") groups => _,
            inout("r5") quads => _,
            inout("r8") start => _,
            out("r9") _,
            out("r10") _,
            out("r11") _,
            out("r12") _,
            out("lr") _,
        );
    }
}

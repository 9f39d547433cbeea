//! The single-precision FPU of Cortex-M4F, M7 and M33.

use core::arch::asm;

use crate::kernels::{F32, Inputs, Named, dot, rows, rows_mut};

/// Independent partial sums, as in [`dot`].
const LANES: usize = 8;

/// Puts (or adds, with `add`) every row's [`dot`] with every input into its place; whether it did.
pub fn each_dot(
    weights: Option<Named<'_>>,
    columns: usize,
    inputs: &Inputs<'_>,
    outputs: &mut [f32],
    outs: usize,
    add: bool,
) -> bool {
    let Some(Named::F32(weights)) = weights else { return false };
    if inputs.width.checked_sub(inputs.skip) != Some(columns) {
        return false;
    }
    for (x, y) in inputs.iter().zip(rows_mut(outputs, outs)) {
        let put = |y: &mut f32, value| *y = if add { *y + value } else { value };
        let mut weights = weights;
        for y in y.chunks_mut(2) {
            let two = weights.split_at_checked(columns.saturating_mul(2));
            if let ([first, second], Some((two, rest))) = (&mut *y, two) {
                weights = rest;
                let (a, b) = two_dots(two, columns, x);
                put(first, a);
                put(second, b);
            } else if let (Some(y), Some(row)) = (y.first_mut(), rows(weights, columns).next()) {
                put(y, dot::<F32>(row, x));
            }
        }
    }
    true
}

/// The partial sums of two rows.
type Sums = [[f32; LANES]; 2];

static NOTHING: Sums = [[0.0; LANES]; 2];

/// The first `odd` products of two rows, each in a sum of its own.
#[inline(never)]
fn first_products(weights: &[f32], columns: usize, x: &[f32], odd: usize) -> Sums {
    let mut sums = NOTHING;
    for (sums, row) in sums.iter_mut().zip(rows(weights, columns)) {
        for ((sum, w), x) in sums.iter_mut().zip(row).zip(x).take(odd) {
            *sum += w * x;
        }
    }
    sums
}

/// The [`dot`]s of two neighbouring rows with an input, with its partial sums, in its order: 20
/// instructions for 16 products, after the first `columns % 8`. `weights` are two rows of `columns` elements, and `x` is one.
#[inline(always)]
fn two_dots(weights: &[f32], columns: usize, x: &[f32]) -> (f32, f32) {
    let (blocks, odd) = (columns / LANES, columns % LANES);
    if weights.len() / 2 < columns || x.len() < columns {
        return (0.0, 0.0);
    }
    let first;
    let sums = if odd == 0 {
        &NOTHING
    } else {
        first = first_products(weights, columns, x, odd);
        &first
    };
    let (a, b): (u32, u32);
    // SAFETY: loads of the 16 sums, and of `8·blocks` elements from `odd` on, up to `columns`, of `x` and of
    // each row, all of which the slices have, as was just checked. Nothing is written.
    unsafe {
        asm!(
            "vldmia {sums}, {{s0-s15}}",
            "cmp {blocks}, #0",
            "beq 3f",
            "2:",
            "vldmia {x}!, {{s16-s23}}",
            "vldmia {p}!, {{s24-s31}}",
            "vmla.f32 s0, s16, s24",
            "vmla.f32 s1, s17, s25",
            "vmla.f32 s2, s18, s26",
            "vmla.f32 s3, s19, s27",
            "vmla.f32 s4, s20, s28",
            "vmla.f32 s5, s21, s29",
            "vmla.f32 s6, s22, s30",
            "vmla.f32 s7, s23, s31",
            "vldmia {q}!, {{s24-s31}}",
            "vmla.f32 s8, s16, s24",
            "vmla.f32 s9, s17, s25",
            "vmla.f32 s10, s18, s26",
            "vmla.f32 s11, s19, s27",
            "vmla.f32 s12, s20, s28",
            "vmla.f32 s13, s21, s29",
            "vmla.f32 s14, s22, s30",
            "vmla.f32 s15, s23, s31",
            "subs {blocks}, {blocks}, #1",
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
            "vadd.f32 s8, s8, s15",
            "vmov {a}, s0",
            "vmov {b}, s8",
            // As bits: a register of a single-precision FPU cannot be an operand.
            a = out(reg) a,
            b = out(reg) b,
            sums = in(reg) sums.as_ptr(),
            x = inout(reg) x.as_ptr().wrapping_add(odd) => _,
            p = inout(reg) weights.as_ptr().wrapping_add(odd) => _,
            q = inout(reg) weights.as_ptr().wrapping_add(columns + odd) => _,
            blocks = inout(reg) blocks => _,
            out("s0") _, out("s1") _, out("s2") _, out("s3") _,
            out("s4") _, out("s5") _, out("s6") _, out("s7") _,
            out("s8") _, out("s9") _, out("s10") _, out("s11") _,
            out("s12") _, out("s13") _, out("s14") _, out("s15") _,
            out("s16") _, out("s17") _, out("s18") _, out("s19") _,
            out("s20") _, out("s21") _, out("s22") _, out("s23") _,
            out("s24") _, out("s25") _, out("s26") _, out("s27") _,
            out("s28") _, out("s29") _, out("s30") _, out("s31") _,
            options(nostack, readonly),
        );
    }
    (f32::from_bits(a), f32::from_bits(b))
}

/// `y += Σ_m factors[m]·matrix[m]` in the order of `m`, as
/// [`add_weighted_rows`](crate::kernels::add_weighted_rows) does; whether it did.
pub fn add_rows(factors: &[f32], matrix: Option<Named<'_>>, y: &mut [f32]) -> bool {
    let Some(Named::F32(matrix)) = matrix else { return false };
    let width = y.len();
    let count = matrix.len().checked_div(width).unwrap_or(0).min(factors.len());
    if count == 0 {
        return true;
    }
    for (start, y) in (0..).step_by(LANES).zip(y.chunks_mut(LANES)) {
        if y.len() < LANES {
            for (factor, row) in factors.iter().zip(rows(matrix, width)) {
                for (y, x) in y.iter_mut().zip(row.get(start..).unwrap_or(&[])) {
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

/// Fraction bits of the argument of [`exp2_negative`].
pub const EXPONENT_BITS: u32 = 16;

/// `2^-x` for `x ≥ 0` in multiples of `2^-16`; the result in multiples of `2^-30`.
///
/// Integers only: the whole part of `x` is a shift, the next five bits choose one of 32 powers, and
/// the last eleven are the first four terms of `e^-z`, `z < 2^-5·ln 2`. The error is below `2^-26`.
///
/// ```
/// use expe_core::num::exp2_negative;
/// assert_eq!(exp2_negative(0), 1 << 30);
/// assert_eq!(exp2_negative(3 << 16), 1 << 27);
/// ```
#[inline]
pub const fn exp2_negative(x: u32) -> u32 {
    let whole = x >> EXPONENT_BITS;
    if whole > 31 {
        return 0;
    }
    let power = table((x >> 11 & 31) as usize) as u64;
    // z in multiples of 2^-32: eleven bits of 2^-16 times ln 2.
    let z = ((x & 0x7ff) as u64 * LN_2) >> 16;
    let square = (z * z) >> 32;
    let cube = (square * z) >> 32;
    // 1 − z + z²/2 − z³/6
    let taylor = (1u64 << 32) - z + square / 2 - cube / 6;
    let product = (power * taylor) >> 33;
    // Rounded once more by the shift; half up.
    let half = if whole == 0 { 0 } else { 1u64 << (whole - 1) };
    ((product + half) >> whole) as u32
}

/// `ln 2` in multiples of `2^-32`.
const LN_2: u64 = 2_977_044_472;

/// `2^(-i/32)` in multiples of `2^-31`.
const fn table(index: usize) -> u32 {
    const POWERS: [u32; 32] = powers();
    match POWERS.split_at_checked(index) {
        Some((_, [power, ..])) => *power,
        _ => 0,
    }
}

/// Each power is the one before it times the 32nd root of a half, which is five square roots.
const fn powers() -> [u32; 32] {
    let mut root = 1u128 << 61;
    let mut halvings = 0;
    while halvings < 5 {
        // With 62 fraction bits: √(x·2^62)
        root = (root << 62).isqrt();
        halvings += 1;
    }
    let mut powers = [0; 32];
    let mut rest: &mut [u32] = &mut powers;
    let mut power = 1u128 << 62;
    while let [first, tail @ ..] = rest {
        *first = ((power + (1 << 30)) >> 31) as u32;
        power = (power * root) >> 62;
        rest = tail;
    }
    powers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_within_its_bound_everywhere_and_never_rises() {
        let mut last = u32::MAX;
        for x in 0..40u32 << EXPONENT_BITS {
            let found = exp2_negative(x);
            let exact = (-f64::from(x) / 65_536.0).exp2();
            let error = (f64::from(found) / 1_073_741_824.0 - exact).abs();
            assert!(error <= 2f64.powi(-26), "{x}: {error}");
            assert!(found <= last);
            last = found;
        }
        assert_eq!(exp2_negative(u32::MAX), 0);
    }
}

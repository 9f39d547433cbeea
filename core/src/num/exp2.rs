/// Number of fraction bits of the argument of [`exp2_minus`].
pub const EXP2_FRACTION_BITS: u32 = 16;

/// Computes `2^-x` in integers, for `x ≥ 0` in units of `2^-16`; returns it in units of `2^-30`.
///
/// The integer part of `x` is a shift, the next five bits select one of 32 powers from a table, and the last
/// eleven go into the first four terms of the series of `e^-z`, `z < 2^-5·ln 2`. The error is below `2^-26`.
///
/// ```
/// use expe_core::internals::exp2_minus;
/// assert_eq!(exp2_minus(0), 1 << 30);
/// assert_eq!(exp2_minus(3 << 16), 1 << 27);
/// ```
#[inline]
pub const fn exp2_minus(x: u32) -> u32 {
    let whole = x >> EXP2_FRACTION_BITS;
    if whole > 31 {
        return 0;
    }
    let power = table((x >> 11 & 31) as usize);
    // z in units of 2^-32: eleven bits of 2^-16 times ln 2. z, its square and its cube are below 2^27.
    let z = (((x & 0x7ff) as u64 * LN_2) >> 16) as u32;
    let square = upper(z, z);
    let cube = upper(square, z);
    // 1 − (z − z²/2 + z³/6)
    let less = z - square / 2 + cube / 6;
    let product = ((((power as u64) << 32) - power as u64 * less as u64) >> 33) as u32;
    // The shift rounds half up.
    (product + (1 << whole >> 1)) >> whole
}

/// Returns the upper half of a product.
const fn upper(a: u32, b: u32) -> u32 {
    ((a as u64 * b as u64) >> 32) as u32
}

/// `ln 2` in units of `2^-32`.
const LN_2: u64 = 2_977_044_472;

/// Returns `2^(-i/32)` in units of `2^-31`.
const fn table(index: usize) -> u32 {
    const POWERS: [u32; 32] = powers();
    match POWERS.split_at_checked(index) {
        Some((_, [power, ..])) => *power,
        _ => 0,
    }
}

/// Computes the powers: each is the previous one times `(1/2)^(1/32)`, which takes five square roots.
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
    fn error_is_below_its_bound_and_the_result_never_rises() {
        let mut last = u32::MAX;
        for x in 0..40u32 << EXP2_FRACTION_BITS {
            let found = exp2_minus(x);
            let exact = (-f64::from(x) / 65_536.0).exp2();
            let error = (f64::from(found) / 1_073_741_824.0 - exact).abs();
            assert!(error <= 2f64.powi(-26), "{x}: {error}");
            assert!(found <= last);
            last = found;
        }
        assert_eq!(exp2_minus(u32::MAX), 0);
    }
}

//! Square roots and quotients of mantissas without 64-bit division, which takes hundreds of instructions on
//! microcontrollers.

/// Returns `⌊√x⌋` for `x` in `2^60..2^62`.
///
/// Computes the upper half of the digits one by one and the lower half by a division (Zimmermann, Karatsuba
/// Square Root). Unlike `u64::isqrt` it needs no table, which would take half a kilobyte.
pub const fn square_root(x: u64) -> u32 {
    let (mut rest, mut root, mut digit) = ((x >> 32) as u32, 0u32, 1 << 28);
    while digit > 0 {
        let more = root | digit;
        root >>= 1;
        if more <= rest {
            rest = rest.wrapping_sub(more);
            root |= digit;
        }
        digit >>= 2;
    }
    // The bit is already set; setting it again tells the compiler that the divisor is not zero.
    let (upper, twice) = (root, root << 1 | 1 << 15);
    // Below 2^32 because the remainder is at most twice the root.
    let next = rest << 16 | (x as u32 >> 16);
    let (mut lower, rest) = (next / twice, next % twice);
    let mut rest = ((rest as u64) << 16 | (x & 0xffff)) as i64;
    rest = rest.wrapping_sub((lower as i64).wrapping_mul(lower as i64));
    // The estimate of the lower half exceeds the result by at most a few units.
    while rest < 0 {
        lower = lower.wrapping_sub(1);
        let root = (upper << 16).wrapping_add(lower) as i64;
        rest = rest.wrapping_add(root << 1 | 1);
    }
    (upper << 16).wrapping_add(lower)
}

/// Returns `⌊2^31·a/b⌋` for mantissas `a` and `b` of 31 digits each.
///
/// Long division with 16-bit digits (Knuth, The Art of Computer Programming 2, 4.3.1, algorithm D): two
/// 32-bit divisions instead of a 64-bit one.
pub const fn quotient(a: u32, b: u32) -> u32 {
    let b = b << 1;
    let (high, rest) = digit(a, b);
    let (low, _) = digit(rest, b);
    (high << 16).wrapping_add(low)
}

/// Returns one 16-bit digit `⌊2^16·a/b⌋` and the remainder, for `a < b` and `b ≥ 2^31`.
const fn digit(a: u32, b: u32) -> (u32, u32) {
    // The bit is already set; setting it again tells the compiler that the divisor is not zero.
    let (upper, lower) = (b >> 16 | 1 << 15, b & 0xffff);
    let mut digit = a / upper;
    let mut rest = a % upper;
    // The estimated digit is too large by at most two.
    while digit >> 16 != 0 || digit.wrapping_mul(lower) > rest << 16 {
        digit = digit.wrapping_sub(1);
        rest = rest.wrapping_add(upper);
        if rest >> 16 != 0 {
            break;
        }
    }
    (digit, (a << 16).wrapping_sub(digit.wrapping_mul(b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::Random;

    #[test]
    fn square_root_matches_isqrt() {
        let mut random = Random::new(7);
        for round in 0..300_000 {
            let root = u64::from((1 << 30) + random.below(1 << 30));
            let near = (root * root).wrapping_add(round % 3).wrapping_sub(1).max(1 << 60);
            for x in [(1 << 60) + random.next_u64() % (3 << 60), near] {
                assert_eq!(u64::from(square_root(x)), x.isqrt(), "{x}");
            }
        }
        for x in [1 << 60, (1 << 62) - 1] {
            assert_eq!(u64::from(square_root(x)), x.isqrt());
        }
    }
}

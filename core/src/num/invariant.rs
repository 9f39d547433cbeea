//! Slicing and division for arguments that were checked before.
//!
//! A broken invariant fails a debug assertion at the caller's line. A release build, which must link without
//! panics, returns an empty slice or zero instead. Use these functions only where a failure would be a bug in
//! this crate; mistakes of a caller or in a file are reported as typed errors.

use core::slice::SliceIndex;

/// Returns `data[range]`.
#[inline(always)]
#[track_caller]
pub(crate) fn slice<T, R: SliceIndex<[T], Output = [T]>>(data: &[T], range: R) -> &[T] {
    let part = data.get(range);
    debug_assert!(part.is_some(), "range past the end of a slice of {} elements", data.len());
    part.unwrap_or_default()
}

/// Returns `data[range]`, mutable.
#[inline(always)]
#[track_caller]
pub(crate) fn slice_mut<T, R: SliceIndex<[T], Output = [T]>>(data: &mut [T], range: R) -> &mut [T] {
    let len = data.len();
    let part = data.get_mut(range);
    debug_assert!(part.is_some(), "range past the end of a slice of {len} elements");
    part.unwrap_or_default()
}

/// Splits `data` into its first `mid` elements and the rest.
#[inline(always)]
#[track_caller]
pub(crate) fn split<T>(data: &[T], mid: usize) -> (&[T], &[T]) {
    let parts = data.split_at_checked(mid);
    debug_assert!(parts.is_some(), "split at {mid} of a slice of {} elements", data.len());
    parts.unwrap_or_default()
}

/// Splits `data` into its first `mid` elements and the rest, mutable.
#[inline(always)]
#[track_caller]
pub(crate) fn split_mut<T>(data: &mut [T], mid: usize) -> (&mut [T], &mut [T]) {
    let len = data.len();
    let parts = data.split_at_mut_checked(mid);
    debug_assert!(parts.is_some(), "split at {mid} of a slice of {len} elements");
    parts.unwrap_or_default()
}

/// Returns `⌊a/b⌋` for `b > 0`.
#[inline(always)]
#[track_caller]
pub(crate) const fn quotient(a: usize, b: usize) -> usize {
    debug_assert!(b > 0, "division by zero");
    match a.checked_div(b) {
        Some(quotient) => quotient,
        None => 0,
    }
}

/// Returns `⌊a/b⌋` and the remainder for `b > 0`.
#[inline(always)]
#[track_caller]
pub(crate) const fn div_rem(a: u32, b: u32) -> (u32, u32) {
    debug_assert!(b > 0, "division by zero");
    match (a.checked_div(b), a.checked_rem(b)) {
        (Some(quotient), Some(rest)) => (quotient, rest),
        _ => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_arguments_give_the_results_of_the_standard_library() {
        let mut data = [1, 2, 3, 4];
        assert_eq!(slice(&data, 1..3), [2, 3]);
        assert_eq!(slice(&data, 4..), [0i32; 0]);
        assert_eq!(split(&data, 1), (&[1][..], &[2, 3, 4][..]));
        slice_mut(&mut data, ..2).fill(9);
        split_mut(&mut data, 3).1.fill(7);
        assert_eq!(data, [9, 9, 3, 7]);
        assert_eq!((quotient(7, 2), div_rem(7, 2)), (3, (3, 1)));
    }

    #[cfg(debug_assertions)]
    #[test]
    fn invalid_arguments_fail_a_debug_assertion() {
        use std::panic::catch_unwind;
        assert!(catch_unwind(|| slice(&[1, 2], 1..3).len()).is_err());
        assert!(catch_unwind(|| slice_mut(&mut [1, 2], 3..).len()).is_err());
        assert!(catch_unwind(|| split(&[1, 2], 3).0.len()).is_err());
        assert!(catch_unwind(|| split_mut(&mut [1, 2], 3).0.len()).is_err());
        assert!(catch_unwind(|| quotient(1, 0)).is_err());
        assert!(catch_unwind(|| div_rem(1, 0)).is_err());
    }
}

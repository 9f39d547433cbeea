/// Number of independent partial sums or maxima: one or two vector registers on every target with vectors.
pub const LANES: usize = 8;

/// Computes `lane ← f(lane, a, b)` for every lane.
///
/// A loop on hosts, where the compiler vectorizes it; unrolled on microcontrollers, where the compiler would keep
/// the loop when optimizing for size.
#[inline(always)]
pub fn each_lane<T: Copy, A: Copy, B: Copy>(
    lanes: &mut [T; LANES],
    a: &[A; LANES],
    b: &[B; LANES],
    f: impl Fn(T, A, B) -> T,
) {
    if !cfg!(target_os = "none") {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane = f(*lane, *a, *b);
        }
        return;
    }
    lanes[0] = f(lanes[0], a[0], b[0]);
    lanes[1] = f(lanes[1], a[1], b[1]);
    lanes[2] = f(lanes[2], a[2], b[2]);
    lanes[3] = f(lanes[3], a[3], b[3]);
    lanes[4] = f(lanes[4], a[4], b[4]);
    lanes[5] = f(lanes[5], a[5], b[5]);
    lanes[6] = f(lanes[6], a[6], b[6]);
    lanes[7] = f(lanes[7], a[7], b[7]);
}

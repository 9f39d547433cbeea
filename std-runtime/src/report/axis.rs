//! Ticks of a logarithmic axis, and positions of labels beside a plot.

use std::ops::Range;

/// Maximum number of ticks.
const MAX_TICKS: usize = 9;

/// Sets of leading digits of ticks, from many to few.
const DIGITS: [&[f64]; 6] = [
    &[
        1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0, 2.2, 2.4, 2.6, 2.8, 3.0, 3.5, 4.0,
        5.0, 6.0, 7.0, 8.0, 9.0,
    ],
    &[1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
    &[1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0],
    &[1.0, 2.0, 3.0, 5.0],
    &[1.0, 3.0],
    &[1.0],
];

/// Returns at most nine round numbers in `range`, from the largest set of leading digits that is not too large.
pub(super) fn logarithmic_ticks(range: Range<f64>) -> Vec<f64> {
    let range = range.start.max(f64::MIN_POSITIVE)..range.end.min(f64::MAX);
    let decades = (range.start.log10().floor() as i32)..=(range.end.log10().floor() as i32);
    let ticks = |digits: &[f64], every: usize| -> Vec<f64> {
        decades
            .clone()
            .step_by(every)
            .flat_map(|decade| digits.iter().map(move |digit| digit * 10_f64.powi(decade)))
            .filter(|tick| range.contains(tick))
            .collect()
    };
    DIGITS
        .iter()
        .map(|digits| ticks(digits, 1))
        .find(|ticks| ticks.len() <= MAX_TICKS)
        .unwrap_or_else(|| ticks(&[1.0], decades.clone().count().div_ceil(MAX_TICKS)))
}

/// Spreads positions so that they are at least `gap` apart and within `within`, if they fit, each as close as
/// possible to its value in `wanted`.
pub(super) fn spread(wanted: &[i32], gap: i32, within: Range<i32>) -> Vec<i32> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|&index| wanted[index]);
    let mut places = wanted.to_vec();
    // Groups of adjacent positions. Each group is centered on the mean of its wanted positions.
    let mut groups: Vec<(i32, Vec<usize>)> = Vec::new();
    for index in order {
        let mut group = (wanted[index], vec![index]);
        while let Some(before) = groups.pop() {
            let half = |members: &[usize]| (members.len() as i32 - 1) * gap / 2;
            if before.0 + half(&before.1) + gap <= group.0 - half(&group.1) {
                groups.push(before);
                break;
            }
            let members = [before.1, group.1].concat();
            let sum: i32 = members.iter().map(|&member| wanted[member]).sum();
            let half = (members.len() as i32 - 1) * gap / 2;
            let highest = (within.end - half).max(within.start + half);
            let center = (sum / members.len() as i32).clamp(within.start + half, highest);
            group = (center, members);
        }
        groups.push(group);
    }
    for (center, members) in groups {
        let first = center - (members.len() as i32 - 1) * gap / 2;
        for (number, member) in (0..).zip(members) {
            places[member] = first + number * gap;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_few_and_inside() {
        for (low, high) in [
            (14.0, 17.0),
            (15.0, 62.0),
            (9.0, 110.0),
            (1.0, 1e5),
            (0.0, f64::INFINITY),
            (14.5, 15.0),
        ] {
            let ticks = logarithmic_ticks(low..high);
            assert!(ticks.len() <= MAX_TICKS, "{low}..{high}: {ticks:?}");
            assert!(ticks.iter().all(|tick| (low..high).contains(tick)));
            assert!(ticks.is_sorted());
            assert!(high / low < 1.2 || ticks.len() >= 2, "{low}..{high}: {ticks:?}");
        }
    }

    #[test]
    fn labels_do_not_overlap() {
        assert_eq!(spread(&[10, 200, 100], 30, 0..300), [10, 200, 100]);
        for wanted in [vec![50, 50, 50], vec![50, 60, 40, 90, 300], vec![295, 299, 298, 10]] {
            let mut places = spread(&wanted, 30, 0..300);
            places.sort_unstable();
            assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= 30), "{places:?}");
            assert!(places.iter().all(|place| (0..=300).contains(place)), "{places:?}");
        }
        assert!(spread(&[], 30, 0..1).is_empty());
        assert_eq!(spread(&[5; 40], 30, 0..300).len(), 40);
    }
}

//! Windows of tokens: the sequences of a batch.
//!
//! A window of length `n` has `n + 1` tokens: the first `n` are the inputs, the last `n` the targets. Windows
//! are slices of one stream, so they never cross from training into validation text.

use expe_core::internals::Random;

use super::DataError;

/// Training windows at random places, each a function of seed, step and index.
///
/// There is no state, so a resumed run uses the same windows as an uninterrupted one.
#[derive(Debug, Clone, Copy)]
pub struct TrainWindows<'a> {
    tokens: &'a [u32],
    length: usize,
    seed: u64,
}

impl<'a> TrainWindows<'a> {
    /// Creates windows of `length + 1` tokens from `tokens`.
    ///
    /// # Errors
    /// [`DataError::TooShort`] if no window fits, [`DataError::ZeroLength`] if `length` is 0.
    pub fn new(tokens: &'a [u32], length: usize, seed: u64) -> Result<Self, DataError> {
        require(tokens, length, "training")?;
        Ok(Self { tokens, length, seed })
    }

    /// Returns the number of places at which a window can start.
    pub fn places(&self) -> usize {
        self.tokens.len() - self.length
    }

    /// Returns the window `index` of step `step`: `length + 1` tokens. Every place is equally likely.
    ///
    /// ```
    /// use expe::data::TrainWindows;
    /// let tokens: Vec<u32> = (0..1000).collect();
    /// let windows = TrainWindows::new(&tokens, 64, 42)?;
    /// assert_eq!(windows.window(10, 3).len(), 65);
    /// assert_eq!(windows.window(10, 3), windows.window(10, 3));
    /// # Ok::<(), expe::data::DataError>(())
    /// ```
    pub fn window(&self, step: u64, index: u64) -> &'a [u32] {
        let step_seed = Random::keyed(self.seed, step).next_u64();
        let bits = Random::keyed(step_seed, index).next_u64();
        // The high word of bits · places is uniform to within places / 2^64.
        let place = ((u128::from(bits) * self.places() as u128) >> 64) as usize;
        &self.tokens[place..=place + self.length]
    }
}

/// Returns consecutive windows of `length + 1` tokens. Each starts with the last token of the previous one, so
/// every token except the first is predicted once. Tokens that do not fill a window are omitted.
///
/// # Errors
/// [`DataError::TooShort`] if no window fits, [`DataError::ZeroLength`] if `length` is 0.
pub fn consecutive_windows(
    tokens: &[u32],
    length: usize,
) -> Result<impl ExactSizeIterator<Item = &[u32]> + Clone, DataError> {
    windows_with_common_ends(tokens, length, length)
}

/// Returns windows of `length + 1` tokens that end where the consecutive windows of length `every` end.
///
/// For a fixed `every ≥ length`, the last tokens of the windows are the same for each `length`, and only the
/// preceding context changes.
///
/// # Errors
/// [`DataError::TooShort`] if no window of length `max(every, length)` fits, [`DataError::ZeroLength`] if `length`
/// is 0.
pub fn windows_with_common_ends(
    tokens: &[u32],
    length: usize,
    every: usize,
) -> Result<impl ExactSizeIterator<Item = &[u32]> + Clone, DataError> {
    let every = every.max(length);
    require(tokens, every, "validation")?;
    if length == 0 {
        return Err(DataError::ZeroLength);
    }
    let count = (tokens.len() - 1) / every;
    Ok((0..count).map(move |window| {
        let end = (window + 1) * every;
        &tokens[end - length..=end]
    }))
}

fn require(tokens: &[u32], length: usize, part: &'static str) -> Result<(), DataError> {
    if length == 0 {
        return Err(DataError::ZeroLength);
    }
    let needed = length.saturating_add(1);
    if tokens.len() < needed {
        return Err(DataError::TooShort { part, found: tokens.len(), needed, length });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_windows_are_a_pure_function_and_cover_the_text() {
        let tokens: Vec<u32> = (0..100).collect();
        let windows = TrainWindows::new(&tokens, 9, 5).unwrap();
        let mut starts = [0_u32; 91];
        for step in 0..910 {
            for index in 0..10 {
                let window = windows.window(step, index);
                assert_eq!(window.len(), 10);
                assert!(window.windows(2).all(|pair| pair[1] == pair[0] + 1));
                assert_eq!(window, windows.window(step, index));
                starts[window[0] as usize] += 1;
            }
        }
        // With 9 100 draws over 91 places, each count is binomial with mean 100 and standard deviation below 10. The
        // probability that any of them deviates by more than six standard deviations is about 91·2e-9.
        assert!(starts.iter().all(|&count| (40..=160).contains(&count)), "{starts:?}");
    }

    #[test]
    fn windows_depend_on_seed_step_and_index() {
        let tokens: Vec<u32> = (0..1_000_000).collect();
        let start =
            |seed, step, index| TrainWindows::new(&tokens, 1, seed).unwrap().window(step, index)[0];
        let starts =
            [start(1, 2, 3), start(2, 2, 3), start(1, 3, 3), start(1, 2, 4), start(1, 3, 2)];
        let distinct: std::collections::HashSet<u32> = starts.into_iter().collect();
        assert_eq!(distinct.len(), starts.len(), "{starts:?}");
    }

    #[test]
    fn a_short_text_has_one_window() {
        let tokens = [4, 5, 6];
        let windows = TrainWindows::new(&tokens, 2, 0).unwrap();
        assert_eq!(windows.window(0, 0), tokens);
        match TrainWindows::new(&tokens, 3, 0) {
            Err(DataError::TooShort { part: "training", found: 3, needed: 4, length: 3 }) => {}
            other => panic!("{other:?}"),
        }
        assert!(matches!(TrainWindows::new(&tokens, 0, 0), Err(DataError::ZeroLength)));
        assert!(TrainWindows::new(&tokens, usize::MAX, 0).is_err());
    }

    #[test]
    fn consecutive_windows_predict_every_token_once() {
        let tokens: Vec<u32> = (0..101).collect();
        for length in [1, 7, 10, 33, 100] {
            let predicted: Vec<u32> = consecutive_windows(&tokens, length)
                .unwrap()
                .flat_map(|window| window[1..].iter().copied())
                .collect();
            let expected: Vec<u32> = (1..=(100 / length * length) as u32).collect();
            assert_eq!(predicted, expected, "length {length}");
        }
        assert!(consecutive_windows(&tokens, 101).is_err());
        assert!(consecutive_windows(&tokens, 0).is_err());
    }

    #[test]
    fn common_ends_do_not_depend_on_the_length() {
        let tokens: Vec<u32> = (0..1000).collect();
        let last_five = |length| -> Vec<Vec<u32>> {
            windows_with_common_ends(&tokens, length, 80)
                .unwrap()
                .map(|window| {
                    assert_eq!(window.len(), length + 1);
                    window[length - 4..].to_vec()
                })
                .collect()
        };
        for length in [5, 10, 20, 40] {
            assert_eq!(last_five(length), last_five(80));
        }
        assert_eq!(last_five(80).len(), 12);
    }
}

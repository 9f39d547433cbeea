use expe_core::position::{ModelDims, Position, PositionEncoding};

use super::{RunConfig, RunConfigError, TokenizerKind, TrainConfig};

impl RunConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// [`RunConfigError`] for the first value that is not valid.
    pub fn check(&self) -> Result<(), RunConfigError> {
        self.model.check()?;
        self.check_position()?;
        let vocab = self.model.vocab;
        match self.data.tokenizer {
            TokenizerKind::Byte if vocab != 256 => {
                Err(RunConfigError::Vocabulary { vocab, kind: "byte", needed: "exactly 256" })
            }
            TokenizerKind::Bpe if vocab < 256 => {
                Err(RunConfigError::Vocabulary { vocab, kind: "bpe", needed: "at least 256" })
            }
            _ => self.train.check(),
        }
    }

    fn check_position(&self) -> Result<(), RunConfigError> {
        let model = &self.model;
        if model.position.needs_table() {
            return Ok(());
        }
        let shape =
            ModelDims { width: model.width, heads: model.heads, head_width: model.head_width };
        let length = Position::new(&model.position, shape, &[])?.length();
        if (length as usize) < model.context {
            return Err(RunConfigError::Short { length, context: model.context });
        }
        Ok(())
    }
}

impl TrainConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// [`RunConfigError`] for the first value that is not valid.
    pub fn check(&self) -> Result<(), RunConfigError> {
        let positive = f64::MIN_POSITIVE..=f64::MAX;
        let limits = [
            ("steps", self.steps as f64, 1.0..=1e12, "1..=1e12"),
            ("batch", self.batch as f64, 1.0..=1e6, "1..=1e6"),
            ("accumulate", self.accumulate as f64, 1.0..=1e6, "1..=1e6"),
            ("seed", self.seed as f64, 0.0..=9.2e18, "0..2^63"),
            ("learning_rate", self.learning_rate, positive.clone(), "numbers above 0"),
            ("final_learning_rate", self.final_learning_rate, 0.0..=f64::MAX, "numbers from 0"),
            ("weight_decay", self.weight_decay, 0.0..=f64::MAX, "numbers from 0"),
            ("beta1", self.beta1, 0.0..=1.0 - 1e-9, "[0, 1)"),
            ("beta2", self.beta2, 0.0..=1.0 - 1e-9, "[0, 1)"),
            ("epsilon", self.epsilon, positive, "numbers above 0"),
            ("clip", self.clip, 0.0..=f64::MAX, "numbers from 0"),
            ("dropout", f64::from(self.dropout), 0.0..=1.0 - 1e-6, "[0, 1)"),
            ("validate_every", self.validate_every as f64, 1.0..=1e12, "1..=1e12"),
            ("validation_tokens", self.validation_tokens as f64, 1.0..=1e12, "1..=1e12"),
        ];
        for (field, value, range, name) in limits {
            if !range.contains(&value) {
                return Err(RunConfigError::Range { field, value, range: name });
            }
        }
        if self.warmup > self.steps {
            return Err(RunConfigError::Warmup { warmup: self.warmup, steps: self.steps });
        }
        if self.final_learning_rate > self.learning_rate {
            let (end, peak) = (self.final_learning_rate, self.learning_rate);
            return Err(RunConfigError::Rates { end, peak });
        }
        Ok(())
    }
}

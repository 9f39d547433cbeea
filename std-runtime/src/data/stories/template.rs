//! Sentences with slots.

use expe_core::internals::Random;

use super::words::{Person, Place};

/// Draws one of `choices`.
pub(super) fn pick<T: Copy>(random: &mut Random, choices: &[T]) -> T {
    choices[random.below(choices.len() as u32) as usize]
}

/// Draws `N` different members of `choices`, which must have at least `N`.
pub(super) fn pick_distinct<T: Copy, const N: usize>(random: &mut Random, choices: &[T]) -> [T; N] {
    let mut remaining: Vec<T> = choices.to_vec();
    std::array::from_fn(|_| remaining.swap_remove(random.below(remaining.len() as u32) as usize))
}

/// The values of the slots of a template.
#[derive(Debug, Clone, Default)]
pub(super) struct Slots(Vec<(String, String)>);

impl Slots {
    /// Sets the slot `{name}` to `value`.
    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.push((format!("{{{name}}}"), value.into()));
        self
    }

    /// Sets the slots `{x}`, `{x-subject}`, `{x-object}` and `{x-own}` for a person, where `x` is `name`.
    pub fn person(self, name: &str, person: Person) -> Self {
        self.set(name, person.name)
            .set(&format!("{name}-subject"), person.subject)
            .set(&format!("{name}-object"), person.object)
            .set(&format!("{name}-own"), person.possessive)
    }

    /// Sets `{x}` to the name of a place and `{in-x}` to the name with its preposition, where `x` is `name`.
    pub fn place(self, name: &str, place: Place) -> Self {
        self.set(name, place.name)
            .set(&format!("in-{name}"), format!("{} {}", place.preposition, place.name))
    }

    /// Fills a template and capitalizes its first letter.
    pub fn fill(&self, template: &str) -> String {
        let mut sentence = template.to_owned();
        for (slot, value) in &self.0 {
            if sentence.contains(slot.as_str()) {
                sentence = sentence.replace(slot.as_str(), value);
            }
        }
        let first = sentence.bytes().position(|byte| byte.is_ascii_alphabetic()).unwrap_or(0);
        if let Some(letter) = sentence.get_mut(first..=first) {
            letter.make_ascii_uppercase();
        }
        sentence
    }
}

/// Prepends `a` or `an` to a noun phrase.
pub(super) fn with_article(phrase: &str) -> String {
    let article = if phrase.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {phrase}")
}

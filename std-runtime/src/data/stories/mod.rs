//! Generated stories: English prose whose end depends on its beginning.
//!
//! Every story introduces a few facts (where something is hidden, what somebody likes, …), continues with
//! unrelated events, and then refers to the facts again. A model can predict the end only from the context,
//! so its perplexity shows how much of the context it uses. The text is a function of the seed, computed in
//! integers, so it is the same on every machine.
//!
//! ```
//! let first = expe::data::stories::stories(1).next();
//! assert_eq!(first, expe::data::stories::stories(1).next());
//! ```

mod event;
mod fact;
mod template;
mod words;

use expe_core::internals::Random;

use fact::{Drafted, Material, draft};
pub use fact::{FACT_KINDS, FactKind};
use template::{Slots, pick, pick_distinct, with_article};
use words::{ADJECTIVES, ANIMALS, PEOPLE, PLACES, Person, Place, THINGS, WEATHERS};

/// One story, with the facts that it introduces early and repeats late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// The text: one paragraph of 80 to 250 words without a line break.
    pub text: String,
    /// The facts, in the order of their introduction.
    pub facts: Vec<Fact>,
}

/// A fact that a story states twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Kind of the fact.
    pub kind: FactKind,
    /// Words (or groups of words) that both sentences contain.
    pub words: Vec<String>,
    /// Byte offset of the sentence that introduces it.
    pub introduced: usize,
    /// Byte offset of the sentence that repeats it.
    pub recalled: usize,
}

/// Returns an infinite sequence of the stories of a seed.
pub fn stories(seed: u64) -> impl Iterator<Item = String> {
    (0..=u64::MAX).map(move |index| story(seed, index).text)
}

/// Concatenates the first stories of a seed, each followed by a blank line, until the text has at least `bytes`
/// bytes.
pub fn text(seed: u64, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes.saturating_add(2_000));
    for story in stories(seed) {
        if text.len() >= bytes {
            break;
        }
        text.push_str(&story);
        text.push_str("\n\n");
    }
    text
}

/// Range from which the number of words is drawn after which no further event is added.
const WORDS_BEFORE_THE_END: std::ops::Range<u32> = 75..150;

/// Returns the story with index `index` of a seed.
pub fn story(seed: u64, index: u64) -> Story {
    let mut random = Random::keyed(seed, index);
    let random = &mut random;
    let cast: [Person; 3] = pick_distinct(random, &PEOPLE);
    let names = Slots::default().person("a", cast[0]).person("b", cast[1]).person("c", cast[2]);
    // The first four of each are for facts, the last two for events.
    let places: [Place; 6] = pick_distinct(random, &PLACES);
    let things = pick_distinct::<&str, 6>(random, &THINGS)
        .map(|thing| format!("{} {thing}", pick(random, &ADJECTIVES)));
    let things = things.each_ref().map(String::as_str);

    let kinds: [FactKind; 4] = pick_distinct(random, &FACT_KINDS);
    let count = 2 + random.below(3) as usize;
    let drafts: Vec<(FactKind, Drafted)> = kinds[..count]
        .iter()
        .enumerate()
        .map(|(number, &kind)| {
            let material = Material {
                people: pick_distinct(random, &cast),
                thing: things[number],
                place: places[number],
                animal: pick(random, &ANIMALS),
            };
            (kind, draft(kind, &material, random))
        })
        .collect();

    let mut story = Writer::default();
    story.add(&names.fill(pick(random, &event::OPENINGS)));
    let introduced: Vec<usize> =
        drafts.iter().map(|(_, fact)| story.add(&fact.introduction)).collect();

    let enough = WORDS_BEFORE_THE_END.start
        + random.below(WORDS_BEFORE_THE_END.end - WORDS_BEFORE_THE_END.start);
    let mut events: Vec<&str> = event::EVENTS.to_vec();
    while story.words() < enough as usize {
        let event = events.swap_remove(random.below(events.len() as u32) as usize);
        story.add(&fill_event(event, &cast, &places[4..], &things[4..], random));
    }
    story.add(pick(random, &event::TURNS));

    let mut recalled = vec![0; drafts.len()];
    let mut order: Vec<usize> = (0..drafts.len()).collect();
    while !order.is_empty() {
        let next = order.swap_remove(random.below(order.len() as u32) as usize);
        recalled[next] = story.add(&drafts[next].1.recall);
    }
    story.add(&names.fill(pick(random, &event::ENDINGS)));

    let facts = drafts
        .into_iter()
        .zip(introduced.into_iter().zip(recalled))
        .map(|((kind, fact), (introduced, recalled))| Fact {
            kind,
            words: fact.words,
            introduced,
            recalled,
        })
        .collect();
    Story { text: story.text, facts }
}

fn fill_event(
    template: &str,
    cast: &[Person],
    places: &[Place],
    things: &[&str],
    random: &mut Random,
) -> String {
    let [p, q] = pick_distinct(random, cast);
    Slots::default()
        .person("p", p)
        .person("q", q)
        .place("place", pick(random, places))
        .set("a-thing", with_article(pick(random, things)))
        .set("weather", pick(random, &WEATHERS))
        .fill(template)
}

/// Builds a paragraph from sentences.
#[derive(Default)]
struct Writer {
    text: String,
}

impl Writer {
    /// Adds a sentence and returns its offset.
    fn add(&mut self, sentence: &str) -> usize {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        let start = self.text.len();
        self.text.push_str(sentence);
        start
    }

    fn words(&self) -> usize {
        self.text.split(' ').count()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn many() -> impl Iterator<Item = Story> {
        (0..2_000).map(|index| story(11, index))
    }

    /// Returns whether the sentence at `from` contains all `words`.
    fn says(text: &str, from: usize, words: &[String]) -> bool {
        // The longest sentence has fewer than 200 bytes.
        let end = text.len().min(from + 200);
        let tail = String::from_utf8_lossy(&text.as_bytes()[from..end]).to_lowercase();
        words.iter().all(|word| tail.contains(&word.to_lowercase()))
    }

    /// Compares with a fixed hash, because all machines, builds and versions must generate the same text.
    #[test]
    fn text_is_the_same_on_all_machines() {
        let hash = xxhash_rust::xxh3::xxh3_64(text(1, 100_000).as_bytes());
        assert_eq!(hash, 0x4579_31f5_caa3_62ea, "{hash:#x}");
    }

    #[test]
    fn late_sentences_agree_with_early_ones() {
        for story in many() {
            assert!((2..=4).contains(&story.facts.len()));
            let last_introduction = story.facts.iter().map(|fact| fact.introduced).max();
            for fact in &story.facts {
                assert!(says(&story.text, fact.introduced, &fact.words), "{fact:?} {}", story.text);
                assert!(says(&story.text, fact.recalled, &fact.words), "{fact:?} {}", story.text);
                assert!(Some(fact.recalled) > last_introduction);
            }
        }
    }

    #[test]
    fn things_and_places_of_facts_occur_in_no_event() {
        for story in many() {
            let first = story.facts.iter().map(|fact| fact.recalled).min().unwrap();
            for fact in story.facts.iter().filter(|fact| fact.kind == FactKind::Hidden) {
                for words in &fact.words[1..] {
                    assert_eq!(story.text[..first].matches(words.as_str()).count(), 1, "{words}");
                }
            }
        }
    }

    #[test]
    fn stories_are_plain_paragraphs_of_the_documented_length() {
        for story in many() {
            let words = story.text.split(' ').count();
            assert!((80..=250).contains(&words), "{words}: {}", story.text);
            assert!(!story.text.contains(['{', '}', '\n']), "{}", story.text);
            assert!(!story.text.contains("  "), "{}", story.text);
            assert!(story.text.is_ascii());
            assert!(story.text.ends_with(['.', '"']));
        }
    }

    #[test]
    fn facts_are_repeated_at_a_distance() {
        let (mut bytes, mut count) = (0, 0);
        for fact in many().flat_map(|story| story.facts) {
            bytes += fact.recalled - fact.introduced;
            count += 1;
        }
        let mean = bytes / count;
        assert!(mean > 300, "facts are repeated after {mean} bytes on average");
    }

    #[test]
    fn stories_are_varied() {
        let texts: Vec<String> = stories(3).take(2_000).collect();
        let distinct: HashSet<&str> = texts.iter().map(String::as_str).collect();
        assert_eq!(distinct.len(), texts.len());
        let words: HashSet<&str> = texts
            .iter()
            .flat_map(|text| text.split(|letter: char| !letter.is_ascii_alphabetic()))
            .collect();
        assert!(words.len() > 600, "{} words", words.len());
        let sentences: HashSet<&str> = texts.iter().flat_map(|text| text.split(". ")).collect();
        assert!(sentences.len() > 10_000, "{} sentences", sentences.len());
        let kinds: HashSet<FactKind> =
            many().flat_map(|story| story.facts).map(|fact| fact.kind).collect();
        assert_eq!(kinds.len(), FACT_KINDS.len());
    }

    #[test]
    fn text_exceeds_the_requested_size_by_less_than_a_story() {
        for bytes in [1, 1_000, 50_000] {
            let text = text(5, bytes);
            assert!(text.len() >= bytes && text.len() < bytes + 2_000);
            assert!(text.ends_with("\n\n"));
        }
    }

    #[test]
    fn different_seeds_give_different_texts() {
        assert_ne!(text(1, 1_000), text(2, 1_000));
    }
}

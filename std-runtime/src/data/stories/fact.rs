//! Facts that a story introduces early and repeats late.

use expe_core::internals::Random;

use super::template::{Slots, pick, with_article};
use super::words::{DEEDS, FEARS, FOODS, PET_NAMES, Person, TIMES};

/// Kinds of facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FactKind {
    /// Where somebody hid something.
    Hidden,
    /// What somebody likes to eat.
    Likes,
    /// Who owns something.
    Owns,
    /// What somebody promised to somebody else.
    Promised,
    /// What animal somebody has and what it is called.
    Pet,
    /// What somebody is afraid of.
    Fears,
    /// When and where people will meet.
    Meeting,
}

/// All kinds of facts.
pub const FACT_KINDS: [FactKind; 7] = [
    FactKind::Hidden,
    FactKind::Likes,
    FactKind::Owns,
    FactKind::Promised,
    FactKind::Pet,
    FactKind::Fears,
    FactKind::Meeting,
];

/// The two sentences of a fact, not yet part of a story.
pub(super) struct Drafted {
    pub introduction: String,
    pub recall: String,
    /// Words or groups of words that both sentences contain.
    pub words: Vec<String>,
}

/// The people and things that a fact is about. No two facts of a story share a thing or a place.
pub(super) struct Material<'a> {
    /// The person of the fact, and two others.
    pub people: [Person; 3],
    pub thing: &'a str,
    pub place: super::words::Place,
    pub animal: &'a str,
}

/// Draws the details of a fact and its two sentences.
pub(super) fn draft(kind: FactKind, material: &Material<'_>, random: &mut Random) -> Drafted {
    let [a, b, c] = material.people;
    let slots = Slots::default().person("a", a).person("b", b).person("c", c);
    let name = |person: Person| person.name.to_owned();
    let (slots, words, forms) = match kind {
        FactKind::Hidden => (
            slots.set("thing", material.thing).place("place", material.place),
            vec![name(a), material.thing.to_owned(), material.place.name.to_owned()],
            &HIDDEN,
        ),
        FactKind::Likes => {
            let food = pick(random, &FOODS);
            (slots.set("food", food), vec![name(a), food.to_owned()], &LIKES)
        }
        FactKind::Owns => (
            slots.set("thing", material.thing).set("a-thing", with_article(material.thing)),
            vec![name(a), material.thing.to_owned()],
            &OWNS,
        ),
        FactKind::Promised => {
            let (deed, done) = pick(random, &DEEDS);
            // The two forms differ only in the verb.
            let rest = deed.split_once(' ').map_or(deed, |(_, rest)| rest);
            let words = vec![name(a), name(b), rest.to_owned()];
            (slots.set("deed", deed).set("done", done), words, &PROMISED)
        }
        FactKind::Pet => {
            let pet = pick(random, &PET_NAMES);
            (
                slots
                    .set("animal", material.animal)
                    .set("an-animal", with_article(material.animal))
                    .set("pet", pet),
                vec![name(a), material.animal.to_owned(), pet.to_owned()],
                &PET,
            )
        }
        FactKind::Fears => {
            let fear = pick(random, &FEARS);
            (slots.set("fear", fear), vec![name(a), fear.to_owned()], &FEARS_FORMS)
        }
        FactKind::Meeting => {
            let time = pick(random, &TIMES);
            (
                slots.place("place", material.place).set("time", time),
                vec![material.place.name.to_owned(), time.to_owned()],
                &MEETING,
            )
        }
    };
    Drafted {
        introduction: slots.fill(pick(random, forms.introductions)),
        recall: slots.fill(pick(random, forms.recalls)),
        words,
    }
}

/// Templates for the two sentences of a fact. Each template contains the whole fact.
struct Forms {
    introductions: &'static [&'static str],
    recalls: &'static [&'static str],
}

const HIDDEN: Forms = Forms {
    introductions: &[
        "{a} hid the {thing} {in-place}.",
        "Early that day {a} had put the {thing} {in-place}, where nobody would look.",
        "{a} had a secret: the {thing} lay {in-place}.",
        "\"Nobody must find the {thing},\" said {a}, and hid it {in-place}.",
        "To keep it safe, {a} hid the {thing} {in-place} and told no one.",
        "{a} dug a small hole {in-place} and laid the {thing} in it.",
    ],
    recalls: &[
        "At last {a} went to look {in-place} and found the {thing}.",
        "Then {a} remembered the {thing}. It was still {in-place}.",
        "\"Where is the {thing}?\" asked {b}. \"I hid it {in-place},\" said {a}.",
        "{a} took {b} by the hand, looked {in-place} and pulled out the {thing}.",
        "When {a} needed the {thing}, {a-subject} knew that it was {in-place}.",
        "{b} searched for the {thing} everywhere, until {a} told {b-object} to look {in-place}.",
    ],
};

const LIKES: Forms = Forms {
    introductions: &[
        "{a} liked {food} more than anything else.",
        "There was nothing that {a} liked better than {food}.",
        "Everybody knew that {a} loved {food}.",
        "\"If I were king,\" {a} used to say, \"I would eat {food} every day.\"",
        "For {a}, the best thing in the world was {food}.",
    ],
    recalls: &[
        "{b} wanted to make {a} happy, so {b-subject} brought {a-object} {food}.",
        "For supper {a} got {food}, just what {a-subject} liked best.",
        "\"What shall we give {a}?\" asked {b}. \"That is easy,\" said {c}, \"{food}!\"",
        "On the table stood {food}, and {a} clapped {a-own} hands.",
        "{c} asked {a} what {a-subject} wished for, and {a} said, \"{food}, please.\"",
    ],
};

const OWNS: Forms = Forms {
    introductions: &[
        "The {thing} belonged to {a}.",
        "{a} owned {a-thing} and was proud of it.",
        "{a} had got {a-thing} from {a-own} grandmother.",
        "Everyone in the village knew {a} by {a-own} {thing}.",
        "{a} never went out without {a-own} {thing}.",
    ],
    recalls: &[
        "On the road lay the {thing}. \"It belongs to {a},\" said {b}.",
        "{b} found the {thing} in the grass and gave it back to {a}.",
        "\"Whose {thing} is this?\" asked {c}. \"I think it is {a}'s,\" said {b}.",
        "Somebody had left the {thing} on the steps, so {b} took it home to {a}.",
        "{c} held up the {thing}, and at once everybody looked at {a}.",
    ],
};

const PROMISED: Forms = Forms {
    introductions: &[
        "{a} promised {b} to {deed}.",
        "\"I will {deed},\" {a} promised {b}.",
        "{a} gave {b} {a-own} word to {deed}.",
        "{b} asked {a} to {deed}, and {a} said yes.",
        "\"Will you {deed}?\" asked {b}. \"I promise,\" said {a}.",
    ],
    recalls: &[
        "{a} kept {a-own} word to {b} and {done}.",
        "\"Did you forget?\" asked {b}. Then {a} {done}, as {a-subject} had promised.",
        "Before it was night, {a} {done}, and {b} was glad.",
        "{b} had waited all day, but in the end {a} {done}.",
        "{b} smiled when {a} {done}, because a promise is a promise.",
    ],
};

const PET: Forms = Forms {
    introductions: &[
        "{a} had {an-animal} called {pet}.",
        "With {a} lived {an-animal} whose name was {pet}.",
        "{a} had {an-animal}. \"This is {pet},\" {a-subject} told everyone.",
        "{an-animal} named {pet} followed {a} wherever {a-subject} went.",
    ],
    recalls: &[
        "Just then {a}'s {animal} came running. \"Hello, {pet}!\" said {b}.",
        "{a} looked for the {animal} and called, \"{pet}! {pet}!\"",
        "\"What is your {animal} called?\" {c} asked {a}. \"{pet},\" said {a}.",
        "{b} gave {a}'s {animal} a little bread. \"Good {pet},\" {b-subject} said.",
    ],
};

const FEARS_FORMS: Forms = Forms {
    introductions: &[
        "{a} was afraid of {fear}.",
        "{a} was brave, but {a-subject} did not like {fear} at all.",
        "There was only one thing that frightened {a}, and that was {fear}.",
        "Ever since {a} was small, {a-subject} had feared {fear}.",
    ],
    recalls: &[
        "{b} held {a}'s hand, because {a} was afraid of {fear}.",
        "\"Come with us,\" said {b}. \"No,\" said {a}, \"there may be {fear}.\"",
        "{c} laughed and asked what {a} was afraid of. \"Of {fear},\" said {b}.",
        "That night {a} had a bad dream about {fear}.",
    ],
};

const MEETING: Forms = Forms {
    introductions: &[
        "They wanted to meet at {place} when {time}.",
        "\"Where shall we meet?\" asked {b}. They chose {place}, at the hour when {time}.",
        "{a} told {b} and {c} to be at {place} when {time}.",
        "It was agreed that they would all come to {place} when {time}.",
    ],
    recalls: &[
        "When {time}, they all met at {place}.",
        "{b} looked up. It was the hour when {time}, so {b-subject} ran to {place}.",
        "And when {time}, {a} was already waiting at {place}.",
        "\"Hurry,\" said {c} when {time}, \"they are waiting at {place}!\"",
    ],
};

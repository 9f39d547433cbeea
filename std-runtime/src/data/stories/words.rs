//! The vocabulary of the stories.

/// A person in a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Person {
    pub name: &'static str,
    /// `she` or `he`.
    pub subject: &'static str,
    /// `her` or `him`.
    pub object: &'static str,
    /// `her` or `his`.
    pub possessive: &'static str,
}

const fn she(name: &'static str) -> Person {
    Person { name, subject: "she", object: "her", possessive: "her" }
}

const fn he(name: &'static str) -> Person {
    Person { name, subject: "he", object: "him", possessive: "his" }
}

pub(super) const PEOPLE: [Person; 40] = [
    she("Mira"),
    he("Tom"),
    she("Ada"),
    he("Ben"),
    she("Lena"),
    he("Otto"),
    she("Nora"),
    he("Finn"),
    she("Rosa"),
    he("Hugo"),
    she("Ida"),
    he("Karl"),
    she("Vera"),
    he("Paul"),
    she("Tilda"),
    he("Emil"),
    she("Greta"),
    he("Jonas"),
    she("Wanda"),
    he("Felix"),
    she("Anna"),
    he("Leo"),
    she("Clara"),
    he("Max"),
    she("Ella"),
    he("Noah"),
    she("Frida"),
    he("Sam"),
    she("Maya"),
    he("Theo"),
    she("Olga"),
    he("Boris"),
    she("Sofia"),
    he("David"),
    she("Hana"),
    he("Ivan"),
    she("Lucy"),
    he("Peter"),
    she("Kate"),
    he("Simon"),
];

/// A place, with its preposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub preposition: &'static str,
    pub name: &'static str,
}

const fn place(preposition: &'static str, name: &'static str) -> Place {
    Place { preposition, name }
}

pub(super) const PLACES: [Place; 36] = [
    place("under", "the old bridge"),
    place("behind", "the water mill"),
    place("inside", "the hollow tree"),
    place("in", "the church tower"),
    place("under", "the kitchen stairs"),
    place("behind", "the garden wall"),
    place("in", "the baker's shed"),
    place("beside", "the frog pond"),
    place("under", "the apple tree"),
    place("behind", "the big rock"),
    place("in", "the empty barn"),
    place("near", "the town gate"),
    place("under", "the fishing boat"),
    place("inside", "the clay oven"),
    place("behind", "the school"),
    place("in", "the pine wood"),
    place("beside", "the stone well"),
    place("under", "the market table"),
    place("in", "the fox's den"),
    place("behind", "the lighthouse"),
    place("inside", "the broken cart"),
    place("under", "the haystack"),
    place("in", "the rose garden"),
    place("beside", "the railway"),
    place("behind", "the blue door"),
    place("in", "the deep cave"),
    place("under", "the willow"),
    place("inside", "the grandfather clock"),
    place("behind", "the bakery"),
    place("near", "the sheep field"),
    place("under", "the chapel roof"),
    place("in", "the north cellar"),
    place("beside", "the salt road"),
    place("behind", "the chicken house"),
    place("inside", "the bell house"),
    place("under", "the stone bench"),
];

pub(super) const ADJECTIVES: [&str; 20] = [
    "red", "blue", "green", "yellow", "silver", "golden", "wooden", "tiny", "shiny", "round",
    "striped", "old", "white", "black", "heavy", "crooked", "painted", "glass", "iron", "purple",
];

pub(super) const THINGS: [&str; 28] = [
    "key", "coin", "bell", "ring", "marble", "whistle", "button", "shell", "feather", "box", "map",
    "lantern", "spoon", "kite", "drum", "cup", "ball", "book", "hat", "ribbon", "compass", "flute",
    "basket", "stone", "mirror", "boat", "puppet", "scarf",
];

pub(super) const FOODS: [&str; 24] = [
    "plum cake",
    "warm bread",
    "honey",
    "sweet apples",
    "cherry pie",
    "pea soup",
    "ripe pears",
    "pancakes",
    "goat cheese",
    "roast nuts",
    "rice pudding",
    "carrot stew",
    "lemon tea",
    "berries",
    "onion tart",
    "ginger biscuits",
    "hot milk",
    "mushrooms",
    "butter rolls",
    "bean soup",
    "poppy cake",
    "fried fish",
    "dumplings",
    "corn bread",
];

pub(super) const ANIMALS: [&str; 18] = [
    "dog", "cat", "goat", "pony", "duck", "hen", "donkey", "rabbit", "lamb", "parrot", "goose",
    "pig", "mouse", "turtle", "crow", "hedgehog", "calf", "squirrel",
];

pub(super) const PET_NAMES: [&str; 20] = [
    "Pip", "Bella", "Biscuit", "Moss", "Dot", "Captain", "Pepper", "Snow", "Tuck", "Daisy", "Bean",
    "Flip", "Hazel", "Cloud", "Nibble", "Rusty", "Poppy", "Bramble", "Tiger", "Button",
];

pub(super) const FEARS: [&str; 16] = [
    "thunder",
    "the dark",
    "geese",
    "deep water",
    "spiders",
    "high ladders",
    "loud drums",
    "bees",
    "wolves",
    "fog",
    "the north wind",
    "old masks",
    "bats",
    "narrow paths",
    "steam trains",
    "owls",
];

/// Something to do, as an infinitive and in the past tense.
pub(super) const DEEDS: [(&str, &str); 18] = [
    ("mend the broken fence", "mended the broken fence"),
    ("carry the winter wood", "carried the winter wood"),
    ("paint the front door", "painted the front door"),
    ("water the tomatoes", "watered the tomatoes"),
    ("sing the harvest song", "sang the harvest song"),
    ("bake a loaf of bread", "baked a loaf of bread"),
    ("sweep the long yard", "swept the long yard"),
    ("tell the story of the giant", "told the story of the giant"),
    ("teach the little ones to swim", "taught the little ones to swim"),
    ("wash the white sheets", "washed the white sheets"),
    ("write a letter to the queen", "wrote a letter to the queen"),
    ("pick the last grapes", "picked the last grapes"),
    ("feed the pigeons", "fed the pigeons"),
    ("build a house for the birds", "built a house for the birds"),
    ("clean the chimney", "cleaned the chimney"),
    ("fetch the doctor's medicine", "fetched the doctor's medicine"),
    ("light the lamps", "lit the lamps"),
    ("sew the torn sail", "sewed the torn sail"),
];

/// Times at which people meet, as clauses that follow `when`.
pub(super) const TIMES: [&str; 12] = [
    "the sun went down",
    "the bell rang six",
    "the first star came out",
    "the rain was over",
    "the ferry came in",
    "the baker closed his shop",
    "the cows came home",
    "the moon was up",
    "the lamps were lit",
    "the last cart left",
    "the wind turned",
    "the owl called",
];

pub(super) const WEATHERS: [&str; 12] = [
    "The sun was warm",
    "A soft rain fell",
    "The wind was strong",
    "It was a cold day",
    "Thin clouds crossed the sky",
    "There was snow on the hills",
    "The air smelled of grass",
    "It was very hot",
    "The morning was grey",
    "The sky was clear and blue",
    "Leaves were falling",
    "The road was wet",
];

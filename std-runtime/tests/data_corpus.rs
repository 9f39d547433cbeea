//! Corpora opened from files and folders.

use std::fs;
use std::path::{Path, PathBuf};

use expe::data::{Corpus, DataError, Dataset, Skipped, Source, Tokenizer, TrainWindows};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, bytes) in files {
            let path = folder.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn source(&self, name: &str) -> Source {
        Source::Path(self.path(name))
    }

    fn open(&self, names: &[&str]) -> Result<Corpus, DataError> {
        let sources: Vec<Source> = names.iter().map(|name| self.source(name)).collect();
        Corpus::open(&sources)
    }

    fn names(&self, corpus: &Corpus) -> Vec<String> {
        let relative =
            |path: &Path| path.strip_prefix(self.0.path()).unwrap().display().to_string();
        corpus.documents().iter().map(|document| relative(document.name())).collect()
    }
}

#[test]
fn folders_are_searched_recursively_and_files_that_are_not_text_are_skipped() {
    let folder = Folder::new(&[
        ("b/z.txt", b"zz"),
        ("b/deep/er/a.rs", b"fn a() {}"),
        ("a.md", b"# a"),
        ("same.md", b"# a"),
        ("empty", b""),
        ("image.png", b"\x89PNG\0"),
        ("latin1", b"caf\xe9"),
        (".git/config", b"[core]"),
        ("target/debug/x.d", b"x"),
        ("b/.hidden", b"hidden"),
    ]);
    let corpus = folder.open(&["."]).unwrap();
    let names: Vec<String> =
        folder.names(&corpus).iter().map(|name| name.trim_start_matches("./").into()).collect();
    assert_eq!(names, ["a.md", "b/deep/er/a.rs", "b/z.txt"]);
    let expected = Skipped { binary: 2, empty: 1, unreadable: 0, duplicates: 1 };
    assert_eq!(corpus.skipped(), expected);
}

#[test]
fn order_and_repetition_of_sources_do_not_matter() {
    let folder = Folder::new(&[("a/1", b"one"), ("a/2", b"two"), ("b", b"three")]);
    let once = folder.open(&["a", "b"]).unwrap();
    let again = folder.open(&["b", "a", "a/1", "b"]).unwrap();
    assert_eq!(folder.names(&once), folder.names(&again));
    assert_eq!(again.skipped().duplicates, 0);
    assert_eq!(once.split(), again.split());
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_in_a_loop() {
    let folder = Folder::new(&[("a/text", b"text"), ("elsewhere/more", b"more")]);
    std::os::unix::fs::symlink(folder.path("a"), folder.path("a/loop")).unwrap();
    std::os::unix::fs::symlink(folder.path("elsewhere"), folder.path("a/link")).unwrap();
    std::os::unix::fs::symlink(folder.path("nowhere"), folder.path("a/dangling")).unwrap();
    let corpus = folder.open(&["a"]).unwrap();
    assert_eq!(folder.names(&corpus), ["a/link/more", "a/text"]);
    assert_eq!(corpus.skipped().unreadable, 2);
}

#[test]
fn errors_name_the_source_and_the_reason() {
    let folder = Folder::new(&[
        ("empty", b""),
        ("binary", b"a\0"),
        ("none/image", b"\xff"),
        ("none/e", b""),
    ]);
    assert!(matches!(Corpus::open(&[]), Err(DataError::NoSource)));
    assert!(matches!(folder.open(&["missing"]), Err(DataError::NotFound(_))));
    assert!(matches!(folder.open(&["empty"]), Err(DataError::Empty(_))));
    assert!(matches!(folder.open(&["binary"]), Err(DataError::Binary { offset: 1, .. })));
    assert!(matches!(folder.open(&["none"]), Err(DataError::NoText { skipped: 2, .. })));
    let message = folder.open(&["missing"]).unwrap_err().to_string();
    assert!(message.contains("missing") && message.contains("no such file"), "{message}");
}

#[test]
fn the_error_for_a_short_text_has_both_lengths() {
    let folder = Folder::new(&[("short", b"0123456789\n0123456789\n")]);
    let data = Dataset::encode(&folder.open(&["short"]).unwrap(), &Tokenizer::Byte).unwrap();
    let error = TrainWindows::new(data.train(), 64, 0).unwrap_err().to_string();
    assert!(error.contains("11 tokens") && error.contains("needs 65"), "{error}");
}

#[test]
fn no_training_window_contains_held_out_text() {
    let stories = |seed| Source::Stories { seed, bytes: 30_000 };
    let corpus = Corpus::open(&[stories(1), stories(2)]).unwrap();
    let data = Dataset::encode(&corpus, &Tokenizer::Byte).unwrap();
    let text = Tokenizer::Byte.decode(data.train());
    for story in Tokenizer::Byte.decode(data.validation()).trim().split("\n\n") {
        assert!(!text.contains(story));
    }
    // Each stream is one document, so together they are exactly the corpus.
    assert_eq!(data.train().len() + data.validation().len(), corpus.bytes());
}

#[test]
fn texts_of_a_stream_are_separated() {
    let files: Vec<(String, Vec<u8>)> =
        (0..20).map(|i| (format!("{i:02}"), format!("text {i}").into_bytes())).collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (n.as_str(), b.as_slice())).collect();
    let folder = Folder::new(&files);
    let corpus = folder.open(&["."]).unwrap();
    let data = Dataset::encode(&corpus, &Tokenizer::Byte).unwrap();
    let mut texts: Vec<String> = Vec::new();
    for stream in [data.train(), data.validation()] {
        texts.extend(Tokenizer::Byte.decode(stream).split("\n\n").map(str::to_owned));
    }
    texts.sort();
    let mut expected: Vec<String> = (0..20).map(|i| format!("text {i}")).collect();
    expected.sort();
    assert_eq!(texts, expected);
}

#[test]
fn a_changed_text_changes_the_fingerprint() {
    let fingerprint = |text: &[u8]| {
        let folder = Folder::new(&[("a", text)]);
        Dataset::encode(&folder.open(&["a"]).unwrap(), &Tokenizer::Byte).unwrap().fingerprint()
    };
    assert_eq!(fingerprint(b"one line\nand another\n"), fingerprint(b"one line\nand another\n"));
    assert_ne!(fingerprint(b"one line\nand another\n"), fingerprint(b"one line\nAnd another\n"));
}

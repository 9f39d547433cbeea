//! The text that is held out for validation.

use std::ops::Range;

use super::Document;

/// A range of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Index into the documents of the corpus.
    pub document: usize,
    /// Byte range in that document, on character boundaries.
    pub range: Range<usize>,
}

/// A partition of the corpus into training and validation text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Split {
    /// Parts to train on, in the order of the documents.
    pub train: Vec<Part>,
    /// Parts that training never sees, in the order of the documents.
    pub validation: Vec<Part>,
}

impl Split {
    /// Returns the number of bytes of validation text.
    pub fn validation_bytes(&self) -> usize {
        self.validation.iter().map(|part| part.range.len()).sum()
    }
}

/// One in this many bytes is held out.
const HELD_OUT: usize = 10;

/// Holds out about 10 % of the bytes, preferably as whole documents.
///
/// Visits the documents in the order of their content hashes and holds out each one that fits into the remaining
/// budget of 10 % of all bytes. If none fits, the smallest document is held out. The choice depends only on the
/// contents, not on names. If this uses less than half of the budget, because documents are few or differ widely in
/// size, the end of the largest remaining document is held out as well, from the start of a line. A single document
/// is always divided this way.
pub(super) fn split(documents: &[Document]) -> Split {
    let total: usize = documents.iter().map(Document::len).sum();
    let target = total / HELD_OUT;
    let mut by_hash: Vec<usize> = (0..documents.len()).collect();
    by_hash.sort_by_key(|&index| documents[index].hash());

    let mut held_out = vec![false; documents.len()];
    let mut bytes = 0;
    for &index in &by_hash {
        let len = documents[index].len();
        if len <= target - bytes {
            held_out[index] = true;
            bytes += len;
        }
    }
    if bytes == 0 && documents.len() > 1 {
        let smallest = by_hash.iter().min_by_key(|&&index| documents[index].len());
        if let Some(&smallest) = smallest {
            held_out[smallest] = true;
            bytes = documents[smallest].len();
        }
    }
    let mut divided = None;
    if bytes < target / 2 || documents.len() == 1 {
        let largest = by_hash
            .iter()
            .filter(|&&index| !held_out[index])
            .max_by_key(|&&index| documents[index].len());
        divided = largest.map(|&index| {
            let text = documents[index].bytes();
            (index, line_boundary(text, text.len() - (target - bytes)))
        });
    }

    let mut split = Split::default();
    for (document, text) in documents.iter().enumerate() {
        let cut = match divided {
            Some((index, cut)) if index == document => cut,
            _ if held_out[document] => 0,
            _ => text.len(),
        };
        if cut > 0 {
            split.train.push(Part { document, range: 0..cut });
        }
        if cut < text.len() {
            split.validation.push(Part { document, range: cut..text.len() });
        }
    }
    split
}

/// Returns the start of the line that contains the byte at `near`. If that line is very long, returns the start of
/// the next line, or of the character at `near` if there is none.
fn line_boundary(text: &[u8], near: usize) -> usize {
    let (before, after) = text.split_at(near);
    let this_line = before.iter().rposition(|&byte| byte == b'\n').map(|newline| newline + 1);
    if let Some(start) = this_line.filter(|start| *start >= near / 2) {
        return start;
    }
    let next_line = after.iter().position(|&byte| byte == b'\n').map(|newline| near + newline + 1);
    if let Some(start) = next_line.filter(|start| *start < text.len()) {
        return start;
    }
    let Some(first) = after.first() else { return near };
    let is_continuation = |&&byte: &&u8| byte & 0b1100_0000 == 0b1000_0000;
    near - before.iter().chain([first]).rev().take_while(is_continuation).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(name: &str, text: String) -> Document {
        Document::from_text(name, text)
    }

    fn lines(count: usize, seed: usize) -> String {
        (0..count).map(|line| format!("line {line} of text {seed}\n")).collect()
    }

    fn check_partition(documents: &[Document], split: &Split) {
        let mut covered: Vec<usize> = vec![0; documents.len()];
        for part in split.train.iter().chain(&split.validation) {
            covered[part.document] += part.range.len();
        }
        let sizes: Vec<usize> = documents.iter().map(Document::len).collect();
        assert_eq!(covered, sizes);
    }

    #[test]
    fn a_single_text_is_cut_at_a_line() {
        let documents = [document("a", lines(1000, 0))];
        let split = split(&documents);
        check_partition(&documents, &split);
        let cut = split.validation[0].range.start;
        assert_eq!(documents[0].bytes()[cut - 1], b'\n');
        // The cut lies at most one line (under 30 bytes) before nine tenths.
        let nine_tenths = documents[0].len() - documents[0].len() / 10;
        assert!(cut <= nine_tenths && nine_tenths - cut < 30);
    }

    #[test]
    fn one_long_line_is_cut_between_characters() {
        for text in ["ä".repeat(500), "漢".repeat(333), "🦀".repeat(250)] {
            let documents = [document("a", text)];
            let split = split(&documents);
            let text = documents[0].text().unwrap();
            let part = &split.validation[0].range;
            assert!(text.is_char_boundary(part.start));
            assert!((95..=105).contains(&part.len()), "{}", part.len());
        }
    }

    #[test]
    fn held_out_files_do_not_depend_on_their_path() {
        let texts: Vec<String> = (0..40).map(|seed| lines(50 + 7 * seed, seed)).collect();
        let here: Vec<Document> =
            texts.iter().enumerate().map(|(i, t)| document(&format!("a/{i}"), t.clone())).collect();
        let mut there: Vec<Document> =
            texts.iter().enumerate().map(|(i, t)| document(&format!("b/{i}"), t.clone())).collect();
        there.reverse();
        let held_out = |documents: &[Document]| -> Vec<u128> {
            let split = split(documents);
            check_partition(documents, &split);
            let mut hashes: Vec<u128> = split
                .validation
                .iter()
                .map(|part| {
                    assert_eq!(part.range, 0..documents[part.document].len());
                    documents[part.document].hash()
                })
                .collect();
            hashes.sort_unstable();
            hashes
        };
        assert_eq!(held_out(&here), held_out(&there));
        let total: usize = here.iter().map(Document::len).sum();
        let share = split(&here).validation_bytes() as f64 / total as f64;
        assert!((0.05..=0.10).contains(&share), "{share}");
    }

    #[test]
    fn one_of_two_files_of_equal_size_is_held_out() {
        let documents = [document("a", lines(100, 1)), document("b", lines(100, 2))];
        let split = split(&documents);
        check_partition(&documents, &split);
        assert_eq!((split.train.len(), split.validation.len()), (1, 1));
    }

    #[test]
    fn a_tenth_of_a_huge_and_a_tiny_file_is_held_out() {
        let documents = [document("a", lines(10_000, 1)), document("b", lines(3, 2))];
        let split = split(&documents);
        check_partition(&documents, &split);
        let total: usize = documents.iter().map(Document::len).sum();
        assert_eq!(split.validation.len(), 2);
        let tenth = total / 10;
        assert!(split.validation_bytes().abs_diff(tenth) < 30);
    }

    #[test]
    fn tiny_texts_are_partitioned() {
        for size in 1..30 {
            let documents = [document("a", "x".repeat(size))];
            check_partition(&documents, &split(&documents));
        }
        assert_eq!(split(&[]), Split::default());
    }
}

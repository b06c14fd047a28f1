//! The index: which chunk holds which word how often, ranked by BM25. Equal chunks give
//! equal bytes and equal rankings in every process.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Chunk;
use crate::words::{words, worth_finding};

/// How soon repetitions of a word stop counting.
const K1: f64 = 1.2;
/// How much long chunks are held back.
const B: f64 = 0.75;
/// Version of the stored form.
const FORM: u32 = 1;

/// An index over chunks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Index {
    form: u32,
    chunks: Vec<Chunk>,
    /// Words per chunk.
    lengths: Vec<u32>,
    /// Word to (chunk, count), by chunk.
    postings: BTreeMap<String, Vec<(u32, u32)>>,
}

/// A chunk that answers a question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hit {
    /// The chunk.
    #[serde(flatten)]
    pub chunk: Chunk,
    /// How well it answers; comparable within one answer.
    pub score: f64,
}

impl Index {
    /// An index over these chunks.
    #[must_use]
    pub fn new(chunks: Vec<Chunk>) -> Self {
        let mut lengths = Vec::with_capacity(chunks.len());
        let mut postings: BTreeMap<String, Vec<(u32, u32)>> = BTreeMap::new();
        for (number, chunk) in (0_u32..).zip(&chunks) {
            let mut counts: BTreeMap<String, u32> = BTreeMap::new();
            for word in words(&chunk.text) {
                *counts.entry(word).or_default() += 1;
            }
            lengths.push(counts.values().sum());
            for (word, count) in counts {
                postings.entry(word).or_default().push((number, count));
            }
        }
        Self { form: FORM, chunks, lengths, postings }
    }

    /// The index that these bytes hold, if they hold one that is whole.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let index: Self = serde_json::from_slice(bytes).ok()?;
        let count = index.chunks.len();
        let known = |&(number, _): &(u32, u32)| (number as usize) < count;
        let whole = index.form == FORM && index.lengths.len() == count && index.postings.values().flatten().all(known);
        whole.then_some(index)
    }

    /// How many chunks it holds.
    #[must_use]
    pub fn chunk_count(&self) -> usize {
        self.chunks.len()
    }

    /// The chunks that answer the question best, at most `limit`; by score, then by file,
    /// page and place. A chunk without any of its words is no answer.
    #[must_use]
    pub fn query(&self, question: &str, limit: usize) -> Vec<Hit> {
        let total = self.chunks.len() as f64;
        let average = self.lengths.iter().map(|&length| f64::from(length)).sum::<f64>() / total.max(1.0);
        let mut scores: BTreeMap<u32, f64> = BTreeMap::new();
        let wanted = worth_finding(question);
        for postings in wanted.iter().filter_map(|word| self.postings.get(word)) {
            let holders = postings.len() as f64;
            let rarity = (1.0 + (total - holders + 0.5) / (holders + 0.5)).ln();
            for &(number, count) in postings {
                let count = f64::from(count);
                let length = f64::from(self.lengths[number as usize]) / average.max(1.0);
                let weight = count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length));
                *scores.entry(number).or_default() += rarity * weight;
            }
        }
        let mut ranked: Vec<(u32, f64)> =
            scores.into_iter().map(|(number, score)| (number, (score * 1e4).round() / 1e4)).collect();
        let source = |number: u32| &self.chunks[number as usize].source;
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| source(a.0).cmp(source(b.0))).then(a.0.cmp(&b.0)));
        ranked.truncate(limit);
        ranked.into_iter().map(|(number, score)| Hit { chunk: self.chunks[number as usize].clone(), score }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;

    fn index(texts: &[(&str, u32, &str)]) -> Index {
        let chunk = |&(file, page, text): &(&str, u32, &str)| Chunk {
            text: text.to_owned(),
            source: Source { file: file.to_owned(), page },
        };
        Index::new(texts.iter().map(chunk).collect())
    }

    fn found(index: &Index, question: &str) -> Vec<(String, u32)> {
        index.query(question, 10).into_iter().map(|hit| (hit.chunk.source.file, hit.chunk.source.page)).collect()
    }

    #[test]
    fn rare_words_decide_and_ties_go_by_place() {
        let index = index(&[
            ("b", 2, "the crossing of the bay"),
            ("b", 1, "the crossing of the bay"),
            ("a", 9, "the dogs of the crew"),
            ("c", 1, "nothing of this kind"),
        ]);
        assert_eq!(
            found(&index, "which dog in the bay"),
            [("a", 9), ("b", 1), ("b", 2)].map(|(f, p)| (f.to_owned(), p))
        );
        assert_eq!(found(&index, "bays"), [("b", 1), ("b", 2)].map(|(f, p)| (f.to_owned(), p)));
        assert!(found(&index, "submarine").is_empty());
        assert_eq!(index.query("the", 1).len(), 1);
    }

    #[test]
    fn an_index_reads_back_and_a_broken_one_does_not() {
        let index = index(&[("a", 1, "one two"), ("b", 1, "two three")]);
        let bytes = serde_json::to_vec(&index).unwrap();
        assert_eq!(Index::decode(&bytes).unwrap(), index);
        let broken = String::from_utf8(bytes).unwrap().replace("[[1,1]]", "[[7,1]]");
        assert!(Index::decode(broken.as_bytes()).is_none());
        assert!(Index::decode(b"{}").is_none());
        assert!(Index::new(Vec::new()).query("anything", 5).is_empty());
    }
}

//! Matching sentences to a question by their words: rare words weigh more, long sentences
//! less, and a sentence gains from a passage that speaks of the question.

use std::collections::{BTreeMap, BTreeSet};

use super::sentence::sentences;
use crate::Passage;

/// A sentence below this share of the best score is left out.
const SCORE_SHARE_MIN: f64 = 0.3;

/// Two sentences that share more of their words say the same.
const SAME_SHARE: f64 = 0.8;

/// A quoted sentence.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Quote {
    /// The sentence, on one line.
    pub(super) text: String,
    /// `[file, p. 3]`, empty where the source is unknown.
    pub(super) citation: String,
    /// Which passage it stands in.
    pub(super) passage: usize,
}

struct Candidate {
    text: String,
    passage: usize,
    terms: BTreeSet<String>,
    length: usize,
    score: f64,
}

/// The sentences that match the question best, the best first.
pub(super) fn select(question: &str, passages: &[Passage], limit: usize) -> Vec<Quote> {
    let asked = asked_terms(question);
    let mut candidates = candidates(passages);
    let weights = weights(&asked, &candidates);
    score(&asked, &weights, passages, &mut candidates);
    candidates.retain(|candidate| candidate.score > 0.0);
    // Stable: of equal scores the earlier passage and sentence wins.
    candidates.sort_by(|left, right| right.score.total_cmp(&left.score));
    let floor = candidates.first().map_or(0.0, |best| best.score * SCORE_SHARE_MIN);
    let mut kept: Vec<&Candidate> = Vec::new();
    for candidate in &candidates {
        if kept.len() == limit || candidate.score < floor {
            break;
        }
        if !kept.iter().any(|other| says_the_same(other, candidate)) {
            kept.push(candidate);
        }
    }
    let quote = |kept: &Candidate| Quote {
        text: kept.text.clone(),
        citation: passages[kept.passage].citation(),
        passage: kept.passage,
    };
    kept.into_iter().map(quote).collect()
}

/// The words of a text that carry meaning, in a simple stem, in order.
pub(super) fn terms(text: &str) -> Vec<String> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .filter(|word| !STOP_WORDS.contains(&word.as_str()))
        .map(|word| stem(&word))
        .collect()
}

/// What is asked; a question of stop words alone is taken word by word.
fn asked_terms(question: &str) -> BTreeSet<String> {
    let asked: BTreeSet<String> = terms(question).into_iter().collect();
    if !asked.is_empty() {
        return asked;
    }
    question.split_whitespace().map(|word| stem(&word.to_lowercase())).collect()
}

fn candidates(passages: &[Passage]) -> Vec<Candidate> {
    let mut out = Vec::new();
    for (passage, source) in passages.iter().enumerate() {
        for text in sentences(&source.text) {
            let words = terms(&text);
            let length = words.len();
            out.push(Candidate { text, passage, terms: words.into_iter().collect(), length, score: 0.0 });
        }
    }
    out
}

fn weights(asked: &BTreeSet<String>, candidates: &[Candidate]) -> BTreeMap<String, f64> {
    let total = candidates.len() as f64;
    let weight = |term: &String| {
        let found = candidates.iter().filter(|candidate| candidate.terms.contains(term)).count() as f64;
        (1.0 + (total - found + 0.5) / (found + 0.5)).ln()
    };
    asked.iter().map(|term| (term.clone(), weight(term))).collect()
}

fn score(
    asked: &BTreeSet<String>,
    weights: &BTreeMap<String, f64>,
    passages: &[Passage],
    candidates: &mut [Candidate],
) {
    let sum = |terms: &BTreeSet<String>| -> f64 {
        asked.iter().filter(|term| terms.contains(*term)).filter_map(|term| weights.get(term)).sum()
    };
    let around: Vec<f64> = passages.iter().map(|passage| sum(&terms(&passage.text).into_iter().collect())).collect();
    let total: usize = candidates.iter().map(|candidate| candidate.length).sum();
    let mean = (total as f64 / candidates.len().max(1) as f64).max(1.0);
    for candidate in candidates {
        let own = sum(&candidate.terms);
        if own > 0.0 {
            let length = 0.75 + 0.25 * (candidate.length as f64 / mean);
            // A question repeated in the text is no answer to it.
            let question = if candidate.text.ends_with('?') { 0.5 } else { 1.0 };
            candidate.score = question * (own / length + 0.15 * around[candidate.passage]);
        }
    }
}

fn says_the_same(left: &Candidate, right: &Candidate) -> bool {
    let shared = left.terms.intersection(&right.terms).count() as f64;
    let all = left.terms.union(&right.terms).count().max(1) as f64;
    shared / all > SAME_SHARE
}

/// Takes the commonest English endings off, so that `opened` finds `opening`.
fn stem(word: &str) -> String {
    let long_enough = |stem: &&str| stem.chars().count() >= 3;
    if let Some(base) = word.strip_suffix("ies").filter(long_enough) {
        return format!("{base}y");
    }
    for ending in ["ing", "ed", "es", "s", "e"] {
        if word.ends_with("ss") {
            break;
        }
        if let Some(base) = word.strip_suffix(ending).filter(long_enough) {
            return base.to_owned();
        }
    }
    word.to_owned()
}

const STOP_WORDS: [&str; 78] = [
    "a", "about", "all", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can", "could", "did", "do",
    "does", "for", "from", "had", "has", "have", "how", "i", "if", "in", "into", "is", "it", "its", "may", "me", "my",
    "no", "not", "of", "on", "or", "our", "say", "says", "she", "he", "should", "so", "tell", "than", "that", "the",
    "their", "them", "then", "there", "these", "they", "this", "those", "to", "was", "we", "were", "what", "when",
    "where", "which", "who", "whom", "whose", "why", "will", "with", "would", "you", "your", "answer", "question",
    "please",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_forms_meet() {
        for (left, right) in [("opened", "opening"), ("bridges", "bridge"), ("cities", "city"), ("Rates", "rate")] {
            assert_eq!(terms(left), terms(right), "{left} {right}");
        }
        assert_eq!(terms("the class"), ["class"]);
    }

    #[test]
    fn the_same_statement_is_quoted_once() {
        let passage = |text: &str| Passage { text: text.to_owned(), source: None };
        let passages = [passage("The bridge opened in 1931."), passage("The bridge was opened in 1931.")];
        assert_eq!(select("When did the bridge open?", &passages, 8).len(), 1);
    }
}

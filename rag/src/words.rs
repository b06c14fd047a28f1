//! From text to the words an index knows: by Unicode's word boundaries, in lower case,
//! English plurals as their singular. The same for documents and questions.

use std::collections::BTreeSet;

use unicode_segmentation::UnicodeSegmentation;

/// The words of a text, in order.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    text.unicode_words().map(|word| singular(word.to_lowercase()))
}

/// Words of questions that say nothing of their subject.
const EMPTY: [&str; 58] = [
    "a", "an", "and", "any", "are", "as", "at", "be", "been", "by", "can", "could", "did", "do", "doe", "does", "for",
    "from", "had", "has", "have", "how", "i", "if", "in", "is", "it", "its", "may", "me", "might", "must", "my", "of",
    "on", "or", "our", "should", "that", "the", "their", "there", "they", "this", "to", "was", "we", "were", "what",
    "when", "where", "which", "who", "why", "will", "with", "would", "you",
];

/// The words of a question that are worth looking for, sorted, each once; all of them
/// where none is.
#[must_use]
pub fn worth_finding(question: &str) -> BTreeSet<String> {
    let all: BTreeSet<String> = words(question).collect();
    let full: BTreeSet<String> = all.iter().filter(|word| !EMPTY.contains(&word.as_str())).cloned().collect();
    if full.is_empty() { all } else { full }
}

/// A light stemmer: it joins what is surely one word and leaves all else alone.
fn singular(mut word: String) -> String {
    if word.ends_with("'s") || word.ends_with("’s") {
        let cut = word.rfind(['\'', '’']).unwrap_or(word.len());
        word.truncate(cut);
        return word;
    }
    if word.len() < 4 || !word.is_ascii() {
        return word;
    }
    if word.ends_with("ies") && !word.ends_with("eies") && !word.ends_with("aies") {
        word.truncate(word.len() - 3);
        word.push('y');
    } else if word.ends_with("sses") || word.ends_with("ches") || word.ends_with("shes") || word.ends_with("xes") {
        word.truncate(word.len() - 2);
    } else if word.ends_with('s') && !word.ends_with("ss") && !word.ends_with("us") && !word.ends_with("is") {
        word.truncate(word.len() - 1);
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_about_its_subject() {
        let worth = |text: &str| worth_finding(text).into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(worth("What does a dog pay, and who decides?"), "decide dog pay");
        assert_eq!(worth("Who is it?"), "is it who");
    }

    #[test]
    fn a_question_meets_the_words_of_a_document() {
        let of = |text: &str| words(text).collect::<Vec<_>>().join(" ");
        assert_eq!(
            of("Ferries' late PASSENGERS, boxes; the master's decision"),
            "ferry late passenger box the master decision"
        );
        assert_eq!(of("glass status this 12.50 2026-01"), "glass status this 12.50 2026 01");
        assert_eq!(of("Größe Äpfel"), "größe äpfel");
        assert_eq!(of("東京"), "東 京");
    }
}

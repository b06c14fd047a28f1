//! Cutting a passage into sentences, as pages come out of PDFs: with line breaks inside
//! sentences, headings, bullets and abbreviations.

/// The longest sentence that is quoted whole, in characters.
const CHARS_MAX: usize = 400;

/// A sentence needs as many words to be worth quoting.
const WORDS_MIN: usize = 3;

const ABBREVIATIONS: [&str; 26] = [
    "mr", "mrs", "ms", "dr", "prof", "st", "no", "nos", "fig", "vs", "etc", "e.g", "i.e", "cf", "al", "inc", "ltd",
    "co", "approx", "p", "pp", "vol", "ca", "jr", "sr", "sec",
];

/// The sentences of a passage, in order, each on one line.
pub(super) fn sentences(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for block in blocks(text) {
        cut(&block, &mut out);
    }
    out
}

/// Runs of lines that belong together: broken by blank lines, headings, bullets and rows.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in text.lines() {
        let line = line.trim();
        let bullet = ["- ", "* ", "• ", "– "].iter().find_map(|mark| line.strip_prefix(mark));
        let heading = line.starts_with('#');
        if line.is_empty() || heading || bullet.is_some() || line.starts_with('|') {
            blocks.push(String::new());
        }
        let words = bullet.unwrap_or_else(|| line.trim_start_matches('#')).trim();
        if let Some(block) = blocks.last_mut() {
            join_line(block, words);
        }
        if heading {
            blocks.push(String::new());
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

/// Adds a line to its block; a word hyphenated at the end of the line becomes whole.
fn join_line(block: &mut String, line: &str) {
    if block.is_empty() {
        block.push_str(line);
        return;
    }
    let hyphenated = block.ends_with('-') && block.chars().rev().nth(1).is_some_and(char::is_lowercase);
    if hyphenated && line.starts_with(char::is_lowercase) {
        block.pop();
    } else {
        block.push(' ');
    }
    block.push_str(line);
}

fn cut(block: &str, out: &mut Vec<String>) {
    let mut sentence = String::new();
    let mut words = block.split_whitespace().peekable();
    while let Some(word) = words.next() {
        if !sentence.is_empty() {
            sentence.push(' ');
        }
        sentence.push_str(word);
        let ends = words.peek().is_none_or(|next| ends_sentence(word, next));
        if ends {
            keep(std::mem::take(&mut sentence), out);
        }
    }
}

fn ends_sentence(word: &str, next: &str) -> bool {
    let bare = word.trim_end_matches(['"', '\'', ')', ']', '”', '’', '»']);
    if bare.ends_with(['!', '?']) {
        return true;
    }
    let Some(stem) = bare.strip_suffix('.') else { return false };
    let stem = stem.trim_start_matches(['(', '"', '“', '[']).to_lowercase();
    let is_initial = stem.chars().count() == 1 && stem.chars().all(char::is_alphabetic);
    if is_initial || ABBREVIATIONS.contains(&stem.as_str()) {
        return false;
    }
    !next.starts_with(char::is_lowercase)
}

fn keep(sentence: String, out: &mut Vec<String>) {
    let words = sentence.split(' ').filter(|word| word.chars().any(char::is_alphanumeric)).count();
    if words < WORDS_MIN {
        return;
    }
    if sentence.chars().count() <= CHARS_MAX {
        out.push(sentence);
        return;
    }
    let mut short: String = sentence.chars().take(CHARS_MAX).collect();
    if let Some(space) = short.rfind(' ') {
        short.truncate(space);
    }
    short.push('…');
    out.push(short);
}

#[cfg(test)]
mod tests {
    use super::sentences;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(sentences(text), expected, "{text:?}");
    }

    #[test]
    fn line_breaks_and_hyphens_of_a_page_are_healed() {
        check("The har-\nbour was built\nin 1900. It is large.", &["The harbour was built in 1900.", "It is large."]);
    }

    #[test]
    fn abbreviations_numbers_and_initials_do_not_end_a_sentence() {
        check(
            "Dr. J. Nowak paid 3.50 euros, e.g. for soup. Was it hot? Yes it was.",
            &["Dr. J. Nowak paid 3.50 euros, e.g. for soup.", "Was it hot?", "Yes it was."],
        );
    }

    #[test]
    fn headings_bullets_and_rows_stand_alone() {
        check(
            "# The big title\nFirst line of text here.\n- one two three\n- four five six\n\n| a b c |",
            &["The big title", "First line of text here.", "one two three", "four five six", "| a b c |"],
        );
    }

    #[test]
    fn a_monster_is_cut_at_a_word() {
        let long = "word ".repeat(200);
        let cut = &sentences(&long)[0];
        assert!(cut.ends_with("word…") && cut.chars().count() <= 401, "{cut}");
    }
}

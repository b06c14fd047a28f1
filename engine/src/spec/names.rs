//! Names: those every graph may use, and the nearest to one that is misspelt.

/// Top-level names of expressions and templates.
pub(crate) const SCOPE: [&str; 12] =
    ["args", "ask", "deps", "error", "errors", "event", "input", "item", "output", "run", "secret", "state"];

/// The name most like `name`, if one is like enough to have been meant.
pub(crate) fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let allowed = (name.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .filter(|candidate| *candidate != name)
        .map(|candidate| (distance(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, substitutions and swaps of neighbours between two words.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().take(64).collect(), right.chars().take(64).collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for row in 1..=left.len() {
        let mut current = vec![row];
        for column in 1..=right.len() {
            let same = usize::from(left[row - 1] != right[column - 1]);
            let mut cost = (last[column - 1] + same).min(last[column] + 1).min(current[column - 1] + 1);
            let swapped =
                row > 1 && column > 1 && left[row - 1] == right[column - 2] && left[row - 2] == right[column - 1];
            if swapped {
                cost = cost.min(before[column - 2] + 1);
            }
            current.push(cost);
        }
        before = std::mem::replace(&mut last, current);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_the_name_meant() {
        assert_eq!(nearest("revew", ["review", "write"]), Some("review"));
        assert_eq!(nearest("thne", ["then", "tool"]), Some("then"));
        assert_eq!(nearest("publish", ["write", "review"]), None);
    }
}

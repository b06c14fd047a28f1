//! The text of an HTML page as a reader sees it: no scripts, no markup, blocks on lines of
//! their own. Walks without recursion, so that no nesting is too deep.

use scraper::Html;
use scraper::node::Node;

/// Elements whose content nobody reads.
const HIDDEN: [&str; 8] = ["script", "style", "template", "noscript", "svg", "iframe", "object", "head"];
/// Elements that stand on lines of their own.
const BLOCKS: [&str; 34] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "br",
    "caption",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tr",
    "ul",
];
/// Blocks with an empty line around them.
const PARAGRAPHS: [&str; 11] = ["p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "section"];

/// What the page says, its title first.
pub(super) fn text_of(page: &str) -> String {
    let html = Html::parse_document(page);
    let mut text = String::new();
    let title = html.tree.nodes().find(|node| node.value().as_element().is_some_and(|e| e.name() == "title"));
    for part in title.iter().flat_map(|title| title.children()) {
        if let Node::Text(part) = part.value() {
            words(&mut text, part);
        }
    }
    text.push_str("\n\n");
    let mut next = Some(html.tree.root());
    while let Some(node) = next {
        let hidden = match node.value() {
            Node::Element(element) => {
                boundary(&mut text, element.name());
                HIDDEN.contains(&element.name())
            }
            Node::Text(part) => {
                words(&mut text, part);
                false
            }
            _ => false,
        };
        next = if hidden { None } else { node.first_child() };
        let mut at = node;
        while next.is_none() {
            if let Node::Element(element) = at.value() {
                boundary(&mut text, element.name());
            }
            next = at.next_sibling();
            match at.parent() {
                Some(parent) if next.is_none() => at = parent,
                _ => break,
            }
        }
    }
    text
}

fn boundary(text: &mut String, name: &str) {
    if matches!(name, "td" | "th") && !text.ends_with([' ', '\n']) {
        text.push(' ');
    }
    if BLOCKS.contains(&name) {
        while text.ends_with(' ') {
            text.pop();
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
        if PARAGRAPHS.contains(&name) && !text.ends_with("\n\n") {
            text.push('\n');
        }
    }
}

/// Appends words with single blanks between them.
fn words(text: &mut String, part: &str) {
    for c in part.chars() {
        if !c.is_whitespace() {
            text.push(c);
        } else if !text.ends_with([' ', '\n']) {
            text.push(' ');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_as_people_see_it() {
        let page = "<html><head><title>Bo&amp;at</title><style>p{}</style></head><body><h1>Fares</h1>\
            <p>A <b>car</b>\n costs <i>9</i>&nbsp;€.</p><script>x()</script>\
            <table><tr><td>Bike</td><td>2</td></tr><tr><td>Dog</td><td>1</td></tr></table><ul><li>a<li>b</ul></body></html>";
        let text = text_of(page);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        assert_eq!(lines, ["Bo&at", "Fares", "A car costs 9 €.", "Bike 2", "Dog 1", "a", "b"]);
    }

    #[test]
    fn no_nesting_is_too_deep() {
        let page = format!("{}deep{}", "<div>".repeat(20_000), "</div>".repeat(20_000));
        assert!(text_of(&page).contains("deep"));
    }
}

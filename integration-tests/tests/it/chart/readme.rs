//! Makes the chart's `README.md` from its head and from the comments of `values.yaml`: two marks
//! begin a section, what follows until an empty line is its prose, and a comment right above a
//! key describes it. Every key is described, or holds only keys that are.

/// The whole text.
pub(super) fn of(head: &str, values: &str) -> String {
    let mut readme = Readme { text: head.to_owned(), ..Readme::default() };
    values.lines().for_each(|line| readme.take(line));
    readme.text
}

#[derive(Default)]
struct Readme {
    text: String,
    /// Comment lines that were not used yet.
    comments: Vec<String>,
    /// Whether comments belong to the section rather than to a key.
    prose: bool,
    /// Whether the section's table has begun.
    table: bool,
    /// Keys around the present line, with how far they are indented.
    path: Vec<(usize, String)>,
}

impl Readme {
    fn take(&mut self, line: &str) {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            self.end_of_paragraph();
        } else if let Some(title) = trimmed.strip_prefix("## ") {
            self.text += &format!("\n## {title}\n");
            (self.prose, self.table) = (true, false);
            self.comments.clear();
        } else if let Some(comment) = trimmed.strip_prefix('#') {
            self.comments.push(comment.trim().to_owned());
        } else {
            self.key(line.len() - line.trim_start().len(), trimmed);
        }
    }

    fn end_of_paragraph(&mut self) {
        if self.prose && !self.comments.is_empty() {
            self.text += &format!("\n{}\n", self.comments.join("\n"));
        }
        self.prose = false;
        self.comments.clear();
    }

    fn key(&mut self, indent: usize, line: &str) {
        let (key, default) = line.split_once(':').unwrap_or_else(|| panic!("{line:?} is no key on one line"));
        self.path.retain(|(other, _)| *other < indent);
        self.path.push((indent, key.to_owned()));
        let path = self.path.iter().map(|(_, key)| key.as_str()).collect::<Vec<_>>().join(".");
        let default = default.trim();
        if self.comments.is_empty() {
            assert!(default.is_empty(), "nobody says what {path} is: write a comment above it");
            return;
        }
        if !self.table {
            self.text += "\n| value | what it is | default |\n|---|---|---|\n";
            self.table = true;
        }
        let cell = |text: &str| text.replace('|', "\\|");
        let shown = if default.is_empty() { String::new() } else { format!("`{}`", cell(default)) };
        self.text += &format!("| `{path}` | {} | {shown} |\n", cell(&self.comments.join(" ")));
        self.comments.clear();
    }
}

//! Markdown: escapes, headings, tables.

/// A text that grows.
#[derive(Default)]
pub(super) struct Page {
    text: String,
}

impl Page {
    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// An empty line, if there is none yet.
    pub(super) fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// Lines that belong together.
    pub(super) fn paragraph(&mut self, text: &str) {
        self.line(text);
        self.gap();
    }

    /// A heading that can be linked to.
    pub(super) fn heading(&mut self, level: usize, anchor: &str, title: &str) {
        self.gap();
        self.line(&format!("<a id=\"{anchor}\"></a>"));
        self.gap();
        self.line(&format!("{} {}", "#".repeat(level), prose(title)));
        self.gap();
    }

    /// A table; its cells are Markdown already.
    pub(super) fn table<const N: usize>(&mut self, head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
        self.gap();
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return;
        }
        self.line(&format!("| {} |", head.join(" | ")));
        self.line(&format!("|{}", " --- |".repeat(N)));
        for row in rows {
            let cells = row.map(|cell| cell.replace('|', "\\|").replace('\n', " "));
            self.line(&format!("| {} |", cells.join(" | ")));
        }
        self.gap();
    }

    /// A block as it stands.
    pub(super) fn block(&mut self, language: &str, content: &str) {
        self.gap();
        self.line(&format!("```{language}"));
        self.line(content.trim_end());
        self.line("```");
        self.gap();
    }

    pub(super) fn finish(mut self) -> String {
        while self.text.ends_with("\n\n") {
            self.text.pop();
        }
        self.text
    }
}

/// A sentence of the spec: what Markdown would take for a sign of its own is escaped, but for code in backticks.
pub(super) fn prose(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_code = false;
    for c in text.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        match c {
            '`' => in_code = !in_code,
            '<' if !in_code => {
                out.push_str("&lt;");
                continue;
            }
            '*' | '_' | '[' | ']' | '\\' if !in_code => out.push('\\'),
            _ => {}
        }
        out.push(c);
    }
    if in_code {
        out.push('`');
    }
    out
}

/// Something as code.
pub(super) fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

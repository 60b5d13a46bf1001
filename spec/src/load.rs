//! Reads spec files. Errors name file, line and key.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::model::File;

/// A spec file and where it stands.
#[derive(Debug)]
pub struct Source {
    /// Its path below the spec's folder, with `/`.
    pub path: String,
    /// What it says.
    pub file: File,
}

/// Something wrong in a spec file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file's path below the spec's folder.
    pub path: String,
    /// The line, from 1; 0 if the whole file is meant.
    pub line: u64,
    /// The key inside the file, with dots, or empty.
    pub key: String,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for Problem {}

/// Reads every `*.yaml` below a folder, in order of their paths.
pub fn folder(root: &Path) -> Result<Vec<Source>, Vec<Problem>> {
    let mut paths = Vec::new();
    walk(root, &mut paths).map_err(|e| vec![at(&root.display().to_string(), 0, "", &format!("can't be read: {e}"))])?;
    paths.sort();
    let texts = paths.iter().map(|path| {
        let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
        std::fs::read_to_string(path)
            .map_err(|e| at(&name, 0, "", &format!("can't be read: {e}")))
            .map(|text| (name.clone(), text))
    });
    collect(texts)
}

/// The spec files that this library carries.
pub fn embedded() -> Result<Vec<Source>, Vec<Problem>> {
    const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
    collect(FILES.iter().map(|(name, text)| Ok((name.to_string(), text.to_string()))))
}

/// Reads one file's text.
pub fn text(path: &str, text: &str) -> Result<Source, Problem> {
    let mut file = serde_saphyr::from_str::<File>(text).map_err(|e| {
        let line = e.location().map_or(0, |l| l.line());
        Problem { path: path.to_owned(), line, key: key_at(text, line), what: first_line(&e.to_string()) }
    })?;
    macro_rules! fill {
        ($($section:ident),*) => {$(for item in file.$section.values_mut() {
            item.release = item.release.take().or_else(|| file.defaults.release.clone());
            item.source = item.source.take().or_else(|| file.defaults.source.clone());
        })*};
    }
    fill!(enums, flags, types, tags, messages);
    Ok(Source { path: path.to_owned(), file })
}

fn collect(texts: impl Iterator<Item = Result<(String, String), Problem>>) -> Result<Vec<Source>, Vec<Problem>> {
    let mut sources = Vec::new();
    let mut problems = Vec::new();
    for read in texts {
        match read.and_then(|(name, content)| text(&name, &content)) {
            Ok(source) => sources.push(source),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(sources) } else { Err(problems) }
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, paths)?;
        } else if path.extension().is_some_and(|e| e == "yaml") {
            paths.push(path);
        }
    }
    Ok(())
}

/// A problem of something that has no site yet.
pub(crate) fn at(path: &str, line: u64, key: &str, what: &str) -> Problem {
    Problem { path: path.to_owned(), line, key: key.to_owned(), what: what.to_owned() }
}

/// Problems in the order of the files, each once.
pub(crate) fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    problems.dedup();
    problems
}

/// The keys that lead to a line, read off the indentation: the parser reports a line, people think in keys.
fn key_at(text: &str, line: u64) -> String {
    let mut keys: Vec<(usize, &str)> = Vec::new();
    for row in text.lines().take(line as usize) {
        let content = row.trim_start_matches([' ', '-']);
        let Some((key, _)) = content.split_once(':') else { continue };
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.$-".contains(&b)) {
            continue;
        }
        let indent = row.len() - content.len();
        keys.retain(|(depth, _)| *depth < indent);
        keys.push((indent, key));
    }
    keys.iter().map(|(_, key)| *key).collect::<Vec<_>>().join(".")
}

fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    // the place is told by the problem itself
    line.split_once("error: ").map_or(line, |(_, rest)| rest).to_owned()
}

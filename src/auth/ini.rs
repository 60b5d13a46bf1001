//! The syntax of keyrings: Ceph's form of INI files, line by line.

use nom::branch::alt;
use nom::bytes::complete::{take_till1, take_while1};
use nom::character::complete::{anychar, char, multispace0, none_of};
use nom::combinator::{all_consuming, map, opt, rest};
use nom::multi::fold_many0;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser as _};
use zeroize::Zeroizing;

/// What a line says.
#[derive(Debug, PartialEq)]
pub(crate) enum Line {
    /// Nothing, or a comment.
    Blank,
    /// `[name]`
    Section(String),
    /// `name = value`. Words of the name are joined by one underscore; the value may be a secret.
    Setting(String, Zeroizing<String>),
}

/// The lines with their numbers, from 1. A line that can't be read is `Err` with nothing but its number.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, Result<Line, ()>)> {
    let mut physical = text.lines().zip(1..);
    std::iter::from_fn(move || {
        let (first, number) = physical.next()?;
        let Some(mut part) = continued(first) else { return Some((number, parse(first))) };
        // as long as all of it can be, so that it doesn't grow and leave copies behind
        let following = physical
            .clone()
            .map(|(line, _)| line)
            .scan(true, |goes_on, line| std::mem::replace(goes_on, continued(line).is_some()).then_some(line.len()));
        let mut joined = Zeroizing::new(String::with_capacity(first.len() + following.sum::<usize>()));
        loop {
            joined.push_str(part);
            match physical.next() {
                None => break,
                Some((next, _)) => match continued(next) {
                    Some(more) => part = more,
                    None => {
                        joined.push_str(next);
                        break;
                    }
                },
            }
        }
        Some((number, parse(&joined)))
    })
}

/// What stands before the backslash that continues a line, if there is one.
fn continued(line: &str) -> Option<&str> {
    let slashes = line.len() - line.trim_end_matches('\\').len();
    if slashes % 2 == 1 { line.strip_suffix('\\') } else { None }
}

fn parse(text: &str) -> Result<Line, ()> {
    let end = (multispace0, opt((one_of_comment, rest)));
    match all_consuming((preceded(multispace0, alt((section, setting, blank))), end)).parse(text) {
        Ok((_, (line, _))) => Ok(line),
        Err(_) => Err(()),
    }
}

fn one_of_comment(text: &str) -> IResult<&str, char> {
    alt((char('#'), char(';'))).parse(text)
}

fn blank(text: &str) -> IResult<&str, Line> {
    Ok((text, Line::Blank))
}

fn section(text: &str) -> IResult<&str, Line> {
    map(delimited(char('['), take_till1(|c| c == ']'), char(']')), |name: &str| Line::Section(name.trim().into()))
        .parse(text)
}

fn setting(text: &str) -> IResult<&str, Line> {
    let name = take_while1(|c: char| !"=#;[]\"'".contains(c));
    map((name, char('='), multispace0, value), |(name, _, _, value)| Line::Setting(normal(name), value)).parse(text)
}

/// Spaces and underscores mean the same.
fn normal(name: &str) -> String {
    let words: Vec<&str> =
        name.split(|c: char| c.is_whitespace() || c == '_').filter(|word| !word.is_empty()).collect();
    words.join("_")
}

fn value(text: &str) -> IResult<&str, Zeroizing<String>> {
    alt((|text| quoted('"', text), |text| quoted('\'', text), bare)).parse(text)
}

fn quoted(quote: char, text: &str) -> IResult<&str, Zeroizing<String>> {
    let end = if quote == '"' { "\"\\" } else { "'\\" };
    delimited(char(quote), |text| characters(end, text), char(quote)).parse(text)
}

fn bare(text: &str) -> IResult<&str, Zeroizing<String>> {
    let (left, mut value) = characters("#;\"'\\", text)?;
    let length = value.trim_end().len();
    value.truncate(length);
    Ok((left, value))
}

/// Characters up to one that ends them; behind a backslash every character stands for itself.
fn characters<'t>(end: &'static str, text: &'t str) -> IResult<&'t str, Zeroizing<String>> {
    let empty = || Zeroizing::new(String::with_capacity(text.len()));
    fold_many0(alt((preceded(char('\\'), anychar), none_of(end))), empty, |mut value, c| {
        value.push(c);
        value
    })
    .parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(name: &str, value: &str) -> Line {
        Line::Setting(name.into(), Zeroizing::new(value.into()))
    }

    #[test]
    fn every_kind_of_line() {
        for (text, expected) in [
            ("", Line::Blank),
            ("  \t# comment = 1", Line::Blank),
            ("; [comment]", Line::Blank),
            ("[client.admin]", Line::Section("client.admin".into())),
            ("  [ mon. ]  # the monitors", Line::Section("mon.".into())),
            ("key = AQ==", setting("key", "AQ==")),
            ("\tkey=AQ== ; comment", setting("key", "AQ==")),
            ("caps  mon = \"allow *\"", setting("caps_mon", "allow *")),
            ("caps_mon = 'allow \"r\"' # all", setting("caps_mon", "allow \"r\"")),
            (r#"caps osd = "a \"b\" \\ #c""#, setting("caps_osd", r#"a "b" \ #c"#)),
            ("pending _ key =", setting("pending_key", "")),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        for text in ["word", "[client.admin", "[]", "= value", "a = \"b", "a = \"b\" c", "[a] b", "a = b \"c\""] {
            assert_eq!(parse(text), Err(()), "{text}");
        }
    }

    #[test]
    fn lines_go_on_behind_a_backslash() {
        let text = "a = 1\\\n2\\\n3\r\nb = x\\\\\nc = 4\\";
        let all: Vec<_> = lines(text).map(|(number, line)| (number, line.unwrap())).collect();
        assert_eq!(all, [(1, setting("a", "123")), (4, setting("b", "x\\")), (5, setting("c", "4"))]);
    }
}

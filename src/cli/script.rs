//! Scripts for servers: what is to come, and what to say.

use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use msgr2::net::Session;
use msgr2::peer::Message;
use msgr2::types::MessageType;

use crate::peer::message_type;

/// A script: a line for each message, `#` begins a comment.
///
///     expect PING hello      # a message of this type with this text has to come
///     expect 42              # any text will do
///     send MON_MAP hello yourself
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Script(Vec<Step>);

#[derive(Clone, Debug, PartialEq)]
struct Step {
    line: usize,
    what: What,
}

#[derive(Clone, Debug, PartialEq)]
enum What {
    Expect(MessageType, Option<String>),
    Send(MessageType, String),
}

impl FromStr for Script {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut steps = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let content = line.split('#').next().unwrap_or_default().trim();
            if content.is_empty() {
                continue;
            }
            let what = step(content).with_context(|| format!("line {}", index + 1))?;
            steps.push(Step { line: index + 1, what });
        }
        Ok(Script(steps))
    }
}

fn step(line: &str) -> Result<What> {
    let (verb, rest) = word(line);
    let (kind, text) = word(rest);
    let kind = message_type(kind).map_err(anyhow::Error::msg);
    match verb {
        "expect" => Ok(What::Expect(kind?, Some(text.to_owned()).filter(|text| !text.is_empty()))),
        "send" => Ok(What::Send(kind?, text.to_owned())),
        _ => bail!("{verb:?} is neither expect nor send"),
    }
}

/// The first word, and what is behind it.
fn word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

impl Script {
    /// Goes through the script with a client. What comes otherwise than expected is an error.
    pub(crate) async fn run(&self, session: &Session) -> Result<()> {
        for Step { line, what } in &self.0 {
            match what {
                What::Send(kind, text) => session.send(Message::new(*kind, text.clone())).await?,
                What::Expect(kind, text) => {
                    let Some(message) = session.receive().await? else {
                        bail!("script line {line}: the client closed instead of sending {kind}");
                    };
                    let found = String::from_utf8_lossy(&message.front);
                    if message.kind != *kind || text.as_ref().is_some_and(|text| *text != found) {
                        let text = text.as_deref().unwrap_or("");
                        bail!("script line {line}: {} {found:?} came instead of {kind} {text:?}", message.kind);
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read() {
        let script: Script = "# all\n\nexpect PING hello there # x\nexpect 42\n send MON_MAP\n".parse().unwrap();
        let steps = [
            Step { line: 3, what: What::Expect(MessageType::PING, Some("hello there".to_owned())) },
            Step { line: 4, what: What::Expect(MessageType(42), None) },
            Step { line: 5, what: What::Send(MessageType::MON_MAP, String::new()) },
        ];
        assert_eq!(script.0, steps);
    }

    #[test]
    fn errors_name_the_line() {
        for (text, wrong) in [("send PING\nsay PING x", "\"say\""), ("\nsend NOTHING x", "\"NOTHING\"")] {
            let error = format!("{:#}", text.parse::<Script>().unwrap_err());
            assert!(error.starts_with("line 2: ") && error.contains(wrong), "{error}");
        }
    }
}

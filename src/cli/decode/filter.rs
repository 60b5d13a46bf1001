//! Which frames are shown.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use msgr2::auth::EntityName;
use msgr2::info;
use msgr2::tracker::Unit;
use msgr2::types::{EntityType, MessageType};
use msgr2::wire::{EnumInfo, Severity};

use super::print::{OTHER_NAMES, name};

/// Options of which each may be given several times: a frame is shown if it is one of those that each kind of option asks
/// for.
#[derive(Args)]
#[command(next_help_heading = "What is shown (of one kind any counts, of several kinds all)")]
pub(crate) struct Filter {
    /// Frames of this connection: its number, as in Wireshark's `tcp.stream`.
    #[arg(long = "stream", value_name = "N")]
    streams: Vec<u32>,
    /// Frames with this tag, such as `HELLO` or `1`; BANNER stands for banners.
    #[arg(long = "tag", value_name = "NAME|NUMBER")]
    tags: Vec<Tag>,
    /// Messages of this type, such as `OSD_OP` or `42`.
    #[arg(long = "type", value_name = "MESSAGE_TYPE", value_parser = message_type)]
    types: Vec<MessageType>,
    /// Frames of connections with this entity at either end, such as `client.admin`, `osd.3` or `osd`, as far as AUTH_REQUEST,
    /// HELLO, the IDENTs and addresses tell. A connection's first frames are shown when it is known whose they are.
    #[arg(long = "entity", value_name = "NAME")]
    entities: Vec<Entity>,
    /// Frames with a finding, of this severity or a worse one.
    #[arg(long, value_name = "SEVERITY", num_args = 0..=1, require_equals = true, default_missing_value = "chat")]
    findings: Vec<Least>,
}

/// A tag, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tag {
    Name(String),
    Number(u8),
}

impl FromStr for Tag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(number) = text.parse() {
            return Ok(Tag::Number(number));
        }
        let upper = text.to_uppercase();
        let tags: [&EnumInfo; 2] = [&info::V2_0_TAG, &info::PROPOSAL_TAG];
        let known = tags.iter().any(|tags| tags.number(&upper).is_some()) || OTHER_NAMES.contains(&&*upper);
        if known { Ok(Tag::Name(upper)) } else { Err("no frame has this name".to_owned()) }
    }
}

fn message_type(text: &str) -> Result<MessageType, String> {
    if let Ok(number) = text.parse() {
        return Ok(MessageType(number));
    }
    let number = info::MESSAGE_TYPE.number(&text.to_uppercase()).and_then(|number| number.try_into().ok());
    number.map(MessageType).ok_or_else(|| "no message has this name".to_owned())
}

/// An entity, or all of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entity {
    kind: EntityType,
    id: Option<String>,
}

impl FromStr for Entity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('.') {
            let EntityName { kind, id } = text.parse().map_err(|e: msgr2::auth::BadEntityName| e.to_string())?;
            return Ok(Entity { kind, id: Some(id) });
        }
        let number = info::ENTITY_TYPE.number(text).and_then(|number| number.try_into().ok());
        let kind = number.map(EntityType).ok_or_else(|| format!("`{text}` is no type of an entity"))?;
        Ok(Entity { kind, id: None })
    }
}

impl Entity {
    /// Whether something is that: its type, and the names behind the dot that it goes by.
    pub(super) fn is(&self, kind: EntityType, ids: &[String]) -> bool {
        self.kind == kind && self.id.as_ref().is_none_or(|id| ids.contains(id))
    }
}

/// The least severity.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Least {
    /// All of them.
    Chat,
    /// Notable, or worse.
    Note,
    /// Unusual, or worse.
    Warn,
    /// Serious.
    Error,
}

impl Least {
    fn severity(self) -> Severity {
        match self {
            Least::Chat => Severity::Chat,
            Least::Note => Severity::Note,
            Least::Warn => Severity::Warn,
            Least::Error => Severity::Error,
        }
    }
}

impl Filter {
    /// Whether any connection may be shown only once it is known whose it is.
    pub(super) fn entities(&self) -> &[Entity] {
        &self.entities
    }

    /// Whether everything is shown.
    pub(super) fn is_empty(&self) -> bool {
        let Filter { streams, tags, types, entities, findings } = self;
        streams.is_empty() && tags.is_empty() && types.is_empty() && entities.is_empty() && findings.is_empty()
    }

    /// Whether a unit may be shown.
    pub(super) fn allows(&self, stream: u32, unit: &Unit) -> bool {
        any(&self.streams, |wanted| *wanted == stream)
            && any(&self.tags, |tag| tag.is(unit))
            && any(&self.types, |wanted| unit.message == Some(*wanted))
            && any(&self.findings, |least| has(unit, *least))
    }
}

/// Nothing asked for is all.
fn any<T>(wanted: &[T], is: impl FnMut(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(is)
}

impl Tag {
    fn is(&self, unit: &Unit) -> bool {
        match self {
            Tag::Number(number) => unit.tag() == Some(*number),
            Tag::Name(wanted) => name(unit) == *wanted,
        }
    }
}

fn has(unit: &Unit, least: Least) -> bool {
    unit.findings.iter().any(|finding| finding.kind.info().severity >= least.severity())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_asked_for() {
        assert_eq!("hello".parse(), Ok(Tag::Name("HELLO".to_owned())));
        assert_eq!("banner".parse(), Ok(Tag::Name("BANNER".to_owned())));
        assert_eq!("START".parse(), Ok(Tag::Name("START".to_owned())));
        assert_eq!("17".parse(), Ok(Tag::Number(17)));
        assert!("HELO".parse::<Tag>().is_err() && "256".parse::<Tag>().is_err());
        assert_eq!(message_type("osd_op"), Ok(MessageType::OSD_OP));
        assert_eq!(message_type("42"), Ok(MessageType::OSD_OP));
        assert!(message_type("OSD_OOPS").is_err());
        let ids = |ids: &[&str]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        let entity = |text: &str| text.parse::<Entity>().unwrap();
        assert!(entity("osd").is(EntityType::OSD, &[]) && entity("osd.3").is(EntityType::OSD, &ids(&["7", "3"])));
        assert!(
            !entity("osd.3").is(EntityType::OSD, &ids(&["33"])) && !entity("osd.3").is(EntityType::MDS, &ids(&["3"]))
        );
        assert!(entity("mon.").is(EntityType::MON, &ids(&[""])) && !entity("mon.a").is(EntityType::MON, &ids(&[""])));
        assert!(["", "osdd", "osdd.3", "nobody"].iter().all(|text| text.parse::<Entity>().is_err()));
    }
}

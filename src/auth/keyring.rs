//! Keyrings: the keys of entities as Ceph writes them to files.
//!
//! A section for each entity (`[client.admin]`), in it `key = …`, perhaps `pending key = …`, and capabilities as
//! `caps mon = "allow *"`. `[global]` and unknown options are skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::ini::{self, Line};
use super::{BadEntityName, EntityName, Key, KeyError};

/// The keys of entities, sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keyring {
    entities: BTreeMap<EntityName, Entity>,
    /// Whose keys were replaced by others of the same text.
    conflicts: BTreeSet<EntityName>,
}

/// What a keyring says of an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// Its key.
    pub key: Key,
    /// The key that is to replace it; as good as the other until then.
    pub pending_key: Option<Key>,
    /// What it may do, by the service's name, for example `mon`: `allow *`.
    pub caps: BTreeMap<String, String>,
}

/// Why a file is no keyring.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct KeyringError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: KeyringProblem,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringProblem {
    /// It isn't UTF-8.
    #[error("not text")]
    NotText,
    /// Neither a section nor a setting nor a comment.
    #[error("neither `[section]` nor `name = value`")]
    Syntax,
    /// A setting before the first section.
    #[error("a setting outside of all sections")]
    OutsideSection,
    /// The section's name names no entity.
    #[error(transparent)]
    Entity(#[from] BadEntityName),
    /// The section's name names no service.
    #[error("`{0}` is no section of service keys, as `service.osd` is")]
    Service(String),
    /// The number of a service key is none.
    #[error("`{0}` is no number of a service key, as in `key.1`")]
    Number(String),
    /// A service key can't be added.
    #[error(transparent)]
    Add(#[from] super::AddError),
    /// The value is no key.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// The section that begins here has no key.
    #[error("no key in this section")]
    NoKey,
}

impl Entity {
    /// One with nothing but a key.
    pub fn new(key: Key) -> Self {
        Entity { key, pending_key: None, caps: BTreeMap::new() }
    }

    /// Its keys: the one in use, and the one that is to replace it.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.key).chain(&self.pending_key)
    }
}

/// A section that is being read.
#[derive(Default)]
struct Section {
    key: Option<Key>,
    pending_key: Option<Key>,
    caps: BTreeMap<String, String>,
}

/// The text of a file; an error names the line that isn't text.
pub(super) fn text(bytes: &[u8]) -> Result<&str, KeyringError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        KeyringError { line, what: KeyringProblem::NotText }
    })
}

impl Keyring {
    /// One without keys.
    pub fn new() -> Self {
        Keyring::default()
    }

    /// Reads a file's content. Where something is said twice the later holds, as in Ceph.
    pub fn parse(bytes: impl AsRef<[u8]>) -> Result<Self, KeyringError> {
        let mut keyring = Keyring::new();
        let mut open: Option<(usize, Option<EntityName>, Section)> = None;
        for (line, content) in ini::lines(text(bytes.as_ref())?) {
            let at = |what: KeyringProblem| KeyringError { line, what };
            match content.map_err(|()| at(KeyringProblem::Syntax))? {
                Line::Blank => {}
                Line::Section(name) => {
                    keyring.close(open.take())?;
                    let name = if name == "global" {
                        None
                    } else {
                        Some(name.parse().map_err(|e| at(BadEntityName::into(e)))?)
                    };
                    open = Some((line, name, Section::default()));
                }
                Line::Setting(name, value) => {
                    let Some((_, entity, section)) = &mut open else { return Err(at(KeyringProblem::OutsideSection)) };
                    if entity.is_some() {
                        section.set(&name, &value).map_err(|e| at(e.into()))?;
                    }
                }
            }
        }
        keyring.close(open)?;
        Ok(keyring)
    }

    fn close(&mut self, section: Option<(usize, Option<EntityName>, Section)>) -> Result<(), KeyringError> {
        let Some((line, Some(name), Section { key, pending_key, mut caps })) = section else { return Ok(()) };
        match (self.entities.get_mut(&name), key) {
            // the same section once more
            (Some(entity), key) => {
                if key.as_ref().is_some_and(|key| *key != entity.key) {
                    self.conflicts.insert(name);
                }
                entity.key = key.unwrap_or_else(|| entity.key.clone());
                entity.pending_key = pending_key.or_else(|| entity.pending_key.take());
                entity.caps.append(&mut caps);
            }
            (None, Some(key)) => {
                self.entities.insert(name, Entity { key, pending_key, caps });
            }
            (None, None) => return Err(KeyringError { line, what: KeyringProblem::NoKey }),
        }
        Ok(())
    }

    /// What is known of an entity.
    pub fn get(&self, name: &EntityName) -> Option<&Entity> {
        self.entities.get(name)
    }

    /// Adds an entity; returns what was there under its name.
    pub fn insert(&mut self, name: EntityName, entity: Entity) -> Option<Entity> {
        self.entities.insert(name, entity)
    }

    /// All entities, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&EntityName, &Entity)> {
        self.entities.iter()
    }

    /// The entities that the text that was read has two different keys for; the later one counts.
    pub fn conflicts(&self) -> impl Iterator<Item = &EntityName> {
        self.conflicts.iter()
    }

    /// How many entities there are.
    pub fn len(&self) -> usize {
        self.entities.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entities.is_empty()
    }

    /// The text of a file that says the same. It holds the keys.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::new());
        // a String takes all that is written to it
        for (name, entity) in &self.entities {
            let _ = writeln!(text, "[{name}]\n\tkey = {}", *entity.key.to_base64());
            if let Some(key) = &entity.pending_key {
                let _ = writeln!(text, "\tpending key = {}", *key.to_base64());
            }
            for (service, caps) in &entity.caps {
                let caps = caps.replace('\\', "\\\\").replace('"', "\\\"");
                let _ = writeln!(text, "\tcaps {service} = \"{caps}\"");
            }
        }
        text
    }
}

impl Section {
    fn set(&mut self, name: &str, value: &str) -> Result<(), KeyError> {
        match name {
            "key" => self.key = Some(Key::from_base64(value)?),
            "pending_key" => self.pending_key = Some(Key::from_base64(value)?),
            // other options mean nothing here
            _ => {
                if let Some(service) = name.strip_prefix("caps_") {
                    self.caps.insert(service.into(), value.into());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADMIN: &str = "AQDo9AJr2Hy/MxAAjXAn3G6jr51iVw6fGjGnrQ==";
    const MON: &str = "AQDo9AJrz2JuMRAAKFP922RYU3SAQrJjVKfGgQ==";

    fn name(text: &str) -> EntityName {
        text.parse().unwrap()
    }

    #[test]
    fn as_ceph_writes_it() {
        let text = format!(
            "# made by hand\n[global]\n\tkey = none of ours\n[mon.]\n\tkey = {MON}\n\tcaps mon = \"allow *\"\n\n\
             [client.admin]\r\n  key={ADMIN}\n  pending key = {MON}\n  caps_mds = 'allow \"*\" \\\\'\n  auid = 0\n"
        );
        let keyring = Keyring::parse(&text).unwrap();
        assert_eq!(keyring.len(), 2);
        let mon = keyring.get(&name("mon.")).unwrap();
        assert_eq!(*mon.key.to_base64(), MON);
        assert_eq!(mon.caps["mon"], "allow *");
        let admin = keyring.get(&name("client.admin")).unwrap();
        assert_eq!(*admin.key.to_base64(), ADMIN);
        assert_eq!(admin.keys().count(), 2);
        assert_eq!(admin.caps["mds"], "allow \"*\" \\");
        assert_eq!(keyring.get(&name("client.other")), None);

        assert_eq!(Keyring::parse(keyring.to_text().as_bytes()), Ok(keyring));
        assert!(Keyring::parse("").unwrap().is_empty());
    }

    #[test]
    fn the_later_holds() {
        let text =
            format!("[mon.]\nkey = {ADMIN}\ncaps osd = a\nkey = {MON}\n[client.a]\nkey={MON}\n[mon.]\ncaps osd = b\n");
        let keyring = Keyring::parse(text).unwrap();
        let mon = keyring.get(&name("mon.")).unwrap();
        assert_eq!((mon.key.to_base64().as_str(), mon.caps["osd"].as_str()), (MON, "b"));
    }

    #[test]
    fn errors_name_the_line() {
        let error = |text: &[u8]| Keyring::parse(text).unwrap_err();
        let problem = |line, what| KeyringError { line, what };
        assert_eq!(error(b"[mon.]\n\nkey AQ=\n\xff"), problem(4, KeyringProblem::NotText));
        assert_eq!(error(b"\n[mon.]\nkey"), problem(3, KeyringProblem::Syntax));
        assert_eq!(error(b"\nkey = 1"), problem(2, KeyringProblem::OutsideSection));
        assert_eq!(error(b"[mon]\n"), problem(1, KeyringProblem::Entity(BadEntityName("mon".into()))));
        assert_eq!(error(b"[mon.]\nkey = AQ\n"), problem(2, KeyringProblem::Key(KeyError::Base64)));
        assert_eq!(error(b"[global]\n[mon.]\ncaps mon = x\n[mds.a]\n"), problem(2, KeyringProblem::NoKey));
        assert_eq!(error(b"[mon.]\nkey = AQ\n").to_string(), "line 2: not base64");
    }
}

//! The rotating keys of services, with which tickets are sealed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::ini::{self, Line};
use super::keyring::text;
use super::{Key, KeyError, KeyringError, KeyringProblem, Time, entity_name, utime};
use crate::crypto::Random;
use crate::types::{CryptoType, EntityType};
use crate::wire::Utime;

/// Up to three generations of keys for each service: the one before, the one in use, the next.
///
/// As a file they are a keyring with sections for services and a number behind `key`:
///
/// ```text
/// [service.osd]
///     key.1 = AQDp9AJrp/XwDhAAA2rgPdd1gdM9E+1agg+g0g==
///     key.2 = AQDp9AJrrCjyDhAAjpTanaaPJeb2ASeIvbsMSw==
///     expires.1 = 1700003600
/// ```
///
/// `expires` (seconds since 1970) may be missing: such a key has no end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceKeys {
    services: BTreeMap<EntityType, BTreeMap<u64, Generation>>,
}

/// A key, and when it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Generation {
    key: Key,
    expires: Option<Time>,
}

/// Why a service key can't be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// The service has three already.
    #[error("a service has {} keys at most", ServiceKeys::GENERATIONS)]
    Full,
    /// No kind of entity, or several, or none.
    #[error("{0:?} is no service")]
    NoService(EntityType),
    /// The key can't be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// 2⁶⁴-1 is no number of a rotating key.
    #[error("a service key can't have this number")]
    Reserved,
}

/// What stands for a service's own long-term key on the wire.
const OWN_KEY: u64 = u64::MAX;

const PREFIX: &str = "service.";

impl ServiceKeys {
    /// The most keys of one service.
    pub const GENERATIONS: usize = 3;

    /// None at all.
    pub fn new() -> Self {
        ServiceKeys::default()
    }

    /// Reads a file's content. `[global]` is skipped.
    pub fn parse(bytes: impl AsRef<[u8]>) -> Result<Self, KeyringError> {
        let mut keys = ServiceKeys::new();
        let (mut section, mut expirations) = (None, Vec::new());
        for (line, content) in ini::lines(text(bytes.as_ref())?) {
            let at = |what: KeyringProblem| KeyringError { line, what };
            match content.map_err(|()| at(KeyringProblem::Syntax))? {
                Line::Blank => {}
                Line::Section(name) if name == "global" => section = Some(None),
                Line::Section(name) => match name.strip_prefix(PREFIX).and_then(entity_name::kind) {
                    Some(service) => section = Some(Some(service)),
                    None => return Err(at(KeyringProblem::Service(name))),
                },
                Line::Setting(name, value) => match section {
                    None => return Err(at(KeyringProblem::OutsideSection)),
                    Some(None) => {}
                    Some(Some(service)) => {
                        let number = |prefix| name.strip_prefix(prefix).and_then(|number| number.parse().ok());
                        if let Some(id) = number("expires.") {
                            let seconds = value.parse().map_err(|_| at(KeyringProblem::Number(name.clone())))?;
                            expirations.push((service, id, Time::from_secs(seconds)));
                            continue;
                        }
                        let Some(id) = number("key.") else { return Err(at(KeyringProblem::Number(name))) };
                        let key = Key::from_base64(&value).map_err(|e| at(e.into()))?;
                        keys.insert(service, id, key).map_err(|e| at(e.into()))?;
                    }
                },
            }
        }
        // they may stand before their keys
        for (service, id, expires) in expirations {
            if let Some(generation) = keys.services.get_mut(&service).and_then(|keys| keys.get_mut(&id)) {
                generation.expires = Some(expires);
            }
        }
        Ok(keys)
    }

    /// The text of a file that says the same. It holds the keys.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::new());
        // a String takes all that is written to it
        for (service, keys) in &self.services {
            let _ = writeln!(text, "[{PREFIX}{}]", entity_name::kind_name(*service));
            for (id, generation) in keys {
                let _ = writeln!(text, "\tkey.{id} = {}", *generation.key.to_base64());
                if let Some(expires) = generation.expires {
                    let _ = writeln!(text, "\texpires.{id} = {}", expires.as_secs());
                }
            }
        }
        text
    }

    /// Adds a key without an end, or replaces the one with its number.
    pub fn insert(&mut self, service: EntityType, id: u64, key: Key) -> Result<(), AddError> {
        self.add(service, id, Generation { key, expires: None })
    }

    /// Adds a key that ends, or replaces the one with its number.
    pub fn insert_until(&mut self, service: EntityType, id: u64, key: Key, expires: Time) -> Result<(), AddError> {
        self.add(service, id, Generation { key, expires: Some(expires) })
    }

    fn add(&mut self, service: EntityType, id: u64, generation: Generation) -> Result<(), AddError> {
        if id == OWN_KEY {
            return Err(AddError::Reserved);
        }
        let keys = self.keys(service)?;
        if keys.len() >= Self::GENERATIONS && !keys.contains_key(&id) {
            return Err(AddError::Full);
        }
        keys.insert(id, generation);
        Ok(())
    }

    /// Makes the next key of a service, without an end and with the next number; the oldest of three goes. A service
    /// without keys gets number 1. Returns the number.
    pub fn rotate(
        &mut self,
        service: EntityType,
        kind: CryptoType,
        created: Utime,
        random: &mut dyn Random,
    ) -> Result<u64, AddError> {
        self.make(service, Generation { key: Key::generate(kind, created, random)?, expires: None })
    }

    /// Keeps a service's keys fresh as Ceph's monitors do: until there are three, and whenever the one in use has ended,
    /// a new one is made that ends `lifetime` after the newest (and later than two lifetimes from now, but for the very
    /// first). `lifetime` is that of the service's tickets. Returns how many keys were made.
    pub fn refresh(
        &mut self,
        service: EntityType,
        kind: CryptoType,
        lifetime: Time,
        now: Time,
        random: &mut dyn Random,
    ) -> Result<usize, AddError> {
        let mut made = 0;
        // each turn but the last adds a generation, and what is made ends later than now
        for _ in 0..=Self::GENERATIONS {
            let keys = self.keys(service)?;
            let stale = |(_, generation): (&u64, &Generation)| generation.expires.is_some_and(|expires| expires <= now);
            if keys.len() >= Self::GENERATIONS && !keys.iter().nth(1).is_some_and(stale) {
                break;
            }
            let base = match keys.last_key_value() {
                None => now,
                Some((_, newest)) => now.saturating_add(lifetime).max(newest.expires.unwrap_or_default()),
            };
            let key = Key::generate(kind, utime(now), random)?;
            self.make(service, Generation { key, expires: Some(base.saturating_add(lifetime)) })?;
            made += 1;
        }
        Ok(made)
    }

    fn make(&mut self, service: EntityType, generation: Generation) -> Result<u64, AddError> {
        let keys = self.keys(service)?;
        // from 1; nobody rotates 2⁶⁴-2 times
        let id = keys.last_key_value().map_or(0, |(id, _)| *id).saturating_add(1).min(OWN_KEY - 1);
        if keys.len() >= Self::GENERATIONS {
            keys.pop_first();
        }
        keys.insert(id, generation);
        Ok(id)
    }

    fn keys(&mut self, service: EntityType) -> Result<&mut BTreeMap<u64, Generation>, AddError> {
        if !entity_name::KINDS.contains(&service) {
            return Err(AddError::NoService(service));
        }
        Ok(self.services.entry(service).or_default())
    }

    /// The key with a number.
    pub fn get(&self, service: EntityType, id: u64) -> Option<&Key> {
        self.services.get(&service)?.get(&id).map(|generation| &generation.key)
    }

    /// When a key ends, if it does.
    pub fn expires(&self, service: EntityType, id: u64) -> Option<Time> {
        self.services.get(&service)?.get(&id)?.expires
    }

    /// The key that new tickets are sealed with, and its number: the second highest, or the only one.
    pub fn current(&self, service: EntityType) -> Option<(u64, &Key)> {
        let mut newest_first = self.services.get(&service)?.iter().rev();
        let newest = newest_first.next();
        newest_first.next().or(newest).map(|(id, generation)| (*id, &generation.key))
    }

    /// The newest key of a service.
    pub fn newest(&self, service: EntityType) -> Option<&Key> {
        self.services.get(&service)?.last_key_value().map(|(_, generation)| &generation.key)
    }

    /// The same as [`ServiceKeys::current`] at a time: if that key has ended, the newest takes its place.
    pub fn current_at(&self, service: EntityType, now: Time) -> Option<(u64, &Key)> {
        let (id, key) = self.current(service)?;
        if self.expires(service, id).is_none_or(|expires| now <= expires) {
            return Some((id, key));
        }
        self.services.get(&service)?.last_key_value().map(|(id, generation)| (*id, &generation.key))
    }

    /// The services that there are keys for.
    pub fn services(&self) -> impl Iterator<Item = EntityType> {
        self.services.keys().copied()
    }

    /// The keys of one service, the oldest first: number, key, when it ends.
    pub fn of(&self, service: EntityType) -> impl Iterator<Item = (u64, &Key, Option<Time>)> {
        let keys = self.services.get(&service).into_iter().flatten();
        keys.map(|(id, generation)| (*id, &generation.key, generation.expires))
    }

    /// All keys: service, number, key.
    pub fn iter(&self) -> impl Iterator<Item = (EntityType, u64, &Key)> {
        self.services.iter().flat_map(|(service, keys)| keys.iter().map(|(id, held)| (*service, *id, &held.key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::FixedRandom;

    const KEY: &str = "AQDp9AJrp/XwDhAAA2rgPdd1gdM9E+1agg+g0g==";

    #[test]
    fn three_generations_rotate() {
        let mut random = FixedRandom::new(&[]);
        let mut keys = ServiceKeys::new();
        let osd = EntityType::OSD;
        assert_eq!(keys.current(osd), None);
        for (made, current) in [(1, 1), (2, 1), (3, 2), (4, 3), (5, 4)] {
            assert_eq!(keys.rotate(osd, CryptoType::AES, Utime::default(), &mut random), Ok(made));
            assert_eq!(keys.current(osd).unwrap().0, current);
        }
        assert_eq!(
            keys.iter().map(|(service, id, _)| (service, id)).collect::<Vec<_>>(),
            [(osd, 3), (osd, 4), (osd, 5)]
        );
        assert_eq!(keys.get(osd, 2), None);
        assert_eq!(keys.get(EntityType::MDS, 3), None);

        let key = keys.get(osd, 3).unwrap().clone();
        assert_eq!(keys.insert(osd, 6, key.clone()), Err(AddError::Full));
        assert_eq!(keys.insert(osd, u64::MAX, key.clone()), Err(AddError::Reserved));
        for none in [EntityType::NONE, EntityType::ANY, EntityType(3)] {
            assert_eq!(keys.insert(none, 1, key.clone()), Err(AddError::NoService(none)));
        }
        assert_eq!(keys.insert(osd, 5, key.clone()), Ok(()));
        assert_eq!(keys.get(osd, 5), Some(&key));
    }

    #[test]
    fn refreshed_as_monitors_do() {
        let mut random = FixedRandom::new(&[]);
        let (osd, aes, hour) = (EntityType::OSD, CryptoType::AES, Time::from_secs(3600));
        let start = Time::from_secs(1_700_000_000);
        let mut keys = ServiceKeys::new();
        let mut refresh = |keys: &mut ServiceKeys, now| keys.refresh(osd, aes, hour, now, &mut random);
        assert_eq!(refresh(&mut keys, start), Ok(3));
        assert_eq!(refresh(&mut keys, start), Ok(0));
        // as the captures of new clusters have them
        assert_eq!([1, 2, 3].map(|id| keys.expires(osd, id).unwrap() - start), [hour, hour * 2, hour * 3]);
        assert_eq!(keys.current_at(osd, start).unwrap().0, 2);
        assert_eq!(keys.current_at(osd, start + hour * 2).unwrap().0, 2);
        assert_eq!(keys.current_at(osd, start + hour * 2 + Time::from_secs(1)).unwrap().0, 3);

        assert_eq!(refresh(&mut keys, start + hour), Ok(0), "the one before has ended, the one in use has not");
        assert_eq!(refresh(&mut keys, start + hour * 2), Ok(1));
        assert_eq!(keys.iter().map(|(_, id, _)| id).collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!(keys.expires(osd, 4), Some(start + hour * 4));
        // asleep for a day
        assert_eq!(refresh(&mut keys, start + hour * 24), Ok(2));
        assert_eq!(keys.iter().map(|(_, id, _)| id).collect::<Vec<_>>(), [4, 5, 6]);
        assert_eq!(keys.expires(osd, 6), Some(start + hour * 27));
        assert_eq!(ServiceKeys::parse(keys.to_text().as_bytes()), Ok(keys));

        let mut endless = ServiceKeys::new();
        for _ in 0..3 {
            endless.rotate(osd, aes, Utime::default(), &mut FixedRandom::new(&[])).unwrap();
        }
        assert_eq!(refresh(&mut endless, start), Ok(0));
        assert_eq!(refresh(&mut endless, Time::MAX), Ok(0));
    }

    #[test]
    fn as_a_file() {
        let text = format!(
            "[global]\nfsid = 1\n[service.osd]\nkey.1 = {KEY}\n key.2={KEY} # next\n[service.auth]\nkey.7 = {KEY}\n"
        );
        let keys = ServiceKeys::parse(&text).unwrap();
        assert_eq!(keys.services().collect::<Vec<_>>(), [EntityType::OSD, EntityType::AUTH]);
        assert_eq!(keys.current(EntityType::OSD).unwrap().0, 1);
        assert_eq!(keys.current(EntityType::AUTH).unwrap().0, 7);
        assert_eq!(ServiceKeys::parse(keys.to_text().as_bytes()), Ok(keys));
    }

    #[test]
    fn errors_name_the_line() {
        let error = |text: &str| ServiceKeys::parse(text).unwrap_err();
        let problem = |line, what| KeyringError { line, what };
        assert_eq!(error("[osd.0]"), problem(1, KeyringProblem::Service("osd.0".into())));
        assert_eq!(error("\n[service.rgw]"), problem(2, KeyringProblem::Service("service.rgw".into())));
        assert_eq!(error("[service.osd]\nkey = 1"), problem(2, KeyringProblem::Number("key".into())));
        assert_eq!(error("[service.osd]\nkey.x = 1"), problem(2, KeyringProblem::Number("key.x".into())));
        assert_eq!(error("[service.osd]\nexpires.1 = soon"), problem(2, KeyringProblem::Number("expires.1".into())));
        assert_eq!(error("[service.osd]\nkey.1 = 1"), problem(2, KeyringProblem::Key(KeyError::Base64)));
        assert_eq!(error("key.1 = 1"), problem(1, KeyringProblem::OutsideSection));
        let four: String = (1..=4).map(|id| format!("key.{id} = {KEY}\n")).collect();
        assert_eq!(error(&format!("[service.osd]\n{four}")), problem(5, KeyringProblem::Add(AddError::Full)));
    }
}

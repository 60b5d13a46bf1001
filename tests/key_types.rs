//! Types of keys, by lengths: held against the keys themselves where they are known.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "cli")]

mod common;
mod listen;

use std::path::{Path, PathBuf};

use common::{capture, captures, keyring_of, shared};
use listen::listen;
use msgr2::auth::{Keyring, ServiceKeys};
use msgr2::tracker::{KeyOwner, KeyUse, Knowledge, Unit};
use msgr2::types::{CryptoType, EntityType};

/// All keys that a capture shows, without any key to open it.
fn shown(path: &Path) -> Vec<KeyUse> {
    fn take(unit: &Unit, all: &mut Vec<KeyUse>) {
        all.extend(unit.key_types.iter().cloned());
        unit.inner().iter().for_each(|unit| take(unit, all));
    }
    let mut all = Vec::new();
    listen(path, &Knowledge::default(), |_, unit, _| take(unit, &mut all));
    all
}

fn with_keys() -> Vec<PathBuf> {
    let recordings = ["nautilus-14.2.21-crc", "pacific-16.2.15-secure", "pacific-16.2.15-crc", "reef-18.2.7-crc"];
    let recordings = recordings.iter().filter_map(|name| shared(&format!("{name}.pcapng")));
    captures().into_iter().chain(recordings).filter(|path| keyring_of(path).is_some()).collect()
}

#[test]
fn lengths_agree_with_the_keys() {
    let (mut clients, mut services) = (0, 0);
    for path in with_keys() {
        let bytes = std::fs::read(keyring_of(&path).unwrap()).unwrap();
        let keyring = Keyring::parse(&bytes).unwrap_or_default();
        let rotating = ServiceKeys::parse(&bytes).unwrap_or_default();
        for key in shown(&path) {
            let known: Vec<CryptoType> = match &key.owner {
                KeyOwner::Client(Some(name)) => {
                    keyring.get(name).into_iter().flat_map(|entity| entity.keys()).map(|key| key.kind()).collect()
                }
                KeyOwner::Client(None) => panic!("{}: a login without a name", path.display()),
                KeyOwner::Service(service) => {
                    let service = EntityType(u8::try_from(service.0).unwrap());
                    rotating.of(service).map(|(_, key, _)| key.kind()).collect()
                }
            };
            assert!(known.is_empty() || known.contains(&key.kind), "{}: {key:?}, {known:?}", path.display());
            match key.owner {
                _ if known.is_empty() => {}
                KeyOwner::Client(_) => clients += 1,
                KeyOwner::Service(_) => services += 1,
            }
        }
    }
    assert!(clients >= 5 && services >= 1, "{clients} {services}");
}

#[test]
fn each_login_and_each_authorization_shows_them() {
    let tentacle = shown(&capture("secure-tentacle.pcap"));
    let client = |key: &&KeyUse| matches!(key.owner, KeyOwner::Client(_));
    assert_eq!(tentacle.iter().filter(client).map(ToString::to_string).collect::<Vec<_>>(), ["client.admin aes256k"]);
    assert!(tentacle.iter().all(|key| key.kind == CryptoType::AES256KRB5), "{tentacle:?}");
    // those of the login: AUTH, MON, MDS, OSD, MGR or some of them; then the authorization
    assert!(tentacle.len() >= 4, "{tentacle:?}");
    assert_eq!(tentacle.last().unwrap().to_string(), "service mgr aes256k");
    for name in ["crc-mon-cephx.pcap", "osd-cephx.pcap", "secure-tickets.pcap", "proposal-ticket.pcapng"] {
        let pacific = shown(&capture(name));
        assert!(!pacific.is_empty() && pacific.iter().all(|key| key.kind == CryptoType::AES), "{name}: {pacific:?}");
    }
}

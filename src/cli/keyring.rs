//! `msgr2 keyring`: keys to try things with.

use std::io::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use msgr2::auth::keyring::Entity;
use msgr2::auth::{EntityName, Key, Keyring, ServiceKeys, utime};
use msgr2::net::OsRandom;
use msgr2::types::{CryptoType, EntityType};

use crate::peer::entity_type;

/// Make keys, to try servers and clients with.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print a section of a keyring for each name, with a new key.
    New {
        /// Whose keys: client.admin, osd.0.
        #[arg(value_name = "NAME", required = true)]
        names: Vec<EntityName>,
        /// The type of the keys.
        #[arg(long = "type", value_name = "TYPE", default_value = "aes")]
        kind: KeyType,
    },
    /// Print new keys of services, with which mons make tickets and servers open them.
    Service {
        /// Whose keys: osd, mds, mgr.
        #[arg(value_name = "SERVICE", required = true, value_parser = entity_type)]
        services: Vec<EntityType>,
        /// The type of the keys.
        #[arg(long = "type", value_name = "TYPE", default_value = "aes")]
        kind: KeyType,
    },
}

/// A type of key.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum KeyType {
    /// AES-128, as ever.
    Aes,
    /// AES-256 as Kerberos 5 uses it, since Ceph 20.
    Aes256krb5,
}

impl KeyType {
    fn number(self) -> CryptoType {
        match self {
            KeyType::Aes => CryptoType::AES,
            KeyType::Aes256krb5 => CryptoType::AES256KRB5,
        }
    }
}

/// How many keys a service has at a time: the last, the current, and the next.
const GENERATIONS: usize = 3;

pub(crate) fn run(command: &Command) -> Result<()> {
    let now = utime(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
    let text = match command {
        Command::New { names, kind } => {
            let mut keyring = Keyring::new();
            for name in names {
                keyring.insert(name.clone(), Entity::new(Key::generate(kind.number(), now, &mut OsRandom)?));
            }
            keyring.to_text()
        }
        Command::Service { services, kind } => {
            let mut keys = ServiceKeys::new();
            for service in services {
                for _ in 0..GENERATIONS {
                    keys.rotate(*service, kind.number(), now, &mut OsRandom)?;
                }
            }
            keys.to_text()
        }
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

//! Peers of v2.0 and v2.1 against each other, in simulated time.

mod client;
mod handshake;
mod hostile;
mod kills;
mod recover;
mod rules;
mod script;
mod sessions;
mod walk;

use std::time::Duration;

use super::network::{Network, START};
use super::{addr, admin};
use crate::auth::cephx::client::{Credentials, Ticket};
use crate::auth::cephx::server::Authority;
use crate::auth::{Entity, EntityName, Key, Keyring, ServiceKeys, utime};
use crate::crypto::FixedRandom;
use crate::peer::{ClientAuth, Config, Endpoint, Family, ServerAuth, SessionId, Target, entity_addr};
use crate::session::{Policies, Policy};
use crate::types::{AddrType, AuthMethod, CephxServices, CryptoType, EntityType};

const SECOND: Duration = Duration::from_secs(1);

/// How the client gets in, with keys of which kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Auth {
    NoneToMon,
    NoneToOsd,
    Authenticate(CryptoType),
    Authorize(CryptoType),
}

const WAYS: [Auth; 6] = [
    Auth::NoneToMon,
    Auth::NoneToOsd,
    Auth::Authenticate(CryptoType::AES),
    Auth::Authenticate(CryptoType::AES256KRB5),
    Auth::Authorize(CryptoType::AES),
    Auth::Authorize(CryptoType::AES256KRB5),
];

impl Auth {
    fn kind(self) -> Option<CryptoType> {
        match self {
            Auth::NoneToMon | Auth::NoneToOsd => None,
            Auth::Authenticate(kind) | Auth::Authorize(kind) => Some(kind),
        }
    }
}

fn key(kind: CryptoType, seed: &[u8]) -> Key {
    Key::generate(kind, utime(START), &mut FixedRandom::new(seed)).unwrap()
}

fn service_keys(kind: CryptoType) -> ServiceKeys {
    let mut services = ServiceKeys::new();
    for (service, seed) in [(EntityType::AUTH, b"auth"), (EntityType::OSD, b"osds")] {
        for id in 1..=3 {
            services.insert(service, id, key(kind, &[seed.as_slice(), &[id as u8]].concat())).unwrap();
        }
    }
    services
}

fn credentials(kind: CryptoType) -> Credentials {
    Credentials::new(admin(), key(kind, b"the admin's key"))
}

fn client_config() -> Config {
    let mut config = Config::new(admin());
    assert_eq!(config.family, Family::Msgr2);
    config.addrs = vec![entity_addr(AddrType::ANY, "0.0.0.0:0".parse().unwrap(), 0x1a2b_3c4d)];
    config
}

fn server_config(auth: Auth) -> Config {
    let mut config = match auth {
        Auth::NoneToMon | Auth::Authenticate(_) => Config::new(EntityName::new(EntityType::MON, "a")),
        Auth::NoneToOsd | Auth::Authorize(_) => Config::new(EntityName::new(EntityType::OSD, "7")),
    };
    config.gid = 7;
    config.addrs = vec![entity_addr(AddrType::MSGR2, addr(1), nonce(auth))];
    config.server = match auth {
        Auth::NoneToMon | Auth::NoneToOsd => ServerAuth { methods: vec![AuthMethod::NONE], ..Default::default() },
        Auth::Authenticate(kind) => {
            let mut keyring = Keyring::new();
            keyring.insert(admin(), Entity::new(key(kind, b"the admin's key")));
            let mut random = FixedRandom::new(b"authority");
            let authority = Authority::new(keyring, service_keys(kind), 4107, &mut random).unwrap();
            ServerAuth { methods: vec![AuthMethod::CEPHX], authority: Some(authority.into()), ..Default::default() }
        }
        Auth::Authorize(kind) => {
            let mut own = ServiceKeys::new();
            for (service, id, key) in service_keys(kind).iter().filter(|(service, ..)| *service == EntityType::OSD) {
                own.insert(service, id, key.clone()).unwrap();
            }
            ServerAuth { methods: vec![AuthMethod::CEPHX], service_keys: Some(own), ..Default::default() }
        }
    };
    config
}

/// Monitors have none.
fn nonce(auth: Auth) -> u32 {
    if matches!(auth, Auth::NoneToMon | Auth::Authenticate(_)) { 0 } else { 77 }
}

fn endpoint(config: Config, seed: &str) -> Endpoint {
    Endpoint::new(config, Box::new(FixedRandom::new(seed.as_bytes())))
}

/// A ticket for OSDs, got at a mon.
fn ticket(kind: CryptoType) -> Ticket {
    let (mut network, session) = pair(Auth::Authenticate(kind), |_, _| {});
    network.run_until(SECOND, |network| !network.nodes[1].sessions.is_empty());
    let credentials = network.nodes[0].endpoint.credentials(session).unwrap();
    credentials.ticket(EntityType::OSD, network.now).unwrap().clone()
}

fn target(auth: Auth) -> Target {
    let how = match auth {
        Auth::NoneToMon => ClientAuth::None { service: EntityType::MON },
        Auth::NoneToOsd => ClientAuth::None { service: EntityType::OSD },
        Auth::Authenticate(kind) => {
            ClientAuth::Authenticate { credentials: credentials(kind), services: CephxServices::OSD }
        }
        Auth::Authorize(kind) => ClientAuth::Authorize { ticket: ticket(kind) },
    };
    let mut target = Target::new(addr(1), vec![how]);
    target.entity_addrs = vec![entity_addr(AddrType::MSGR2, addr(1), nonce(auth))];
    target
}

/// A client that comes back, and a server that waits for it.
fn stateful(client: &mut Config, server: &mut Config) {
    client.v2.policies = Some(Policies::all(Policy::LOSSLESS_CLIENT));
    server.v2.policies = Some(Policies::all(Policy::STATEFUL_SERVER));
}

/// The same as [`pair`], with a session that is there, also for the server.
fn established(auth: Auth, change: impl FnOnce(&mut Config, &mut Config)) -> (Network, [SessionId; 2]) {
    let (mut network, session) = pair(auth, change);
    network.run_until(SECOND, |network| network.nodes.iter().all(|node| !node.sessions.is_empty()));
    let other = network.nodes[1].sessions[0];
    (network, [session, other])
}

/// A client (node 0) and a server (node 1) with a session that is being made.
fn pair(auth: Auth, change: impl FnOnce(&mut Config, &mut Config)) -> (Network, SessionId) {
    let (mut client, mut server) = (client_config(), server_config(auth));
    change(&mut client, &mut server);
    let mut network = Network::new(vec![(endpoint(client, "client"), addr(10)), (endpoint(server, "server"), addr(1))]);
    let session = network.nodes[0].endpoint.connect(network.now, target(auth));
    (network, session)
}

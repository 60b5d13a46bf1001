//! Endpoints against each other, in simulated time.

mod exchange;
mod hostile;
mod interleavings;
mod kills;
mod network;
mod raw;
mod reconnects;
mod table;
mod talk;
mod v2;

use std::net::SocketAddr;
use std::sync::Arc;

use self::network::{Network, START};
use super::{ClientAuth, Config, Encryption, Endpoint, Family, ServerAuth, SessionId, Target, entity_addr};
use crate::auth::cephx::client::{Credentials, Ticket};
use crate::auth::cephx::server::Authority;
use crate::auth::{Entity, EntityName, Key, Keyring, ServiceKeys, utime};
use crate::crypto::FixedRandom;
use crate::types::{AddrType, AuthMethod, CephxServices, CryptoType, EntityType};

/// How the client gets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Auth {
    None,
    Authenticate,
    Authorize,
    Challenge,
}

const ALL: [Auth; 4] = [Auth::None, Auth::Authenticate, Auth::Authorize, Auth::Challenge];

fn admin() -> EntityName {
    EntityName::new(EntityType::CLIENT, "admin")
}

fn key(seed: &[u8]) -> Key {
    Key::generate(CryptoType::AES, utime(START), &mut FixedRandom::new(seed)).unwrap()
}

fn authority() -> (Arc<Authority>, ServiceKeys) {
    let mut keyring = Keyring::new();
    keyring.insert(admin(), Entity::new(key(b"the admin's key")));
    let mut services = ServiceKeys::new();
    for (service, seed) in [(EntityType::AUTH, b"auth"), (EntityType::OSD, b"osds")] {
        for id in 1..=3 {
            services.insert(service, id, key(&[seed.as_slice(), &[id as u8]].concat())).unwrap();
        }
    }
    let mut random = FixedRandom::new(b"authority");
    let authority = Authority::new(keyring, services.clone(), 4107, &mut random).unwrap();
    let mut osd_keys = ServiceKeys::new();
    for (service, id, key) in services.iter().filter(|(service, ..)| *service == EntityType::OSD) {
        osd_keys.insert(service, id, key.clone()).unwrap();
    }
    (Arc::new(authority), osd_keys)
}

fn addr(host: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, host], 6800))
}

fn client_config() -> Config {
    let mut config = Config::new(admin());
    config.family = Family::Proposal;
    config.addrs = vec![entity_addr(AddrType::ANY, SocketAddr::from(([192, 0, 2, 10], 0)), 0x1a2b_3c4d)];
    config
}

fn server_config(auth: Auth) -> Config {
    let (authority, keys) = authority();
    let mut config = match auth {
        Auth::Authenticate => Config::new(EntityName::new(EntityType::MON, "a")),
        _ => Config::new(EntityName::new(EntityType::OSD, "7")),
    };
    config.family = Family::Proposal;
    config.gid = 7;
    config.addrs = vec![entity_addr(AddrType::MSGR2, addr(1), 7)];
    config.server = match auth {
        Auth::None => ServerAuth { methods: vec![AuthMethod::NONE], ..Default::default() },
        Auth::Authenticate => {
            ServerAuth { methods: vec![AuthMethod::CEPHX], authority: Some(authority), ..Default::default() }
        }
        Auth::Authorize | Auth::Challenge => ServerAuth {
            methods: vec![AuthMethod::CEPHX],
            service_keys: Some(keys),
            challenge: auth == Auth::Challenge,
            ..Default::default()
        },
    };
    config
}

fn endpoint(config: Config, seed: &str) -> Endpoint {
    Endpoint::new(config, Box::new(FixedRandom::new(seed.as_bytes())))
}

fn credentials() -> Credentials {
    Credentials::new(admin(), key(b"the admin's key"))
}

/// A ticket for OSDs, got at a mon.
fn ticket() -> Ticket {
    let mut mon = server_config(Auth::Authenticate);
    mon.addrs = vec![entity_addr(AddrType::MSGR2, addr(9), 9)];
    let mut network = Network::new(vec![
        (endpoint(client_config(), "ticket client"), addr(10)),
        (endpoint(mon, "ticket mon"), addr(9)),
    ]);
    let auth = ClientAuth::Authenticate { credentials: credentials(), services: CephxServices::OSD };
    let session = network.nodes[0].endpoint.connect(network.now, Target::new(addr(9), vec![auth]));
    network.run_until(std::time::Duration::from_secs(1), |network| !network.nodes[1].sessions.is_empty());
    let credentials = network.nodes[0].endpoint.credentials(session).unwrap();
    credentials.ticket(EntityType::OSD, network.now).unwrap().clone()
}

fn client_auth(auth: Auth) -> Vec<ClientAuth> {
    vec![match auth {
        Auth::None => ClientAuth::None { service: EntityType::OSD },
        Auth::Authenticate => ClientAuth::Authenticate { credentials: credentials(), services: CephxServices::OSD },
        Auth::Authorize | Auth::Challenge => ClientAuth::Authorize { ticket: ticket() },
    }]
}

/// A client (node 0) and a server (node 1) with a session that is being made.
fn pair(auth: Auth, change: impl FnOnce(&mut Config, &mut Config)) -> (Network, SessionId) {
    let (mut client, mut server) = (client_config(), server_config(auth));
    change(&mut client, &mut server);
    let mut network = Network::new(vec![(endpoint(client, "client"), addr(10)), (endpoint(server, "server"), addr(1))]);
    let target = Target::new(addr(1), client_auth(auth));
    let session = network.nodes[0].endpoint.connect(network.now, target);
    (network, session)
}

/// The same, with a session that is there, also for the server.
fn established(auth: Auth, change: impl FnOnce(&mut Config, &mut Config)) -> (Network, [SessionId; 2]) {
    let (mut network, session) = pair(auth, change);
    network.run_until(std::time::Duration::from_secs(1), |network| !network.nodes[1].sessions.is_empty());
    let other = network.nodes[1].sessions[0];
    (network, [session, other])
}

/// All ways in with and without encryption.
fn ways() -> Vec<(Auth, Encryption)> {
    let encrypted = |auth: Auth| (auth != Auth::None).then_some((auth, Encryption::Required));
    ALL.into_iter().flat_map(|auth| [Some((auth, Encryption::Possible)), encrypted(auth)]).flatten().collect()
}

//! The exchange of the proposal, byte for byte: both sides write what stands in the spec.

use std::collections::BTreeMap;
use std::time::Duration;

use msgr2_spec::model::{Exchange, Role};
use serde_json::Value;

use super::*;
use crate::crypto::Secret;
use crate::peer::{Event, Message, Time};
use crate::types::{CryptoType, MessageType};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// What of the exchange comes from outside of it.
struct Given {
    exchange: Exchange,
}

impl Given {
    fn new() -> Self {
        let spec = msgr2_spec::Spec::embedded().unwrap();
        let dialect = spec.dialects.values().find(|dialect| dialect.info.name == "proposal").unwrap();
        Given { exchange: (*dialect.exchanges["pipelined"]).clone() }
    }

    fn secret(&self, name: &str) -> Vec<u8> {
        hex(&self.exchange.secrets[name])
    }

    fn number(&self, name: &str) -> u64 {
        self.exchange.secrets[name].parse().unwrap()
    }

    fn key(&self, name: &str, created: &str) -> Key {
        let created = utime(Duration::from_secs(self.number(created)));
        Key::new(CryptoType::AES, created, Secret::from(self.secret(name))).unwrap()
    }

    fn random(&self, names: &[&str]) -> Box<FixedRandom> {
        let bytes: Vec<u8> = names.iter().flat_map(|name| self.secret(name)).collect();
        Box::new(FixedRandom::new(&bytes))
    }

    /// The decoded forms of all frames with a tag from one side.
    fn values(&self, from: Role, tag: &str) -> Vec<&Value> {
        let flights = self.exchange.flights.iter().filter(|flight| flight.from == from);
        flights.flat_map(|flight| &flight.frames).filter(|frame| frame.tag == tag).map(|frame| &frame.value).collect()
    }

    fn message(&self, from: Role) -> Message {
        let value = self.values(from, "msg")[0];
        let header = &value["header"];
        let number = |name: &str| header[name].as_u64().unwrap_or_default();
        let part = |name: &str| hex(value[name].as_str().unwrap_or_default());
        assert_eq!(header["type"], "PING");
        Message {
            tid: number("tid"),
            kind: MessageType::PING,
            priority: number("priority") as u16,
            version: number("version") as u16,
            compat_version: number("compat_version") as u16,
            data_off: number("data_off") as u16,
            front: part("front").into(),
            middle: part("middle").into(),
            data: part("data").into(),
            ..Default::default()
        }
    }

    /// All bytes of one side.
    fn bytes(&self, from: Role) -> Vec<u8> {
        let flights = self.exchange.flights.iter().filter(|flight| flight.from == from);
        flights.flat_map(|flight| hex(&flight.hex)).collect()
    }
}

#[test]
fn both_sides_write_what_stands_in_the_spec() {
    let given = Given::new();
    let now = Time::from_secs(given.number("clock"));
    let session_key = given.key("session_key", "session_key_created");
    let mut keys = ServiceKeys::new();
    keys.insert(EntityType::OSD, 2, given.key("rotating_key", "rotating_key_created")).unwrap();

    let request = given.values(Role::Client, "auth_request")[0];
    let blob = &request["payload"]["authorize"]["authorizer"]["ticket"]["ticket"];
    let ticket = Ticket {
        service: EntityType::OSD,
        secret_id: 2,
        blob: hex(blob.as_str().unwrap()),
        session_key,
        name: admin(),
        global_id: request["global_id"].as_u64().unwrap(),
        valid_until: now + Duration::from_secs(3600),
        renew_after: now + Duration::from_secs(1800),
    };

    let mut config = client_config();
    config.encryption = Encryption::Required;
    config.addrs = vec![entity_addr(AddrType::MSGR2, SocketAddr::from(([192, 0, 2, 10], 0)), 0x1a2b_3c4d)];
    let client = Endpoint::new(config, given.random(&["client_nonce", "client_salt", "client_cookie"]));
    let mut config = server_config(Auth::Authorize);
    config.gid = given.values(Role::Server, "ident")[0]["gid"].as_u64().unwrap();
    config.server.service_keys = Some(keys);
    let server = Endpoint::new(config, given.random(&["connection_secret", "server_salt", "server_cookie"]));

    let mut ends = [client, server];
    let session = ends[0].connect(now, Target::new(addr(1), vec![ClientAuth::Authorize { ticket }]));
    ends[0].send(now, session, given.message(Role::Client)).unwrap();
    let ids = [ends[0].connected(now, session).unwrap(), ends[1].accept(now, addr(10)).unwrap()];
    let mut written = [Vec::new(), Vec::new()];
    let mut established = BTreeMap::new();
    for _ in 0..4 {
        for end in 0..2 {
            while let Some(event) = ends[end].event() {
                match event {
                    Event::Established { session, .. } if end == 1 => {
                        established.insert(end, session);
                    }
                    Event::Message { session, .. } if end == 1 => {
                        ends[1].send(now, session, given.message(Role::Server)).unwrap();
                    }
                    Event::Dial { .. } | Event::Established { .. } | Event::Message { .. } => {}
                    other => panic!("{other:?}"),
                }
            }
            let from = written[end].len();
            ends[end].transmit(now, ids[end], &mut written[end], 1 << 16);
            let flight = written[end][from..].to_vec();
            ends[1 - end].receive(now, ids[1 - end], &flight);
        }
    }
    assert_eq!(established.len(), 1);
    let [client, server] = written;
    let as_written = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let expected = given.bytes(Role::Server);
    assert_eq!(as_written(&server[..expected.len()]), as_written(&expected));
    // behind the exchange the client acknowledges
    let expected = given.bytes(Role::Client);
    assert_eq!(as_written(&client[..expected.len()]), as_written(&expected));
}

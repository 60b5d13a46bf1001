//! Writes the exchange of the proposal, as the spec has it, as a capture that Wireshark opens, and beside it the keys
//! that open it.
//!
//!     cargo run --features cli --example exchange_capture FILE.pcapng FILE.keyring

use std::error::Error;
use std::fs::{self, File};
use std::io::BufWriter;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use msgr2::auth::{Key, ServiceKeys};
use msgr2::crypto::Secret;
use msgr2::pcapng::Writer;
use msgr2::types::{CryptoType, EntityType};
use msgr2::wire::Utime;
use msgr2_spec::Spec;
use msgr2_spec::expr::parse_hex;
use msgr2_spec::model::{Exchange, Role};

/// The time that a byte needs from one side to the other.
const LATENCY: Duration = Duration::from_millis(1);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [capture, keyring] = arguments.as_slice() else { return Err("say FILE.pcapng FILE.keyring".into()) };
    let spec = Spec::embedded().map_err(|problems| format!("{problems:?}"))?;
    let exchange = &spec.dialects["proposal"].exchanges["pipelined"];

    let mut writer = Writer::new(BufWriter::new(File::create(capture)?))?;
    let mut now: SystemTime = UNIX_EPOCH + Duration::from_secs(exchange.secrets["clock"].parse()?);
    let connection = writer.connection("192.0.2.10:40000".parse()?, "192.0.2.1:6800".parse()?, now)?;
    for flight in &exchange.flights {
        now += LATENCY;
        let bytes = parse_hex(&flight.hex)?.concat();
        writer.data(connection, flight.from == Role::Client, &bytes, now)?;
    }
    writer.close(connection, true, now + LATENCY)?;
    writer.flush()?;
    fs::write(keyring, keys(exchange)?.to_text().as_bytes())?;
    Ok(())
}

/// The service's key that seals the ticket.
fn keys(exchange: &Exchange) -> Result<ServiceKeys, Box<dyn Error>> {
    let created = Utime { sec: exchange.secrets["rotating_key_created"].parse()?, nsec: 0 };
    let secret = Secret::from(parse_hex(&exchange.secrets["rotating_key"])?.concat());
    let mut keys = ServiceKeys::new();
    keys.insert(EntityType::OSD, 2, Key::new(CryptoType::AES, created, secret)?)?;
    Ok(keys)
}

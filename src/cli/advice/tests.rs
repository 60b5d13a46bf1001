use msgr2::types::{CephFeatures, Msgr2Features};
use msgr2::v2_1::Tag;

use super::*;

fn asked(service: EntityType, port: u16) -> Asked {
    let addr = SocketAddr::from(([192, 0, 2, 1], port));
    Asked { name: "client.admin".parse().unwrap(), addr, service, dialect: Dialect::V2_1 }
}

fn unreached(port: u16, kind: io::ErrorKind) -> String {
    let asked = asked(EntityType::MON, port);
    let error = ConnectError::Unreachable { addr: asked.addr, source: kind.into() };
    on(&asked, &error, &Seen::default()).to_string()
}

fn failing(service: EntityType, error: Error, last_sent: &'static str, last_received: &'static str) -> String {
    let asked = asked(service, PORT);
    let error = ConnectError::Handshake { addr: asked.addr, why: Why::Failed(error) };
    let seen = Seen { received: 1, last_sent: Some(last_sent), last_received: Some(last_received), ..Seen::default() };
    on(&asked, &error, &seen).to_string()
}

#[track_caller]
fn says(advice: &str, words: &[&str]) {
    for word in words {
        assert!(advice.contains(word), "{word:?} isn't in {advice}");
    }
    assert!(advice.contains("\n  try: "), "nothing to try in {advice}");
}

#[test]
fn no_way() {
    says(&unreached(PORT, io::ErrorKind::ConnectionRefused), &["nobody listens at 192.0.2.1:3300", "enable-msgr2"]);
    says(&unreached(OLD_PORT, io::ErrorKind::ConnectionRefused), &["msgr1", "--mon 192.0.2.1:3300"]);
    says(&unreached(PORT, io::ErrorKind::TimedOut), &["firewall drops", "port 3300"]);
    says(&unreached(PORT, io::ErrorKind::HostUnreachable), &["no way to 192.0.2.1", "ip route"]);
}

#[test]
fn features() {
    let features = CephFeatures::MSG_ADDR2;
    let lacking = Error::FeaturesLacking { features };
    says(&failing(EntityType::MON, lacking, "CLIENT_IDENT", "IDENT_MISSING_FEATURES"), &["MSG_ADDR2", "newer"]);
    let missing = Error::FeaturesMissing { features };
    says(&failing(EntityType::OSD, missing, "CLIENT_IDENT", "SERVER_IDENT"), &["the osd lacks", "MSG_ADDR2"]);
    let features = Msgr2Features::REVISION_1;
    let unsupported = Error::Msgr2FeaturesUnsupported { features };
    says(&failing(EntityType::MON, unsupported, "BANNER", "BANNER"), &["REVISION_1", "--dialect"]);
    let required = Error::Msgr2FeaturesRequired { features };
    says(&failing(EntityType::MON, required, "BANNER", "BANNER"), &["REVISION_1", "14.2.11"]);
}

#[test]
fn tickets_and_signatures() {
    let denied = Error::Denied { result: Errno::EACCES, message: String::new() };
    let osd = failing(EntityType::OSD, denied.clone(), "AUTH_REQUEST_MORE", "AUTH_BAD_METHOD");
    says(&osd, &["the osd doesn't accept the ticket", "clocks", "same cluster"]);
    says(&failing(EntityType::MON, denied, "AUTH_REQUEST_MORE", "AUTH_BAD_METHOD"), &["after the proof"]);
    let signature = Error::BadSignature { number: 0 };
    says(&failing(EntityType::MON, signature, "AUTH_SIGNATURE", "AUTH_SIGNATURE"), &["changes bytes"]);
    let crc = Error::BadCrc { tag: Tag::HELLO.into(), segment: 0 };
    says(&failing(EntityType::MON, crc, "HELLO", "BANNER"), &["when HELLO was sent and BANNER had come", "--capture"]);
}

#[test]
fn clocks() {
    says(&on_clocks(Duration::from_secs(3600)).to_string(), &["3600.0 s apart", "NTP"]);
}

#[test]
fn a_mon_that_says_nothing_more() {
    let asked = asked(EntityType::MON, PORT);
    let error = |last| ConnectError::TimedOut { addr: asked.addr, after: Duration::from_secs(30), last };
    let seen = Seen { received: 1, last_sent: Some("AUTH_REQUEST"), last_received: Some("HELLO"), ..Seen::default() };
    says(&on(&asked, &error(None), &seen).to_string(), &["for 30 s when AUTH_REQUEST was sent", "quorum"]);
    let seen = Seen { last_sent: Some("HELLO"), ..seen };
    says(&on(&asked, &error(Some(Why::Wait)), &seen).to_string(), &["come again later"]);
}

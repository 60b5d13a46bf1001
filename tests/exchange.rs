//! The exchanges in the spec, byte for byte: read with the codec and their keys, and written again from the values.
#![allow(clippy::unwrap_used)]

use msgr2::frame::proposal::{
    ConnectionKey, HEADER_LEN, Head, Opener, RecordHead, SIGNATURE_LEN, Sealer, Signer, Transcripts, Verifier, encode,
};
use msgr2::proposal::{self, Frame, Tag};
use msgr2::wire::{Encode, FixedBytes, Reader, Role, Segments};
use msgr2::{Context, limits};
use msgr2_spec::Spec;
use msgr2_spec::expr::parse_hex;
use msgr2_spec::model::{Exchange, ExchangeFrame};
use serde_json::json;

const MAX: u32 = limits::PROPOSAL_MAX_EARLY_FRAME as u32;

fn secret(exchange: &Exchange, name: &str) -> Vec<u8> {
    parse_hex(&exchange.secrets[name]).unwrap().concat()
}

/// One direction: where its bytes are at, and what protects them.
struct Side {
    role: Role,
    opener: Option<Opener>,
    verifier: Option<Verifier>,
    sealer: Option<Sealer>,
    signer: Option<Signer>,
}

/// Takes one frame (or record) from the head of a flight: tag, payload, and how many bytes they were.
fn take(side: &mut Side, bytes: &[u8], listed: &ExchangeFrame, what: &str) -> (Tag, Vec<u8>, usize) {
    let (mut plain, mut used) = (bytes.to_vec(), 0);
    if listed.sealed {
        let head = RecordHead::parse(bytes, MAX).unwrap().unwrap();
        used = head.total_len();
        plain.clear();
        side.opener.as_mut().unwrap().open(&bytes[..used], &mut plain).unwrap_or_else(|e| panic!("{what}: {e}"));
    }
    let head = Head::parse(&plain, MAX).unwrap().unwrap();
    let (frame, behind) = plain.split_at(head.total_len());
    if listed.signed {
        let signature = Head::parse(behind, MAX).unwrap().unwrap();
        assert_eq!((signature.tag, signature.total_len()), (Tag::SIGNATURE, HEADER_LEN + SIGNATURE_LEN), "{what}");
        let verifier = side.verifier.as_mut().unwrap();
        assert!(verifier.verify(frame, &behind[HEADER_LEN..HEADER_LEN + SIGNATURE_LEN]), "{what}: signature");
        assert!(!listed.sealed || behind.len() == signature.total_len(), "{what}: one record for each frame");
        assert!(listed.sealed, "{what}: no exchange has signed frames in the clear yet");
    }
    if !listed.sealed {
        used = head.total_len();
    }
    (head.tag, frame[HEADER_LEN..].to_vec(), used)
}

/// The same bytes from values.
fn write(side: &mut Side, frame: &Frame<'_>, listed: &ExchangeFrame) -> Vec<u8> {
    let mut plain = encode(frame).unwrap();
    if listed.signed {
        let signature = side.signer.as_mut().unwrap().sign(&plain);
        plain.extend(encode(&Frame::Signature(proposal::Signature { signature: FixedBytes(signature) })).unwrap());
    }
    if !listed.sealed {
        return plain;
    }
    let mut record = Vec::new();
    side.sealer.as_mut().unwrap().seal(&plain, &mut record).unwrap();
    record
}

fn check(name: &str, exchange: &Exchange) {
    let mut transcripts = Transcripts::default();
    let mut key: Option<ConnectionKey> = None;
    let mut sides = [Role::Client, Role::Server].map(|role| Side {
        role,
        opener: None,
        verifier: None,
        sealer: None,
        signer: None,
    });
    for flight in &exchange.flights {
        let role = if flight.from == msgr2_spec::model::Role::Client { Role::Client } else { Role::Server };
        let side = &mut sides[role as usize];
        let bytes = parse_hex(&flight.hex).unwrap().concat();
        let mut at = 0;
        let mut done = false;
        for listed in &flight.frames {
            let what = format!("{name}: {}: {}", flight.doc, listed.tag);
            if listed.tag == "banner" {
                let mut reader = Reader::new(&bytes[at..]);
                let banner = proposal::decode_banner(&mut reader, &Context::default(), &mut ()).unwrap();
                assert_eq!(banner, serde_json::from_value(listed.value.clone()).unwrap(), "{what}");
                assert_eq!(banner.to_bytes().unwrap(), bytes[at..at + reader.offset()], "{what}");
                at += reader.offset();
                continue;
            }
            let context: Context = serde_json::from_value(serde_json::to_value(&listed.context).unwrap()).unwrap();
            let value: Frame<'static> =
                serde_json::from_value(json!({ &listed.tag: listed.value })).unwrap_or_else(|e| panic!("{what}: {e}"));
            let (tag, payload, used) = take(side, &bytes[at..], listed, &what);
            let read = Frame::decode(tag, &Segments::one(&payload), &context, &mut ()).unwrap();
            assert_eq!(read, value, "{what}");
            assert_eq!(write(side, &value, listed), bytes[at..at + used], "{what}: written");
            at += used;
            if let (Frame::EncryptBegin(begin), Some(key)) = (&value, &key) {
                let salt = &begin.salt.0;
                (side.opener, side.sealer) =
                    (Some(Opener::new(key, side.role, salt)), Some(Sealer::new(key, side.role, salt)));
            }
            done |= matches!(&value, Frame::AuthReply(reply) if reply.status == msgr2::types::AuthStatus::DONE);
        }
        assert_eq!(at, bytes.len(), "{name}: {}: bytes left over", flight.doc);
        if key.is_none() {
            transcripts.add(role, &bytes);
        }
        if done {
            let made =
                transcripts.connection_key(&secret(exchange, "session_key"), &secret(exchange, "connection_secret"));
            for side in &mut sides {
                side.verifier = Some(Verifier::new(&made, side.role));
                side.signer = Some(Signer::new(&made, side.role));
            }
            key = Some(made);
        }
    }
    assert!(key.is_some(), "{name}: authentication never ends");
}

#[test]
fn every_exchange_reads_and_writes() {
    let spec = Spec::embedded().unwrap();
    let mut count = 0;
    for (name, exchange) in spec.dialects.values().flat_map(|d| &d.exchanges) {
        check(name, exchange);
        count += 1;
    }
    assert!(count > 0);
}

/// The README prints the exchange for people; its bytes are those of the spec.
#[test]
fn the_readme_has_the_same_bytes() {
    let readme = include_str!("../README.md");
    let begin = readme.find("    S  banner ").expect("the exchange");
    let mut flights: Vec<(char, String)> = Vec::new();
    for line in readme[begin..].lines().take_while(|line| !line.is_empty()) {
        let side = line.chars().nth(4).unwrap();
        if side != ' ' {
            flights.push((side, String::new()));
        }
        flights.last_mut().unwrap().1.push_str(line.split_whitespace().last().unwrap());
    }
    let spec = Spec::embedded().unwrap();
    let exchange = &spec.dialects["proposal"].exchanges["pipelined"];
    assert_eq!(flights.len(), exchange.flights.len());
    for ((side, hex), flight) in flights.iter().zip(&exchange.flights) {
        assert_eq!(*side, if flight.from == msgr2_spec::model::Role::Client { 'C' } else { 'S' });
        assert_eq!(parse_hex(hex).unwrap(), parse_hex(&flight.hex).unwrap(), "{}", flight.doc);
    }
}

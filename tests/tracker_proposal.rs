//! The tracker on connections of the proposal: legal ones in every order and split, broken ones, damaged ones.
#![allow(clippy::unwrap_used)]

mod talk;

use msgr2::FindingKind;
use msgr2::auth::{Key, Keyring, ServiceKeys};
use msgr2::crypto::Secret;
use msgr2::frame::Dialect;
use msgr2::frame::proposal::encode;
use msgr2::proposal::*;
use msgr2::tracker::{
    Direction, End, Event, Knowledge, Mode, Relation, RelationKind, Role, Step, Stream, Tracker, Unit, UnitKind,
    Verdict, show,
};
use msgr2::wire::{FixedBytes, Severity, Utime};
use msgr2_spec::Spec;
use msgr2_spec::expr::parse_hex;
use proptest::prelude::*;
use talk::{BOTH, C, Cluster, NOTHING, S, Talk, ident, message};

type Pieces = Vec<(Direction, Vec<u8>)>;

/// What was said of a unit.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    direction: Direction,
    name: String,
    findings: Vec<FindingKind>,
    verdict: Option<Verdict>,
    relations: Vec<Relation>,
    sender: Option<Role>,
    mode: Mode,
}

fn tell(unit: &Unit, bytes: &[u8], told: &mut Vec<Told>) {
    let name = show(unit, bytes, &mut ()).to_string();
    let (direction, verdict, sender, mode) = (unit.direction, unit.verdict, unit.sender, unit.mode);
    let findings = unit.findings.iter().map(|finding| finding.kind).collect();
    let name = name.split(' ').next().unwrap().to_string();
    told.push(Told { direction, name, findings, verdict, relations: unit.relations.clone(), sender, mode });
    assert!(unit.cut || bytes.len() == unit.length as usize);
    if unit.inner().is_empty() {
        return;
    }
    let view = unit.open(bytes).unwrap();
    assert_eq!(
        view.len(),
        unit.inner().iter().map(|inner| inner.length as usize).sum::<usize>(),
        "no byte is left out"
    );
    let mut at = 0;
    for inner in unit.inner() {
        let end = at + inner.length as usize;
        tell(inner, &view[at..end], told);
        at = end;
    }
}

/// Each piece is a packet, numbered from 1.
fn play<'b>(knowledge: &Knowledge, pieces: impl IntoIterator<Item = (Direction, &'b [u8])>) -> Vec<Told> {
    let mut stream = Stream::new(None);
    stream.set_knowledge(knowledge.clone());
    let mut told = Vec::new();
    let mut out = |event| match event {
        Event::Unit(unit, bytes) => {
            assert!(unit.dialect.is_none_or(|dialect| dialect == Dialect::Proposal));
            tell(&unit, &bytes, &mut told);
        }
        Event::Foreign => panic!("taken for something else"),
    };
    for (packet, (direction, piece)) in pieces.into_iter().enumerate() {
        stream.at(packet as u32 + 1);
        stream.push(direction, piece, &mut out);
    }
    for direction in [C, S] {
        stream.close(direction, End::Capture, &mut out);
    }
    told
}

fn whole(knowledge: &Knowledge, pieces: &Pieces) -> Vec<Told> {
    play(knowledge, pieces.iter().map(|(direction, bytes)| (*direction, bytes.as_slice())))
}

fn serious(told: &[Told]) -> Vec<FindingKind> {
    let all = told.iter().flat_map(|told| told.findings.clone());
    all.filter(|kind| kind.info().severity > Severity::Chat).collect()
}

fn count(told: &[Told], verdict: Verdict) -> usize {
    told.iter().filter(|told| told.verdict == Some(verdict)).count()
}

fn services(cluster: &Cluster) -> Knowledge {
    let knowledge = Knowledge::default();
    knowledge.add_service_keys(&cluster.authority.services());
    knowledge
}

/// A ticket for osds, and the connection to the monitor that brought it.
fn ticket(cluster: &mut Cluster) -> (msgr2::auth::cephx::client::Ticket, Pieces) {
    let mut credentials = cluster.credentials();
    let mut talk = Talk::new((BOTH, NOTHING), (BOTH, NOTHING));
    talk.authenticate(cluster, &mut credentials);
    talk.idents(EntityType::MON, true, 0);
    talk.session(true);
    (credentials.ticket(EntityType::OSD, talk::NOW).unwrap().clone(), talk.pieces)
}

/// A connection to an osd up to the IDENTs.
fn begun(cluster: &mut Cluster, sealed: bool, lossy: bool) -> Talk {
    let (ticket, _) = ticket(cluster);
    let mut talk = Talk::new((BOTH, NOTHING), (BOTH, NOTHING));
    talk.authorize(cluster, &ticket, false);
    if sealed {
        talk.encrypt();
    }
    talk.idents(EntityType::OSD, lossy, 100);
    talk
}

/// The flights of the exchange in the spec, and the rotating key.
fn vector() -> (Pieces, Knowledge) {
    let spec = Spec::embedded().unwrap();
    let exchange = &spec.dialects["proposal"].exchanges["pipelined"];
    let flights = exchange.flights.iter().map(|flight| {
        let from = if flight.from == msgr2_spec::model::Role::Client { C } else { S };
        (from, parse_hex(&flight.hex).unwrap().concat())
    });
    let secret = parse_hex(&exchange.secrets["rotating_key"]).unwrap().concat();
    let mut keys = ServiceKeys::new();
    let key = Key::new(CryptoType::AES, Utime::default(), Secret::from(secret)).unwrap();
    keys.insert(EntityType::OSD, 2, key).unwrap();
    let knowledge = Knowledge::default();
    knowledge.add_service_keys(&keys);
    (flights.collect(), knowledge)
}

/// What each flight of the exchange must come behind.
const NEEDS: [&[usize]; 7] = [&[], &[], &[0, 1], &[1, 2], &[2], &[3, 4], &[4, 5]];

fn interleavings(so_far: &mut Vec<usize>, all: &mut Vec<Vec<usize>>) {
    if so_far.len() == NEEDS.len() {
        all.push(so_far.clone());
    }
    for (flight, needs) in NEEDS.iter().enumerate() {
        if !so_far.contains(&flight) && needs.iter().all(|need| so_far.contains(need)) {
            so_far.push(flight);
            interleavings(so_far, all);
            so_far.pop();
        }
    }
}

#[test]
fn the_exchange_of_the_spec_in_every_order_and_split() {
    let (flights, knowledge) = vector();
    let mut orders = Vec::new();
    interleavings(&mut Vec::new(), &mut orders);
    assert!(orders.len() > 3, "{orders:?}");
    for order in orders {
        let pieces: Pieces = order.iter().map(|flight| flights[*flight].clone()).collect();
        let told = whole(&knowledge, &pieces);
        assert_eq!(serious(&told), [], "{order:?}: {told:#?}");
        assert_eq!((count(&told, Verdict::Good), count(&told, Verdict::Unchecked)), (5, 0));
        assert_eq!(told.iter().filter(|told| told.name == "MSG").count(), 2);
        let one_by_one = pieces.iter().flat_map(|(d, bytes)| bytes.chunks(1).map(move |chunk| (*d, chunk)));
        let split = play(&knowledge, one_by_one);
        let plain = |told: &[Told]| told.iter().map(|t| (t.name.clone(), t.verdict, t.mode)).collect::<Vec<_>>();
        assert_eq!(serious(&split), []);
        let sides = |told: &[Told], d| told.iter().filter(|t| t.direction == d).cloned().collect::<Vec<_>>();
        for direction in [C, S] {
            assert_eq!(plain(&sides(&split, direction)), plain(&sides(&told, direction)));
        }
    }
}

#[test]
fn without_the_key_records_are_told_apart_and_one_finding_says_why() {
    let (flights, _) = vector();
    let told = whole(&Knowledge::default(), &flights);
    assert_eq!(serious(&told), []);
    let records: Vec<_> = told.iter().filter(|told| told.name == "Encrypted").collect();
    assert_eq!(records.len(), 5);
    // what the ticket's length tells needs no key
    let findings: Vec<_> =
        told.iter().flat_map(|told| &told.findings).filter(|kind| **kind != FindingKind::OldKeyType).collect();
    assert_eq!(findings, [&FindingKind::Encrypted]);
    let mut stream = Stream::new(None);
    let mut why = Vec::new();
    for (direction, bytes) in &flights {
        stream.push(*direction, bytes, &mut |event| {
            if let Event::Unit(unit, _) = event {
                why.extend(unit.findings.iter().map(ToString::to_string));
            }
        });
    }
    assert!(why.iter().any(|why| why.contains("the ticket of client.admin for osd")), "{why:?}");
    // who sends is certain with the first choice or answer, and stays so
    let roles = |d: &Direction| Some(if *d == C { Role::Client } else { Role::Server });
    assert!(told.iter().skip(3).all(|told| told.sender == roles(&told.direction)), "{told:#?}");
}

#[test]
fn tickets_seen_at_the_monitor_open_the_connection_to_the_osd() {
    let mut cluster = Cluster::new();
    let keyring = Keyring::parse(cluster.authority.entities().to_text().as_bytes()).unwrap();
    let (ticket, at_mon) = ticket(&mut cluster);
    for challenged in [false, true] {
        for sealed in [false, true] {
            let mut talk = Talk::new((BOTH, NOTHING), (BOTH, NOTHING));
            talk.authorize(&mut cluster, &ticket, challenged);
            if sealed {
                talk.encrypt();
            }
            talk.idents(EntityType::OSD, false, 100);
            talk.session(false);
            // in vain without the connection to the monitor
            let knowledge = Knowledge::with_keyring(keyring.clone());
            let shut = whole(&knowledge, &talk.pieces);
            assert_eq!((serious(&shut), count(&shut, Verdict::Good)), (vec![], 0), "{shut:#?}");
            assert_eq!(count(&shut, Verdict::Unchecked), if sealed { 0 } else { 12 });
            let told = whole(&knowledge, &at_mon);
            assert_eq!((serious(&told), count(&told, Verdict::Good)), (vec![], 11), "{told:#?}");
            let told = whole(&knowledge, &talk.pieces);
            assert_eq!((serious(&told), count(&told, Verdict::Good)), (vec![], 12), "{told:#?}");
            let modes = told.iter().filter(|told| told.name == "MSG").map(|told| told.mode);
            assert!(modes.eq([if sealed { Mode::Secure } else { Mode::Signed }; 4]));
            assert!(told.iter().skip(4).all(|told| told.sender.is_some()));
        }
    }
}

#[test]
fn method_none_signs_nothing() {
    for lossy in [false, true] {
        let mut talk = Talk::new((BOTH, NOTHING), (BOTH, NOTHING));
        talk.none();
        talk.idents(EntityType::OSD, lossy, 100);
        talk.session(lossy);
        let told = whole(&Knowledge::default(), &talk.pieces);
        assert_eq!(serious(&told), [], "{told:#?}");
        assert!(told.iter().all(|told| told.verdict.is_none() && told.mode == Mode::Plain));
    }
    let mut talk = Talk::new((BOTH, NOTHING), (BOTH, NOTHING));
    talk.none();
    talk.bare(C, &Frame::Signature(Signature { signature: FixedBytes([0; 32]) }));
    assert_eq!(serious(&whole(&Knowledge::default(), &talk.pieces)), [FindingKind::IllegalOrder]);
    let mut talk = Talk::new((BOTH, NOTHING), (BOTH, NOTHING));
    talk.none();
    talk.bare(C, &Frame::EncryptBegin(EncryptBegin { cipher: Cipher::AES_128_GCM, ..Default::default() }));
    assert_eq!(serious(&whole(&Knowledge::default(), &talk.pieces)), [FindingKind::IllegalOrder]);
    // records follow all the same
    talk.raw(C, [40u32.to_le_bytes().as_slice(), &[Tag::RECONNECT.0; 40]].concat());
    let told = whole(&Knowledge::default(), &talk.pieces);
    assert_eq!((serious(&told), told.last().unwrap().name.as_str()), (vec![FindingKind::IllegalOrder], "Encrypted"));
}

#[test]
fn who_requires_encryption_leaves_method_none_alone() {
    let (none, cephx) = (AuthMethod::NONE, AuthMethod::CEPHX);
    let methods = |methods: &[AuthMethod]| Frame::AuthMethods(AuthMethods { methods: methods.to_vec() });
    let set = |method| Frame::AuthSetMethod(AuthSetMethod { method });
    let bad = |allowed: &[AuthMethod]| {
        let (method, result) = (AuthMethod(7), Errno(-95));
        Frame::AuthBadMethod(AuthBadMethod { method, result, allowed_methods: allowed.to_vec() })
    };
    let request = || Frame::AuthRequest(AuthRequest { purpose: AuthPurpose::AUTHENTICATE, ..Default::default() });
    let said = |client, server, frames: Vec<(Direction, Frame<'static>)>| {
        let mut talk = Talk::new((BOTH, client), (BOTH, server));
        frames.into_iter().for_each(|(direction, frame)| talk.say(direction, frame));
        let mut stream = Stream::new(None);
        let mut found = Vec::new();
        for (direction, bytes) in &talk.pieces {
            stream.push(*direction, bytes, &mut |event| {
                if let Event::Unit(unit, _) = event {
                    found.extend(unit.findings.iter().map(|finding| (finding.kind, unit.tag().unwrap())));
                }
            });
        }
        found
    };
    let broken = |tag: Tag| vec![(FindingKind::RuleBroken, tag.0)];
    let required = ProposalFeatures::ENCRYPT;
    let offer = || vec![(S, methods(&[cephx, none])), (C, set(none)), (C, request())];
    assert_eq!(said(NOTHING, NOTHING, offer()), []);
    assert_eq!(said(NOTHING, required, offer()), broken(Tag::AUTH_METHODS));
    assert_eq!(said(required, NOTHING, offer()), broken(Tag::AUTH_SET_METHOD));
    let refuse = |allowed: &[AuthMethod]| {
        vec![(S, methods(&[cephx])), (C, set(AuthMethod(7))), (C, request()), (S, bad(allowed))]
    };
    let refused = (FindingKind::MethodRefused, Tag::AUTH_BAD_METHOD.0);
    assert_eq!(said(NOTHING, NOTHING, refuse(&[cephx, none])), [refused]);
    assert_eq!(said(NOTHING, required, refuse(&[cephx])), [refused]);
    let both = [&[refused][..], &broken(Tag::AUTH_BAD_METHOD)].concat();
    assert_eq!(said(required, required, refuse(&[cephx, none])), both);
}

#[test]
fn what_a_banner_requires_it_supports() {
    let found = |client, server| serious(&whole(&Knowledge::default(), &Talk::new(client, server).pieces));
    assert_eq!(found((BOTH, BOTH), (BOTH, NOTHING)), []);
    let own = (ProposalFeatures::RECONNECT, ProposalFeatures::ENCRYPT);
    assert_eq!(found(own, (BOTH, NOTHING)), [FindingKind::RuleBroken]);
    assert_eq!(found((BOTH, NOTHING), own), [FindingKind::RuleBroken]);
}

/// Each piece is a unit, of which no more than this many bytes were captured.
fn snapped(knowledge: &Knowledge, pieces: &Pieces, captured: impl Fn(usize) -> usize) -> Vec<Told> {
    let mut tracker = Tracker::new(None);
    tracker.set_knowledge(knowledge.clone());
    let mut told = Vec::new();
    for (index, (direction, bytes)) in pieces.iter().enumerate() {
        let bytes = &bytes[..bytes.len().min(captured(index))];
        let Step::Unit(unit) = tracker.next(*direction, bytes, false) else { panic!("piece {index}") };
        let mut inner = Vec::new();
        tell(&unit, bytes, &mut inner);
        let first = inner.swap_remove(0);
        told.push(first);
    }
    told
}

#[test]
fn ciphertext_is_never_taken_for_frames() {
    let mut cluster = Cluster::new();
    let mut talk = begun(&mut cluster, true, false);
    talk.session(false);
    let pieces = &talk.pieces;
    let at = pieces.iter().position(|(_, bytes)| bytes[4] == Tag::AUTH_REPLY.0).unwrap();
    for knowledge in [Knowledge::default(), services(&cluster)] {
        let good = snapped(&knowledge, pieces, |_| usize::MAX);
        assert_eq!(serious(&good), []);
        let same = |told: &[Told], what: &str| {
            for (told, good) in told.iter().zip(&good) {
                let unread = ["Encrypted", "Record", "Undecoded"].contains(&told.name.as_str());
                assert!(unread || told.name == good.name, "{what}: {told:?} where {good:?} is due");
            }
            let found = serious(told);
            assert!(found.len() <= 2 && found.iter().all(|kind| *kind == FindingKind::Lost), "{what}: {told:#?}");
        };
        // the reply alone is cut; behind it all are records still
        for length in 1..pieces[at].1.len() {
            let told = snapped(&knowledge, pieces, |index| if index == at { length } else { usize::MAX });
            same(&told, &format!("reply of {length}"));
            if length >= 5 {
                assert_eq!(serious(&told), []);
                assert_eq!(told.iter().filter(|told| told.name == "Encrypted").count(), pieces.len() - at - 3);
                assert!(told.iter().skip(4).all(|told| told.sender.is_some()), "{told:#?}");
            }
        }
        // all are
        for length in 9..210 {
            same(&snapped(&knowledge, pieces, |_| length), &format!("all of {length}"));
        }
        // or the blob in it can't be read: its length is none
        let mut pieces = pieces.clone();
        let reply = &mut pieces[at].1;
        let blob = 5 + 1 + 4 + 8 + 4;
        reply[blob..blob + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        let told = snapped(&knowledge, &pieces, |_| usize::MAX);
        assert_eq!(serious(&told), [FindingKind::MalformedPayload]);
        assert_eq!(told.iter().filter(|told| told.name == "Encrypted").count(), pieces.len() - at - 3);
    }
}

#[test]
fn large_frames_behind_a_cut_ident_are_no_error() {
    let mut cluster = Cluster::new();
    let mut talk = begun(&mut cluster, false, false);
    let ident = talk.pieces.iter().position(|(d, bytes)| *d == C && bytes[4] == Tag::IDENT.0).unwrap();
    talk.say(C, Frame::Start(Start { flags: 0 }));
    for seq in 1..4 {
        let Frame::Msg(mut msg) = message(seq, 0) else { panic!() };
        msg.data = vec![1; 100_000].into();
        talk.say(C, Frame::Msg(msg));
    }
    let large = talk.pieces.len() - 4;
    let told =
        snapped(
            &services(&cluster),
            &talk.pieces,
            |index| {
                if index == ident || index == large { 60 } else { usize::MAX }
            },
        );
    assert_eq!((serious(&told), told.last().unwrap().name.as_str()), (vec![], "SIGNATURE"), "{told:#?}");
    // the number of the message that is cut isn't known, and the next one leaves no gap
    assert_eq!(told[large].name, "MSG");
}

#[test]
fn the_client_s_records_may_stand_before_the_reply() {
    let (flights, knowledge) = vector();
    let (mine, theirs): (Pieces, Pieces) = flights.iter().cloned().partition(|(direction, _)| *direction == C);
    for knowledge in [knowledge, Knowledge::default()] {
        let good = whole(&knowledge, &flights);
        for split in 2..=mine.len() {
            let swapped = [&mine[..split], &theirs, &mine[split..]].concat();
            let told = whole(&knowledge, &swapped);
            for direction in [C, S] {
                let names = |told: &[Told]| {
                    let own = told.iter().filter(|told| told.direction == direction);
                    own.map(|told| told.name.clone()).collect::<Vec<_>>()
                };
                let (good, names) = (names(&good), names(&told));
                assert!(names.iter().all(|name| name == "Encrypted" || good.contains(name)), "{names:?}");
                // the server's side can be read, and what the client sends behind it
                assert!(direction == C && split == mine.len() || good.last() == names.last());
            }
            // whatever the server said to that may be missing
            assert_eq!(serious(&told), [], "{told:#?}");
            assert_eq!(count(&told, Verdict::Good), count(&good, Verdict::Good).min(2), "the server's");
            assert_eq!(count(&told, Verdict::Bad), 0);
            assert!(told.iter().skip(4).all(|told| told.sender.is_some()), "{told:#?}");
        }
    }
}

#[test]
fn signatures_before_the_reply_are_not_held_against_those_behind_it() {
    let mut cluster = Cluster::new();
    let mut talk = begun(&mut cluster, false, false);
    talk.session(false);
    let knowledge = services(&cluster);
    let reply = talk.pieces.iter().position(|(_, bytes)| bytes[4] == Tag::AUTH_REPLY.0).unwrap();
    let mut pieces = talk.pieces.clone();
    let late = pieces.remove(reply);
    pieces.insert(reply + 2, late); // behind the client's IDENT and its SIGNATURE
    let told = whole(&knowledge, &pieces);
    assert_eq!(count(&told, Verdict::Bad), 0);
    assert_eq!((count(&told, Verdict::Good), count(&told, Verdict::Unchecked)), (6, 6), "{told:#?}");
}

#[test]
fn whoever_requires_encryption_gets_it() {
    let mut cluster = Cluster::new();
    let (ticket, _) = ticket(&mut cluster);
    let mut talk = Talk::new((BOTH, ProposalFeatures::ENCRYPT), (BOTH, NOTHING));
    talk.authorize(&mut cluster, &ticket, false);
    talk.idents(EntityType::OSD, false, 100);
    let told = whole(&services(&cluster), &talk.pieces);
    assert!(serious(&told).iter().all(|kind| *kind == FindingKind::IllegalOrder), "{told:#?}");
    assert!(!serious(&told).is_empty());
    // and nobody who can't
    let mut talk = Talk::new((ProposalFeatures::RECONNECT, NOTHING), (BOTH, NOTHING));
    talk.authorize(&mut cluster, &ticket, false);
    talk.encrypt();
    assert!(serious(&whole(&services(&cluster), &talk.pieces)).contains(&FindingKind::IllegalOrder));
    let talk = Talk::new((ProposalFeatures::RECONNECT, NOTHING), (BOTH, ProposalFeatures::ENCRYPT));
    assert_eq!(serious(&whole(&Knowledge::default(), &talk.pieces)), [FindingKind::MissingFeatures]);
}

#[test]
fn the_signature_of_each_frame_counts() {
    let mut cluster = Cluster::new();
    let mut talk = begun(&mut cluster, false, false);
    talk.session(false);
    let knowledge = services(&cluster);
    assert_eq!(serious(&whole(&knowledge, &talk.pieces)), []);
    let first = 6; // two banners, AUTH_METHODS, AUTH_SET_METHOD, AUTH_REQUEST, AUTH_REPLY
    for at in first..talk.pieces.len() {
        let is_frame = (at - first) % 2 == 0;
        // left out
        let mut pieces = talk.pieces.clone();
        pieces.remove(at);
        let told = serious(&whole(&knowledge, &pieces));
        let own: Vec<_> = talk.pieces[at + 1..].iter().filter(|piece| piece.0 == talk.pieces[at].0).collect();
        let expected = if is_frame { FindingKind::SignatureAlone } else { FindingKind::Unsigned };
        // of the last frame nobody knows whether its signature would have come
        assert!(told.contains(&expected) || !is_frame && own.is_empty(), "without {at}: {told:?}");
        // twice
        let mut pieces = talk.pieces.clone();
        pieces.insert(at, pieces[at].clone());
        let told = serious(&whole(&knowledge, &pieces));
        let expected = if is_frame { FindingKind::Unsigned } else { FindingKind::SignatureAlone };
        assert_eq!(told, [expected], "{at} twice");
        // changed behind the header
        let length = talk.pieces[at].1.len();
        for byte in 5..length {
            let mut pieces = talk.pieces.clone();
            pieces[at].1[byte] ^= 0x40;
            let told = whole(&knowledge, &pieces);
            assert_eq!(count(&told, Verdict::Bad), 1, "{at}, byte {byte}: {told:#?}");
            assert_eq!(count(&told, Verdict::Good), 11, "those behind it are right again");
            let kinds = serious(&told);
            assert!(kinds.contains(&FindingKind::BadSignature));
        }
    }
    // without the key nothing is missed
    let told = whole(&Knowledge::default(), &talk.pieces);
    assert_eq!((serious(&told), count(&told, Verdict::Unchecked)), (vec![], 12));
}

#[test]
fn signatures_name_the_packet_of_their_frame() {
    let mut cluster = Cluster::new();
    let talk = begun(&mut cluster, false, false);
    let told = whole(&services(&cluster), &talk.pieces);
    let signs = |packet| vec![Relation { kind: RelationKind::Signs, packet }];
    assert_eq!((told[7].name.as_str(), &told[7].relations), ("SIGNATURE", &signs(7)));
    assert_eq!((told[9].name.as_str(), &told[9].relations), ("SIGNATURE", &signs(9)));
}

#[test]
fn a_frame_without_a_signature_has_no_effect() {
    let mut cluster = Cluster::new();
    let mut talk = begun(&mut cluster, false, false);
    talk.say(C, Frame::Start(Start { flags: 0 }));
    // put in by somebody else: none of this counts
    talk.bare(C, &message(9, 7));
    talk.bare(C, &Frame::Close(Close {}));
    talk.bare(C, &Frame::Unknown(Tag(0x77), Default::default()));
    talk.say(C, message(1, 0));
    let told = whole(&services(&cluster), &talk.pieces);
    let unsigned = FindingKind::Unsigned;
    assert_eq!(serious(&told), [unsigned, unsigned, FindingKind::UnknownTag, unsigned], "{told:#?}");
    assert_eq!(count(&told, Verdict::Good), 4);
}

#[test]
fn records_that_are_changed_are_not_opened_and_the_next_is() {
    let mut cluster = Cluster::new();
    let mut talk = begun(&mut cluster, true, false);
    talk.session(false);
    let knowledge = services(&cluster);
    let good = whole(&knowledge, &talk.pieces);
    assert_eq!(serious(&good), []);
    for at in 8..talk.pieces.len() {
        for byte in [4, 30, talk.pieces[at].1.len() - 1] {
            let mut pieces = talk.pieces.clone();
            pieces[at].1[byte] ^= 1;
            let told = whole(&knowledge, &pieces);
            assert_eq!(serious(&told), [FindingKind::BadRecord], "{at}: {told:#?}");
            let records = |told: &[Told]| told.iter().filter(|t| t.name == "Record").count();
            assert_eq!(records(&told) + 1, records(&good));
        }
        // out of its place
        let mut pieces = talk.pieces.clone();
        pieces.remove(at);
        let behind = pieces[at..].iter().filter(|piece| piece.0 == talk.pieces[at].0).count();
        let told = serious(&whole(&knowledge, &pieces));
        let bad = told.iter().filter(|kind| **kind == FindingKind::BadRecord).count();
        assert_eq!(bad, behind, "without {at}: {told:?}");
    }
}

#[test]
fn frames_and_records_may_stand_in_any_way() {
    let mut cluster = Cluster::new();
    let mut talk = begun(&mut cluster, true, false);
    // several frames in one record, and a signature in the next
    let start = encode(&Frame::Start(Start { flags: 0 })).unwrap();
    let signature = talk.signature(C, &start);
    let msg = encode(&message(1, 0)).unwrap();
    talk.sealed(C, &[start, signature, msg.clone()].concat());
    let signature = talk.signature(C, &msg);
    talk.sealed(C, &signature);
    let knowledge = services(&cluster);
    let told = whole(&knowledge, &talk.pieces);
    assert_eq!((serious(&told), count(&told, Verdict::Good)), (vec![], 4));
    assert_eq!(told.last().unwrap().relations[0].packet as usize, talk.pieces.len() - 1);
    // but a frame is whole in its record
    talk.sealed(C, &msg[..20]);
    assert_eq!(serious(&whole(&knowledge, &talk.pieces)), [FindingKind::BadRecord]);
    talk.pieces.pop();
    talk.sealers[0] = None;
    talk.raw(C, 16u32.to_le_bytes().to_vec());
    assert_eq!(serious(&whole(&knowledge, &talk.pieces)), [FindingKind::BadRecord]);
}

/// What a rule's breach leads to, on a connection that is signed in the clear.
fn breach(lossy: bool, say: impl FnOnce(&mut Talk)) -> Vec<FindingKind> {
    let mut cluster = Cluster::new();
    let mut talk = begun(&mut cluster, false, lossy);
    say(&mut talk);
    serious(&whole(&services(&cluster), &talk.pieces))
}

#[test]
fn each_rule_of_a_session_is_held() {
    let start = || Frame::Start(Start { flags: 0 });
    let with = |frames: Vec<(Direction, Frame<'static>)>| {
        breach(false, |talk| frames.into_iter().for_each(|(direction, frame)| talk.say(direction, frame)))
    };
    use FindingKind::*;
    assert_eq!(with(vec![(C, start())]), []);
    assert_eq!(with(vec![(C, Frame::Start(Start { flags: 1 }))]), [RuleBroken]);
    assert_eq!(with(vec![(C, start()), (C, message(1, 0)), (C, message(3, 0))]), [SequenceGap]);
    assert_eq!(
        with(vec![(C, start()), (C, message(1, 0)), (C, message(1, 0)), (C, message(2, 0))]),
        [SequenceRepeated]
    );
    assert_eq!(with(vec![(C, start()), (C, message(1, 1))]), [AckUnsent]);
    assert_eq!(with(vec![(C, start()), (C, Frame::Ack(Ack { seq: 1 }))]), [AckUnsent]);
    assert_eq!(with(vec![(C, message(1, 0))]), [IllegalOrder]);
    assert_eq!(with(vec![(S, message(1, 0))]), [IllegalOrder]);
    assert_eq!(with(vec![(C, start()), (C, start())]), [IllegalOrder]);
    assert_eq!(with(vec![(S, start())]), [IllegalOrder]);
    assert_eq!(with(vec![(C, start()), (C, Frame::Close(Close {})), (C, message(1, 0))]), [IllegalOrder]);
    assert_eq!(with(vec![(C, start()), (C, ident(EntityType::CLIENT, 4107, false, 5))]), [IllegalOrder]);
    let again = || Frame::Reconnect(Reconnect { connect_seq: 1, ..Default::default() });
    let retry = || Frame::ReconnectRetrySession(ReconnectRetrySession { connect_seq: 1 });
    let many = |n| (0..n).flat_map(|_| [(C, again()), (S, retry())]).collect::<Vec<_>>();
    assert_eq!(with(many(10)), [SessionRetry; 10]);
    let found = with(many(12));
    assert_eq!(found.iter().filter(|kind| **kind == SessionRetry).count(), 12);
    assert_eq!(found.iter().filter(|kind| **kind != SessionRetry).collect::<Vec<_>>(), [&RuleBroken]);
    let header = |change: fn(&mut MessageHeader)| {
        let Frame::Msg(mut msg) = message(1, 0) else { panic!() };
        change(&mut msg.header);
        vec![(C, start()), (C, Frame::Msg(msg))]
    };
    assert_eq!(with(header(|header| header.data_pre_padding_len = 1)), [RuleBroken]);
    assert_eq!(with(header(|header| header.reserved = 1)), [RuleBroken]);
    assert_eq!(with(header(|header| header.flags = MessageFlags(0))), []);

    let lossy = |frame| {
        breach(true, |talk| {
            talk.say(C, Frame::Start(Start { flags: 0 }));
            talk.say(C, frame);
        })
    };
    assert_eq!(lossy(message(1, 0)), []);
    assert_eq!(lossy(message(1, 1)), [RuleBroken]);
    assert_eq!(lossy(Frame::Ack(Ack { seq: 0 })), [AckLossy]);
}

#[test]
fn each_rule_of_the_handshake_is_held() {
    use FindingKind::*;
    let with = |change: &dyn Fn(&mut Ident<'static>), server: bool| {
        let mut cluster = Cluster::new();
        let (ticket, _) = ticket(&mut cluster);
        let mut talk = Talk::new((BOTH, NOTHING), (BOTH, NOTHING));
        talk.authorize(&mut cluster, &ticket, false);
        for (direction, kind, gid) in [(C, EntityType::CLIENT, 4107), (S, EntityType::OSD, 3)] {
            let Frame::Ident(mut own) = ident(kind, gid, false, 6) else { panic!() };
            if (direction == S) == server {
                change(&mut own);
            }
            talk.say(direction, Frame::Ident(own));
        }
        serious(&whole(&services(&cluster), &talk.pieces))
    };
    assert_eq!(with(&|_| {}, false), []);
    assert_eq!(with(&|ident| ident.gid = 4108, false), [RuleBroken]);
    assert_eq!(with(&|ident| ident.gid = 4108, true), []);
    assert_eq!(with(&|ident| ident.entity_type = EntityType::MDS, false), [RuleBroken]);
    assert_eq!(with(&|ident| ident.entity_type = EntityType::MON, true), [RuleBroken]);
    assert_eq!(with(&|ident| ident.cookie = 0, false), [RuleBroken]);
    assert_eq!(with(&|ident| ident.flags = ConnectionFlags::LOSSY, false), [RuleBroken]);
    assert_eq!(with(&|ident| ident.flags = ConnectionFlags(2), false), [RuleBroken]);
    assert_eq!(with(&|ident| ident.global_seq = 0, false), [RuleBroken]);
    assert_eq!(with(&|ident| ident.addrs.clear(), false), [RuleBroken]);
    assert_eq!(with(&|ident| ident.features_required = CephFeatures(0), false), [RuleBroken]);
    assert_eq!(
        with(&|ident| ident.features_required = CephFeatures::MSG_ADDR2 | CephFeatures(1), false),
        [MissingFeatures]
    );

    // what authentication itself says
    let reply = |change: &dyn Fn(&mut AuthReply<'static>)| {
        let mut talk = Talk::new((BOTH, NOTHING), (BOTH, NOTHING));
        let (method, entity_type) = (AuthMethod::NONE, EntityType::CLIENT);
        let purpose = AuthPurpose::AUTHENTICATE;
        talk.say(S, Frame::AuthMethods(AuthMethods { methods: vec![method] }));
        talk.say(C, Frame::AuthSetMethod(AuthSetMethod { method }));
        talk.say(C, Frame::AuthRequest(AuthRequest { purpose, entity_type, global_id: 7, ..Default::default() }));
        let mut reply = AuthReply { status: AuthStatus::DONE, global_id: 7, ..Default::default() };
        change(&mut reply);
        talk.say(S, Frame::AuthReply(reply));
        serious(&whole(&Knowledge::default(), &talk.pieces))
    };
    let eacces = Errno::EACCES;
    assert_eq!(reply(&|_| {}), []);
    assert_eq!(reply(&|reply| reply.global_id = 8), [RuleBroken]);
    assert_eq!(reply(&|reply| reply.result = eacces), [RuleBroken]);
    assert_eq!(reply(&|reply| reply.status = AuthStatus::MORE), [RuleBroken]);
    let denied = |reply: &mut AuthReply<'static>| {
        (reply.status, reply.global_id, reply.result) = (AuthStatus::DENIED, 0, eacces);
    };
    assert_eq!(reply(&denied), [Denied]);

    // other ids in the second round
    let mut talk = Talk::new((BOTH, NOTHING), (BOTH, NOTHING));
    let request = |global_id| {
        let (purpose, entity_type) = (AuthPurpose::AUTHENTICATE, EntityType::CLIENT);
        Frame::AuthRequest(AuthRequest { purpose, entity_type, global_id, ..Default::default() })
    };
    talk.say(S, Frame::AuthMethods(AuthMethods { methods: vec![AuthMethod::CEPHX] }));
    talk.say(C, Frame::AuthSetMethod(AuthSetMethod { method: AuthMethod::CEPHX }));
    talk.say(C, request(7));
    talk.say(S, Frame::AuthReply(AuthReply { status: AuthStatus::MORE, ..Default::default() }));
    talk.say(C, request(8));
    assert_eq!(serious(&whole(&Knowledge::default(), &talk.pieces)), [RuleBroken]);
}

#[test]
fn a_refused_method_and_dropped_requests_are_legal() {
    let mut cluster = Cluster::new();
    let (ticket, _) = ticket(&mut cluster);
    let mut talk = Talk::new((BOTH, NOTHING), (BOTH, NOTHING));
    let (method, purpose, entity_type) = (AuthMethod::NONE, AuthPurpose::AUTHENTICATE, EntityType::CLIENT);
    talk.say(C, Frame::AuthSetMethod(AuthSetMethod { method }));
    talk.say(C, Frame::AuthRequest(AuthRequest { purpose, entity_type, ..Default::default() }));
    talk.say(S, Frame::AuthMethods(AuthMethods { methods: vec![AuthMethod::CEPHX] }));
    let allowed_methods = vec![AuthMethod::CEPHX];
    talk.say(S, Frame::AuthBadMethod(AuthBadMethod { method, result: Errno(-95), allowed_methods }));
    // the method is chosen again; the helper's own AUTH_METHODS is one too many
    talk.authorize(&mut cluster, &ticket, false);
    talk.idents(EntityType::OSD, false, 6);
    talk.session(false);
    let told = whole(&services(&cluster), &talk.pieces);
    let expected = [FindingKind::MethodRefused, FindingKind::IllegalOrder];
    assert_eq!(serious(&told), expected, "the second AUTH_METHODS: {told:#?}");
    assert_eq!(count(&told, Verdict::Good), 12);
}

#[test]
fn a_session_goes_on_over_several_connections() {
    let mut cluster = Cluster::new();
    let knowledge = services(&cluster);
    let mut talk = begun(&mut cluster, false, false);
    talk.session(false);
    talk.pieces.truncate(talk.pieces.len() - 4); // without the CLOSEs
    let start = talk.pieces.iter().position(|(_, bytes)| bytes[4] == Tag::START.0).unwrap() as u32 + 1;
    assert_eq!(serious(&whole(&knowledge, &talk.pieces)), []);

    let resumed = |server_cookie, ok: u64, seqs: [u64; 2]| {
        let mut talk = begun(&mut Cluster::new(), false, false);
        let again = Reconnect { client_cookie: 100, server_cookie, global_seq: 2, connect_seq: 1, msg_seq: 2 };
        talk.say(C, Frame::Reconnect(again));
        talk.say(S, Frame::ReconnectOk(ReconnectOk { msg_seq: ok }));
        talk.say(C, message(seqs[0], 2));
        talk.say(S, message(seqs[1], 2));
        whole(&knowledge, &talk.pieces)
    };
    let told = resumed(101, 2, [3, 3]);
    assert_eq!(serious(&told), [], "{told:#?}");
    let again = told.iter().find(|told| told.name == "RECONNECT").unwrap();
    assert_eq!(again.relations, [Relation { kind: RelationKind::Resumes, packet: start }]);
    assert_eq!(serious(&resumed(101, 1, [2, 3])), [FindingKind::AckUnsent; 0]);
    assert_eq!(serious(&resumed(101, 2, [2, 4])), [FindingKind::SequenceRepeated, FindingKind::SequenceGap]);
    let unknown = resumed(77, 2, [3, 3]);
    assert!(unknown.iter().find(|told| told.name == "RECONNECT").unwrap().relations.is_empty());
    // a reset begins anew
    let mut talk = begun(&mut Cluster::new(), false, false);
    talk.say(C, Frame::Reconnect(Reconnect { msg_seq: 7, ..Default::default() }));
    talk.say(S, Frame::ReconnectReset(ReconnectReset { full: true.into() }));
    talk.session(false);
    assert_eq!(serious(&whole(&knowledge, &talk.pieces)), [FindingKind::SessionReset]);
}

#[test]
fn many_messages_of_one_side_change_nothing() {
    let mut cluster = Cluster::new();
    let mut talk = begun(&mut cluster, false, false);
    talk.say(C, Frame::Start(Start { flags: 0 }));
    for seq in 1..300 {
        talk.say(C, message(seq, 0));
        if seq % 3 == 0 {
            talk.say(C, Frame::Keepalive2(Keepalive2::default()));
        }
    }
    talk.say(S, message(1, 299));
    talk.say(S, Frame::Close(Close {}));
    talk.say(C, Frame::Close(Close {}));
    assert_eq!(serious(&whole(&services(&cluster), &talk.pieces)), []);
}

#[test]
fn lengths_that_cannot_be_end_their_direction() {
    for length in [0u32, 65_537, u32::MAX] {
        let mut talk = Talk::new((BOTH, NOTHING), (BOTH, NOTHING));
        talk.raw(C, length.to_le_bytes().to_vec());
        talk.raw(C, vec![1; 50]);
        talk.say(S, Frame::AuthMethods(AuthMethods { methods: vec![AuthMethod::NONE] }));
        let told = whole(&Knowledge::default(), &talk.pieces);
        assert_eq!(serious(&told), [FindingKind::BadFrameLength], "{length}");
        assert_eq!(told.last().unwrap().name, "AUTH_METHODS");
    }
}

#[test]
fn a_gap_costs_its_direction() {
    for sealed in [false, true] {
        let mut cluster = Cluster::new();
        let mut talk = begun(&mut cluster, sealed, false);
        talk.session(false);
        let (at, _) = talk.pieces.iter().enumerate().filter(|(_, piece)| piece.0 == C).nth_back(3).unwrap();
        let mut stream = Stream::new(None);
        stream.set_knowledge(services(&cluster));
        let mut told = Vec::new();
        let mut out = |event| {
            if let Event::Unit(unit, bytes) = event {
                tell(&unit, &bytes, &mut told);
            }
        };
        for (index, (direction, bytes)) in talk.pieces.iter().enumerate() {
            if index == at {
                stream.gap(C, &mut out);
            } else {
                stream.push(*direction, bytes, &mut out);
            }
        }
        assert_eq!(serious(&told), [FindingKind::Lost], "{told:#?}");
        let last = told.iter().rev().find(|told| told.direction == S).unwrap();
        assert_eq!(last.verdict, Some(Verdict::Good), "the other direction goes on");
    }
}

#[test]
fn banners_are_read_strictly() {
    let foreign = |bytes: &[u8]| {
        let mut foreign = false;
        Stream::new(None).push(C, bytes, &mut |event| foreign |= matches!(event, Event::Foreign));
        foreign
    };
    for bad in [
        "ceph 3 G\n",
        "ceph 3\n................................",
        "ceph v027...",
        "ceph A 0\n",
        "GET / HTTP/1.0\r\n\r\n",
    ] {
        let bytes = format!("{bad:48}");
        assert!(foreign(bytes.as_bytes()), "{bad:?}");
    }
    assert!(!foreign(b"ceph "));
    assert!(!foreign(b"ceph 0000000000000003 000000000000000"));
    // behind a good one it is a finding
    for bad in ["ceph 3 G\n", "HELLO, WHO IS THERE, AND WHAT DO YOU WANT?"] {
        let pieces = vec![(S, b"ceph 3 0\n".to_vec()), (C, bad.as_bytes().to_vec())];
        assert_eq!(serious(&whole(&Knowledge::default(), &pieces)), [FindingKind::MalformedBanner], "{bad:?}");
    }
}

/// Takes whatever comes of it.
fn calmly(pieces: &Pieces, knowledge: &Knowledge) {
    let mut stream = Stream::new(None);
    stream.set_knowledge(knowledge.clone());
    let mut told = Vec::new();
    for (direction, bytes) in pieces {
        stream.push(*direction, bytes, &mut |event| {
            if let Event::Unit(unit, bytes) = event {
                tell(&unit, &bytes, &mut told);
                for finding in &unit.findings {
                    assert!(finding.start + finding.length <= unit.length);
                }
            }
        });
    }
    for direction in [C, S] {
        stream.close(direction, End::Capture, &mut |_| {});
    }
}

proptest! {
    #[test]
    fn any_bytes_behind_banners_are_taken_calmly(
        pieces in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..200)), 0..20),
    ) {
        let banners = [C, S].map(|direction| (direction, b"ceph 3 0\n".to_vec()));
        let pieces = pieces.into_iter().map(|(client, bytes)| (if client { C } else { S }, bytes));
        calmly(&banners.into_iter().chain(pieces).collect(), &Knowledge::default());
    }

    #[test]
    fn garbled_connections_are_taken_calmly(
        sealed in any::<bool>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0..6u8), 1..8),
    ) {
        let mut cluster = Cluster::new();
        let mut talk = begun(&mut cluster, sealed, false);
        talk.session(false);
        let mut pieces = talk.pieces;
        for (piece, at, byte, what) in edits {
            let piece = piece.index(pieces.len());
            let length = pieces[piece].1.len();
            if length == 0 { continue }
            let at = at.index(length);
            match what {
                0 => pieces[piece].1[at] = byte,
                1 => { pieces[piece].1.remove(at); }
                2 => pieces[piece].1.insert(at, byte),
                3 => pieces[piece].1.truncate(at),
                4 => { let again = pieces[piece].clone(); pieces.push(again); }
                _ => { pieces.remove(piece); }
            }
            if pieces.is_empty() { break }
        }
        calmly(&pieces, &services(&cluster));
    }

    #[test]
    fn garbled_frames_inside_good_records_are_taken_calmly(
        frames in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 1..120)), 1..8),
    ) {
        let mut cluster = Cluster::new();
        let mut talk = begun(&mut cluster, true, false);
        for (client, mut bytes) in frames {
            // lengths that are sometimes right
            if bytes.len() > 5 && bytes[0] % 2 == 0 {
                let length = (bytes.len() as u32 - 4).to_le_bytes();
                bytes[..4].copy_from_slice(&length);
            }
            talk.sealed(if client { C } else { S }, &bytes);
        }
        calmly(&talk.pieces, &services(&cluster));
    }
}

#[test]
fn every_byte_of_a_record_belongs_to_a_field() {
    let (flights, knowledge) = vector();
    let mut stream = Stream::new(None);
    stream.set_knowledge(knowledge);
    let mut records = 0;
    for (direction, bytes) in &flights {
        stream.push(*direction, bytes, &mut |event| {
            let Event::Unit(unit, bytes) = event else { panic!() };
            if unit.kind != UnitKind::Record {
                return;
            }
            let mut recorder = msgr2::wire::Recorder::new();
            show(&unit, &bytes, &mut recorder);
            recorder.finish(bytes.len());
            let covered: u32 = recorder.nodes().iter().filter(|node| node.depth == 0).map(|node| node.length).sum();
            assert_eq!(covered as usize, bytes.len());
            assert_eq!(
                unit.record(),
                Some(if direction == &C { [0, 1, 2][records % 3] } else { unit.record().unwrap() })
            );
            records += usize::from(*direction == C);
        });
    }
    assert_eq!(records, 3);
}

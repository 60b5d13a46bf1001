//! The tracker on connections of v2.0 and v2.1 that authenticate with cephx, in crc and in secure mode: whole, split, with
//! gaps, damaged, without the keys or with others.
#![allow(clippy::unwrap_used)]

mod talk;

use msgr2::FindingKind;
use msgr2::auth::{Entity, Key, Keyring};
use msgr2::crypto::FixedRandom;
use msgr2::frame::compress::ALGORITHMS;
use msgr2::frame::{self, Ending, Revision};
use msgr2::tracker::{Direction, End, Event, Knowledge, Mode, Stream, Unit, UnitKind, Verdict, show};
use msgr2::types::*;
use msgr2::v2_1::*;
use msgr2::wire::{Severity, Utime};
use proptest::prelude::*;
use talk::shipped::{Shipped, message};
use talk::{C, Cluster, S};

const REVISIONS: [Revision; 2] = [Revision::V2_0, Revision::V2_1];
const MODES: [ConnectionMode; 2] = [ConnectionMode::CRC, ConnectionMode::SECURE];

type Pieces = Vec<(Direction, Vec<u8>)>;

/// What was said of a unit in which there is no other.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    direction: Direction,
    /// The first word of what it shows, and its tag.
    name: String,
    tag: Option<u8>,
    mode: Mode,
    verdict: Option<Verdict>,
    findings: Vec<(FindingKind, String)>,
    /// It was in a secure frame.
    opened: bool,
}

fn tell(unit: &Unit, bytes: &[u8], opened: bool, told: &mut Vec<Told>) {
    assert!(unit.cut || bytes.len() == unit.length as usize);
    let name = show(unit, bytes, &mut ()).to_string();
    // that keys are of the old type is said of all
    let worth = unit.findings.iter().filter(|finding| finding.kind != FindingKind::OldKeyType);
    let findings: Vec<_> = worth.map(|finding| (finding.kind, finding.to_string())).collect();
    if unit.inner().is_empty() {
        let name = name.split(' ').next().unwrap().to_string();
        let (direction, tag, mode, verdict) = (unit.direction, unit.tag(), unit.mode, unit.verdict);
        told.push(Told { direction, name, tag, mode, verdict, findings, opened });
        return;
    }
    assert_eq!((findings, unit.tag()), (vec![], None));
    assert!(name.starts_with(if unit.kind == UnitKind::Secure { "Secure frame: " } else { "Compressed frame: " }));
    let view = unit.open(bytes).unwrap();
    let [inner] = unit.inner() else { panic!("one frame in one") };
    tell(inner, &view, opened || unit.kind == UnitKind::Secure, told);
}

/// Plays pieces, with gaps where a piece is `None`.
fn play_with_gaps<'b>(
    knowledge: &Knowledge,
    pieces: impl IntoIterator<Item = (Direction, Option<&'b [u8]>)>,
) -> Vec<Told> {
    let mut stream = Stream::new(None);
    stream.set_knowledge(knowledge.clone());
    let mut told = Vec::new();
    let mut out = |event| {
        if let Event::Unit(unit, bytes) = event {
            tell(&unit, &bytes, false, &mut told);
        }
    };
    for (packet, (direction, piece)) in pieces.into_iter().enumerate() {
        stream.at(packet as u32 + 1);
        match piece {
            Some(piece) => stream.push(direction, piece, &mut out),
            None => stream.gap(direction, &mut out),
        }
    }
    for direction in [C, S] {
        stream.close(direction, End::Capture, &mut out);
    }
    told
}

fn play<'b>(knowledge: &Knowledge, pieces: impl IntoIterator<Item = (Direction, &'b [u8])>) -> Vec<Told> {
    play_with_gaps(knowledge, pieces.into_iter().map(|(direction, piece)| (direction, Some(piece))))
}

fn whole(knowledge: &Knowledge, pieces: &Pieces) -> Vec<Told> {
    play(knowledge, pieces.iter().map(|(direction, bytes)| (*direction, bytes.as_slice())))
}

fn findings(told: &[Told]) -> Vec<FindingKind> {
    told.iter().flat_map(|told| &told.findings).map(|(kind, _)| *kind).collect()
}

fn verdicts(told: &[Told]) -> Vec<Verdict> {
    told.iter().filter_map(|told| told.verdict).collect()
}

fn tags(told: &[Told], direction: Direction) -> Vec<u8> {
    told.iter().filter(|told| told.direction == direction).filter_map(|told| told.tag).collect()
}

/// A client at the mon, then at an osd; and the cluster's keys.
struct Scene {
    mon: Pieces,
    osd: Pieces,
    keyring: Keyring,
}

fn scene(revision: Revision, mode: ConnectionMode) -> Scene {
    let mut cluster = Cluster::new();
    let mut credentials = cluster.credentials();
    let mut mon = Shipped::new(revision, mode, EntityType::MON);
    mon.authenticate(&mut cluster, &mut credentials);
    mon.session();
    let ticket = credentials.ticket(EntityType::OSD, talk::NOW).unwrap().clone();
    let mut osd = Shipped::new(revision, mode, EntityType::OSD);
    osd.authorize(&mut cluster, &ticket);
    osd.session();
    let keyring = Keyring::parse(cluster.authority.entities().to_text().as_bytes()).unwrap();
    Scene { mon: mon.pieces, osd: osd.pieces, keyring }
}

/// The place of the first piece behind the signatures.
const BEHIND_SIGNATURES: usize = 10;

#[test]
fn with_the_clients_key_all_is_open() {
    for revision in REVISIONS {
        for mode in MODES {
            let Scene { mon, osd, keyring } = scene(revision, mode);
            let knowledge = Knowledge::with_keyring(keyring);
            for pieces in [&mon, &osd] {
                let told = whole(&knowledge, pieces);
                assert_eq!(findings(&told), [], "{told:#?}");
                assert_eq!((told.len(), verdicts(&told)), (pieces.len(), vec![Verdict::Good; 2]));
                let secure = told.iter().filter(|told| told.mode == Mode::Secure && told.opened).count();
                assert_eq!(secure, if mode == ConnectionMode::SECURE { pieces.len() - 8 } else { 0 });
                let one_by_one = pieces.iter().flat_map(|(d, bytes)| bytes.chunks(1).map(move |chunk| (*d, chunk)));
                assert_eq!(play(&knowledge, one_by_one), told);
            }
        }
    }
}

#[test]
fn a_unit_opens_at_any_time() {
    for revision in REVISIONS {
        let Scene { mon, keyring, .. } = scene(revision, ConnectionMode::SECURE);
        let mut stream = Stream::new(None);
        stream.set_knowledge(Knowledge::with_keyring(keyring));
        let mut units = Vec::new();
        for (direction, piece) in &mon {
            stream.push(*direction, piece, &mut |event| {
                if let Event::Unit(unit, bytes) = event {
                    let view = unit.open(&bytes);
                    units.push((unit, bytes, view));
                }
            });
        }
        drop(stream);
        assert_eq!(units.iter().filter(|(_, _, view)| view.is_some()).count(), mon.len() - 8);
        for (unit, bytes, view) in units.iter().rev() {
            assert_eq!(&unit.open(bytes), view);
            if view.is_some() {
                assert_eq!(unit.open(&bytes[1..]), None);
                assert_eq!(unit.open(&[]), None);
            }
        }
    }
}

#[test]
fn without_the_keys_one_finding_says_whose_key_would_open_it() {
    for revision in REVISIONS {
        let Scene { mon, osd, keyring } = scene(revision, ConnectionMode::SECURE);
        let why = |knowledge: &Knowledge, pieces| {
            let told = whole(knowledge, pieces);
            assert_eq!(verdicts(&told), []);
            let [(FindingKind::Encrypted, why)] =
                &told.into_iter().flat_map(|told| told.findings).collect::<Vec<_>>()[..]
            else {
                panic!("another finding")
            };
            why.clone()
        };
        let nobody = Knowledge::default();
        assert!(why(&nobody, &mon).ends_with(": no key for client.admin"));
        let ticket = ": the ticket of client.admin for osd was not seen, and there is no service key #1";
        assert!(why(&nobody, &osd).ends_with(ticket));
        let ticket = ": the ticket of somebody for osd was not seen, and there is no service key #1";
        assert!(why(&Knowledge::with_keyring(keyring), &osd).ends_with(ticket), "its mon session was not captured");
        let other = Key::generate(CryptoType::AES, Utime::default(), &mut FixedRandom::new(b"another")).unwrap();
        let mut keyring = Keyring::new();
        keyring.insert(Cluster::name(), Entity::new(other));
        let differs = ": the key of client.admin is another than the keyring's";
        assert!(why(&Knowledge::with_keyring(keyring), &mon).ends_with(differs));
    }
}

#[test]
fn signatures_are_checked_if_there_is_a_key() {
    for revision in REVISIONS {
        let mut cluster = Cluster::new();
        let keyring = Keyring::parse(cluster.authority.entities().to_text().as_bytes()).unwrap();
        for mode in MODES {
            let mut talk = Shipped::new(revision, mode, EntityType::MON);
            talk.spoil = 1;
            let mut credentials = cluster.credentials();
            talk.authenticate(&mut cluster, &mut credentials);
            talk.session();
            let told = whole(&Knowledge::with_keyring(keyring.clone()), &talk.pieces);
            assert_eq!(verdicts(&told), [Verdict::Bad; 2]);
            assert_eq!(findings(&told), [FindingKind::BadSignature; 2], "{told:#?}");
        }
        let Scene { mon, .. } = scene(revision, ConnectionMode::CRC);
        let told = whole(&Knowledge::default(), &mon);
        assert_eq!((verdicts(&told), findings(&told)), (vec![Verdict::Unchecked; 2], vec![]));
    }
}

#[test]
fn of_too_long_a_handshake_no_signature_is_checked() {
    let mut cluster = Cluster::new();
    let keyring = Keyring::parse(cluster.authority.entities().to_text().as_bytes()).unwrap();
    for (extra, server) in [(10_000, Verdict::Good), (300_000, Verdict::Unchecked)] {
        let mut talk = Shipped::new(Revision::V2_1, ConnectionMode::SECURE, EntityType::MON);
        let mut credentials = cluster.credentials();
        talk.extra = extra;
        talk.authenticate(&mut cluster, &mut credentials);
        talk.session();
        let told = whole(&Knowledge::with_keyring(keyring.clone()), &talk.pieces);
        // what the server signs is what the client has sent; and a request that long isn't kept either
        let readable = extra < 65_536;
        assert_eq!(verdicts(&told), if readable { vec![server, Verdict::Good] } else { vec![] }, "{told:#?}");
        assert_eq!(findings(&told), if readable { vec![] } else { vec![FindingKind::Encrypted] });
    }
}

#[test]
fn aborted_frames_are_noted() {
    for revision in REVISIONS {
        for mode in MODES {
            let mut cluster = Cluster::new();
            let keyring = Keyring::parse(cluster.authority.entities().to_text().as_bytes()).unwrap();
            let mut talk = Shipped::new(revision, mode, EntityType::MON);
            let mut credentials = cluster.credentials();
            talk.authenticate(&mut cluster, &mut credentials);
            talk.session();
            talk.say_with(C, &message(9, 3000), PreambleFlags(0), Ending::Aborted);
            talk.say(C, &message(9, 3000));
            let told = whole(&Knowledge::with_keyring(keyring), &talk.pieces);
            assert_eq!(findings(&told), [FindingKind::Aborted], "{revision:?} {mode:?}: {told:#?}");
        }
    }
}

#[test]
fn a_frame_out_of_order_is_found_in_secure_mode_too() {
    for revision in REVISIONS {
        let mut cluster = Cluster::new();
        let keyring = Keyring::parse(cluster.authority.entities().to_text().as_bytes()).unwrap();
        let mut talk = Shipped::new(revision, ConnectionMode::SECURE, EntityType::MON);
        let mut credentials = cluster.credentials();
        talk.authenticate(&mut cluster, &mut credentials);
        talk.session();
        talk.say(S, &Frame::ServerIdent(ServerIdent::default()));
        talk.segments(C, Tag(77), PreambleFlags(0), &Default::default(), Ending::Complete);
        talk.segments(C, Tag::ACK, PreambleFlags(0), &Default::default(), Ending::Complete);
        let told = whole(&Knowledge::with_keyring(keyring), &talk.pieces);
        let expected = [FindingKind::IllegalOrder, FindingKind::UnknownTag, FindingKind::MalformedPayload];
        let found = findings(&told);
        assert!(expected.iter().all(|kind| found.contains(kind)), "{found:?}");
    }
}

/// A connection that agrees on an algorithm, up to the IDENTs; and what the tracker knows.
fn agreed(revision: Revision, mode: ConnectionMode, algorithm: CompressionAlgorithm) -> (Shipped, Knowledge) {
    let mut cluster = Cluster::new();
    let keyring = Keyring::parse(cluster.authority.entities().to_text().as_bytes()).unwrap();
    let mut talk = Shipped::with_features(revision, mode, EntityType::OSD, Msgr2Features::COMPRESSION);
    let mut credentials = cluster.credentials();
    talk.authenticate(&mut cluster, &mut credentials);
    talk.agree(algorithm);
    (talk, Knowledge::with_keyring(keyring))
}

#[test]
fn compressed_frames_are_decompressed() {
    for revision in REVISIONS {
        for mode in MODES {
            for algorithm in ALGORITHMS {
                let (mut talk, knowledge) = agreed(revision, mode, algorithm);
                talk.session();
                for size in [0, 20_000] {
                    talk.compressed(C, algorithm, &message(5 + size as u64, size));
                    talk.compressed(S, algorithm, &Frame::Keepalive2(Keepalive2::default()));
                }
                let told = whole(&knowledge, &talk.pieces);
                let what = format!("{revision:?} {mode:?} {algorithm}: {told:#?}");
                assert_eq!((told.len(), findings(&told)), (talk.pieces.len(), vec![]), "{what}");
                let last: Vec<_> = told[told.len() - 4..].iter().map(|told| (told.name.as_str(), told.tag)).collect();
                let pair = [("MESSAGE", Some(17)), ("KEEPALIVE2", Some(18))];
                assert_eq!(last, [pair, pair].concat(), "{what}");
            }
        }
    }
}

#[test]
fn what_does_not_decompress_is_noted() {
    for mode in MODES {
        let of = |agreed_on, used: &dyn Fn(&mut Shipped)| {
            let (mut talk, knowledge) = agreed(Revision::V2_1, mode, agreed_on);
            talk.session();
            used(&mut talk);
            let told = whole(&knowledge, &talk.pieces);
            let all: Vec<_> = told.iter().flat_map(|told| told.findings.clone()).collect();
            let [(FindingKind::BadCompression, why)] = &all[..] else { panic!("{all:?}") };
            why.clone()
        };
        let (snappy, zstd) = (CompressionAlgorithm::SNAPPY, CompressionAlgorithm::ZSTD);
        assert!(
            of(CompressionAlgorithm::NONE, &|talk| talk.compressed(C, snappy, &message(5, 9))).contains("no algorithm")
        );
        assert!(of(zstd, &|talk| talk.compressed(C, snappy, &message(5, 9))).contains("segment 0: no zstd data"));
        let brotli = CompressionAlgorithm::BROTLI;
        assert!(of(brotli, &|talk| talk.compressed(C, snappy, &message(5, 9))).contains("isn't supported"));
        // more than a frame may hold
        let bomb = |talk: &mut Shipped| {
            let zeros: bytes::Bytes = vec![0; 100 << 20].into();
            let segments =
                frame::compress::compress(zstd, &[zeros, Default::default(), Default::default(), Default::default()]);
            talk.segments(C, Tag::MESSAGE, PreambleFlags::COMPRESSED, &segments.unwrap(), Ending::Complete);
        };
        assert!(of(zstd, &bomb).contains("more than "));
    }
}

#[test]
fn behind_a_gap_v2_1_goes_on_and_v2_0_ends() {
    for revision in REVISIONS {
        let Scene { mon, keyring, .. } = scene(revision, ConnectionMode::SECURE);
        let knowledge = Knowledge::with_keyring(keyring);
        let expected = whole(&knowledge, &mon);
        for lost in BEHIND_SIGNATURES..mon.len() {
            // the whole piece, its end, its beginning, its middle
            let length = mon[lost].1.len();
            for (from, to) in [(0, length), (40, length), (0, 50), (length / 2, length / 2 + 1)] {
                let pieces = mon.iter().enumerate().flat_map(|(index, (direction, bytes))| {
                    let (head, tail) =
                        if index == lost { (&bytes[..from], Some(&bytes[to..])) } else { (&bytes[..], None) };
                    let gap = tail.map(|_| (*direction, None));
                    [Some((*direction, Some(head))), gap, tail.map(|tail| (*direction, Some(tail)))]
                        .into_iter()
                        .flatten()
                });
                let told = play_with_gaps(&knowledge, pieces);
                let what = format!("{revision:?}, piece {lost}, {from} to {to}: {told:#?}");
                let direction = mon[lost].0;
                assert_eq!(tags(&told, direction.other()), tags(&expected, direction.other()), "{what}");
                let (found, all) = (tags(&told, direction), tags(&expected, direction));
                let before = mon[..lost].iter().filter(|(d, _)| *d == direction).count() - 1;
                assert_eq!(found[..before], all[..before], "{what}");
                match revision {
                    Revision::V2_0 => assert_eq!(found.len(), before, "{what}"),
                    Revision::V2_1 => assert_eq!(found[before..], all[before + 1..], "{what}"),
                }
                let severe =
                    told.iter().flat_map(|t| &t.findings).filter(|(kind, _)| kind.info().severity > Severity::Note);
                assert_eq!(severe.count(), 0, "{what}");
            }
        }
    }
}

#[test]
fn a_search_behind_a_gap_ends() {
    let Scene { mon, keyring, .. } = scene(Revision::V2_1, ConnectionMode::SECURE);
    let knowledge = Knowledge::with_keyring(keyring);
    let noise: Vec<u8> = (0..18u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let before = mon[..BEHIND_SIGNATURES].iter().map(|(direction, bytes)| (*direction, Some(bytes.as_slice())));
    let told = play_with_gaps(
        &knowledge,
        before.chain([(C, None)]).chain(noise.chunks(100_000).map(|chunk| (C, Some(chunk)))),
    );
    let last = told.iter().rev().find(|told| !told.findings.is_empty()).unwrap();
    assert!(last.findings[0].1.contains("no frame was found behind that"), "{last:?}");
}

#[test]
fn a_damaged_frame_is_found_where_it_is() {
    for revision in REVISIONS {
        let Scene { mon, keyring, .. } = scene(revision, ConnectionMode::SECURE);
        let knowledge = Knowledge::with_keyring(keyring);
        let expected = whole(&knowledge, &mon);
        let lost = mon.len() - 4;
        let (direction, length) = (mon[lost].0, mon[lost].1.len());
        for at in 0..length {
            let mut pieces = mon.clone();
            pieces[lost].1[at] ^= 4;
            let told = whole(&knowledge, &pieces);
            let what = format!("{revision:?}, byte {at}: {told:#?}");
            assert_eq!(findings(&told)[0], FindingKind::BadSecureFrame, "{what}");
            assert_eq!(tags(&told, direction.other()), tags(&expected, direction.other()), "{what}");
            let behind = tags(&expected, direction).pop().unwrap();
            if revision == Revision::V2_1 || at >= 32 {
                assert_eq!(tags(&told, direction).pop(), Some(behind), "{what}");
            }
        }
    }
}

proptest! {
    #[test]
    fn a_garbled_connection_is_taken_calmly(
        revision in prop::sample::select(REVISIONS.to_vec()),
        mode in prop::sample::select(MODES.to_vec()),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0..5u8), 1..8),
    ) {
        let Scene { mon, mut osd, keyring } = scene(revision, mode);
        let knowledge = Knowledge::with_keyring(keyring);
        whole(&knowledge, &mon);
        for (piece, at, byte, what) in edits {
            let piece = piece.index(osd.len());
            let bytes = &mut osd[piece].1;
            if bytes.is_empty() { continue }
            let at = at.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => { bytes.remove(at); }
                2 => bytes.insert(at, byte),
                3 => bytes.truncate(at),
                _ => { let again = osd[piece].clone(); osd.insert(piece, again); }
            }
        }
        whole(&knowledge, &osd);
    }
}

//! The tracker on a connection that our own encoder made: whole, split, damaged, cut, garbled.
#![allow(clippy::unwrap_used)]

use msgr2::FindingKind;
use msgr2::foreign::Foreign;
use msgr2::frame::{self, Revision};
use msgr2::tracker::{BANNER_PREFIX, Direction, End, Event, Stream, Unit, UnitKind};
use msgr2::types::*;
use msgr2::v2_1::*;
use msgr2::wire::{Encode, FixedBytes};
use proptest::prelude::*;

const C: Direction = Direction::Forward;
const S: Direction = Direction::Backward;

fn banner(supported: Msgr2Features) -> Vec<u8> {
    let features = BannerFeatures { supported, ..Default::default() };
    Banner { features: Some(features) }.to_bytes().unwrap()
}

fn bytes(revision: Revision, frame: &Frame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let segments = frame.encode().unwrap().map(Into::into);
    frame::assemble(revision, frame.tag(), PreambleFlags(0), &segments, frame::Ending::Complete, &mut out);
    out.concat()
}

fn message(seq: u64, data: usize) -> Frame<'static> {
    let header = MessageHeader { seq, r#type: MessageType::OSD_EC_WRITE, version: 8, ..Default::default() };
    let part = |n: usize| vec![seq as u8; n].into();
    Frame::Message(Message { header, front: part(100), middle: part(0), data: part(data) })
}

/// A connection: who sends what, in the order of a capture.
fn connection(revision: Revision) -> Vec<(Direction, Vec<u8>)> {
    let supported = if revision == Revision::V2_1 { Msgr2Features::REVISION_1 } else { Msgr2Features(0) };
    let entity = AuthEntityName { r#type: EntityTypeWord::CLIENT, id: "admin".into() };
    let request = AuthNoneRequest { auth_mode: AuthMode::MON, entity, global_id: 0, ..Default::default() };
    let frames = [
        (C, Frame::Hello(Hello { entity_type: EntityType::CLIENT, ..Default::default() })),
        (S, Frame::Hello(Hello { entity_type: EntityType::MON, ..Default::default() })),
        (
            C,
            Frame::AuthRequest(AuthRequest {
                method: AuthMethod::NONE,
                preferred_modes: vec![ConnectionMode::CRC],
                payload: Some(AuthRequestPayload::None(request)),
                ..Default::default()
            }),
        ),
        (S, Frame::AuthDone(AuthDone { global_id: 4242, connection_mode: ConnectionMode::CRC, ..Default::default() })),
        (S, Frame::AuthSignature(AuthSignature { signature: FixedBytes([0; 32]), ..Default::default() })),
        (C, Frame::AuthSignature(AuthSignature { signature: FixedBytes([0; 32]), ..Default::default() })),
        (C, Frame::ClientIdent(ClientIdent { gid: -1, flags: ConnectionFlags::LOSSY, ..Default::default() })),
        (S, Frame::ServerIdent(ServerIdent { flags: ConnectionFlags::LOSSY, ..Default::default() })),
        (C, message(1, 300)),
        (S, message(1, 0)),
        (C, Frame::Keepalive2(Keepalive2::default())),
        (S, Frame::Keepalive2Ack(Keepalive2Ack::default())),
        (C, message(2, 0)),
        (S, message(2, 5000)),
    ];
    let banners = [C, S].map(|direction| (direction, banner(supported)));
    banners.into_iter().chain(frames.iter().map(|(direction, frame)| (*direction, bytes(revision, frame)))).collect()
}

/// What the stream said, in short: who, which tag (0 a banner, 255 lost bytes), which findings.
type Told = Vec<(Direction, u8, Vec<FindingKind>)>;

fn tell(unit: &Unit) -> (Direction, u8, Vec<FindingKind>) {
    let tag = match unit.kind {
        UnitKind::Banner => 0,
        UnitKind::Frame(head) | UnitKind::Segments(head) => head.tag,
        UnitKind::Plain(head) => head.tag.0,
        UnitKind::Encrypted | UnitKind::Record | UnitKind::Secure => 254,
        UnitKind::Lost | UnitKind::Ended => 255,
    };
    (unit.direction, tag, unit.findings.iter().map(|f| f.kind).collect())
}

fn play<'b>(pieces: impl IntoIterator<Item = (Direction, &'b [u8])>) -> Told {
    let mut stream = Stream::new(None);
    let mut told = Vec::new();
    let mut out = |event| {
        if let Event::Unit(unit, bytes) = event {
            assert!(unit.cut || bytes.len() == unit.length as usize);
            told.push(tell(&unit));
        }
    };
    for (direction, piece) in pieces {
        stream.push(direction, piece, &mut out);
    }
    for direction in [C, S] {
        stream.close(direction, End::Capture, &mut out);
    }
    told
}

fn whole(connection: &[(Direction, Vec<u8>)]) -> Told {
    play(connection.iter().map(|(direction, bytes)| (*direction, bytes.as_slice())))
}

fn findings(told: &Told) -> Vec<FindingKind> {
    told.iter().flat_map(|(_, _, findings)| findings.clone()).collect()
}

#[test]
fn both_revisions_are_followed_without_a_finding() {
    for revision in [Revision::V2_0, Revision::V2_1] {
        let connection = connection(revision);
        let told = whole(&connection);
        assert_eq!(told.len(), connection.len());
        assert_eq!(findings(&told), []);
    }
}

#[test]
fn the_same_whatever_the_segments() {
    for revision in [Revision::V2_0, Revision::V2_1] {
        let connection = connection(revision);
        let expected = whole(&connection);
        let one_by_one = connection.iter().flat_map(|(d, bytes)| bytes.chunks(1).map(move |chunk| (*d, chunk)));
        assert_eq!(play(one_by_one), expected);
        // every position of every piece
        for (index, (_, bytes)) in connection.iter().enumerate() {
            for at in 0..=bytes.len() {
                let pieces = connection.iter().enumerate().flat_map(|(i, (direction, bytes))| {
                    let (head, tail) = bytes.split_at(if i == index { at } else { bytes.len() });
                    [(*direction, head), (*direction, tail)]
                });
                assert_eq!(play(pieces), expected, "piece {index} split at {at}");
            }
        }
        // all of a direction's neighbours in one segment
        let mut joined: Vec<(Direction, Vec<u8>)> = Vec::new();
        for (direction, bytes) in &connection {
            match joined.last_mut() {
                Some((last, held)) if last == direction => held.extend_from_slice(bytes),
                _ => joined.push((*direction, bytes.clone())),
            }
        }
        assert_eq!(whole(&joined), expected);
    }
}

/// The places of a piece's bytes: its preamble, or what a CRC covers.
fn in_preamble(piece: &[u8], at: usize) -> bool {
    !piece.starts_with(BANNER_PREFIX) && at < frame::PREAMBLE_LEN
}

#[test]
fn a_flipped_bit_is_found_where_it_is_and_nowhere_else() {
    for revision in [Revision::V2_0, Revision::V2_1] {
        let connection = connection(revision);
        let expected = whole(&connection);
        for index in 2..connection.len() {
            let length = connection[index].1.len();
            // the large message is all alike inside
            let places = (0..length).filter(|at| *at < 400 || length - at < 40);
            for (at, bit) in places.flat_map(|at| (0..8).map(move |bit| (at, bit))) {
                let mut damaged = connection.clone();
                damaged[index].1[at] ^= 1 << bit;
                let told = whole(&damaged);
                let what = format!("{revision:?}, piece {index}, byte {at}, bit {bit}: {told:?}");
                if in_preamble(&connection[index].1, at) {
                    let found = findings(&told);
                    assert_eq!(found.iter().filter(|f| **f == FindingKind::BadPreambleCrc).count(), 1, "{what}");
                    // what is left are frames of the connection, in their order
                    for direction in [C, S] {
                        let mut frames = expected.iter().filter(|t| t.0 == direction).map(|t| t.1);
                        for (_, tag, _) in told.iter().filter(|t| t.0 == direction && t.1 != 255) {
                            assert!(frames.any(|t| t == *tag), "an invented frame: {what}");
                        }
                    }
                    // all behind it are there again
                    assert_eq!(told.iter().filter(|t| t.1 != 255).count(), expected.len() - 1, "{what}");
                } else {
                    let tags: Vec<_> = told.iter().map(|t| (t.0, t.1)).collect();
                    assert_eq!(tags, expected.iter().map(|t| (t.0, t.1)).collect::<Vec<_>>(), "{what}");
                    let found = findings(&told);
                    let [only] = found[..] else {
                        // CRCs of segments that aren't there mean nothing, and v2.0 covers its flags by none
                        assert!(found.is_empty() && unchecked(revision, &connection[index].1, at, bit), "{what}");
                        continue;
                    };
                    let late = matches!(only, FindingKind::BadEpilogue | FindingKind::Aborted);
                    assert!(only == FindingKind::BadSegmentCrc || late, "{what}");
                    assert!(!told[index].2.is_empty(), "{what}");
                }
            }
        }
    }
}

/// Bits that no check covers: CRCs of segments that a frame doesn't have, reserved bits of the late status.
fn unchecked(revision: Revision, frame: &[u8], at: usize, bit: usize) -> bool {
    let head = frame::Head::parse(frame.first_chunk().unwrap(), revision).unwrap();
    let segments = usize::from(head.num_segments);
    let (epilogue, first) = match revision {
        Revision::V2_0 => (frame.len() - 17, 0),
        Revision::V2_1 => (frame.len() - 13, 1),
    };
    let reserved = at == epilogue && if revision == Revision::V2_0 { bit > 0 } else { bit > 3 };
    reserved || at > epilogue + 4 * (segments - first)
}

#[test]
fn a_frame_out_of_order_is_found() {
    let mut connection = connection(Revision::V2_1);
    // SERVER_IDENT comes before the server's AUTH_SIGNATURE
    let ident = connection.remove(9);
    assert_eq!(ident.1[0], Tag::SERVER_IDENT.0);
    connection.insert(6, ident);
    let told = whole(&connection);
    let at = told.iter().position(|t| t.1 == Tag::SERVER_IDENT.0).unwrap();
    assert_eq!(told[at].2, [FindingKind::IllegalOrder]);
    assert!(findings(&told).iter().all(|f| *f == FindingKind::IllegalOrder));
}

#[test]
fn a_capture_that_begins_in_the_middle_finds_its_feet() {
    for revision in [Revision::V2_0, Revision::V2_1] {
        let connection = connection(revision);
        let behind = &connection[10..];
        let told = whole(behind);
        assert_eq!(told.len(), behind.len());
        assert_eq!(findings(&told), [FindingKind::Resumed; 2], "once for each direction");
        // in the middle of a frame: the rest of it is passed over
        let mut cut = behind.to_vec();
        cut[0].1.drain(..100);
        let told = whole(&cut);
        assert_eq!(told.iter().filter(|t| t.1 != 255).count(), behind.len() - 1);
    }
}

#[test]
fn a_gap_costs_the_frames_that_it_touches_and_no_more() {
    let connection = connection(Revision::V2_1);
    let mut stream = Stream::new(None);
    let mut told = Vec::new();
    let mut out = |event| {
        if let Event::Unit(unit, _) = event {
            told.push(tell(&unit));
        }
    };
    for (index, (direction, bytes)) in connection.iter().enumerate() {
        if index == 10 {
            stream.push(*direction, &bytes[..50], &mut out);
            stream.gap(*direction, &mut out);
            stream.push(*direction, &bytes[80..], &mut out);
        } else {
            stream.push(*direction, bytes, &mut out);
        }
    }
    let tags: Vec<u8> = told.iter().map(|t| t.1).filter(|t| *t != 255).collect();
    // the message with the hole is shown as far as it goes
    assert_eq!(tags.len(), connection.len());
    assert!(findings(&told).iter().all(|f| *f == FindingKind::Lost));
}

#[test]
fn another_protocol_is_left_alone() {
    let mut stream = Stream::new(None);
    let mut foreign = 0;
    stream.push(C, b"GET / HTTP/1.1\r\nHost: here\r\n\r\n and more", &mut |event| {
        assert!(matches!(event, Event::Foreign));
        foreign += 1;
    });
    assert_eq!(foreign, 1);
}

proptest! {
    #[test]
    fn any_bytes_are_taken_calmly(pieces in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..200)), 0..20)) {
        play(pieces.iter().map(|(to_server, bytes)| (if *to_server { C } else { S }, bytes.as_slice())));
    }

    #[test]
    fn a_garbled_connection_is_taken_calmly(
        revision in prop::sample::select(vec![Revision::V2_0, Revision::V2_1]),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..8),
    ) {
        let mut connection = connection(revision);
        for (piece, at, byte, what) in edits {
            let bytes = &mut connection[piece.index(16)].1;
            if bytes.is_empty() { continue }
            let at = at.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => { bytes.remove(at); }
                2 => bytes.insert(at, byte),
                _ => bytes.truncate(at),
            }
        }
        whole(&connection);
    }
}

/// The findings of a connection, as people read them; `client` is the side that connected.
fn texts(client: Option<Direction>, pieces: &[(Direction, &[u8])], ends: &[(Direction, End)]) -> (Vec<String>, Stream) {
    let mut stream = Stream::new(client);
    let mut texts = Vec::new();
    let mut out = |event| {
        if let Event::Unit(unit, bytes) = event {
            assert_eq!(unit.length as usize, bytes.len());
            texts.extend(unit.findings.iter().map(ToString::to_string));
        }
    };
    for (packet, (direction, piece)) in (1..).zip(pieces) {
        stream.at(packet);
        stream.push(*direction, piece, &mut out);
    }
    for (direction, end) in ends {
        stream.close(*direction, *end, &mut out);
    }
    (texts, stream)
}

const MSGR1: &[u8] = b"ceph v027\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

#[test]
fn who_speaks_something_else_is_named() {
    let banner = banner(Msgr2Features::REVISION_1);
    let greeted: [(Direction, &[u8]); 3] = [(C, MSGR1), (S, &banner), (C, b"and more")];
    let (said, stream) = texts(Some(C), &greeted, &[]);
    assert_eq!(said, ["Wrong protocol: the client speaks msgr1 (packet 1)"]);
    assert_eq!((stream.is_foreign(), stream.foreign()), (false, [Some(Foreign::Msgr1), None]));
    // the server was first
    let (said, stream) = texts(Some(C), &[(S, &banner), (C, b"GET / HTTP/1.1\r\n"), (C, b"\r\n")], &[]);
    assert_eq!(said, ["Wrong protocol: the client speaks HTTP, the other one msgr2"]);
    assert!(!stream.is_foreign());
    let (said, _) = texts(None, &[(S, &banner), (C, b"ceph 3 0\n")], &[]);
    assert_eq!(said, ["Wrong protocol: this side speaks the proposal of msgr2, the other one msgr2"]);
    let (said, _) = texts(None, &[(S, b"ceph 3 0\n"), (C, &banner)], &[]);
    assert_eq!(said, ["Wrong protocol: this side speaks msgr2, the other one proposal"]);
    // what isn't known is no less wrong
    let unknown = [7; 40];
    let (said, _) = texts(None, &[(C, &unknown), (S, &banner)], &[]);
    assert_eq!(said, ["Wrong protocol: the other side speaks something that isn't known (packet 1)"]);
    // no msgr2 at all: nothing is said of it
    let both: [(Direction, &[u8]); 2] = [(C, MSGR1), (S, MSGR1)];
    let (said, stream) = texts(None, &both, &[(C, End::Reset), (S, End::Reset)]);
    assert!(said.is_empty() && stream.is_foreign());
    assert_eq!(stream.foreign(), [Some(Foreign::Msgr1); 2]);
}

#[test]
fn a_stranger_in_pieces_is_the_same_stranger() {
    let banner = banner(Msgr2Features::REVISION_1);
    for first in [&b"GET / HTTP/1.1\r\n\r\n"[..], MSGR1, &[0x16, 3, 1, 0, 99, 1, 2, 3, 4, 5]] {
        let mut bytes = first.to_vec();
        bytes.resize(64, b'x');
        for ours_first in [false, true] {
            let mut pieces: Vec<(Direction, &[u8])> = bytes.chunks(1).map(|byte| (C, byte)).collect();
            pieces.insert(if ours_first { 0 } else { bytes.len() }, (S, &banner));
            let mut stream = Stream::new(None);
            let mut found = Vec::new();
            for (direction, piece) in pieces {
                stream.push(direction, piece, &mut |event| {
                    if let Event::Unit(unit, _) = event {
                        found.extend(unit.findings.iter().map(|finding| finding.kind));
                    }
                });
            }
            assert_eq!(found, [FindingKind::WrongProtocol], "{first:?}");
        }
    }
}

#[test]
fn an_end_before_its_time_is_told() {
    let connection = connection(Revision::V2_1);
    let piece = |(direction, bytes): &(Direction, Vec<u8>)| (*direction, bytes.clone());
    let up_to = |count: usize, cut: usize| {
        let mut pieces: Vec<_> = connection[..count].iter().map(piece).collect();
        let (direction, last) = piece(&connection[count]);
        pieces.push((direction, last[..cut].to_vec()));
        pieces
    };
    let told = |pieces: &[(Direction, Vec<u8>)], ends: &[(Direction, End)]| {
        let mut stream = Stream::new(None);
        let mut texts = Vec::new();
        let mut out = |event| {
            if let Event::Unit(unit, _) = event {
                texts.extend(unit.findings.iter().map(ToString::to_string));
            }
        };
        pieces.iter().for_each(|(direction, bytes)| stream.push(*direction, bytes, &mut out));
        ends.iter().for_each(|(direction, end)| stream.close(*direction, *end, &mut out));
        texts
    };
    let closed = [(C, End::Fin), (S, End::Fin)];
    let at = |tag: Tag| connection.iter().position(|piece| piece.1[0] == tag.0).unwrap();
    // HELLO, and nothing behind it
    let silence = up_to(at(Tag::AUTH_REQUEST), 0);
    let silent = "No answer from the client in the handshake: AUTH_REQUEST was due from the client";
    assert_eq!(told(&silence, &closed), [silent]);
    assert!(told(&silence, &[(C, End::Capture), (S, End::Capture)]).is_empty());
    let reset = "Connection reset before its session began: AUTH_REQUEST was due from the client";
    assert_eq!(told(&silence, &[(S, End::Reset), (C, End::Capture)]), [reset]);
    // the server says nothing to CLIENT_IDENT
    let ident = up_to(at(Tag::SERVER_IDENT), 0);
    let found = told(&ident, &closed);
    assert!(found[0].starts_with("Connection closed before its session began: ") && found.len() == 1, "{found:?}");
    assert!(found[0].contains("SERVER_IDENT"), "{found:?}");
    // a message of which a part came
    let message = up_to(connection.len() - 1, 100);
    let part = told(&message, &[(S, End::Reset), (C, End::Capture)]);
    assert_eq!(part.len(), 1, "{part:?}");
    assert!(part[0].starts_with("Connection ended in the middle of a frame: reset when 100 of "), "{part:?}");
    let whole: Vec<_> = connection.iter().map(piece).collect();
    for ends in [[End::Fin; 2], [End::Reset, End::Capture], [End::Capture; 2], [End::Fin, End::Reset]] {
        assert_eq!(told(&whole, &[(C, ends[0]), (S, ends[1])]), [""; 0]);
    }
}

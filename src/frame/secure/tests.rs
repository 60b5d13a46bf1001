//! Vectors stand in the spec as examples; here is what the spec can't say.

use bytes::Bytes;

use super::*;
use crate::crypto::Secret;
use crate::frame::{Ending, Head, Late, Revision};
use crate::types::PreambleFlags;
use crate::v2_1::Tag;
use crate::wire::Role;

const REVISIONS: [Revision; 2] = [Revision::V2_0, Revision::V2_1];

fn key(revision: Revision) -> ConnectionKey {
    ConnectionKey::new(&Secret::from((0..64).collect::<Vec<u8>>()), revision).unwrap()
}

fn segments(lengths: [usize; 4]) -> [Bytes; 4] {
    std::array::from_fn(|index| (0..lengths[index]).map(|n| (n * 7 + index) as u8).collect())
}

fn sealed(sealer: &mut Sealer, lengths: [usize; 4], ending: Ending) -> Vec<u8> {
    let mut out = Vec::new();
    sealer.assemble(Tag::MESSAGE, PreambleFlags(0), &segments(lengths), ending, &mut out).unwrap();
    out.concat()
}

#[test]
fn a_frame_with_a_long_first_segment() {
    // tag 8 with 60 bytes, the third frame of a client
    let expected = "bc99c708ffd918edc3a6346efc823c2069db34e81bf4d183e277466f52a03605ff06f543c751f0dfa665a7f5cf9e7340936c6170cff4e5c6cb212234ce0718fc886d5061a3d7b6fc1c3d78203e9d8f299cee75aed943d0fd41350ce5327ac2501a460169a89153088ed481789a4dbbe581c4b05ca41315278538a59cb58e687c";
    let payload: Bytes = (0..60).collect();
    let mut sealer = key(Revision::V2_1).sealer(Role::Client).at(3);
    let mut out = Vec::new();
    let segments = [payload, Bytes::new(), Bytes::new(), Bytes::new()];
    sealer.assemble(Tag::CLIENT_IDENT, PreambleFlags(0), &segments, Ending::Complete, &mut out).unwrap();
    assert_eq!(out.concat(), crate::crypto::testing::hex(expected));
    assert_eq!(sealer.ops(), 5);
}

#[test]
fn every_shape_comes_back() {
    let lengths = [0, 1, 48, 49, 640];
    for revision in REVISIONS {
        let key = key(revision);
        let (mut sealer, opener) = (key.sealer(Role::Server), key.opener(Role::Server));
        let mut op = 0;
        for shape in 0..lengths.len().pow(4) {
            let lengths: [usize; 4] =
                std::array::from_fn(|i| lengths[shape / lengths.len().pow(i as u32) % lengths.len()]);
            let frame = sealed(&mut sealer, lengths, Ending::Complete);
            let head = opener.head(op, &frame).unwrap();
            assert_eq!(opener.frame_len(&head), frame.len());
            let mut view = vec![9];
            opener.open(op, &head, &frame, &mut view).unwrap();
            let mut owned = frame.clone();
            let place = opener.open_in_place(op, &head, &mut owned).unwrap();
            assert_eq!(owned[place], view[1..]);
            let opened = open_view(&head, revision, &view[1..]);
            assert_eq!(opened.late, Late::Complete);
            for (index, segment) in segments(lengths).iter().enumerate() {
                assert_eq!(opened.segments.bytes(index), segment);
            }
            op += opener.ops(&head);
            assert_eq!(op, sealer.ops());
        }
    }
}

#[test]
fn directions_have_nonces_of_their_own() {
    for revision in REVISIONS {
        let frame = sealed(&mut key(revision).sealer(Role::Client), [5, 0, 0, 0], Ending::Complete);
        assert!(key(revision).opener(Role::Server).head(0, &frame).is_err());
        assert!(key(revision).opener(Role::Client).head(1, &frame).is_err());
        assert!(key(revision).opener(Role::Client).head(0, &frame).is_ok());
    }
}

#[test]
fn every_changed_byte_is_noticed() {
    for revision in REVISIONS {
        let key = key(revision);
        let opener = key.opener(Role::Client);
        for lengths in [[60, 5, 0, 20], [8, 0, 0, 0]] {
            let frame = sealed(&mut key.sealer(Role::Client), lengths, Ending::Complete);
            let head = opener.head(0, &frame).unwrap();
            for at in 0..frame.len() {
                let mut damaged = frame.clone();
                damaged[at] ^= 0x10;
                let mut view = vec![1, 2];
                assert!(opener.open(0, &head, &damaged, &mut view).is_err(), "{at}");
                assert_eq!(view, [1, 2], "nothing of it is left");
                assert!(opener.open_in_place(0, &head, &mut damaged).is_err(), "{at}");
            }
            for length in 0..frame.len() {
                let expected = SecureError::Length { found: length, expected: frame.len() };
                let mut cut = frame[..length].to_vec();
                assert_eq!(opener.open(0, &head, &cut, &mut Vec::new()), Err(expected));
                assert_eq!(opener.open_in_place(0, &head, &mut cut), Err(expected));
                assert_eq!(cut, frame[..length], "untouched");
                let head = opener.head(0, &frame[..length]);
                assert_eq!(head.is_ok(), length >= opener.head_len(), "{length}");
            }
        }
    }
}

#[test]
fn an_aborted_frame_says_so() {
    for revision in REVISIONS {
        let key = key(revision);
        let frame = sealed(&mut key.sealer(Role::Client), [41, 3, 0, 0], Ending::Aborted);
        let opener = key.opener(Role::Client);
        let (head, mut view) = (opener.head(0, &frame).unwrap(), Vec::new());
        opener.open(0, &head, &frame, &mut view).unwrap();
        assert_eq!(open_view(&head, revision, &view).late, Late::Aborted);
    }
}

#[test]
fn a_view_that_is_cut_is_shown_as_far_as_it_goes() {
    let head = Head { tag: 17, num_segments: 4, lengths: [41, 100, 0, 7], flags: 0 };
    for revision in REVISIONS {
        for length in 0..300 {
            open_view(&head, revision, &vec![0; length]);
        }
    }
}

#[test]
fn nonces_come_only_once() {
    let v2_0 = key(Revision::V2_0).sealer(Role::Client);
    let mut last = v2_0.at(u64::from(u32::MAX));
    let segments = segments([8, 0, 0, 0]);
    let seal =
        |sealer: &mut Sealer| sealer.assemble(Tag::ACK, PreambleFlags(0), &segments, Ending::Complete, &mut Vec::new());
    assert_eq!(seal(&mut last), Ok(()));
    assert_eq!(seal(&mut last), Err(NoncesExhausted));
    assert_eq!(seal(&mut last), Err(NoncesExhausted));
    let mut last = key(Revision::V2_1).sealer(Role::Client).at(u64::MAX - 1);
    assert_eq!(seal(&mut last), Ok(()));
    assert_eq!(seal(&mut last), Err(NoncesExhausted));
    let opener = key(Revision::V2_0).opener(Role::Client);
    assert_eq!(opener.head(1 << 32, &[0; 96]), Err(SecureError::Exhausted));
    for revision in REVISIONS {
        let key = key(revision);
        let (frame, opener) =
            (sealed(&mut key.sealer(Role::Client), [60, 5, 0, 0], Ending::Complete), key.opener(Role::Client));
        let head = opener.head(0, &frame).unwrap();
        assert_eq!(opener.open(u64::MAX, &head, &frame, &mut Vec::new()), Err(SecureError::Exhausted));
        assert_eq!(opener.open_in_place(u64::MAX, &head, &mut frame.clone()), Err(SecureError::Exhausted));
    }
}

#[test]
fn a_short_secret_is_refused() {
    for length in [0, 16, 39] {
        let short = ConnectionKey::new(&Secret::from(vec![0; length]), Revision::V2_1);
        assert_eq!(short.unwrap_err(), SecretTooShort { found: length });
    }
    assert!(ConnectionKey::new(&Secret::from(vec![0; 40]), Revision::V2_1).is_ok());
}

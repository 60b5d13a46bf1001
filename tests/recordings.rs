//! Whole recordings of clusters and our own captures, through the tracker: every frame is followed to the last, every
//! signature is right, and every frame is given back, byte by byte, by encoding what was decoded.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use common::{captures, fresh, shared};
use msgr2::auth::cephx::Keys;
use msgr2::auth::cephx::passive::Learnt;
use msgr2::auth::{EntityName, Keyring, ServiceKeys};
use msgr2::capture::{CaptureFile, Chunk, Direction as Flow, Kind, Limits, Reassembler, Segment};
use msgr2::frame::secure::{ConnectionKey, Sealer, open_view};
use msgr2::frame::{self, Check, Dialect, Ending, Head, Late, Opened, Revision};
use msgr2::tracker::{Direction, Event, Finding, Knowledge, Stream, Unit, UnitKind, Verdict};
use msgr2::types::*;
use msgr2::v2_1::*;
use msgr2::wire::{Encode, Reader, Role, Segments};
use msgr2::{Context, FindingKind};

/// The recordings of the shipped protocol.
const RECORDINGS: [&str; 8] = [
    "nautilus-14.2.21-crc",
    "nautilus-14.2.21-msgr20-crc",
    "pacific-16.2.15-crc-fs",
    "pacific-16.2.15-crc",
    "pacific-16.2.15-mixed",
    "pacific-16.2.15-none",
    "pacific-16.2.15-secure",
    "reef-18.2.7-crc",
];

/// Tells all units of all connections: the connection's number, the unit, its bytes.
fn listen(path: &Path, knowledge: &Knowledge, mut told: impl FnMut(u32, Unit, Bytes)) {
    let mut file = CaptureFile::open(path).unwrap();
    let mut streams: HashMap<u32, Stream> = HashMap::new();
    let mut reassembler = Reassembler::new(Limits::default());
    let mut sink = |chunk: &Chunk<'_>| {
        let direction = if chunk.direction == Flow::ToServer { Direction::Forward } else { Direction::Backward };
        let stream = streams.entry(chunk.stream).or_insert_with(|| {
            let mut stream = Stream::new(None);
            stream.set_knowledge(knowledge.clone());
            stream
        });
        stream.at(chunk.packet);
        let mut out = |event| {
            if let Event::Unit(unit, bytes) = event {
                told(chunk.stream, unit, bytes);
            }
        };
        match chunk.kind {
            Kind::Data(bytes) => stream.push(direction, bytes, &mut out),
            Kind::Gap(_) => stream.gap(direction, &mut out),
            Kind::Closed(end) => stream.close(direction, end, &mut out),
        }
        Ok::<_, std::convert::Infallible>(())
    };
    while let Some(packet) = file.next_packet().unwrap() {
        if let Ok(segment) = Segment::parse(&packet) {
            reassembler.push(&segment, &mut |chunk| sink(&chunk)).unwrap();
        }
    }
    reassembler.finish(&mut |chunk| sink(&chunk)).unwrap();
}

/// A recording, with what lies beside it.
struct Recording {
    capture: PathBuf,
    keyring: Keyring,
}

impl Recording {
    fn find(name: &str) -> Option<Self> {
        Some(Self::open(shared(&format!("{name}.pcapng"))?))
    }

    fn open(capture: PathBuf) -> Self {
        let mut recording = Recording { capture, keyring: Keyring::new() };
        recording.keyring = Keyring::parse(recording.beside("keyring") + &recording.beside("auth")).unwrap();
        recording
    }

    fn name(&self) -> String {
        self.capture.file_stem().unwrap().to_string_lossy().into_owned()
    }

    /// The keys with which its services have sealed tickets, as the mon has logged them.
    fn services(&self) -> ServiceKeys {
        let mut services = String::new();
        for line in self.beside("service-keys.tsv").lines() {
            let [service, id, key] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
            services += &format!("[service.{service}]\nkey.{id} = {key}\n");
        }
        ServiceKeys::parse(&services).unwrap()
    }

    /// The AES-GCM keys that OpenSSL was given, where that was recorded.
    fn gcm_keys(&self) -> HashSet<String> {
        self.beside("gcmkeys").lines().map(|line| line.split(' ').nth(4).unwrap().to_owned()).collect()
    }

    /// The text of a file beside it; nothing if there is none.
    fn beside(&self, ending: &str) -> String {
        let name = self.capture.file_stem().unwrap().to_string_lossy();
        fs::read_to_string(self.capture.with_file_name(format!("{name}.{ending}"))).unwrap_or_default()
    }

    fn knowledge(&self) -> Knowledge {
        Knowledge::with_keyring(self.keyring.clone())
    }

    /// Frames by tag, summed over what all daemons logged.
    fn logged(&self) -> BTreeMap<u8, u64> {
        let mut counts = BTreeMap::new();
        for line in self.beside("tags.tsv").lines().filter(|line| !line.starts_with('#')) {
            let cells: Vec<&str> = line.split('\t').collect();
            if let Ok(tag) = cells[1].parse() {
                *counts.entry(tag).or_default() += cells.last().unwrap().parse::<u64>().unwrap();
            }
        }
        assert!(!counts.is_empty());
        counts
    }
}

/// What is said of clusters that are well, too: their age, and how connections to monitors and killed daemons end.
const USUAL: [FindingKind; 5] = [
    FindingKind::OldKeyType,
    FindingKind::SessionReconnect,
    FindingKind::HandshakeReset,
    FindingKind::HandshakeClosed,
    FindingKind::ClientSilent,
];

/// A unit and all that is in it.
fn all(unit: &Unit, then: &mut impl FnMut(&Unit)) {
    then(unit);
    unit.inner().iter().for_each(|inner| all(inner, then));
}

#[test]
fn every_frame_is_followed_to_the_last() {
    for name in RECORDINGS {
        let Some(recording) = Recording::find(name) else { continue };
        let (mut shown, mut signatures, mut secure) = (BTreeMap::<u8, u64>::new(), 0, 0);
        listen(&recording.capture, &recording.knowledge(), |stream, unit, _| {
            all(&unit, &mut |unit| {
                let usual = |finding: &Finding| USUAL.contains(&finding.kind);
                assert!(unit.findings.iter().all(usual), "{name}: stream {stream}: {unit:?}");
                assert!(!unit.cut && !matches!(unit.kind, UnitKind::Encrypted | UnitKind::Lost));
                assert!(unit.kind != UnitKind::Secure || unit.inner().len() == 1);
                secure += u64::from(unit.kind == UnitKind::Secure);
                if let Some(tag) = unit.tag() {
                    *shown.entry(tag).or_default() += 1;
                    assert_eq!(unit.verdict.is_some(), tag == Tag::AUTH_SIGNATURE.0);
                }
                if let Some(verdict) = unit.verdict {
                    assert_eq!(verdict, Verdict::Good, "{name}: stream {stream}");
                    signatures += 1;
                }
            });
        });
        let logged = recording.logged();
        assert_eq!(shown.keys().collect::<Vec<_>>(), logged.keys().collect::<Vec<_>>(), "{name}");
        for (tag, count) in &logged {
            // a peer that was closing didn't read the last messages
            let unread = if *tag == Tag::MESSAGE.0 { 5 } else { 0 };
            assert!(
                (*count..=count + unread).contains(&shown[tag]),
                "{name}: tag {tag}: {} logged {count}",
                shown[tag]
            );
        }
        assert_eq!(secure > 0, name.contains("secure") || name.contains("mixed"), "{name}: {secure} secure frames");
        eprintln!("{name}: {signatures} signatures, {secure} secure frames");
    }
}

/// A connection whose frames are made anew.
#[derive(Default)]
struct Anew {
    context: Context,
    /// The payloads of AUTH_REQUEST and AUTH_REQUEST_MORE.
    request: Vec<u8>,
    more: Vec<u8>,
    sealers: Option<[Sealer; 2]>,
}

impl Anew {
    /// The keys of a connection, found without the tracker.
    fn keys(&self, done: &AuthDone<'_>, learnt: &mut Learnt) -> Option<Keys> {
        let frame = |tag, payload| Frame::decode(tag, &Segments::one(payload), &self.context, &mut ());
        let Ok(Frame::AuthRequest(request)) = frame(Tag::AUTH_REQUEST, &self.request) else { return None };
        let Ok(Frame::AuthRequestMore(more)) = frame(Tag::AUTH_REQUEST_MORE, &self.more) else { return None };
        let Some(AuthRequestPayload::Cephx(request)) = request.payload else { return None };
        let Some(AuthRequestMorePayload::Cephx(more)) = more.payload else { return None };
        let Some(AuthDonePayload::Cephx(done_payload)) = &done.payload else { return None };
        match (request.body, more.answer, &done_payload.reply) {
            (CephxRequestBody::Mon(request), _, CephxDoneReply::Mon(reply)) => {
                let name = EntityName::try_from(&request.entity).unwrap();
                Some(learnt.authenticate(&name, done.global_id, None, reply).ok()?.keys)
            }
            (_, CephxRequestMoreAnswer::Authorizer(shown), CephxDoneReply::Authorizer(reply)) => {
                learnt.authorize(&shown.authorizer, reply).ok()
            }
            _ => None,
        }
    }

    /// A frame again, from its values alone.
    fn frame(
        &mut self,
        direction: Direction,
        revision: Revision,
        head: &Head,
        opened: &Opened<'_>,
        learnt: &mut Learnt,
        gcm: &mut HashSet<String>,
    ) -> Vec<u8> {
        if head.compressed() {
            // another compressor may make other bytes of the same
            let segments = std::array::from_fn(|index| Bytes::copy_from_slice(opened.segments.bytes(index)));
            return self.assemble(direction, revision, Tag(head.tag), head.flags, &segments, opened.late);
        }
        let decode = |context: &Context| Frame::decode(Tag(head.tag), &opened.segments, context, &mut ()).unwrap();
        if let Frame::AuthRequest(request) = decode(&self.context) {
            let auth_mode = request.payload.as_ref().and_then(|payload| match payload {
                AuthRequestPayload::Cephx(cephx) => Some(cephx.auth_mode),
                AuthRequestPayload::None(none) => Some(none.auth_mode),
                AuthRequestPayload::Other(_) => None,
            });
            self.context = Context { auth_method: Some(request.method), auth_mode, ..Default::default() };
            self.request = opened.segments.bytes(0).to_vec();
        }
        let frame = decode(&self.context);
        let segments = frame.encode().unwrap().map(Bytes::from);
        let again = self.assemble(direction, revision, frame.tag(), head.flags, &segments, opened.late);
        match &frame {
            Frame::AuthRequestMore(_) => self.more = opened.segments.bytes(0).to_vec(),
            Frame::AuthDone(done) if done.connection_mode == ConnectionMode::SECURE => {
                let keys = self.keys(done, learnt).unwrap();
                gcm.insert(keys.connection_secret.expose()[..16].iter().map(|byte| format!("{byte:02x}")).collect());
                let key = ConnectionKey::new(&keys.connection_secret, revision).unwrap();
                let sealer = |end: Direction| key.sealer(if end == direction { Role::Server } else { Role::Client });
                self.sealers = Some([Direction::Forward, Direction::Backward].map(sealer));
            }
            Frame::AuthDone(done) => drop(self.keys(done, learnt)),
            _ => {}
        }
        again
    }

    fn assemble(
        &mut self,
        direction: Direction,
        revision: Revision,
        tag: Tag,
        flags: u8,
        segments: &[Bytes; 4],
        late: Late,
    ) -> Vec<u8> {
        let (flags, mut out) = (PreambleFlags(flags), Vec::new());
        let ending = if late == Late::Aborted { Ending::Aborted } else { Ending::Complete };
        match &mut self.sealers {
            Some(sealers) => sealers[direction as usize].assemble(tag, flags, segments, ending, &mut out).unwrap(),
            None => frame::assemble(revision, tag, flags, segments, ending, &mut out),
        }
        out.concat()
    }
}

/// What was in a compressed frame, from its values alone.
fn decompressed_again(frame: &Unit, bytes: &[u8]) {
    let Some(view) = frame.open(bytes) else { return };
    let [Unit { kind: UnitKind::Segments(head), context, .. }] = frame.inner() else { panic!("{frame:?}") };
    let mut at = 0;
    let segments = Segments::new(head.lengths.map(|length| {
        at += length as usize;
        (at - length as usize, &view[at - length as usize..at])
    }));
    let frame = Frame::decode(Tag(head.tag), &segments, context, &mut ()).unwrap();
    assert_eq!(frame.encode().unwrap().concat(), view);
}

/// Makes all frames of a capture anew, and returns how many there are and the keys of secure mode.
fn made_anew(path: &Path, keyring: &Keyring, services: &ServiceKeys) -> (usize, HashSet<String>) {
    let (mut connections, mut gcm) = (HashMap::<u32, Anew>::new(), HashSet::new());
    let mut learnt = Learnt::new(keyring.clone());
    learnt.add_service_keys(services);
    let knowledge = Knowledge::with_keyring(keyring.clone());
    knowledge.add_service_keys(services);
    let mut count = 0;
    listen(path, &knowledge, |stream, unit, bytes| {
        // of strangers, whose bytes are no frames, there is nothing to make
        let stranger = unit.kind == UnitKind::Lost && unit.dialect.is_none();
        if unit.dialect == Some(Dialect::Proposal)
            || matches!(unit.kind, UnitKind::Encrypted | UnitKind::Ended)
            || stranger
        {
            return;
        }
        let what = || format!("{}: stream {stream}: {unit:?}", path.display());
        let connection = connections.entry(stream).or_default();
        let revision = || unit.dialect.and_then(Dialect::revision).unwrap();
        count += 1;
        let again = match unit.kind {
            UnitKind::Banner => {
                let banner = decode_banner(&mut Reader::new(&bytes), &Context::default(), &mut ()).unwrap();
                banner.to_bytes().unwrap()
            }
            UnitKind::Frame(head) => {
                let opened = frame::open(&head, revision(), &bytes, Check::Crc);
                decompressed_again(&unit, &bytes);
                connection.frame(unit.direction, revision(), &head, &opened, &mut learnt, &mut gcm)
            }
            UnitKind::Secure => {
                let [inner] = unit.inner() else { panic!("{}", what()) };
                let UnitKind::Frame(head) = inner.kind else { panic!("{}", what()) };
                let view = unit.open(&bytes).unwrap();
                let opened = open_view(&head, revision(), &view);
                decompressed_again(inner, &view);
                connection.frame(unit.direction, revision(), &head, &opened, &mut learnt, &mut gcm)
            }
            _ => panic!("{}", what()),
        };
        assert!(again == bytes, "{}\n{again:02x?}\n{:02x?}", what(), &bytes[..]);
    });
    (count, gcm)
}

#[test]
fn what_was_decoded_gives_back_the_same_bytes() {
    for path in captures() {
        let keyring = fs::read_to_string(path.with_extension("keyring")).unwrap_or_default();
        if path.to_string_lossy().contains("msgr1") || path.to_string_lossy().contains("proposal") {
            continue;
        }
        // keys of entities, or of services
        let (entities, services) = if keyring.contains("[service.") { ("", &*keyring) } else { (&*keyring, "") };
        let services = ServiceKeys::parse(services).unwrap();
        let (count, _) = made_anew(&path, &Keyring::parse(entities).unwrap(), &services);
        assert!(count > 10, "{}: {count} frames", path.display());
    }
}

#[test]
fn so_do_recordings_and_their_keys_are_those_that_openssl_was_given() {
    for name in RECORDINGS {
        let Some(recording) = Recording::find(name) else { continue };
        let (count, gcm) = made_anew(&recording.capture, &recording.keyring, &recording.services());
        assert_eq!(gcm, recording.gcm_keys(), "{name}");
        eprintln!("{name}: {count} frames, {} keys", gcm.len());
        assert!(count > 1000, "{name}: {count} frames");
    }
}

/// Recordings of clusters in which clients were turned away and connections broken.
#[test]
fn fresh_recordings_are_followed_too() {
    // what strangers and broken scripts earn; nothing of it is the tracker's fault
    use FindingKind as F;
    let refused = [F::Denied, F::MethodRefused, F::ModeRefused, F::MissingFeatures, F::WrongProtocol, F::Lost];
    let broken = [F::SessionReset, F::SessionRetry, F::SessionRetryGlobal, F::SessionWait, F::EndedInFrame];
    let earned = [&refused[..], &broken, &USUAL].concat();
    for recording in fresh().into_iter().map(Recording::open) {
        let name = recording.name();
        let (mut shown, mut signatures, mut found) = (BTreeMap::<u8, u64>::new(), 0, BTreeMap::<String, u64>::new());
        listen(&recording.capture, &recording.knowledge(), |stream, unit, _| {
            all(&unit, &mut |unit| {
                for finding in &unit.findings {
                    assert!(earned.contains(&finding.kind), "{name}: stream {stream}: {unit:?}");
                    *found.entry(format!("{:?}", finding.kind)).or_default() += 1;
                }
                assert!(!unit.cut && unit.kind != UnitKind::Encrypted, "{name}: stream {stream}: {unit:?}");
                if let Some(tag) = unit.tag() {
                    *shown.entry(tag).or_default() += 1;
                }
                if let Some(verdict) = unit.verdict {
                    assert_eq!(verdict, Verdict::Good, "{name}: stream {stream}");
                    signatures += 1;
                }
            });
        });
        // what was sent into a broken connection nobody has logged
        for (tag, count) in recording.logged() {
            let seen = shown.get(&tag).copied().unwrap_or_default();
            assert!(seen >= count, "{name}: tag {tag}: {seen} of {count}");
        }
        let (count, gcm) = made_anew(&recording.capture, &recording.keyring, &recording.services());
        let given = recording.gcm_keys();
        assert!(given.is_empty() || gcm == given, "{name}: {} keys, but OpenSSL was given {}", gcm.len(), given.len());
        eprintln!(
            "{name}: {count} frames, {signatures} signatures, {} keys, tags {shown:?}, found {found:?}",
            gcm.len()
        );
    }
}

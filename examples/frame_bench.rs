//! How fast frames are encoded and decoded, beside what protecting the same bytes costs by itself: the bare CRC-32C pass, or
//! bare AES-128-GCM, with the same libraries in the same run.
//!
//! A ratio is the part of the bare speed that is left. Frames in secure mode are opened in two ways: where they stand, as
//! a receiver does that owns them, and into a view, for who needs the ciphertext, too. The second one copies, which the
//! bare cipher doesn't: it is told, and has no goal.
//!
//!     cargo run --release --example frame_bench

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use msgr2::Context;
use msgr2::crypto::{Gcm, Secret};
use msgr2::frame::secure::{ConnectionKey, open_view};
use msgr2::frame::{self, Check, Ending, Head, Opened, Revision, SEGMENT_SEED, crc32c};
use msgr2::types::{MessageHeader, MessageType, PreambleFlags};
use msgr2::v2_1::{Frame, Keepalive2, Tag};
use msgr2::wire::{Encode as _, Role, Utime};

/// How many rounds there are at least, for how long, and how often each of the two is called in a round.
const ROUNDS: usize = 41;
const LONG: Duration = Duration::from_secs(1);
const CALLS: usize = 5;
/// The part of the bare speed that must be left.
const GOAL: f64 = 0.8;
/// How long KEEPALIVE2 is measured between the others, and how many of them at once: a shared machine is slower for seconds
/// at a time.
const SHORT: Duration = Duration::from_millis(200);
const BATCH: u32 = 100;
/// The nanoseconds that it may take.
const KEEPALIVE_GOAL: f64 = 150.0;
/// What the bare cipher is used with.
const BARE_KEY: [u8; 16] = [7; 16];
const BARE_NONCE: [u8; 12] = [1; 12];

fn main() -> Result<(), Box<dyn Error>> {
    println!("frames, as a part of the speed of the bare CRC or cipher (goal {GOAL:.2})");
    println!(
        "{:>5} {:>9} {:>11} {:>11} {:>14} {:>14} {:>14}",
        "", "data", "crc decode", "crc encode", "secure decode", "secure encode", "into a view"
    );
    let mut good = true;
    for revision in [Revision::V2_0, Revision::V2_1] {
        let mut keepalives = Vec::new();
        for size in [64 << 10, 1 << 20, 16 << 20] {
            let message = Message::new(revision, size)?;
            let mut ratios = [0.0; 5];
            for (index, ratio) in ratios.iter_mut().enumerate() {
                *ratio = match index {
                    0 => message.crc_decode(),
                    1 => message.crc_encode(),
                    2 => message.secure_decode(Opening::InPlace)?,
                    3 => message.secure_encode()?,
                    _ => message.secure_decode(Opening::View)?,
                };
                keepalive(revision, &mut keepalives);
            }
            let [a, b, c, d, view] = ratios;
            println!("{:>5} {size:>9} {a:>11.2} {b:>11.2} {c:>14.2} {d:>14.2} {view:>14.2}", revision.name());
            good &= [a, b, c, d].iter().all(|&ratio| ratio >= GOAL);
        }
        let nanoseconds = median(keepalives) * 1e9;
        println!("{:>5} KEEPALIVE2, encoded and decoded: {nanoseconds:.0} ns (goal {KEEPALIVE_GOAL})", revision.name());
        good &= nanoseconds < KEEPALIVE_GOAL;
    }
    if good { Ok(()) } else { Err("a goal is missed".into()) }
}

/// What of the bare speed is left: the median of many rounds. In each both are called in turn, and the quickest calls
/// are compared, as other work on the machine only makes them slower.
fn ratio(mut ours: impl FnMut() -> Duration, mut bare: impl FnMut() -> Duration) -> f64 {
    let mut quotients = Vec::new();
    let begun = Instant::now();
    while quotients.len() < ROUNDS || begun.elapsed() < LONG {
        let (mut with, mut without) = (Duration::MAX, Duration::MAX);
        for _ in 0..CALLS {
            without = without.min(bare());
            with = with.min(ours());
        }
        quotients.push(without.as_secs_f64() / with.as_secs_f64());
    }
    median(quotients)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// How long it takes; what is to be prepared or dropped stays outside.
fn timed<V>(run: impl FnOnce() -> V) -> Duration {
    let begun = Instant::now();
    black_box(run());
    begun.elapsed()
}

/// A message with data of some size.
struct Message {
    revision: Revision,
    segments: [Bytes; 4],
}

impl Message {
    fn new(revision: Revision, size: usize) -> Result<Self, Box<dyn Error>> {
        let header = MessageHeader { seq: 1, r#type: MessageType::OSD_OP, ..MessageHeader::default() };
        let data: Bytes = (0..size).map(|n| ((n * 31) >> 3) as u8).collect();
        Ok(Message { revision, segments: [header.to_bytes()?.into(), vec![7; 200].into(), Bytes::new(), data] })
    }

    fn bare_crc(&self) -> Duration {
        timed(|| {
            for segment in &self.segments {
                black_box(crc32c(SEGMENT_SEED, black_box(segment)));
            }
        })
    }

    fn crc_decode(&self) -> f64 {
        let mut out = Vec::new();
        frame::assemble(self.revision, Tag::MESSAGE, PreambleFlags(0), &self.segments, Ending::Complete, &mut out);
        let wire = out.concat();
        let decode = || {
            timed(|| {
                let preamble = black_box(&wire).first_chunk().expect("a preamble");
                let head = Head::parse(preamble, self.revision).expect("a head");
                let opened = frame::open(&head, self.revision, &wire, Check::Crc);
                assert_eq!(opened.bad_crc, None);
                decoded(&head, &opened);
            })
        };
        ratio(decode, || self.bare_crc())
    }

    fn crc_encode(&self) -> f64 {
        let mut out = Vec::new();
        let encode = || {
            timed(|| {
                out.clear();
                let segments = black_box(&self.segments);
                frame::assemble(self.revision, Tag::MESSAGE, PreambleFlags(0), segments, Ending::Complete, &mut out);
                black_box(&out);
            })
        };
        ratio(encode, || self.bare_crc())
    }

    fn key(&self) -> Result<ConnectionKey, Box<dyn Error>> {
        Ok(ConnectionKey::new(&Secret::from((0..64).collect::<Vec<u8>>()), self.revision)?)
    }

    /// As many bytes as the segments have.
    fn plain(&self) -> Vec<u8> {
        self.segments.concat()
    }

    fn secure_decode(&self, opening: Opening) -> Result<f64, Box<dyn Error>> {
        let (key, mut out) = (self.key()?, Vec::new());
        key.sealer(Role::Client).assemble(
            Tag::MESSAGE,
            PreambleFlags(0),
            &self.segments,
            Ending::Complete,
            &mut out,
        )?;
        let (wire, opener) = (out.concat(), key.opener(Role::Client));
        let (mut owned, mut view) = (wire.clone(), Vec::new());
        let decode = || match opening {
            Opening::InPlace => {
                owned.copy_from_slice(&wire);
                timed(|| {
                    let head = opener.head(0, black_box(&owned)).expect("a head");
                    let place = opener.open_in_place(0, &head, &mut owned).expect("authentic");
                    decoded(&head, &open_view(&head, self.revision, &owned[place]));
                })
            }
            Opening::View => timed(|| {
                let head = opener.head(0, black_box(&wire)).expect("a head");
                view.clear();
                opener.open(0, &head, &wire, &mut view).expect("authentic");
                decoded(&head, &open_view(&head, self.revision, &view));
            }),
        };
        let (gcm, mut buffer) = (Gcm::new(&BARE_KEY), self.plain());
        let bare = || {
            let tag = gcm.encrypt_in_place(&BARE_NONCE, &[], &mut buffer).expect("not too long");
            timed(|| gcm.decrypt_in_place(&BARE_NONCE, &[], black_box(&mut buffer), &tag).expect("authentic"))
        };
        Ok(ratio(decode, bare))
    }

    fn secure_encode(&self) -> Result<f64, Box<dyn Error>> {
        let (mut sealer, mut out) = (self.key()?.sealer(Role::Client), Vec::new());
        let encode = || {
            timed(|| {
                out.clear();
                let segments = black_box(&self.segments);
                let sealed = sealer.assemble(Tag::MESSAGE, PreambleFlags(0), segments, Ending::Complete, &mut out);
                assert_eq!(sealed, Ok(()));
                black_box(&out);
            })
        };
        let (gcm, mut buffer) = (Gcm::new(&BARE_KEY), self.plain());
        Ok(ratio(encode, || timed(|| gcm.encrypt_in_place(&BARE_NONCE, &[], black_box(&mut buffer)))))
    }
}

/// Where a frame is decrypted.
#[derive(Clone, Copy)]
enum Opening {
    InPlace,
    View,
}

fn decoded(head: &Head, opened: &Opened<'_>) {
    let frame = Frame::decode(Tag(head.tag), &opened.segments, &Context::default(), &mut ());
    assert!(black_box(&frame).is_ok());
}

/// How many seconds a KEEPALIVE2 takes from value to bytes and back, many times. The clock is asked rarely: to ask takes a
/// part of that.
fn keepalive(revision: Revision, seconds: &mut Vec<f64>) {
    let timestamp = Utime { sec: 1_795_356_498, nsec: 988_347_236 };
    let once = || {
        let frame = Frame::Keepalive2(Keepalive2 { timestamp: black_box(timestamp), ..Default::default() });
        let wire = frame::encode(revision, &frame).expect("a frame");
        let head = Head::parse(black_box(&wire).first_chunk().expect("a preamble"), revision).expect("a head");
        let opened = frame::open(&head, revision, &wire, Check::Crc);
        assert_eq!(opened.bad_crc, None);
        decoded(&head, &opened);
    };
    let begun = Instant::now();
    while begun.elapsed() < SHORT {
        seconds.push(timed(|| (0..BATCH).for_each(|_| once())).as_secs_f64() / f64::from(BATCH));
    }
}

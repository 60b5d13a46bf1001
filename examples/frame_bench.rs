//! How fast frames are encoded and decoded, beside what protecting the same bytes costs by itself: the bare CRC-32C pass, or
//! bare AES-128-GCM, with the same libraries in the same run.
//!
//! A ratio is the part of the bare speed that is left. Each is the median of many short measurements that alternate
//! between the two, so that other work on the machine meets both alike.
//!
//!     cargo run --release --example frame_bench

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use msgr2::Context;
use msgr2::crypto::{Gcm, Secret};
use msgr2::frame::secure::{ConnectionKey, open_view};
use msgr2::frame::{self, Check, Ending, Head, Revision, SEGMENT_SEED, crc32c};
use msgr2::types::{MessageHeader, MessageType, PreambleFlags};
use msgr2::v2_1::{Frame, Keepalive2, Tag};
use msgr2::wire::{Encode as _, Role, Utime};

/// How often the two of a pair are measured.
const ROUNDS: usize = 41;
/// How long a single measurement takes at least.
const SHORT: Duration = Duration::from_millis(4);

fn main() -> Result<(), Box<dyn Error>> {
    println!("frames of v2.1, as a part of the speed of the bare CRC or cipher (goal 0.80)");
    println!(
        "{:>10} {:>12} {:>12} {:>14} {:>14}",
        "data", "crc decode", "crc encode", "secure decode", "secure encode"
    );
    let mut good = true;
    for size in [64 << 10, 1 << 20, 16 << 20] {
        let ratios = [crc_decode(size)?, crc_encode(size)?, secure_decode(size)?, secure_encode(size)?];
        let [a, b, c, d] = ratios;
        println!("{size:>10} {a:>12.2} {b:>12.2} {c:>14.2} {d:>14.2}");
        good &= ratios.iter().all(|&ratio| ratio >= 0.8);
    }
    let keepalive = keepalive()?;
    println!("KEEPALIVE2, encoded and decoded: {keepalive:.0} ns (goal 150)");
    good &= keepalive < 150.0;
    if good { Ok(()) } else { Err("a goal is missed".into()) }
}

/// The median of the quotients of two things' speeds, measured in turn.
fn ratio(mut ours: impl FnMut(), mut bare: impl FnMut()) -> f64 {
    let mut quotients: Vec<f64> = (0..ROUNDS).map(|_| seconds(&mut bare) / seconds(&mut ours)).collect();
    quotients.sort_by(f64::total_cmp);
    quotients[ROUNDS / 2]
}

/// Seconds that one call takes.
fn seconds(run: &mut impl FnMut()) -> f64 {
    let begun = Instant::now();
    let mut calls = 0u32;
    while begun.elapsed() < SHORT {
        run();
        calls += 1;
    }
    begun.elapsed().as_secs_f64() / f64::from(calls)
}

fn message(size: usize) -> Result<[Bytes; 4], Box<dyn Error>> {
    let header = MessageHeader { seq: 1, r#type: MessageType::OSD_OP, ..MessageHeader::default() };
    let data: Bytes = (0..size).map(|n| ((n * 31) >> 3) as u8).collect();
    Ok([header.to_bytes()?.into(), vec![7; 200].into(), Bytes::new(), data])
}

fn bare_crc(segments: &[Bytes; 4]) {
    for segment in segments {
        black_box(crc32c(SEGMENT_SEED, black_box(segment)));
    }
}

fn crc_decode(size: usize) -> Result<f64, Box<dyn Error>> {
    let segments = message(size)?;
    let mut out = Vec::new();
    frame::assemble(Revision::V2_1, Tag::MESSAGE, PreambleFlags(0), &segments, Ending::Complete, &mut out);
    let wire = out.concat();
    let decode = || {
        let head = Head::parse(black_box(&wire).first_chunk().expect("a preamble"), Revision::V2_1).expect("a head");
        let opened = frame::open(&head, Revision::V2_1, &wire, Check::Crc);
        assert_eq!(opened.bad_crc, None);
        black_box(Frame::decode(Tag(head.tag), &opened.segments, &Context::default(), &mut ()).expect("a message"));
    };
    Ok(ratio(decode, || bare_crc(&segments)))
}

fn crc_encode(size: usize) -> Result<f64, Box<dyn Error>> {
    let segments = message(size)?;
    let mut out = Vec::new();
    let encode = || {
        out.clear();
        frame::assemble(
            Revision::V2_1,
            Tag::MESSAGE,
            PreambleFlags(0),
            black_box(&segments),
            Ending::Complete,
            &mut out,
        );
        black_box(&out);
    };
    Ok(ratio(encode, || bare_crc(&segments)))
}

fn key() -> Result<ConnectionKey, Box<dyn Error>> {
    Ok(ConnectionKey::new(&Secret::from((0..64).collect::<Vec<u8>>()), Revision::V2_1)?)
}

/// The cipher alone, in place, over as many bytes. Decryption takes the same: a pass for the tag and one for the bytes.
fn bare_cipher(buffer: &mut [u8]) {
    let gcm = Gcm::new(&[7; 16]);
    black_box(gcm.encrypt_in_place(&[1; 12], &[], black_box(buffer)));
}

fn secure_decode(size: usize) -> Result<f64, Box<dyn Error>> {
    let key = key()?;
    let mut out = Vec::new();
    let segments = message(size)?;
    key.sealer(Role::Client).assemble(Tag::MESSAGE, PreambleFlags(0), &segments, Ending::Complete, &mut out)?;
    let (wire, opener) = (out.concat(), key.opener(Role::Client));
    let (mut view, mut buffer) = (Vec::new(), wire.clone());
    let decode = || {
        let head = opener.head(0, black_box(&wire)).expect("a head");
        view.clear();
        opener.open(0, &head, &wire, &mut view).expect("authentic");
        let opened = open_view(&head, Revision::V2_1, &view);
        black_box(Frame::decode(Tag(head.tag), &opened.segments, &Context::default(), &mut ()).expect("a message"));
    };
    Ok(ratio(decode, || bare_cipher(&mut buffer)))
}

fn secure_encode(size: usize) -> Result<f64, Box<dyn Error>> {
    let mut sealer = key()?.sealer(Role::Client);
    let segments = message(size)?;
    let (mut out, mut buffer) = (Vec::new(), vec![0; segments.iter().map(Bytes::len).sum()]);
    let encode = || {
        out.clear();
        let sealed = sealer.assemble(Tag::MESSAGE, PreambleFlags(0), black_box(&segments), Ending::Complete, &mut out);
        assert_eq!(sealed, Ok(()));
        black_box(&out);
    };
    Ok(ratio(encode, || bare_cipher(&mut buffer)))
}

/// Nanoseconds for a KEEPALIVE2 from value to bytes and back.
fn keepalive() -> Result<f64, Box<dyn Error>> {
    let timestamp = Utime { sec: 1_795_356_498, nsec: 988_347_236 };
    let mut run = || {
        let frame = Frame::Keepalive2(Keepalive2 { timestamp: black_box(timestamp), ..Default::default() });
        let wire = frame::encode(Revision::V2_1, &frame).expect("a frame");
        let head = Head::parse(black_box(&wire).first_chunk().expect("a preamble"), Revision::V2_1).expect("a head");
        let opened = frame::open(&head, Revision::V2_1, &wire, Check::Crc);
        assert_eq!(opened.bad_crc, None);
        black_box(Frame::decode(Tag(head.tag), &opened.segments, &Context::default(), &mut ()).expect("a keepalive"));
    };
    let mut times: Vec<f64> = (0..ROUNDS).map(|_| seconds(&mut run)).collect();
    times.sort_by(f64::total_cmp);
    Ok(times[ROUNDS / 2] * 1e9)
}

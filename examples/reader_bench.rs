//! What reading costs: by the generated code or by the walker, with and without a recorder.
//!
//! To be counted in instructions, of which the difference of two numbers of rounds is what rounds cost:
//!
//!     cargo build --release --example reader_bench
//!     valgrind --tool=callgrind target/release/examples/reader_bench walker recorded 100
//!
//! It reads a MESSAGE frame (an OSD_OP whose front and data are bytes), and every example of a message's body in the spec.

use std::error::Error;
use std::hint::black_box;

use msgr2::messages::Body;
use msgr2::types::{MessageHeader, MessageType};
use msgr2::v2_1::{Frame, NAME, Tag};
use msgr2::wire::{Encode as _, Recorder, Segments, Trace, Walker};
use msgr2::{Context, protocol};
use msgr2_spec::Spec;
use msgr2_spec::ir::BodyKind;

/// A body: its type, its version, its segments.
type Message = (u16, u16, Vec<Vec<u8>>);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, reader, mode, what, rounds] = &arguments[..] else {
        return Err("usage: reader_bench typed|walker silent|recorded frame|BODY|bodies ROUNDS".into());
    };
    let (rounds, inputs) = (rounds.parse()?, inputs(what)?);
    let mut recorder = Recorder::new();
    for _ in 0..rounds {
        for input in &inputs {
            recorder.clear();
            match (reader.as_str(), mode.as_str()) {
                ("typed", "silent") => typed(input, &mut ()),
                ("typed", _) => typed(input, &mut recorder),
                (_, "silent") => walked(input, &mut ()),
                _ => walked(input, &mut recorder),
            }
        }
    }
    println!("{} inputs, {} fields in the last", inputs.len(), recorder.nodes().len());
    Ok(())
}

fn inputs(what: &str) -> Result<Vec<Message>, Box<dyn Error>> {
    if what == "frame" {
        let header = MessageHeader { seq: 1, r#type: MessageType::OSD_OP, ..MessageHeader::default() };
        return Ok(vec![(0, 0, vec![header.to_bytes()?, vec![7; 200], vec![], vec![7; 4096]])]);
    }
    let ir = Spec::embedded().and_then(|spec| spec.resolve()).map_err(|problems| format!("{problems:?}"))?;
    let mut inputs = Vec::new();
    for (_, body) in ir.messages().filter(|(_, body)| what == "bodies" || body.name == what) {
        let BodyKind::Message { number, versions, .. } = &body.kind else { continue };
        for example in &body.examples {
            let told = example.context.get("message_version").and_then(serde_json::Value::as_u64);
            let version = told.map_or(versions.head, |version| version as u16);
            let header = std::iter::once(Vec::new());
            inputs.push((*number, version, header.chain(example.segments.iter().cloned()).collect()));
        }
    }
    Ok(inputs)
}

fn segments(parts: &[Vec<u8>]) -> Segments<'_> {
    let mut at = 0;
    Segments::new(std::array::from_fn(|index| {
        let part: &[u8] = parts.get(index).map_or(&[], |part| part);
        let start = at;
        at += part.len();
        (start, part)
    }))
}

#[inline(never)]
fn typed<T: Trace>((number, version, parts): &Message, t: &mut T) {
    let (segments, context) = (segments(parts), Context::default());
    match number {
        0 => drop(black_box(Frame::decode(Tag::MESSAGE, &segments, &context, t))),
        _ => drop(black_box(Body::decode(MessageType(*number), *version, &segments, &context, t))),
    }
}

#[inline(never)]
fn walked<T: Trace>((number, version, parts): &Message, t: &mut T) {
    let (segments, numbers) = (segments(parts), Context::default().numbers());
    let walker = &mut Walker::new(protocol(), &numbers);
    match number {
        0 => {
            let Some(dialect) = protocol().dialect(NAME) else { return };
            drop(black_box(walker.frame(dialect, Tag::MESSAGE.0, &segments, t, |_| ())));
        }
        _ => drop(black_box(walker.message(*number, *version, &segments, t, |_| ()))),
    }
}

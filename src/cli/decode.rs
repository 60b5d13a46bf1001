//! `msgr2 decode`: what is in a capture.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args as ClapArgs;
use indicatif::{ProgressBar, ProgressStyle};
use msgr2::tracker::{Direction, Event, Knowledge, SECRETS_TYPE, Stream};
use msgr2_spec::tables::{names, tables};
use zeroize::Zeroizing;

use crate::capture::{CaptureFile, Chunk, Direction as Flow, Kind, Limits, Reassembler, Segment, Skipped};
use crate::print::{Place, Printer, Style};
use crate::spec::Source;

/// Show the msgr2 frames in a capture file (pcap or pcapng), one line each.
///
/// TCP is put together as far as the capture allows; connections that don't speak msgr2 are passed over.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// The capture file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Keys to decrypt with: a keyring of entities, keys of services (`[service.osd]`, `key.2 = …`), or both. Keys
    /// that the capture itself holds are used too.
    #[arg(long, value_name = "FILE")]
    keyring: Vec<PathBuf>,
    /// Show frames and messages as the spec in this folder says, not as the one that this program was built with. It is
    /// a whole spec, such as `msgr2 spec lint` checks.
    #[arg(long, value_name = "FOLDER")]
    spec: Option<PathBuf>,
    /// Print JSON Lines: an object for each frame.
    #[arg(long)]
    json: bool,
    /// Show every field, with its place in the frame.
    #[arg(long, short)]
    verbose: bool,
    /// Show at most so many bytes of a field's content; 0 shows all.
    #[arg(long, value_name = "N", default_value_t = 64)]
    max_bytes: usize,
}

/// Below this size a file is read before a bar could be looked at.
const WORTH_A_BAR: u64 = 16 << 20;

pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(folder) = &args.spec {
        let ir = Source::from(folder.clone()).load()?;
        msgr2::show_with(tables(&ir), &names(&ir));
    }
    let mut file = CaptureFile::open(&args.file)?;
    let style = Style { json: args.json, verbose: args.verbose, max_bytes: args.max_bytes };
    let knowledge = keys(&args.keyring)?;
    let (learning, name) = (knowledge.clone(), args.file.display().to_string());
    file.on_secrets(move |kind, secrets| {
        if kind == SECRETS_TYPE
            && let Err(error) = learning.add_text(secrets)
        {
            eprintln!("msgr2: {name}: the keys in it can't be used: {error}");
        }
    });
    let mut decoder = Decoder::new(Printer::new(BufWriter::new(io::stdout().lock()), style), knowledge);
    let mut reassembler = Reassembler::new(Limits::default());
    let bar = progress(file.len());
    let mut fragments = 0u64;

    let ended = loop {
        match file.next_packet() {
            Ok(Some(packet)) => match Segment::parse(&packet) {
                Ok(segment) => reassembler.push(&segment, &mut |chunk| decoder.chunk(&chunk))?,
                Err(Skipped::Fragment) => fragments += 1,
                Err(_) => {}
            },
            Ok(None) => break Ok(()),
            // what came before is good; say so after it is shown
            Err(error) => break Err(error),
        }
        if let Some(bar) = &bar {
            bar.set_position(file.position());
        }
    };
    reassembler.finish(&mut |chunk| decoder.chunk(&chunk))?;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    decoder.printer.flush()?;
    if fragments > 0 {
        eprintln!("msgr2: {fragments} IP fragment(s) passed over; their connections have gaps");
    }
    ended.with_context(|| format!("{}: shown as far as it goes", args.file.display()))
}

/// The keys in these files. A file that is no keyring adds nothing; all is shown as far as it goes without it.
fn keys(files: &[PathBuf]) -> Result<Knowledge> {
    let knowledge = Knowledge::default();
    for path in files {
        let text = Zeroizing::new(fs::read(path).with_context(|| path.display().to_string())?);
        if let Err(error) = knowledge.add_text(&text) {
            eprintln!("msgr2: {}: no key of it is used: {error}", path.display());
        }
    }
    Ok(knowledge)
}

fn progress(length: u64) -> Option<ProgressBar> {
    if length < WORTH_A_BAR || !io::stderr().is_terminal() {
        return None;
    }
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {eta}") {
        bar.set_style(style);
    }
    Some(bar)
}

/// Follows all connections.
struct Decoder<W: Write> {
    streams: HashMap<u32, Connection>,
    printer: Printer<W>,
    knowledge: Knowledge,
}

struct Connection {
    stream: Stream,
    open: [bool; 2],
}

impl<W: Write> Decoder<W> {
    fn new(printer: Printer<W>, knowledge: Knowledge) -> Self {
        Decoder { streams: HashMap::new(), printer, knowledge }
    }

    fn chunk(&mut self, chunk: &Chunk<'_>) -> Result<()> {
        let direction = match chunk.direction {
            Flow::ToServer => Direction::Forward,
            Flow::ToClient => Direction::Backward,
        };
        let connection = self.streams.entry(chunk.stream).or_insert_with(|| {
            let mut stream = Stream::new(None);
            stream.set_knowledge(self.knowledge.clone());
            Connection { stream, open: [true; 2] }
        });
        connection.stream.at(chunk.packet);
        let place = Place { packet: chunk.packet, stream: chunk.stream, src: chunk.src, dst: chunk.dst };
        let mut result = Ok(());
        let printer = &mut self.printer;
        let mut out = |event| {
            if let (Event::Unit(unit, bytes), Ok(())) = (&event, &result) {
                result = printer.unit(&place, unit, bytes);
            }
        };
        match chunk.kind {
            Kind::Data(bytes) => connection.stream.push(direction, bytes, &mut out),
            Kind::Gap(_) => connection.stream.gap(direction, &mut out),
            Kind::Closed => {
                connection.stream.close(direction, &mut out);
                connection.open[direction as usize] = false;
            }
        }
        if connection.open == [false; 2] {
            self.streams.remove(&chunk.stream);
        }
        result.map_err(Into::into)
    }
}

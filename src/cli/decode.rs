//! `msgr2 decode`: what is in a capture.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args as ClapArgs;
use indicatif::{ProgressBar, ProgressStyle};
use msgr2::tracker::{Backlog, Direction, Event, Knowledge, SECRETS_TYPE, Stream};

use crate::print::{Place, Printer, Style};
use msgr2::capture::{
    CaptureFile, Chunk, Direction as Flow, Error, KeyFileError, Kind, Limits, Reassembler, Segment, Skipped,
    add_key_files,
};

/// Show the msgr2 frames in a capture file (pcap or pcapng), one line each.
///
/// TCP is put together as far as the capture allows; connections that don't speak msgr2 are passed over.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// The capture file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Keys to decrypt with: a keyring of entities, keys of services (`[service.osd]`, `key.2 = …`), or both; a folder
    /// stands for its files with `key` in their names. May be repeated. Keys that the capture itself holds are used too.
    #[arg(long, value_name = "FILE")]
    keyring: Vec<PathBuf>,
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
    let (mut file, bar) = open(&args.file).with_context(|| args.file.display().to_string())?;
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
    let mut fragments = 0u64;

    let ended = loop {
        match file.next_packet() {
            Ok(Some(packet)) => match Segment::parse(&packet) {
                Ok(segment) => {
                    reassembler.push(&segment, &mut |chunk| decoder.chunk(&chunk))?;
                }
                Err(Skipped::Fragment) => fragments += 1,
                Err(_) => {}
            },
            Ok(None) => break Ok(()),
            // what came before is good; say so after it is shown
            Err(error) => break Err(error),
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

/// The capture, and a bar that shows how much of it was read.
fn open(path: &Path) -> Result<(CaptureFile, Option<ProgressBar>), Error> {
    let file = File::open(path).map_err(Error::Open)?;
    let bar = progress(file.metadata().map_or(0, |metadata| metadata.len()));
    let capture = match &bar {
        Some(bar) => CaptureFile::new(bar.wrap_read(file)),
        None => CaptureFile::new(file),
    };
    Ok((capture?, bar))
}

/// The keys in these files and folders. What is wrong in one is told; all is shown as far as it goes without it.
fn keys(files: &[PathBuf]) -> Result<Knowledge> {
    let knowledge = Knowledge::default();
    for path in files {
        for error in add_key_files(&knowledge, path.as_os_str()) {
            match error {
                error @ KeyFileError::Unreadable { .. } => return Err(error.into()),
                error => eprintln!("msgr2: {error}"),
            }
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
    backlog: Backlog,
}

struct Connection {
    /// Where its last packet was.
    place: Place,
    stream: Stream,
    open: [bool; 2],
}

impl<W: Write> Decoder<W> {
    fn new(printer: Printer<W>, knowledge: Knowledge) -> Self {
        Decoder { streams: HashMap::new(), printer, knowledge, backlog: Backlog::default() }
    }

    fn chunk(&mut self, chunk: &Chunk<'_>) -> Result<()> {
        let direction = match chunk.direction {
            Flow::ToServer => Direction::Forward,
            Flow::ToClient => Direction::Backward,
        };
        let place = Place { packet: chunk.packet, stream: chunk.stream, src: chunk.src, dst: chunk.dst };
        let connection = self.streams.entry(chunk.stream).or_insert_with(|| {
            let mut stream = Stream::new(None);
            stream.set_knowledge(self.knowledge.clone());
            Connection { place, stream, open: [true; 2] }
        });
        connection.place = place;
        connection.stream.at(chunk.packet);
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
            Kind::Closed(end) => {
                connection.stream.close(direction, end, &mut out);
                connection.open[direction as usize] = false;
            }
        }
        let held = connection.stream.held();
        if connection.open == [false; 2] {
            self.streams.remove(&chunk.stream);
        }
        result?;
        self.relieve(chunk.stream, held)
    }

    /// A stream holds back so many bytes. If that is too much in all, who waits longest is shown as far as it came.
    fn relieve(&mut self, stream: u32, held: usize) -> Result<()> {
        let mut next = self.backlog.tell(stream, held);
        while let Some(oldest) = next {
            let mut result = Ok(());
            let mut held = 0;
            if let Some(Connection { place, stream, .. }) = self.streams.get_mut(&oldest) {
                stream.give_up(&mut |event| {
                    if let (Event::Unit(unit, bytes), Ok(())) = (&event, &result) {
                        result = self.printer.unit(place, unit, bytes);
                    }
                });
                held = stream.held();
            }
            result?;
            next = self.backlog.tell(oldest, held);
        }
        Ok(())
    }
}

//! `msgr2 decode`: what is in captures.

mod clock;
mod connections;
mod entity;
mod files;
mod filter;
mod input;
mod interrupt;
mod passed;
mod print;
mod schema;

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args as ClapArgs;
use msgr2::capture::{Defragmenter, KeyFileError, Limits, Packet, Reassembler, add_key_files};
use msgr2::tracker::{Knowledge, SECRETS_TYPE};
use msgr2_spec::tables::{names, tables};

use clock::{Clock, Column};
use connections::Connections;
use files::Files;
use filter::Filter;
use input::Input;
use passed::Unread;
use print::{Printer, Scene, Style};

use crate::spec::Source;

/// As many bytes of a field's content are shown in text, unless something else is asked for.
const TEXT_BYTES: usize = 64;

/// Show the msgr2 frames in captures (pcap or pcapng), one line each.
///
/// TCP is put together as far as the capture allows, in tunnels too (VXLAN, Geneve, GRE, MPLS, IP in IP, PPPoE), and out of
/// fragments of IP packets. Connections that don't speak msgr2 are passed over; how many there were is said at the end, on
/// standard error.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// The captures, in the order in which they were taken, such as the files of a ring buffer: connections go on from one to the
    /// next. `-` is standard input. They may be compressed with gzip, zstd or lz4.
    #[arg(value_name = "FILE", required_unless_present = "schema")]
    files: Vec<PathBuf>,
    /// Keys to decrypt with: a keyring of entities, keys of services (`[service.osd]`, `key.2 = …`), or both; a folder
    /// stands for its files with `key` in their names. May be repeated. Keys that the capture itself holds are used too.
    #[arg(long, value_name = "FILE")]
    keyring: Vec<PathBuf>,
    /// Show frames and messages as the spec in this folder says, not as the one that this program was built with. It is
    /// a whole spec, such as `msgr2 spec lint` checks.
    #[arg(long, value_name = "FOLDER")]
    spec: Option<PathBuf>,
    /// Print JSON Lines: an object for each frame.
    #[arg(long)]
    json: bool,
    /// Print the JSON Schema of these objects.
    #[arg(long, exclusive = true)]
    schema: bool,
    /// Show every field, with its place in the frame.
    #[arg(long, short)]
    verbose: bool,
    /// The time of the packet in which a frame ends, in text; JSON always has it.
    #[arg(long, value_enum, default_value_t = Column::Relative)]
    time: Column,
    /// Show at most so many bytes of a field's content; 0 shows all. If it isn't said, text shows 64, and JSON all.
    #[arg(long, value_name = "N")]
    max_bytes: Option<usize>,
    #[command(flatten)]
    filter: Filter,
}

pub(crate) fn run(args: Args) -> Result<()> {
    if args.schema {
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, &schema::schema())?;
        return writeln!(out).map_err(Into::into);
    }
    if let Some(folder) = &args.spec {
        let ir = Source::from(folder.clone()).load()?;
        msgr2::show_with(tables(&ir), &names(&ir));
    }
    let max_bytes = args.max_bytes.unwrap_or(if args.json { 0 } else { TEXT_BYTES });
    let printer = Printer::new(Style { json: args.json, verbose: args.verbose, max_bytes });
    let knowledge = keys(&args.keyring)?;
    let out = BufWriter::new(io::stdout().lock());
    let mut reading = Reading {
        connections: Connections::new(printer, out, args.filter, knowledge.clone()),
        reassembler: Reassembler::new(Limits::default()),
        defragmenter: Defragmenter::default(),
        files: Files::new(&args.files),
        clock: Clock::new(args.time),
        segments: 0,
        unread: Unread::default(),
    };
    let mut failed = None;
    for path in &args.files {
        if let Err(error) = reading.file(path, &knowledge) {
            // what came before is good, and what comes in the next file is, too; so this is said after it is shown
            match error {
                Failed::Input(error) => say(failed.replace(error)),
                Failed::Output(error) => return Err(error.into()),
            }
        }
    }
    reading.finish(failed.is_some())?;
    failed.map_or(Ok(()), Err)
}

/// Says what is wrong with one of several files.
fn say(error: Option<anyhow::Error>) {
    if let Some(error) = error {
        eprintln!("msgr2: {error:#}");
    }
}

/// Why a file wasn't read to its end.
enum Failed {
    /// There is something wrong with it.
    Input(anyhow::Error),
    /// Nobody takes what is printed.
    Output(io::Error),
}

/// From packets to lines.
struct Reading<W> {
    connections: Connections<W>,
    reassembler: Reassembler,
    defragmenter: Defragmenter,
    files: Files,
    clock: Clock,
    /// How many TCP segments there were.
    segments: u64,
    unread: Unread,
}

impl<W: Write> Reading<W> {
    /// Reads a file to its end.
    fn file(&mut self, path: &Path, knowledge: &Knowledge) -> Result<(), Failed> {
        self.files.begin();
        let name = input::name(path);
        let Input { mut file, live, bar } = Input::open(path).with_context(|| name.clone()).map_err(Failed::Input)?;
        // who looks at a terminal, or pipes packets in as they are captured, wants each line when it is there
        if live {
            interrupt::leave_to_input();
        }
        let live = live || io::stdout().is_terminal();
        let (learning, whose) = (knowledge.clone(), name.clone());
        file.on_secrets(move |kind, secrets| {
            if kind == SECRETS_TYPE
                && let Err(error) = learning.add_text(secrets)
            {
                eprintln!("msgr2: {whose}: the keys in it can't be used: {error}");
            }
        });
        let ended = loop {
            let digits = file.digits();
            match file.next_packet() {
                Ok(Some(packet)) => self.packet(&packet, digits).map_err(Failed::Output)?,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
            if live {
                self.connections.flush().map_err(Failed::Output)?;
            }
        };
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        ended.with_context(|| format!("{name}: shown as far as it goes")).map_err(Failed::Input)
    }

    fn packet(&mut self, packet: &Packet<'_>, digits: u8) -> io::Result<()> {
        let packet = Packet { number: self.files.global(packet.number), ..*packet };
        self.clock.packet(packet.time, digits);
        let segment = match self.defragmenter.parse(&packet) {
            Ok(segment) => segment,
            Err(why) => {
                self.unread.add(why, packet.link);
                return Ok(());
            }
        };
        self.segments += 1;
        let scene = Scene { files: &self.files, clock: &self.clock };
        let connections = &mut self.connections;
        self.reassembler.push(&segment, &mut |chunk| connections.chunk(&chunk, scene)).map(drop)
    }

    /// Shows what waits for packets that don't come, and says what was not shown.
    fn finish(&mut self, failed: bool) -> io::Result<()> {
        let scene = Scene { files: &self.files, clock: &self.clock };
        let connections = &mut self.connections;
        self.reassembler.finish(&mut |chunk| connections.chunk(&chunk, scene))?;
        self.connections.flush()?;
        let told = &self.connections.told;
        let (packets, segments) = (self.files.count(), self.segments);
        if told.units == 0 && !(failed && packets == 0) {
            eprintln!("msgr2: no frame of msgr2 in {packets} packet(s), {segments} of them of TCP");
        } else if told.lines == 0 && !self.connections.unfiltered() {
            eprintln!("msgr2: none of {} frame(s) is one of those that were asked for", told.units);
        }
        if !told.passed.is_empty() {
            eprintln!("msgr2: passed over: {}", told.passed);
        }
        for reason in self.unread.reasons() {
            eprintln!("msgr2: passed over: {reason}");
        }
        match self.defragmenter.incomplete() {
            0 => {}
            n => eprintln!("msgr2: passed over: {n} IP packet(s) of which not all fragments were captured"),
        }
        Ok(())
    }
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

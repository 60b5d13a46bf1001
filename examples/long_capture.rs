//! Writes a capture of one long msgr2.1 connection, for benchmarks: `long_capture FILE MESSAGES [DATA_BYTES]`.
//!
//! Each message takes three segments and two TCP acknowledgements, so that 48,000 messages are 240,000 packets.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};

use bytes::Bytes;
use msgr2::frame::{self, Ending, Revision};
use msgr2::types::{ConnectionMode, EntityType, MessageHeader, MessageType, Msgr2Features, PreambleFlags};
use msgr2::v2_1::{
    AuthDone, AuthRequest, AuthSignature, Banner, BannerFeatures, ClientIdent, Frame, Hello, ServerIdent,
};
use msgr2::wire::Encode;

const PORTS: [u16; 2] = [40_000, 3300];
/// The bytes of a segment, with Ethernet's usual MTU.
const SEGMENT: usize = 1448;

struct Capture<W> {
    out: W,
    /// The next sequence number of each side.
    seq: [u32; 2],
    /// Microseconds since the beginning.
    time: u32,
}

impl<W: Write> Capture<W> {
    fn new(mut out: W) -> std::io::Result<Self> {
        // pcap, microseconds, raw IPv4
        out.write_all(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0])?;
        Ok(Capture { out, seq: [1000, 5000], time: 0 })
    }

    fn packet(&mut self, from: usize, flags: u8, payload: &[u8]) -> std::io::Result<()> {
        let to = 1 - from;
        let length = 40 + payload.len();
        self.time += 10;
        let (sec, usec) = (1_700_000_000 + self.time / 1_000_000, self.time % 1_000_000);
        for word in [sec, usec, length as u32, length as u32] {
            self.out.write_all(&word.to_le_bytes())?;
        }
        let mut ip = [0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1];
        ip[2..4].copy_from_slice(&(length as u16).to_be_bytes());
        self.out.write_all(&ip)?;
        self.out.write_all(&PORTS[from].to_be_bytes())?;
        self.out.write_all(&PORTS[to].to_be_bytes())?;
        self.out.write_all(&self.seq[from].to_be_bytes())?;
        self.out.write_all(&self.seq[to].to_be_bytes())?;
        self.out.write_all(&[0x50, flags, 0xff, 0xff, 0, 0, 0, 0])?;
        self.out.write_all(payload)?;
        let flag_bytes = u32::from(flags & 0x03 != 0);
        self.seq[from] = self.seq[from].wrapping_add(payload.len() as u32 + flag_bytes);
        Ok(())
    }

    /// Data in segments, with an acknowledgement behind the second and the last.
    fn send(&mut self, from: usize, data: &[u8]) -> std::io::Result<()> {
        let count = data.len().div_ceil(SEGMENT);
        for (index, segment) in data.chunks(SEGMENT).enumerate() {
            self.packet(from, 0x18, segment)?;
            if index == 1 || index + 1 == count {
                self.packet(1 - from, 0x10, &[])?;
            }
        }
        Ok(())
    }
}

fn bytes(frame: &Frame<'_>) -> Result<Vec<u8>, msgr2::wire::Error> {
    let mut out = Vec::new();
    let segments = frame.encode()?.map(Into::into);
    frame::assemble(Revision::V2_1, frame.tag(), PreambleFlags(0), &segments, Ending::Complete, &mut out);
    Ok(out.concat())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: long_capture FILE MESSAGES [DATA_BYTES]";
    let path = arguments.next().ok_or(usage)?;
    let messages: u64 = arguments.next().ok_or(usage)?.parse()?;
    let size: usize = arguments.next().map_or(Ok(4096), |n| n.parse())?;

    let mut capture = Capture::new(BufWriter::new(File::create(path)?))?;
    capture.packet(0, 0x02, &[])?;
    capture.packet(1, 0x12, &[])?;
    capture.packet(0, 0x10, &[])?;
    let features = Some(BannerFeatures { supported: Msgr2Features::REVISION_1, ..Default::default() });
    let banner = Banner { features }.to_bytes()?;
    capture.send(0, &banner)?;
    capture.send(1, &banner)?;
    let hello = |entity_type| Frame::Hello(Hello { entity_type, ..Default::default() });
    let done = AuthDone { global_id: 4100, connection_mode: ConnectionMode::CRC, ..Default::default() };
    for (from, frame) in [
        (0, hello(EntityType::CLIENT)),
        (1, hello(EntityType::OSD)),
        (0, Frame::AuthRequest(AuthRequest::default())),
        (1, Frame::AuthDone(done)),
        (1, Frame::AuthSignature(AuthSignature::default())),
        (0, Frame::AuthSignature(AuthSignature::default())),
        (0, Frame::ClientIdent(ClientIdent::default())),
        (1, Frame::ServerIdent(ServerIdent::default())),
    ] {
        capture.send(from, &bytes(&frame)?)?;
    }
    let data = Bytes::from(vec![0x5a; size]);
    let mut buffers = Vec::new();
    for seq in 1..=messages {
        let header = MessageHeader { seq, tid: seq, r#type: MessageType::OSD_OP, version: 8, ..Default::default() };
        buffers.clear();
        let segments = [header.to_bytes()?.into(), Bytes::new(), Bytes::new(), data.clone()];
        let tag = msgr2::v2_1::Tag::MESSAGE;
        frame::assemble(Revision::V2_1, tag, PreambleFlags(0), &segments, Ending::Complete, &mut buffers);
        capture.send(0, &buffers.concat())?;
    }
    capture.packet(0, 0x11, &[])?;
    capture.packet(1, 0x11, &[])?;
    capture.packet(0, 0x10, &[])?;
    capture.out.flush()?;
    Ok(())
}

//! Blocks of a pcapng file, little-endian.

use std::io::{self, Write};

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const DECRYPTION_SECRETS: u32 = 10;

const BYTE_ORDER: u32 = 0x1a2b_3c4d;
/// Packets begin with an IPv4 or IPv6 header; the version tells which.
const LINKTYPE_RAW: u16 = 101;
/// Times count units of 10^-9 seconds.
const NANOSECONDS: u8 = 9;

const END_OF_OPTIONS: u16 = 0;
const COMMENT: u16 = 1;
const INTERFACE_NAME: u16 = 2;
const PROGRAM: u16 = 4;
const TIME_RESOLUTION: u16 = 9;

/// A block's type and both of its lengths.
const FRAME_LEN: usize = 12;
/// More than keys need, and no more than readers take.
const LARGEST: usize = 16 << 20;
/// The most bytes that [`Blocks::secrets`] takes.
pub(super) const LARGEST_SECRETS: usize = LARGEST - FRAME_LEN - 8;

/// Where blocks go, each in one write.
pub(super) struct Blocks<W> {
    out: W,
    /// The block that is being made; its memory is used again.
    block: Vec<u8>,
    comment: Option<String>,
    failed: bool,
}

impl<W: Write> Blocks<W> {
    /// Begins a file: a section and its only interface.
    pub(super) fn new(out: W) -> io::Result<Self> {
        let mut blocks = Self { out, block: Vec::new(), comment: None, failed: false };
        blocks.write(SECTION, |block| {
            put_u32(block, BYTE_ORDER);
            // version 1.0, and a section whose length isn't known
            put_u16(block, 1);
            put_u16(block, 0);
            block.extend(u64::MAX.to_le_bytes());
            put_option(block, PROGRAM, concat!("msgr2 ", env!("CARGO_PKG_VERSION")).as_bytes());
            put_option(block, END_OF_OPTIONS, b"");
        })?;
        blocks.write(INTERFACE, |block| {
            put_u16(block, LINKTYPE_RAW);
            put_u16(block, 0);
            // packets of any length
            put_u32(block, 0);
            put_option(block, INTERFACE_NAME, b"msgr2");
            put_option(block, TIME_RESOLUTION, &[NANOSECONDS]);
            put_option(block, END_OF_OPTIONS, b"");
        })?;
        Ok(blocks)
    }

    /// The comment of the next packet.
    pub(super) fn comment(&mut self, text: &str) -> io::Result<()> {
        if u16::try_from(text.len()).is_err() {
            return Err(invalid("a comment has at most 65535 bytes"));
        }
        self.comment = Some(text.to_owned());
        Ok(())
    }

    /// Writes a packet that `put` appends; `time` is in nanoseconds since 1970.
    pub(super) fn packet(&mut self, time: u64, put: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let comment = self.comment.take();
        self.write(ENHANCED_PACKET, |block| {
            put_u32(block, 0);
            put_u32(block, (time >> 32) as u32);
            put_u32(block, time as u32);
            let lengths = block.len();
            block.extend([0; 8]);
            put(block);
            // captured and original length: nothing is cut off
            let len = ((block.len() - lengths - 8) as u32).to_le_bytes();
            block[lengths..lengths + 4].copy_from_slice(&len);
            block[lengths + 4..lengths + 8].copy_from_slice(&len);
            pad(block);
            if let Some(comment) = comment {
                put_option(block, COMMENT, comment.as_bytes());
                put_option(block, END_OF_OPTIONS, b"");
            }
        })
    }

    /// Writes secrets. They don't pass through memory of this struct, where they would stay.
    pub(super) fn secrets(&mut self, kind: u32, secrets: &[u8]) -> io::Result<()> {
        if secrets.len() > LARGEST_SECRETS {
            return Err(invalid("the secrets are too long for one block"));
        }
        let padding = secrets.len().next_multiple_of(4) - secrets.len();
        let len = (FRAME_LEN + 8 + secrets.len() + padding) as u32;
        let mut head = [0; 16];
        for (to, word) in head.chunks_exact_mut(4).zip([DECRYPTION_SECRETS, len, kind, secrets.len() as u32]) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        let mut tail = [0; 8];
        tail[4..].copy_from_slice(&len.to_le_bytes());
        self.guard(|out, _| {
            out.write_all(&head)?;
            out.write_all(secrets)?;
            out.write_all(&tail[4 - padding..])
        })
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.guard(|out, _| out.flush())
    }

    pub(super) fn out(&self) -> &W {
        &self.out
    }

    pub(super) fn into_out(self) -> W {
        self.out
    }

    fn write(&mut self, kind: u32, body: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.guard(|out, block| {
            block.clear();
            put_u32(block, kind);
            put_u32(block, 0);
            body(block);
            let len = ((block.len() + 4) as u32).to_le_bytes();
            block[4..8].copy_from_slice(&len);
            block.extend(len);
            out.write_all(block)
        })
    }

    /// Once a write has failed, nobody knows how much of a block was written: what follows couldn't be read.
    fn guard(&mut self, act: impl FnOnce(&mut W, &mut Vec<u8>) -> io::Result<()>) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("the capture ends where an earlier write failed"));
        }
        act(&mut self.out, &mut self.block).inspect_err(|_| self.failed = true)
    }
}

/// What the caller asked for can't be written; nothing was.
pub(super) fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

fn put_u16(block: &mut Vec<u8>, n: u16) {
    block.extend(n.to_le_bytes());
}

fn put_u32(block: &mut Vec<u8>, n: u32) {
    block.extend(n.to_le_bytes());
}

/// Options are shorter than 64 KiB.
fn put_option(block: &mut Vec<u8>, code: u16, value: &[u8]) {
    put_u16(block, code);
    put_u16(block, value.len() as u16);
    block.extend(value);
    pad(block);
}

/// Blocks begin at a multiple of four, and so does all in them.
fn pad(block: &mut Vec<u8>) {
    block.resize(block.len().next_multiple_of(4), 0);
}

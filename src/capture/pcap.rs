//! Blocks of pcap files: a header, then packets.

use std::time::Duration;

use pcap_parser::{Linktype, PcapHeader, parse_pcap_header};
use pcap_parser::{parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified};

use super::error::Damage;
use super::packet::{Block, Place};

/// The length of the file's header.
pub(super) const HEADER_LEN: usize = 24;

/// What the header says.
pub(super) struct Pcap {
    header: PcapHeader,
    link: Linktype,
}

impl Pcap {
    /// Reads the file's header; `None` if it isn't one.
    pub(super) fn new(header: &[u8]) -> Option<Self> {
        let (_, header) = parse_pcap_header(header).ok()?;
        // the upper bits tell of the frame check sequence
        let link = Linktype(header.network.0 & 0x03ff_ffff);
        Some(Self { header, link })
    }

    /// How many decimal digits of a second its times have.
    pub(super) fn digits(&self) -> u8 {
        if self.header.is_nanosecond_precision() { 9 } else { 6 }
    }

    /// How many bytes tell the length of a block.
    pub(super) fn head_len(&self) -> usize {
        if self.header.is_modified_format() { 24 } else { 16 }
    }

    /// The length of the block that begins with `head`.
    pub(super) fn block_len(&self, head: &[u8]) -> Result<usize, Damage> {
        let len = head.get(8..).and_then(|h| h.first_chunk()).ok_or(Damage::Head)?;
        let len = if self.header.is_bigendian() { u32::from_be_bytes(*len) } else { u32::from_le_bytes(*len) };
        Ok((len as usize).saturating_add(self.head_len()))
    }

    /// Takes a block apart.
    pub(super) fn block(&self, block: &[u8]) -> Result<Block, Damage> {
        let parsed = if self.header.is_modified_format() {
            parse_pcap_frame_modified(block)
        } else if self.header.is_bigendian() {
            parse_pcap_frame_be(block)
        } else {
            parse_pcap_frame(block)
        };
        let (_, frame) = parsed.map_err(|_| Damage::Block)?;
        let fraction = u64::from(frame.ts_usec);
        let fraction = if self.header.is_nanosecond_precision() {
            Duration::from_nanos(fraction)
        } else {
            Duration::from_micros(fraction)
        };
        let head = self.head_len();
        Ok(Block::Packet(Place {
            time: Duration::from_secs(frame.ts_sec.into()) + fraction,
            link: self.link,
            data: head..head + frame.data.len(),
            original_len: frame.origlen as usize,
        }))
    }
}

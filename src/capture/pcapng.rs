//! Blocks of pcapng files: sections, interfaces, packets.

use std::time::Duration;

use pcap_parser::traits::PcapNGPacketBlock as _;
use pcap_parser::{Block as Ng, InterfaceDescriptionBlock, Linktype, OptionCode, parse_block_be, parse_block_le};

use super::error::Damage;
use super::packet::{Block, Place};

/// How many bytes tell the length of a block.
pub(super) const HEAD_LEN: usize = 12;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
const JOURNAL: u32 = 9;
const SECRETS: u32 = 10;
const SYSDIG_EVENT: [u32; 3] = [0x204, 0x216, 0x221];
const CUSTOM: u32 = 0x0bad;
const CUSTOM_NOT_COPIED: u32 = 0x4000_0bad;

/// What the section that is being read has said so far.
#[derive(Default)]
pub(super) struct PcapNg {
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// How many decimal digits of a second the finest of its clocks has.
    digits: u8,
}

impl PcapNg {
    /// How many decimal digits of a second the times of its packets have.
    pub(super) fn digits(&self) -> u8 {
        self.digits
    }

    /// The length of the block that begins with `head`. A section's head sets the byte order for what follows.
    pub(super) fn block_len(&mut self, head: &[u8]) -> Result<usize, Damage> {
        if self.u32(head, 0) == Some(SECTION) {
            self.big_endian = match head.get(8..12) {
                Some([0x1a, 0x2b, 0x3c, 0x4d]) => true,
                Some([0x4d, 0x3c, 0x2b, 0x1a]) => false,
                _ => return Err(Damage::ByteOrder),
            };
        }
        let len = self.u32(head, 4).ok_or(Damage::Head)? as usize;
        if len < HEAD_LEN { Err(Damage::Length(len)) } else { Ok(len) }
    }

    /// Takes a block apart.
    pub(super) fn block(&mut self, block: &[u8]) -> Result<Block, Damage> {
        match self.u32(block, 0) {
            Some(SECTION | INTERFACE | SIMPLE_PACKET | ENHANCED_PACKET) => {}
            Some(OLD_PACKET) => return self.old_packet(block),
            Some(SECRETS) => return self.secrets(block),
            Some(JOURNAL | CUSTOM | CUSTOM_NOT_COPIED) => return Ok(Block::Numbered),
            Some(kind) if SYSDIG_EVENT.contains(&kind) => return Ok(Block::Numbered),
            _ => return Ok(Block::Other),
        }
        let parsed = if self.big_endian { parse_block_be(block) } else { parse_block_le(block) };
        match parsed.map_err(|_| Damage::Block)?.1 {
            Ng::SectionHeader(section) => {
                if section.major_version != 1 {
                    return Err(Damage::Version(section.major_version));
                }
                self.interfaces.clear();
            }
            Ng::InterfaceDescription(interface) => {
                let interface = Interface::new(&interface, self.big_endian);
                self.digits = self.digits.max(interface.digits());
                self.interfaces.push(interface);
            }
            Ng::EnhancedPacket(packet) => {
                let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                return self.packet(packet.if_id, Some(ticks), 28, packet.packet_data().len(), packet.origlen);
            }
            Ng::SimplePacket(packet) => {
                let limit = self.interfaces.first().map_or(usize::MAX, |i| i.snaplen);
                return self.packet(0, None, 12, packet.packet_data().len().min(limit), packet.origlen);
            }
            _ => {}
        }
        Ok(Block::Other)
    }

    /// The packet block before there were enhanced ones; pcap-parser doesn't know it.
    fn old_packet(&self, block: &[u8]) -> Result<Block, Damage> {
        let word = |at| self.u32(block, at).ok_or(Damage::Block);
        let interface = if self.big_endian { word(8)? >> 16 } else { word(8)? & 0xffff };
        let ticks = u64::from(word(12)?) << 32 | u64::from(word(16)?);
        let (captured, original_len) = (word(20)? as usize, word(24)?);
        if captured.saturating_add(28 + 4) > block.len() {
            return Err(Damage::Packet);
        }
        self.packet(interface, Some(ticks), 28, captured, original_len)
    }

    fn secrets(&self, block: &[u8]) -> Result<Block, Damage> {
        let word = |at| self.u32(block, at).ok_or(Damage::Block);
        let (kind, len) = (word(8)?, word(12)? as usize);
        if len.saturating_add(16 + 4) > block.len() {
            return Err(Damage::Secrets);
        }
        Ok(Block::Secrets { kind, data: 16..16 + len })
    }

    fn packet(
        &self,
        id: u32,
        ticks: Option<u64>,
        start: usize,
        len: usize,
        original_len: u32,
    ) -> Result<Block, Damage> {
        let described = self.interfaces.len();
        let interface = self.interfaces.get(id as usize).ok_or(Damage::Interface { interface: id, described })?;
        Ok(Block::Packet(Place {
            time: ticks.map_or(Duration::ZERO, |ticks| interface.time(ticks)),
            link: interface.link,
            data: start..start + len,
            original_len: original_len as usize,
        }))
    }

    fn u32(&self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }
}

struct Interface {
    link: Linktype,
    snaplen: usize,
    /// Ticks of its clock in a second; none if they can't be counted.
    ticks: Option<u128>,
    /// Seconds to add to every time.
    offset: i64,
}

impl Interface {
    // pcap-parser's own sums know no binary resolution, and read the offset in one byte order only
    fn new(block: &InterfaceDescriptionBlock<'_>, big_endian: bool) -> Self {
        let option = |code| block.options.iter().find(|o| o.code == code).and_then(|o| o.as_bytes().ok());
        let resolution = option(OptionCode::IfTsresol).and_then(|o| o.first()).copied().unwrap_or(6);
        let offset = option(OptionCode::IfTsoffset)
            .and_then(|o| o.first_chunk())
            .map_or(0, |o| if big_endian { i64::from_be_bytes(*o) } else { i64::from_le_bytes(*o) });
        let (base, exponent) = if resolution & 0x80 == 0 { (10u128, resolution) } else { (2, resolution & 0x7f) };
        Self {
            link: block.linktype,
            snaplen: if block.snaplen == 0 { usize::MAX } else { block.snaplen as usize },
            ticks: base.checked_pow(exponent.into()),
            offset,
        }
    }

    /// How many decimal digits of a second its times have: nanoseconds at most, which is what a packet keeps.
    fn digits(&self) -> u8 {
        let finest = 1_000_000_000u128;
        let ticks = self.ticks.map_or(1, |ticks| ticks.min(finest));
        (0..=9).find(|digits| 10u128.pow(u32::from(*digits)) >= ticks).unwrap_or(9)
    }

    fn time(&self, ticks: u64) -> Duration {
        let (seconds, nanos) = self.ticks.map_or((0, 0), |unit| {
            let ticks = u128::from(ticks);
            // below 2^64 and below 10^9: unit is 1 or more
            ((ticks / unit) as u64, (ticks % unit * 1_000_000_000 / unit) as u32)
        });
        Duration::new(seconds.saturating_add_signed(self.offset), nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(resolution: u8, offset: i64, ticks: u64) -> Duration {
        let base: u128 = if resolution & 0x80 == 0 { 10 } else { 2 };
        let ticks_ = base.checked_pow((resolution & 0x7f).into());
        Interface { link: Linktype::RAW, snaplen: 0, ticks: ticks_, offset }.time(ticks)
    }

    #[test]
    fn every_resolution_has_digits() {
        let digits = |resolution: u8| {
            let base: u128 = if resolution & 0x80 == 0 { 10 } else { 2 };
            let ticks = base.checked_pow((resolution & 0x7f).into());
            Interface { link: Linktype::RAW, snaplen: 0, ticks, offset: 0 }.digits()
        };
        assert_eq!([0, 3, 6, 9, 12, 127].map(digits), [0, 3, 6, 9, 9, 0]);
        assert_eq!([0, 1, 10, 20, 30].map(|power| digits(0x80 | power)), [0, 1, 4, 7, 9]);
    }

    #[test]
    fn every_resolution_is_a_time() {
        assert_eq!(at(6, 0, 1_500_000), Duration::from_millis(1500));
        assert_eq!(at(9, 10, 1_500_000_000), Duration::from_millis(11_500));
        assert_eq!(at(0, -2, 5), Duration::from_secs(3));
        assert_eq!(at(0x80 | 10, 0, 1536), Duration::from_millis(1500));
        assert_eq!(at(0x80 | 127, 0, u64::MAX), Duration::ZERO);
        assert_eq!(at(127, 7, 5), Duration::from_secs(7));
        assert_eq!(at(0, i64::MIN, 5), Duration::ZERO);
        assert_eq!(at(0, i64::MAX, u64::MAX), Duration::from_secs(u64::MAX));
    }
}

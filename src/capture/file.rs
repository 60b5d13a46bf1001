//! Opens a capture file of either format and reads it packet by packet.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::buffer::Buffer;
use super::error::{Damage, Error};
use super::packet::{Block, Packet, Place};
use super::pcap::{self, Pcap};
use super::pcapng::{self, PcapNg};
use super::unpack::{Source, unpacked};

/// The largest block that is read.
const LARGEST_BLOCK: usize = 64 << 20;

/// A pcap or pcapng file that is being read. It may be compressed with gzip, zstd or lz4 (as frames, with a checksum or
/// without), whatever its name is.
pub struct CaptureFile {
    buffer: Buffer<Source>,
    format: Format,
    /// The length of the block that was handed out last.
    lent: usize,
    number: u32,
    failed: bool,
    secrets: Option<Sink>,
}

/// Takes the kind and the content of a block of keys.
type Sink = Box<dyn FnMut(u32, &[u8])>;

enum Format {
    Pcap(Pcap),
    PcapNg(PcapNg),
}

impl CaptureFile {
    /// Opens a file and looks which format it has.
    ///
    /// # Errors
    ///
    /// If it can't be opened or read, is empty, is no capture, or is compressed in another way. The error doesn't name the
    /// file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::new(File::open(path).map_err(Error::Open)?)
    }

    /// A capture from any reader, such as a pipe. Of a pipe no more is read than the next packet needs, so that a packet
    /// is there as soon as its last byte is.
    ///
    /// # Errors
    ///
    /// As with [`open`](Self::open).
    pub fn new(reader: impl Read + Send + 'static) -> Result<Self, Error> {
        let mut buffer = Buffer::new(unpacked(Box::new(reader))?);
        buffer.fill(pcap::HEADER_LEN).map_err(|source| Error::Read { packet: 0, source })?;
        let format = match buffer.data() {
            [] => return Err(Error::Empty),
            [0x0a, 0x0d, 0x0d, 0x0a, ..] => Format::PcapNg(PcapNg::default()),
            other => {
                let pcap = Pcap::new(other).ok_or(Error::NotACapture)?;
                buffer.consume(pcap::HEADER_LEN);
                Format::Pcap(pcap)
            }
        };
        Ok(Self { buffer, format, lent: 0, number: 0, failed: false, secrets: None })
    }

    /// Keys in the file are told when they come, before the packets behind them.
    pub fn on_secrets(&mut self, sink: impl FnMut(u32, &[u8]) + 'static) {
        self.secrets = Some(Box::new(sink));
    }

    /// The next packet, or `None` at the end.
    ///
    /// # Errors
    ///
    /// If the file can't be read further, ends within a packet, or is damaged. An error ends the file: what came before
    /// stays good, and the next call gives `None`. So report it after the output that the packets so far have led to.
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, Error> {
        if self.failed {
            return Ok(None);
        }
        let place = self.find_packet().inspect_err(|_| self.failed = true)?;
        Ok(place.map(|Place { time, link, data, original_len }| {
            let data = self.buffer.data().get(data).unwrap_or_default();
            Packet { number: self.number, time, link, data, original_len }
        }))
    }

    /// How many decimal digits of a second the times of the packets so far have, 9 at most.
    pub fn digits(&self) -> u8 {
        match &self.format {
            Format::Pcap(pcap) => pcap.digits(),
            Format::PcapNg(section) => section.digits(),
        }
    }

    /// Goes forward to the next packet, which then lies at the start of the buffer.
    fn find_packet(&mut self) -> Result<Option<Place>, Error> {
        loop {
            self.buffer.consume(std::mem::take(&mut self.lent));
            let head_len = match &self.format {
                Format::Pcap(pcap) => pcap.head_len(),
                Format::PcapNg(_) => pcapng::HEAD_LEN,
            };
            if !self.fill(head_len)? {
                if self.buffer.data().is_empty() {
                    return Ok(None);
                }
                return Err(self.cut_short());
            }
            let position = self.buffer.position();
            let damaged = |source: Damage| Error::Damaged { position, source };
            let length = match &mut self.format {
                Format::Pcap(pcap) => pcap.block_len(self.buffer.data()),
                Format::PcapNg(section) => section.block_len(self.buffer.data()),
            };
            let length = length.map_err(damaged)?;
            if length > LARGEST_BLOCK {
                return Err(Error::TooLong { position, length, limit: LARGEST_BLOCK });
            }
            if !self.fill(length)? {
                return Err(self.cut_short());
            }
            let bytes = self.buffer.data().get(..length).unwrap_or_default();
            let block = match &mut self.format {
                Format::Pcap(pcap) => pcap.block(bytes),
                Format::PcapNg(section) => section.block(bytes),
            };
            let block = block.map_err(damaged)?;
            self.lent = length;
            match block {
                Block::Packet(packet) => {
                    self.number = self.number.saturating_add(1);
                    return Ok(Some(packet));
                }
                Block::Secrets { kind, data } => {
                    if let (Some(sink), Some(secrets)) = (&mut self.secrets, bytes.get(data)) {
                        sink(kind, secrets);
                    }
                }
                Block::Numbered => self.number = self.number.saturating_add(1),
                Block::Other => {}
            }
        }
    }

    fn fill(&mut self, len: usize) -> Result<bool, Error> {
        self.buffer.fill(len).map_err(|source| Error::Read { packet: self.number, source })
    }

    fn cut_short(&self) -> Error {
        Error::CutShort { packet: self.number }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};
    use std::time::Duration;

    use pcap_parser::Linktype;

    use super::super::testing::Order;
    use super::super::unpack::MAGIC_LEN;
    use super::*;

    type Row = (u32, Duration, i32, Vec<u8>, usize);

    fn open(bytes: &[u8]) -> Result<CaptureFile, Error> {
        CaptureFile::new(Cursor::new(bytes.to_vec()))
    }

    /// What an error says, and what led to it.
    fn said(error: Error) -> String {
        let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |e| e.source());
        causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    }

    fn read(bytes: &[u8]) -> (Vec<Row>, Option<String>) {
        let mut file = open(bytes).expect("open");
        let mut rows = Vec::new();
        loop {
            match file.next_packet() {
                Ok(Some(p)) => rows.push((p.number, p.time, p.link.0, p.data.to_vec(), p.original_len)),
                Ok(None) => break,
                Err(e) => {
                    assert!(file.next_packet().expect("the end").is_none());
                    return (rows, Some(said(e)));
                }
            }
        }
        (rows, None)
    }

    fn refused(bytes: &[u8]) -> String {
        open(bytes).map(|_| ()).map_err(said).expect_err("not a capture")
    }

    #[test]
    fn pcap_in_both_orders_and_all_resolutions() {
        for big in [false, true] {
            let order = Order { big };
            for (magic, time) in [(0xa1b2_c3d4, Duration::from_micros(1_000_007)), (0xa1b2_3c4d, Duration::new(1, 7))] {
                // the link type's upper bits tell of a frame check sequence
                let file = [order.pcap(magic, 0x4400_0001), order.pcap_packet((1, 7), 9, b"abc")].concat();
                assert_eq!(read(&file), (vec![(1, time, Linktype::ETHERNET.0, b"abc".to_vec(), 9)], None), "{order:?}");
            }
        }
        let order = Order { big: false };
        let mut packet = order.pcap_packet((1, 7), 3, b"abc");
        packet.splice(16..16, [0; 8]);
        let (rows, end) = read(&[order.pcap(0xa1b2_cd34, 101), packet].concat());
        assert_eq!((rows[0].3.as_slice(), end), (&b"abc"[..], None));
    }

    #[test]
    fn digits_of_times() {
        let order = Order { big: true };
        for (magic, digits) in [(0xa1b2_c3d4, 6), (0xa1b2_3c4d, 9)] {
            assert_eq!(open(&order.pcap(magic, 1)).unwrap().digits(), digits);
        }
        let interfaces = [order.interface(1, 0, 3), order.packet(0, 1, 0, b""), order.interface(1, 0, 9)].concat();
        let bytes = [order.section(), interfaces, order.packet(1, 1, 0, b"")].concat();
        let mut file = open(&bytes).unwrap();
        for digits in [3, 9] {
            assert!(file.next_packet().unwrap().is_some());
            assert_eq!(file.digits(), digits);
        }
    }

    #[test]
    fn pcapng_sections_have_their_own_order_and_interfaces() {
        let mut file = Vec::new();
        for (big, link) in [(false, 1), (true, 113)] {
            let order = Order { big };
            file.extend([order.section(), order.interface(link, 2, 6), order.interface(101, 0, 9)].concat());
            file.extend([order.packet(1, 1_500_000_000, 50, b"abcde"), order.packet(0, 1_500_000, 3, b"xyz")].concat());
            file.extend(order.block(5, &[0; 12]));
            file.extend(order.block(3, &[order.u32(9), b"ab\0\0".to_vec()].concat()));
            let old = [order.u16(1), order.u16(0), order.u32(0), order.u32(7), order.u32(2), order.u32(4)].concat();
            file.extend(order.block(2, &[old, b"cd".to_vec()].concat()));
        }
        let (rows, end) = read(&file);
        assert_eq!(end, None);
        assert_eq!(rows.len(), 8);
        let time = Duration::from_millis(11_500);
        for (half, link) in [(0, 1), (4, 113)] {
            let n = half as u32;
            assert_eq!(rows[half], (n + 1, time, 101, b"abcde".to_vec(), 50));
            assert_eq!(rows[half + 1], (n + 2, time, link, b"xyz".to_vec(), 3));
            assert_eq!(rows[half + 2], (n + 3, Duration::ZERO, link, b"ab".to_vec(), 9));
            assert_eq!(rows[half + 3], (n + 4, Duration::new(10, 7), 101, b"cd".to_vec(), 4));
        }
    }

    #[test]
    fn secrets_are_told_before_the_packets_behind_them() {
        for big in [false, true] {
            let order = Order { big };
            let secrets = [order.u32(0x1234), order.u32(5), b"abcde\0\0\0".to_vec()].concat();
            let mut bytes = [order.section(), order.interface(1, 0, 6), order.block(10, &secrets)].concat();
            bytes.extend(order.packet(0, 0, 0, b""));
            let mut file = open(&bytes).expect("open");
            let told = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
            let sink = told.clone();
            file.on_secrets(move |kind, secrets| sink.borrow_mut().push((kind, secrets.to_vec())));
            assert_eq!(file.next_packet().expect("a packet").map(|p| p.number), Some(1));
            assert_eq!(*told.borrow(), [(0x1234, b"abcde".to_vec())]);
        }
        let order = Order { big: false };
        let lie = [order.u32(0x1234), order.u32(9), b"abcde\0\0\0".to_vec()].concat();
        let (_, end) = read(&[order.section(), order.interface(1, 0, 6), order.block(10, &lie)].concat());
        assert!(end.is_some_and(|e| e.contains("the secrets are longer than their block")));
    }

    #[test]
    fn what_wireshark_numbers_is_numbered() {
        let order = Order { big: true };
        let mut file = [order.section(), order.interface(1, 0, 6)].concat();
        for kind in [9, 0x0bad, 0x4000_0bad, 0x204, 5, 77] {
            file.extend(order.block(kind, &[0; 8]));
        }
        file.extend(order.packet(0, 0, 0, b""));
        assert_eq!(read(&file).0, [(5, Duration::from_secs(10), 1, Vec::new(), 0)]);
    }

    #[test]
    fn a_file_cut_anywhere_gives_what_is_whole_and_says_so() {
        let order = Order { big: false };
        let ng = [order.section(), order.interface(1, 0, 6)].concat();
        for (head, packet, first) in [
            (order.pcap(0xa1b2_c3d4, 1), order.pcap_packet((0, 0), 5, b"abcde"), 24),
            (ng, order.packet(0, 0, 5, b"abcde"), 12),
        ] {
            let whole = [head.clone(), packet.clone(), packet.clone()].concat();
            for len in first..whole.len() {
                let (rows, end) = read(&whole[..len]);
                assert_eq!(rows.len(), len.saturating_sub(head.len()) / packet.len(), "{len}");
                let between = [head.len(), head.len() + packet.len(), 28].contains(&len);
                match end {
                    Some(end) => assert!(end.contains("cut short in the middle of a packet"), "{end}"),
                    None => assert!(between, "{len}"),
                }
            }
        }
    }

    #[test]
    fn blocks_that_lie_are_refused() {
        let order = Order { big: false };
        let mut packet = order.pcap_packet((0, 0), 5, b"abcde");
        packet[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        let (_, end) = read(&[order.pcap(0xa1b2_c3d4, 1), packet].concat());
        assert!(end.is_some_and(|e| e.contains("more than 64 MiB")));

        let (_, end) = read(&[order.section(), order.packet(3, 0, 5, b"abcde")].concat());
        assert!(end.is_some_and(|e| e.contains("names interface 3")));

        let mut packet = order.packet(0, 0, 5, b"abcde");
        packet[20..24].copy_from_slice(&500u32.to_le_bytes());
        let (_, end) = read(&[order.section(), order.interface(1, 0, 6), packet].concat());
        assert!(end.is_some_and(|e| e.contains("damaged at byte 72")));

        let (_, end) = read(&[order.section(), order.block(6, b""), vec![0; 12]].concat());
        assert!(end.is_some_and(|e| e.contains("damaged at byte 28")));
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    fn lz4(bytes: &[u8]) -> Vec<u8> {
        let info = lz4_flex::frame::FrameInfo::new().content_checksum(true).block_checksums(true);
        let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// A capture of so many packets.
    fn long(packets: u32) -> Vec<u8> {
        let order = Order { big: false };
        let packet = |n: u32| order.pcap_packet((n, 0), 400, &n.to_le_bytes().repeat(100));
        [order.pcap(0xa1b2_c3d4, 1), (0..packets).flat_map(packet).collect()].concat()
    }

    #[test]
    fn compressed_files_are_read_as_they_are() {
        let bytes = long(1000);
        let whole = read(&bytes);
        assert_eq!((whole.0.len(), whole.1.as_ref()), (1000, None));
        let (one, two) = bytes.split_at(bytes.len() / 3);
        for pack in [gzip, zstd, lz4] {
            assert_eq!(read(&pack(&bytes)), whole);
            // parts one behind the other, one of them empty
            assert_eq!(read(&[pack(one), pack(&[]), pack(two)].concat()), whole);
            assert_eq!(refused(&pack(b"")), "is empty");
            assert_eq!(refused(&pack(&pack(&bytes))), "is not a pcap or pcapng file", "packed twice");
        }
    }

    #[test]
    fn a_compressed_file_cut_anywhere_says_so() {
        let bytes = long(100);
        for pack in [gzip, zstd, lz4] {
            let packed = pack(&bytes);
            for len in MAGIC_LEN..packed.len() {
                match open(&packed[..len]) {
                    Ok(mut file) => {
                        let mut packets = 0;
                        let error = loop {
                            match file.next_packet() {
                                Ok(Some(_)) => packets += 1,
                                Ok(None) => panic!("cut to {len} of {} bytes, and nothing said", packed.len()),
                                Err(error) => break error,
                            }
                        };
                        let good = matches!(error, Error::Read { packet, .. } if packet == packets);
                        assert!(good, "{len}: {}", said(error));
                    }
                    Err(error) => assert!(matches!(error, Error::Read { .. }), "{len}: {}", said(error)),
                }
            }
        }
    }

    #[test]
    fn a_garbled_compressed_file_ends() {
        let bytes = long(50);
        for pack in [gzip, zstd, lz4] {
            let packed = pack(&bytes);
            for at in 0..packed.len() {
                let mut garbled = packed.clone();
                garbled[at] ^= 0x55;
                let Ok(mut file) = open(&garbled) else { continue };
                while let Ok(Some(_)) = file.next_packet() {}
                assert!(file.buffer.capacity() < 1 << 20);
            }
        }
    }

    #[test]
    fn a_frame_of_zstd_that_wants_too_much_memory_is_refused() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(28).unwrap();
        encoder.include_contentsize(false).unwrap();
        encoder.write_all(&long(10)).unwrap();
        let text = refused(&encoder.finish().unwrap());
        assert!(text.contains("too much memory"), "{text}");
    }

    #[test]
    fn a_bomb_takes_no_more_memory_than_a_window() {
        const PACKETS: usize = 500;
        let order = Order { big: false };
        let packet = order.pcap_packet((0, 0), 0, &[0; 1 << 16]);
        for pack in [gzip, zstd, lz4] {
            let packed = [pack(&long(0)), pack(&packet).repeat(PACKETS)].concat();
            let mut file = open(&packed).unwrap();
            let mut packets = 0;
            while let Some(packet) = file.next_packet().unwrap() {
                packets += 1;
                assert_eq!(packet.data.len(), 1 << 16);
            }
            assert_eq!(packets, PACKETS);
            assert!(file.buffer.capacity() < 1 << 20);
        }
    }

    #[test]
    fn other_files_are_refused_with_advice() {
        assert_eq!(refused(b""), "is empty");
        assert_eq!(refused(b"#!/bin/sh\necho this is no capture"), "is not a pcap or pcapng file");
        assert_eq!(refused(b"\xd4\xc3\xb2\xa1"), "is not a pcap or pcapng file");
        let xz = refused(b"\xfd7zXZ\0\0\x04");
        assert_eq!(xz, "is compressed with xz: unpack it first, with `unxz`");
        assert_eq!(refused(b"BZh91AY&SY"), "is compressed with bzip2: unpack it first, with `bunzip2`");
        let missing = CaptureFile::open("/no/such.pcap").map(|_| ()).map_err(said).expect_err("no file");
        assert!(missing.starts_with("can't be opened: "), "{missing}");
    }
}

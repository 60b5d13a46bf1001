//! Capture files that are compressed, known by their first bytes.

use std::io::{self, Cursor, ErrorKind, Read};

use lz4_flex::frame::FrameDecoder;

use super::error::Error;

/// Whatever bytes come from.
pub(super) type Source = Box<dyn Read + Send>;

/// As many bytes as it takes to know a compression.
pub(super) const MAGIC_LEN: usize = 4;

/// The most memory that a frame of zstd may ask for, as a power of two: 128 MiB, what `zstd --long` asks for. Frames of
/// `zstd --ultra --long=31` are refused.
const ZSTD_WINDOW_LOG: u32 = 27;

/// The bytes of a reader, decompressed if they are compressed. As much memory is needed as the compression's window takes:
/// 32 KiB for gzip, 128 MiB at most for zstd, 12 MiB for lz4, however much comes out.
pub(super) fn unpacked(mut reader: Source) -> Result<Source, Error> {
    let mut start = Vec::with_capacity(MAGIC_LEN);
    let read = reader.by_ref().take(MAGIC_LEN as u64).read_to_end(&mut start);
    read.map_err(|source| Error::Read { packet: 0, source })?;
    let magic = start.as_slice();
    if let Some((name, tool)) = unknown(magic) {
        return Err(Error::Compressed { name, tool });
    }
    let kind = match magic {
        [0x1f, 0x8b, ..] => Kind::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => Kind::Zstd,
        [0x04, 0x22, 0x4d, 0x18] => Kind::Lz4,
        _ => Kind::Plain,
    };
    let whole = Cursor::new(start).chain(reader);
    Ok(match kind {
        Kind::Plain => Box::new(whole),
        Kind::Gzip => Box::new(flate2::read::MultiGzDecoder::new(whole)),
        Kind::Zstd => {
            let decoder = zstd::Decoder::new(whole).and_then(|mut decoder| {
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Ok(decoder)
            });
            Box::new(decoder.map_err(|source| Error::Read { packet: 0, source })?)
        }
        Kind::Lz4 => Box::new(Lz4::new(whole)),
    })
}

enum Kind {
    Plain,
    Gzip,
    Zstd,
    Lz4,
}

/// What a file is compressed with that is not read here, and what unpacks it.
fn unknown(start: &[u8]) -> Option<(&'static str, &'static str)> {
    const KNOWN: [(&[u8], &str, &str); 4] = [
        (&[0xfd, b'7', b'z', b'X'], "xz", "unxz"),
        (b"BZh", "bzip2", "bunzip2"),
        (b"PK\x03\x04", "zip", "unzip"),
        // before there were frames
        (&[0x02, 0x21, 0x4c, 0x18], "an old lz4", "unlz4"),
    ];
    KNOWN.iter().find(|(magic, ..)| start.starts_with(magic)).map(|(_, name, tool)| (*name, *tool))
}

/// Frames of lz4, one behind the other. A decoder gives "no more" at the end of a frame and where its reader ends in the
/// midst of one; the two are told apart here. Each frame has a decoder of its own, since their blocks may differ in size.
struct Lz4<R: Read> {
    decoder: Option<FrameDecoder<Ended<R>>>,
    /// A frame has just ended.
    between: bool,
}

impl<R: Read> Lz4<R> {
    fn new(reader: R) -> Self {
        Self { decoder: Some(FrameDecoder::new(Ended { reader, ended: false })), between: false }
    }
}

impl<R: Read> Read for Lz4<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.decoder
            && !into.is_empty()
        {
            let n = decoder.read(into)?;
            if n > 0 {
                self.between = false;
                return Ok(n);
            }
            if decoder.get_ref().ended {
                return if self.between { Ok(0) } else { Err(ErrorKind::UnexpectedEof.into()) };
            }
            self.decoder = self.decoder.take().map(|decoder| FrameDecoder::new(decoder.into_inner()));
            self.between = true;
        }
        Ok(0)
    }
}

/// A reader that remembers whether it has ended.
struct Ended<R> {
    reader: R,
    ended: bool,
}

impl<R: Read> Read for Ended<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(into)?;
        self.ended |= n == 0 && !into.is_empty();
        Ok(n)
    }
}

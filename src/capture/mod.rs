//! Capture files: packets out of pcap and pcapng, TCP connections out of packets.
//!
//! [`CaptureFile`] reads packets one by one, [`Segment`] finds the TCP segment in a packet, behind tags and in tunnels, a
//! [`Defragmenter`] those in fragments of IP packets, and [`Reassembler`] puts segments in order. All of them stream: what
//! they keep in memory is bounded, whatever the file says.
//!
//! ```
//! use msgr2::capture::{CaptureFile, Defragmenter, Kind, Limits, Reassembler};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut file = CaptureFile::open("tests/captures/none-mon.pcap")?;
//! let mut defragmenter = Defragmenter::default();
//! let mut reassembler = Reassembler::new(Limits::default());
//! let mut bytes = 0;
//! let mut sink = |chunk: msgr2::capture::Chunk<'_>| {
//!     if let Kind::Data(data) = chunk.kind {
//!         bytes += data.len();
//!     }
//!     Ok::<_, std::convert::Infallible>(())
//! };
//! while let Some(packet) = file.next_packet()? {
//!     if let Ok(segment) = defragmenter.parse(&packet) {
//!         reassembler.push(&segment, &mut sink)?;
//!     }
//! }
//! reassembler.finish(&mut sink)?;
//! assert!(bytes > 1000);
//! # Ok(())
//! # }
//! ```

mod buffer;
mod chunk;
mod error;
mod file;
mod flow;
mod fragments;
mod held;
mod ip;
mod keys;
mod layers;
mod link;
mod packet;
mod pcap;
mod pcapng;
mod reassembler;
mod segment;
mod stream;
#[cfg(test)]
mod testing;
mod tunnel;
mod unpack;

pub use chunk::{Chunk, Direction, End, Kind, Position, Sink};
pub use error::{Damage, Error};
pub use file::CaptureFile;
pub use fragments::Defragmenter;
pub use keys::{KeyFileError, add_key_files};
pub use link::LINK_TYPES;
pub use packet::Packet;
pub use pcap_parser::Linktype;
pub use reassembler::{Limits, Reassembler};
pub use segment::{Segment, Skipped};

//! Capture files: packets out of pcap and pcapng, TCP connections out of packets.
//!
//! [`CaptureFile`] reads packets one by one, [`Segment`] finds the TCP segment in a packet, and [`Reassembler`] puts
//! segments in order. All three stream: what they keep in memory is bounded, whatever the file says.

mod buffer;
mod chunk;
mod error;
mod file;
mod flow;
mod held;
mod packet;
mod pcap;
mod pcapng;
mod reassembler;
mod segment;
mod stream;
#[cfg(test)]
mod testing;

pub use chunk::{Chunk, Direction, Kind, Sink};
pub use error::{Damage, Error};
pub use file::CaptureFile;
pub use packet::Packet;
pub use pcap_parser::Linktype;
pub use reassembler::{Limits, Reassembler};
pub use segment::{Segment, Skipped};

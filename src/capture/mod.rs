//! Capture files: packets out of pcap and pcapng, TCP connections out of packets.
//!
//! [`CaptureFile`] reads packets one by one, [`Segment`] finds the TCP segment in a packet, and [`Reassembler`] puts
//! segments in order. All three stream: what they keep in memory is bounded, whatever the file says.

#[cfg(feature = "cli")]
mod buffer;
mod chunk;
#[cfg(feature = "cli")]
mod file;
mod flow;
mod held;
mod packet;
#[cfg(feature = "cli")]
mod pcap;
#[cfg(feature = "cli")]
mod pcapng;
mod reassembler;
mod segment;
mod stream;
#[cfg(test)]
mod testing;

pub use chunk::{Chunk, Direction, End, Kind, Sink};
#[cfg(feature = "cli")]
pub use file::CaptureFile;
pub use packet::Packet;
pub use pcap_parser::Linktype;
pub use reassembler::{Limits, Reassembler};
pub use segment::{Segment, Skipped};

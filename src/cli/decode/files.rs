//! Which packet of which file is meant. Connections may go on from one file to the next, so that the tracker is told numbers
//! that go on, too; people are told the packet's number in its file, as Wireshark shows it.

use std::path::PathBuf;

/// The files that are read, in order.
pub(super) struct Files {
    names: Vec<String>,
    /// How many packets there were before each file that was begun.
    before: Vec<u32>,
    /// The number of the last packet.
    last: u32,
}

/// A packet of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet<'f> {
    /// The file, as it was named.
    pub(super) file: &'f str,
    /// The packet, from 1.
    pub(super) number: u32,
}

impl Files {
    /// None of them is begun yet.
    pub(super) fn new(paths: &[PathBuf]) -> Self {
        let names = paths.iter().map(|path| path.display().to_string()).collect();
        Self { names, before: Vec::new(), last: 0 }
    }

    /// Whether a packet's number alone says too little.
    pub(super) fn several(&self) -> bool {
        self.names.len() > 1
    }

    /// Begins the next file.
    pub(super) fn begin(&mut self) {
        self.before.push(self.last);
    }

    /// The number, over all files, of a packet of the file that was begun last.
    pub(super) fn global(&mut self, number: u32) -> u32 {
        self.last = self.before.last().copied().unwrap_or_default().saturating_add(number);
        self.last
    }

    /// How many packets were read.
    pub(super) fn count(&self) -> u32 {
        self.last
    }

    /// The packet with a number over all files.
    pub(super) fn packet(&self, global: u32) -> Packet<'_> {
        let index = self.before.partition_point(|before| *before < global).saturating_sub(1);
        Packet {
            file: self.names.get(index).map_or("", |name| name),
            number: global - self.before.get(index).copied().unwrap_or_default().min(global),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_have_numbers_within_their_file() {
        let mut files = Files::new(&["a".into(), "b".into(), "c".into()]);
        for packets in [3, 0, 2] {
            files.begin();
            for number in 1..=packets {
                files.global(number);
            }
        }
        let of = |global| (files.packet(global).file, files.packet(global).number);
        assert_eq!((1..=5).map(of).collect::<Vec<_>>(), [("a", 1), ("a", 2), ("a", 3), ("c", 1), ("c", 2)]);
        assert_eq!((files.count(), files.several()), (5, true));
    }
}

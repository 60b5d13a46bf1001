//! Where random bytes come from.

use super::Sha256;

/// A source of random bytes. Outside of tests it must be one fit for keys.
pub trait Random {
    /// Fills the whole slice.
    fn fill(&mut self, bytes: &mut [u8]);
}

impl<T: Random + ?Sized> Random for &mut T {
    fn fill(&mut self, bytes: &mut [u8]) {
        (**self).fill(bytes);
    }
}

impl<T: Random + ?Sized> Random for Box<T> {
    fn fill(&mut self, bytes: &mut [u8]) {
        (**self).fill(bytes);
    }
}

/// A number of 64 bits.
pub(crate) fn number(random: &mut dyn Random) -> u64 {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// For tests and test vectors only: hands out given bytes in their order. Behind their end it goes on with
/// SHA-256(given bytes, le64 n) for n = 0, 1, …, so that it never ends and never repeats.
#[derive(Clone, Debug)]
pub struct FixedRandom {
    given: Vec<u8>,
    used: usize,
    block: [u8; 32],
    block_used: usize,
    blocks: u64,
}

impl FixedRandom {
    /// A source that begins with these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        FixedRandom { given: bytes.to_vec(), used: 0, block: [0; 32], block_used: 32, blocks: 0 }
    }

    /// How many of the given bytes are not handed out yet.
    pub fn left(&self) -> usize {
        self.given.len() - self.used
    }

    fn next(&mut self) -> u8 {
        if let Some(&byte) = self.given.get(self.used) {
            self.used += 1;
            return byte;
        }
        if self.block_used == self.block.len() {
            let mut hash = Sha256::new();
            hash.update(&self.given);
            hash.update(&self.blocks.to_le_bytes());
            self.block = hash.finish();
            self.blocks += 1;
            self.block_used = 0;
        }
        self.block_used += 1;
        self.block[self.block_used - 1]
    }
}

impl Random for FixedRandom {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.next());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::sha256;

    #[test]
    fn given_bytes_come_first_then_the_counter() {
        let mut random = FixedRandom::new(&[1, 2, 3]);
        let mut bytes = [0; 3 + 32 + 1];
        random.fill(&mut bytes[..2]);
        assert_eq!(random.left(), 1);
        random.fill(&mut bytes[2..]);
        assert_eq!(bytes[..3], [1, 2, 3]);
        assert_eq!(bytes[3..35], sha256(&[&[1, 2, 3], &0_u64.to_le_bytes()]));
        assert_eq!(bytes[35], sha256(&[&[1, 2, 3], &1_u64.to_le_bytes()])[0]);
    }

    #[test]
    fn works_behind_references_and_boxes() {
        fn first(random: impl Random) -> u64 {
            let mut random = random;
            number(&mut random)
        }
        let mut source = FixedRandom::new(&[9; 16]);
        assert_eq!(first(&mut source as &mut dyn Random), 0x0909_0909_0909_0909);
        assert_eq!(first(Box::new(source) as Box<dyn Random>), 0x0909_0909_0909_0909);
    }
}

//! Frames of the dialect `proposal`: length, tag, payload; signatures behind them; sealed records around them.
//!
//! What stands where says `envelope` in the dialect's spec files. Nothing here knows what a payload means.
//!
//! A direction goes through up to three stages: frames in the clear, from the end of authentication on frames with a
//! [`Signer`]'s signatures behind them, and from ENCRYPT_BEGIN on the same in records of a [`Sealer`]. All keys come
//! from one [`ConnectionKey`], which both sides derive from their [`Transcripts`].

mod head;
mod keys;
mod record;
mod signature;

pub use head::{HEADER_LEN, Head, HeadError, assemble, encode};
pub use keys::{ConnectionKey, Transcripts};
pub use record::{Opener, RECORD_OVERHEAD, RecordError, RecordHead, Sealer};
pub use signature::{SIGNATURE_LEN, Signer, Verifier};

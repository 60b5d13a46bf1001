//! Secure mode: frames under AES-128-GCM.
//!
//! Every operation of the cipher takes the next nonce of its direction. In v2.0 a frame is one operation, so that its
//! head is read before it is authenticated; in v2.1 it is one to three, and the first authenticates what says how
//! long the rest is.

mod key;
mod layout;
mod open;
mod seal;
#[cfg(test)]
mod tests;

pub use key::{ConnectionKey, SecretTooShort};
pub use layout::{open_view, trace_view};
pub use open::{Opener, SecureError, frame_len};
pub use seal::{NoncesExhausted, Sealer};

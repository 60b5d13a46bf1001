//! Authentication: keys, keyrings, and cephx from all sides.
//!
//! No I/O and no clock: the time and random bytes are given. What is on the wire are the structures of
//! [`crate::types`]; how frames carry them is the business of the dialects.
//!
//! - [`Key`] seals and opens structures, and proves to be known.
//! - [`Keyring`] holds the keys of entities, [`ServiceKeys`] the rotating ones of services.
//! - [`cephx`] is the exchange: as a client, as a server, and as somebody who only listens and has keys.

pub mod cephx;
mod entity_name;
pub(crate) mod ini;
mod key;
pub mod key_type;
pub mod keyring;
mod sealed;
mod service_keys;
mod time;

pub use entity_name::{BadEntityName, EntityName};
pub use key::{Key, KeyError, OpenError};
pub use keyring::{Entity, Keyring, KeyringError, KeyringProblem};
pub use sealed::{Held, Opened, SealError};
pub use service_keys::{AddError, ServiceKeys};
pub use time::{Time, duration, span, time, utime};

//! Keys that the user gives: in a file that a preference names, and in the capture itself.
//!
//! What is wrong with them is told once, at the first packet of a connection that may need them; everything else goes
//! on as if there were none.

use std::ffi::{CStr, OsStr, c_uint, c_void};
use std::os::unix::ffi::OsStrExt as _;

use msgr2::capture::add_key_files;
use msgr2::tracker::{Knowledge, SECRETS_TYPE};
use wireshark_ffi_bindgen as ws;
use ws::ForC;
use zeroize::Zeroizing;

use crate::dissect;
use crate::register::KEYRING;

/// The most bytes of a block that are taken for keys.
const MOST_BYTES: usize = 4 << 20;
/// The most blocks that are kept.
const MOST_BLOCKS: usize = 64;
/// What an error says of a block's place.
pub(crate) const BLOCK: &str = "The capture's secrets block";

/// The blocks that captures had, each once. Wireshark doesn't hand them over again when it dissects anew, and doesn't
/// tell that from opening another file, so they stay; a key that opens nothing does no harm.
// SAFETY: Wireshark calls a plugin on one thread.
static BLOCKS: ForC<*mut Vec<Zeroizing<Vec<u8>>>> = unsafe { ForC::new(std::ptr::null_mut()) };

/// What the user has given.
#[derive(Default)]
pub(crate) struct Given {
    /// The keys.
    pub knowledge: Knowledge,
    /// What is wrong with them.
    pub trouble: Option<Box<str>>,
}

/// Reads everything anew.
pub(crate) fn given() -> Given {
    let mut given = Given::default();
    for block in blocks() {
        if let Err(trouble) = add(&given.knowledge, BLOCK, block) {
            given.trouble.get_or_insert(trouble);
        }
    }
    // SAFETY: the variable holds a text of Wireshark's, or is null.
    let name = match KEYRING.get() {
        name if name.is_null() => OsStr::new(""),
        name => OsStr::from_bytes(unsafe { CStr::from_ptr(name) }.to_bytes()),
    };
    let errors = add_key_files(&given.knowledge, name);
    if !errors.is_empty() {
        given.trouble = Some(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ").into());
    }
    given
}

/// Adds the keys of a keyring's text; the error says what is wrong in which line.
pub(crate) fn add(knowledge: &Knowledge, place: &str, text: &[u8]) -> Result<(), Box<str>> {
    // a block says the same as a file that was given, or knows better
    knowledge.add_text(text).map(drop).map_err(|error| format!("{place}: {error}").into())
}

fn blocks() -> &'static mut Vec<Zeroizing<Vec<u8>>> {
    if BLOCKS.get().is_null() {
        BLOCKS.set(Box::into_raw(Box::default()));
    }
    // SAFETY: never freed, and only this thread uses it, one call at a time.
    unsafe { &mut *BLOCKS.get() }
}

/// Asks for the secrets blocks of captures; not every Wireshark offers them.
pub(crate) unsafe fn listen() {
    // SAFETY: nobody else has this type.
    unsafe { ws::secrets_register_type(SECRETS_TYPE, secrets) };
}

unsafe extern "C" fn secrets(content: *const c_void, size: c_uint) {
    if content.is_null() || size as usize > MOST_BYTES {
        return;
    }
    // SAFETY: Wireshark's block is good for the call.
    let block = unsafe { std::slice::from_raw_parts(content.cast::<u8>(), size as usize) };
    let known = blocks();
    if !known.iter().any(|one| one.as_slice() == block) {
        if known.len() >= MOST_BLOCKS {
            known.remove(0);
        }
        known.push(Zeroizing::new(block.to_vec()));
    }
    dissect::learn(block);
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, add};
    use msgr2::tracker::Knowledge;

    #[test]
    fn an_error_names_place_and_line() {
        let knowledge = Knowledge::default();
        let osd = "[service.osd]\n\tkey.1 = AQBAWgRXAAAAABAAAAECAwQFBgcICQoLDA0ODw==\n";
        assert_eq!(add(&knowledge, BLOCK, osd.as_bytes()), Ok(()));
        assert_eq!(add(&knowledge, BLOCK, b""), Ok(()));
        let wrong = format!("{osd}[client.admin]\n\tkey = no key\n");
        let said = add(&knowledge, BLOCK, wrong.as_bytes()).expect_err("a key that is none");
        assert!(said.starts_with("The capture's secrets block: line 4: "), "{said}");
        let wrong = format!("{osd}\n{}", osd.replace("key.1", "key.x"));
        let said = add(&knowledge, "/keys", wrong.as_bytes()).expect_err("a number that is none");
        assert!(said.starts_with("/keys: line 5: "), "{said}");
    }
}

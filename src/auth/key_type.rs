//! The type of a key, told by the length of what it has sealed: nothing needs to be opened for that.
//!
//! The types differ in what they add. AES (AES-128-CBC) pads to a whole number of blocks of 16 bytes; AES256KRB5 (RFC 8009)
//! adds a confounder of 16 bytes and a MAC of 24, and pads nothing. Both seal the header that all sealed structures have.
//! Lengths measured on Ceph 16.2, 18.2 and 20.2.4 agree.

use super::Key;
use crate::Context;
use crate::types::{CephxAuthorize, CephxServiceTicket, CryptoType};
use crate::wire::Composite;

/// The types that seal.
const TYPES: [CryptoType; 2] = [CryptoType::AES, CryptoType::AES256KRB5];

/// The type of the key that has sealed a structure of one of these lengths, if only one can have.
pub fn of_sealed(sealed: usize, plain: &[usize]) -> Option<CryptoType> {
    let fits = |kind: &CryptoType| plain.iter().any(|plain| Key::sealed_len(*kind, *plain) == Some(sealed));
    let mut found = TYPES.into_iter().filter(fits);
    let only = found.next()?;
    found.next().is_none().then_some(only)
}

/// What a `service_ticket` shows: the type of the key that has sealed it, which is the client's own for an AUTH ticket, and that
/// of the session key in it.
pub fn of_service_ticket(sealed: usize) -> Option<(CryptoType, CryptoType)> {
    let bare = <CephxServiceTicket<'_> as Composite<'_, Context>>::MIN_SIZE;
    TYPES.into_iter().find_map(|session| {
        let plain = bare + Key::usual_len(session)?;
        let by = TYPES.into_iter().find(|kind| Key::sealed_len(*kind, plain) == Some(sealed))?;
        Some((by, session))
    })
}

/// The type of a session key, by a proof that was made with it.
pub fn of_proof(sealed: usize) -> Option<CryptoType> {
    // what version 2 added is not in the least
    let version_1 = <CephxAuthorize as Composite<'_, Context>>::MIN_SIZE;
    of_sealed(sealed, &[version_1, version_1 + 1 + 8])
}

/// The type of a service's key, by a ticket for that service. Its length depends on names and capabilities, and one in sixteen
/// of those that an AES256KRB5 key has sealed is as long as an AES key's. Then the type of the session key that goes with the
/// ticket decides, since services make session keys of the type of their own; without that it isn't known.
pub fn of_ticket(sealed: usize, session: Option<CryptoType>) -> Option<CryptoType> {
    let [aes, krb5] = TYPES.map(|kind| Key::may_seal_to(kind, sealed));
    match (aes, krb5) {
        (true, true) => session,
        (true, false) => Some(CryptoType::AES),
        (false, true) => Some(CryptoType::AES256KRB5),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_measured() {
        let (aes, krb5) = (CryptoType::AES, CryptoType::AES256KRB5);
        assert_eq!((of_service_ticket(48), of_service_ticket(102)), (Some((aes, aes)), Some((krb5, krb5))));
        // a new key whose session key is of the old type, and the other way round
        assert_eq!((of_service_ticket(86), of_service_ticket(64)), (Some((krb5, aes)), Some((aes, krb5))));
        assert_eq!([47, 0, 1000].map(of_service_ticket), [None; 3]);
        assert_eq!((of_proof(32), of_proof(67)), (Some(aes), Some(krb5)));
        for length in 150..=161 {
            assert_eq!(of_ticket(length, Some(krb5)), Some(krb5), "{length}");
        }
        assert_eq!(
            [(96, Some(aes)), (160, None), (16, None), (7, None)].map(|(l, s)| of_ticket(l, s)),
            [Some(aes), None, Some(aes), None]
        );
    }
}

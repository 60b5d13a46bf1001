//! What is to be said of frames by which a server refuses, or sends away, its client.

use crate::FindingKind;
use crate::auth::EntityName;
use crate::auth::cephx::passive::Shut;
use crate::types::{AuthMethod, ConnectionMode, Errno};
use crate::v2_1::{AuthBadMethod, AuthRequest, Frame};
use crate::wire::Join;

/// What a client has asked for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    method: AuthMethod,
    modes: Box<[ConnectionMode]>,
}

impl Asked {
    pub(super) fn of(request: &AuthRequest<'_>) -> Self {
        Asked { method: request.method, modes: request.preferred_modes.as_slice().into() }
    }

    /// Whether secure mode is what it likes best.
    pub(super) fn would_rather_be_secure(&self) -> bool {
        self.modes.first() == Some(&ConnectionMode::SECURE)
    }
}

/// What is known of a client that is refused.
pub(super) struct Client<'c> {
    /// What it has asked for, if that was captured.
    pub(super) asked: Option<&'c Asked>,
    /// Who it says to be.
    pub(super) name: Option<EntityName>,
    /// What its proof says of the key that is known for it.
    pub(super) proof: Option<&'c Shut>,
}

/// Why an AUTH_BAD_METHOD was sent.
pub(super) fn why(refused: &AuthBadMethod<'_>, client: &Client<'_>) -> (FindingKind, String) {
    let AuthBadMethod { method, result, allowed_methods, allowed_modes, .. } = refused;
    if *result != Errno::EOPNOTSUPP {
        let who = client.name.as_ref().map(|name| format!(" for {name}")).unwrap_or_default();
        let differs = match client.proof {
            Some(differs @ Shut::KeyDiffers(_)) => format!("; {differs}"),
            _ => String::new(),
        };
        return (FindingKind::Denied, format!("{result}{who}{differs}"));
    }
    if !allowed_methods.contains(method) {
        return (FindingKind::MethodRefused, format!("asked for {method}, allowed {}", Join(allowed_methods)));
    }
    let allowed = Join(allowed_modes);
    let Some(Asked { modes, .. }) = client.asked.filter(|asked| asked.method == *method) else {
        return (FindingKind::ModeRefused, format!("allowed {allowed}; what was asked for isn't in the capture"));
    };
    let detail = format!("asked for {}, allowed {allowed}", Join(modes));
    if modes.iter().any(|mode| allowed_modes.contains(mode)) {
        return (FindingKind::RefusedAllowed, format!("{method}, {detail}"));
    }
    (FindingKind::ModeRefused, detail)
}

/// What is to be said of any other frame.
pub(super) fn finding(frame: &Frame<'_>) -> Option<(FindingKind, String)> {
    let kind = match frame {
        Frame::IdentMissingFeatures(_) => FindingKind::MissingFeatures,
        Frame::SessionReset(reset) => {
            let how = if reset.full.get() { "full" } else { "not full" };
            return Some((FindingKind::SessionReset, how.into()));
        }
        Frame::SessionRetry(_) => FindingKind::SessionRetry,
        Frame::SessionRetryGlobal(_) => FindingKind::SessionRetryGlobal,
        Frame::SessionReconnect(again) => {
            let detail = format!("connect_seq {}, received up to {}", again.connect_seq, again.msg_seq);
            return Some((FindingKind::SessionReconnect, detail));
        }
        Frame::Wait(_) => FindingKind::SessionWait,
        _ => return None,
    };
    Some((kind, frame.info().map(ToString::to_string).unwrap_or_default()))
}

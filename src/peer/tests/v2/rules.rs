//! What the accepting side makes of CLIENT_IDENT and SESSION_RECONNECT, rule by rule. A session that is just being
//! taken over is never seen: that happens at once.

use super::script::{NONCE, Script, message, texts};
use super::*;
use crate::peer::ConnectionId;
use crate::v2_1::Frame;
use crate::wire::Role;

/// Two that dial each other, without standby.
const PEER: Policy = Policy { standby: false, ..Policy::LOSSLESS_PEER };
const REUSE: Policy = Policy { standby: false, ..Policy::LOSSLESS_PEER_REUSE };
const SERVER: Policy = Policy::STATEFUL_SERVER;

/// A session that the peer has begun with this cookie and this global_seq.
fn begun(policy: Policy, cookie: u64, global_seq: u64) -> (Script, ConnectionId, SessionId) {
    let mut script = Script::new(policy);
    let id = script.accept();
    assert_eq!(texts(&script.say(id, &script.ident(cookie, global_seq))), ["SERVER_IDENT"]);
    assert_eq!(script.told(), ["0 begins"]);
    let session = script.sessions[0];
    (script, id, session)
}

/// A session that the endpoint has begun, at a peer with this global_seq. Its cookie comes with it.
fn dialled(policy: Policy, nonce: u32, global_seq: u64) -> (Script, ConnectionId, SessionId, u64) {
    let mut script = Script::new(policy);
    script.nonce = nonce;
    let session = script.connect();
    let (id, said) = script.answer();
    let Frame::ClientIdent(ident) = said.frame() else { panic!("{}", said.text()) };
    script.say(id, &Frame::ServerIdent(script.server_ident(0x5e, global_seq)));
    assert_eq!(script.told(), ["0 begins"]);
    (script, id, session, ident.cookie)
}

/// The endpoint dials, and its CLIENT_IDENT is on its way. Its cookie comes with it.
fn dialling(nonce: u32) -> (Script, ConnectionId, SessionId, u64) {
    let mut script = Script::new(PEER);
    script.nonce = nonce;
    let session = script.connect();
    let (id, said) = script.answer();
    let Frame::ClientIdent(ident) = said.frame() else { panic!("{}", said.text()) };
    (script, id, session, ident.cookie)
}

#[test]
fn ident_1_nobody_is_known() {
    let (mut script, id, session) = begun(SERVER, 0xc, 1);
    assert_eq!(script.endpoint.connection_of(session), Some(id));
    // and nobody any more
    script.endpoint.abandon(script.now, session);
    let id = script.accept();
    assert_eq!(texts(&script.say(id, &script.ident(0xc, 1))), ["SERVER_IDENT"]);
    assert_eq!(script.told().last().unwrap(), "1 begins");
}

#[test]
fn ident_3a_the_peer_has_restarted() {
    let (mut script, first, session, _) = dialled(PEER, NONCE + 1, 50);
    script.send(session, "one");
    script.cut(first);
    assert_eq!(script.told(), ["0 waits: the connection ended"]);
    // it counts from 1, with a cookie of its own
    let id = script.accept();
    assert_eq!(texts(&script.say(id, &script.ident(0xd, 1))), ["SERVER_IDENT"]);
    assert_eq!(script.told(), ["0 is over: the peer began a new session, 1 unacked", "1 begins"]);
    assert_eq!(script.endpoint.stats().sessions, 1);
}

#[test]
fn ident_4_another_one_was_quicker() {
    let (mut script, first, session) = begun(SERVER, 0xc, 5);
    let late = script.accept();
    assert!(script.say(late, &script.ident(0xd, 4)).is_empty());
    let told = script.told();
    assert!(told[0].starts_with("failed: ") && told[1] == "hangup", "{told:?}");
    // what is there isn't touched, also not while it is dialled without a cookie to compare
    assert_eq!(script.endpoint.connection_of(session), Some(first));
    let (mut script, first, ..) = dialled(PEER, NONCE - 1, 50);
    script.cut(first);
    script.told();
    for cookie in [0, script.endpoint.shared.sessions.values().next().unwrap().session.client_cookie] {
        let late = script.accept();
        assert!(script.say(late, &script.ident(cookie, 49)).is_empty());
        assert!(script.told()[0].starts_with("failed: "));
    }
}

#[test]
fn ident_5_lossy_sessions_give_way() {
    let (mut script, first, _) = begun(Policy::STATELESS_REGISTERED_SERVER, 0, 5);
    let id = script.accept();
    assert_eq!(texts(&script.say(id, &script.ident(0, 5))), ["SERVER_IDENT"]);
    assert_eq!(script.told(), ["0 is over: the peer began a new session, 0 unacked", "1 begins", "hangup"]);
    assert_eq!(script.endpoint.state_name(first), Some("ready"), "it has only no session any more");
    // nobody looks for those that aren't registered
    let (mut script, first, session) = begun(Policy::STATELESS_SERVER, 0, 5);
    let id = script.accept();
    assert_eq!(texts(&script.say(id, &script.ident(0, 1))), ["SERVER_IDENT"]);
    assert_eq!(script.told(), ["1 begins"]);
    assert_eq!(script.endpoint.connection_of(session), Some(first));
}

#[test]
fn ident_6_the_peer_has_lost_its_session() {
    for (policy, reset) in [(SERVER, true), (REUSE, true), (PEER, false)] {
        let (mut script, first, session) = begun(policy, 0xc, 5);
        script.send(session, "one");
        script.send(session, "two");
        assert_eq!(texts(&script.heard(first)), ["MESSAGE 1 one", "MESSAGE 2 two"]);
        script.say(first, &message(1, 1, "hello"));
        let id = script.accept();
        let said = texts(&script.say(id, &script.ident(0xd, 6)));
        let told = script.told();
        if reset {
            assert_eq!(said, ["SERVER_IDENT"]);
            assert_eq!(told, ["0 is reset, 1 lost", "0 begins", "hangup"]);
            script.send(session, "three");
            assert_eq!(texts(&script.heard(id)), ["MESSAGE 1 three"], "both begin to count anew");
        } else {
            assert_eq!(said, ["SERVER_IDENT", "MESSAGE 2 two"], "what is queued keeps its number");
            assert_eq!(told, ["0 begins", "hangup"]);
        }
        // what came before is no matter
        script.say(id, &message(1, 0, "again"));
        assert_eq!(script.received, ["hello", "again"]);
        assert_eq!(script.endpoint.stats().sessions, 1);
    }
}

#[test]
fn ident_7_the_session_was_being_made() {
    // SERVER_IDENT was lost
    let (mut script, first, session) = begun(REUSE, 0xc, 5);
    script.send(session, "one");
    script.heard(first);
    let id = script.accept();
    assert_eq!(texts(&script.say(id, &script.ident(0xc, 6))), ["SERVER_IDENT", "MESSAGE 1 one"]);
    assert_eq!(script.told(), ["0 begins", "hangup"], "nothing is reset");
    assert_eq!(script.endpoint.connection_of(session), Some(id));
}

#[test]
fn ident_8_a_session_without_cookie() {
    let (mut script, first, session) = begun(PEER, 0, 5);
    let id = script.accept();
    assert_eq!(texts(&script.say(id, &script.ident(0xd, 5))), ["SERVER_IDENT"]);
    assert_eq!(script.told(), ["0 begins", "hangup"]);
    assert_ne!(script.endpoint.connection_of(session), Some(first));
}

#[test]
fn ident_9_the_peers_connection_wins() {
    let (mut script, own, session, _) = dialling(NONCE - 1);
    script.send(session, "one");
    let id = script.accept();
    assert_eq!(texts(&script.say(id, &script.ident(0xd, 1))), ["SERVER_IDENT", "MESSAGE 1 one"]);
    assert_eq!(script.told(), ["0 begins", "hangup"]);
    assert_eq!(script.endpoint.connection_of(session), Some(id));
    // what still comes on the other one is ignored
    assert!(script.say(own, &Frame::ServerIdent(script.server_ident(0x5e, 2))).is_empty());
    assert!(script.told().is_empty());
    // and the other way round the roles stay those of the session's beginning
    script.cut(id);
    let (_, said) = script.answer();
    let Frame::SessionReconnect(wish) = said.frame() else { panic!("{}", said.text()) };
    assert_eq!((wish.client_cookie, wish.connect_seq), (0xd, 1));
}

#[test]
fn ident_10_the_own_connection_wins() {
    let (mut script, own, session, _) = dialling(NONCE + 1);
    let id = script.accept();
    for _ in 0..3 {
        assert_eq!(texts(&script.say(id, &script.ident(0xd, 1))), ["WAIT"]);
        assert_eq!(script.endpoint.state_name(id), Some("session_accepting"), "it goes on reading");
    }
    script.say(own, &Frame::ServerIdent(script.server_ident(0x5e, 2)));
    assert_eq!(script.told(), ["0 begins"]);
    assert_eq!(script.endpoint.connection_of(session), Some(own));
}

#[test]
fn ident_10_hurries_the_own_connection() {
    let (mut script, own, ..) = dialling(NONCE + 1);
    script.cut(own);
    assert!(script.dials.is_empty(), "the first pause");
    let id = script.accept();
    assert_eq!(texts(&script.say(id, &script.ident(0xd, 1))), ["WAIT"]);
    script.pass(Duration::ZERO);
    assert_eq!(script.dials.len(), 1);
}

#[test]
fn reconnect_1_nobody_is_known() {
    let mut script = Script::new(PEER);
    let id = script.accept();
    assert_eq!(texts(&script.say(id, &script.reconnect(0xc, [1, 1, 0]))), ["RESET full"]);
    assert_eq!(script.endpoint.state_name(id), Some("session_accepting"));
    // what a client does then
    assert_eq!(texts(&script.say(id, &script.ident(0xe, 1))), ["SERVER_IDENT"]);
    assert_eq!(script.told(), ["0 begins"]);
}

#[test]
fn reconnect_3_another_session_is_known() {
    for (policy, expected) in [(SERVER, "RESET full"), (REUSE, "RESET full"), (PEER, "RESET half")] {
        let (mut script, first, session) = begun(policy, 0xc, 1);
        let id = script.accept();
        assert_eq!(texts(&script.say(id, &script.reconnect(0xd, [2, 1, 0]))), [expected]);
        assert_eq!(script.endpoint.connection_of(session), Some(first), "nothing has happened yet");
    }
}

#[test]
fn reconnect_4_the_own_session_never_began() {
    // the peer has answered, and that was lost
    let (mut script, own, session, cookie) = dialling(NONCE + 1);
    script.send(session, "one");
    script.cut(own);
    let id = script.accept();
    assert_eq!(texts(&script.say(id, &script.reconnect(cookie, [2, 1, 0]))), ["RESET half"]);
    // it keeps the cookie
    assert_eq!(texts(&script.say(id, &script.ident(cookie, 2))), ["SERVER_IDENT", "MESSAGE 1 one"]);
    assert_eq!(script.told().last().unwrap(), "0 begins");
}

#[test]
fn reconnect_5_another_one_was_quicker() {
    let (mut script, _, session) = begun(SERVER, 0xc, 5);
    let id = script.accept();
    assert_eq!(texts(&script.say(id, &script.reconnect(0xc, [4, 1, 0]))), ["RETRY_GLOBAL 5"]);
    assert_eq!(texts(&script.say(id, &script.reconnect(0xc, [6, 1, 0]))), ["RECONNECT_OK 0"]);
    assert_eq!(script.told(), ["0 goes on", "hangup"]);
    assert_eq!(script.endpoint.connection_of(session), Some(id));
}

#[test]
fn reconnect_6_the_session_has_had_more_connections() {
    let (mut script, ..) = begun(SERVER, 0xc, 1);
    let id = script.accept();
    assert_eq!(texts(&script.say(id, &script.reconnect(0xc, [2, 7, 0]))), ["RECONNECT_OK 0"]);
    let id = script.accept();
    assert_eq!(texts(&script.say(id, &script.reconnect(0xc, [3, 6, 0]))), ["RETRY 7"]);
    assert_eq!(texts(&script.say(id, &script.reconnect(0xc, [3, 8, 0]))), ["RECONNECT_OK 0"]);
}

#[test]
fn reconnect_7_the_own_connection_wins() {
    let (mut script, first, session, cookie) = dialled(PEER, NONCE + 1, 1);
    script.cut(first);
    let (own, said) = script.answer();
    let Frame::SessionReconnect(wish) = said.frame() else { panic!("{}", said.text()) };
    assert_eq!((wish.client_cookie, wish.server_cookie, wish.connect_seq), (cookie, 0x5e, 1));
    let id = script.accept();
    assert_eq!(texts(&script.say(id, &script.reconnect(cookie, [2, 1, 0]))), ["WAIT"]);
    assert_eq!(script.endpoint.state_name(id), Some("session_accepting"));
    assert_eq!(script.endpoint.connection_of(session), Some(own));
}

#[test]
fn reconnect_8_the_peers_connection_wins() {
    // the lower address, a higher connect_seq, or a server: which dials nobody
    for (nonce, connect_seq) in [(NONCE - 1, 1), (NONCE + 1, 2)] {
        let (mut script, first, session, cookie) = dialled(PEER, nonce, 1);
        script.cut(first);
        let (own, _) = script.answer();
        let id = script.accept();
        assert_eq!(texts(&script.say(id, &script.reconnect(cookie, [2, connect_seq, 0]))), ["RECONNECT_OK 0"]);
        assert_eq!(script.told(), ["0 waits: the connection ended", "0 goes on", "hangup"]);
        assert_eq!(script.endpoint.connection_of(session), Some(id));
        assert_eq!(script.endpoint.connections[&own].role, Role::Client);
        // the number of connections was taken over
        let id = script.accept();
        assert_eq!(
            texts(&script.say(id, &script.reconnect(cookie, [3, connect_seq - 1, 0]))),
            [format!("RETRY {connect_seq}")]
        );
    }
    let (mut script, ..) = begun(SERVER, 0xc, 1);
    let id = script.accept();
    assert_eq!(texts(&script.say(id, &script.reconnect(0xc, [2, 0, 0]))), ["RECONNECT_OK 0"]);
}

#[test]
fn reconnect_8_sends_again_what_the_peer_lacks() {
    let (mut script, first, session) = begun(SERVER, 0xc, 1);
    for text in ["one", "two", "three"] {
        script.send(session, text);
    }
    assert_eq!(texts(&script.heard(first)), ["MESSAGE 1 one", "MESSAGE 2 two", "MESSAGE 3 three"]);
    script.say(first, &message(1, 1, "a"));
    script.say(first, &message(2, 1, "b"));
    script.cut(first);
    let id = script.accept();
    assert_eq!(
        texts(&script.say(id, &script.reconnect(0xc, [2, 1, 2]))),
        ["RECONNECT_OK 2", "MESSAGE 3 three"],
        "what the peer has is dropped, also if it was never acknowledged"
    );
    script.say(id, &message(2, 3, "b"));
    script.say(id, &message(3, 3, "c"));
    assert_eq!(script.received, ["a", "b", "c"]);
    assert_eq!(script.told()[2..], ["dropped: message 2 was there before and is dropped"]);
}

#[test]
fn asking_again_and_again() {
    let (mut script, ..) = begun(SERVER, 0xc, 5);
    let id = script.accept();
    for _ in 0..16 {
        assert_eq!(texts(&script.say(id, &script.reconnect(0xc, [4, 1, 0]))), ["RETRY_GLOBAL 5"]);
    }
    assert!(script.say(id, &script.reconnect(0xc, [4, 1, 0])).is_empty());
    let told = script.told();
    assert!(told[0].starts_with("failed: ") && told[1] == "hangup", "{told:?}");
}

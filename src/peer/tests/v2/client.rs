//! What a client makes of the server's answers, and when it comes back.

use super::script::{NONCE, Script, message, texts};
use super::*;
use crate::types::EntityAddrvec;
use crate::v2_1::{Frame, ServerIdent, SessionReconnectOk, SessionReset, SessionRetry, SessionRetryGlobal, Wait};
use crate::wire::Bool;

const CLIENT: Policy = Policy::LOSSLESS_CLIENT;

/// A session that has begun, and was resumed no time. Its cookie comes with it.
fn begun(policy: Policy) -> (Script, crate::peer::ConnectionId, SessionId, u64) {
    let mut script = Script::new(policy);
    let session = script.connect();
    let (id, said) = script.answer();
    let Frame::ClientIdent(ident) = said.frame() else { panic!("{}", said.text()) };
    assert_eq!((ident.global_seq, ident.cookie == 0), (1, policy.lossy));
    let cookie = if policy.lossy { 0 } else { 0x5e };
    script.say(id, &Frame::ServerIdent(script.server_ident(cookie, 9)));
    assert_eq!(script.told(), ["0 begins"]);
    (script, id, session, ident.cookie)
}

/// The numbers of a SESSION_RECONNECT: cookies, global_seq, connect_seq, msg_seq.
fn numbers(frame: &Frame<'_>) -> (u64, u64, [u64; 3]) {
    let Frame::SessionReconnect(wish) = frame else { panic!("{:?}", frame.tag()) };
    (wish.client_cookie, wish.server_cookie, [wish.global_seq, wish.connect_seq, wish.msg_seq])
}

fn reset(full: bool) -> Frame<'static> {
    Frame::SessionReset(SessionReset { full: Bool(full.into()), ..Default::default() })
}

fn retry(connect_seq: u64) -> Frame<'static> {
    Frame::SessionRetry(SessionRetry { connect_seq, ..Default::default() })
}

fn retry_global(global_seq: u64) -> Frame<'static> {
    Frame::SessionRetryGlobal(SessionRetryGlobal { global_seq, ..Default::default() })
}

fn ok(msg_seq: u64) -> Frame<'static> {
    Frame::SessionReconnectOk(SessionReconnectOk { msg_seq, ..Default::default() })
}

#[test]
fn a_fault_is_followed_by_a_reconnect_at_once() {
    let (mut script, mut id, session, cookie) = begun(CLIENT);
    assert_eq!(texts(&script.say(id, &message(1, 0, "hello"))), ["ACK 1"], "there is nothing else to send");
    for text in ["one", "two"] {
        script.send(session, text);
    }
    assert_eq!(texts(&script.heard(id)), ["MESSAGE 1 one", "MESSAGE 2 two"]);
    for round in 1..=3 {
        script.cut(id);
        let said;
        (id, said) = script.answer();
        assert_eq!(numbers(&said.frame()), (cookie, 0x5e, [1 + round, round, round]), "counters of the attempt");
        assert_eq!(texts(&script.say(id, &ok(1))), ["MESSAGE 2 two"]);
        assert_eq!(script.told(), ["0 waits: the connection ended", "0 goes on"]);
        // it gets somewhere, so it comes back at once the next time, too
        script.say(id, &message(1 + round, 1, "more"));
    }
}

#[test]
fn retries_raise_the_numbers() {
    let (mut script, id, _, cookie) = begun(CLIENT);
    script.cut(id);
    let (id, _) = script.answer();
    let said = script.say(id, &retry(41));
    assert_eq!(numbers(&said[0].frame()), (cookie, 0x5e, [2, 42, 0]));
    // one counter for all of the endpoint's sessions
    let said = script.say(id, &retry_global(100));
    assert_eq!(numbers(&said[0].frame()), (cookie, 0x5e, [101, 42, 0]));
    let said = script.say(id, &retry_global(7));
    assert_eq!(numbers(&said[0].frame()), (cookie, 0x5e, [102, 42, 0]));
    assert!(script.say(id, &ok(0)).is_empty());
    script.cut(id);
    assert!(script.dials.is_empty(), "nothing came of it, so there is a pause");
    script.pass(Duration::from_millis(200));
    let (_, said) = script.answer();
    assert_eq!(numbers(&said.frame()), (cookie, 0x5e, [103, 43, 0]));
}

#[test]
fn a_server_that_sends_the_client_round_in_circles() {
    for answer in [retry(1), retry_global(1)] {
        let (mut script, id, ..) = begun(CLIENT);
        script.cut(id);
        let (id, _) = script.answer();
        let rounds = (0..100).take_while(|_| !script.say(id, &answer).is_empty()).count();
        assert_eq!(rounds, 15, "the first one counts, too");
        assert_eq!(script.told().last().unwrap(), "hangup");
    }
}

#[test]
fn a_full_reset_drops_what_is_queued() {
    let (mut script, id, session, cookie) = begun(CLIENT);
    script.send(session, "one");
    script.say(id, &message(1, 0, "hello"));
    script.cut(id);
    script.send(session, "two");
    script.told();
    let (id, _) = script.answer();
    let said = script.say(id, &reset(true));
    let Frame::ClientIdent(ident) = said[0].frame() else { panic!("{}", said[0].text()) };
    assert!(ident.cookie != cookie && ident.cookie != 0);
    assert_eq!(script.told(), ["0 is reset, 2 lost"]);
    script.send(session, "three");
    assert_eq!(
        texts(&script.say(id, &Frame::ServerIdent(script.server_ident(0x60, 10)))),
        ["MESSAGE 1 three"],
        "both count from 1"
    );
    script.say(id, &message(1, 1, "again"));
    assert_eq!(script.received, ["hello", "again"]);
    // connect_seq, too, begins anew
    script.cut(id);
    let (_, said) = script.answer();
    assert_eq!(numbers(&said.frame()), (ident.cookie, 0x60, [3, 1, 1]));
}

#[test]
fn a_half_reset_keeps_what_is_queued() {
    let (mut script, id, session, cookie) = begun(CLIENT);
    for text in ["one", "two"] {
        script.send(session, text);
    }
    script.say(id, &message(1, 1, "hello"));
    script.cut(id);
    script.told();
    let (id, _) = script.answer();
    let said = script.say(id, &reset(false));
    let Frame::ClientIdent(ident) = said[0].frame() else { panic!("{}", said[0].text()) };
    assert_eq!(ident.cookie, cookie);
    assert!(script.told().is_empty(), "the application has lost nothing");
    assert_eq!(
        texts(&script.say(id, &Frame::ServerIdent(script.server_ident(0x60, 10)))),
        ["MESSAGE 2 two"],
        "with the number that it had"
    );
    script.say(id, &message(1, 2, "again"));
    assert_eq!(script.received, ["hello", "again"]);
}

#[test]
fn a_reset_is_said_once() {
    for full in [false, true] {
        let (mut script, id, ..) = begun(CLIENT);
        script.cut(id);
        let (id, _) = script.answer();
        script.say(id, &reset(full));
        assert!(script.say(id, &reset(full)).is_empty());
        assert_eq!(script.told().last().unwrap(), "hangup", "SESSION_RESET is no answer to CLIENT_IDENT");
    }
}

#[test]
fn wait_is_the_longest_pause() {
    for resumed in [false, true] {
        let mut script;
        let id = if resumed {
            let first;
            (script, first, ..) = begun(CLIENT);
            script.cut(first);
            script.answer().0
        } else {
            script = Script::new(CLIENT);
            script.connect();
            script.answer().0
        };
        script.told();
        assert!(script.say(id, &Frame::Wait(Wait::default())).is_empty());
        assert_eq!(script.told(), ["0 waits: the server asks to come again later", "hangup"]);
        script.cut(id);
        script.pass(Duration::from_millis(14_999));
        assert!(script.dials.is_empty());
        script.pass(Duration::from_millis(1));
        assert_eq!(script.dials.len(), 1);
        let (_, said) = script.answer();
        assert_eq!(said.text(), if resumed { "SESSION_RECONNECT" } else { "CLIENT_IDENT" });
    }
}

#[test]
fn while_it_waits_the_peer_comes_and_hurries_it() {
    let mut script = Script::new(Policy::LOSSLESS_PEER);
    let session = script.connect();
    script.send(session, "one");
    let (id, _) = script.answer();
    script.say(id, &Frame::Wait(Wait::default()));
    script.cut(id);
    script.pass(SECOND);
    let id = script.accept();
    let said = texts(&script.say(id, &script.ident(0xd, 1)));
    assert_eq!(said, ["WAIT"], "the own connection is kicked: {:?}", script.told());
    script.pass(Duration::ZERO);
    assert_eq!(script.dials.len(), 1);
}

#[test]
fn pauses_double_up_to_the_longest() {
    let mut script = Script::new(CLIENT);
    let session = script.connect();
    let mut pauses = Vec::new();
    for _ in 0..10 {
        assert_eq!(script.dials.pop_front(), Some(session));
        script.endpoint.dial_failed(script.now, session);
        let begin = script.now;
        while script.dials.is_empty() {
            script.pass(Duration::from_millis(50));
        }
        pauses.push((script.now - begin).as_millis());
    }
    assert_eq!(pauses, [200, 400, 800, 1600, 3200, 6400, 12_800, 15_000, 15_000, 15_000]);
}

#[test]
fn standby_counts_the_connection_that_ends_it() {
    let (mut script, id, session, cookie) = begun(Policy::LOSSLESS_PEER);
    script.cut(id);
    script.pass(3600 * SECOND);
    assert!(script.dials.is_empty());
    assert_eq!(script.told(), ["0 waits: the connection ended"]);
    script.send(session, "one");
    let (id, said) = script.answer();
    assert_eq!(numbers(&said.frame()), (cookie, 0x5e, [2, 1, 0]));
    assert_eq!(texts(&script.say(id, &ok(0))), ["MESSAGE 1 one"]);
    // with something to be acknowledged it doesn't wait
    script.cut(id);
    let (_, said) = script.answer();
    assert_eq!(numbers(&said.frame()), (cookie, 0x5e, [3, 2, 0]));
}

#[test]
fn a_standing_by_session_is_taken_up_by_the_peer() {
    let (mut script, id, session, cookie) = begun(Policy::LOSSLESS_PEER);
    script.cut(id);
    script.pass(3600 * SECOND);
    let id = script.accept();
    // the roles are those of the beginning: the peer was the server then
    assert_eq!(texts(&script.say(id, &script.reconnect(cookie, [10, 1, 0]))), ["RECONNECT_OK 0"]);
    assert_eq!(script.told(), ["0 waits: the connection ended", "0 goes on"]);
    script.send(session, "one");
    assert_eq!(texts(&script.heard(id)), ["MESSAGE 1 one"]);
}

#[test]
fn a_lossy_client_begins_nothing_anew_by_itself() {
    let (mut script, id, session, _) = begun(Policy::LOSSY_CLIENT);
    script.send(session, "one");
    assert_eq!(texts(&script.heard(id)), ["MESSAGE 1 one"]);
    script.say(id, &message(1, 0, "hello"));
    assert!(script.heard(id).is_empty(), "no ACK");
    // a gap is told and tolerated
    script.say(id, &message(3, 0, "later"));
    assert_eq!(script.received, ["hello", "later"]);
    script.told();
    script.cut(id);
    assert_eq!(script.told(), ["0 is over: the connection ended, 0 unacked"]);
    script.pass(3600 * SECOND);
    assert!(script.dials.is_empty());
    // what the application begins is a session of its own
    script.connect();
    let (_, said) = script.answer();
    let Frame::ClientIdent(ident) = said.frame() else { panic!("{}", said.text()) };
    assert_eq!((ident.global_seq, ident.cookie), (2, 0));
}

#[test]
fn the_server_decides_whether_it_is_lossy() {
    let mut script = Script::new(CLIENT);
    script.connect();
    let (id, _) = script.answer();
    script.say(id, &Frame::ServerIdent(script.server_ident(0, 9)));
    script.cut(id);
    assert_eq!(script.told(), ["0 begins", "0 is over: the connection ended, 0 unacked"]);
}

#[test]
fn a_server_with_other_addresses() {
    let mut script = Script::new(CLIENT);
    script.connect();
    let (id, _) = script.answer();
    let addrs = vec![entity_addr(AddrType::MSGR2, addr(2), NONCE + 2)];
    let ident = ServerIdent { addrs: EntityAddrvec { addrs }, ..script.server_ident(0x5e, 9) };
    script.say(id, &Frame::ServerIdent(ident));
    let told = script.told();
    assert!(told[0].contains("192.0.2.2:6800/6"), "{told:?}");
}

#[test]
fn numbers_of_messages() {
    let (mut script, id, ..) = begun(CLIENT);
    for (seq, text) in [(0, "none"), (1, "a"), (1, "b"), (0, "none"), (4, "d"), (3, "c"), (5, "e")] {
        script.say(id, &message(seq, 0, text));
    }
    assert_eq!(script.received, ["a", "d", "e"]);
    let told = script.told();
    assert_eq!(told.iter().filter(|line| line.starts_with("dropped: ")).count(), 5, "{told:?}");
}

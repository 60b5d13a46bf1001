//! Two sessions against each other: the rules for numbers, queues and replay.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::types::MessageType;

const LIMITS: QueueLimits = QueueLimits { messages: 1000, bytes: 1 << 20 };

fn session() -> Session {
    let mut session = Session::new(true, LIMITS);
    session.outgoing.rank();
    session.begin(0xc, 0x5, true);
    session
}

fn message(number: u64, priority: u16) -> Message {
    Message { priority, ..Message::new(MessageType::PING, number.to_le_bytes().to_vec()) }
}

fn number(message: &Message) -> u64 {
    u64::from_le_bytes(message.front[..].try_into().unwrap())
}

fn sent(session: &mut Session, count: usize) -> Vec<(u64, u64)> {
    let next = std::iter::from_fn(|| session.outgoing.next(true));
    next.take(count).map(|message| (message.seq, number(&message))).collect()
}

#[test]
fn what_was_sent_is_sent_again_with_its_numbers_before_anything_more_urgent() {
    let mut session = session();
    for number in 1..=4 {
        session.outgoing.push(message(number, 127)).unwrap();
    }
    assert_eq!(sent(&mut session, 3), [(1, 1), (2, 2), (3, 3)]);
    session.outgoing.push(message(5, 255)).unwrap();
    session.outgoing.push(message(6, 64)).unwrap();
    session.outgoing.push(message(7, 196)).unwrap();
    // the other side has the first one
    session.outgoing.forget(1);
    session.outgoing.requeue();
    assert_eq!(sent(&mut session, 9), [(2, 2), (3, 3), (4, 5), (5, 7), (6, 4), (7, 6)]);
    session.outgoing.forget(5);
    session.outgoing.requeue();
    session.outgoing.push(message(8, 255)).unwrap();
    assert_eq!(sent(&mut session, 9), [(6, 4), (7, 6), (8, 8)], "what has a number is not overtaken");
}

#[test]
fn a_lossy_session_keeps_nothing() {
    let mut session = Session::new(false, LIMITS);
    session.outgoing.push(message(1, 127)).unwrap();
    assert_eq!(session.outgoing.next(session.stateful).unwrap().seq, 1);
    assert!(session.outgoing.is_empty() && !session.outgoing.awaits_ack());
    session.outgoing.requeue();
    assert!(session.outgoing.next(false).is_none());
    assert!(!session.can_resume());
}

#[test]
fn a_half_reset_keeps_the_queue_and_the_clients_cookie() {
    let mut session = session();
    (session.connect_seq, session.global_seq) = (3, 9);
    for number in 1..=3 {
        session.outgoing.push(message(number, 127)).unwrap();
        session.incoming.take(number);
    }
    assert_eq!(sent(&mut session, 2), [(1, 1), (2, 2)]);
    session.outgoing.forget(1);
    session.reset_half();
    assert_eq!((session.client_cookie, session.server_cookie, session.connect_seq), (0xc, 0, 0));
    assert_eq!((session.incoming.received(), session.can_resume()), (0, false));
    // the new session may begin with a later number
    session.begin(0xc, 0x6, true);
    assert_eq!(sent(&mut session, 9), [(2, 2), (3, 3)]);
}

#[test]
fn a_full_reset_leaves_nothing() {
    let mut session = session();
    session.connect_seq = 3;
    for number in 1..=3 {
        session.outgoing.push(message(number, 127)).unwrap();
        session.incoming.take(number);
    }
    sent(&mut session, 2);
    assert_eq!(session.reset(true), 3);
    assert_eq!((session.client_cookie, session.server_cookie, session.connect_seq), (0, 0, 0));
    assert_eq!((session.incoming.received(), session.outgoing.len()), (0, 0));
    session.outgoing.push(message(4, 127)).unwrap();
    assert_eq!(sent(&mut session, 9), [(1, 4)]);
}

#[test]
fn a_session_that_begins_anew_at_the_same_endpoint() {
    let mut session = session();
    for number in 1..=3 {
        session.outgoing.push(message(number, 127)).unwrap();
        session.incoming.take(number);
    }
    sent(&mut session, 3);
    session.outgoing.forget(2);
    session.begin(0xd, 0x6, true);
    session.outgoing.requeue();
    assert_eq!(session.incoming.received(), 0);
    assert_eq!(sent(&mut session, 9), [(3, 3)]);
    assert_eq!(session.incoming.take_any(3), Taken::Gap { expected: 1 });
    assert_eq!(session.incoming.received(), 3);
}

#[test]
fn acknowledgements() {
    let mut session = session();
    assert!(!session.incoming.owes_ack());
    session.incoming.take_any(1);
    session.incoming.take_any(2);
    assert!(session.incoming.owes_ack());
    // a message says it too
    assert_eq!(session.incoming.ack(), 2);
    assert!(!session.incoming.owes_ack());
    // of what was never sent nothing is forgotten
    session.outgoing.push(message(1, 127)).unwrap();
    assert_eq!(session.outgoing.forget(u64::MAX), 0);
    sent(&mut session, 1);
    assert_eq!(session.outgoing.forget(u64::MAX), 1);
    assert_eq!(session.outgoing.forget(1), 0);
}

/// What happens to two sessions.
#[derive(Clone, Debug)]
enum Step {
    Push {
        side: usize,
        priority: u16,
    },
    Send {
        side: usize,
    },
    Ack {
        side: usize,
    },
    Arrive {
        side: usize,
    },
    /// Of what is on its way from each side so much arrives yet.
    Fault {
        arrives: [usize; 2],
    },
    Reconnect,
}

fn step() -> impl Strategy<Value = Step> {
    let side = 0..2usize;
    prop_oneof![
        4 => (side.clone(), prop::sample::select(vec![64, 127, 127, 196, 255]))
            .prop_map(|(side, priority)| Step::Push { side, priority }),
        6 => side.clone().prop_map(|side| Step::Send { side }),
        2 => side.clone().prop_map(|side| Step::Ack { side }),
        6 => side.prop_map(|side| Step::Arrive { side }),
        1 => [0..5usize, 0..5].prop_map(|arrives| Step::Fault { arrives }),
        2 => Just(Step::Reconnect),
    ]
}

/// What is on its way.
enum Flying {
    Message(Message, u64),
    Ack(u64),
}

/// Two sessions, and a connection between them as long as there is one.
struct Two {
    sessions: [Session; 2],
    pipes: Option<[VecDeque<Flying>; 2]>,
    pushed: [Vec<(u64, u16)>; 2],
    got: [Vec<Message>; 2],
}

impl Two {
    fn step(&mut self, step: &Step) {
        match *step {
            Step::Push { side, priority } => {
                let number = self.pushed[side].len() as u64;
                self.pushed[side].push((number, priority));
                self.sessions[side].outgoing.push(message(number, priority)).unwrap();
            }
            Step::Send { side } => {
                let Some(pipes) = &mut self.pipes else { return };
                let session = &mut self.sessions[side];
                if let Some(message) = session.outgoing.next(true) {
                    pipes[side].push_back(Flying::Message(message, session.incoming.ack()));
                }
            }
            Step::Ack { side } => {
                let Some(pipes) = &mut self.pipes else { return };
                let incoming = &mut self.sessions[side].incoming;
                if incoming.owes_ack() {
                    pipes[side].push_back(Flying::Ack(incoming.ack()));
                }
            }
            Step::Arrive { side } => self.arrive(side),
            Step::Fault { arrives } => {
                for (side, count) in arrives.into_iter().enumerate() {
                    (0..count).for_each(|_| self.arrive(side));
                }
                self.pipes = None;
            }
            Step::Reconnect => self.reconnect(),
        }
    }

    /// The first of what is on its way from a side arrives.
    fn arrive(&mut self, side: usize) {
        let other = &mut self.sessions[1 - side];
        match self.pipes.as_mut().and_then(|pipes| pipes[side].pop_front()) {
            Some(Flying::Message(message, ack_seq)) => {
                other.outgoing.forget(ack_seq);
                assert_eq!(other.incoming.take_any(message.seq), Taken::New, "nothing comes twice, nothing is missing");
                self.got[1 - side].push(message);
            }
            Some(Flying::Ack(seq)) => _ = other.outgoing.forget(seq),
            None => {}
        }
    }

    /// Both say what they have, and go on.
    fn reconnect(&mut self) {
        if self.pipes.is_some() {
            return;
        }
        let has = self.sessions.each_mut().map(|session| session.incoming.ack());
        for (session, has) in self.sessions.iter_mut().zip(has.into_iter().rev()) {
            session.outgoing.forget(has);
            session.outgoing.requeue();
        }
        self.pipes = Some(Default::default());
    }

    fn finish(&mut self) {
        self.reconnect();
        while self.sessions.iter().any(|session| session.incoming.owes_ack() || !session.outgoing.is_empty()) {
            for side in 0..2 {
                self.step(&Step::Send { side });
                self.step(&Step::Ack { side });
                self.step(&Step::Arrive { side });
            }
        }
    }
}

proptest! {
    #[test]
    fn every_message_arrives_once_and_in_order(steps in prop::collection::vec(step(), 0..200)) {
        let sessions = [session(), session()];
        let mut two = Two { sessions, pipes: Some(Default::default()), pushed: Default::default(), got: Default::default() };
        steps.iter().for_each(|step| two.step(step));
        two.finish();
        for side in 0..2 {
            let (pushed, got) = (&two.pushed[side], &two.got[1 - side]);
            prop_assert!(got.iter().map(|message| message.seq).eq(1..=pushed.len() as u64));
            // among those of one priority nothing overtakes
            for of in [64, 127, 196, 255] {
                let pushed = pushed.iter().filter(|(_, priority)| *priority == of).map(|(number, _)| *number);
                prop_assert!(got.iter().filter(|message| message.priority == of).map(number).eq(pushed));
            }
        }
    }
}

//! Only the order within a direction is fixed: whatever arrives first, both sides end in the same state.

use std::collections::{HashSet, VecDeque};

use super::network::START;
use super::*;
use crate::auth::cephx::client::Ticket;
use crate::peer::{ConnectionId, Event};

/// Two endpoints between which somebody else decides what arrives when.
struct Two {
    ends: [(Endpoint, ConnectionId); 2],
    pipes: [VecDeque<Vec<u8>>; 2],
    sessions: [Option<SessionId>; 2],
    texts: [Vec<Vec<u8>>; 2],
    log: [Vec<String>; 2],
    pieces: usize,
}

impl Two {
    fn new(auth: Auth, encryption: Encryption, ticket: &Ticket, pieces: usize) -> Self {
        let (mut client, mut server) = (client_config(), server_config(auth));
        client.encryption = encryption;
        // one method is refused first
        server.encryption = if encryption == Encryption::Required { Encryption::Wanted } else { encryption };
        let mut client = endpoint(client, "client");
        let mut server = endpoint(server, "server");
        let auth = match auth {
            Auth::Authorize | Auth::Challenge => vec![ClientAuth::Authorize { ticket: ticket.clone() }],
            other => client_auth(other),
        };
        let session = client.connect(START, Target::new(addr(1), auth));
        for text in ["from", "the client"] {
            client.send(START, session, crate::peer::Message::new(crate::types::MessageType::PING, text)).unwrap();
        }
        let near = client.connected(START, session).unwrap();
        let far = server.accept(START, addr(10)).unwrap();
        let mut two = Two {
            ends: [(client, near), (server, far)],
            pipes: Default::default(),
            sessions: [Some(session), None],
            texts: Default::default(),
            log: Default::default(),
            pieces,
        };
        two.look(0);
        two.look(1);
        two
    }

    /// Takes what an end tells and writes.
    fn look(&mut self, end: usize) {
        let (endpoint, connection) = &mut self.ends[end];
        while let Some(event) = endpoint.event() {
            match event {
                Event::Established { session, resumed, peer, .. } => {
                    self.log[end]
                        .push(format!("established {resumed} {} {} {}", peer.signed, peer.sealed_in, peer.gid));
                    if self.sessions[end].replace(session) != Some(session) {
                        let text = crate::peer::Message::new(crate::types::MessageType::PING, "from the server");
                        endpoint.send(START, session, text).unwrap();
                    }
                }
                Event::Message { message, .. } => self.texts[end].push(message.front.to_vec()),
                Event::Dial { .. } => {}
                other => self.log[end].push(format!("{other:?}")),
            }
        }
        let mut flight = Vec::new();
        while endpoint.transmit(START, *connection, &mut flight, 1 << 16) > 0 {}
        let piece = flight.len().div_ceil(self.pieces).max(1);
        self.pipes[end].extend(flight.chunks(piece).map(<[u8]>::to_vec));
    }

    /// The ends from which something is on its way.
    fn options(&self) -> Vec<usize> {
        (0..2).filter(|&end| !self.pipes[end].is_empty()).collect()
    }

    fn deliver(&mut self, from: usize, one_by_one: bool) {
        let Some(bytes) = self.pipes[from].pop_front() else { return };
        let (endpoint, connection) = &mut self.ends[1 - from];
        if one_by_one {
            bytes.iter().for_each(|byte| endpoint.receive(START, *connection, &[*byte]));
        } else {
            endpoint.receive(START, *connection, &bytes);
        }
        self.look(1 - from);
    }

    /// What both ends have come to.
    fn result(self) -> String {
        let states: Vec<_> = self.ends.iter().map(|(endpoint, connection)| endpoint.state_name(*connection)).collect();
        format!("{states:?} {:?} {:?}", self.texts, self.log)
    }
}

/// Runs all orders of arrival; returns how many there are, and the different results.
fn all_orders(
    auth: Auth,
    encryption: Encryption,
    ticket: &Ticket,
    pieces: usize,
    most: usize,
) -> (usize, HashSet<String>) {
    let mut results = HashSet::new();
    let mut path: Vec<(usize, usize)> = Vec::new();
    for run in 1..=most {
        let mut two = Two::new(auth, encryption, ticket, pieces);
        let mut depth = 0;
        loop {
            let options = two.options();
            if options.is_empty() {
                break;
            }
            if depth == path.len() {
                path.push((0, options.len()));
            }
            two.deliver(options[path[depth].0], run % 2 == 0);
            depth += 1;
        }
        results.insert(two.result());
        while let Some((choice, options)) = path.pop() {
            if choice + 1 < options {
                path.push((choice + 1, options));
                break;
            }
        }
        if path.is_empty() {
            return (run, results);
        }
    }
    (most, results)
}

#[test]
fn all_orders_of_flights_end_alike() {
    let ticket = ticket();
    for (auth, encryption) in ways() {
        let (orders, results) = all_orders(auth, encryption, &ticket, 1, 5000);
        assert!((2..5000).contains(&orders), "{auth:?} {encryption:?}: {orders} orders");
        assert_eq!(results.len(), 1, "{auth:?} {encryption:?}: {results:#?}");
        let result = results.iter().next().unwrap();
        assert!(result.contains(r#"Some("ready"), Some("ready")"#), "{result}");
        assert!(!result.contains("Failed") && !result.contains("Dropped"), "{result}");
    }
}

#[test]
fn all_orders_of_pieces_of_flights_end_alike() {
    let ticket = ticket();
    for (auth, encryption) in ways() {
        for pieces in [2, 3] {
            // more pieces than this make more orders than there is time for
            let (orders, results) = all_orders(auth, encryption, &ticket, pieces, 200);
            assert!(orders > 5, "{orders}");
            assert_eq!(results.len(), 1, "{auth:?} {encryption:?}: {results:#?}");
        }
    }
}

//! Endpoints in one process: a network with simulated time, latency, and connections that break at any byte.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use crate::peer::{ConnectionId, Endpoint, Event, Message, PeerInfo, SendError, SessionId, Time};
use crate::types::MessageType;

/// A moment in 2016.
pub(super) const START: Time = Duration::from_secs(1_464_000_000);

/// A small generator of pseudo-random numbers (SplitMix64), for what the network does.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// An endpoint with what it told.
pub(super) struct Node {
    pub(super) endpoint: Endpoint,
    pub(super) addr: SocketAddr,
    pub(super) log: Vec<String>,
    pub(super) received: HashMap<SessionId, Vec<Message>>,
    /// Keeps the messages that come; otherwise only their number.
    pub(super) sessions: Vec<SessionId>,
    pub(super) lost_sessions: Vec<SessionId>,
    pub(super) writable: bool,
    /// Whom it was connected with last.
    pub(super) peer: Option<PeerInfo>,
    /// The answers to its keepalives.
    pub(super) round_trips: Vec<Duration>,
}

/// A connection between two nodes.
struct Link {
    ends: [(usize, ConnectionId); 2],
    /// What is on its way from each end; nothing is the end of the stream.
    pipes: [VecDeque<(Time, Vec<u8>)>; 2],
    open: [bool; 2],
    /// How many bytes it has carried, both ways.
    carried: u64,
}

pub(super) struct Network {
    pub(super) now: Time,
    pub(super) nodes: Vec<Node>,
    links: Vec<Link>,
    pub(super) latency: Duration,
    /// Bytes until the next connection breaks.
    pub(super) kill_in: Option<u64>,
    /// How the next one is chosen, and how many may come.
    pub(super) kills: (u64, u64, Dice),
    pub(super) killed: u64,
    /// What each connection carries, both ways together, before it breaks.
    pub(super) lifetime: Option<u64>,
    /// Deliveries are cut into such pieces.
    pub(super) piece: usize,
    /// Bytes that each node has received.
    pub(super) bytes: Vec<u64>,
    pub(super) refuse_dials: bool,
    /// Somebody on the way: gets what a node writes, and gives what arrives.
    pub(super) tamper: Tamper,
}

type Tamper = Option<Box<dyn FnMut(usize, Vec<u8>) -> Vec<u8>>>;

impl Network {
    pub(super) fn new(endpoints: Vec<(Endpoint, SocketAddr)>) -> Self {
        let mut network = Network {
            now: START,
            nodes: Vec::new(),
            links: Vec::new(),
            latency: Duration::from_millis(10),
            kill_in: None,
            kills: (0, 1, Dice(1)),
            killed: 0,
            lifetime: None,
            piece: usize::MAX,
            bytes: Vec::new(),
            refuse_dials: false,
            tamper: None,
        };
        endpoints.into_iter().for_each(|(endpoint, addr)| network.join(endpoint, addr));
        network
    }

    pub(super) fn join(&mut self, endpoint: Endpoint, addr: SocketAddr) {
        self.bytes.push(0);
        self.nodes.push(Node {
            endpoint,
            addr,
            log: Vec::new(),
            received: HashMap::new(),
            sessions: Vec::new(),
            lost_sessions: Vec::new(),
            writable: true,
            peer: None,
            round_trips: Vec::new(),
        });
    }

    pub(super) fn send(&mut self, node: usize, session: SessionId, text: &str) {
        let message = Message::new(MessageType::PING, text.as_bytes().to_vec());
        self.nodes[node].endpoint.send(self.now, session, message).unwrap();
    }

    /// Sends a numbered message, if there is room.
    pub(super) fn send_number(&mut self, node: usize, session: SessionId, number: u64) -> bool {
        let message = Message::new(MessageType::PING, number.to_le_bytes().to_vec());
        match self.nodes[node].endpoint.send(self.now, session, message) {
            Ok(()) => true,
            Err(SendError::Full { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// Queues so many messages of so many bytes at both ends of a session, and lets them arrive through connections
    /// each of which carries `lifetime` bytes. Each must arrive once, and in order.
    pub(super) fn through_short_lives(&mut self, sessions: [SessionId; 2], count: u64, size: usize, lifetime: u64) {
        self.lifetime = Some(lifetime);
        let content = |number: u64| [&number.to_le_bytes()[..], &vec![0x5a; size]].concat();
        for (node, session) in sessions.into_iter().enumerate() {
            for number in 0..count {
                let message = Message::new(MessageType::PING, content(number));
                self.nodes[node].endpoint.send(self.now, session, message).unwrap();
            }
        }
        let arrived = |node: &Node, session| node.received.get(session).map_or(0, Vec::len) as u64;
        self.run_until(Duration::from_secs(300), |network| {
            network.nodes.iter().zip(&sessions).all(|(node, session)| arrived(node, session) >= count)
        });
        self.run_for(Duration::from_secs(60));
        for (node, session) in self.nodes.iter().zip(sessions) {
            let fronts: Vec<_> = node.received[&session].iter().map(|message| message.front.to_vec()).collect();
            assert!(fronts.iter().cloned().eq((0..count).map(content)), "lost, doubled or out of order");
        }
    }

    /// Everything that can be done without time passing.
    pub(super) fn pump(&mut self) {
        loop {
            let mut done = true;
            for index in 0..self.nodes.len() {
                while let Some(event) = self.nodes[index].endpoint.event() {
                    done = false;
                    self.note(index, event);
                }
                while let Some(connection) = self.nodes[index].endpoint.dirty() {
                    done = false;
                    self.write(index, connection);
                }
            }
            if done {
                return;
            }
        }
    }

    fn note(&mut self, index: usize, event: Event) {
        let now = self.now;
        let node = &mut self.nodes[index];
        match event {
            Event::Dial { session, addr } => {
                let server = self.nodes.iter().position(|node| node.addr == addr);
                let Some(server) = server.filter(|_| !self.refuse_dials) else {
                    return self.nodes[index].endpoint.dial_failed(now, session);
                };
                let from = self.nodes[index].addr;
                let Some(client_end) = self.nodes[index].endpoint.connected(now, session) else { return };
                match self.nodes[server].endpoint.accept(now, from) {
                    Ok(server_end) => self.links.push(Link {
                        ends: [(index, client_end), (server, server_end)],
                        pipes: Default::default(),
                        open: [true; 2],
                        carried: 0,
                    }),
                    Err(_) => self.nodes[index].endpoint.ended(now, client_end),
                }
            }
            Event::Message { session, message } => node.received.entry(session).or_default().push(message),
            Event::Hangup { connection } => {
                self.write(index, connection);
                if let Some((link, end)) = self.find(index, connection) {
                    let at = now + self.latency;
                    let link = &mut self.links[link];
                    if link.open[end] {
                        link.open[end] = false;
                        link.pipes[end].push_back((at, Vec::new()));
                    }
                }
                self.nodes[index].endpoint.ended(now, connection);
            }
            Event::Established { session, resumed, peer, .. } => {
                node.peer = Some(peer);
                node.log.push(format!("established resumed={resumed}"));
                if !node.sessions.contains(&session) {
                    node.sessions.push(session);
                }
            }
            Event::Keepalive { round_trip, .. } => node.round_trips.push(round_trip),
            Event::Writable { .. } => node.writable = true,
            Event::Closed { session, why, unacked } => {
                node.lost_sessions.push(session);
                node.log.push(format!("closed: {why}, {unacked} unacked"));
            }
            Event::Disconnected { why, .. } => node.log.push(format!("disconnected: {why}")),
            Event::Reset { lost, .. } => node.log.push(format!("reset: {lost} lost")),
            Event::Failed { error, .. } => node.log.push(format!("failed {}: {error}", error.name())),
            Event::Dropped { what, .. } => node.log.push(format!("dropped: {what}")),
            Event::Handshake { sent, frame, text, .. } => {
                node.log.push(format!("{} {frame} {text}", if sent { ">" } else { "<" }));
            }
        }
    }

    fn find(&self, node: usize, connection: ConnectionId) -> Option<(usize, usize)> {
        self.links.iter().enumerate().rev().find_map(|(index, link)| {
            link.ends.iter().position(|&end| end == (node, connection)).map(|end| (index, end))
        })
    }

    fn write(&mut self, node: usize, connection: ConnectionId) {
        let Some((index, end)) = self.find(node, connection) else { return };
        loop {
            let mut bytes = Vec::new();
            if self.nodes[node].endpoint.transmit(self.now, connection, &mut bytes, 1 << 16) == 0 {
                return;
            }
            let at = self.now + self.latency;
            if !self.links[index].open[end] {
                continue;
            }
            if let Some(tamper) = &mut self.tamper {
                bytes = tamper(node, bytes);
                if bytes.is_empty() {
                    continue;
                }
            }
            let left = self.lifetime.map_or(u64::MAX, |all| all.saturating_sub(self.links[index].carried));
            self.links[index].carried += bytes.len() as u64;
            if left < bytes.len() as u64 {
                bytes.truncate(left as usize);
                self.links[index].pipes[end].push_back((at, bytes));
                self.kill(index);
                return;
            }
            match &mut self.kill_in {
                Some(left) if *left < bytes.len() as u64 => {
                    bytes.truncate(*left as usize);
                    self.links[index].pipes[end].push_back((at, bytes));
                    self.kill(index);
                    return;
                }
                Some(left) => *left -= bytes.len() as u64,
                None => {}
            }
            self.links[index].pipes[end].push_back((at, bytes));
        }
    }

    /// A connection breaks: what is on its way may or may not arrive.
    fn kill(&mut self, index: usize) {
        self.killed += 1;
        let (most, every, dice) = &mut self.kills;
        self.kill_in = (self.killed < *most).then(|| 1 + dice.roll(2 * *every));
        let arrives = [dice.roll(2) == 0, dice.roll(2) == 0];
        let link = &mut self.links[index];
        link.open = [false; 2];
        for (pipe, arrives) in link.pipes.iter_mut().zip(arrives) {
            if !arrives {
                pipe.clear();
            }
            let at = pipe.back().map_or(self.now + self.latency, |last| last.0);
            pipe.push_back((at, Vec::new()));
        }
    }

    /// Breaks all connections: what is on its way is lost.
    pub(super) fn cut(&mut self) {
        for link in &mut self.links {
            link.open = [false; 2];
            link.pipes = Default::default();
            for (node, connection) in link.ends {
                self.nodes[node].endpoint.ended(self.now, connection);
            }
        }
        self.links.clear();
        self.pump();
    }

    /// Lets time pass until the next thing happens. False if nothing will.
    pub(super) fn step(&mut self) -> bool {
        self.pump();
        let arrivals = self.links.iter().flat_map(|link| &link.pipes).filter_map(|pipe| pipe.front());
        let arrival = arrivals.map(|front| front.0).min();
        let timer = self.nodes.iter().filter_map(|node| node.endpoint.timeout()).min();
        let Some(next) = arrival.into_iter().chain(timer).min() else { return false };
        self.now = self.now.max(next);
        let now = self.now;
        for node in &mut self.nodes {
            node.endpoint.tick(now);
        }
        for index in 0..self.links.len() {
            for end in 0..2 {
                while self.links[index].pipes[end].front().is_some_and(|front| front.0 <= now) {
                    let Some((_, bytes)) = self.links[index].pipes[end].pop_front() else { break };
                    let (node, connection) = self.links[index].ends[1 - end];
                    self.bytes[node] += bytes.len() as u64;
                    let endpoint = &mut self.nodes[node].endpoint;
                    if bytes.is_empty() {
                        endpoint.ended(now, connection);
                    }
                    for piece in bytes.chunks(self.piece) {
                        endpoint.receive(now, connection, piece);
                    }
                }
            }
        }
        self.links.retain(|link| link.open.iter().any(|&open| open) || link.pipes.iter().any(|pipe| !pipe.is_empty()));
        self.pump();
        true
    }

    /// Lets time pass until something holds. Panics if it doesn't within `limit`.
    pub(super) fn run_until(&mut self, limit: Duration, mut holds: impl FnMut(&Network) -> bool) {
        let end = self.now + limit;
        self.pump();
        while !holds(self) {
            if !self.step() || self.now > end {
                let logs: Vec<_> = self.nodes.iter().map(|node| node.log.join("\n  ")).collect();
                panic!("not reached at {:?}:\n  {}", self.now - START, logs.join("\n---\n  "));
            }
        }
    }

    /// Lets a time pass.
    pub(super) fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        self.pump();
        loop {
            let arrivals = self.links.iter().flat_map(|link| &link.pipes).filter_map(|pipe| pipe.front());
            let timers = self.nodes.iter().filter_map(|node| node.endpoint.timeout());
            match arrivals.map(|front| front.0).chain(timers).min() {
                Some(next) if next <= end => {
                    self.step();
                }
                _ => break,
            }
        }
        self.now = end;
    }

    /// The texts that a node has received in all sessions.
    pub(super) fn texts(&self, node: usize) -> Vec<String> {
        let node = &self.nodes[node];
        let sessions = node.sessions.iter().filter_map(|session| node.received.get(session));
        sessions.flatten().map(|message| String::from_utf8_lossy(&message.front).into_owned()).collect()
    }

    /// Whether a node's log has a line that contains the text.
    pub(super) fn logged(&self, node: usize, text: &str) -> bool {
        self.nodes[node].log.iter().any(|line| line.contains(text))
    }
}

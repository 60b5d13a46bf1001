//! Client, server and listener against each other, in memory; what they say goes through its bytes.

mod session;

use super::client::{Authenticate, Authorize, ClientError, Credentials, Ticket};
use super::passive::{Learnt, Limits, Shut};
use super::server::{self, Authority, Expected, Lifetimes, NoAuthKey, Outcome, Pending, Refused, Round};
use crate::Context;
use crate::auth::{Entity, EntityName, Key, Keyring, ServiceKeys, Time};
use crate::crypto::FixedRandom;
use crate::types::*;
use crate::wire::{Bool, Composite, Encode, Reader, Sealed, Utime};

const NOW: Time = Time::from_secs(1_700_000_000);
const HOUR: Time = Time::from_secs(3600);
const KINDS: [CryptoType; 2] = [CryptoType::AES, CryptoType::AES256KRB5];
const WANTED: CephxServices = CephxServices(0x37);

fn read<'b, T: Composite<'b, Context>>(bytes: &'b [u8]) -> T {
    let mut reader = Reader::new(bytes);
    let value = T::decode(&mut reader, &Context::default(), &mut ()).unwrap();
    reader.end().unwrap();
    value
}

fn name(text: &str) -> EntityName {
    text.parse().unwrap()
}

/// A cluster of one monitor, with a client and an osd that have keys.
struct Cluster {
    authority: Authority,
    random: FixedRandom,
}

impl Cluster {
    fn new(kind: CryptoType) -> Self {
        let mut random = FixedRandom::new(b"a cluster");
        let mut keyring = Keyring::new();
        for entity in ["client.admin", "osd.0"] {
            let mut entry = Entity::new(Key::generate(kind, Utime::default(), &mut random).unwrap());
            entry.caps.insert("osd".into(), "allow *".into());
            keyring.insert(name(entity), entry);
        }
        let mut services = ServiceKeys::new();
        for service in [EntityType::AUTH, EntityType::MON, EntityType::OSD, EntityType::MGR] {
            for _ in 0..3 {
                services.rotate(service, kind, Utime::default(), &mut random).unwrap();
            }
        }
        Cluster { authority: Authority::new(keyring, services, 4100, &mut random).unwrap(), random }
    }

    fn credentials(&self, entity: &str) -> Credentials {
        let key = self.authority.entities().get(&name(entity)).unwrap().key.clone();
        Credentials::new(name(entity), key)
    }

    /// The monitor's part; `change` is what somebody on the way does to the request.
    fn serve(
        &mut self,
        client: &Authenticate,
        entity: &str,
        secret_len: usize,
        now: Time,
        change: impl FnOnce(&mut CephxAuthenticateRequest<'_>),
    ) -> Result<server::Authenticated, Refused> {
        let challenge = server::challenge(&mut self.random);
        let mut request = client.answer(challenge, &mut self.random).unwrap();
        change(&mut request);
        let bytes = request.to_bytes().unwrap();
        let (name, global_id) = (name(entity), client.global_id());
        self.authority.authenticate(&name, global_id, &read(&bytes), challenge, secret_len, now, &mut self.random)
    }

    /// A whole authentication; both sides have the same in the end.
    fn log_in(&mut self, credentials: &mut Credentials, now: Time) -> super::client::Authenticated {
        let client = Authenticate::new(credentials, WANTED, now);
        let granted = self.serve(&client, &credentials.name().to_string(), 64, now, |_| {}).unwrap();
        let bytes = granted.reply.to_bytes().unwrap();
        let got = client.finish(&read(&bytes), granted.global_id, now).unwrap();
        assert_eq!(got.keys, granted.keys);
        assert_eq!(got.keys.connection_secret.len(), 64);
        credentials.learn(&got);
        got
    }

    /// A ticket of client.admin for osds.
    fn osd_ticket(&mut self) -> Ticket {
        let mut credentials = self.credentials("client.admin");
        self.log_in(&mut credentials, NOW);
        credentials.ticket(EntityType::OSD, NOW).unwrap().clone()
    }

    /// An osd's part.
    fn judge(
        &mut self,
        request: &CephxAuthorizerWithVersion<'_>,
        expected: &Expected<'_>,
        round: Round<'_>,
        now: Time,
    ) -> Result<Outcome, Refused> {
        let bytes = request.to_bytes().unwrap();
        self.authority.services().authorize(&read(&bytes), expected, round, 64, now, &mut self.random)
    }
}

const AT_OSD: Expected<'static> = Expected { service: EntityType::OSD, name: None, global_id: None };
const AT_ONCE: Round<'static> = Round::First { want_challenge: false };
const CHALLENGED: Round<'static> = Round::First { want_challenge: true };

fn challenge(outcome: Outcome) -> (Vec<u8>, Pending) {
    match outcome {
        Outcome::Challenge(sealed, pending) => (sealed.to_bytes().unwrap(), pending),
        Outcome::Granted(_) => panic!("let in without a challenge"),
    }
}

fn granted(outcome: Outcome) -> Box<server::Authorized> {
    match outcome {
        Outcome::Granted(authorized) => authorized,
        Outcome::Challenge(..) => panic!("a challenge"),
    }
}

#[test]
fn logs_in_and_comes_again() {
    for kind in KINDS {
        let mut cluster = Cluster::new(kind);
        let mut credentials = cluster.credentials("client.admin");
        assert_eq!(credentials.due(WANTED, NOW), WANTED);

        let first = cluster.log_in(&mut credentials, NOW);
        assert_eq!(first.global_id, 4100);
        // there is no key for the mds
        let services: Vec<EntityType> = first.tickets.iter().map(|ticket| ticket.service).collect();
        assert_eq!(services, [EntityType::AUTH, EntityType::MON, EntityType::OSD, EntityType::MGR]);
        assert!(first.tickets.iter().all(|ticket| ticket.secret_id == 2 && ticket.session_key.kind() == kind));
        let auth = credentials.ticket(EntityType::AUTH, NOW).unwrap();
        assert_eq!((auth.valid_until, auth.renew_after), (NOW + 72 * HOUR, NOW + 54 * HOUR));
        let osd = credentials.ticket(EntityType::OSD, NOW).unwrap();
        assert_eq!((osd.valid_until, osd.renew_after), (NOW + HOUR, NOW + HOUR * 3 / 4));
        assert_eq!(credentials.due(WANTED, NOW), CephxServices::MDS);
        assert_eq!(credentials.ticket(EntityType::OSD, NOW + HOUR), None);

        // the same id, proved by the AUTH ticket, which is resealed
        let later = NOW + HOUR;
        let second = cluster.log_in(&mut credentials, later);
        assert_eq!(second.global_id, 4100);
        assert_ne!(second.keys, first.keys);
        let third = cluster.log_in(&mut credentials, later);
        assert_eq!(third.global_id, 4100);

        // too late: a new id
        let fourth = cluster.log_in(&mut credentials, later + 72 * HOUR);
        assert_eq!(fourth.global_id, 4101);

        // and without the ticket too
        credentials.forget(EntityType::AUTH);
        assert_eq!(cluster.log_in(&mut credentials, later).global_id, 4102);
    }
}

#[test]
fn the_resealed_ticket_has_flag_1() {
    let mut cluster = Cluster::new(CryptoType::AES256KRB5);
    let mut credentials = cluster.credentials("client.admin");
    cluster.log_in(&mut credentials, NOW);
    let client = Authenticate::new(&credentials, WANTED, NOW);
    let granted = cluster.serve(&client, "client.admin", 64, NOW, |_| {}).unwrap();
    let [ticket] = granted.reply.tickets.tickets.as_slice() else { panic!("one ticket") };
    assert_eq!(ticket.form, CephxTicketForm::SEALED);

    // who hasn't shown a ticket doesn't take it
    let fresh = Authenticate::new(&cluster.credentials("client.admin"), WANTED, NOW);
    assert_eq!(fresh.finish(&granted.reply, 4100, NOW), Err(ClientError::TicketForm(EntityType::AUTH)));
    // nor another id
    assert_eq!(client.finish(&granted.reply, 4101, NOW), Err(ClientError::GlobalId { found: 4101, expected: 4100 }));
}

#[test]
fn who_asks_for_no_service_gets_none() {
    let mut cluster = Cluster::new(CryptoType::AES);
    let client = Authenticate::new(&cluster.credentials("osd.0"), CephxServices(0), NOW);
    let granted = cluster.serve(&client, "osd.0", 0, NOW, |_| {}).unwrap();
    assert!(granted.reply.connection_secret.is_some());
    assert_eq!(granted.reply.service_tickets, Some(None));
    let bytes = granted.reply.to_bytes().unwrap();
    assert!(bytes.ends_with(&[0; 4]));
    let got = client.finish(&read(&bytes), granted.global_id, NOW).unwrap();
    assert!(got.keys.connection_secret.is_empty());
    assert_eq!(got.tickets.len(), 1);
}

#[test]
fn a_pending_key_is_as_good() {
    let mut cluster = Cluster::new(CryptoType::AES);
    let pending = Key::generate(CryptoType::AES, Utime::default(), &mut cluster.random).unwrap();
    let mut keyring = cluster.authority.entities().clone();
    let admin = keyring.get(&name("client.admin")).unwrap().clone();
    keyring.insert(name("client.admin"), Entity { pending_key: Some(pending.clone()), ..admin });
    let services = ServiceKeys::clone(&cluster.authority.services());
    cluster.authority = Authority::new(keyring, services, 1, &mut cluster.random).unwrap();
    cluster.log_in(&mut cluster.credentials("client.admin"), NOW);
    cluster.log_in(&mut Credentials::new(name("client.admin"), pending), NOW);
}

#[test]
fn who_cannot_prove_is_refused() {
    for kind in KINDS {
        let mut cluster = Cluster::new(kind);
        let honest = cluster.credentials("client.admin");
        let client = Authenticate::new(&honest, WANTED, NOW);

        // another key, another name, nobody's name, another challenge, a changed proof: all the same to the client
        let other = Authenticate::new(&cluster.credentials("osd.0"), WANTED, NOW);
        let refused = cluster.serve(&other, "client.admin", 64, NOW, |_| {}).unwrap_err();
        assert_eq!(refused, Refused::WrongKey(name("client.admin")));
        let unknown = cluster.serve(&client, "client.nobody", 64, NOW, |_| {}).unwrap_err();
        assert_eq!(unknown, Refused::UnknownName(name("client.nobody")));
        assert_eq!((refused.errno(), unknown.errno()), (Errno::EACCES, Errno::EACCES));
        for change in [
            |r: &mut CephxAuthenticateRequest<'_>| r.authenticate.key ^= 1 << 63,
            |r: &mut CephxAuthenticateRequest<'_>| r.authenticate.client_challenge ^= 1,
        ] {
            let refused = cluster.serve(&client, "client.admin", 64, NOW, change).unwrap_err();
            assert_eq!(refused, Refused::WrongKey(name("client.admin")));
        }
        let request = client.answer(77, &mut cluster.random).unwrap();
        let replayed =
            cluster.authority.authenticate(honest.name(), 0, &request, 78, 64, NOW, &mut cluster.random).unwrap_err();
        assert_eq!(replayed, Refused::WrongKey(name("client.admin")));

        let op = cluster.serve(&client, "client.admin", 64, NOW, |r| r.op = CephxOp::GET_ROTATING_KEY).unwrap_err();
        assert_eq!((op.errno(), &op), (Errno::EINVAL, &Refused::Op(CephxOp::GET_ROTATING_KEY)));
        let new = cluster.serve(&client, "client.admin", 64, NOW, |r| r.authenticate.struct_v = 4).unwrap_err();
        assert_eq!(new.errno(), Errno::EINVAL);
        assert_eq!(new, Refused::Version { what: "CephXAuthenticate", found: 4 });
    }
}

#[test]
fn an_id_needs_its_ticket() {
    for kind in KINDS {
        let mut cluster = Cluster::new(kind);
        let mut admin = cluster.credentials("client.admin");
        cluster.log_in(&mut admin, NOW);
        let mut osd = cluster.credentials("osd.0");
        cluster.log_in(&mut osd, NOW);
        let client = Authenticate::new(&admin, WANTED, NOW);
        let ticket = |of: &Credentials, service| {
            let ticket = of.ticket(service, NOW).unwrap();
            super::blob(ticket.secret_id, &ticket.blob)
        };
        let mut serve = |change: &dyn Fn(&mut CephxAuthenticateRequest<'_>)| {
            let refused = cluster.serve(&client, "client.admin", 64, NOW, |r| change(r)).unwrap_err();
            assert_eq!(refused.errno(), Errno::EACCES);
            refused
        };
        assert_eq!(serve(&|r| r.authenticate.old_ticket = Default::default()), Refused::NoTicket(4100));
        assert_eq!(
            serve(&|r| r.authenticate.old_ticket = ticket(&osd, EntityType::AUTH)),
            Refused::Name { found: name("osd.0"), expected: name("client.admin") }
        );
        // sealed with the key of another service
        assert_eq!(serve(&|r| r.authenticate.old_ticket = ticket(&admin, EntityType::OSD)), Refused::TicketNotOpened);
        let service = EntityType::AUTH;
        assert_eq!(
            serve(&|r| r.authenticate.old_ticket.secret_id = 9),
            Refused::NoServiceKey { service, secret_id: 9 }
        );
        assert_eq!(
            serve(&|r| r.authenticate.old_ticket.secret_id = u64::MAX),
            Refused::NoServiceKey { service, secret_id: u64::MAX }
        );

        // its own ticket, another id
        let (challenge, random) = (5, &mut FixedRandom::new(b"x"));
        let request = client.answer(challenge, random).unwrap();
        let refused =
            cluster.authority.authenticate(admin.name(), 4101, &request, challenge, 64, NOW, random).unwrap_err();
        assert_eq!(refused, Refused::GlobalId { found: 4100, expected: 4101 });
        // a ticket, but a new id wanted
        let refused =
            cluster.authority.authenticate(admin.name(), 0, &request, challenge, 64, NOW, random).unwrap_err();
        assert_eq!((refused.errno(), &refused), (Errno::EINVAL, &Refused::UnwantedTicket));
        // too late
        let late = NOW + 72 * HOUR;
        let refused =
            cluster.authority.authenticate(admin.name(), 4100, &request, challenge, 64, late, random).unwrap_err();
        let expires = crate::auth::utime(late);
        assert_eq!(refused, Refused::Expired { name: name("client.admin"), expires });
        // and the id was not wasted by all that
        assert_eq!(cluster.authority.new_global_id(), 4102);
    }
}

#[test]
fn lifetimes_and_rotation_are_the_monitors() {
    let mut cluster = Cluster::new(CryptoType::AES);
    let mut services = ServiceKeys::clone(&cluster.authority.services());
    let lifetimes = Lifetimes { auth: 2 * HOUR, service: HOUR / 4 };
    let entities = cluster.authority.entities().clone();
    cluster.authority =
        Authority::new(entities.clone(), services.clone(), 0, &mut cluster.random).unwrap().with_lifetimes(lifetimes);
    let mut credentials = cluster.credentials("client.admin");
    let first = cluster.log_in(&mut credentials, NOW);
    assert_eq!(first.global_id, 1, "never 0");
    assert_eq!(credentials.ticket(EntityType::AUTH, NOW).unwrap().valid_until, NOW + 2 * HOUR);
    assert_eq!(credentials.ticket(EntityType::OSD, NOW).unwrap().valid_until, NOW + HOUR / 4);

    // sealed with key 2: good until that is gone
    for resumes in [true, false] {
        services.rotate(EntityType::AUTH, CryptoType::AES, Utime::default(), &mut cluster.random).unwrap();
        cluster.authority.set_services(services.clone()).unwrap();
        let client = Authenticate::new(&credentials, WANTED, NOW);
        let result = cluster.serve(&client, "client.admin", 64, NOW, |_| {});
        match result {
            Ok(_) => assert!(resumes),
            Err(refused) => {
                assert!(!resumes);
                assert_eq!(refused, Refused::NoServiceKey { service: EntityType::AUTH, secret_id: 2 });
            }
        }
    }
    assert_eq!(cluster.authority.set_services(ServiceKeys::new()), Err(NoAuthKey));
    assert!(Authority::new(entities, ServiceKeys::new(), 1, &mut cluster.random).is_err());
}

#[test]
fn a_reply_that_is_not_right_is_an_error() {
    for kind in KINDS {
        let mut cluster = Cluster::new(kind);
        let credentials = cluster.credentials("client.admin");
        let client = Authenticate::new(&credentials, WANTED, NOW);
        assert_eq!(client.answer(0, &mut cluster.random), Err(ClientError::NoChallenge));
        let good = cluster.serve(&client, "client.admin", 64, NOW, |_| {}).unwrap();
        let finish = |change: &dyn Fn(&mut CephxAuthenticateReply<'static>)| {
            let mut reply = good.reply.clone();
            change(&mut reply);
            client.finish(&reply, good.global_id, NOW).unwrap_err()
        };
        assert_eq!(finish(&|r| r.op = CephxOp(7)), ClientError::Op(CephxOp(7)));
        assert_eq!(finish(&|r| r.status = Errno::EPERM), ClientError::Status(Errno::EPERM));
        assert_eq!(finish(&|r| r.tickets.tickets.clear()), ClientError::NotOneAuthTicket);
        assert_eq!(finish(&|r| r.tickets.tickets[0].service = EntityTypeWord::OSD), ClientError::NotOneAuthTicket);
        assert_eq!(finish(&|r| r.tickets.tickets[0].ticket = None), ClientError::TicketForm(EntityType::AUTH));
        let what = |error: ClientError| match error {
            ClientError::Open { what, .. } => what,
            other => panic!("{other}"),
        };
        assert_eq!(
            what(finish(&|r| r.tickets.tickets[0].service_ticket = Sealed::default())),
            "session key of a ticket"
        );
        let other = cluster.serve(&client, "client.admin", 64, NOW, |_| {}).unwrap();
        let secret = other.reply.connection_secret.clone();
        assert_eq!(what(finish(&|r| r.connection_secret = secret.clone())), "connection secret");
        let tickets = other.reply.service_tickets.clone();
        assert_eq!(what(finish(&|r| r.service_tickets = tickets.clone())), "session key of a ticket");
        assert_eq!(client.finish(&good.reply, 0, NOW), Err(ClientError::GlobalId { found: 0, expected: 0 }));
        // somebody else's reply
        let osd = Authenticate::new(&cluster.credentials("osd.0"), WANTED, NOW);
        assert_eq!(what(osd.finish(&good.reply, good.global_id, NOW).unwrap_err()), "session key of a ticket");
        // a ticket that wasn't asked for is left alone
        let modest = Authenticate::new(&credentials, CephxServices::OSD, NOW);
        assert_eq!(modest.finish(&good.reply, good.global_id, NOW).unwrap().tickets.len(), 2);
    }
}

#[test]
fn a_ticket_lets_in_with_and_without_a_challenge() {
    for kind in KINDS {
        let mut cluster = Cluster::new(kind);
        let ticket = cluster.osd_ticket();
        let admin = name("client.admin");
        let expected = Expected { name: Some(&admin), global_id: Some(4100), ..AT_OSD };

        let client = Authorize::new(&ticket, &mut cluster.random);
        let request = client.request(None, &mut cluster.random).unwrap();
        let authorized = granted(cluster.judge(&request, &expected, AT_ONCE, NOW).unwrap());
        assert_eq!(authorized.ticket.name, admin);
        assert_eq!(authorized.ticket.global_id, 4100);
        assert_eq!(authorized.ticket.caps, b"\x07\0\0\0allow *");
        assert_eq!((authorized.ticket.created, authorized.ticket.expires), (NOW, NOW + HOUR));
        let bytes = authorized.reply.to_bytes().unwrap();
        let keys = client.finish(&read(&bytes)).unwrap();
        assert_eq!(keys, authorized.keys);
        assert_eq!(keys.connection_secret.len(), 64);
        assert_eq!(keys.session_key, ticket.session_key);

        let client = Authorize::new(&ticket, &mut cluster.random);
        let request = client.request(None, &mut cluster.random).unwrap();
        let (bytes, pending) = challenge(cluster.judge(&request, &expected, CHALLENGED, NOW).unwrap());
        // no length in front, as long as Ceph's
        assert_eq!(bytes.len(), if kind == CryptoType::AES { 32 } else { 58 });
        let number = client.challenge(&read(&bytes)).unwrap();
        let request = client.request(Some(number), &mut cluster.random).unwrap();
        let authorized = granted(cluster.judge(&request, &expected, Round::Answer(&pending), NOW).unwrap());
        let again = client.finish(&authorized.reply).unwrap();
        assert_eq!(again, authorized.keys);
        assert_ne!(again, keys, "another connection, another secret");

        // the reply to another nonce
        let other = Authorize::new(&ticket, &mut cluster.random);
        assert_eq!(other.finish(&authorized.reply), Err(ClientError::Nonce));
        assert!(matches!(other.challenge(&CephxSealedChallenge::default()), Err(ClientError::Open { .. })));
    }
}

#[test]
fn without_a_secret_the_reply_is_of_version_1() {
    let mut cluster = Cluster::new(CryptoType::AES);
    let client = Authorize::new(&cluster.osd_ticket(), &mut cluster.random);
    let request = client.request(None, &mut cluster.random).unwrap();
    let services = cluster.authority.services();
    for (asked, made, version) in [(0, 0, 1), (64, 64, 2), (10_000, 256, 2)] {
        let random = &mut cluster.random;
        let authorized = granted(services.authorize(&request, &AT_OSD, AT_ONCE, asked, NOW, random).unwrap());
        assert_eq!(authorized.keys.connection_secret.len(), made);
        let found = authorized.reply.sealed.take(&authorized.keys.session_key, |reply| reply.struct_v);
        assert_eq!(found, Ok(version));
        assert_eq!(client.finish(&authorized.reply).unwrap(), authorized.keys);
    }
}

#[test]
fn a_ticket_that_is_not_right_is_refused() {
    for kind in KINDS {
        let mut cluster = Cluster::new(kind);
        let ticket = cluster.osd_ticket();
        let client = Authorize::new(&ticket, &mut cluster.random);
        let request = client.request(None, &mut cluster.random).unwrap();
        let (admin, osd) = (name("client.admin"), name("osd.0"));
        let service = EntityType::OSD;

        let judge = |cluster: &mut Cluster, request: &_, expected: &_, now| {
            cluster.judge(request, expected, AT_ONCE, now).unwrap_err()
        };
        let refused = judge(&mut cluster, &request, &Expected { name: Some(&osd), ..AT_OSD }, NOW);
        assert_eq!(refused, Refused::Name { found: admin.clone(), expected: osd.clone() });
        assert_eq!(refused.errno(), Errno::EACCES);
        let refused = judge(&mut cluster, &request, &Expected { global_id: Some(1), ..AT_OSD }, NOW);
        assert_eq!(refused, Refused::GlobalId { found: 4100, expected: 1 });
        let refused = judge(&mut cluster, &request, &AT_OSD, NOW + HOUR);
        assert_eq!(refused, Refused::Expired { name: admin, expires: crate::auth::utime(NOW + HOUR) });
        assert_eq!(refused.errno(), Errno::EACCES);
        let at = |service| Expected { service, ..AT_OSD };
        let refused = judge(&mut cluster, &request, &at(EntityType::MGR), NOW);
        assert_eq!(refused, Refused::Service { found: 4, expected: EntityType::MGR });
        assert_eq!(refused.errno(), Errno::EACCES);
        let refused = judge(&mut cluster, &request, &at(EntityType::MDS), NOW);
        assert_eq!((refused.errno(), &refused), (Errno::EOPNOTSUPP, &Refused::NotServed(EntityType::MDS)));

        let mut changed = |change: &dyn Fn(&mut CephxAuthorizerWithVersion<'static>)| {
            let mut request = request.clone();
            change(&mut request);
            judge(&mut cluster, &request, &AT_OSD, NOW)
        };
        let version = changed(&|r| r.version = 2);
        assert_eq!(
            (version.errno(), &version),
            (Errno::EINVAL, &Refused::Version { what: "the authorizer", found: 2 })
        );
        assert_eq!(changed(&|r| r.authorizer.global_id = 3), Refused::GlobalId { found: 4100, expected: 3 });
        assert_eq!(
            changed(&|r| r.authorizer.service = EntityTypeWord(0x104)),
            Refused::Service { found: 0x104, expected: service }
        );
        // another generation's key, none at all, the service's own
        assert_eq!(changed(&|r| r.authorizer.ticket.secret_id = 3), Refused::TicketNotOpened);
        for secret_id in [4, u64::MAX] {
            assert_eq!(
                changed(&|r| r.authorizer.ticket.secret_id = secret_id),
                Refused::NoServiceKey { service, secret_id }
            );
        }
        assert_eq!(changed(&|r| r.authorizer.ticket.ticket = Sealed::default()), Refused::TicketNotOpened);
        assert_eq!(changed(&|r| r.authorizer.proof = Sealed::default()), Refused::ProofNotOpened);

        // whoever has seen the ticket has not its key
        let mut thief = ticket.clone();
        thief.session_key = Key::generate(kind, Utime::default(), &mut cluster.random).unwrap();
        let request = Authorize::new(&thief, &mut cluster.random).request(None, &mut cluster.random).unwrap();
        assert_eq!(judge(&mut cluster, &request, &AT_OSD, NOW), Refused::ProofNotOpened);
        // an authorizer as of old, without place for a challenge
        let mut old = Authorize::new(&ticket, &mut cluster.random).request(None, &mut cluster.random).unwrap();
        let proof = CephxAuthorize { struct_v: 1, nonce: 1, have_challenge: None, server_challenge_plus_one: None };
        old.authorizer.proof = Sealed::seal(&ticket.session_key, &proof, &mut cluster.random).unwrap();
        assert_eq!(judge(&mut cluster, &old, &AT_OSD, NOW), Refused::ProofNotOpened);
    }
}

#[test]
fn the_answer_to_a_challenge_must_be_right() {
    for kind in KINDS {
        let mut cluster = Cluster::new(kind);
        let ticket = cluster.osd_ticket();
        let random = &mut FixedRandom::new(b"clients");
        let client = Authorize::new(&ticket, random);
        let first = client.request(None, random).unwrap();
        let (bytes, pending) = challenge(cluster.judge(&first, &AT_OSD, CHALLENGED, NOW).unwrap());
        let number = client.challenge(&read(&bytes)).unwrap();
        let mut judge = |request: &_, round: Round<'_>| {
            let refused = cluster.judge(request, &AT_OSD, round, NOW).unwrap_err();
            assert_eq!(refused.errno(), Errno::EACCES);
            refused
        };
        let answer = Round::Answer(&pending);

        // an answer to no challenge, whether one would be given or not
        let request = client.request(Some(number), random).unwrap();
        assert_eq!(judge(&request, AT_ONCE), Refused::UnaskedAnswer);
        assert_eq!(judge(&request, CHALLENGED), Refused::UnaskedAnswer);
        // no answer, a wrong one
        assert_eq!(judge(&first, answer), Refused::WrongAnswer);
        let request = client.request(Some(number ^ 1), random).unwrap();
        assert_eq!(judge(&request, answer), Refused::WrongAnswer);
        // the number without the mark that it is an answer
        let proof = CephxAuthorize {
            nonce: 0,
            have_challenge: Some(Bool(0)),
            server_challenge_plus_one: Some(number + 1),
            ..Default::default()
        };
        let mut request = first.clone();
        request.authorizer.proof = Sealed::seal(&ticket.session_key, &proof, random).unwrap();
        assert_eq!(judge(&request, answer), Refused::WrongAnswer);
        // the right answer with another nonce
        let request = Authorize::new(&ticket, random).request(Some(number), random).unwrap();
        assert_eq!(judge(&request, answer), Refused::OtherAuthorizer);

        // and with another ticket of the same client
        let other = cluster.osd_ticket();
        let nonce_of_first = &mut FixedRandom::new(b"clients");
        let request = Authorize::new(&other, nonce_of_first).request(Some(number), random).unwrap();
        let refused = cluster.judge(&request, &AT_OSD, answer, NOW).unwrap_err();
        assert_eq!(refused, Refused::OtherAuthorizer);
    }
}

#[test]
fn a_listener_with_the_clients_key_has_all_its_keys() {
    for kind in KINDS {
        let mut cluster = Cluster::new(kind);
        let admin = name("client.admin");
        let mut keyring = Keyring::new();
        keyring.insert(admin.clone(), cluster.authority.entities().get(&admin).unwrap().clone());
        let mut learnt = Learnt::new(keyring);

        // twice, so that the second time a ticket is resealed
        let mut credentials = cluster.credentials("client.admin");
        for resumes in [false, true] {
            let client = Authenticate::new(&credentials, WANTED, NOW);
            let request = client.answer(1234, &mut cluster.random).unwrap();
            let given = cluster
                .authority
                .authenticate(&admin, client.global_id(), &request, 1234, 64, NOW, &mut cluster.random)
                .unwrap();
            assert_eq!(learnt.proof_matches(&admin, 1234, &request.authenticate), Ok(()));
            assert_eq!(learnt.proof_matches(&admin, 1235, &request.authenticate), Err(Shut::KeyDiffers(admin.clone())));
            let before = learnt.generation();
            let old_ticket = &request.authenticate.old_ticket;
            let heard = learnt.authenticate(&admin, given.global_id, Some(old_ticket), &given.reply).unwrap();
            assert_eq!(heard.keys, given.keys);
            assert_eq!(heard.old_session_key.is_some(), resumes);
            assert_eq!(learnt.generation(), before + 4);
            credentials.learn(&client.finish(&given.reply, given.global_id, NOW).unwrap());
        }

        let ticket = credentials.ticket(EntityType::OSD, NOW).unwrap();
        let client = Authorize::new(ticket, &mut cluster.random);
        let request = client.request(None, &mut cluster.random).unwrap();
        let given = granted(cluster.judge(&request, &AT_OSD, AT_ONCE, NOW).unwrap());
        let shown = learnt.shown(&request.authorizer).unwrap();
        assert_eq!((shown.name, shown.service_key), (Some(admin.clone()), None));
        assert_eq!(learnt.authorize(&request.authorizer, &given.reply), Ok(given.keys));
    }
}

#[test]
fn a_listener_with_a_service_key_needs_no_ticket() {
    for kind in KINDS {
        let mut cluster = Cluster::new(kind);
        let ticket = cluster.osd_ticket();
        let client = Authorize::new(&ticket, &mut cluster.random);
        let request = client.request(None, &mut cluster.random).unwrap();
        let given = granted(cluster.judge(&request, &AT_OSD, AT_ONCE, NOW).unwrap());

        let mut learnt = Learnt::new(Keyring::new());
        let service = EntityType::OSD;
        let shut = learnt.authorize(&request.authorizer, &given.reply).unwrap_err();
        assert_eq!(shut, Shut::NoTicket { name: None, service, secret_id: 2 });
        assert_eq!(shut.to_string(), "the ticket of somebody for osd was not seen, and there is no service key #2");

        // of another cluster
        let wrong = Key::generate(kind, Utime::default(), &mut cluster.random).unwrap();
        learnt.add_service_key(service, 2, wrong);
        let shut = learnt.authorize(&request.authorizer, &given.reply).unwrap_err();
        assert_eq!(shut, Shut::ServiceKeyDiffers { service, secret_id: 2 });

        let before = learnt.generation();
        learnt.add_service_keys(&cluster.authority.services());
        assert!(learnt.generation() > before);
        let again = learnt.generation();
        learnt.add_service_keys(&cluster.authority.services());
        assert_eq!(learnt.generation(), again, "nothing new");
        assert_eq!(learnt.authorize(&request.authorizer, &given.reply), Ok(given.keys));
        assert_eq!(learnt.name(4100), Some(&name("client.admin")));
        // known from now on
        assert_eq!(learnt.session_key(&request.authorizer.ticket), Some(&ticket.session_key));

        let damaged = CephxAuthorizerReply::default();
        let shut = learnt.authorize(&request.authorizer, &damaged).unwrap_err();
        assert!(matches!(shut, Shut::NotOpened { what: "the answer to the authorizer", .. }));
    }
}

#[test]
fn monitors_make_tickets_with_their_own_key() {
    let mut cluster = Cluster::new(CryptoType::AES);
    let mut services = ServiceKeys::clone(&cluster.authority.services());
    let own = Key::generate(CryptoType::AES, Utime::default(), &mut cluster.random).unwrap();
    services.insert(EntityType::MON, 3, own.clone()).unwrap();
    services.insert(EntityType::MON, 2, own.clone()).unwrap();
    cluster.authority.set_services(services).unwrap();
    let mut credentials = cluster.credentials("client.admin");
    cluster.log_in(&mut credentials, NOW);
    let mut ticket = credentials.ticket(EntityType::MON, NOW).unwrap().clone();
    ticket.secret_id = u64::MAX;

    let mut keyring = Keyring::new();
    keyring.insert(name("mon."), Entity::new(own));
    let request = Authorize::new(&ticket, &mut cluster.random).request(None, &mut cluster.random).unwrap();
    let shown = Learnt::new(keyring).shown(&request.authorizer).unwrap();
    assert_eq!(shown.session_key, ticket.session_key);
}

#[test]
fn a_listener_says_why_not() {
    let mut cluster = Cluster::new(CryptoType::AES);
    let admin = name("client.admin");
    let client = Authenticate::new(&cluster.credentials("client.admin"), WANTED, NOW);
    let given = cluster.serve(&client, "client.admin", 64, NOW, |_| {}).unwrap();

    let mut learnt = Learnt::new(Keyring::new());
    let shut = learnt.authenticate(&admin, 4100, None, &given.reply).unwrap_err();
    assert_eq!(shut, Shut::NoKey(admin.clone()));
    // it has a name, however
    let got = client.finish(&given.reply, 4100, NOW).unwrap();
    let osd = got.tickets.iter().find(|ticket| ticket.service == EntityType::OSD).unwrap();
    let request = Authorize::new(osd, &mut cluster.random).request(None, &mut cluster.random).unwrap();
    let shut = learnt.shown(&request.authorizer).unwrap_err();
    assert_eq!(shut.to_string(), "the ticket of client.admin for osd was not seen, and there is no service key #2");

    let mut keyring = Keyring::new();
    keyring.insert(admin.clone(), cluster.authority.entities().get(&name("osd.0")).unwrap().clone());
    let mut learnt = Learnt::new(keyring);
    assert_eq!(learnt.authenticate(&admin, 4100, None, &given.reply), Err(Shut::KeyDiffers(admin.clone())));
    assert_eq!(learnt.authenticate(&admin, 4100, None, &Default::default()), Err(Shut::NoAuthTicket));
}

#[test]
fn a_listener_forgets_what_is_oldest() {
    let mut cluster = Cluster::new(CryptoType::AES);
    let limits = Limits { tickets: 4, service_keys: 2, names: 1 };
    let mut learnt = Learnt::with_limits(cluster.authority.entities().clone(), limits);
    let admin = name("client.admin");
    let mut tickets = Vec::new();
    for _ in 0..3 {
        let client = Authenticate::new(&cluster.credentials("client.admin"), WANTED, NOW);
        let given = cluster.serve(&client, "client.admin", 64, NOW, |_| {}).unwrap();
        learnt.authenticate(&admin, given.global_id, None, &given.reply).unwrap();
        tickets.push(client.finish(&given.reply, given.global_id, NOW).unwrap().tickets);
    }
    let known = |learnt: &Learnt, ticket: &Ticket| learnt.session_key(&super::blob(2, &ticket.blob)).is_some();
    assert!(tickets[2].iter().all(|ticket| known(&learnt, ticket)));
    assert!(!tickets[..2].iter().flatten().any(|ticket| known(&learnt, ticket)));
    assert_eq!((learnt.name(4101), learnt.name(4102)), (None, Some(&admin)));

    learnt.add_service_keys(&cluster.authority.services());
    assert_eq!(learnt.service_key(EntityType::AUTH, 1), None);
    assert!(learnt.service_key(EntityType::AUTH, 3).is_some());
    // nothing is kept at all
    let mut none = Learnt::with_limits(Keyring::new(), Limits { tickets: 0, service_keys: 0, names: 0 });
    none.add_service_keys(&cluster.authority.services());
    assert_eq!(none.service_key(EntityType::AUTH, 3), None);
}

#[test]
fn debug_shows_no_secrets() {
    let mut cluster = Cluster::new(CryptoType::AES256KRB5);
    let mut credentials = cluster.credentials("client.admin");
    let got = cluster.log_in(&mut credentials, NOW);
    let shown = format!("{credentials:?}{got:?}{:?}", cluster.authority);
    let bytes = |secret: &crate::crypto::Secret| format!("{:?}", secret.expose()).replace(['[', ']'], "");
    for secret in [credentials.key().secret(), got.keys.session_key.secret(), &got.keys.connection_secret] {
        assert!(!shown.contains(&bytes(secret)[..30]), "{shown}");
    }
}

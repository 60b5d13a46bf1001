//! Within a session with a monitor: tickets renewed in time, rotating keys, and what a listener has of both.

use super::super::client::{Due, Renewal, rotating_keys, rotating_keys_request};
use super::super::passive::{InSession, Renewed};
use super::super::server::SessionOf;
use super::*;

const CHALLENGE: u64 = 0x0123_4567_89ab_cdef;
const SERVED: CephxServices = CephxServices(0x35);

impl Cluster {
    fn session(&self, credentials: &Credentials) -> SessionOf {
        SessionOf {
            name: credentials.name().clone(),
            global_id: credentials.global_id(),
            server_challenge: Some(CHALLENGE),
        }
    }

    /// The monitor's part of a request within a session, bytes to bytes.
    fn ask(&mut self, session: &SessionOf, request: &CephxSessionRequest<'_>, now: Time) -> Result<Vec<u8>, Refused> {
        let bytes = request.to_bytes().unwrap();
        let reply = self.authority.in_session(session, &read(&bytes), now, &mut self.random)?;
        Ok(reply.to_bytes().unwrap())
    }

    fn due(&mut self, credentials: &Credentials, now: Time) -> Due {
        credentials.renewal(SERVED, Some(CHALLENGE), now, &mut self.random).unwrap()
    }

    /// Asks once, and learns what comes. Returns the bytes of the reply.
    fn renew(&mut self, credentials: &mut Credentials, now: Time) -> (Box<Renewal>, Vec<u8>) {
        let Due::Ask(renewal) = self.due(credentials, now) else { panic!("nothing to ask") };
        let bytes = self.ask(&self.session(credentials), renewal.request(), now).unwrap();
        credentials.renewed(renewal.finish(Errno::OK, &read(&bytes), now).unwrap());
        (renewal, bytes)
    }
}

fn op(renewal: &Renewal) -> CephxOp {
    renewal.request().op
}

#[test]
fn tickets_are_renewed_when_a_quarter_of_their_life_is_left() {
    for kind in KINDS {
        let mut cluster = Cluster::new(kind);
        let mut credentials = cluster.credentials("client.admin");
        cluster.log_in(&mut credentials, NOW);
        assert!(matches!(cluster.due(&credentials, NOW + HOUR * 3 / 4 - Time::from_secs(1)), Due::Nothing));
        let before = credentials.ticket(EntityType::OSD, NOW).unwrap().clone();

        let now = NOW + HOUR * 3 / 4;
        let (renewal, _) = cluster.renew(&mut credentials, now);
        assert_eq!(op(&renewal), CephxOp::GET_PRINCIPAL_SESSION_KEY);
        let after = credentials.ticket(EntityType::OSD, now).unwrap().clone();
        assert_ne!((&before.blob, &before.session_key), (&after.blob, &after.session_key));
        assert_eq!((after.valid_until, after.global_id), (now + HOUR, 4100));
        assert!(matches!(cluster.due(&credentials, now), Due::Nothing));

        // an osd takes it
        let client = Authorize::new(&after, &mut cluster.random);
        let request = client.request(None, &mut cluster.random).unwrap();
        let reply = granted(cluster.judge(&request, &AT_OSD, AT_ONCE, now).unwrap());
        assert_eq!(client.finish(&reply.reply), Ok(reply.keys));
    }
}

#[test]
fn the_auth_ticket_is_renewed_by_the_handshakes_challenge() {
    for kind in KINDS {
        let mut cluster = Cluster::new(kind);
        let mut credentials = cluster.credentials("client.admin");
        cluster.log_in(&mut credentials, NOW);
        let before = credentials.ticket(EntityType::AUTH, NOW).unwrap().clone();

        let now = NOW + 54 * HOUR;
        let (renewal, bytes) = cluster.renew(&mut credentials, now);
        assert_eq!(op(&renewal), CephxOp::GET_AUTH_SESSION_KEY);
        let after = credentials.ticket(EntityType::AUTH, now).unwrap().clone();
        assert_ne!(before, after);
        assert_eq!((after.valid_until, after.global_id), (now + 72 * HOUR, 4100));
        let reply: CephxSessionReply<'_> = read(&bytes);
        let Some(CephxSessionReplyBody::GetAuthSessionKey(body)) = reply.body else { panic!("{reply:?}") };
        assert_eq!(body.tickets.tickets[0].form, CephxTicketForm::SEALED);
        assert_eq!(body.connection_secret, Some(None), "the connection keeps its own");
        // the others came with it
        assert!(matches!(cluster.due(&credentials, now), Due::Nothing));
        // and the new one is good for more
        let later = now + HOUR;
        assert_eq!(op(&cluster.renew(&mut credentials, later).0), CephxOp::GET_PRINCIPAL_SESSION_KEY);

        // without the challenge, or once the ticket has ended, there is no way within a session
        let random = &mut FixedRandom::new(&[]);
        let due = credentials.renewal(SERVED, None, now + 54 * HOUR, random).unwrap();
        assert!(matches!(due, Due::Reconnect));
        assert!(matches!(cluster.due(&credentials, now + 72 * HOUR), Due::Reconnect));
        assert!(matches!(cluster.due(&cluster.credentials("osd.0"), NOW), Due::Reconnect));
    }
}

#[test]
fn who_may_not_ask_is_refused() {
    for kind in KINDS {
        let mut cluster = Cluster::new(kind);
        let mut credentials = cluster.credentials("client.admin");
        cluster.log_in(&mut credentials, NOW);
        let now = NOW + HOUR;
        let Due::Ask(renewal) = cluster.due(&credentials, now) else { panic!("nothing to ask") };
        let session = cluster.session(&credentials);
        let request = renewal.request();
        let refused = |cluster: &mut Cluster, session: &SessionOf, request: &CephxSessionRequest<'_>, now| {
            let refused = cluster.ask(session, request, now).unwrap_err();
            assert_eq!(refused.errno(), Errno::EACCES);
            refused
        };
        // in somebody else's session
        let other = SessionOf { global_id: 4101, ..session.clone() };
        assert_eq!(refused(&mut cluster, &other, request, now), Refused::GlobalId { found: 4100, expected: 4101 });
        let other = SessionOf { name: name("osd.0"), ..session.clone() };
        assert!(matches!(refused(&mut cluster, &other, request, now), Refused::Name { .. }));
        assert!(matches!(refused(&mut cluster, &session, request, NOW + 72 * HOUR), Refused::Expired { .. }));

        // a proof for another challenge, and none at all
        let Due::Ask(proof) = cluster.due(&credentials, NOW + 60 * HOUR) else { panic!("nothing to ask") };
        let other = SessionOf { server_challenge: Some(1), ..session.clone() };
        assert!(matches!(refused(&mut cluster, &other, proof.request(), now), Refused::WrongKey(_)));
        let other = SessionOf { server_challenge: None, ..session.clone() };
        assert_eq!(refused(&mut cluster, &other, proof.request(), now), Refused::NoChallenge);
        // a client has no rotating keys
        assert_eq!(
            refused(&mut cluster, &session, &rotating_keys_request(), now),
            Refused::NoRotatingKeys(name("client.admin"))
        );
        let unknown = CephxSessionRequest { op: CephxOp(0x800), ..Default::default() };
        assert_eq!(cluster.ask(&session, &unknown, now), Err(Refused::Op(CephxOp(0x800))));
    }
}

#[test]
fn none_of_the_services_is_served() {
    let mut cluster = Cluster::new(CryptoType::AES);
    let mut credentials = cluster.credentials("client.admin");
    cluster.log_in(&mut credentials, NOW);
    let Due::Ask(renewal) = credentials.renewal(CephxServices::MDS, Some(CHALLENGE), NOW, &mut cluster.random).unwrap()
    else {
        panic!("nothing to ask")
    };
    let bytes = cluster.ask(&cluster.session(&credentials), renewal.request(), NOW).unwrap();
    let reply: CephxSessionReply<'_> = read(&bytes);
    assert_eq!(reply.status, Errno::EACCES);
    assert_eq!(renewal.finish(Errno::OK, &reply, NOW), Err(ClientError::Status(Errno::EACCES)));
    assert_eq!(renewal.finish(Errno::EINVAL, &reply, NOW), Err(ClientError::Status(Errno::EINVAL)));
    let other = CephxSessionReply { op: CephxOp::GET_ROTATING_KEY, ..Default::default() };
    assert_eq!(renewal.finish(Errno::OK, &other, NOW), Err(ClientError::Op(CephxOp::GET_ROTATING_KEY)));
    let bare = CephxSessionReply { op: CephxOp::GET_PRINCIPAL_SESSION_KEY, ..Default::default() };
    assert_eq!(renewal.finish(Errno::OK, &bare, NOW), Err(ClientError::NoBody));
}

#[test]
fn a_daemon_gets_the_keys_of_its_service() {
    for kind in KINDS {
        let mut cluster = Cluster::new(kind);
        let mut services = ServiceKeys::new();
        for (service, lifetime) in [(EntityType::AUTH, 72 * HOUR), (EntityType::OSD, HOUR), (EntityType::MGR, HOUR)] {
            services.refresh(service, kind, lifetime, NOW, &mut cluster.random).unwrap();
        }
        cluster.authority.set_services(services.clone()).unwrap();
        let mut credentials = cluster.credentials("osd.0");
        cluster.log_in(&mut credentials, NOW);
        let session = cluster.session(&credentials);
        let bytes = cluster.ask(&session, &rotating_keys_request(), NOW).unwrap();
        let reply: CephxSessionReply<'_> = read(&bytes);
        let (osd, key) = (name("osd.0"), credentials.key());
        let got = rotating_keys(&osd, key, Errno::OK, &reply).unwrap();
        assert!(got.of(EntityType::OSD).eq(services.of(EntityType::OSD)));
        assert_eq!(got.of(EntityType::OSD).count(), 3);
        assert_eq!(got.services().collect::<Vec<_>>(), [EntityType::OSD]);

        let admin = cluster.credentials("client.admin");
        let error = rotating_keys(&osd, admin.key(), Errno::OK, &reply).unwrap_err();
        assert!(matches!(error, ClientError::Open { what: "rotating keys", .. }));
        assert_eq!(rotating_keys(&osd, key, Errno::EACCES, &reply), Err(ClientError::Status(Errno::EACCES)));

        // two hours later there is another one, and tickets go on
        assert_eq!(cluster.authority.refresh_services(NOW, &mut cluster.random), 0);
        assert_eq!(cluster.authority.refresh_services(NOW + 2 * HOUR, &mut cluster.random), 2, "osd and mgr");
        let bytes = cluster.ask(&session, &rotating_keys_request(), NOW).unwrap();
        let later = rotating_keys(&osd, key, Errno::OK, &read(&bytes)).unwrap();
        assert_eq!(later.of(EntityType::OSD).map(|(id, ..)| id).collect::<Vec<_>>(), [2, 3, 4]);
        let mut admin = cluster.credentials("client.admin");
        let tickets = cluster.log_in(&mut admin, NOW + 2 * HOUR).tickets;
        let osd = tickets.iter().find(|ticket| ticket.service == EntityType::OSD).unwrap();
        let request = Authorize::new(osd, &mut cluster.random).request(None, &mut cluster.random).unwrap();
        later.authorize(&request, &AT_OSD, AT_ONCE, 0, NOW + 2 * HOUR, &mut cluster.random).unwrap();
    }
}

#[test]
fn clients_from_before_2021() {
    let mut cluster = Cluster::new(CryptoType::AES);
    for version in [1, 2] {
        let credentials = cluster.credentials("client.admin");
        let client = Authenticate::new(&credentials, WANTED, NOW);
        let given = cluster
            .serve(&client, "client.admin", 64, NOW, |request| {
                request.authenticate.struct_v = version;
                if version < 2 {
                    request.authenticate.other_keys = None;
                }
            })
            .unwrap();
        // who can't ask for anything else gets the AUTH ticket alone, as it always was
        assert_eq!(given.reply.connection_secret.is_some(), version == 2);
        client.finish(&given.reply, given.global_id, NOW).unwrap();
    }

    // an old id without its ticket: only if that is allowed
    for allowed in [false, true] {
        let (entities, services) = (cluster.authority.entities().clone(), cluster.authority.services());
        let authority = Authority::new(entities, ServiceKeys::clone(&services), 7000, &mut cluster.random);
        cluster.authority = authority.unwrap().with_insecure_reclaim(allowed);
        let credentials = cluster.credentials("client.admin");
        let client = Authenticate::new(&credentials, WANTED, NOW);
        for version in [2, 3] {
            let mut request = client.answer(CHALLENGE, &mut cluster.random).unwrap();
            request.authenticate.struct_v = version;
            let admin = credentials.name();
            let result = cluster.authority.authenticate(admin, 4100, &request, CHALLENGE, 0, NOW, &mut cluster.random);
            match result {
                Ok(given) => assert!(allowed && version == 2 && given.global_id == 4100),
                Err(refused) => {
                    assert!(!allowed || version == 3);
                    assert_eq!(refused, Refused::NoTicket(4100));
                }
            }
        }
    }
}

#[test]
fn a_listener_follows_sessions() {
    for kind in KINDS {
        let mut cluster = Cluster::new(kind);
        let mut learnt = Learnt::new(cluster.authority.entities().clone());
        let admin = name("client.admin");
        let mut credentials = cluster.credentials("client.admin");
        let client = Authenticate::new(&credentials, SERVED, NOW);
        let given = cluster.serve(&client, "client.admin", 0, NOW, |_| {}).unwrap();
        let heard = learnt.authenticate(&admin, 4100, None, &given.reply).unwrap();
        credentials.learn(&client.finish(&given.reply, 4100, NOW).unwrap());
        let knows = |learnt: &Learnt, ticket: &Ticket| {
            learnt.session_key(&super::super::blob(ticket.secret_id, &ticket.blob)) == Some(&ticket.session_key)
        };

        // tickets: by the request, or by the session's own key
        let now = NOW + HOUR;
        let mut deaf = learnt.clone();
        let (renewal, bytes) = cluster.renew(&mut credentials, now);
        let osd = credentials.ticket(EntityType::OSD, now).unwrap().clone();
        assert!(!knows(&learnt, &osd));
        let session = InSession { name: &admin, session_key: None, request: Some(renewal.request()) };
        let expected = Renewed::Tickets { session_key: heard.keys.session_key.clone() };
        assert_eq!(learnt.in_session(&session, &read(&bytes)).as_ref(), Ok(&expected));
        assert!(knows(&learnt, &osd));
        let session = InSession { name: &admin, session_key: None, request: None };
        assert_eq!(deaf.in_session(&session, &read(&bytes)), Err(Shut::NoAuthSession(admin.clone())));
        let session = InSession { session_key: Some(&heard.keys.session_key), ..session };
        assert_eq!(deaf.in_session(&session, &read(&bytes)), Ok(expected));
        assert!(knows(&deaf, &osd));

        // a new AUTH ticket, with all others
        let now = NOW + 60 * HOUR;
        let (renewal, bytes) = cluster.renew(&mut credentials, now);
        let auth = credentials.ticket(EntityType::AUTH, now).unwrap().clone();
        let session = InSession { name: &admin, session_key: None, request: Some(renewal.request()) };
        let expected = Renewed::Auth {
            principal: credentials.key().clone(),
            old_session_key: Some(heard.keys.session_key.clone()),
            session_key: auth.session_key.clone(),
        };
        assert_eq!(learnt.in_session(&session, &read(&bytes)), Ok(expected));
        assert!(knows(&learnt, &auth));
        assert!(knows(&learnt, credentials.ticket(EntityType::MGR, now).unwrap()));

        // a daemon's rotating keys
        let osd = name("osd.0");
        let of = SessionOf { name: osd.clone(), global_id: 5, server_challenge: None };
        let bytes = cluster.ask(&of, &rotating_keys_request(), now).unwrap();
        assert_eq!(learnt.service_key(EntityType::OSD, 2), None);
        let session = InSession { name: &osd, session_key: None, request: None };
        let renewed = learnt.in_session(&session, &read(&bytes)).unwrap();
        assert_eq!(renewed, Renewed::Rotating { principal: cluster.credentials("osd.0").key().clone() });
        let services = cluster.authority.services();
        assert!(services.of(EntityType::OSD).all(|(id, key, _)| learnt.service_key(EntityType::OSD, id) == Some(key)));
        let session = InSession { name: &admin, ..session };
        assert_eq!(learnt.in_session(&session, &read(&bytes)), Err(Shut::KeyDiffers(admin.clone())));
        let nobody = name("osd.9");
        let session = InSession { name: &nobody, ..session };
        assert_eq!(learnt.in_session(&session, &read(&bytes)), Err(Shut::NoKey(nobody.clone())));

        let refusal = CephxSessionReply { status: Errno::EACCES, ..Default::default() };
        assert_eq!(learnt.in_session(&session, &refusal), Ok(Renewed::Nothing));
    }
}

//! Messages per second between two peers over the loopback interface, beside what bare TCP does.
//!
//! For each size of message: one side sends, the other takes and says at the end that it has all. *Bare* is the same
//! with a length and the bytes, through a buffered `TcpStream` of tokio, in the same process and run. The ratio is
//! what of bare TCP's rate is left.
//!
//!     cargo run --release --features net --example loopback_bench [SECONDS]

use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use msgr2::auth::cephx::client::Credentials;
use msgr2::auth::cephx::server::Authority;
use msgr2::auth::keyring::Entity;
use msgr2::auth::{EntityName, Key, Keyring, ServiceKeys, utime};
use msgr2::net::{Config, Endpoint, OsRandom};
use msgr2::peer::{ClientAuth, Encryption, Family, Message, Target};
use msgr2::types::{AuthMethod, CephxServices, ConnectionMode, CryptoType, EntityType, MessageType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader, BufWriter};
use tokio::net::{TcpListener, TcpStream};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What the peers speak, and how they protect what they send.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// The proposal with method none.
    Plain,
    /// The proposal with cephx.
    Signed,
    /// The same, encrypted.
    Sealed,
    /// msgr2.1 in crc mode.
    Crc,
    /// msgr2.1 in secure mode.
    Secure,
}

const WAYS: [(&str, Way); 5] = [
    ("none", Way::Plain),
    ("signed", Way::Signed),
    ("sealed", Way::Sealed),
    ("v2.1 crc", Way::Crc),
    ("v2.1 secure", Way::Secure),
];

impl Way {
    fn family(self) -> Family {
        match self {
            Way::Plain | Way::Signed | Way::Sealed => Family::Proposal,
            Way::Crc | Way::Secure => Family::Msgr2,
        }
    }

    fn mode(self) -> ConnectionMode {
        if self == Way::Secure { ConnectionMode::SECURE } else { ConnectionMode::CRC }
    }
}

fn main() -> Result<()> {
    let seconds: f64 = std::env::args().nth(1).map_or(Ok(2.0), |text| text.parse())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        println!("{:>9} {:>12} {:>12} {:>10} {:>7}", "size", "way", "messages/s", "MB/s", "ratio");
        for size in [0, 4 << 10, 1 << 20] {
            let bare = measure(seconds, async |count| bare(size, count).await).await?;
            print("bare TCP", size, bare, bare);
            for (name, way) in WAYS {
                print(name, size, measure(seconds, async |count| peers(size, count, way).await).await?, bare);
            }
        }
        Ok(())
    })
}

fn print(name: &str, size: usize, rate: f64, bare: f64) {
    println!("{size:>9} {name:>12} {rate:>12.0} {:>10.1} {:>7.3}", rate * size as f64 / 1e6, rate / bare);
}

/// Messages per second, with as many messages as take about so long.
async fn measure(seconds: f64, mut run: impl AsyncFnMut(u64) -> Result<Duration>) -> Result<f64> {
    let mut count = 64;
    loop {
        let took = run(count).await?.as_secs_f64();
        if took >= seconds / 2.0 {
            return Ok(count as f64 / took);
        }
        // not more than eight times as many: the first runs say little
        count = (count as f64 * (seconds / took.max(1e-6)).clamp(2.0, 8.0)) as u64;
    }
}

/// Sends messages as a length and bytes.
async fn bare(size: usize, count: u64) -> Result<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let taking = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let mut stream = BufReader::with_capacity(64 << 10, stream);
        let mut data = vec![0; size];
        for _ in 0..count {
            let length = stream.read_u32_le().await? as usize;
            stream.read_exact(&mut data[..length]).await?;
        }
        stream.get_mut().write_all(b"!").await?;
        std::io::Result::Ok(())
    });
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let mut stream = BufWriter::with_capacity(64 << 10, stream);
    let data = vec![0x5a; size];
    let begun = Instant::now();
    for _ in 0..count {
        stream.write_u32_le(size as u32).await?;
        stream.write_all(&data).await?;
    }
    stream.flush().await?;
    stream.read_u8().await?;
    let took = begun.elapsed();
    taking.await??;
    Ok(took)
}

/// Sends messages in a stateful session.
async fn peers(size: usize, count: u64, way: Way) -> Result<Duration> {
    let (server, auth) = server(way)?;
    let (server, mut listener) = Endpoint::bind(server, "127.0.0.1:0").await?;
    let addr: SocketAddr = listener.local_addr();
    let taking = tokio::spawn(async move {
        let session = listener.accept().await.ok_or("nobody came")?;
        for _ in 0..count {
            session.receive().await?.ok_or("too few")?;
        }
        session.send(Message::new(MessageType::PING, "!")).await?;
        // the shipped protocol has no word for a session's end: the connection breaks
        let _ = session.receive().await;
        Result::Ok(())
    });
    let mut config = Config::new("client.admin".parse()?);
    config.peer.family = way.family();
    config.peer.v2.dial_modes = vec![way.mode()];
    if way == Way::Sealed {
        config.peer.encryption = Encryption::Required;
    }
    let client = Endpoint::new(config);
    let session = client.connect(Target::new(addr, vec![auth])).await?;
    let data = Bytes::from(vec![0x5a; size]);
    let begun = Instant::now();
    for _ in 0..count {
        session.send(Message { data: data.clone(), ..Message::new(MessageType::PING, Bytes::new()) }).await?;
    }
    session.receive().await?;
    let took = begun.elapsed();
    session.close().await?;
    taking.await??;
    server.shutdown(Duration::from_secs(1)).await;
    Ok(took)
}

/// A server, and what a client has to show.
fn server(way: Way) -> Result<(Config, ClientAuth)> {
    let mut config = Config::new("mon.a".parse()?);
    config.peer.family = way.family();
    config.peer.v2.accept_modes = vec![way.mode()];
    if way == Way::Plain {
        config.peer.server.methods = vec![AuthMethod::NONE];
        return Ok((config, ClientAuth::None { service: EntityType::MON }));
    }
    let now = utime(SystemTime::now().duration_since(UNIX_EPOCH)?);
    let name: EntityName = "client.admin".parse()?;
    let key = Key::generate(CryptoType::AES, now, &mut OsRandom)?;
    let mut keyring = Keyring::new();
    keyring.insert(name.clone(), Entity::new(key.clone()));
    let mut services = ServiceKeys::new();
    services.rotate(EntityType::AUTH, CryptoType::AES, now, &mut OsRandom)?;
    config.peer.server.methods = vec![AuthMethod::CEPHX];
    config.peer.server.authority = Some(Authority::new(keyring, services, 4100, &mut OsRandom)?.into());
    let auth = ClientAuth::Authenticate { credentials: Credentials::new(name, key), services: CephxServices(0) };
    Ok((config, auth))
}

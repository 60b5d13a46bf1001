//! Where monitors are: the texts of `mon_host`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::{char, digit1};
use nom::combinator::{all_consuming, map, map_opt, map_res, opt, value, verify};
use nom::multi::{many0, many1, separated_list1};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser as _};

/// The port of monitors that speak messenger v2.
pub(super) const PORT_V2: u16 = 3300;
/// The port of monitors that speak messenger v1.
const PORT_V1: u16 = 6789;

/// The monitors of a cluster, as `mon_host` names them: `[v2:192.0.2.1:3300/0,v1:192.0.2.1:6789/0] 192.0.2.2, mon.example`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MonHost {
    /// The monitors.
    pub mons: Vec<MonAddrs>,
}

/// The addresses of a monitor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MonAddrs {
    /// One for each messenger that it speaks, or one of any.
    pub addrs: Vec<MonAddr>,
}

/// An address of a monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonAddr {
    /// What is spoken there.
    pub messenger: Messenger,
    /// The host.
    pub host: Host,
    /// The port, if it is said.
    pub port: Option<u16>,
    /// The nonce; monitors have 0.
    pub nonce: u32,
}

/// What is spoken at an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Messenger {
    /// Not said: the port tells.
    #[default]
    Any,
    /// Messenger v1.
    V1,
    /// Messenger v2.
    V2,
}

/// A host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// Its IP address.
    Ip(IpAddr),
    /// A name, to be resolved.
    Name(String),
}

/// The text doesn't name monitors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no list of monitors at byte {at}")]
pub struct BadMonHost {
    /// The text.
    pub text: String,
    /// Where it can't be read, in bytes from its start.
    pub at: usize,
}

impl MonHost {
    /// Where to connect by messenger v2: for each monitor that speaks it, the host and the port.
    pub fn v2(&self) -> impl Iterator<Item = (&Host, u16)> {
        self.mons.iter().filter_map(MonAddrs::v2)
    }
}

impl MonAddrs {
    /// Where to connect by messenger v2, if it speaks that.
    pub fn v2(&self) -> Option<(&Host, u16)> {
        let said = self.addrs.iter().find(|addr| addr.messenger == Messenger::V2);
        let addr = said.or_else(|| self.addrs.iter().find(|addr| addr.is_v2()))?;
        Some((&addr.host, addr.port.unwrap_or(PORT_V2)))
    }
}

impl MonAddr {
    /// Whether messenger v2 may be spoken there.
    fn is_v2(&self) -> bool {
        match self.messenger {
            Messenger::V2 => true,
            Messenger::V1 => false,
            Messenger::Any => self.port != Some(PORT_V1),
        }
    }
}

impl FromStr for MonHost {
    type Err = BadMonHost;

    fn from_str(text: &str) -> Result<Self, BadMonHost> {
        let mut left = text;
        let mut mons = Vec::new();
        loop {
            left = left.trim_start_matches(is_separator);
            if left.is_empty() {
                return Ok(MonHost { mons });
            }
            let bad = || BadMonHost { text: text.into(), at: text.len() - left.len() };
            let (rest, mon) = mon(left).map_err(|_| bad())?;
            if !rest.is_empty() && !rest.starts_with(is_separator) {
                return Err(BadMonHost { text: text.into(), at: text.len() - rest.len() });
            }
            mons.push(mon);
            left = rest;
        }
    }
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || c == ',' || c == ';'
}

fn mon(text: &str) -> IResult<&str, MonAddrs> {
    let comma = terminated(char(','), many0(char(' ')));
    let group = delimited(char('['), separated_list1(comma, addr), char(']'));
    // an IPv6 address may stand in brackets too, so that comes first
    let one = map(addr, |addr| vec![addr]);
    map(alt((one, group)), |addrs| MonAddrs { addrs }).parse(text)
}

fn addr(text: &str) -> IResult<&str, MonAddr> {
    let messenger =
        alt((value(Messenger::V1, tag("v1:")), value(Messenger::V2, tag("v2:")), value(Messenger::Any, tag("any:"))));
    let messenger = map(opt(messenger), Option::unwrap_or_default);
    let nonce = map(opt(preceded(char('/'), number)), Option::unwrap_or_default);
    map((messenger, host_and_port, nonce), |(messenger, (host, port), nonce)| MonAddr { messenger, host, port, nonce })
        .parse(text)
}

fn host_and_port(text: &str) -> IResult<&str, (Host, Option<u16>)> {
    let digits = |c: char| c.is_ascii_hexdigit() || c == ':' || c == '.';
    let ipv6 = |text| map_res(take_while1(digits), |digits: &str| digits.parse::<Ipv6Addr>()).parse(text);
    let ip = |ip: Ipv6Addr| Host::Ip(ip.into());
    let port = |text| opt(preceded(char(':'), number)).parse(text);
    let bracketed = (map(delimited(char('['), ipv6, char(']')), ip), port);
    let bare = map(ipv6, |address| (ip(address), None));
    let named = (name, port);
    alt((bracketed, bare, named)).parse(text)
}

fn name(text: &str) -> IResult<&str, Host> {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.' || c == '_';
    map_opt(many1(take_while1(letter)), |parts: Vec<&str>| {
        let text = parts.concat();
        if let Ok(ip) = text.parse::<Ipv4Addr>() {
            return Some(Host::Ip(ip.into()));
        }
        // no host has a name of digits alone: it is an address that is wrong
        let is_name = text.contains(|c: char| c.is_ascii_alphabetic());
        is_name.then_some(Host::Name(text))
    })
    .parse(text)
}

fn number<N: FromStr>(text: &str) -> IResult<&str, N> {
    map_res(verify(digit1, |digits: &str| digits.len() <= 10), str::parse).parse(text)
}

impl FromStr for MonAddr {
    type Err = BadMonHost;

    fn from_str(text: &str) -> Result<Self, BadMonHost> {
        match all_consuming(addr).parse(text) {
            Ok((_, addr)) => Ok(addr),
            Err(_) => Err(BadMonHost { text: text.into(), at: 0 }),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Host::Name(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(messenger: Messenger, host: &str, port: Option<u16>) -> MonAddr {
        let host = host.parse().map_or_else(|_| Host::Name(host.into()), Host::Ip);
        MonAddr { messenger, host, port, nonce: 0 }
    }

    fn parse(text: &str) -> Vec<Vec<MonAddr>> {
        text.parse::<MonHost>().unwrap().mons.into_iter().map(|mon| mon.addrs).collect()
    }

    #[test]
    fn all_forms() {
        use Messenger::{Any, V1, V2};
        for (text, expected) in [
            ("1.2.3.4", addr(Any, "1.2.3.4", None)),
            ("1.2.3.4:3300", addr(Any, "1.2.3.4", Some(3300))),
            ("v2:1.2.3.4:3300/0", addr(V2, "1.2.3.4", Some(3300))),
            ("v1:1.2.3.4:6789/0", addr(V1, "1.2.3.4", Some(6789))),
            ("any:1.2.3.4", addr(Any, "1.2.3.4", None)),
            ("mon-1.example.org:3301", addr(Any, "mon-1.example.org", Some(3301))),
            ("host", addr(Any, "host", None)),
            ("[::1]:3300", addr(Any, "::1", Some(3300))),
            ("[::1]", addr(Any, "::1", None)),
            ("2001:db8::7", addr(Any, "2001:db8::7", None)),
            ("v2:[2001:db8::7]:40000/0", addr(V2, "2001:db8::7", Some(40000))),
            ("[v2:[::1]:3300/0]", addr(V2, "::1", Some(3300))),
            // letters that are digits of IPv6 addresses too
            ("cafe", addr(Any, "cafe", None)),
            ("abc.de:1", addr(Any, "abc.de", Some(1))),
        ] {
            assert_eq!(parse(text), [[expected]], "{text}");
        }
        assert_eq!("v2:1.2.3.4:3300/17".parse::<MonAddr>().unwrap().nonce, 17);
        let both = vec![addr(V2, "1.2.3.4", Some(3300)), addr(V1, "1.2.3.4", Some(6789))];
        assert_eq!(parse("[v2:1.2.3.4:3300/0,v1:1.2.3.4:6789/0]"), std::slice::from_ref(&both));
        let second = vec![addr(Any, "::1", None)];
        let third = vec![addr(Any, "c", None)];
        for text in [
            "[v2:1.2.3.4:3300/0, v1:1.2.3.4:6789/0],[::1],c",
            " [v2:1.2.3.4:3300,v1:1.2.3.4:6789] [::1] , c\n",
            "[v2:1.2.3.4:3300/0,v1:1.2.3.4:6789/0];::1;;c;",
        ] {
            assert_eq!(parse(text), [both.clone(), second.clone(), third.clone()], "{text}");
        }
        assert_eq!(parse(""), Vec::<Vec<MonAddr>>::new());
    }

    #[test]
    fn which_is_dialled() {
        let v2 = |text: &str| {
            text.parse::<MonHost>().unwrap().v2().map(|(host, port)| format!("{host}:{port}")).collect::<Vec<_>>()
        };
        assert_eq!(
            v2("[v1:1.2.3.4:6789/0,v2:1.2.3.5:3301/0] a ::1 b:6789 v1:c d:40000"),
            ["1.2.3.5:3301", "a:3300", "[::1]:3300", "d:40000"]
        );
    }

    #[test]
    fn what_names_no_monitor() {
        for (text, at) in [
            ("1.2.3", 0),
            ("1.2.3.4:", 7),
            ("1.2.3.4:70000", 7),
            ("a [v2:1.2.3.4", 2),
            ("a v3:b", 4),
            ("[::g]", 0),
            ("a/-1", 1),
            ("[]", 0),
            ("a b/99999999999", 3),
        ] {
            assert_eq!(text.parse::<MonHost>(), Err(BadMonHost { text: text.into(), at }), "{text}");
        }
    }
}

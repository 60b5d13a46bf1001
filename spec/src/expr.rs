//! The small languages inside the YAML: type expressions, conditions, texts with fields in them, hex.

use std::fmt;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_till, take_while1};
use nom::character::complete::{char, multispace0};
use nom::combinator::{all_consuming, map, map_res, opt, recognize, value};
use nom::multi::{many0, separated_list1};
use nom::sequence::{delimited, pair, preceded};
use nom::{IResult, Parser};

/// A type expression: a name, and what stands behind it in angle brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    /// The name.
    pub name: String,
    /// What stands in angle brackets.
    pub arguments: Vec<Argument>,
    /// The alias that was written for it: its name, and all of it.
    pub alias: Option<(String, String)>,
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (index, argument) in self.arguments.iter().enumerate() {
            f.write_str(if index == 0 { "<" } else { ", " })?;
            match argument {
                Argument::Type(ty) => ty.fmt(f)?,
                Argument::Number(n) => n.fmt(f)?,
            }
        }
        f.write_str(if self.arguments.is_empty() { "" } else { ">" })
    }
}

/// What stands in the angle brackets of a type expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// A type.
    Type(Expression),
    /// A number.
    Number(i64),
}

/// The integer in front of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// One byte.
    U8,
    /// Two bytes, little-endian.
    U16,
    /// Four bytes, little-endian.
    U32,
}

impl Prefix {
    /// Its bytes.
    pub fn size(self) -> usize {
        match self {
            Prefix::U8 => 1,
            Prefix::U16 => 2,
            Prefix::U32 => 4,
        }
    }
}

/// A type that the wire layer knows by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum Scalar {
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    U16Be,
    U32Be,
    U64Be,
    F32,
    F64,
    Bool,
    Text,
    Bytes(u32),
    Ipv4,
    Ipv6,
    Uuid,
    Utime,
    Duration,
}

const SCALARS: &[(&str, Scalar)] = &[
    ("u8", Scalar::U8),
    ("u16", Scalar::U16),
    ("u32", Scalar::U32),
    ("u64", Scalar::U64),
    ("s8", Scalar::S8),
    ("s16", Scalar::S16),
    ("s32", Scalar::S32),
    ("s64", Scalar::S64),
    ("u16be", Scalar::U16Be),
    ("u32be", Scalar::U32Be),
    ("u64be", Scalar::U64Be),
    ("f32", Scalar::F32),
    ("f64", Scalar::F64),
    ("bool", Scalar::Bool),
    ("string", Scalar::Text),
    ("ipv4", Scalar::Ipv4),
    ("ipv6", Scalar::Ipv6),
    ("uuid", Scalar::Uuid),
    ("utime", Scalar::Utime),
    ("duration", Scalar::Duration),
];

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, SCALARS.iter().find(|(_, scalar)| scalar == self)) {
            (Scalar::Bytes(n), _) => write!(f, "bytes<{n}>"),
            (_, Some((name, _))) => f.write_str(name),
            (other, None) => write!(f, "{other:?}"),
        }
    }
}

impl Scalar {
    /// The scalar of a name.
    pub fn named(name: &str) -> Option<Scalar> {
        SCALARS.iter().find(|(n, _)| *n == name).map(|(_, scalar)| *scalar)
    }

    /// The fewest bytes that it takes.
    pub fn min_size(self) -> usize {
        match self {
            Scalar::U8 | Scalar::S8 | Scalar::Bool => 1,
            Scalar::U16 | Scalar::S16 | Scalar::U16Be => 2,
            Scalar::U32 | Scalar::S32 | Scalar::U32Be | Scalar::F32 | Scalar::Text | Scalar::Ipv4 => 4,
            Scalar::U64 | Scalar::S64 | Scalar::U64Be | Scalar::F64 | Scalar::Utime | Scalar::Duration => 8,
            Scalar::Ipv6 | Scalar::Uuid => 16,
            Scalar::Bytes(n) => n as usize,
        }
    }

    /// Whether it is an integer with a sign.
    pub fn is_signed(self) -> bool {
        matches!(self, Scalar::S8 | Scalar::S16 | Scalar::S32 | Scalar::S64)
    }

    /// Whether its bytes come in the other order than all else.
    pub fn is_big_endian(self) -> bool {
        matches!(self, Scalar::U16Be | Scalar::U32Be | Scalar::U64Be)
    }

    /// The numbers that it can hold, if it is an integer.
    pub fn range(self) -> (i128, i128) {
        let bits = 8 * self.min_size() as u32;
        if self.is_signed() { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
    }

    /// Whether it is an integer, signed or not.
    pub fn is_integer(self) -> bool {
        use Scalar::*;
        self.is_signed() || self.is_big_endian() || matches!(self, U8 | U16 | U32 | U64)
    }
}

fn identifier(input: &str) -> IResult<&str, &str> {
    take_while1(|c: char| c.is_ascii_alphanumeric() || c == '_')(input)
}

fn ws<'a, O, P>(parser: P) -> impl Parser<&'a str, Output = O, Error = nom::error::Error<&'a str>>
where
    P: Parser<&'a str, Output = O, Error = nom::error::Error<&'a str>>,
{
    delimited(multispace0, parser, multispace0)
}

fn number(input: &str) -> IResult<&str, i64> {
    let hex =
        map_res(preceded(tag("0x"), take_while1(|c: char| c.is_ascii_hexdigit())), |s| i64::from_str_radix(s, 16));
    let dec = map_res(recognize(pair(opt(char('-')), take_while1(|c: char| c.is_ascii_digit()))), str::parse);
    alt((hex, dec)).parse(input)
}

fn expression(input: &str) -> IResult<&str, Expression> {
    let argument = alt((map(number, Argument::Number), map(expression, Argument::Type)));
    let arguments = delimited(char('<'), separated_list1(char(','), ws(argument)), char('>'));
    let expression = |(name, arguments): (&str, Option<Vec<Argument>>)| Expression {
        name: name.to_owned(),
        arguments: arguments.unwrap_or_default(),
        alias: None,
    };
    map((identifier, opt(arguments)), expression).parse(input)
}

/// The most types in each other.
pub(crate) const MOST_NESTED: usize = 16;

/// Reads a type expression.
pub fn parse_type(text: &str) -> Result<Expression, String> {
    if text.matches('<').count() > MOST_NESTED {
        return Err(no_type(&text.chars().take(80).collect::<String>()));
    }
    all_consuming(ws(expression)).parse(text).map(|(_, ty)| ty).map_err(|_| no_type(text))
}

/// What is said of a text that is no type.
pub(crate) fn no_type(text: &str) -> String {
    format!(
        "`{text}` is no type; forms are u32, name, bytes<16>, list<T>, map<K, V>, optional<T>, array<T, 4>, blob, rest"
    )
}

/// When a field is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Bytes are left.
    More,
    /// An earlier field or a context variable (with its `$`) compared with a number.
    Compare(String, Operator, i64),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// Equal.
    Equal,
    /// Not equal.
    NotEqual,
    /// At least.
    AtLeast,
    /// Any of these bits is set.
    AnyBit,
}

/// Reads a condition.
pub fn parse_condition(text: &str) -> Result<Condition, String> {
    let operand = recognize((opt(char('$')), identifier, many0((char('.'), identifier))));
    let operator = alt((
        value(Operator::Equal, tag("==")),
        value(Operator::NotEqual, tag("!=")),
        value(Operator::AtLeast, tag(">=")),
        value(Operator::AnyBit, tag("&")),
    ));
    let compare = map((ws(operand), operator, ws(number)), |(field, op, n): (&str, _, _)| {
        Condition::Compare(field.to_owned(), op, n)
    });
    let parsed: IResult<&str, Condition> =
        all_consuming(alt((compare, value(Condition::More, ws(tag("more")))))).parse(text);
    parsed.map(|(_, c)| c).map_err(|_| {
        format!("`{text}` is no condition; forms are `more`, `field == 1`, `field != 0`, `field >= 2`, `field & 4`, `$variable == 1`")
    })
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// The text of a field, or of a field in a field.
    Field(Vec<String>),
}

/// Reads a text with `{field}` or `{field.field}` in it.
pub fn parse_template(text: &str) -> Result<Vec<Piece>, String> {
    let field = map(delimited(char('{'), separated_list1(char('.'), identifier), char('}')), |path: Vec<&str>| {
        Piece::Field(path.into_iter().map(str::to_owned).collect())
    });
    let plain =
        map(nom::combinator::verify(take_till(|c| c == '{' || c == '}'), |s: &str| !s.is_empty()), |s: &str| {
            Piece::Text(s.to_owned())
        });
    let parsed: IResult<&str, Vec<Piece>> = all_consuming(many0(alt((field, plain)))).parse(text);
    parsed.map(|(_, pieces)| pieces).map_err(|_| format!("`{text}` has a brace that is no `{{field}}`"))
}

/// Reads hex with free white space and `|` between segments.
pub fn parse_hex(text: &str) -> Result<Vec<Vec<u8>>, String> {
    text.split('|')
        .map(|segment| {
            let digits: Vec<u32> = segment
                .chars()
                .filter(|c| !c.is_whitespace())
                .map(|c| c.to_digit(16).ok_or_else(|| format!("`{c}` is no hex digit")))
                .collect::<Result<_, _>>()?;
            if digits.len() % 2 == 1 {
                return Err("an odd number of hex digits".to_owned());
            }
            Ok(digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_nest() {
        let ty = parse_type("map<u64, list<bytes<4>>>").unwrap();
        let inner = parse_type("list<bytes<4>>").unwrap();
        assert_eq!((ty.name.as_str(), &ty.arguments[1]), ("map", &Argument::Type(inner.clone())));
        let Argument::Type(bytes) = &inner.arguments[0] else { panic!("{inner:?}") };
        assert_eq!(bytes.arguments, [Argument::Number(4)]);
        for wrong in ["", "list<u8", "a b", "list<>", "list<u8,>", "<u8>"] {
            assert!(parse_type(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn conditions() {
        assert_eq!(parse_condition("more"), Ok(Condition::More));
        assert_eq!(parse_condition("a & 0x10"), Ok(Condition::Compare("a".into(), Operator::AnyBit, 16)));
        assert_eq!(parse_condition("$mode != -1"), Ok(Condition::Compare("$mode".into(), Operator::NotEqual, -1)));
        assert!(parse_condition("a = 1").is_err());
    }

    #[test]
    fn templates() {
        let pieces = parse_template("v{type}:{addr.port}").unwrap();
        assert_eq!(pieces.len(), 4);
        assert_eq!(pieces[3], Piece::Field(vec!["addr".into(), "port".into()]));
        assert!(parse_template("{").is_err());
    }

    #[test]
    fn hex() {
        assert_eq!(parse_hex("01 ff|"), Ok(vec![vec![1, 255], vec![]]));
        assert!(parse_hex("1").is_err());
        assert!(parse_hex("zz").is_err());
    }
}

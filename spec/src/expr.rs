//! The small languages inside the YAML: type expressions, conditions, texts with fields in them, hex.

use std::fmt;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_till, take_while1};
use nom::character::complete::{char, multispace0};
use nom::combinator::{all_consuming, map, map_res, opt, recognize, value};
use nom::multi::{many0, separated_list1};
use nom::sequence::{delimited, pair, preceded};
use nom::{IResult, Parser};
use schemars::JsonSchema;
use serde::Serialize;

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

macro_rules! scalars {
    ($($name:literal $scalar:ident $size:literal,)*) => {
        /// A type that the wire layer knows by itself.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
        #[serde(rename_all = "lowercase")]
        #[allow(missing_docs)] // the names say it
        pub enum Scalar {
            $($scalar,)*
            Bytes(u32),
        }

        /// Names and fewest bytes.
        const SCALARS: &[(&str, Scalar, usize)] = &[$(($name, Scalar::$scalar, $size),)*];
    };
}

scalars! {
    "u8" U8 1, "u16" U16 2, "u32" U32 4, "u64" U64 8, "s8" S8 1, "s16" S16 2, "s32" S32 4, "s64" S64 8,
    "u16be" U16Be 2, "u32be" U32Be 4, "u64be" U64Be 8, "f32" F32 4, "f64" F64 8, "bool" Bool 1, "string" Text 4,
    "ipv4" Ipv4 4, "ipv6" Ipv6 16, "uuid" Uuid 16, "utime" Utime 8, "duration" Duration 8,
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Bytes(n) => write!(f, "bytes<{n}>"),
            scalar => f.write_str(scalar.entry().0),
        }
    }
}

impl Scalar {
    /// The scalar of a name.
    pub fn named(name: &str) -> Option<Scalar> {
        SCALARS.iter().find(|entry| entry.0 == name).map(|entry| entry.1)
    }

    fn entry(self) -> (&'static str, Scalar, usize) {
        SCALARS.iter().find(|entry| entry.1 == self).copied().unwrap_or(("bytes", self, 0))
    }

    /// The fewest bytes that it takes.
    pub fn min_size(self) -> usize {
        if let Scalar::Bytes(n) = self { n as usize } else { self.entry().2 }
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
        "`{text}` is no type; forms are u32, name, bytes<16>, list<T>, map<K, V>, optional<T>, array<T, 4>, tuple<A, B>, blob, rest"
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
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

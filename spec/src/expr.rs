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
        "`{text}` is no type; forms are u32, name, bytes<16>, list<T>, map<K, V>, optional<T>, array<T, 4>, tuple<A, B>, blob, rest, \
         rest<T>"
    )
}

/// When a field is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Bytes are left.
    More,
    /// An earlier field or a context variable (with its `$`) compared with a number.
    Compare(String, Operator, Number),
    /// All of these.
    All(Vec<Condition>),
    /// Any of these.
    Any(Vec<Condition>),
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Number {
    /// The number itself.
    Plain(i64),
    /// The name of a value of the field's enum.
    Named(String),
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
    /// At most.
    AtMost,
    /// More than.
    Above,
    /// Less than.
    Below,
    /// Any of these bits is set.
    AnyBit,
}

impl Operator {
    /// Whether it holds.
    pub fn holds(self, value: i64, number: i64) -> bool {
        match self {
            Operator::Equal => value == number,
            Operator::NotEqual => value != number,
            Operator::AtLeast => value >= number,
            Operator::AtMost => value <= number,
            Operator::Above => value > number,
            Operator::Below => value < number,
            Operator::AnyBit => value & number != 0,
        }
    }
}

fn comparison(input: &str) -> IResult<&str, Condition> {
    let operand = recognize((opt(char('$')), identifier, many0((char('.'), identifier))));
    let operator = alt((
        value(Operator::Equal, tag("==")),
        value(Operator::NotEqual, tag("!=")),
        value(Operator::AtLeast, tag(">=")),
        value(Operator::AtMost, tag("<=")),
        value(Operator::Above, tag(">")),
        value(Operator::Below, tag("<")),
        value(Operator::AnyBit, tag("&")),
    ));
    let number = alt((map(number, Number::Plain), map(identifier, |name: &str| Number::Named(name.to_owned()))));
    map((ws(operand), operator, ws(number)), |(field, op, n): (&str, _, _)| Condition::Compare(field.to_owned(), op, n))
        .parse(input)
}

/// Reads a condition: comparisons with `and` between them, of which several may stand side by side with `or`.
pub fn parse_condition(text: &str) -> Result<Condition, String> {
    let one = |mut parts: Vec<Condition>, all: fn(Vec<Condition>) -> Condition| match parts.len() {
        1 => parts.remove(0),
        _ => all(parts),
    };
    let all = map(separated_list1(tag("and"), comparison), |parts| one(parts, Condition::All));
    let any = map(separated_list1(tag("or"), all), |parts| one(parts, Condition::Any));
    let parsed: IResult<&str, Condition> =
        all_consuming(alt((any, value(Condition::More, ws(tag("more")))))).parse(text);
    parsed.map(|(_, c)| c).map_err(|_| {
        format!(
            "`{text}` is no condition; forms are `more`, `field == 1`, `field != NAME`, `field >= 2`, `field & 4`, \
             `$variable == 1`, and several with `and` and `or`"
        )
    })
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// The text of a field, or of a field in a field.
    Field(Vec<String>, Format),
    /// The text of the value itself, in a text for each item of a list.
    Value,
    /// Text that is there only if a field is: neither missing, nor 0, nor empty.
    If(Vec<String>, Vec<Piece>),
}

/// How a field stands in a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// As it stands elsewhere.
    #[default]
    Plain,
    /// A number in hex digits, without 0x.
    Hex,
    /// A number of four bytes in eight hex digits, its bits in reverse order, as Ceph writes hashes of objects.
    Reversed,
    /// Names of flags with `+` between them.
    Plus,
    /// The number of bytes, or of items.
    Length,
}

const FORMATS: &[(&str, Format)] =
    &[("x", Format::Hex), ("reversed", Format::Reversed), ("+", Format::Plus), ("length", Format::Length)];

/// The most pieces of a text in each other.
const MOST_NESTED_PIECES: usize = 4;

/// Pieces up to the end or a brace that closes what is around them; `depth` is how many more may stand in each other.
fn pieces(depth: usize, input: &str) -> IResult<&str, Vec<Piece>> {
    let owned = |path: Vec<&str>| path.into_iter().map(str::to_owned).collect();
    let path = || separated_list1(char('.'), identifier);
    let format = preceded(char(':'), take_till(|c| c == '{' || c == '}'));
    let format = map_res(format, |name: &str| {
        FORMATS.iter().find(|(known, _)| *known == name).map(|(_, format)| *format).ok_or(())
    });
    let field = map(delimited(char('{'), (path(), opt(format)), char('}')), |(path, format)| {
        Piece::Field(owned(path), format.unwrap_or_default())
    });
    let only_if = map(
        delimited(tag("{?"), (path(), preceded(char(':'), |input| pieces(depth.saturating_sub(1), input))), char('}')),
        |(path, inner)| Piece::If(owned(path), inner),
    );
    let only_if = nom::combinator::verify(only_if, |_: &Piece| depth > 0);
    let plain =
        map(nom::combinator::verify(take_till(|c| c == '{' || c == '}'), |s: &str| !s.is_empty()), |s: &str| {
            Piece::Text(s.to_owned())
        });
    many0(alt((only_if, value(Piece::Value, tag("{}")), field, plain))).parse(input)
}

/// Reads a text with `{field}` or `{field.field}` in it, `{field:x}` in another form, and `{?field: text}` where text is
/// there only if the field is.
pub fn parse_template(text: &str) -> Result<Vec<Piece>, String> {
    let wrong = || format!("`{text}` has a brace that is no `{{field}}`, `{{field:x}}` or `{{?field: text}}`");
    if text.matches("{?").count() > MOST_NESTED_PIECES * MOST_NESTED_PIECES {
        return Err(wrong());
    }
    let parsed: IResult<&str, Vec<Piece>> = all_consuming(|input| pieces(MOST_NESTED_PIECES, input)).parse(text);
    parsed.map(|(_, pieces)| pieces).map_err(|_| wrong())
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

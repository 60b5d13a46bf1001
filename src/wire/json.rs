//! How values stand in JSON: enums and flags by name, bytes in hex, times as decimal numbers in text.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, SerializeSeq, Serializer};

use super::scalar::Bool;
use super::{Be, Blob, Duration, EnumInfo, FixedBytes, FlagsInfo, Sealed, Text, Utime, Uuid};

/// A number of an enum: its name if it has one.
pub fn serialize_enum<S: Serializer>(number: i64, info: &EnumInfo, serializer: S) -> Result<S::Ok, S::Error> {
    // a name that several numbers share would lose which of them it was
    match info.find(number).filter(|v| v.number == number) {
        Some(value) => serializer.serialize_str(value.name),
        None => serializer.serialize_i64(number),
    }
}

/// A name or a number.
pub fn deserialize_enum<'de, D: Deserializer<'de>>(deserializer: D, info: &'static EnumInfo) -> Result<i64, D::Error> {
    deserializer.deserialize_any(NumberVisitor(&|name| info.number(name), info.name))
}

/// A word of flags: a list of names, or one hexadecimal number.
pub fn serialize_flags<S: Serializer>(word: u64, info: &FlagsInfo, serializer: S) -> Result<S::Ok, S::Error> {
    if info.hex {
        return serializer.serialize_str(&format!("{word:#x}"));
    }
    let mut list = serializer.serialize_seq(None)?;
    for flag in info.set(word) {
        list.serialize_element(flag.name)?;
    }
    match info.unknown(word) {
        0 => {}
        unknown => list.serialize_element(&format!("{unknown:#x}"))?,
    }
    list.end()
}

/// A list of names, a number, or a number in hexadecimal text.
pub fn deserialize_flags<'de, D: Deserializer<'de>>(
    deserializer: D,
    info: &'static FlagsInfo,
) -> Result<u64, D::Error> {
    deserializer.deserialize_any(NumberVisitor(&|name| info.mask(name).map(|m| m as i64), info.name)).map(|n| n as u64)
}

struct NumberVisitor<'f>(&'f dyn Fn(&str) -> Option<i64>, &'static str);

impl<'de> Visitor<'de> for NumberVisitor<'_> {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a number or a name of {}", self.1)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<i64, E> {
        Ok(number)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<i64, E> {
        Ok(number as i64)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<i64, E> {
        (self.0)(text)
            .or_else(|| parse_number(text))
            .ok_or_else(|| E::custom(format!("`{text}` is no name of {}", self.1)))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<i64, A::Error> {
        let mut word = 0;
        while let Some(name) = seq.next_element::<String>()? {
            let mask = (self.0)(&name).or_else(|| parse_number(&name));
            word |= mask.ok_or_else(|| de::Error::custom(format!("`{name}` is no name of {}", self.1)))?;
        }
        Ok(word)
    }
}

fn parse_number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix("0x")?;
    u64::from_str_radix(digits, 16).ok().map(|n| n as i64)
}

/// Keeps "there, but empty" (null) apart from "not there".
pub mod present {
    use super::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes the inner value.
    pub fn serialize<T: Serialize, S: Serializer>(value: &Option<Option<T>>, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_ref().and_then(Option::as_ref).serialize(serializer)
    }

    /// What is written is there.
    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Option<T>>, D::Error> {
        Option::deserialize(deserializer).map(Some)
    }
}

/// Numbers that are shown in hexadecimal: text such as `0x1f`. Plain numbers are read too.
pub mod hex {
    use super::{Be, Deserialize, Deserializer, NumberVisitor, Serialize, Serializer, de};

    /// A number, or what holds numbers.
    pub trait Hex: Sized {
        /// What JSON has.
        type Json: Serialize + for<'de> Deserialize<'de>;
        /// As JSON.
        fn to_json(&self) -> Self::Json;
        /// From JSON.
        fn from_json(json: Self::Json) -> Option<Self>;
    }

    /// A number in JSON.
    pub struct Number(u64);

    impl Serialize for Number {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_str(&format!("{:#x}", self.0))
        }
    }

    impl<'de> Deserialize<'de> for Number {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(NumberVisitor(&|_| None, "numbers")).map(|n| Number(n as u64))
        }
    }

    macro_rules! hex_integers {
        ($($int:ty),*) => {$(
            impl Hex for $int {
                type Json = Number;
                fn to_json(&self) -> Number {
                    Number(u64::from(*self))
                }
                fn from_json(json: Number) -> Option<Self> {
                    json.0.try_into().ok()
                }
            }
        )*};
    }

    hex_integers!(u8, u16, u32, u64);

    impl<T: Hex> Hex for Be<T> {
        type Json = T::Json;
        fn to_json(&self) -> Self::Json {
            self.0.to_json()
        }
        fn from_json(json: Self::Json) -> Option<Self> {
            T::from_json(json).map(Be)
        }
    }

    impl<T: Hex> Hex for Vec<T> {
        type Json = Vec<T::Json>;
        fn to_json(&self) -> Self::Json {
            self.iter().map(T::to_json).collect()
        }
        fn from_json(json: Self::Json) -> Option<Self> {
            json.into_iter().map(T::from_json).collect()
        }
    }

    impl<T: Hex> Hex for Option<T> {
        type Json = Option<T::Json>;
        fn to_json(&self) -> Self::Json {
            self.as_ref().map(T::to_json)
        }
        fn from_json(json: Self::Json) -> Option<Self> {
            json.map_or(Some(None), |json| T::from_json(json).map(Some))
        }
    }

    /// Writes it.
    pub fn serialize<T: Hex, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        value.to_json().serialize(serializer)
    }

    /// Reads it.
    pub fn deserialize<'de, T: Hex, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        T::from_json(T::Json::deserialize(deserializer)?).ok_or_else(|| de::Error::custom("the number is too large"))
    }
}

fn hex_bytes<E: de::Error>(text: &str) -> Result<Vec<u8>, E> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| match pair {
        [_, _] => std::str::from_utf8(pair).ok().and_then(|p| u8::from_str_radix(p, 16).ok()),
        _ => None,
    });
    pairs.collect::<Option<_>>().ok_or_else(|| E::custom(format!("`{text}` is not hex")))
}

macro_rules! through_text {
    (impl[$($generics:tt)*] $type:ty, $read:expr) => {
        impl<$($generics)*> Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de, $($generics)*> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let read: fn(&str) -> Result<Self, D::Error> = $read;
                read(&text)
            }
        }
    };
}

through_text!(impl[] Blob<'_>, |text| hex_bytes(text).map(Blob::from));
through_text!(impl[] Text<'_>, |text| Ok(Text::from(text.as_bytes().to_vec())));
through_text!(impl[] Uuid, |text| {
    let bytes = hex_bytes(&text.replace('-', ""))?;
    bytes.try_into().map(Uuid).map_err(|_| de::Error::custom("a uuid has 16 bytes"))
});
through_text!(impl[const N: usize] FixedBytes<N>, |text| {
    let bytes = hex_bytes(text)?;
    bytes.try_into().map(FixedBytes).map_err(|_| de::Error::custom(format!("not {N} bytes")))
});
through_text!(impl[] Utime, |text| {
    let (sec, nsec) = seconds(text).ok_or_else(|| de::Error::custom("a time is SECONDS.NANOSECONDS, with 9 digits"))?;
    Ok(Utime { sec, nsec })
});
through_text!(impl[] Duration, |text| {
    span(text).ok_or_else(|| de::Error::custom("a duration is SECONDS.NANOSECONDS, with 9 digits"))
});

/// The sign in front holds for both parts, unless the second has its own.
fn span(text: &str) -> Option<Duration> {
    let (sec, nsec): (i64, i64) = seconds(text)?;
    let (_, fraction) = text.split_once('.')?;
    let nsec = if text.starts_with('-') && !fraction.starts_with(['+', '-']) { -nsec } else { nsec };
    Some(Duration { sec: sec.try_into().ok()?, nsec: nsec.try_into().ok()? })
}

fn seconds<T: FromStr>(text: &str) -> Option<(T, T)> {
    let (sec, nsec) = text.split_once('.')?;
    if nsec.len() < 9 {
        return None;
    }
    Some((sec.parse().ok()?, nsec.parse().ok()?))
}

impl Serialize for Bool {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            0 | 1 => serializer.serialize_bool(self.get()),
            odd => serializer.serialize_u8(odd),
        }
    }
}

impl<'de> Deserialize<'de> for Bool {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Either {
            Truth(bool),
            Byte(u8),
        }
        Ok(match Either::deserialize(deserializer)? {
            Either::Truth(truth) => Bool::from(truth),
            Either::Byte(byte) => Bool(byte),
        })
    }
}

impl<T, const USAGE: u32> Serialize for Sealed<'_, T, USAGE> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.bytes.serialize(serializer)
    }
}

impl<'de, T, const USAGE: u32> Deserialize<'de> for Sealed<'_, T, USAGE> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// As it is read, or as a trace shows it that has opened it.
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Either {
            Bytes(Blob<'static>),
            Shown { sealed: Blob<'static> },
        }
        let (Either::Bytes(bytes) | Either::Shown { sealed: bytes }) = Either::deserialize(deserializer)?;
        Ok(Sealed::new(bytes))
    }
}

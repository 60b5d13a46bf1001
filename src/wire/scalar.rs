//! Plain values: integers, texts, addresses, times.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Error, Reader, Text, Value, Writer};

/// A plain value.
pub trait Scalar<'a>: Sized {
    /// Reads it.
    fn read(reader: &mut Reader<'a>) -> Result<Self, Error>;
    /// Writes it.
    fn write(&self, writer: &mut Writer);
    /// What the trace gets.
    fn value(&self) -> Value<'_>;
}

/// An integer of the wire.
pub trait Integer: Copy + for<'a> Scalar<'a> {
    /// The value; the sign is extended.
    fn to_u64(self) -> u64;
    /// The integer with this value, if it fits.
    fn from_u64(value: u64) -> Option<Self>;
}

macro_rules! integers {
    ($($type:ty, $value:ident, $wide:ty;)*) => {$(
        impl Scalar<'_> for $type {
            #[inline]
            fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
                reader.array().map(<$type>::from_le_bytes)
            }
            #[inline]
            fn write(&self, writer: &mut Writer) {
                writer.put(&self.to_le_bytes());
            }
            #[inline]
            fn value(&self) -> Value<'_> {
                Value::$value(<$wide>::from(*self))
            }
        }
        impl Integer for $type {
            #[inline]
            fn to_u64(self) -> u64 {
                <$wide>::from(self) as u64
            }
            #[inline]
            fn from_u64(value: u64) -> Option<Self> {
                <$type>::try_from(value as $wide).ok()
            }
        }
    )*};
}

integers! {
    u8, Unsigned, u64;
    u16, Unsigned, u64;
    u32, Unsigned, u64;
    u64, Unsigned, u64;
    i8, Signed, i64;
    i16, Signed, i64;
    i32, Signed, i64;
    i64, Signed, i64;
}

/// An integer with the most significant byte first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Be<T>(pub T);

macro_rules! big_endian {
    ($($type:ty),*) => {$(
        impl Scalar<'_> for Be<$type> {
            #[inline]
            fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
                reader.array().map(|bytes| Be(<$type>::from_be_bytes(bytes)))
            }
            #[inline]
            fn write(&self, writer: &mut Writer) {
                writer.put(&self.0.to_be_bytes());
            }
            #[inline]
            fn value(&self) -> Value<'_> {
                Value::Unsigned(u64::from(self.0))
            }
        }
        impl Integer for Be<$type> {
            fn to_u64(self) -> u64 {
                u64::from(self.0)
            }
            fn from_u64(value: u64) -> Option<Self> {
                <$type>::try_from(value).ok().map(Be)
            }
        }
    )*};
}

big_endian!(u16, u32, u64);

impl<T: fmt::Display> fmt::Display for Be<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! floats {
    ($($type:ty),*) => {$(
        impl Scalar<'_> for $type {
            #[inline]
            fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
                reader.array().map(<$type>::from_le_bytes)
            }
            #[inline]
            fn write(&self, writer: &mut Writer) {
                writer.put(&self.to_le_bytes());
            }
            #[inline]
            fn value(&self) -> Value<'_> {
                Value::Float(f64::from(*self))
            }
        }
    )*};
}

floats!(f32, f64);

/// A truth value. Every byte but 0 is true to Ceph; the byte is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bool(pub u8);

impl Bool {
    /// Whether it is true.
    pub fn get(self) -> bool {
        self.0 != 0
    }
}

impl From<bool> for Bool {
    fn from(value: bool) -> Self {
        Bool(value.into())
    }
}

impl Scalar<'_> for Bool {
    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        u8::read(reader).map(Bool)
    }
    #[inline]
    fn write(&self, writer: &mut Writer) {
        writer.put(&[self.0]);
    }
    #[inline]
    fn value(&self) -> Value<'_> {
        Value::Unsigned(self.0.into())
    }
}

impl Integer for Bool {
    #[inline]
    fn to_u64(self) -> u64 {
        self.0.into()
    }
    #[inline]
    fn from_u64(value: u64) -> Option<Self> {
        u8::try_from(value).ok().map(Bool)
    }
}

impl fmt::Display for Bool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// Text behind a u32 length.
impl<'a> Scalar<'a> for Text<'a> {
    #[inline]
    fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let mut content = reader.prefixed::<u32>(u64::MAX)?;
        content.take(content.left()).map(Text::from)
    }
    #[inline]
    fn write(&self, writer: &mut Writer) {
        writer.prefixed::<u32>(self);
    }
    #[inline]
    fn value(&self) -> Value<'_> {
        Value::Bytes(self)
    }
}

/// A fixed number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FixedBytes<const N: usize>(pub [u8; N]);

impl<const N: usize> Default for FixedBytes<N> {
    fn default() -> Self {
        FixedBytes([0; N])
    }
}

impl<const N: usize> Scalar<'_> for FixedBytes<N> {
    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.array().map(FixedBytes)
    }
    #[inline]
    fn write(&self, writer: &mut Writer) {
        writer.put(&self.0);
    }
    #[inline]
    fn value(&self) -> Value<'_> {
        Value::Bytes(&self.0)
    }
}

impl<const N: usize> fmt::Display for FixedBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<const N: usize> fmt::Debug for FixedBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

impl Scalar<'_> for Ipv4Addr {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.array::<4>().map(Ipv4Addr::from)
    }
    fn write(&self, writer: &mut Writer) {
        writer.put(&self.octets());
    }
    fn value(&self) -> Value<'_> {
        Value::Unsigned(u32::from(*self).into())
    }
}

impl Scalar<'_> for Ipv6Addr {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.array::<16>().map(Ipv6Addr::from)
    }
    fn write(&self, writer: &mut Writer) {
        writer.put(&self.octets());
    }
    fn value(&self) -> Value<'_> {
        Value::Ipv6(self.octets())
    }
}

/// 16 bytes in the order of their text: a cluster's fsid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Uuid(pub [u8; 16]);

impl Scalar<'_> for Uuid {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.array().map(Uuid)
    }
    fn write(&self, writer: &mut Writer) {
        writer.put(&self.0);
    }
    fn value(&self) -> Value<'_> {
        Value::Bytes(&self.0)
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

macro_rules! times {
    ($(#[$doc:meta])* $name:ident, $int:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            /// Seconds.
            pub sec: $int,
            /// Nanoseconds.
            pub nsec: $int,
        }

        impl Scalar<'_> for $name {
            #[inline]
            fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
                let bytes = reader.array::<8>()?;
                let [a, b, c, d, e, f, g, h] = bytes;
                Ok($name { sec: <$int>::from_le_bytes([a, b, c, d]), nsec: <$int>::from_le_bytes([e, f, g, h]) })
            }
            #[inline]
            fn write(&self, writer: &mut Writer) {
                writer.put(&self.sec.to_le_bytes());
                writer.put(&self.nsec.to_le_bytes());
            }
            #[inline]
            fn value(&self) -> Value<'_> {
                Value::Time(i64::from(self.sec), self.nsec as i32)
            }
        }
    };
}

times! {
    /// A point in time: seconds and nanoseconds since 1970, u32 each.
    Utime, u32
}

times! {
    /// A span of time: seconds and nanoseconds, s32 each; both are negative or 0 in a negative span.
    Duration, i32
}

impl fmt::Display for Utime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.sec, self.nsec)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if i64::from(self.sec) * i64::from(self.nsec) < 0 {
            // nobody should send that, but then it shows
            return write!(f, "{}.{:+010}", self.sec, self.nsec);
        }
        let sign = if self.sec < 0 || self.nsec < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:09}", self.sec.unsigned_abs(), self.nsec.unsigned_abs())
    }
}

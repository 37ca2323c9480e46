//! Scalars, as the documentation writes them.

use async_graphql::{InputType, InputValueError, InputValueResult, Scalar, ScalarType, Value};
use jiff::{Timestamp, civil::Date as CivilDate};

use crate::clock::{format_moment, parse_moment};

/// A UUID as canonical text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Uuid(pub uuid::Uuid);

#[Scalar(name = "UUID")]
impl ScalarType for Uuid {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(value, "UUID", |text| uuid::Uuid::try_parse(text).ok().map(Self))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A moment; a bare date on input is its midnight in UTC.
#[derive(Clone, Copy, Debug)]
pub struct DateTime(pub Timestamp);

#[Scalar(name = "DateTime")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(value, "DateTime", |text| parse_moment(text).map(Self))
    }

    fn to_value(&self) -> Value {
        Value::String(format_moment(self.0))
    }
}

/// A day.
#[derive(Clone, Copy, Debug)]
pub struct Date(pub CivilDate);

#[Scalar(name = "Date")]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(value, "Date", |text| text.parse().ok().map(Self))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// Declares a scalar that is a text which the sandbox does not look into.
macro_rules! opaque {
    ($name:ident, $graphql:literal, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Debug)]
        pub struct $name(pub String);

        #[Scalar(name = $graphql)]
        impl ScalarType for $name {
            fn parse(value: Value) -> InputValueResult<Self> {
                text(value, $graphql, |text| Some(Self(text.to_owned())))
            }

            fn to_value(&self) -> Value {
                Value::String(self.0.clone())
            }
        }
    };
}

opaque!(Color, "Color", "A colour, `#RRGGBB`.");
opaque!(Decimal, "Decimal", "A number with a point, as a text.");
opaque!(File, "File", "The URL of a file.");
opaque!(JsonString, "JSONString", "A JSON document inside a text.");
opaque!(
    GroupVia,
    "GroupVia",
    "Named in the documentation as an argument, without values."
);
opaque!(UserVia, "UserVia", "Named in the documentation, without a shape.");

fn text<T: InputType>(value: Value, name: &str, read: impl FnOnce(&str) -> Option<T>) -> InputValueResult<T> {
    match value {
        Value::String(text) => read(&text).ok_or_else(|| InputValueError::custom(format!("{text:?} is not a {name}"))),
        other => Err(InputValueError::expected_type(other)),
    }
}

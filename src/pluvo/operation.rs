//! Operations as data: what a [`Query`](super::request::Query) or a [`Mutation`](super::request::Mutation) becomes
//! before it is printed as GraphQL, and how its answer is read.
//!
//! They are values, not `.graphql` files, for three reasons: a batch puts any number of them into one document under
//! aliases; the names of Pluvo's input types are not documented, so input objects are written inline and only scalars
//! are variables; and a field that a server lacks must be droppable without losing the rest of the page.

mod decode;
mod mutation;
mod query;
pub mod samples;
mod selection;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

pub use self::{decode::DecodeError, selection::Select};
use super::{
    model::{EnumValue, Id},
    request::{Keys, Selector},
};

/// Whether something reads or writes: the two kinds of GraphQL operations, of slots and of retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Access {
    /// A query; may be repeated at will.
    Read,
    /// A mutation; is never repeated while its outcome is unknown.
    Write,
}

/// One root field of a document, with everything needed to print it.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Query or mutation.
    pub kind: Access,
    /// The root field, `updateUser`.
    pub field: &'static str,
    /// In the order in which they are printed.
    pub arguments: Vec<(&'static str, Argument)>,
    /// What is asked of the answer; empty for a scalar.
    pub selection: &'static [Select],
}

impl Operation {
    /// The arguments with their values, as plain JSON: enums as texts.
    #[must_use]
    pub fn arguments_as_json(&self) -> Map<String, Value> {
        members_as_json(&self.arguments)
    }
}

fn members_as_json(members: &[(&'static str, Argument)]) -> Map<String, Value> {
    members
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_json()))
        .collect()
}

/// The value of an argument, or of a field of an inline input object.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// A scalar, or a list of one, that travels as a variable.
    Variable {
        /// Its GraphQL type.
        scalar: Scalar,
        /// Whether `value` is a list of it.
        list: bool,
        /// What is sent.
        value: Value,
    },
    /// A number that is the same in every document.
    Int(i32),
    /// A literal: the enum types' names are as unknown as those of the input objects.
    Enum(EnumValue),
    /// An inline list.
    List(Vec<Argument>),
    /// An inline input object.
    Object(Vec<(&'static str, Argument)>),
}

/// The scalars that variables are declared with. All are declared non-null, which fits wherever a nullable one does:
/// what is absent is left out of the document instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// `UUID`. Some ids come out as `ID`, all go in as this.
    Uuid,
    /// `String`
    String,
    /// `Boolean`
    Boolean,
    /// `Int`
    Int,
    /// `DateTime`
    DateTime,
}

impl Scalar {
    /// The name in the schema.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Uuid => "UUID",
            Self::String => "String",
            Self::Boolean => "Boolean",
            Self::Int => "Int",
            Self::DateTime => "DateTime",
        }
    }
}

impl Argument {
    fn scalar(scalar: Scalar, value: impl Into<Value>) -> Self {
        Self::Variable {
            scalar,
            list: false,
            value: value.into(),
        }
    }

    fn text(value: &Arc<str>) -> Self {
        Self::scalar(Scalar::String, &**value)
    }

    fn bool(value: bool) -> Self {
        Self::scalar(Scalar::Boolean, value)
    }

    fn id(id: &Id) -> Self {
        Self::scalar(Scalar::Uuid, &*id.0)
    }

    fn moment(moment: Timestamp) -> Self {
        Self::scalar(Scalar::DateTime, moment.to_string())
    }

    fn ids<'a>(ids: impl IntoIterator<Item = &'a Id>) -> Self {
        Self::Variable {
            scalar: Scalar::Uuid,
            list: true,
            value: ids.into_iter().map(|id| &*id.0).collect(),
        }
    }

    fn refs(keys: &[Keys]) -> Self {
        Self::Variable {
            scalar: Scalar::String,
            list: true,
            value: keys.iter().map(|keys| &*keys.reference).collect(),
        }
    }

    fn enums<'a>(values: impl IntoIterator<Item = &'a EnumValue>) -> Self {
        Self::List(values.into_iter().cloned().map(Self::Enum).collect())
    }

    /// An input object of those fields that have a value: null is never sent, it may clear.
    fn object<const N: usize>(fields: [(&'static str, Option<Self>); N]) -> Self {
        Self::Object(
            fields
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)))
                .collect(),
        )
    }

    fn as_json(&self) -> Value {
        match self {
            Self::Variable { value, .. } => value.clone(),
            Self::Int(number) => (*number).into(),
            Self::Enum(name) => (*name.0).into(),
            Self::List(items) => items.iter().map(Self::as_json).collect(),
            Self::Object(fields) => members_as_json(fields).into(),
        }
    }

    /// The fields of the input objects that this is, or is a list of.
    pub(super) fn objects(&self) -> Vec<&[(&'static str, Self)]> {
        match self {
            Self::Object(fields) => vec![fields],
            Self::List(items) => items.iter().flat_map(Self::objects).collect(),
            _ => Vec::new(),
        }
    }
}

impl Selector {
    /// The argument that names one object: `id` or `ref`, under the names that the root field has for them.
    fn argument(&self, id: &'static str, reference: &'static str) -> (&'static str, Argument) {
        match self {
            Self::Id(value) => (id, Argument::id(value)),
            Self::Ref(value) => (reference, Argument::text(value)),
        }
    }
}

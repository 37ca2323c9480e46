//! What Pluvo answers, as plain data. Field names follow `schema.graphql`.

use std::{fmt, sync::Arc};

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Pluvo's own key of an object. Documented as a UUID on some types and as `ID` on others, so it is opaque here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(pub Arc<str>);

impl From<&str> for Id {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value of one of Pluvo's enums (`MANAGER`, `NL`), kept as Pluvo writes it: a value that is not in the
/// documentation must not fail the page that it stands on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EnumValue(pub Arc<str>);

impl From<&str> for EnumValue {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

/// A user with everything that is compared, as a sweep and a mutation's answer read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Pluvo's key.
    pub id: Id,
    /// The integrator's key; Pluvo generates a `UUIDv4` where none was given.
    #[serde(rename = "ref")]
    pub reference: Option<Arc<str>>,
    /// As stored in Pluvo, not normalized.
    pub email: Option<Arc<str>>,
    /// Display name.
    pub name: Arc<str>,
    /// Null reads as not archived.
    #[serde(default, deserialize_with = "null_as_default")]
    pub archived: bool,
    /// In Pluvo's order.
    #[serde(default, deserialize_with = "without_nulls")]
    pub roles: Vec<EnumValue>,
    /// Language of the user interface.
    pub language: EnumValue,
    /// Groups the user takes part in.
    #[serde(default, deserialize_with = "null_as_default")]
    pub participant_groups: Vec<Linked>,
    /// Groups the user manages.
    #[serde(default, deserialize_with = "null_as_default")]
    pub manager_groups: Vec<Linked>,
    /// Custom fields, one element per chosen option where a field is a multiple choice.
    #[serde(default, deserialize_with = "known_values")]
    pub extra_category_values: Vec<CustomFieldValue>,
}

/// A reference to an object of which only the id was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Linked {
    /// Pluvo's key of the object.
    pub id: Id,
}

/// A group with everything that is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Pluvo's key.
    pub id: Id,
    /// The integrator's key.
    #[serde(rename = "ref")]
    pub reference: Option<Arc<str>>,
    /// Display name.
    pub name: Arc<str>,
    /// Largest number of members; the meaning of 0 is not documented.
    pub max_users: i64,
    /// Whether members can chat.
    pub enable_chat: bool,
    /// Whether the group can be edited in Pluvo's own user interface.
    pub is_editable: bool,
    /// Custom fields.
    #[serde(default, deserialize_with = "known_values")]
    pub extra_category_values: Vec<CustomFieldValue>,
}

/// A training, as far as an assignment needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Training {
    /// Pluvo's key.
    pub id: Id,
    /// The integrator's key.
    #[serde(rename = "ref")]
    pub reference: Option<Arc<str>>,
    /// Display title.
    pub title: Arc<str>,
    /// Whether it was archived.
    #[serde(default, deserialize_with = "null_as_default")]
    pub archived: bool,
}

/// A date at which an offer is held, as far as an enrollment needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfferEvent {
    /// Pluvo's key.
    pub id: Id,
    /// The integrator's key.
    #[serde(rename = "ref")]
    pub reference: Option<Arc<str>>,
    /// How many more it takes; null where there is no limit, or the server does not say.
    #[serde(default)]
    pub spots_available: Option<i64>,
    /// Whether whoever finds it full is put on a list. Null reads as no.
    #[serde(default, deserialize_with = "null_as_default")]
    pub waiting_list: bool,
    /// Whether it was called off. Null reads as no.
    #[serde(default, deserialize_with = "null_as_default")]
    pub cancelled: bool,
}

/// How a user stands to an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "EnumValue", into = "EnumValue")]
pub enum Standing {
    /// Has a place.
    Enrolled,
    /// Waits for one.
    Waitlisted,
    /// Has given it up.
    Cancelled,
    /// Never wanted it.
    Declined,
    /// Something that the documentation does not name.
    Other(EnumValue),
}

impl From<EnumValue> for Standing {
    fn from(value: EnumValue) -> Self {
        match &*value.0 {
            "ENROLLED" => Self::Enrolled,
            "WAITLISTED" => Self::Waitlisted,
            "CANCELLED" => Self::Cancelled,
            "DECLINED" => Self::Declined,
            _ => Self::Other(value),
        }
    }
}

impl From<Standing> for EnumValue {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Enrolled => "ENROLLED".into(),
            Standing::Waitlisted => "WAITLISTED".into(),
            Standing::Cancelled => "CANCELLED".into(),
            Standing::Declined => "DECLINED".into(),
            Standing::Other(value) => value,
        }
    }
}

/// A row of what an enrollment answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrollment {
    /// Who.
    pub user: Linked,
    /// How they stand now.
    pub status: Standing,
}

/// Somebody whom a report is about. Beside the id, only what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Pluvo's key.
    pub id: Id,
    /// The integrator's key.
    #[serde(rename = "ref", default)]
    pub reference: Option<Arc<str>>,
    /// Display name.
    #[serde(default)]
    pub name: Option<Arc<str>>,
    /// E-mail address.
    #[serde(default)]
    pub email: Option<Arc<str>>,
}

/// A row of `portfolioReport`: how far somebody is with a training, or a certificate. What types its numbers have is
/// documented nowhere, so that they are kept as they come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PortfolioRow {
    /// Whose it is.
    pub user: Person,
    /// Of the training, or of the certificate. Not a key: two trainings may share it.
    #[serde(default, deserialize_with = "null_as_default")]
    pub title: Arc<str>,
    /// How much is done: a part of 1, or of 100.
    #[serde(default)]
    pub progress: Value,
    /// How well it was done.
    #[serde(default)]
    pub score: Value,
    /// When it was completed, or the certificate achieved.
    #[serde(default)]
    pub completion_date: Option<Arc<str>>,
    /// Until when it counts.
    #[serde(default)]
    pub end_date: Option<Arc<str>>,
    /// How long it took.
    #[serde(default)]
    pub time_spent: Option<TimeSpent>,
}

/// A span of time, in two parts that add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeSpent {
    /// Whole days.
    pub days: Option<i64>,
    /// Seconds beside them.
    pub seconds: Option<i64>,
}

/// When an account was used last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastLogin {
    /// Whose it is.
    #[serde(flatten)]
    pub user: Person,
    /// Null reads as never.
    #[serde(default)]
    pub last_login: Option<Arc<str>>,
}

impl LastLogin {
    /// The moment, if there was one and Pluvo writes it as documented.
    #[must_use]
    pub fn at(&self) -> Option<Timestamp> {
        self.last_login.as_ref()?.parse().ok()
    }
}

/// The day that a date or a date-time of Pluvo begins with.
#[must_use]
pub fn day(text: &str) -> Option<Date> {
    text.get(..10)?.parse().ok()
}

/// A custom field ("extra category") as the catalogue lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomField {
    /// Pluvo's key.
    pub id: Id,
    /// The key used for writing (`categoryRef`). No page shows it as readable, so it may be missing.
    #[serde(rename = "ref", default)]
    pub reference: Option<Arc<str>>,
    /// Display title.
    pub title: Arc<str>,
    /// `TEXT`, `DATE`, `BOOLEAN`, `SELECT`, `MULTISELECT`, ...
    #[serde(default)]
    pub category_type: Option<EnumValue>,
    /// What kinds of objects carry the field (`USER`, `GROUP`, ...).
    #[serde(default, deserialize_with = "without_nulls")]
    pub for_model_types: Vec<EnumValue>,
    /// The options of a choice.
    #[serde(default, deserialize_with = "null_as_default")]
    pub choice_options: Vec<Choice>,
}

/// One option of a choice field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    /// Pluvo's key.
    pub id: Id,
    /// What people see.
    pub string_value: Arc<str>,
}

/// The value of a custom field on one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomFieldValue {
    /// The field that the value belongs to.
    pub category: Linked,
    /// Exactly one of the members is set.
    #[serde(flatten)]
    pub value: FieldValue,
}

/// A custom field's value, one variant per member of the union `ExtraCategoryValue`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FieldValue {
    /// `ExtraCategoryStringValue`
    #[serde(rename = "stringValue")]
    Text(Arc<str>),
    /// `ExtraCategoryDatetimeValue`, as printed by Pluvo.
    #[serde(rename = "datetimeValue")]
    DateTime(Arc<str>),
    /// `ExtraCategoryBooleanValue`
    #[serde(rename = "booleanValue")]
    Bool(bool),
    /// `ExtraCategoryChoiceValue`: one of possibly several chosen options.
    #[serde(rename = "choiceValue")]
    Choice(Choice),
}

/// The three-way answer of a membership mutation, by Pluvo's ids.
///
/// Whoever was sent and is in none of the lists has failed: the lists cannot hold an unknown ref (`pluvo-api.md`, 7.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MembershipResult {
    /// Done by this call.
    pub done: Vec<Id>,
    /// Was so before.
    pub already: Vec<Id>,
    /// Refused because the user is linked through a group or an enrollment (removal from a training only).
    pub linked_via_object: Vec<Id>,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows, without those that came as null.
    pub rows: Vec<T>,
    /// How many rows came as null: such a page says nothing about who is absent.
    pub nulls: usize,
    /// The cursor of the next page, or `None` on the last.
    pub next: Option<Arc<str>>,
    /// The total that the server claims.
    pub count: Option<u64>,
}

pub(super) fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A list that may be null, of elements that may be null.
pub(super) fn without_nulls<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let list: Option<Vec<Option<T>>> = Option::deserialize(deserializer)?;
    Ok(list.unwrap_or_default().into_iter().flatten().collect())
}

/// The values of the union's documented members. One of a member that came later matches no fragment of ours and
/// arrives as `{}`; it must not fail the user that it stands on.
pub(super) fn known_values<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<CustomFieldValue>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Element {
        Known(CustomFieldValue),
        Unknown(Nothing),
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    let known = without_nulls(deserializer)?
        .into_iter()
        .filter_map(|element| match element {
            Element::Known(value) => Some(value),
            Element::Unknown(Nothing {}) => None,
        });
    Ok(known.collect())
}

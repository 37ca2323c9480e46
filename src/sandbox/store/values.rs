//! The values of custom fields.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use jiff::Timestamp;
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    Refusal, Selector, Store,
    custom_fields::{ContentType, CustomField, FieldType},
};
use crate::clock::{format_moment, parse_moment};

/// What an object has in a custom field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// TEXT, and NUMBER as it was written.
    Text(Arc<str>),
    /// DATE
    Moment(Timestamp),
    /// BOOLEAN
    Flag(bool),
    /// SELECT and MULTISELECT: the ids of the options, in the order of the field's options.
    Choices(Vec<Uuid>),
}

/// A value to be: exactly one of the four.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the fields of the schema's ExtraCategoryValueInput")]
pub struct ValueDraft {
    pub text: Option<String>,
    pub moment: Option<Timestamp>,
    pub flag: Option<bool>,
    pub choices: Option<Vec<OptionPick>>,
}

/// Names an option, by any of the three.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the fields of the schema's ExtraCategoryChoiceValueInput")]
pub struct OptionPick {
    pub text: Option<String>,
    pub id: Option<Uuid>,
    pub reference: Option<String>,
}

/// All values, by object and field.
#[derive(Clone, Debug, Default)]
pub struct Values {
    by_object: HashMap<Uuid, BTreeMap<Uuid, Value>>,
}

impl Values {
    /// Forgets the values of an object that is gone.
    pub fn forget(&mut self, object: Uuid) {
        self.by_object.remove(&object);
    }
}

impl Store {
    /// The values of an object in fields that are in use, by the field's id.
    pub fn values(&self, object: Uuid) -> impl Iterator<Item = (&Arc<CustomField>, &Value)> {
        let values = self.values.by_object.get(&object).into_iter().flatten();
        values
            .filter_map(|(field, value)| Some((self.fields.get(*field)?, value)))
            .filter(|(field, _)| field.archived_at.is_none())
    }

    /// The value of an object in one field.
    pub fn value(&self, object: Uuid, field: Uuid) -> Option<&Value> {
        self.values.by_object.get(&object)?.get(&field)
    }

    /// The object that a call about values names.
    pub fn object_with_fields(&self, content_type: ContentType, selector: &Selector) -> Result<Uuid, Refusal> {
        match content_type {
            ContentType::User => Ok(self.users.expect(selector)?.id),
            ContentType::Group => Ok(self.groups.expect(selector)?.id),
            ContentType::Training => Ok(self.trainings.expect(selector)?.id),
            ContentType::Offer => Ok(self.offers.expect(selector)?.id),
            _ => Err(Refusal::invalid("The sandbox has no objects of this content type.")),
        }
    }

    /// Sets values of an object: all of them or, if one is refused, none.
    pub fn set_values(
        &mut self,
        content_type: ContentType,
        object: Uuid,
        drafts: &[(Selector, ValueDraft)],
    ) -> Result<Vec<Uuid>, Refusal> {
        let mut accepted = Vec::with_capacity(drafts.len());
        for (selector, draft) in drafts {
            let field = self.fields.expect(selector)?;
            if field.archived_at.is_some() || !field.content_types.contains(&content_type) {
                return Err(Refusal::invalid(
                    "This custom field does not belong to objects of this kind.",
                ));
            }
            accepted.push((field.id, value_of(field, draft)?));
        }
        let fields = accepted.iter().map(|(field, _)| *field).collect();
        self.values.by_object.entry(object).or_default().extend(accepted);
        self.touch(content_type, object);
        Ok(fields)
    }

    /// Sets values as a seed writes them: by ref, in plain JSON, null to clear one.
    pub fn set_plain_values(
        &mut self,
        content_type: ContentType,
        object: Uuid,
        plain: &BTreeMap<String, Json>,
    ) -> Result<(), Refusal> {
        for (reference, json) in plain {
            let field = self.fields.expect_ref(reference)?.clone();
            if json.is_null() {
                self.values.by_object.entry(object).or_default().remove(&field.id);
                self.touch(content_type, object);
                continue;
            }
            let in_field = |refusal: Refusal| Refusal {
                message: format!("Custom field {reference:?}: {}", refusal.message),
                ..refusal
            };
            let draft = ValueDraft::from_plain(field.field_type, json).map_err(in_field)?;
            self.set_values(content_type, object, &[(Selector::Id(field.id), draft)])
                .map_err(in_field)?;
        }
        Ok(())
    }

    fn touch(&mut self, content_type: ContentType, object: Uuid) {
        match content_type {
            ContentType::User => self.users.touch(object),
            ContentType::Group => self.groups.touch(object),
            ContentType::Training => self.trainings.touch(object),
            ContentType::Offer | ContentType::Course | ContentType::Video => {}
        }
    }

    /// The values of an object as a seed would write them.
    pub fn plain_values(&self, object: Uuid) -> BTreeMap<String, Json> {
        let plain = |(field, value): (&Arc<CustomField>, &Value)| (field.reference.to_string(), value.plain(field));
        self.values(object).map(plain).collect()
    }
}

impl Value {
    /// The options that are chosen and still exist.
    pub fn chosen<'a>(&self, field: &'a CustomField) -> Vec<&'a super::FieldOption> {
        match self {
            Self::Choices(ids) => ids.iter().filter_map(|id| field.option(*id)).collect(),
            _ => Vec::new(),
        }
    }

    /// As a seed writes it: one option is a text, several are a list.
    pub fn plain(&self, field: &CustomField) -> Json {
        match self {
            Self::Text(text) => Json::from(&**text),
            Self::Moment(moment) => Json::from(format_moment(*moment)),
            Self::Flag(flag) => Json::from(*flag),
            Self::Choices(_) => {
                let mut texts = self.chosen(field).into_iter().map(|option| Json::from(&*option.text));
                if field.is_multiple() {
                    Json::Array(texts.collect())
                } else {
                    texts.next().unwrap_or_default()
                }
            }
        }
    }
}

impl ValueDraft {
    fn from_plain(field_type: FieldType, json: &Json) -> Result<Self, Refusal> {
        let pick = |text: &str| OptionPick {
            text: Some(text.to_owned()),
            ..OptionPick::default()
        };
        let wrong = || Refusal::invalid(format!("{json} is not a value of a field of type {field_type:?}"));
        let none = Self::default();
        Ok(match (field_type, json) {
            (FieldType::Text | FieldType::Number, Json::String(text)) => Self {
                text: Some(text.clone()),
                ..none
            },
            (FieldType::Number, Json::Number(number)) => Self {
                text: Some(number.to_string()),
                ..none
            },
            (FieldType::Date, Json::String(text)) => Self {
                moment: Some(parse_moment(text).ok_or_else(wrong)?),
                ..none
            },
            (FieldType::Boolean, Json::Bool(flag)) => Self {
                flag: Some(*flag),
                ..none
            },
            (FieldType::Select | FieldType::Multiselect, Json::String(text)) => Self {
                choices: Some(vec![pick(text)]),
                ..none
            },
            (FieldType::Select | FieldType::Multiselect, Json::Array(texts)) => {
                let picks: Option<_> = texts.iter().map(|text| text.as_str().map(pick)).collect();
                Self {
                    choices: Some(picks.ok_or_else(wrong)?),
                    ..none
                }
            }
            _ => return Err(wrong()),
        })
    }
}

/// Checks a draft against its field.
fn value_of(field: &CustomField, draft: &ValueDraft) -> Result<Value, Refusal> {
    match (field.field_type, draft) {
        (
            FieldType::Text,
            ValueDraft {
                text: Some(text),
                moment: None,
                flag: None,
                choices: None,
            },
        ) => Ok(Value::Text(text.as_str().into())),
        (
            FieldType::Number,
            ValueDraft {
                text: Some(text),
                moment: None,
                flag: None,
                choices: None,
            },
        ) => {
            let is_number = text.trim().parse::<f64>().is_ok_and(f64::is_finite);
            let refusal = || Refusal::invalid("The value of a NUMBER is a number.");
            is_number.then(|| Value::Text(text.trim().into())).ok_or_else(refusal)
        }
        (
            FieldType::Date,
            ValueDraft {
                text: None,
                moment: Some(moment),
                flag: None,
                choices: None,
            },
        ) => Ok(Value::Moment(*moment)),
        (
            FieldType::Boolean,
            ValueDraft {
                text: None,
                moment: None,
                flag: Some(flag),
                choices: None,
            },
        ) => Ok(Value::Flag(*flag)),
        (
            FieldType::Select | FieldType::Multiselect,
            ValueDraft {
                text: None,
                moment: None,
                flag: None,
                choices: Some(picks),
            },
        ) => choices_of(field, picks),
        _ => Err(Refusal::invalid(
            "Give exactly one value, of the kind that the custom field has.",
        )),
    }
}

fn choices_of(field: &CustomField, picks: &[OptionPick]) -> Result<Value, Refusal> {
    let picked = |option: &&super::FieldOption| {
        picks.iter().any(|pick| {
            pick.id == Some(option.id)
                || pick.text.as_deref().is_some_and(|text| *text == *option.text)
                || pick.reference.is_some() && pick.reference.as_deref() == option.reference.as_deref()
        })
    };
    let chosen: Vec<_> = field.options.iter().filter(picked).map(|option| option.id).collect();
    if picks.is_empty() || chosen.len() != picks.len() {
        return Err(Refusal::invalid(
            "Choose options that this custom field has, each once.",
        ));
    }
    if chosen.len() > 1 && !field.is_multiple() {
        return Err(Refusal::invalid("This custom field takes one option."));
    }
    Ok(Value::Choices(chosen))
}

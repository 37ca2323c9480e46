//! Custom fields ("extra categories") of users and groups.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    api::common,
    pluvo::{
        model::{CustomField, CustomFieldValue, FieldValue, Id},
        request::{ContentType, FieldInput},
    },
};

use super::{
    attributes::{Attribute, Seen},
    observed::{Key, Lookup, Observed},
    value,
};

/// The declared custom fields of one object, against what Pluvo holds.
#[derive(Clone, Debug, Default)]
pub struct CustomFields {
    /// Fields that Pluvo has, or may have.
    pub attributes: Vec<Attribute>,
    /// What to send, by path.
    pub inputs: BTreeMap<String, (Arc<str>, FieldInput)>,
    /// Fields that Pluvo does not have, as sentences.
    pub missing: Vec<String>,
    /// Whether the catalogue is not known yet.
    pub unknown: bool,
}

impl CustomFields {
    /// The values to send for those paths that `of` names.
    #[must_use]
    pub fn values(&self, of: impl Fn(&str) -> bool) -> BTreeMap<Arc<str>, FieldInput> {
        self.inputs
            .iter()
            .filter(|(path, _)| of(path))
            .map(|(_, (reference, input))| (reference.clone(), input.clone()))
            .collect()
    }
}

/// Whether a path is that of a custom field.
#[must_use]
pub fn is_custom_field(path: &str) -> bool {
    path.starts_with("customFields[")
}

/// Compares declared fields with the values on an object (`None`: the object does not exist yet).
pub fn compare(
    declared: &[common::CustomField],
    of: ContentType,
    held: Option<&[CustomFieldValue]>,
    observed: &impl Observed,
) -> CustomFields {
    let mut fields = CustomFields::default();
    if declared.is_empty() {
        return fields;
    }
    let Lookup::Found(catalogue) = observed.custom_fields(of) else {
        fields.unknown = true;
        return fields;
    };
    // No page shows a category's ref as readable: where no category has one, fields are written without being read.
    let readable = catalogue.is_empty() || catalogue.iter().any(|field| field.reference.is_some());
    for field in declared {
        let path = format!("customFields[{}]", field.reference);
        let known = catalogue
            .iter()
            .find(|known| known.reference.as_deref() == Some(field.reference.as_str()));
        let seen = match known {
            Some(known) => seen(known, held.unwrap_or_default(), field),
            None if readable => {
                fields.missing.push(missing(field, of, observed));
                continue;
            }
            None => Seen::Unobservable,
        };
        fields
            .inputs
            .insert(path.clone(), (field.reference.as_str().into(), input(field)));
        fields.attributes.push(Attribute::personal(path, desired(field), seen));
    }
    fields
}

fn missing(field: &common::CustomField, of: ContentType, observed: &impl Observed) -> String {
    let near = observed
        .near_matches(&Key::CustomFields(of))
        .into_iter()
        .filter(|known| strsim::jaro_winkler(known, &field.reference) > 0.8);
    super::near("custom field", &field.reference, &near.collect::<Vec<_>>())
}

fn desired(field: &common::CustomField) -> String {
    if let Some(date_time) = &field.date_time {
        return value::instant(date_time);
    }
    if let Some(flag) = field.bool {
        return flag.to_string();
    }
    if let Some(choices) = &field.choices {
        return value::set(choices.iter().map(String::as_str));
    }
    value::text(field.choice.as_deref().or(field.text.as_deref()).unwrap_or_default())
}

fn input(field: &common::CustomField) -> FieldInput {
    if let Some(date_time) = &field.date_time {
        return FieldInput::DateTime(date_time.as_str().into());
    }
    if let Some(flag) = field.bool {
        return FieldInput::Bool(flag);
    }
    if let Some(choices) = &field.choices {
        return FieldInput::Choices(choices.iter().map(|choice| choice.as_str().into()).collect());
    }
    if let Some(choice) = &field.choice {
        return FieldInput::Choices(vec![choice.as_str().into()]);
    }
    FieldInput::Text(field.text.as_deref().unwrap_or_default().into())
}

fn seen(known: &CustomField, held: &[CustomFieldValue], field: &common::CustomField) -> Seen {
    let values: Vec<_> = values_of(&known.id, held).collect();
    match values.as_slice() {
        [] => Seen::Nothing,
        [FieldValue::Text(text)] => Seen::Value(value::text(text)),
        [FieldValue::DateTime(time)] => Seen::Value(value::instant(time)),
        [FieldValue::Bool(flag)] => Seen::Value(flag.to_string()),
        [FieldValue::Choice(choice)] if field.choices.is_none() => Seen::Value(value::text(&choice.string_value)),
        many => Seen::Value(value::set(many.iter().filter_map(|value| match value {
            FieldValue::Choice(choice) => Some(&*choice.string_value),
            FieldValue::Text(_) | FieldValue::DateTime(_) | FieldValue::Bool(_) => None,
        }))),
    }
}

fn values_of<'a>(field: &'a Id, held: &'a [CustomFieldValue]) -> impl Iterator<Item = &'a FieldValue> {
    held.iter()
        .filter(move |value| value.category.id == *field)
        .map(|value| &value.value)
}

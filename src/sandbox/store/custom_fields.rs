//! Custom fields ("extra categories").

use std::{collections::HashSet, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Refusal, Selector, Store, or_kept, parse_id,
    table::{Table, check_title, derived, entity},
};

/// What a custom field may belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, async_graphql::Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names say it")]
pub enum ContentType {
    User,
    Group,
    Training,
    Offer,
    Course,
    Video,
}

/// What a custom field holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, async_graphql::Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[graphql(name = "ExtraCategoryType")]
#[allow(missing_docs, reason = "the names say it")]
pub enum FieldType {
    Multiselect,
    Select,
    #[default]
    Text,
    Number,
    Date,
    Boolean,
}

/// A custom field.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields of the schema's ExtraCategory")]
pub struct CustomField {
    pub id: Uuid,
    pub reference: Arc<str>,
    pub title: Arc<str>,
    pub field_type: FieldType,
    pub content_types: Vec<ContentType>,
    pub options: Vec<FieldOption>,
    pub color: Option<Arc<str>>,
    pub filter: bool,
    pub show_label: bool,
    pub multiple_choices: bool,
    pub archived_at: Option<Timestamp>,
}

/// One of the values that a choice offers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields of the schema's ExtraCategoryChoiceOption")]
pub struct FieldOption {
    pub id: Uuid,
    pub reference: Option<Arc<str>>,
    pub text: Arc<str>,
    pub color: Option<Arc<str>>,
}

impl CustomField {
    /// Whether several options can be chosen at a time.
    pub fn is_multiple(&self) -> bool {
        self.field_type == FieldType::Multiselect || self.multiple_choices
    }

    /// The option of an id.
    pub fn option(&self, id: Uuid) -> Option<&FieldOption> {
        self.options.iter().find(|option| option.id == id)
    }
}

entity!(CustomField, "custom field", title);

/// What a call or a seed sets on a custom field; what is left out stays as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CustomFieldDraft {
    /// Of a new field in a seed; generated where it is left out.
    pub id: Option<String>,
    /// What `categoryRef` means; generated where a new field has none.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// Display name.
    pub title: Option<String>,
    /// Text for a new field; fixed afterwards.
    #[serde(rename = "type")]
    pub field_type: Option<FieldType>,
    /// What has the field: users, where nothing is said.
    #[serde(rename = "for")]
    pub content_types: Option<Vec<ContentType>>,
    /// Replaces the options of a choice; one with the text of an old one keeps its id.
    pub options: Option<Vec<OptionDraft>>,
    /// Passed through.
    pub color: Option<String>,
    /// Passed through.
    pub filter: Option<bool>,
    /// Passed through.
    pub show_label: Option<bool>,
    /// Makes a SELECT a multiple choice.
    pub multiple_choices: Option<bool>,
}

/// An option to be; in a seed its text alone will do.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "OptionForm")]
#[allow(missing_docs, reason = "the fields of the schema's ExtraCategoryChoiceOptionInput")]
pub struct OptionDraft {
    pub text: String,
    pub color: Option<String>,
    pub reference: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "an option is a text or {value, ref, color}")]
enum OptionForm {
    Text(String),
    #[serde(rename_all = "camelCase")]
    Full {
        value: String,
        color: Option<String>,
        #[serde(rename = "ref")]
        reference: Option<String>,
    },
}

impl From<OptionForm> for OptionDraft {
    fn from(form: OptionForm) -> Self {
        match form {
            OptionForm::Text(text) => Self {
                text,
                color: None,
                reference: None,
            },
            OptionForm::Full {
                value,
                color,
                reference,
            } => Self {
                text: value,
                color,
                reference,
            },
        }
    }
}

impl Store {
    /// The custom fields, archived ones included.
    pub fn fields(&self) -> &Table<CustomField> {
        &self.fields
    }

    /// The custom fields that are in use, by title.
    pub fn find_fields(&self, content_type: Option<ContentType>) -> Vec<Arc<CustomField>> {
        let shown = |field: &&Arc<CustomField>| {
            field.archived_at.is_none() && content_type.is_none_or(|wanted| field.content_types.contains(&wanted))
        };
        self.fields.in_order().filter(shown).cloned().collect()
    }

    /// Creates a custom field, which must have a title.
    pub fn create_field(&mut self, draft: &CustomFieldDraft) -> Result<Arc<CustomField>, Refusal> {
        self.fields.check_ref(draft.reference.as_deref(), None)?;
        let title = draft
            .title
            .as_deref()
            .or(draft.reference.as_deref())
            .unwrap_or_default();
        let reference = draft
            .reference
            .clone()
            .unwrap_or_else(|| self.fields.generated_ref(title));
        let id = self.fields.new_id(parse_id(draft.id.as_deref())?, &reference)?;
        let new = CustomField {
            id,
            reference: reference.into(),
            title: title.into(),
            field_type: draft.field_type.unwrap_or_default(),
            content_types: vec![ContentType::User],
            options: Vec::new(),
            color: None,
            filter: false,
            show_label: false,
            multiple_choices: false,
            archived_at: None,
        };
        Ok(self.fields.put(with_draft(&new, draft)?))
    }

    /// Changes a custom field.
    pub fn update_field(&mut self, id: Uuid, draft: &CustomFieldDraft) -> Result<Arc<CustomField>, Refusal> {
        let old = self.fields.expect(&Selector::Id(id))?.clone();
        self.fields.check_ref(draft.reference.as_deref(), Some(id))?;
        if draft.field_type.is_some_and(|field_type| field_type != old.field_type) {
            return Err(Refusal::invalid("The type of a custom field cannot change."));
        }
        Ok(self.fields.put(with_draft(&old, draft)?))
    }

    /// Takes a custom field out of use, or back; false if there is none.
    pub fn archive_field(&mut self, id: Uuid, archived: bool, now: Timestamp) -> bool {
        let Some(old) = self.fields.get(id).cloned() else {
            return false;
        };
        let archived_at = archived.then(|| old.archived_at.unwrap_or(now));
        self.fields.put(CustomField {
            archived_at,
            ..(*old).clone()
        });
        true
    }
}

fn with_draft(field: &CustomField, draft: &CustomFieldDraft) -> Result<CustomField, Refusal> {
    let title = or_kept(draft.title.as_deref(), &field.title);
    check_title(Some(&title))?;
    Ok(CustomField {
        id: field.id,
        reference: or_kept(draft.reference.as_deref(), &field.reference),
        title,
        field_type: field.field_type,
        content_types: draft
            .content_types
            .clone()
            .unwrap_or_else(|| field.content_types.clone()),
        options: match &draft.options {
            Some(drafts) => new_options(field, drafts)?,
            None => field.options.clone(),
        },
        color: draft.color.as_deref().map(Arc::from).or_else(|| field.color.clone()),
        filter: draft.filter.unwrap_or(field.filter),
        show_label: draft.show_label.unwrap_or(field.show_label),
        multiple_choices: draft.multiple_choices.unwrap_or(field.multiple_choices),
        archived_at: field.archived_at,
    })
}

fn new_options(field: &CustomField, drafts: &[OptionDraft]) -> Result<Vec<FieldOption>, Refusal> {
    if !matches!(field.field_type, FieldType::Select | FieldType::Multiselect) && !drafts.is_empty() {
        return Err(Refusal::invalid("Only a choice has options."));
    }
    let mut texts = HashSet::new();
    let option = |draft: &OptionDraft| {
        if draft.text.trim().is_empty() || !texts.insert(draft.text.clone()) {
            return Err(Refusal::invalid("The options of a choice differ, and none is empty."));
        }
        let old = field.options.iter().find(|old| *old.text == *draft.text);
        Ok(FieldOption {
            id: old.map_or_else(
                || derived("option", &field.id.to_string(), &draft.text, |_| false),
                |old| old.id,
            ),
            reference: draft
                .reference
                .as_deref()
                .map(Arc::from)
                .or_else(|| old.and_then(|old| old.reference.clone())),
            text: draft.text.as_str().into(),
            color: draft
                .color
                .as_deref()
                .map(Arc::from)
                .or_else(|| old.and_then(|old| old.color.clone())),
        })
    };
    drafts.iter().map(option).collect()
}

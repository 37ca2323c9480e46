//! Custom fields.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use super::{
    BulkAction,
    caller::{Caller, look, write},
    scalars::{Color, DateTime, Uuid},
};
use crate::{
    scope::Scope,
    store::{ContentType, CustomField, CustomFieldDraft, FieldOption, FieldType, OptionDraft},
};

/// `ExtraCategory`
pub struct FieldNode(pub Arc<CustomField>);

#[Object(name = "ExtraCategory")]
impl FieldNode {
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    #[graphql(name = "ref")]
    async fn reference(&self, ctx: &Context<'_>) -> Option<&str> {
        let shown = ctx
            .data_unchecked::<Caller>()
            .organization
            .settings
            .read()
            .show_category_refs;
        shown.then_some(&self.0.reference)
    }

    async fn title(&self) -> &str {
        &self.0.title
    }

    async fn category_type(&self) -> Option<FieldType> {
        Some(self.0.field_type)
    }

    async fn for_model_types(&self) -> Option<Vec<ContentType>> {
        Some(self.0.content_types.clone())
    }

    async fn choice_options(&self) -> Option<Vec<OptionNode>> {
        Some(self.0.options.iter().map(OptionNode::from).collect())
    }

    async fn color(&self) -> Option<Color> {
        color(self.0.color.as_ref())
    }

    async fn filter(&self) -> Option<bool> {
        Some(self.0.filter)
    }

    async fn show_label(&self) -> Option<bool> {
        Some(self.0.show_label)
    }

    async fn multiple_choices(&self) -> Option<bool> {
        Some(self.0.is_multiple())
    }

    async fn archived_at(&self) -> Option<DateTime> {
        self.0.archived_at.map(DateTime)
    }

    /// Older pages let a category hold several fields: here it is one.
    #[graphql(deprecation = "old extracategory page")]
    async fn extra_fields(&self) -> Option<Vec<ExtraField>> {
        Some(vec![ExtraField {
            id: self.0.id.into(),
            key: self.0.reference.to_string(),
            label: self.0.title.to_string(),
            field_type: self.0.field_type.into(),
        }])
    }
}

#[derive(SimpleObject)]
struct ExtraField {
    id: ID,
    key: String,
    label: String,
    #[graphql(name = "type")]
    field_type: ExtraFieldType,
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "FieldType")]
enum ExtraFieldType {
    Multiselect,
    Select,
    Text,
    Number,
    Date,
    Boolean,
}

/// `ExtraCategoryChoiceOption`
#[derive(SimpleObject)]
#[graphql(name = "ExtraCategoryChoiceOption")]
pub struct OptionNode {
    id: Uuid,
    #[graphql(name = "ref")]
    reference: Option<String>,
    string_value: String,
    color: Option<Color>,
}

impl From<&FieldOption> for OptionNode {
    fn from(option: &FieldOption) -> Self {
        Self {
            id: Uuid(option.id),
            reference: option.reference.as_deref().map(str::to_owned),
            string_value: option.text.to_string(),
            color: color(option.color.as_ref()),
        }
    }
}

/// A colour that was passed through.
pub fn color(text: Option<&Arc<str>>) -> Option<Color> {
    text.map(|text| Color(text.to_string()))
}

/// Custom field queries. No scope to read them is documented, so every token may.
#[derive(Default)]
pub struct FieldQuery;

#[Object]
impl FieldQuery {
    async fn extra_categories(&self, ctx: &Context<'_>, content_type: Option<ContentType>) -> Option<Vec<FieldNode>> {
        Some(
            look(ctx, |store, _| store.find_fields(content_type))
                .into_iter()
                .map(FieldNode)
                .collect(),
        )
    }

    #[graphql(deprecation = "old extracategory page")]
    async fn extra_category(&self, ctx: &Context<'_>, id: Uuid) -> Option<FieldNode> {
        look(ctx, |store, _| store.fields().get(id.0).cloned()).map(FieldNode)
    }
}

#[derive(InputObject)]
struct ExtraCategoryChoiceOptionInput {
    string_value: String,
    color: Option<Color>,
    #[graphql(name = "ref")]
    reference: Option<String>,
}

#[derive(InputObject)]
struct ExtraCategoryInput {
    name: Option<String>,
    #[graphql(name = "ref")]
    reference: Option<String>,
    color: Option<Color>,
    filter: Option<bool>,
    show_label: Option<bool>,
    category_type: Option<FieldType>,
    for_model_types: Option<Vec<ContentType>>,
    multiple_choices: Option<bool>,
    choice_options: Option<Vec<ExtraCategoryChoiceOptionInput>>,
}

#[derive(InputObject)]
struct CreateExtraCategoryInput {
    title: String,
}

#[derive(InputObject)]
struct UpdateExtraCategoryInput {
    title: Option<String>,
}

/// The current input, with the title of the old one where it is given instead.
fn draft(input: Option<ExtraCategoryInput>, old_title: Option<String>) -> CustomFieldDraft {
    let Some(input) = input else {
        return CustomFieldDraft {
            title: old_title,
            ..CustomFieldDraft::default()
        };
    };
    let option = |option: ExtraCategoryChoiceOptionInput| OptionDraft {
        text: option.string_value,
        color: option.color.map(|color| color.0),
        reference: option.reference,
    };
    CustomFieldDraft {
        id: None,
        reference: input.reference,
        title: input.name.or(old_title),
        field_type: input.category_type,
        content_types: input.for_model_types,
        options: input
            .choice_options
            .map(|options| options.into_iter().map(option).collect()),
        color: input.color.map(|color| color.0),
        filter: input.filter,
        show_label: input.show_label,
        multiple_choices: input.multiple_choices,
    }
}

#[derive(SimpleObject)]
struct CreateExtraCategoryPayload {
    extra_category: Option<FieldNode>,
}

#[derive(SimpleObject)]
struct UpdateExtraCategoryPayload {
    extra_category: Option<FieldNode>,
}

#[derive(SimpleObject)]
struct ArchiveExtraCategoriesPayload {
    response: Option<BulkAction>,
}

/// Custom field mutations.
#[derive(Default)]
pub struct FieldMutation;

#[Object]
impl FieldMutation {
    async fn create_extra_category(
        &self,
        ctx: &Context<'_>,
        extra_category_input: Option<ExtraCategoryInput>,
        category: Option<CreateExtraCategoryInput>,
    ) -> Result<Option<CreateExtraCategoryPayload>> {
        let draft = draft(extra_category_input, category.map(|category| category.title));
        write(ctx, Scope::ExtraCategoriesWrite, |writing| {
            Ok(CreateExtraCategoryPayload {
                extra_category: Some(FieldNode(writing.store.create_field(&draft)?)),
            })
        })
    }

    async fn update_extra_category(
        &self,
        ctx: &Context<'_>,
        id: Uuid,
        extra_category_input: Option<ExtraCategoryInput>,
        category: Option<UpdateExtraCategoryInput>,
    ) -> Result<Option<UpdateExtraCategoryPayload>> {
        let draft = draft(extra_category_input, category.and_then(|category| category.title));
        write(ctx, Scope::ExtraCategoriesWrite, |writing| {
            let field = writing.store.update_field(id.0, &draft)?;
            Ok(UpdateExtraCategoryPayload {
                extra_category: Some(FieldNode(field)),
            })
        })
    }

    async fn archive_extra_categories(
        &self,
        ctx: &Context<'_>,
        archive: bool,
        ids: Vec<Uuid>,
    ) -> Result<Option<ArchiveExtraCategoriesPayload>> {
        write(ctx, Scope::ExtraCategoriesWrite, |writing| {
            let response = BulkAction::of(&ids, |id| writing.store.archive_field(id, archive, writing.now));
            Ok(ArchiveExtraCategoriesPayload {
                response: Some(response),
            })
        })
    }
}

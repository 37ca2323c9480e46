//! The values of custom fields.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, Result, SimpleObject, Union};

use super::{
    caller::{look, write},
    custom_fields::{FieldNode, OptionNode, color},
    scalars::{Color, DateTime, Uuid},
};
use crate::{
    scope::Scope,
    settings::{Texts, ValuesAnswer},
    store::{ContentType, CustomField, OptionPick, Refusal, Selector, Store, Value, ValueDraft},
};

/// `ExtraCategoryValue`
#[derive(Union)]
#[graphql(name = "ExtraCategoryValue")]
pub enum ValueNode {
    Text(TextNode),
    Moment(MomentNode),
    Choice(ChoiceNode),
    Flag(FlagNode),
}

/// `ExtraCategoryStringValue`
#[derive(SimpleObject)]
#[graphql(name = "ExtraCategoryStringValue")]
pub struct TextNode {
    category: FieldNode,
    color: Option<Color>,
    string_value: String,
    model_id: Uuid,
}

/// `ExtraCategoryDatetimeValue`
#[derive(SimpleObject)]
#[graphql(name = "ExtraCategoryDatetimeValue")]
pub struct MomentNode {
    category: FieldNode,
    color: Option<Color>,
    datetime_value: DateTime,
    model_id: Uuid,
}

/// `ExtraCategoryChoiceValue`: one for each option that is chosen.
#[derive(SimpleObject)]
#[graphql(name = "ExtraCategoryChoiceValue")]
pub struct ChoiceNode {
    category: FieldNode,
    color: Option<Color>,
    choice_value: OptionNode,
    model_id: Uuid,
}

/// `ExtraCategoryBooleanValue`
#[derive(SimpleObject)]
#[graphql(name = "ExtraCategoryBooleanValue")]
pub struct FlagNode {
    category: FieldNode,
    color: Option<Color>,
    boolean_value: bool,
    model_id: Uuid,
}

/// The values of an object.
pub fn values_of(ctx: &Context<'_>, object: uuid::Uuid) -> Vec<ValueNode> {
    look(ctx, |store, _| nodes(store, object, None))
}

fn nodes(store: &Store, object: uuid::Uuid, only: Option<&[uuid::Uuid]>) -> Vec<ValueNode> {
    let shown = |(field, _): &(&Arc<CustomField>, &Value)| only.is_none_or(|only| only.contains(&field.id));
    store
        .values(object)
        .filter(shown)
        .flat_map(|(field, value)| value_nodes(object, field, value))
        .collect()
}

fn value_nodes(object: uuid::Uuid, field: &Arc<CustomField>, value: &Value) -> Vec<ValueNode> {
    let (category, color, model_id) = (
        || FieldNode(field.clone()),
        || color(field.color.as_ref()),
        Uuid(object),
    );
    match value {
        Value::Text(text) => {
            let node = TextNode {
                category: category(),
                color: color(),
                string_value: text.to_string(),
                model_id,
            };
            vec![ValueNode::Text(node)]
        }
        Value::Moment(moment) => {
            let datetime_value = DateTime(*moment);
            vec![ValueNode::Moment(MomentNode {
                category: category(),
                color: color(),
                datetime_value,
                model_id,
            })]
        }
        Value::Flag(flag) => {
            vec![ValueNode::Flag(FlagNode {
                category: category(),
                color: color(),
                boolean_value: *flag,
                model_id,
            })]
        }
        Value::Choices(_) => value
            .chosen(field)
            .into_iter()
            .map(|option| {
                let choice_value = option.into();
                ValueNode::Choice(ChoiceNode {
                    category: category(),
                    color: color(),
                    choice_value,
                    model_id,
                })
            })
            .collect(),
    }
}

/// Names an option, by any of the three.
#[derive(InputObject)]
#[graphql(name = "ExtraCategoryChoiceValueInput")]
pub struct ChoiceInput {
    string_value: Option<String>,
    id: Option<Uuid>,
    #[graphql(name = "ref")]
    reference: Option<String>,
}

/// The options that an input names.
pub fn choices_of(choices: Vec<ChoiceInput>) -> Vec<OptionPick> {
    let pick = |choice: ChoiceInput| OptionPick {
        text: choice.string_value,
        id: choice.id.map(|id| id.0),
        reference: choice.reference,
    };
    choices.into_iter().map(pick).collect()
}

#[derive(InputObject)]
struct ExtraCategoryValueInput {
    category_id: Option<Uuid>,
    category_ref: Option<String>,
    string_value: Option<String>,
    datetime_value: Option<DateTime>,
    boolean_value: Option<bool>,
    choice_values: Option<Vec<ChoiceInput>>,
}

impl ExtraCategoryValueInput {
    fn into_draft(self, texts: Texts) -> Result<(Selector, ValueDraft), Refusal> {
        let field = Selector::exactly_one(self.category_id.map(|id| id.0), self.category_ref)?;
        let draft = ValueDraft {
            text: self.string_value.map(|text| texts.stored(text)),
            moment: self.datetime_value.map(|moment| moment.0),
            flag: self.boolean_value,
            choices: self.choice_values.map(choices_of),
        };
        Ok((field, draft))
    }
}

#[derive(SimpleObject)]
struct UpdateExtraCategoryValues {
    extra_category_values: Option<Vec<ValueNode>>,
}

/// The mutation of values.
#[derive(Default)]
pub struct ValueMutation;

#[Object]
impl ValueMutation {
    async fn update_extra_category_values(
        &self,
        ctx: &Context<'_>,
        content_type: ContentType,
        model_id: Option<Uuid>,
        model_ref: Option<String>,
        values: Vec<ExtraCategoryValueInput>,
    ) -> Result<Option<UpdateExtraCategoryValues>> {
        write(ctx, Scope::ExtraCategoriesWrite, |writing| {
            let selector = Selector::exactly_one(model_id.map(|id| id.0), model_ref)?;
            let object = writing.store.object_with_fields(content_type, &selector)?;
            let texts = writing.settings.texts;
            let drafts: Result<Vec<_>, _> = values.into_iter().map(|value| value.into_draft(texts)).collect();
            let sent = writing.store.set_values(content_type, object, &drafts?)?;
            let only = (writing.settings.values_answer == ValuesAnswer::Sent).then_some(&*sent);
            Ok(UpdateExtraCategoryValues {
                extra_category_values: Some(nodes(writing.store, object, only)),
            })
        })
    }
}

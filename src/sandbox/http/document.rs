//! What a GraphQL request asks for, before it is executed.

use async_graphql::{
    Name, Positioned,
    parser::{
        parse_query,
        types::{ExecutableDocument, FragmentDefinition, OperationDefinition, OperationType, Selection, SelectionSet},
    },
};
use serde::Deserialize;
use serde_json::Value as Json;

type Fragments = std::collections::HashMap<Name, Positioned<FragmentDefinition>>;

/// The body of a request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    /// The document.
    pub query: String,
    /// Values of its variables.
    #[serde(default)]
    pub variables: Option<Json>,
    /// Which of its operations, if there are several.
    #[serde(default)]
    pub operation_name: Option<String>,
}

/// The document of a request.
#[derive(Debug, Default)]
pub struct Document {
    /// What was parsed; nothing if it does not parse.
    pub parsed: Option<ExecutableDocument>,
    /// Whether it has mutations.
    pub mutates: bool,
    /// Its root fields, one for each alias.
    pub operations: Vec<String>,
}

impl Document {
    /// Looks into a request. What does not parse asks for nothing.
    pub fn of(body: &Body) -> Self {
        let Ok(parsed) = parse_query(&body.query) else {
            return Self::default();
        };
        let mut document = Self::default();
        if let Some(operation) = chosen(&parsed, body.operation_name.as_deref()) {
            document.mutates = operation.ty == OperationType::Mutation;
            root_fields(
                &operation.selection_set.node,
                &parsed.fragments,
                0,
                &mut document.operations,
            );
        }
        document.parsed = Some(parsed);
        document
    }
}

fn chosen<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> Option<&'a OperationDefinition> {
    let fits = |candidate: Option<&Name>| name.is_none() || candidate.map(Name::as_str) == name;
    document
        .operations
        .iter()
        .find(|(candidate, _)| fits(*candidate))
        .map(|(_, operation)| &operation.node)
}

fn root_fields(set: &SelectionSet, fragments: &Fragments, depth: usize, found: &mut Vec<String>) {
    // Fragments that contain each other are refused by validation, later.
    if depth > 16 {
        return;
    }
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) => found.push(field.node.name.node.to_string()),
            Selection::InlineFragment(fragment) => {
                root_fields(&fragment.node.selection_set.node, fragments, depth + 1, found);
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = fragments.get(&spread.node.fragment_name.node) {
                    root_fields(&fragment.node.selection_set.node, fragments, depth + 1, found);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_fields_count_once_per_alias() {
        let query =
            "mutation M { a: createUser b: createUser ...F } fragment F on Mutation { updateUser { user { id } } }";
        let body = Body {
            query: query.to_owned(),
            variables: None,
            operation_name: None,
        };
        let document = Document::of(&body);
        assert!(document.mutates);
        assert_eq!(document.operations, ["createUser", "createUser", "updateUser"]);
    }
}

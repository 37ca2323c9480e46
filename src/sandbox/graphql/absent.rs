//! Parts of the schema that are not there: a server may be older than its documentation, or not have what was only
//! assumed. They are named as the specification has it (draft, section "Schema Coordinates"): `Group.maxUsers`,
//! `Mutation.deleteGroup`, `Mutation.updateUser(id:)`, `UpdateGroupInput.maxUsers`.

use std::{collections::BTreeSet, sync::LazyLock};

use apollo_compiler::{
    ExecutableDocument, Schema,
    ast::{self, FieldDefinition},
    coordinate::SchemaCoordinate,
    executable::{Field, Selection, SelectionSet},
    validation::Valid,
};
use async_graphql::Value;
use serde::{Deserialize, Serialize};

/// The whole schema. `None` cannot be: what is served is valid, and a test of the schema says so.
static SCHEMA: LazyLock<Option<Valid<Schema>>> =
    LazyLock::new(|| Schema::parse_and_validate(super::schema().sdl(), "served.graphql").ok());

/// Parts that are not there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Absent(BTreeSet<String>);

impl TryFrom<Vec<String>> for Absent {
    type Error = String;

    fn try_from(parts: Vec<String>) -> Result<Self, String> {
        for part in &parts {
            let coordinate: SchemaCoordinate = part
                .parse()
                .map_err(|error| format!("{part} names no part of a schema: {error}"))?;
            if let Some(schema) = &*SCHEMA {
                coordinate.lookup(schema).map_err(|error| format!("{part}: {error}"))?;
            }
        }
        Ok(Self(parts.into_iter().collect()))
    }
}

impl From<Absent> for Vec<String> {
    fn from(absent: Absent) -> Self {
        absent.0.into_iter().collect()
    }
}

impl Absent {
    /// What is wrong with a document because of it, in the words of a Graphene server. Values of variables are not
    /// looked at. A document that is wrong in other ways is left to whoever executes it.
    pub fn errors(&self, document: &str) -> Vec<String> {
        let mut errors = Vec::new();
        let schema = SCHEMA.as_ref().filter(|_| !self.0.is_empty());
        let parsed = schema.and_then(|schema| ExecutableDocument::parse(schema, document, "request.graphql").ok());
        if let Some((schema, document)) = schema.zip(parsed.as_ref()) {
            let walk = Walk {
                absent: self,
                schema,
                document,
            };
            for operation in document.operations.iter() {
                walk.set(&operation.selection_set, 0, &mut errors);
            }
        }
        errors
    }

    /// Takes it out of the answer to an introspection, as far as that uses no aliases.
    pub fn hide(&self, answer: &mut Value) {
        let Value::Object(fields) = answer else { return };
        for ty in fields
            .get_mut("__schema")
            .and_then(|schema| member(schema, "types"))
            .into_iter()
            .flat_map(items)
        {
            let owner = name_of(ty).unwrap_or_default().to_owned();
            for list in ["fields", "inputFields"] {
                let Some(Value::List(fields)) = member(ty, list) else {
                    continue;
                };
                fields.retain(|field| !self.has(&owner, name_of(field).unwrap_or_default()));
                for field in fields {
                    let name = name_of(field).unwrap_or_default().to_owned();
                    if let Some(Value::List(arguments)) = member(field, "args") {
                        arguments.retain(|argument| {
                            !self.has_argument(&owner, &name, name_of(argument).unwrap_or_default())
                        });
                    }
                }
            }
        }
    }

    fn has(&self, owner: &str, name: &str) -> bool {
        self.0.contains(&format!("{owner}.{name}"))
    }

    fn has_argument(&self, owner: &str, field: &str, argument: &str) -> bool {
        self.0.contains(&format!("{owner}.{field}({argument}:)"))
    }
}

fn member<'a>(value: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    match value {
        Value::Object(members) => members.get_mut(name),
        _ => None,
    }
}

fn items(value: &mut Value) -> impl Iterator<Item = &mut Value> {
    match value {
        Value::List(items) => items.iter_mut(),
        _ => [].iter_mut(),
    }
}

fn name_of(value: &Value) -> Option<&str> {
    match value {
        Value::Object(members) => match members.get("name")? {
            Value::String(name) => Some(name),
            _ => None,
        },
        _ => None,
    }
}

struct Walk<'a> {
    absent: &'a Absent,
    schema: &'a Schema,
    document: &'a ExecutableDocument,
}

impl Walk<'_> {
    fn set(&self, set: &SelectionSet, depth: usize, errors: &mut Vec<String>) {
        // Fragments that contain each other are refused by validation, later.
        if depth > 16 {
            return;
        }
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => {
                    self.field(&set.ty, field, errors);
                    self.set(&field.selection_set, depth + 1, errors);
                }
                Selection::InlineFragment(fragment) => self.set(&fragment.selection_set, depth + 1, errors),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.fragment_name) {
                        self.set(&fragment.selection_set, depth + 1, errors);
                    }
                }
            }
        }
    }

    fn field(&self, owner: &str, field: &Field, errors: &mut Vec<String>) {
        let name = &field.name;
        if self.absent.has(owner, name) {
            errors.push(format!("Cannot query field '{name}' on type '{owner}'."));
            return;
        }
        for argument in &field.arguments {
            if self.absent.has_argument(owner, name, &argument.name) {
                errors.push(format!(
                    "Unknown argument '{}' on field '{owner}.{name}'.",
                    argument.name
                ));
            } else if let Some(ty) = type_of_argument(&field.definition, &argument.name) {
                self.value(ty, &argument.value, errors);
            }
        }
    }

    fn value(&self, ty: &str, value: &ast::Value, errors: &mut Vec<String>) {
        match value {
            ast::Value::List(items) => items.iter().for_each(|item| self.value(ty, item, errors)),
            ast::Value::Object(fields) => {
                for (name, value) in fields {
                    if self.absent.has(ty, name) {
                        errors.push(format!("Field '{name}' is not defined by type '{ty}'."));
                    }
                    let input = self
                        .schema
                        .get_input_object(ty)
                        .and_then(|input| input.fields.get(name));
                    if let Some(input) = input {
                        self.value(input.ty.inner_named_type(), value, errors);
                    }
                }
            }
            _ => {}
        }
    }
}

fn type_of_argument<'a>(field: &'a FieldDefinition, name: &str) -> Option<&'a str> {
    field
        .argument_by_name(name)
        .map(|argument| argument.ty.inner_named_type().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn absent(parts: &[&str]) -> Absent {
        Absent::try_from(parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn only_parts_of_the_schema_can_be_absent() {
        for part in ["Group.maxUser", "Grupe.maxUsers", "Mutation.updateUser(idd:)", "a b"] {
            let error = Absent::try_from(vec![part.to_owned()]).unwrap_err();
            assert!(error.starts_with(part), "{error}");
        }
    }

    #[test]
    fn a_document_that_uses_what_is_absent_is_refused_by_name() {
        let absent = absent(&[
            "Group.maxUsers",
            "Mutation.deleteGroup",
            "Mutation.updateUser(id:)",
            "UpdateGroupInput.maxUsers",
        ]);
        let cases = [
            ("{ group(ref: \"a\") { id name } }", ""),
            (
                "{ q0: group(ref: \"a\") { ...G } } fragment G on Group { maxUsers }",
                "Cannot query field 'maxUsers' on type 'Group'.",
            ),
            (
                "mutation { m0: deleteGroup(id: \"a\") { ok } }",
                "Cannot query field 'deleteGroup' on type 'Mutation'.",
            ),
            (
                "mutation { updateUser(id: \"a\", user: {name: \"b\"}) { user { id } } }",
                "Unknown argument 'id' on field 'Mutation.updateUser'.",
            ),
            (
                "mutation { updateUser(ref: \"a\", user: {name: \"b\"}) { user { id } } }",
                "",
            ),
            (
                "mutation { updateGroup(ref: \"a\", group: {maxUsers: 3}) { group { id } } }",
                "Field 'maxUsers' is not defined by type 'UpdateGroupInput'.",
            ),
        ];
        for (document, error) in cases {
            assert_eq!(absent.errors(document).join(" "), error, "{document}");
        }
    }
}

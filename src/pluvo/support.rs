//! What the server at hand does not know of the documented schema.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use apollo_compiler::Name;
use serde::Deserialize;
use serde_json::Value;

use super::{
    operation::{Access, Argument, DecodeError, Operation, Select},
    response::GraphqlError,
};

/// Asks for the whole schema, by name only. Four levels of `ofType` unwrap `[[T!]!]!` with one to spare.
pub(super) const INTROSPECTION: &str = "query { __schema { queryType { name } mutationType { name } types { name \
    fields(includeDeprecated: true) { name args { name type { ...T } } type { ...T } } \
    inputFields { name type { ...T } } } } } \
    fragment T on __Type { name ofType { name ofType { name ofType { name ofType { name } } } } }";

/// The parts of the schema that a server does not have, each as an owner and a name.
///
/// | part | owner | name |
/// |---|---|---|
/// | field of a type | `ExtraCategory` | `ref` |
/// | root field | `Mutation` | `removeUsersFromTraining` |
/// | argument | `updateUser` | `id` |
/// | field of an inline input object | `updateGroup.group` | `maxUsers` |
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unsupported(BTreeSet<(String, String)>);

impl Unsupported {
    /// Adds a part; whether it is new.
    pub fn insert(&mut self, owner: impl Into<String>, name: impl Into<String>) -> bool {
        self.0.insert((owner.into(), name.into()))
    }

    /// Whether the server lacks this part.
    #[must_use]
    pub fn contains(&self, owner: &str, name: &str) -> bool {
        self.0.iter().any(|part| part.0 == owner && part.1 == name)
    }

    /// Whether nothing is known to be missing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first part without which an operation cannot be sent, as [`names`](Self::names) has it; `None`: nothing
    /// that it needs is known to be missing.
    #[must_use]
    pub fn blocks(&self, operation: &Operation) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        let mut parts = vec![(root_owner(operation.kind).to_owned(), operation.field)];
        input_parts(operation.field, &operation.arguments, &mut parts);
        let missing = parts.into_iter().find(|(owner, name)| self.contains(owner, name));
        missing.map(|(owner, name)| format!("{owner}.{name}"))
    }

    /// Adds what the errors of a rejected document say about its operations.
    ///
    /// The type in an error is the server's name for it. An optional field of that name is dropped under whatever
    /// type we have it: the cost of an error is one field less, not a failed page.
    pub(super) fn learn(&mut self, errors: &[GraphqlError], operations: &[Operation]) {
        let mut optional = BTreeSet::new();
        for operation in operations {
            optionals(operation.selection, &mut optional);
        }
        for (ty, name) in errors.iter().filter_map(|error| unknown_field(&error.message)) {
            let root = operations.iter().find(|operation| operation.field == name);
            let same_name: Vec<_> = optional.iter().filter(|part| part.1 == name).collect();
            match (root, &same_name[..]) {
                (_, [_, ..]) => self
                    .0
                    .extend(same_name.iter().map(|(ty, name)| ((*ty).into(), (*name).into()))),
                (Some(operation), []) => drop(self.insert(root_owner(operation.kind), name)),
                (None, []) => drop(self.insert(ty, name)),
            }
        }
        let mut inputs = Vec::new();
        for operation in operations {
            input_parts(operation.field, &operation.arguments, &mut inputs);
        }
        for part in errors.iter().filter_map(|error| unknown_input(&error.message)) {
            let lacking = inputs.iter().filter(|(owner, name)| part.is(owner, name));
            self.0
                .extend(lacking.map(|(owner, name)| (owner.clone(), (*name).to_owned())));
        }
    }

    /// Each part as `owner.name`, in order: for the status of a connection.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(owner, name)| format!("{owner}.{name}"))
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().collect::<Vec<_>>().join(", "))
    }
}

fn root_owner(kind: Access) -> &'static str {
    match kind {
        Access::Read => "Query",
        Access::Write => "Mutation",
    }
}

/// The arguments of an operation and the fields of its input objects, each with the path to it as owner.
fn input_parts(owner: &str, arguments: &[(&'static str, Argument)], parts: &mut Vec<(String, &'static str)>) {
    for (name, value) in arguments {
        parts.push((owner.to_owned(), name));
        for fields in value.objects() {
            input_parts(&format!("{owner}.{name}"), fields, parts);
        }
    }
}

fn optionals(selects: &[Select], parts: &mut BTreeSet<(&'static str, &'static str)>) {
    for select in selects {
        match select {
            Select::Field { name, of, optional } => {
                parts.extend(optional.map(|ty| (ty, *name)));
                optionals(of, parts);
            }
            Select::On { of, .. } => optionals(of, parts),
        }
    }
}

/// Type and field of an error about an unknown field, in the words of the common servers: `Cannot query field "f" on
/// type "T"` (GraphQL.js, Graphene, with either kind of quotes) and `Unknown field "f" on type "T"`.
fn unknown_field(message: &str) -> Option<(&str, &str)> {
    let mut parts = message.split(['"', '\'']);
    let (verb, field, on_type, ty) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let about_a_field = ["Cannot query field ", "Unknown field "].contains(&verb) && on_type == " on type ";
    let names = Name::is_valid_syntax(field) && Name::is_valid_syntax(ty);
    (about_a_field && names).then_some((ty, field))
}

/// A part of what is sent that a server does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UnknownInput<'a> {
    /// An argument of a root field.
    Argument { field: &'a str, name: &'a str },
    /// A field of an input object, whose type has no name here.
    Field(&'a str),
}

impl UnknownInput<'_> {
    /// Whether this is about the part that is called so here.
    fn is(self, owner: &str, name: &str) -> bool {
        match self {
            Self::Argument { field, name: unknown } => owner == field && name == unknown,
            Self::Field(unknown) => owner.contains('.') && name == unknown,
        }
    }
}

/// What an error about an unknown argument or input field names, in the words of the common servers: `Unknown argument
/// "a" on field "Query.f"` and `... on field "f" of type "Query"`, `Field "i" is not defined by type "T"` and
/// `In field "i": Unknown field`.
fn unknown_input(message: &str) -> Option<UnknownInput<'_>> {
    let parts: Vec<_> = message.split(['"', '\'']).collect();
    match parts[..] {
        ["Unknown argument ", name, " on field ", field, ..] => Some(UnknownInput::Argument {
            field: field.rsplit('.').next().unwrap_or(field),
            name,
        }),
        ["Field ", name, " is not defined by type ", ..] => Some(UnknownInput::Field(name)),
        _ => {
            let behind = parts.windows(2).find(|pair| pair[1].starts_with(": Unknown field"));
            behind.map(|pair| UnknownInput::Field(pair[0]))
        }
    }
}

/// What a server's schema lacks of what operations use.
pub(super) fn compare(schema: Value, operations: &[Operation]) -> Result<Unsupported, DecodeError> {
    let schema: Schema = serde_json::from_value(schema).map_err(|_| DecodeError {
        field: "__schema",
        what: "not an introspection".to_owned(),
    })?;
    let types = schema
        .types
        .into_iter()
        .filter_map(|ty| Some((ty.name.clone()?, ty)))
        .collect();
    let mut comparison = Comparison {
        types,
        missing: Unsupported::default(),
    };
    for operation in operations {
        let (owner, root) = match operation.kind {
            Access::Read => ("Query", &schema.query_type),
            Access::Write => ("Mutation", &schema.mutation_type),
        };
        let root = root.as_ref().and_then(|root| root.name.as_deref());
        comparison.operation(owner, root, operation);
    }
    Ok(comparison.missing)
}

/// `None` for a list that a type has not: introspection gives an enum no fields, and an object no input fields.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Schema {
    query_type: Option<TypeRef>,
    mutation_type: Option<TypeRef>,
    types: Vec<TypeInfo>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TypeInfo {
    name: Option<String>,
    fields: Option<Vec<FieldInfo>>,
    input_fields: Option<Vec<FieldInfo>>,
}

#[derive(Clone, Deserialize)]
struct FieldInfo {
    name: String,
    #[serde(default)]
    args: Vec<FieldInfo>,
    #[serde(rename = "type")]
    ty: TypeRef,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TypeRef {
    name: Option<String>,
    of_type: Option<Box<TypeRef>>,
}

impl TypeRef {
    /// Without the lists and non-nulls around it.
    fn named(&self) -> Option<&str> {
        self.name.as_deref().or_else(|| self.of_type.as_ref()?.named())
    }
}

struct Comparison {
    types: BTreeMap<String, TypeInfo>,
    missing: Unsupported,
}

impl Comparison {
    fn operation(&mut self, owner: &str, root: Option<&str>, operation: &Operation) {
        let Some(field) = self.fields(root).and_then(|fields| find(&fields, operation.field)) else {
            self.missing.insert(owner, operation.field);
            return;
        };
        self.inputs(operation.field, Some(field.args), &operation.arguments);
        self.outputs(field.ty.named(), operation.selection);
    }

    fn inputs(&mut self, owner: &str, known: Option<Vec<FieldInfo>>, used: &[(&'static str, Argument)]) {
        let Some(known) = known else { return };
        for (name, value) in used {
            let Some(input) = find(&known, name) else {
                self.missing.insert(owner, *name);
                continue;
            };
            for fields in value.objects() {
                let ty = input.ty.named().and_then(|name| self.types.get(name));
                let known = ty.and_then(|ty| ty.input_fields.clone());
                self.inputs(&format!("{owner}.{name}"), known, fields);
            }
        }
    }

    fn outputs(&mut self, ty: Option<&str>, selects: &[Select]) {
        let known = self.fields(ty);
        for select in selects {
            match select {
                Select::On { ty, of } => self.outputs(Some(ty), of),
                Select::Field { name: "__typename", .. } => {}
                Select::Field { name, of, optional } => {
                    // A type without fields is a union or unknown to the server; there is nothing to compare with.
                    let Some(known) = &known else { continue };
                    match find(known, name) {
                        Some(field) => self.outputs(field.ty.named(), of),
                        None => drop(self.missing.insert(optional.or(ty).unwrap_or_default(), *name)),
                    }
                }
            }
        }
    }

    fn fields(&self, ty: Option<&str>) -> Option<Vec<FieldInfo>> {
        self.types.get(ty?)?.fields.clone()
    }
}

fn find(fields: &[FieldInfo], name: &str) -> Option<FieldInfo> {
    fields.iter().find(|field| field.name == name).cloned()
}

#[cfg(test)]
mod tests;

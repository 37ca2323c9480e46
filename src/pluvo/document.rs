//! Documents: any number of operations in one request.

use std::fmt;

use apollo_compiler::{
    Name, Node,
    ast::{self, Definition, OperationDefinition, OperationType, Selection, Type, VariableDefinition},
};
use serde_json::{Map, Value, json};

use super::{
    operation::{Access, Argument, Operation, Select},
    support::Unsupported,
};

/// A GraphQL document with its variables, ready to be sent.
#[derive(Clone)]
pub struct Document {
    /// Query or mutation.
    pub kind: Access,
    /// The printed document.
    pub text: String,
    /// The values of its variables: all data is here, none in the text.
    pub variables: Map<String, Value>,
    /// Not to be repeated if it fails: what is asked is whether the server answers at all.
    pub once: bool,
    /// What it was made of, in the order of the aliases, so that it can be made again without a field.
    pub(super) operations: Vec<Operation>,
}

/// The name under which the operation at `index` is answered: `q0`, `q1`, ... and `m0`, `m1`, ...
#[must_use]
pub fn alias(kind: Access, index: usize) -> String {
    match kind {
        Access::Read => format!("q{index}"),
        Access::Write => format!("m{index}"),
    }
}

impl Document {
    /// Prints operations of one kind as one document, each under its [`alias`], without the optional fields that the
    /// server does not know.
    ///
    /// The root fields of a mutation are executed in the order of `operations`, one after the other (GraphQL, 6.2.2).
    #[must_use]
    pub fn of(kind: Access, operations: &[Operation], unsupported: &Unsupported) -> Self {
        debug_assert!(
            operations.iter().all(|operation| operation.kind == kind),
            "one kind in a document"
        );
        let mut printer = Printer {
            unsupported,
            definitions: Vec::new(),
            values: Map::new(),
            alias: String::new(),
        };
        let selection_set = operations
            .iter()
            .enumerate()
            .map(|(index, operation)| printer.root(alias(kind, index), operation))
            .collect();
        let definition = OperationDefinition {
            operation_type: match kind {
                Access::Read => OperationType::Query,
                Access::Write => OperationType::Mutation,
            },
            name: None,
            variables: printer.definitions,
            directives: ast::DirectiveList::default(),
            selection_set,
        };
        let mut document = ast::Document::new();
        document
            .definitions
            .push(Definition::OperationDefinition(Node::new(definition)));
        let text = document.serialize().no_indent().to_string();
        Self {
            kind,
            text,
            variables: printer.values,
            once: false,
            operations: operations.to_vec(),
        }
    }

    /// A query that is not made of operations.
    pub(super) fn raw(text: String) -> Self {
        Self {
            kind: Access::Read,
            text,
            variables: Map::new(),
            once: false,
            operations: Vec::new(),
        }
    }

    /// The same operations for a server of which more is known.
    pub(super) fn again(&self, unsupported: &Unsupported) -> Option<Self> {
        let again = Self {
            once: self.once,
            ..Self::of(self.kind, &self.operations, unsupported)
        };
        (!self.operations.is_empty() && again.text != self.text).then_some(again)
    }

    /// How many operations it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether it holds none; such a document is not valid GraphQL and must not be sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// The body of the request (developers/getting-started).
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        json!({"query": self.text, "variables": self.variables})
            .to_string()
            .into_bytes()
    }
}

/// Without the variables, which are personal data.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("text", &self.text)
            .finish_non_exhaustive()
    }
}

struct Printer<'a> {
    unsupported: &'a Unsupported,
    definitions: Vec<Node<VariableDefinition>>,
    values: Map<String, Value>,
    alias: String,
}

impl Printer<'_> {
    fn root(&mut self, alias: String, operation: &Operation) -> Selection {
        self.alias = alias;
        let arguments = operation.arguments.iter().map(|(name, value)| {
            Node::new(ast::Argument {
                name: Name::new_static_unchecked(name),
                value: Node::new(self.value(value)),
            })
        });
        let arguments = arguments.collect();
        Selection::Field(Node::new(ast::Field {
            alias: Some(Name::new_unchecked(&self.alias)),
            name: Name::new_static_unchecked(operation.field),
            arguments,
            directives: ast::DirectiveList::default(),
            selection_set: self.selection(operation.selection),
        }))
    }

    fn value(&mut self, argument: &Argument) -> ast::Value {
        match argument {
            Argument::Variable { scalar, list, value } => {
                let ty = Type::NonNullNamed(Name::new_static_unchecked(scalar.name()));
                let ty = if *list { Type::NonNullList(Box::new(ty)) } else { ty };
                ast::Value::Variable(self.variable(ty, value.clone()))
            }
            Argument::Int(number) => (*number).into(),
            // Not a name: as text it is refused by the server, instead of becoming part of the document.
            Argument::Enum(value) => match Name::new(&value.0) {
                Ok(name) => ast::Value::Enum(name),
                Err(_) => ast::Value::String(value.0.to_string()),
            },
            Argument::List(items) => ast::Value::List(items.iter().map(|item| Node::new(self.value(item))).collect()),
            Argument::Object(fields) => ast::Value::Object(
                fields
                    .iter()
                    .map(|(name, value)| (Name::new_static_unchecked(name), Node::new(self.value(value))))
                    .collect(),
            ),
        }
    }

    fn variable(&mut self, ty: Type, value: Value) -> Name {
        let name = format!("{}_{}", self.alias, self.definitions.len());
        let definition = VariableDefinition {
            name: Name::new_unchecked(&name),
            ty: Node::new(ty),
            default_value: None,
            directives: ast::DirectiveList::default(),
        };
        self.definitions.push(Node::new(definition));
        let variable = Name::new_unchecked(&name);
        self.values.insert(name, value);
        variable
    }

    fn selection(&self, selects: &[Select]) -> Vec<Selection> {
        selects.iter().filter_map(|select| self.select(select)).collect()
    }

    fn select(&self, select: &Select) -> Option<Selection> {
        match select {
            Select::Field {
                name,
                optional: Some(ty),
                ..
            } if self.unsupported.contains(ty, name) => None,
            Select::Field { name, of, .. } => Some(Selection::Field(Node::new(ast::Field {
                alias: None,
                name: Name::new_static_unchecked(name),
                arguments: Vec::new(),
                directives: ast::DirectiveList::default(),
                selection_set: self.selection(of),
            }))),
            Select::On { ty, of } => Some(Selection::InlineFragment(Node::new(ast::InlineFragment {
                type_condition: Some(Name::new_static_unchecked(ty)),
                directives: ast::DirectiveList::default(),
                selection_set: self.selection(of),
            }))),
        }
    }
}

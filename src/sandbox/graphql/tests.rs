//! What is served is what is documented.

use apollo_compiler::{
    Name, Node, Schema,
    ast::InputValueDefinition,
    collections::IndexMap,
    schema::{Component, ExtendedType, FieldDefinition},
};

type Fields = IndexMap<Name, Component<FieldDefinition>>;

#[test]
fn everything_documented_is_served_and_nothing_else() {
    let served = Schema::parse_and_validate(super::schema().sdl(), "served").expect("a schema");
    let documented = include_str!("../../pluvo/schema.graphql");
    let documented = Schema::parse_and_validate(documented, "documented").expect("a schema");
    let mut problems = Vec::new();
    for (name, served) in served.types.iter().filter(|(_, served)| !served.is_built_in()) {
        match documented.types.get(name) {
            Some(documented) => compare(name, served, documented, &mut problems),
            None => problems.push(format!("type {name} is not documented")),
        }
    }
    let missing = documented.types.keys().filter(|name| !served.types.contains_key(*name));
    problems.extend(missing.map(|name| format!("type {name} is not served")));
    assert!(problems.is_empty(), "{problems:#?}");
}

fn compare(name: &str, served: &ExtendedType, documented: &ExtendedType, problems: &mut Vec<String>) {
    match (served, documented) {
        (ExtendedType::Scalar(_), ExtendedType::Scalar(_)) => {}
        (ExtendedType::Object(served), ExtendedType::Object(documented)) => {
            compare_fields(name, &served.fields, &documented.fields, problems);
        }
        (ExtendedType::InputObject(served), ExtendedType::InputObject(documented)) => {
            for (field, input) in &served.fields {
                compare_input(
                    &format!("{name}.{field}"),
                    input,
                    documented.fields.get(field).map(|f| &f.node),
                    problems,
                );
            }
            for (field, input) in &documented.fields {
                if !served.fields.contains_key(field) {
                    problems.push(format!("{name}.{field} ({}) is not taken", input.ty));
                }
            }
        }
        (ExtendedType::Enum(served), ExtendedType::Enum(documented)) => {
            if !served.values.keys().all(|value| documented.values.contains_key(value)) {
                problems.push(format!("enum {name} has values of its own"));
            }
        }
        (ExtendedType::Union(served), ExtendedType::Union(documented)) => {
            if served.members != documented.members {
                problems.push(format!("union {name} differs"));
            }
        }
        _ => problems.push(format!("type {name} is of another kind")),
    }
}

fn compare_fields(name: &str, served: &Fields, documented: &Fields, problems: &mut Vec<String>) {
    for field in documented.keys().filter(|field| !served.contains_key(*field)) {
        let label = format!("{name}.{field}");
        problems.push(format!("{label} is not served"));
    }
    for (field, served) in served {
        let Some(documented) = documented.get(field) else {
            problems.push(format!("{name}.{field} is not documented"));
            continue;
        };
        if served.ty != documented.ty {
            problems.push(format!(
                "{name}.{field}: {} is documented as {}",
                served.ty, documented.ty
            ));
        }
        for argument in &served.arguments {
            let label = format!("{name}.{field}({})", argument.name);
            compare_input(&label, argument, documented.argument_by_name(&argument.name), problems);
        }
        for argument in &documented.arguments {
            if served.argument_by_name(&argument.name).is_none() {
                problems.push(format!("{name}.{field}({}) is not taken", argument.name));
            }
        }
    }
}

fn compare_input(
    label: &str,
    served: &InputValueDefinition,
    documented: Option<&Node<InputValueDefinition>>,
    problems: &mut Vec<String>,
) {
    match documented {
        None => problems.push(format!("{label} is not documented")),
        Some(documented) if served.ty != documented.ty || served.default_value != documented.default_value => {
            problems.push(format!("{label}: {served} is documented as {documented}"));
        }
        Some(_) => {}
    }
}

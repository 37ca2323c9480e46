//! Whether an API server would take an object in: the schema of its CustomResourceDefinition, rules included.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use kube::core::cel::{CompiledSchema, Validator, apply_defaults, compile_schema};
use parking_lot::Mutex;
use regex::Regex;
use serde_json::{Map, Value, json};

use crate::api;

/// What is wrong at which path, such as `spec.email`.
pub type Violation = (String, String);

/// The schemas of all our kinds.
pub struct Schemas {
    kinds: HashMap<String, Schema>,
    rules: Validator,
    patterns: Mutex<HashMap<String, Option<Regex>>>,
}

struct Schema {
    structure: Value,
    rules: CompiledSchema,
}

impl Schemas {
    /// Of the definitions that are written to `crds/`; they are compiled once.
    pub fn get() -> &'static Self {
        static SCHEMAS: LazyLock<Schemas> = LazyLock::new(Schemas::compile);
        &SCHEMAS
    }

    fn compile() -> Self {
        let kinds = api::crds().into_iter().filter_map(|crd| {
            let kind = crd.spec.names.kind;
            let version = crd.spec.versions.into_iter().next()?;
            let mut structure = serde_json::to_value(version.schema?.open_api_v3_schema?).ok()?;
            // What every object has stands in no definition.
            for (name, ty) in [("apiVersion", "string"), ("kind", "string"), ("metadata", "object")] {
                structure["properties"][name] = json!({ "type": ty });
            }
            let rules = compile_schema(&structure);
            Some((kind, Schema { structure, rules }))
        });
        Self {
            kinds: kinds.collect(),
            rules: Validator::new(),
            patterns: Mutex::default(),
        }
    }

    /// Whether this is one of our kinds.
    pub fn knows(&self, kind: &str) -> bool {
        self.kinds.contains_key(kind)
    }

    /// All our kinds.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.kinds.keys().map(String::as_str)
    }

    /// The object with the defaults of its kind, or everything for which an API server would refuse it.
    pub fn accept(&self, kind: &str, object: &Value) -> Result<Value, Vec<Violation>> {
        let Some(schema) = self.kinds.get(kind) else {
            return Err(vec![("kind".to_owned(), format!("{kind} is none of ours"))]);
        };
        let mut violations = metadata(object.get("metadata").unwrap_or(&Value::Null));
        self.check(&schema.structure, object, "", &mut violations);
        let object = apply_defaults(&schema.structure, object);
        if violations.is_empty() {
            violations = self.broken_rules(schema, &object, None);
        }
        if violations.is_empty() {
            Ok(object)
        } else {
            Err(violations)
        }
    }

    /// Everything for which an API server would refuse to replace one accepted object by another.
    pub fn refuse_update(&self, kind: &str, before: &Value, after: &Value) -> Vec<Violation> {
        let schema = self.kinds.get(kind);
        schema
            .map(|schema| self.broken_rules(schema, after, Some(before)))
            .unwrap_or_default()
    }

    fn broken_rules(&self, schema: &Schema, object: &Value, before: Option<&Value>) -> Vec<Violation> {
        let Err(errors) = self.rules.validate_compiled(&schema.rules, object, before) else {
            return Vec::new();
        };
        errors
            .into_iter()
            .map(|error| (error.field_path, error.message))
            .collect()
    }

    fn check(&self, schema: &Value, value: &Value, path: &str, out: &mut Vec<Violation>) {
        if value.is_null() && schema["nullable"] == true {
            return;
        }
        let before = out.len();
        match (schema["type"].as_str().unwrap_or_default(), value) {
            ("object", Value::Object(members)) => self.check_object(schema, members, path, out),
            ("array", Value::Array(items)) => self.check_array(schema, items, path, out),
            ("string", Value::String(text)) => self.check_string(schema, text, path, out),
            ("integer", Value::Number(number)) if number.is_i64() || number.is_u64() => {
                check_range(schema, value, path, out);
            }
            ("number", Value::Number(_)) => check_range(schema, value, path, out),
            ("boolean", Value::Bool(_)) | ("", _) => {}
            (wanted, _) => {
                let hint = if wanted == "string" && !value.is_object() && !value.is_array() {
                    "; put it in quotes"
                } else {
                    ""
                };
                let message = format!("must be of type {wanted}, not {}{hint}", type_of(value));
                out.push((path.to_owned(), message));
            }
        }
        let allowed = schema["enum"].as_array().filter(|_| out.len() == before);
        if let Some(allowed) = allowed.filter(|allowed| !allowed.contains(value)) {
            let names: Vec<_> = allowed.iter().filter_map(Value::as_str).collect();
            out.push((path.to_owned(), format!("must be one of {}", names.join(", "))));
        }
    }

    fn check_object(&self, schema: &Value, members: &Map<String, Value>, path: &str, out: &mut Vec<Violation>) {
        let properties = schema["properties"].as_object();
        for name in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if !members.contains_key(name) {
                out.push((join(path, name), "is required".to_owned()));
            }
        }
        for (name, value) in members {
            let path = join(path, name);
            match (
                properties.and_then(|properties| properties.get(name)),
                &schema["additionalProperties"],
            ) {
                (Some(schema), _) => self.check(schema, value, &path, out),
                (None, rest @ Value::Object(_)) => self.check(rest, value, &path, out),
                // Of `metadata` the schema says nothing.
                (None, _) if properties.is_none() => {}
                (None, _) => out.push((path, unknown(name, properties))),
            }
        }
    }

    fn check_array(&self, schema: &Value, items: &[Value], path: &str, out: &mut Vec<Violation>) {
        check_length(schema, ["minItems", "maxItems"], items.len(), "entries", path, out);
        for (index, item) in items.iter().enumerate() {
            self.check(&schema["items"], item, &format!("{path}[{index}]"), out);
        }
        let mut seen = HashSet::new();
        for (index, item) in items.iter().enumerate() {
            let identity = match schema["x-kubernetes-list-type"].as_str() {
                Some("set") => item.to_string(),
                Some("map") => {
                    let keys = schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten();
                    keys.filter_map(Value::as_str)
                        .map(|key| item[key].to_string())
                        .collect()
                }
                _ => return,
            };
            if !seen.insert(identity) {
                out.push((format!("{path}[{index}]"), "is there twice".to_owned()));
            }
        }
    }

    fn check_string(&self, schema: &Value, text: &str, path: &str, out: &mut Vec<Violation>) {
        check_length(
            schema,
            ["minLength", "maxLength"],
            text.chars().count(),
            "characters",
            path,
            out,
        );
        if let Some(pattern) = schema["pattern"].as_str()
            && !self.matches(pattern, text)
        {
            out.push((path.to_owned(), format!("must match {pattern}")));
        }
        if schema["format"] == "date-time" && text.parse::<jiff::Timestamp>().is_err() {
            let message = "must be a point in time with its offset, such as 2026-09-01T00:00:00+02:00";
            out.push((path.to_owned(), message.to_owned()));
        }
    }

    /// A pattern that cannot be understood refuses nothing: the API server has the last word.
    fn matches(&self, pattern: &str, text: &str) -> bool {
        let mut patterns = self.patterns.lock();
        let regex = patterns
            .entry(pattern.to_owned())
            .or_insert_with(|| Regex::new(pattern).ok());
        regex.as_ref().is_none_or(|regex| regex.is_match(text))
    }
}

fn check_length(schema: &Value, [min, max]: [&str; 2], length: usize, of: &str, path: &str, out: &mut Vec<Violation>) {
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    if let Some(min) = schema[min].as_u64().filter(|min| length < *min) {
        out.push((
            path.to_owned(),
            format!("must have at least {min} {of}, and has {length}"),
        ));
    }
    if let Some(max) = schema[max].as_u64().filter(|max| length > *max) {
        out.push((
            path.to_owned(),
            format!("must have at most {max} {of}, and has {length}"),
        ));
    }
}

fn check_range(schema: &Value, value: &Value, path: &str, out: &mut Vec<Violation>) {
    let number = value.as_f64().unwrap_or_default();
    if let Some(min) = schema["minimum"].as_f64().filter(|min| number < *min) {
        out.push((path.to_owned(), format!("must be at least {min}")));
    }
    if let Some(max) = schema["maximum"].as_f64().filter(|max| number > *max) {
        out.push((path.to_owned(), format!("must be at most {max}")));
    }
}

fn unknown(name: &str, known: Option<&Map<String, Value>>) -> String {
    let near = known
        .into_iter()
        .flat_map(Map::keys)
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((_, near)) => format!("is unknown; there is {near}"),
        None => "is unknown".to_owned(),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// What every object's metadata must satisfy: names that can be part of an address, and texts as labels.
fn metadata(metadata: &Value) -> Vec<Violation> {
    let mut out = Vec::new();
    match metadata["name"].as_str() {
        None => out.push(("metadata.name".to_owned(), "is required".to_owned())),
        Some(name) if !is_dns_name(name, 253, true) => out.push((
            "metadata.name".to_owned(),
            "must be lower-case letters, digits, hyphens and dots, with a letter or digit at both ends".to_owned(),
        )),
        Some(_) => {}
    }
    match &metadata["namespace"] {
        Value::Null => {}
        Value::String(name) if is_dns_name(name, 63, false) => {}
        _ => out.push((
            "metadata.namespace".to_owned(),
            "must be lower-case letters, digits and hyphens, with a letter or digit at both ends".to_owned(),
        )),
    }
    for part in ["labels", "annotations"] {
        for (key, value) in metadata[part].as_object().into_iter().flatten() {
            let path = format!("metadata.{part}.{key}");
            match value.as_str() {
                None => out.push((path, format!("must be of type string, not {}; put it in quotes", type_of(value)))),
                Some(text) if part == "labels" && !is_label_value(text) => out.push((
                    path,
                    "must be at most 63 letters, digits, hyphens, underscores and dots, with a letter or digit at both ends"
                        .to_owned(),
                )),
                Some(_) => {}
            }
        }
    }
    out
}

fn is_dns_name(name: &str, longest: usize, dots: bool) -> bool {
    let is_label = |label: &str| {
        let ends = [label.chars().next(), label.chars().next_back()];
        ends.iter().all(|end| end.is_some_and(|c| c != '-'))
            && label
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    name.len() <= longest
        && if dots {
            name.split('.').all(is_label)
        } else {
            is_label(name)
        }
}

fn is_label_value(text: &str) -> bool {
    let ends = [text.chars().next(), text.chars().next_back()];
    text.len() <= 63
        && ends.iter().flatten().all(char::is_ascii_alphanumeric)
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn user(change: impl FnOnce(&mut Value)) -> Value {
        let mut user = json!({
            "apiVersion": "pluvo.dev/v1alpha1", "kind": "PluvoUser", "metadata": {"name": "emp-1"},
            "spec": {"ref": "EMP-1", "email": "jane@example.com", "name": "Jane"},
        });
        change(&mut user);
        user
    }

    fn violations(kind: &str, object: &Value) -> Vec<String> {
        let refused = Schemas::get().accept(kind, object).err().unwrap_or_default();
        refused
            .into_iter()
            .map(|(path, message)| format!("{path}: {message}"))
            .collect()
    }

    #[test]
    fn what_is_right_gets_its_defaults() {
        let accepted = Schemas::get().accept("PluvoUser", &user(|_| {})).unwrap();
        assert_eq!(accepted["spec"]["mode"], "Correct");
        assert_eq!(accepted["spec"]["deletionPolicy"], "Archive");
        assert_eq!(accepted["spec"]["connectionRef"]["name"], "default");
    }

    #[rstest]
    #[case("/spec/emial", json!("x"), "spec.emial: is unknown; there is email")]
    #[case("/spec/email", json!("jane"), "spec.email: email must be an address such as jane.doe@example.com")]
    #[case("/spec/name", json!("x".repeat(300)), "spec.name: must have at most 255 characters, and has 300")]
    #[case("/spec/name", json!(false), "spec.name: must be of type string, not boolean; put it in quotes")]
    #[case("/spec/ref", json!(" EMP-1"), r"spec.ref: must match ^[^\s\pC]([^\pC]*[^\s\pC])?$")]
    #[case("/spec/roles", json!(["BOSS"]), "spec.roles[0]: must be one of PARTICIPANT, TRAINER, MANAGER")]
    #[case("/spec/roles", json!(["TRAINER", "TRAINER"]), "spec.roles[1]: is there twice")]
    #[case("/spec/roles", json!([]), "spec.roles: must have at least 1 entries, and has 0")]
    #[case("/spec/archived", json!("yes"), "spec.archived: must be of type boolean, not string")]
    #[case("/spec/dependencyTimeout", json!("soon"),
        "spec.dependencyTimeout: must be a duration from 0s to 8760h, such as 90s or 1h30m")]
    #[case("/spec/dependencyTimeout", json!("99999999999999999999h"),
        "spec.dependencyTimeout: must be a duration from 0s to 8760h, such as 90s or 1h30m")]
    #[case("/spec/dependencyTimeout", json!("8760h1s"),
        "spec.dependencyTimeout: must be a duration from 0s to 8760h, such as 90s or 1h30m")]
    #[case("/spec/customFields", json!([{"ref": "a", "text": "x", "bool": true}]),
        "spec.customFields[0]: a custom field needs exactly one of text, dateTime, bool, choice, choices")]
    #[case("/spec/customFields", json!([{"ref": "a", "text": "x"}, {"ref": "a", "text": "y"}]),
        "spec.customFields[1]: is there twice")]
    #[case("/spec/customFields", json!([{"ref": "a", "dateTime": "tomorrow"}]),
        "spec.customFields[0].dateTime: must be a point in time with its offset, such as 2026-09-01T00:00:00+02:00")]
    #[case("/metadata/name", json!("Emp_1"),
        "metadata.name: must be lower-case letters, digits, hyphens and dots, with a letter or digit at both ends")]
    #[case("/metadata/labels", json!({"floor": 3}), "metadata.labels.floor: must be of type string, not number; put it in quotes")]
    #[case("/metadata/labels", json!({"floor": "-"}),
        "metadata.labels.floor: must be at most 63 letters, digits, hyphens, underscores and dots, with a letter or digit at both ends")]
    fn what_is_wrong_is_named_with_its_path(#[case] pointer: &str, #[case] value: Value, #[case] violation: &str) {
        let object = user(|user| {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            user.pointer_mut(parent).unwrap()[name] = value;
        });
        assert_eq!(violations("PluvoUser", &object), [violation]);
    }

    #[test]
    fn rules_see_defaults() {
        let nobody = user(|user| drop(user["spec"].as_object_mut().unwrap().remove("email")));
        assert_eq!(
            violations("PluvoUser", &nobody),
            ["spec: email is required unless archived is true"]
        );
        let assignment = json!({
            "metadata": {"name": "a"},
            "spec": {"training": {"ref": "t"}, "users": ["EMP-1"], "deletionPolicy": "Remove"},
        });
        assert_eq!(
            violations("TrainingAssignment", &assignment),
            ["spec: policy Additive never removes anybody, so deletionPolicy cannot be Remove"]
        );
        let missing = json!({"metadata": {"name": "a"}, "spec": {"users": ["EMP-1"]}});
        assert_eq!(
            violations("TrainingAssignment", &missing),
            ["spec.training: is required"]
        );
    }

    #[test]
    fn immutable_fields_cannot_be_changed() {
        let schemas = Schemas::get();
        let accept = |object: Value| schemas.accept("PluvoUser", &object).unwrap();
        let (before, after) = (
            accept(user(|_| {})),
            accept(user(|user| user["spec"]["ref"] = json!("EMP-2"))),
        );
        assert_eq!(schemas.refuse_update("PluvoUser", &before, &before), []);
        let (path, message) = schemas.refuse_update("PluvoUser", &before, &after).remove(0);
        assert_eq!(path, "spec");
        assert!(message.starts_with("ref is immutable"), "{message}");
    }
}

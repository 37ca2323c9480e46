//! Manifests in files: read, judged as an API server would judge them, and turned into objects.

mod read;
mod schema;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use k8s_openapi::api::core::v1::Secret;
use serde_json::{Map, Value, json};

use crate::{
    api::{GROUP, Kind, PluvoConnection, VERSION},
    plan::{ConnectionKey, Object, ResourceKey},
};

use read::Document;
pub use read::Origin;
use schema::Schemas;

/// Why manifests cannot be used: everything that is wrong with them, at once.
#[derive(Debug, thiserror::Error)]
#[error("{} in the manifests; nothing was done.{}", count(.0.len()), lines(.0))]
pub struct Problems(pub Vec<Problem>);

fn count(problems: usize) -> String {
    format!("{problems} {}", if problems == 1 { "problem" } else { "problems" })
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().flat_map(|Problem(text)| ["\n  ", text]).collect()
}

/// One thing that is wrong: in which file and document, with which object, at which path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(String);

impl Problem {
    fn about_file(file: &Path, message: &str) -> Self {
        Self(format!("{}: {message}", file.display()))
    }

    fn at(origin: &Origin, message: &str) -> Self {
        Self(format!("{origin}: {message}"))
    }

    fn about(name: &Identity, origin: &Origin, path: &str, message: &str) -> Self {
        Self(format!("{origin}: {name}: {path}: {message}"))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What tells objects apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Identity {
    kind: String,
    namespace: String,
    name: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// A resource that declares something in Pluvo.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Where it is written.
    pub origin: Origin,
    /// Its name.
    pub key: ResourceKey,
    json: Value,
}

impl Manifest {
    /// The object as an API server would hold it. Its uid is made from its name, so that it is the same every time.
    pub fn object(&self) -> serde_json::Result<Object> {
        self.object_with(&json!({}))
    }

    /// The object with more merged into it, such as `{"metadata": {"deletionTimestamp": …}}`.
    pub fn object_with(&self, more: &Value) -> serde_json::Result<Object> {
        let mut json = self.json.clone();
        merge(&mut json, &json!({"metadata": {"uid": self.uid(), "generation": 1}}));
        merge(&mut json, more);
        Object::decode(self.key.kind, json)
    }

    /// The flag of the manifest that makes Pluvo send mail, if it is set.
    #[must_use]
    pub fn mail_flag(&self) -> Option<&'static str> {
        ["sendInvite", "sendInvites"]
            .into_iter()
            .find(|flag| self.json["spec"][*flag] == true)
    }

    /// Takes the flag back.
    pub fn clear_mail_flag(&mut self) {
        if let Some(flag) = self.mail_flag() {
            self.json["spec"][flag] = false.into();
        }
    }

    /// The uid of the object.
    #[must_use]
    pub fn uid(&self) -> String {
        self.key.to_string()
    }
}

fn merge(into: &mut Value, more: &Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more.clone(),
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// What files declare.
#[derive(Debug, Default)]
pub struct Manifests {
    /// Resources that declare something in Pluvo.
    pub resources: BTreeMap<ResourceKey, Manifest>,
    /// Connections.
    pub connections: BTreeMap<ConnectionKey, Arc<PluvoConnection>>,
    /// Secrets, one of which may hold a connection's credentials.
    pub secrets: Vec<Secret>,
    /// How many objects of other kinds there are, which concern nobody here.
    pub others: BTreeMap<String, usize>,
}

impl Manifests {
    /// Reads files and folders. `namespace`: of objects that name none.
    pub fn load(paths: &[PathBuf], namespace: &str) -> Result<Self, Problems> {
        let (documents, problems) = read::documents(paths);
        let mut loader = Loader {
            schemas: Schemas::get(),
            namespace,
            seen: HashMap::new(),
            manifests: Self::default(),
            problems,
        };
        for Document { origin, value } in documents {
            loader.take(value, &origin);
        }
        if loader.problems.is_empty() {
            Ok(loader.manifests)
        } else {
            Err(Problems(loader.problems))
        }
    }

    /// Refuses what an API server would refuse about a change from `base` to these: above all new values of what is
    /// immutable.
    pub fn check_changes(&self, base: &Self) -> Result<(), Problems> {
        let schemas = Schemas::get();
        let mut problems = Vec::new();
        for (key, manifest) in &self.resources {
            let Some(before) = base.resources.get(key) else {
                continue;
            };
            for (path, message) in schemas.refuse_update(key.kind.name(), &before.json, &manifest.json) {
                problems.push(Problem(format!("{}: {key}: {path}: {message}", manifest.origin)));
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Problems(problems))
        }
    }
}

struct Loader<'a> {
    schemas: &'static Schemas,
    namespace: &'a str,
    seen: HashMap<Identity, Origin>,
    manifests: Manifests,
    problems: Vec<Problem>,
}

impl Loader<'_> {
    fn take(&mut self, value: Value, origin: &Origin) {
        let (Some(version), Some(kind)) = (value["apiVersion"].as_str(), value["kind"].as_str()) else {
            let message = "has no apiVersion and kind, so it is no Kubernetes manifest";
            return self.problems.push(Problem::at(origin, message));
        };
        let (version, kind) = (version.to_owned(), kind.to_owned());
        let group = version.split_once('/').map(|(group, _)| group);
        match (group, kind.as_str()) {
            (Some(GROUP), kind) => self.take_ours(kind.to_owned(), &version, value, origin),
            (None, "List") => {
                if let Value::Array(items) = value["items"].clone() {
                    for item in items {
                        self.take(item, origin);
                    }
                }
            }
            (None, "Secret") => self.take_secret(value, origin),
            (_, kind) => *self.manifests.others.entry(kind.to_owned()).or_default() += 1,
        }
    }

    fn take_secret(&mut self, mut value: Value, origin: &Origin) {
        if value["metadata"]["namespace"].is_null() {
            merge(&mut value, &json!({"metadata": {"namespace": self.namespace}}));
        }
        // The error is not shown: it may quote the secret.
        match serde_json::from_value(value) {
            Ok(secret) => self.manifests.secrets.push(secret),
            Err(_) => self
                .problems
                .push(Problem::at(origin, "is not a Secret as Kubernetes has them")),
        }
    }

    fn take_ours(&mut self, kind: String, version: &str, value: Value, origin: &Origin) {
        let served = format!("{GROUP}/{VERSION}");
        if version != served {
            let message = format!("{version} is not served; write {served}");
            return self.problems.push(Problem::at(origin, &message));
        }
        if !self.schemas.knows(&kind) {
            let mut kinds: Vec<_> = self.schemas.kinds().collect();
            kinds.sort_unstable();
            let message = format!("{kind} is none of the kinds of {GROUP}: {}", kinds.join(", "));
            return self.problems.push(Problem::at(origin, &message));
        }
        let value = self.desired(value);
        let text = |member: &str| value["metadata"][member].as_str().unwrap_or_default().to_owned();
        let name = Identity {
            kind,
            namespace: text("namespace"),
            name: text("name"),
        };
        match self.schemas.accept(&name.kind, &value) {
            Err(violations) => {
                let problems = violations.iter();
                self.problems
                    .extend(problems.map(|(path, message)| Problem::about(&name, origin, path, message)));
            }
            Ok(value) => self.keep(name, value, origin),
        }
    }

    /// Only what a person declares: whatever an API server adds is dropped from manifests that were read from one, and
    /// null says no more than nothing.
    fn desired(&self, mut value: Value) -> Value {
        if let Some(object) = value.as_object_mut() {
            object.remove("status");
        }
        drop_nulls(&mut value);
        if let Some(metadata) = value["metadata"].as_object_mut() {
            metadata.retain(|name, _| ["name", "namespace", "labels", "annotations"].contains(&name.as_str()));
            metadata.entry("namespace").or_insert_with(|| self.namespace.into());
        } else {
            value["metadata"] = Value::Object(Map::new());
        }
        value
    }

    fn keep(&mut self, name: Identity, value: Value, origin: &Origin) {
        if let Some(first) = self.seen.get(&name) {
            let message = format!("{name} is declared twice; the first time in {first}");
            return self.problems.push(Problem::at(origin, &message));
        }
        let result = match Kind::ALL.iter().find(|kind| kind.name() == name.kind) {
            Some(kind) => self.keep_resource(*kind, &name, value, origin),
            None => serde_json::from_value::<PluvoConnection>(value).map(|connection| {
                let key = ConnectionKey::new(&name.namespace, &name.name);
                self.manifests.connections.insert(key, Arc::new(connection));
            }),
        };
        if result.is_err() {
            // The schema is generated from the types, so this is a mistake of ours; the error may quote a value.
            self.problems.push(Problem::about(
                &name,
                origin,
                "spec",
                "cannot be decoded, although the schema accepts it",
            ));
        }
        self.seen.insert(name, origin.clone());
    }

    fn keep_resource(&mut self, kind: Kind, name: &Identity, json: Value, origin: &Origin) -> serde_json::Result<()> {
        let key = ResourceKey::new(kind, &name.namespace, &name.name);
        let manifest = Manifest {
            origin: origin.clone(),
            key: key.clone(),
            json,
        };
        manifest.object()?;
        self.manifests.resources.insert(key, manifest);
        Ok(())
    }
}

#[cfg(test)]
mod tests;

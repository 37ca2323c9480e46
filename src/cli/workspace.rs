//! What manifests declare on one connection, ready to be planned.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::{
    api::{PluvoConnection, Reason, common::Target as Place, reason::Progress},
    plan::{ConnectionKey, Object, Registry, ResourceKey, Verdict},
};

use super::{
    manifests::{Manifest, Manifests, Origin},
    target::Target,
};

/// When everything was created that was there before a change; the rest is younger.
const LONG_AGO: &str = "1970-01-01T00:00:00Z";
const NOW: &str = "1970-01-02T00:00:00Z";

/// Resources on one connection.
pub struct Workspace {
    /// Everything that is declared.
    pub registry: Registry,
    /// The resources, in the order in which they depend on one another.
    pub resources: Vec<Resource>,
}

/// One resource.
pub struct Resource {
    /// Its name.
    pub key: ResourceKey,
    /// Where it is written.
    pub origin: Origin,
    /// The object, being deleted if its manifest is gone.
    pub object: Object,
    /// Why it is not planned, if it is not.
    pub blocked: Option<Verdict>,
}

impl Workspace {
    /// What `manifests` declare on the connection of `target`. With `base`, what was declared before: what is gone
    /// since is being deleted.
    pub fn new(
        manifests: &Manifests,
        base: Option<&Manifests>,
        target: &Target,
        show_personal_data: bool,
    ) -> Result<Self> {
        let (connection, known) = connection(manifests, base, target)?;
        let mut workspace = Self {
            registry: registry(&connection, show_personal_data),
            resources: Vec::new(),
        };
        for manifest in manifests.resources.values() {
            let created = if base.is_some_and(|base| !base.resources.contains_key(&manifest.key)) {
                NOW
            } else {
                LONG_AGO
            };
            workspace.add(manifest, &json!({"metadata": {"creationTimestamp": created}}))?;
        }
        if let Some(base) = base {
            workspace.compare(manifests, base, &connection, show_personal_data)?;
        }
        for resource in &mut workspace.resources {
            resource.blocked = blocked(&resource.object, &connection, known);
        }
        workspace.resources.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(workspace)
    }

    fn add(&mut self, manifest: &Manifest, more: &Value) -> Result<()> {
        let object = manifest
            .object_with(more)
            .with_context(|| format!("{}: {}", manifest.origin, manifest.key))?;
        self.registry.set(object.clone());
        self.resources.retain(|resource| resource.key != manifest.key);
        self.resources.push(Resource {
            key: manifest.key.clone(),
            origin: manifest.origin.clone(),
            object,
            blocked: None,
        });
        Ok(())
    }

    /// Takes in what the manifests declared before. Who was declared then is taken for added by the resource itself:
    /// only a status would know better, so that what is shown is the most that may be removed.
    fn compare(
        &mut self,
        manifests: &Manifests,
        base: &Manifests,
        connection: &(ConnectionKey, Arc<PluvoConnection>),
        show_personal_data: bool,
    ) -> Result<()> {
        let before = Self::of_base(base, connection, show_personal_data)?;
        for manifest in base.resources.values() {
            let gone = !manifests.resources.contains_key(&manifest.key);
            let mut more = json!({"metadata": {"creationTimestamp": LONG_AGO}});
            if gone {
                more["metadata"]["deletionTimestamp"] = NOW.into();
                self.add(manifest, &more)?;
            }
            let declared = before.declared(&manifest.key);
            let still = if gone { Vec::new() } else { self.declared(&manifest.key) };
            let added: Vec<_> = declared
                .into_iter()
                .filter(|reference| !still.contains(reference))
                .collect();
            if !added.is_empty() {
                more["status"] = json!({"forUID": manifest.uid(), "inventory": added});
                let manifest = manifests.resources.get(&manifest.key).unwrap_or(manifest);
                self.add(manifest, &more)?;
            }
        }
        Ok(())
    }

    fn of_base(
        base: &Manifests,
        connection: &(ConnectionKey, Arc<PluvoConnection>),
        show_personal_data: bool,
    ) -> Result<Self> {
        let mut workspace = Self {
            registry: registry(connection, show_personal_data),
            resources: Vec::new(),
        };
        for manifest in base.resources.values() {
            workspace.add(manifest, &json!({}))?;
        }
        Ok(workspace)
    }

    /// The refs that a resource with subjects declares by name and by labels.
    fn declared(&self, key: &ResourceKey) -> Vec<String> {
        let object = self.registry.get(key);
        let Some((object, target)) = object.and_then(|object| Some((object, object.target()?))) else {
            return Vec::new();
        };
        let claims = self
            .registry
            .claims(&object.connection(), key.kind, std::slice::from_ref(target));
        let mine = claims.into_iter().find(|claim| claim.key == *key);
        mine.map(|claim| claim.declared.into_iter().collect())
            .unwrap_or_default()
    }
}

fn registry((key, connection): &(ConnectionKey, Arc<PluvoConnection>), show_personal_data: bool) -> Registry {
    let mut connection = (**connection).clone();
    // That a status may hold personal data does not mean that a pull request may.
    connection.spec.show_personal_data = show_personal_data;
    let mut registry = Registry::default();
    registry.set_connection(key.clone(), Arc::new(connection));
    registry
}

/// The connection of the manifests, and whether it is theirs; else one with the defaults, under the name that all
/// resources use.
fn connection(
    manifests: &Manifests,
    base: Option<&Manifests>,
    target: &Target,
) -> Result<((ConnectionKey, Arc<PluvoConnection>), bool)> {
    if let Some(connection) = &target.connection {
        return Ok((connection.clone(), true));
    }
    let mut names = BTreeMap::new();
    for manifest in [Some(manifests), base]
        .into_iter()
        .flatten()
        .flat_map(|all| all.resources.values())
    {
        let object = manifest.object().with_context(|| manifest.origin.to_string())?;
        names.entry(object.connection()).or_insert_with(|| manifest.key.clone());
    }
    if names.len() > 1 {
        let users: Vec<_> = names
            .iter()
            .map(|(connection, resource)| format!("{connection} ({resource})"))
            .collect();
        bail!(
            "the manifests refer to several connections, so they are not all about {}: {}. Give the PluvoConnection \
             that is meant with -f",
            target.endpoint,
            users.join(", ")
        );
    }
    let key = names
        .into_keys()
        .next()
        .unwrap_or_else(|| ConnectionKey::new("default", "default"));
    let made_up = serde_json::from_value(json!({
        "apiVersion": "pluvo.dev/v1alpha1",
        "kind": "PluvoConnection",
        "metadata": {"name": key.name, "namespace": key.namespace},
        "spec": {"endpoint": target.endpoint.to_string(), "credentialsSecretRef": {"name": "none"}},
    }))?;
    Ok(((key, Arc::new(made_up)), false))
}

/// Why a resource is not planned: it is suspended, or its connection is another one or not for its namespace.
fn blocked(object: &Object, connection: &(ConnectionKey, Arc<PluvoConnection>), known: bool) -> Option<Verdict> {
    let (key, connection) = connection;
    let (own, namespace) = (
        object.connection(),
        object.meta().namespace.as_deref().unwrap_or_default(),
    );
    if own != *key {
        let message = format!("PluvoConnection {own} is not the one that is looked at here ({key})");
        return Some(Verdict::reconciling(Reason::ConnectionNotReady, message));
    }
    let names = &connection.spec.allowed_namespaces.names;
    if known && *key.namespace != *namespace && !names.iter().any(|name| name == namespace) {
        let message = format!(
            "PluvoConnection {key} does not allow namespace {namespace}; add it to its spec.allowedNamespaces.names"
        );
        return Some(Verdict::stalled(Reason::NotPermitted, message));
    }
    object.management().suspend.then(|| Verdict {
        progress: Progress::Idle,
        ..Verdict::done(Reason::Suspended, "spec.suspend is set: nothing is read or written")
    })
}

impl Resource {
    /// What it is about, such as `user EMP-1` or `training safety`.
    pub fn subject(&self) -> String {
        let name = self
            .object
            .reference()
            .or_else(|| self.object.target().map(Place::name));
        format!("{} {}", self.key.kind.noun(), name.unwrap_or(&self.key.name))
    }
}

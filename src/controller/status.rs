//! Writing statuses: server-side apply by one field manager, with the resource version of the object that was judged.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Api, Client, Resource,
    api::{ListParams, Patch, PatchParams},
    core::{ApiResource, DynamicObject, NamespaceResourceScope},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    api::{FIELD_MANAGER, Reason, reason::condition},
    plan::report::transition,
};

use super::error::PassError;

/// Applies a complete status. The write is refused if the object is not the one that was judged any more.
pub async fn apply<K, S>(api: &Api<K>, object: &ObjectMeta, status: &S) -> Result<K, PassError>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + std::fmt::Debug,
    S: Serialize,
{
    let name = object.name.as_deref().unwrap_or_default();
    let mended = if object.managed_fields.is_some() {
        Some(withdraw_conditions(api, object).await?)
    } else {
        None
    };
    let meta = mended.as_ref().map_or(object, Resource::meta);
    let patch = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": { "name": name, "uid": meta.uid, "resourceVersion": meta.resource_version },
        "status": status,
    });
    Ok(api
        .patch_status(name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&patch))
        .await?)
}

/// Whether conditions of an object were written by [`report_undecodable`] and not withdrawn since.
pub fn were_conditions_merged(object: &ObjectMeta) -> bool {
    let mut entries = object.managed_fields.iter().flatten();
    entries.any(|entry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0["f:status"]);
        entry.manager.as_deref() == Some(FIELD_MANAGER)
            && entry.operation.as_deref() == Some("Update")
            && fields.is_some_and(|status| status.get("f:conditions").is_some())
    })
}

/// Takes back the conditions that were merged into an object which could not be decoded: server-side apply would leave
/// those that a later status does not have, as another manager's. Until that is written, the object reads as not observed.
async fn withdraw_conditions<K>(api: &Api<K>, object: &ObjectMeta) -> Result<K, PassError>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + std::fmt::Debug,
{
    let patch = json!({ "observedGeneration": -1, "conditions": null });
    Ok(merge(api, object, &patch).await?)
}

/// Merges something into a status, as it was judged.
async fn merge<K>(api: &Api<K>, object: &ObjectMeta, status: &Value) -> Result<K, kube::Error>
where
    K: DeserializeOwned + Clone + std::fmt::Debug,
{
    let patch = json!({
        "metadata": { "uid": object.uid, "resourceVersion": object.resource_version },
        "status": status,
    });
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let name = object.name.as_deref().unwrap_or_default();
    api.patch_status(name, &params, &Patch::Merge(&patch)).await
}

/// What the conditions of an object say that cannot be decoded.
pub type Conditions = [(&'static str, &'static str); 4];

/// Of a managed resource.
pub const MANAGED: Conditions = [
    (condition::READY, "False"),
    (condition::SYNCED, "False"),
    (condition::DRIFTED, "Unknown"),
    (condition::STALLED, "True"),
];

/// Of a connection.
pub const CONNECTION: Conditions = [
    (condition::READY, "False"),
    (condition::AVAILABLE, "Unknown"),
    (condition::FRESH, "False"),
    (condition::STALLED, "True"),
];

/// Says of an object that cannot be decoded that it cannot: there is no pass for it.
///
/// It names the field and leaves out what serde says of it: that quotes the value, which may be personal data.
pub async fn report_undecodable<K>(client: Client, meta: &ObjectMeta, conditions: &Conditions)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned,
{
    let resource = ApiResource::erase::<K>(&());
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    let api = Api::<DynamicObject>::namespaced_with(client, namespace, &resource);
    if let Err(error) = report::<K>(&api, meta, conditions).await {
        tracing::warn!(%error, "the status of an object that cannot be decoded was not written");
    }
}

async fn report<K>(api: &Api<DynamicObject>, meta: &ObjectMeta, conditions: &Conditions) -> Result<(), kube::Error>
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    let name = meta.name.as_deref().unwrap_or_default();
    // A list of one: nothing else here needs the permission to get.
    let one = ListParams::default().fields(&format!("metadata.name={name}"));
    let Some(object) = api.list(&one).await?.items.pop() else {
        return Ok(());
    };
    let value = serde_json::to_value(&object).map_err(kube::Error::SerdeError)?;
    let Err(error) = serde_path_to_error::deserialize::<_, K>(&value) else {
        return Ok(()); // it was put right meanwhile: the watch brings it
    };
    let (field, kind) = (culprit::<K>(&value, error.path()), K::kind(&()).to_lowercase());
    let message = format!(
        "{field} does not fit this version's definition: apply it again as `kubectl explain {kind}.{field}` says"
    );
    let before: Vec<_> = object
        .data
        .pointer("/status/conditions")
        .and_then(|conditions| serde_json::from_value(conditions.clone()).ok())
        .unwrap_or_default();
    let make = |(type_, value): &(&'static str, &str)| {
        let generation = object.metadata.generation;
        let reason = Reason::InvalidSpec;
        transition(&before, type_, value, reason, &message, generation, Timestamp::now())
    };
    let conditions: Vec<_> = conditions.iter().map(make).collect();
    let conditions = serde_json::to_value(conditions).map_err(kube::Error::SerdeError)?;
    if object.data.pointer("/status/conditions") == Some(&conditions) {
        return Ok(());
    }
    let status = json!({ "observedGeneration": object.metadata.generation, "conditions": conditions });
    // Server-side apply cannot be used: it needs the stored object to fit the definition.
    merge(api, &object.metadata, &status).await.map(drop)
}

/// The field because of which an object cannot be decoded. Of the fields that kinds have in common serde says no more than
/// `spec`: there it is the one without which the object can be decoded.
fn culprit<K: DeserializeOwned>(object: &Value, path: &serde_path_to_error::Path) -> String {
    let path = path.to_string();
    let Some(fields) = object["spec"].as_object().filter(|_| path == "spec") else {
        return path;
    };
    let is_culprit = |name: &&String| {
        let mut without = object.clone();
        without["spec"].as_object_mut().map(|fields| fields.remove(*name));
        K::deserialize(&without).is_ok()
    };
    fields
        .keys()
        .find(is_culprit)
        .map_or(path, |name| format!("spec.{name}"))
}

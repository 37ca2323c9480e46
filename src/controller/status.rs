//! Writing statuses: server-side apply by one field manager, with the resource version of the object that was judged.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ListParams, Patch, PatchParams},
    core::DynamicObject,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::{
    api::{FIELD_MANAGER, Managed, Reason, reason::condition},
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
    let patch = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": { "name": name, "uid": object.uid, "resourceVersion": object.resource_version },
        "status": status,
    });
    Ok(api
        .patch_status(name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&patch))
        .await?)
}

/// Says of an object that cannot be decoded that it cannot, in the background: there is no pass for it.
///
/// It names the field and leaves out what serde says of it: that quotes the value, which may be personal data.
pub fn report_undecodable<K: Managed>(client: Client, meta: ObjectMeta) {
    let resource = kube::core::ApiResource::erase::<K>(&());
    tokio::spawn(async move {
        let api =
            Api::<DynamicObject>::namespaced_with(client, meta.namespace.as_deref().unwrap_or_default(), &resource);
        if let Err(error) = report::<K>(&api, &meta).await {
            tracing::warn!(%error, "the status of an object that cannot be decoded was not written");
        }
    });
}

async fn report<K: Managed>(api: &Api<DynamicObject>, meta: &ObjectMeta) -> Result<(), kube::Error> {
    let name = meta.name.as_deref().unwrap_or_default();
    // A list of one: nothing else here needs the permission to get.
    let one = ListParams::default().fields(&format!("metadata.name={name}"));
    let Some(object) = api.list(&one).await?.items.pop() else {
        return Ok(());
    };
    let value = serde_json::to_value(&object).map_err(kube::Error::SerdeError)?;
    let Err(error) = serde_path_to_error::deserialize::<_, K>(value) else {
        return Ok(()); // it was put right meanwhile: the watch brings it
    };
    let (field, kind) = (error.path(), K::kind(&()).to_lowercase());
    let message = format!(
        "{field} does not fit this version's definition: apply it again as `kubectl explain {kind}.{field}` says"
    );
    let before: Vec<_> = object
        .data
        .pointer("/status/conditions")
        .and_then(|conditions| serde_json::from_value(conditions.clone()).ok())
        .unwrap_or_default();
    let make = |type_, value: &str| {
        transition(
            &before,
            type_,
            value,
            Reason::InvalidSpec,
            &message,
            object.meta().generation,
            Timestamp::now(),
        )
    };
    let conditions = [
        make(condition::READY, "False"),
        make(condition::SYNCED, "False"),
        make(condition::DRIFTED, "Unknown"),
        make(condition::STALLED, "True"),
    ];
    let conditions = serde_json::to_value(conditions).map_err(kube::Error::SerdeError)?;
    if object.data.pointer("/status/conditions") == Some(&conditions) {
        return Ok(());
    }
    // Server-side apply cannot be used: it needs the stored object to fit the definition.
    let patch = json!({
        "metadata": { "uid": object.uid(), "resourceVersion": object.resource_version() },
        "status": { "observedGeneration": object.meta().generation, "forUID": object.uid(), "conditions": conditions },
    });
    api.patch_status(
        name,
        &PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        },
        &Patch::Merge(&patch),
    )
    .await?;
    Ok(())
}

//! Lets resources go for good: the operator leaves what they stand for in Pluvo as it is, whether it runs or not.

use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams},
    core::{ApiResource, DynamicObject, ObjectMeta},
};
use serde_json::json;

use crate::api::{self, FIELD_MANAGER, FINALIZER, annotations, for_each_kind};

/// Somebody else may change a resource meanwhile: it is looked at again so often.
const ATTEMPTS: usize = 5;

/// Sets the annotation `pluvo.dev/orphan` on all managed resources of a namespace, or of all of them, and takes our
/// finalizer from them. They, their namespace and the definitions can be deleted then, and nothing is changed in Pluvo.
/// Returns how many there are.
///
/// # Errors
///
/// The API server refuses a request, or a resource is changed by somebody else again and again. What was released stays
/// released; the function can be called again.
pub async fn release(client: &Client, namespace: Option<&str>) -> Result<usize, kube::Error> {
    let mut released = 0;
    for kind in kinds() {
        let resources: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &kind),
            None => Api::all_with(client.clone(), &kind),
        };
        for object in resources.list_metadata(&ListParams::default()).await? {
            let namespace = object.metadata.namespace.clone().unwrap_or_default();
            let api = Api::namespaced_with(client.clone(), &namespace, &kind);
            release_one(&api, object.metadata).await?;
            released += 1;
        }
    }
    Ok(released)
}

macro_rules! kinds {
    ($($kind:ident => $type:ident),* $(,)?) => {
        fn kinds() -> Vec<ApiResource> {
            vec![$(ApiResource::erase::<api::$type>(&())),*]
        }
    };
}
for_each_kind!(kinds);

async fn release_one(api: &Api<DynamicObject>, mut meta: ObjectMeta) -> Result<(), kube::Error> {
    let name = meta.name.clone().unwrap_or_default();
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    for attempt in 1.. {
        let mut finalizers = meta.finalizers.take().unwrap_or_default();
        finalizers.retain(|finalizer| finalizer != FINALIZER);
        let patch = json!({"metadata": {
            "uid": meta.uid, "resourceVersion": meta.resource_version,
            "annotations": {annotations::ORPHAN: "true"}, "finalizers": finalizers,
        }});
        match api.patch_metadata(&name, &params, &Patch::Merge(patch)).await {
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 && attempt < ATTEMPTS => {}
            result => return result.map(drop),
        }
        match api.get_metadata_opt(&name).await? {
            Some(object) => meta = object.metadata,
            None => return Ok(()),
        }
    }
    Ok(())
}

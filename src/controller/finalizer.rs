//! Setting and removing our finalizer: JSON patches that test the uid, so that they never touch another object.

use kube::{
    Api, Resource,
    api::{Patch, PatchParams},
    core::ObjectMeta,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::api::FINALIZER;

use super::error::PassError;

/// Whether our finalizer is set.
pub fn is_set(meta: &ObjectMeta) -> bool {
    meta.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER)
}

/// Sets our finalizer.
pub async fn add<K: Resource<DynamicType = ()> + DeserializeOwned + Clone + std::fmt::Debug>(
    api: &Api<K>,
    meta: &ObjectMeta,
) -> Result<K, PassError> {
    let add = if meta.finalizers.is_some() {
        json!({ "op": "add", "path": "/metadata/finalizers/-", "value": FINALIZER })
    } else {
        json!({ "op": "add", "path": "/metadata/finalizers", "value": [FINALIZER] })
    };
    patch(api, meta, vec![add]).await
}

/// Removes our finalizer. Gone already is as good.
pub async fn remove<K: Resource<DynamicType = ()> + DeserializeOwned + Clone + std::fmt::Debug>(
    api: &Api<K>,
    meta: &ObjectMeta,
) -> Result<Option<K>, PassError> {
    let Some(index) = meta
        .finalizers
        .iter()
        .flatten()
        .position(|finalizer| finalizer == FINALIZER)
    else {
        return Ok(None);
    };
    let path = format!("/metadata/finalizers/{index}");
    let operations = vec![
        json!({ "op": "test", "path": path, "value": FINALIZER }),
        json!({ "op": "remove", "path": path }),
    ];
    match patch(api, meta, operations).await {
        Ok(object) => Ok(Some(object)),
        Err(PassError::Kubernetes(error)) if matches!(&*error, kube::Error::Api(status) if status.code == 404) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn patch<K: Resource<DynamicType = ()> + DeserializeOwned + Clone + std::fmt::Debug>(
    api: &Api<K>,
    meta: &ObjectMeta,
    operations: Vec<Value>,
) -> Result<K, PassError> {
    let name = meta.name.as_deref().unwrap_or_default();
    let tested: Vec<_> = std::iter::once(json!({ "op": "test", "path": "/metadata/uid", "value": meta.uid }))
        .chain(operations)
        .collect();
    let operations = serde_json::from_value(Value::Array(tested))
        .map_err(|error| PassError::from(kube::Error::SerdeError(error)))?;
    let result = api
        .patch(name, &PatchParams::default(), &Patch::<()>::Json(operations))
        .await;
    result.map_err(|error| match error {
        // A test that fails means that the object, or its list of finalizers, is another one by now.
        kube::Error::Api(status) if status.code == 422 => PassError::Conflict,
        error => error.into(),
    })
}

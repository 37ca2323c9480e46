//! What kubectl does with manifests, without the half second of CPU and the 100 MB that a process of it costs.

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams},
    core::TypeMeta,
};
use pluvo_operator::api;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Result;

/// Who applies, in `metadata.managedFields`.
const MANAGER: &str = "tests";
const CONCURRENCY: usize = 8;

/// Applies manifests (YAML or JSON, documents and lists) to a namespace, as `kubectl apply --server-side
/// --force-conflicts` does. A field that the definition does not have is an error.
pub async fn apply(client: &Client, namespace: &str, manifests: &str) -> Result {
    stream::iter(objects(manifests)?)
        .map(|object| apply_one(client, namespace, object))
        .buffered(CONCURRENCY)
        .try_collect()
        .await
}

async fn apply_one(client: &Client, namespace: &str, object: Value) -> Result {
    let name = object["metadata"]["name"]
        .as_str()
        .context("no metadata.name")?
        .to_owned();
    let api = of_kind(client, namespace, &object)?;
    let params = PatchParams::apply(MANAGER).force().validation_strict();
    api.patch(&name, &params, &Patch::Apply(object)).await?;
    Ok(())
}

/// Sets an annotation of an object.
pub async fn annotate(api: &Api<DynamicObject>, name: &str, annotation: &str, value: &str) -> Result {
    let patch = Patch::Merge(json!({"metadata": {"annotations": {annotation: value}}}));
    api.patch(name, &PatchParams::default(), &patch).await?;
    Ok(())
}

/// The objects of a kind of ours in a namespace.
pub fn ours(client: Client, namespace: &str, kind: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client, namespace, &resource(kind))
}

/// The objects of a kind of ours in all namespaces.
pub fn all_of_ours(client: Client, kind: &str) -> Api<DynamicObject> {
    Api::all_with(client, &resource(kind))
}

fn resource(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(api::GROUP, api::VERSION, kind))
}

fn of_kind(client: &Client, namespace: &str, object: &Value) -> Result<Api<DynamicObject>> {
    let types = TypeMeta::deserialize(object)?;
    let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(types)?);
    Ok(Api::namespaced_with(client.clone(), namespace, &resource))
}

fn objects(manifests: &str) -> Result<Vec<Value>> {
    let documents = serde_yaml::Deserializer::from_str(manifests).map(Value::deserialize);
    let mut objects = Vec::new();
    for document in documents {
        match document? {
            Value::Object(mut list) if list.get("kind").is_some_and(|kind| kind == "List") => {
                let items = list.remove("items").context("a list without items")?;
                objects.extend(serde_json::from_value::<Vec<Value>>(items)?);
            }
            object => objects.push(object),
        }
    }
    Ok(objects)
}

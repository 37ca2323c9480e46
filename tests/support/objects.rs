//! Many objects at once.

use std::{fmt::Debug, ops::Range, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use kube::{
    Api, Resource,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    core::ObjectMeta,
};
use pluvo_operator::api::PluvoUser;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::Result;

const CONCURRENCY: usize = 32;

/// Creates objects, 32 at a time.
pub async fn create_all<K>(api: &Api<K>, objects: impl IntoIterator<Item = K>) -> Result
where
    K: Resource + Clone + Debug + Serialize + DeserializeOwned,
{
    create(api, stream::iter(objects)).await
}

/// Creates objects at a steady pace.
pub async fn create_paced<K>(api: &Api<K>, objects: impl IntoIterator<Item = K>, per_second: u32) -> Result
where
    K: Resource + Clone + Debug + Serialize + DeserializeOwned,
{
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
    let mut objects = objects.into_iter();
    let paced = stream::poll_fn(move |context| ticks.poll_tick(context).map(|_| objects.next()));
    create(api, paced).await
}

async fn create<K>(api: &Api<K>, objects: impl futures::Stream<Item = K>) -> Result
where
    K: Resource + Clone + Debug + Serialize + DeserializeOwned,
{
    objects
        .map(|object| async move { api.create(&PostParams::default(), &object).await.map(drop) })
        .buffer_unordered(CONCURRENCY)
        .try_collect::<()>()
        .await?;
    Ok(())
}

/// Changes objects by name, 32 at a time.
pub async fn edit_all<K>(api: &Api<K>, names: impl IntoIterator<Item = String>, patch: impl Fn(&str) -> Value) -> Result
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let edits = names.into_iter().map(|name| (patch(&name), name));
    stream::iter(edits)
        .map(|(patch, name)| async move {
            let patch = Patch::Merge(patch);
            api.patch(&name, &PatchParams::default(), &patch).await.map(drop)
        })
        .buffer_unordered(CONCURRENCY)
        .try_collect::<()>()
        .await?;
    Ok(())
}

/// Deletes objects by name at a steady pace, without waiting for the end of any.
pub async fn delete_paced<K>(api: &Api<K>, names: impl IntoIterator<Item = String>, per_second: u32) -> Result
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
    let mut names = names.into_iter();
    stream::poll_fn(move |context| ticks.poll_tick(context).map(|_| names.next()))
        .map(|name| async move { api.delete(&name, &DeleteParams::default()).await.map(drop) })
        .buffer_unordered(CONCURRENCY)
        .try_collect::<()>()
        .await?;
    Ok(())
}

/// Users with one custom field each and the label `team: all`.
pub fn people(numbers: Range<usize>) -> Result<Vec<PluvoUser>> {
    numbers
        .map(|number| {
            let spec = serde_json::from_value(json!({
                "ref": format!("EMP-{number:05}"), "email": format!("emp-{number:05}@example.com"),
                "name": format!("User {number:05}"),
                "customFields": [{"ref": "department", "text": format!("planted-department-{}", number % 7)}],
            }))?;
            let metadata = ObjectMeta {
                name: Some(format!("emp-{number:05}")),
                labels: Some([("team".to_owned(), "all".to_owned())].into()),
                ..ObjectMeta::default()
            };
            Ok(PluvoUser {
                metadata,
                spec,
                status: None,
            })
        })
        .collect()
}

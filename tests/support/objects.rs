//! Many objects at once.

use std::{fmt::Debug, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use kube::{Api, Resource, api::PostParams};
use serde::{Serialize, de::DeserializeOwned};

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

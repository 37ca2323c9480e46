//! The API server's audit log.

use std::{
    collections::HashSet,
    fs::File,
    io::{BufRead, BufReader, Seek, SeekFrom},
    path::Path,
};

use anyhow::ensure;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use serde::Deserialize;

use super::{Cluster, Result, eventually};

/// Reads the log of one cluster.
pub struct Audit<'a>(&'a Cluster);

/// One request, once. A watch counts when it opens.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    #[serde(rename = "auditID")]
    id: String,
    /// get, list, watch, create, update, patch, delete, deletecollection
    pub verb: String,
    /// Path and query.
    #[serde(rename = "requestURI")]
    pub uri: String,
    user: User,
    /// What it was about; absent for `/readyz` and the like.
    #[serde(default)]
    pub object_ref: ObjectRef,
    response_status: Option<ResponseStatus>,
}

/// What a request was about.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "the names are those of the audit API")]
pub struct ObjectRef {
    pub api_group: String,
    pub resource: String,
    pub subresource: String,
    pub namespace: String,
    pub name: String,
}

#[derive(Clone, Debug, Deserialize)]
struct User {
    username: String,
}

#[derive(Clone, Debug, Deserialize)]
struct ResponseStatus {
    code: Option<u16>,
}

impl Entry {
    /// Who asked: `admin`, or `system:serviceaccount:NAMESPACE:NAME`.
    pub fn user(&self) -> &str {
        &self.user.username
    }

    /// The HTTP status of the answer; 0 if there was none.
    pub fn code(&self) -> u16 {
        self.response_status
            .as_ref()
            .and_then(|status| status.code)
            .unwrap_or_default()
    }

    /// The resource as RBAC names it: `pluvousers`, `pluvousers/status`.
    pub fn resource(&self) -> String {
        let ObjectRef {
            resource, subresource, ..
        } = &self.object_ref;
        if subresource.is_empty() {
            resource.clone()
        } else {
            format!("{resource}/{subresource}")
        }
    }

    /// What it takes to be allowed to do this: `verb resource.group`.
    pub fn permission(&self) -> String {
        format!("{} {}.{}", self.verb, self.resource(), self.object_ref.api_group)
    }

    /// Whether it could have changed something.
    pub fn writes(&self) -> bool {
        !matches!(&*self.verb, "get" | "list" | "watch")
    }
}

impl<'a> Audit<'a> {
    pub(super) fn new(cluster: &'a Cluster) -> Self {
        Self(cluster)
    }

    /// A place in the log: what was answered before is left out of [`Self::since`].
    pub async fn mark(&self) -> Result<u64> {
        self.settle().await?;
        Ok(self.0.directory().join("audit.log").metadata()?.len())
    }

    /// The requests since a mark (0 for all) that `wanted` accepts, in order.
    pub async fn since(&self, mark: u64, wanted: impl Fn(&Entry) -> bool) -> Result<Vec<Entry>> {
        self.settle().await?;
        self.read(mark, wanted)
    }

    /// Lines are written just after their answers: one that shows up has those before it in front of it.
    async fn settle(&self) -> Result {
        let marker = format!("marker-{}", uuid::Uuid::new_v4());
        let length = self.0.directory().join("audit.log").metadata()?.len();
        let name = marker.clone();
        let found = self.0.ask(async move |client| {
            let maps = Api::<ConfigMap>::namespaced(client, "default");
            Ok(maps.get_opt(&name).await?)
        });
        ensure!(found.await?.is_none(), "the marker exists");
        eventually("the audit log has the latest request", async || {
            let found = self.read(length, |entry| entry.object_ref.name == marker)?;
            ensure!(!found.is_empty(), "it has not");
            Ok(())
        })
        .await
    }

    fn read(&self, mark: u64, wanted: impl Fn(&Entry) -> bool) -> Result<Vec<Entry>> {
        read(&self.0.directory().join("audit.log"), mark, wanted)
    }
}

/// The requests in a log that `wanted` accepts, from a place on, in order.
pub fn read(log: &Path, mark: u64, wanted: impl Fn(&Entry) -> bool) -> Result<Vec<Entry>> {
    let mut file = File::open(log)?;
    file.seek(SeekFrom::Start(mark))?;
    let mut seen = HashSet::new();
    let mut entries = Vec::new();
    for line in BufReader::new(file).lines() {
        let line = line?;
        // The last line may be half written.
        let Ok(entry) = serde_json::from_str::<Entry>(&line) else {
            continue;
        };
        if wanted(&entry) && seen.insert(entry.id.clone()) {
            entries.push(entry);
        }
    }
    Ok(entries)
}

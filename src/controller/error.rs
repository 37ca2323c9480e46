//! What can go wrong on the Kubernetes side.

use kube::Client;

use crate::{api, supervise::TaskEnded};

/// Why a pass failed. It is tried again.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The watch has not shown our own last write, or somebody else's: what was decided is outdated.
    #[error("the object changed meanwhile")]
    Conflict,
    /// The API server refuses or cannot be reached.
    #[error("Kubernetes: {0}")]
    Kubernetes(#[source] Box<kube::Error>),
}

impl From<kube::Error> for PassError {
    fn from(error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) if status.code == 409 => Self::Conflict,
            _ => Self::Kubernetes(Box::new(error)),
        }
    }
}

/// Why the operator does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A definition is missing.
    #[error(
        "the CustomResourceDefinition {name} is not installed or may not be used{}: install the Helm chart, or run `pluvo-operator crds | kubectl apply -f -` ({source})",
        .namespace.as_deref().map(|name| format!(" in namespace {name}")).unwrap_or_default()
    )]
    Definition {
        /// Its name.
        name: String,
        /// The only namespace in which it was to be used.
        namespace: Option<String>,
        /// What the API server says.
        source: Box<kube::Error>,
    },
    /// A task has ended that must not.
    #[error(transparent)]
    Ended(#[from] TaskEnded),
}

/// Checks that every kind can be listed, so that a missing definition is told at once and by name.
pub async fn check_crds(client: &Client, namespace: Option<&str>) -> Result<(), RunError> {
    use kube::{
        Api,
        api::ListParams,
        core::{ApiResource, DynamicObject, GroupVersionKind},
    };
    for crd in api::crds() {
        let names = &crd.spec.names;
        let kind = GroupVersionKind::gvk(api::GROUP, api::VERSION, &names.kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, &names.plural);
        let api = match namespace {
            Some(namespace) => Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        api.list_metadata(&ListParams::default().limit(1))
            .await
            .map_err(|source| RunError::Definition {
                name: crd.metadata.name.clone().unwrap_or_default(),
                namespace: namespace.map(str::to_owned),
                source: Box::new(source),
            })?;
    }
    Ok(())
}

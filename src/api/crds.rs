//! The CustomResourceDefinitions, as they are written to `crds/` and into the Helm chart.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps,
};
use kube::CustomResourceExt;

use super::{Kind, PluvoConnection, status::PARTS};

/// The definitions of all kinds, the connection first.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    let managed = Kind::ALL.iter().map(|kind| {
        let mut crd = kind.crd();
        for properties in status_of(&mut crd).filter_map(|status| status.properties.as_mut()) {
            properties.retain(|name, _| !PARTS.contains(&&**name) || kind.status_parts().contains(&&**name));
        }
        crd
    });
    std::iter::once(PluvoConnection::crd())
        .chain(managed)
        .map(with_status_default)
        .collect()
}

/// The names of the definitions: `crds()` takes much longer.
pub fn crd_names() -> impl Iterator<Item = &'static str> {
    std::iter::once(PluvoConnection::crd_name()).chain(Kind::ALL.iter().map(|kind| kind.crd_name()))
}

/// The file in `crds/` that holds a definition.
#[must_use]
pub fn crd_file_name(crd: &CustomResourceDefinition) -> String {
    format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural)
}

/// A new object reads as "not observed yet" from its very creation, so that kstatus never takes it for finished.
fn with_status_default(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for status in status_of(&mut crd) {
        status.default = Some(JSON(serde_json::json!({ "observedGeneration": -1 })));
    }
    crd
}

/// The schema of the status, in every version.
fn status_of(crd: &mut CustomResourceDefinition) -> impl Iterator<Item = &mut JSONSchemaProps> {
    crd.spec.versions.iter_mut().filter_map(|version| {
        let schema = version.schema.as_mut()?.open_api_v3_schema.as_mut()?;
        schema.properties.as_mut()?.get_mut("status")
    })
}

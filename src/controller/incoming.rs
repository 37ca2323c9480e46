//! An object as a watch brings it.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

/// An object, or what can be told of one that does not fit its type. It fails no list and no watch.
#[derive(Clone, Debug)]
pub struct Incoming<K>(pub Result<K, Undecodable>);

/// What can be told of an object that cannot be decoded.
#[derive(Clone, Debug)]
pub struct Undecodable {
    /// Its metadata.
    pub meta: ObjectMeta,
    /// Its spec, as it is.
    pub spec: Value,
}

impl Undecodable {
    /// A text in the spec.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.spec[name].as_str()
    }
}

impl<'de, K: de::DeserializeOwned> Deserialize<'de> for Incoming<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(deserializer)?;
        if let Ok(object) = K::deserialize(&value) {
            return Ok(Self(Ok(object)));
        }
        Ok(Self(Err(Undecodable {
            meta: serde_json::from_value(value["metadata"].take()).map_err(de::Error::custom)?,
            spec: value["spec"].take(),
        })))
    }
}

impl<K: Resource<DynamicType = ()>> Resource for Incoming<K> {
    type DynamicType = ();
    type Scope = K::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        K::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        K::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        K::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        match &self.0 {
            Ok(object) => object.meta(),
            Err(undecodable) => &undecodable.meta,
        }
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match &mut self.0 {
            Ok(object) => object.meta_mut(),
            Err(undecodable) => &mut undecodable.meta,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::PluvoUser;

    #[test]
    fn of_what_does_not_fit_its_type_metadata_and_spec_are_told() {
        let user = |timeout: &str| {
            json!({
                "apiVersion": "pluvo.dev/v1alpha1", "kind": "PluvoUser",
                "metadata": {"name": "jane", "namespace": "hr"},
                "spec": {"ref": "EMP-1", "connectionRef": {"name": "acme"}, "dependencyTimeout": timeout},
            })
        };
        let decode = |user| serde_json::from_value::<Incoming<PluvoUser>>(user).unwrap();
        assert!(decode(user("10m")).0.is_ok());
        let undecodable = decode(user("99999999999999999999h"));
        assert_eq!(undecodable.meta().name.as_deref(), Some("jane"));
        let undecodable = undecodable.0.unwrap_err();
        assert_eq!(undecodable.text("ref"), Some("EMP-1"));
        assert_eq!(undecodable.spec["connectionRef"]["name"], "acme");
    }
}

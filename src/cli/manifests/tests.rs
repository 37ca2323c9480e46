use std::fs;

use super::*;

fn load(text: &str) -> Result<Manifests, Vec<String>> {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    fs::write(file.path(), text).unwrap();
    Manifests::load(&[file.path().to_owned()], "hr").map_err(|problems| {
        let name = file.path().display().to_string();
        problems
            .0
            .iter()
            .map(|problem| problem.to_string().replace(&name, "file.yaml"))
            .collect()
    })
}

#[test]
fn objects_get_namespace_uid_and_defaults() {
    let manifests = load(
        "apiVersion: pluvo.dev/v1alpha1
kind: PluvoUser
metadata: {name: emp-1, uid: abc, labels: {site: utrecht}}
spec: {ref: EMP-1, email: jane@example.com, name: null}
status: {whatever: true}
---
apiVersion: v1
kind: List
items:
  - {apiVersion: pluvo.dev/v1alpha1, kind: PluvoGroup, metadata: {name: all, namespace: it}, spec: {ref: all, name: All}}
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: x}}
",
    )
    .unwrap();
    let names: Vec<_> = manifests.resources.keys().map(ToString::to_string).collect();
    assert_eq!(names, ["PluvoUser hr/emp-1", "PluvoGroup it/all"]);
    assert_eq!(manifests.others, BTreeMap::from([("ConfigMap".to_owned(), 1)]));
    let user = manifests.resources.values().next().unwrap().object().unwrap();
    assert_eq!(user.meta().uid.as_deref(), Some("PluvoUser hr/emp-1"));
    assert!(user.status().is_none());
}

#[test]
fn every_problem_is_told_at_once() {
    let problems = load(
        "apiVersion: pluvo.dev/v1alpha1
kind: PluvoUser
metadata: {name: emp-1}
spec: {ref: EMP-1, email: planted, nmae: Jane, archived: maybe}
---
resources: [a.yaml]
---
apiVersion: pluvo.dev/v1
kind: PluvoUser
---
apiVersion: pluvo.dev/v1alpha1
kind: PluvoTeam
---
apiVersion: pluvo.dev/v1alpha1
kind: PluvoGroup
metadata: {name: all}
spec: {ref: all, name: no}
---
apiVersion: pluvo.dev/v1alpha1
kind: PluvoGroupMembership
metadata: {name: all}
spec: {group: {ref: all}, userSelector: {matchExpressions: [{key: a, operator: Like, values: [b]}]}}
",
    )
    .unwrap_err();
    let mut kinds: Vec<_> = crate::api::crds().into_iter().map(|crd| crd.spec.names.kind).collect();
    kinds.sort();
    let kinds = kinds.join(", ");
    assert_eq!(
        problems,
        [
            "file.yaml:1 (document 1): PluvoUser hr/emp-1: spec.archived: must be of type boolean, not string".to_owned(),
            "file.yaml:1 (document 1): PluvoUser hr/emp-1: spec.nmae: is unknown; there is name".to_owned(),
            "file.yaml:6 (document 2): has no apiVersion and kind, so it is no Kubernetes manifest".to_owned(),
            "file.yaml:8 (document 3): pluvo.dev/v1 is not served; write pluvo.dev/v1alpha1".to_owned(),
            format!("file.yaml:11 (document 4): PluvoTeam is none of the kinds of pluvo.dev: {kinds}"),
            "file.yaml:14 (document 5): PluvoGroup hr/all: spec.name: must be of type string, not boolean; put it in quotes".to_owned(),
            "file.yaml:19 (document 6): PluvoGroupMembership hr/all: spec.userSelector.matchExpressions[0].operator: must be one of In, NotIn, Exists, DoesNotExist".to_owned(),
        ]
    );
}

#[test]
fn an_object_is_declared_once() {
    let group =
        "apiVersion: pluvo.dev/v1alpha1\nkind: PluvoGroup\nmetadata: {name: all}\nspec: {ref: all, name: All}\n";
    let problems = load(&format!("{group}---\n{group}")).unwrap_err();
    assert_eq!(
        problems,
        ["file.yaml:6 (document 2): PluvoGroup hr/all is declared twice; the first time in file.yaml:1 (document 1)"]
    );
}

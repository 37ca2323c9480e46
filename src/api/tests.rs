use std::collections::BTreeSet;

use super::*;

#[test]
fn every_string_array_and_map_of_a_crd_is_bounded() {
    let mut unbounded = Vec::new();
    for crd in crds() {
        let crd = serde_json::to_value(&crd).unwrap();
        let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        find_unbounded(spec, crd["spec"]["names"]["kind"].as_str().unwrap(), &mut unbounded);
    }
    assert_eq!(unbounded, Vec::<String>::new());
}

#[test]
fn a_definition_holds_the_status_of_its_kind_alone() {
    let all: BTreeSet<_> = Kind::ALL.iter().flat_map(|kind| kind.status_parts()).collect();
    for crd in crds() {
        let crd = serde_json::to_value(&crd).unwrap();
        let status = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"];
        let name = crd["spec"]["names"]["kind"].as_str().unwrap();
        let Some(kind) = Kind::ALL.iter().find(|kind| kind.name() == name) else {
            continue;
        };
        for part in kind.status_parts() {
            assert!(status.get(part).is_some(), "{name} has no {part}");
        }
        for part in all.iter().filter(|part| !kind.status_parts().contains(part)) {
            assert!(status.get(**part).is_none(), "{name} has {part}");
        }
    }
}

fn find_unbounded(schema: &serde_json::Value, path: &str, out: &mut Vec<String>) {
    let bound = match schema["type"].as_str() {
        Some("string") if schema.get("enum").is_none() => "maxLength",
        Some("array") => "maxItems",
        _ => "",
    };
    if !bound.is_empty() && schema.get(bound).is_none() {
        out.push(path.to_owned());
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        find_unbounded(property, &format!("{path}.{name}"), out);
        assert!(property.get("description").is_some(), "{path}.{name} is not documented");
    }
    if let Some(items) = schema.get("items") {
        find_unbounded(items, &format!("{path}[]"), out);
    }
}

#[test]
fn every_reason_is_a_row_of_the_state_table() {
    for name in ["InSync", "Connecting", "OrganizationAlreadyConnected"] {
        let reason = Reason::parse(name).unwrap();
        assert_eq!(reason.as_str(), name);
        assert!(reason::TABLE.iter().any(|row| row.reason == reason));
    }
}

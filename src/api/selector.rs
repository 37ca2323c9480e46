//! Selectors of users by their labels. Kubernetes leaves it to whoever takes a `LabelSelector` into a definition to refuse
//! one that cannot be understood: the API server checks only those in its own kinds.

use schemars::{Schema, SchemaGenerator, json_schema};

/// The schema of an optional `LabelSelector` with the bounds of labels and the rules of their operators. One that would
/// select everybody is refused as well.
pub fn user_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "nullable": true,
        "properties": {
            "matchLabels": {
                "description": "Labels that a PluvoUser must have.",
                "type": "object",
                "maxProperties": 64,
                "additionalProperties": {"type": "string", "maxLength": 63},
            },
            "matchExpressions": {
                "description": "What must hold for the labels of a PluvoUser; all of it.",
                "type": "array",
                "maxItems": 64,
                "items": requirement(),
            },
        },
        "x-kubernetes-validations": [{
            "rule": "(has(self.matchLabels) && self.matchLabels.size() > 0) || (has(self.matchExpressions) && self.matchExpressions.size() > 0)",
            "message": "userSelector must not be empty: it would select every user",
        }],
    })
}

fn requirement() -> Schema {
    json_schema!({
        "description": "What must hold for one label.",
        "type": "object",
        "required": ["key", "operator"],
        "properties": {
            "key": {"description": "The label.", "type": "string", "minLength": 1, "maxLength": 317},
            "operator": {
                "description": "In and NotIn compare its value with values; Exists and DoesNotExist look for the label.",
                "type": "string",
                "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
            },
            "values": {
                "description": "Values for In and NotIn.",
                "type": "array",
                "maxItems": 1000,
                "items": {"type": "string", "maxLength": 63},
            },
        },
        "x-kubernetes-validations": [{
            "rule": "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
            "message": "In and NotIn need values; Exists and DoesNotExist take none",
        }],
    })
}

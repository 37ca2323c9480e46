use std::collections::BTreeSet;

use apollo_compiler::{ExecutableDocument, Schema, validation::Valid};
use serde_json::{Value, json};

use super::{
    Access, Operation, Select,
    samples::{mutations, operations, queries},
};
use crate::pluvo::{
    document::Document,
    model::{FieldValue, Id, User},
    request::{
        GroupInput, GroupRole, MembershipChange, Mutation, MutationAnswer, PageRequest, Query, QueryAnswer, UserInput,
    },
    support::Unsupported,
};

fn schema() -> Valid<Schema> {
    Schema::parse_and_validate(include_str!("../schema.graphql"), "schema.graphql").unwrap()
}

/// Parses and validates a document, and its variables as well: those declared are those sent.
fn validate(schema: &Valid<Schema>, document: &Document) {
    let parsed = ExecutableDocument::parse_and_validate(schema, &document.text, "document.graphql");
    let parsed = parsed.unwrap_or_else(|error| panic!("{}\n{error}", document.text));
    let operation = parsed.operations.anonymous.as_ref().unwrap();
    let declared: Vec<_> = operation
        .variables
        .iter()
        .map(|variable| variable.name.to_string())
        .collect();
    assert_eq!(declared.len(), document.variables.len());
    assert!(
        declared.iter().all(|name| document.variables.contains_key(name)),
        "{declared:?}"
    );
}

/// Every way of leaving out optional fields that one operation has: none, each alone, all.
fn without_optionals(operation: &Operation) -> Vec<Unsupported> {
    let mut parts = Vec::new();
    optionals(operation.selection, &mut parts);
    let mut all = Unsupported::default();
    let mut variants = vec![all.clone()];
    for (ty, name) in parts {
        let mut one = Unsupported::default();
        one.insert(ty, name);
        all.insert(ty, name);
        variants.push(one);
    }
    variants.push(all);
    variants
}

fn optionals(selects: &[Select], parts: &mut Vec<(&'static str, &'static str)>) {
    for select in selects {
        match select {
            Select::Field { name, of, optional } => {
                parts.extend(optional.map(|ty| (ty, *name)));
                optionals(of, parts);
            }
            Select::On { of, .. } => optionals(of, parts),
        }
    }
}

/// Without `_`: a new variant fails to compile until it is counted here, and to pass until it has a sample.
#[test]
fn every_variant_has_a_sample() {
    let queries = queries().into_iter().map(|query| match query {
        Query::Users { .. } => 0,
        Query::GroupMembers { .. } => 1,
        Query::TrainingParticipants { .. } => 2,
        Query::Groups { .. } => 3,
        Query::Trainings { .. } => 4,
        Query::CustomFields(_) => 5,
        Query::User(_) => 6,
        Query::UserByEmail(_) => 7,
        Query::Group(_) => 8,
        Query::Training(_) => 9,
        Query::GroupSize(_) => 10,
        Query::OfferEvent(_) => 11,
        Query::OfferEvents => 12,
        Query::Enrollment { .. } => 13,
        Query::Portfolio { .. } => 14,
        Query::LastLogins { .. } => 15,
    });
    assert_eq!(queries.collect::<BTreeSet<_>>().len(), 16);
    let mutations = mutations().into_iter().map(|mutation| match mutation {
        Mutation::CreateUser { .. } => 0,
        Mutation::UpdateUser { .. } => 1,
        Mutation::SetCustomFields { .. } => 2,
        Mutation::CreateGroup(_) => 3,
        Mutation::UpdateGroup { .. } => 4,
        Mutation::DeleteGroup(_) => 5,
        Mutation::GroupMembers { .. } => 6,
        Mutation::AddToTraining { .. } => 7,
        Mutation::RemoveFromTraining { .. } => 8,
        Mutation::Enroll { .. } => 9,
        Mutation::Unenroll { .. } => 10,
    });
    assert_eq!(mutations.collect::<BTreeSet<_>>().len(), 11);
}

#[test]
fn every_operation_is_valid_with_and_without_its_optional_fields() {
    let schema = schema();
    for operation in operations() {
        for unsupported in without_optionals(&operation) {
            validate(
                &schema,
                &Document::of(operation.kind, std::slice::from_ref(&operation), &unsupported),
            );
        }
    }
}

/// The samples have everything set; here is each of them with as little as possible.
#[test]
fn what_is_not_set_is_left_out() {
    let id = || Id::from("20000000-0000-4000-8000-000000000001");
    let page = PageRequest::default;
    let operations = [
        Query::Users {
            archived: true,
            page: page(),
        }
        .operation(),
        Query::GroupMembers {
            group: id(),
            page: page(),
        }
        .operation(),
        Query::TrainingParticipants {
            training: id(),
            page: page(),
        }
        .operation(),
        Query::Groups { page: page() }.operation(),
        Query::Trainings { page: page() }.operation(),
        Mutation::CreateUser {
            reference: "r".into(),
            user: UserInput::default(),
            send_invite: true,
        }
        .operation(),
        Mutation::UpdateUser {
            id: id(),
            user: UserInput::default(),
        }
        .operation(),
        Mutation::CreateGroup(GroupInput {
            name: Some("G".into()),
            ..GroupInput::default()
        })
        .operation(),
        Mutation::UpdateGroup {
            id: id(),
            group: GroupInput::default(),
        }
        .operation(),
        Mutation::UpdateUser {
            id: id(),
            user: UserInput {
                roles: Some(vec![]),
                ..UserInput::default()
            },
        }
        .operation(),
    ];
    let schema = schema();
    for operation in operations {
        let document = Document::of(operation.kind, &[operation], &Unsupported::default());
        validate(&schema, &document);
        assert!(!document.text.contains("null"), "{}", document.text);
    }
}

#[test]
fn batches_of_every_size_are_valid() {
    let schema = schema();
    for kind in [Access::Read, Access::Write] {
        let of_kind: Vec<_> = operations()
            .into_iter()
            .filter(|operation| operation.kind == kind)
            .collect();
        for size in [1, 2, 50] {
            let batch: Vec<_> = of_kind.iter().cycle().take(size).cloned().collect();
            let document = Document::of(kind, &batch, &Unsupported::default());
            assert_eq!(document.len(), size);
            validate(&schema, &document);
        }
    }
}

#[test]
fn a_batch_reads_like_this() {
    let change = |name: &str| UserInput {
        name: Some(name.into()),
        ..UserInput::default()
    };
    let operations = [
        Mutation::UpdateUser {
            id: "u1".into(),
            user: change("Jane \"J\" Doe"),
        }
        .operation(),
        Mutation::GroupMembers {
            group: "g1".into(),
            role: GroupRole::Manager,
            change: MembershipChange::Add,
            users: vec!["u1".into(), "u2".into()],
        }
        .operation(),
        Mutation::AddToTraining {
            training: "t1".into(),
            role: "PARTICIPANT) { x }".into(),
            users: vec!["u1".into()],
            send_invites: false,
        }
        .operation(),
    ];
    let document = Document::of(Access::Write, &operations, &Unsupported::default());
    assert!(!document.text.contains('\n') && !document.text.contains("Jane"));
    assert!(
        document.text.contains(r#"role: "PARTICIPANT) { x }""#),
        "no enum value can break out of its place"
    );
    assert_eq!(
        Value::Object(document.variables),
        json!({
            "m0_0": "u1", "m0_1": "Jane \"J\" Doe",
            "m1_2": "g1", "m1_3": ["u1", "u2"],
            "m2_4": "t1", "m2_5": ["u1"], "m2_6": false,
        })
    );
    let beginning = document.text.split_once(") {").unwrap().1;
    assert!(
        beginning
            .trim()
            .starts_with("m0: updateUser(id: $m0_0, user: {name: $m0_1}) { user { id ref email name ")
    );
}

/// A value for everything that a selection asks for, by the schema: `variant` rotates through the members of unions,
/// and where the schema allows it, even ones are null.
fn answer(schema: &Valid<Schema>, document: &Document, variant: usize) -> Value {
    let parsed = ExecutableDocument::parse_and_validate(schema, &document.text, "document.graphql").unwrap();
    let root = &parsed.operations.anonymous.as_ref().unwrap().selection_set;
    let mut answers = Answers {
        schema,
        counter: variant,
        nulls: variant.is_multiple_of(2),
    };
    answers.object(root, root.ty.as_str())
}

struct Answers<'a> {
    schema: &'a Valid<Schema>,
    counter: usize,
    nulls: bool,
}

impl Answers<'_> {
    fn object(&mut self, set: &apollo_compiler::executable::SelectionSet, ty: &str) -> Value {
        use apollo_compiler::executable::Selection;
        let mut members = serde_json::Map::new();
        for selection in &set.selections {
            match selection {
                Selection::Field(field) if field.name == "__typename" => {
                    members.insert("__typename".to_owned(), ty.into());
                }
                Selection::Field(field) => {
                    // A payload that is null is an error by itself, and has its own test.
                    let nullable = ["User", "Group", "ExtraCategory"].contains(&ty);
                    let value = self.value(field, field.ty(), nullable);
                    members.insert(field.response_key().to_string(), value);
                }
                Selection::InlineFragment(fragment) => {
                    if fragment
                        .type_condition
                        .as_ref()
                        .is_some_and(|condition| condition == ty)
                    {
                        members.extend(self.object(&fragment.selection_set, ty).as_object().unwrap().clone());
                    }
                }
                Selection::FragmentSpread(_) => unreachable!("no fragments"),
            }
        }
        Value::Object(members)
    }

    fn value(
        &mut self,
        field: &apollo_compiler::executable::Field,
        ty: &apollo_compiler::ast::Type,
        nullable: bool,
    ) -> Value {
        self.counter += 1;
        if nullable && self.nulls && !ty.is_non_null() {
            return Value::Null;
        }
        if ty.is_list() {
            return (0..4).map(|_| self.value(field, ty.item_type(), false)).collect();
        }
        let name = ty.inner_named_type();
        if let Some(union) = self.schema.get_union(name) {
            let members: Vec<_> = union.members.iter().map(|member| member.name.to_string()).collect();
            let member = &members[self.counter % members.len()];
            return self.object(&field.selection_set, member);
        }
        match name.as_str() {
            _ if !field.selection_set.is_empty() => self.object(&field.selection_set, name),
            "Boolean" => true.into(),
            "Int" => 7.into(),
            _ if self.schema.get_enum(name).is_some() => "SOMETHING_NEW".into(),
            _ => format!("{name}-{}", self.counter).into(),
        }
    }
}

#[test]
fn what_is_asked_for_can_be_decoded() {
    let schema = schema();
    for variant in 0..4 {
        for query in queries() {
            for unsupported in without_optionals(&query.operation()) {
                let document = Document::of(Access::Read, &[query.operation()], &unsupported);
                let answer = answer(&schema, &document, variant)["q0"].take();
                query
                    .decode(answer.clone())
                    .unwrap_or_else(|error| panic!("{error}\n{answer:#}"));
            }
        }
        for mutation in mutations() {
            let document = Document::of(Access::Write, &[mutation.operation()], &Unsupported::default());
            let answer = answer(&schema, &document, variant)["m0"].take();
            mutation
                .decode(answer.clone())
                .unwrap_or_else(|error| panic!("{error}\n{answer:#}"));
        }
    }
}

fn page(edges: &Value, has_next_page: bool, end_cursor: Option<&str>) -> Value {
    json!({"edges": edges, "pageInfo": {"hasNextPage": has_next_page, "endCursor": end_cursor}, "count": 3})
}

#[test]
fn a_page_counts_its_nulls_and_ends_when_it_says_so() {
    let query = Query::TrainingParticipants {
        training: "t".into(),
        page: PageRequest::default(),
    };
    let edges = json!([{"node": {"id": "a"}}, null, {"node": null}]);
    let QueryAnswer::Ids(first) = query.decode(page(&edges, true, Some("c"))).unwrap() else {
        panic!()
    };
    assert_eq!(
        (first.rows, first.nulls, first.next.as_deref(), first.count),
        (vec!["a".into()], 2, Some("c"), Some(3))
    );
    let QueryAnswer::Ids(last) = query.decode(page(&json!([]), false, Some("c"))).unwrap() else {
        panic!()
    };
    assert_eq!(last.next, None, "a last page may carry a cursor");
    assert!(
        query.decode(page(&json!([]), true, None)).is_err(),
        "another page that cannot be asked for"
    );
    assert!(
        query.decode(Value::Null).is_err(),
        "a list that is null is not an empty list"
    );
}

#[test]
fn a_user_decodes_with_every_kind_of_value() {
    let row = json!({
        "id": "u", "ref": null, "email": null, "name": "Jane", "archived": null, "roles": ["MANAGER", null, "OWNER"],
        "language": "FR", "participantGroups": [{"id": "g"}], "managerGroups": null,
        "extraCategoryValues": [
            {"category": {"id": "1"}, "stringValue": "R&D"},
            {"category": {"id": "2"}, "datetimeValue": "2026-09-01T00:00:00+02:00"},
            {"category": {"id": "3"}, "booleanValue": true},
            {"category": {"id": "4"}, "choiceValue": {"id": "o", "stringValue": "VCA"}},
            {}, null,
        ],
    });
    let user: User = serde_json::from_value(row).unwrap();
    assert!(!user.archived && user.manager_groups.is_empty());
    assert_eq!(user.roles, ["MANAGER".into(), "OWNER".into()]);
    let kinds: Vec<_> = user.extra_category_values.iter().map(|value| &value.value).collect();
    assert!(matches!(
        kinds[..],
        [
            FieldValue::Text(_),
            FieldValue::DateTime(_),
            FieldValue::Bool(true),
            FieldValue::Choice(_)
        ]
    ));
}

#[test]
fn absent_objects_are_none_and_absent_payloads_are_errors() {
    assert_eq!(
        Query::UserByEmail("x".into()).decode(Value::Null).unwrap(),
        QueryAnswer::User(None)
    );
    for mutation in mutations() {
        assert!(mutation.decode(Value::Null).is_err(), "{}", mutation.field());
    }
    let update = Mutation::UpdateUser {
        id: "u".into(),
        user: UserInput::default(),
    };
    let error = update.decode(json!({"user": null})).unwrap_err();
    assert!(
        error.to_string().contains("updateUser") && error.to_string().contains("no `user`"),
        "{error}"
    );
    assert_eq!(
        Mutation::DeleteGroup("g".into()).decode(json!({"ok": false})).unwrap(),
        MutationAnswer::Deleted(false)
    );
}

#[test]
fn membership_answers_become_one_shape() {
    let of = |role, change| Mutation::GroupMembers {
        group: "g".into(),
        role,
        change,
        users: vec![],
    };
    let cases = [
        (
            of(GroupRole::Participant, MembershipChange::Add),
            json!({"addedIds": ["a"], "alreadyAddedIds": ["b"]}),
        ),
        (
            of(GroupRole::Participant, MembershipChange::Remove),
            json!({"removedIds": ["a"], "alreadyRemovedIds": ["b"]}),
        ),
        (
            of(GroupRole::Manager, MembershipChange::Add),
            json!({"response": {"succeededIds": ["a", "b"]}}),
        ),
        (
            Mutation::RemoveFromTraining {
                training: "t".into(),
                users: vec![],
            },
            json!({"removedIds": null, "alreadyRemovedIds": [], "idsLinkedViaObject": ["c"]}),
        ),
    ];
    let counts = cases.map(|(mutation, answer)| {
        let MutationAnswer::Membership(result) = mutation.decode(answer).unwrap() else {
            panic!()
        };
        (result.done.len(), result.already.len(), result.linked_via_object.len())
    });
    assert_eq!(counts, [(1, 1, 0), (1, 1, 0), (2, 0, 0), (0, 0, 1)]);
}

#[test]
fn a_decode_error_quotes_no_value() {
    let error = Query::User(crate::pluvo::request::Selector::Id("u".into()))
        .decode(json!({"id": "u", "name": {"first": "jane@example.com"}}))
        .unwrap_err();
    assert!(!format!("{error:?} {error}").contains("jane"), "{error}");
}

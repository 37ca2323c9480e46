use apollo_compiler::{
    ExecutableDocument, Schema, introspection::partial_execute, response::JsonMap, validation::Valid,
};
use rstest::rstest;

use super::*;
use crate::pluvo::{
    document::Document,
    operation::samples::operations,
    request::{ContentType, GroupInput, Mutation, Query},
};

const DOCUMENTED: &str = include_str!("../schema.graphql");

/// What a server with the schema `sdl` answers to our introspection.
fn introspect(sdl: &str) -> Value {
    let schema = Schema::parse_and_validate(sdl, "schema.graphql").unwrap();
    let document = ExecutableDocument::parse_and_validate(&schema, INTROSPECTION, "introspection.graphql").unwrap();
    let operation = document.operations.anonymous.as_ref().unwrap();
    let variables = Valid::assume_valid(JsonMap::new());
    let response = partial_execute(&schema, &schema.implementers_map(), &document, operation, &variables).unwrap();
    serde_json::to_value(response).unwrap()["data"]["__schema"].take()
}

#[test]
fn the_documented_schema_lacks_nothing() {
    assert_eq!(
        compare(introspect(DOCUMENTED), &operations()).unwrap(),
        Unsupported::default()
    );
}

#[test]
fn what_a_server_lacks_is_named_and_its_optional_fields_are_dropped() {
    let cut = [
        (
            "  ref: String # [assumed] categoryRef must resolve against something\n",
            "",
        ),
        ("  ref: String # [assumed]\n  maxUsers: Int # [assumed]\n", ""),
        (
            "  booleanValue: Boolean # [assumed] by symmetry with the output types\n",
            "",
        ),
        ("  deleteGroup(id: UUID!): DeleteGroup\n", ""),
        ("  updateUser(id: UUID, ref: String,", "  updateUser(ref: String,"),
        ("  idsLinkedViaObject: [UUID!]\n", ""),
        ("type Training {", "type TrainingOnThisServer {"),
        (": Training\n", ": TrainingOnThisServer\n"),
        (": Training #", ": TrainingOnThisServer #"),
        ("[Training!]", "[TrainingOnThisServer!]"),
        ("  archived: Boolean!\n  overviewImage", "  overviewImage"),
    ];
    let sdl = cut.iter().fold(DOCUMENTED.to_owned(), |sdl, (old, new)| {
        assert!(sdl.contains(old), "{old}");
        sdl.replace(old, new)
    });
    let unsupported = compare(introspect(&sdl), &operations()).unwrap();
    let names: Vec<_> = unsupported.names().collect();
    assert_eq!(
        names,
        [
            "ExtraCategory.ref",
            "Mutation.deleteGroup",
            "RemoveUsersFromTraining.idsLinkedViaObject",
            "Training.archived", // by our name for the type, under which it is dropped
            "updateExtraCategoryValues.values.booleanValue",
            "updateGroup.group.maxUsers",
            "updateGroup.group.ref",
            "updateUser.id",
        ]
    );
    let schema = Schema::parse_and_validate(&sdl, "schema.graphql").unwrap();
    for query in [
        Query::CustomFields(ContentType::User),
        Query::Training(crate::pluvo::request::Selector::Ref("t".into())),
    ] {
        let document = Document::of(Access::Read, &[query.operation()], &unsupported);
        ExecutableDocument::parse_and_validate(&schema, &document.text, "document.graphql").unwrap();
    }
}

#[test]
fn only_what_needs_a_missing_part_is_blocked() {
    let mut unsupported = Unsupported::default();
    unsupported.insert("updateGroup.group", "maxUsers");
    unsupported.insert("Mutation", "deleteGroup");
    unsupported.insert("ExtraCategory", "ref");
    let rename = GroupInput {
        name: Some("G".into()),
        ..GroupInput::default()
    };
    let update = |group| unsupported.blocks(&Mutation::UpdateGroup { id: "g".into(), group }.operation());
    assert_eq!(update(rename.clone()), None);
    assert_eq!(
        update(GroupInput {
            max_users: Some(3),
            ..rename
        })
        .as_deref(),
        Some("updateGroup.group.maxUsers")
    );
    let delete = Mutation::DeleteGroup("g".into()).operation();
    assert_eq!(unsupported.blocks(&delete).as_deref(), Some("Mutation.deleteGroup"));
    assert_eq!(
        unsupported.blocks(&Query::CustomFields(ContentType::User).operation()),
        None,
        "it can do without"
    );
}

#[rstest]
#[case(r#"Cannot query field "ref" on type "ExtraCategory"."#, "ExtraCategory.ref")]
#[case(
    "Cannot query field 'ref' on type 'ExtraCategoryType'. Did you mean 'id'?",
    "ExtraCategory.ref"
)]
#[case(
    r#"Unknown field "ref" on type "ExtraCategory". Did you mean "color"?"#,
    "ExtraCategory.ref"
)]
#[case(
    r#"Cannot query field "extraCategories" on type "RootQuery"."#,
    "Query.extraCategories"
)]
#[case(r#"Cannot query field "title" on type "ExtraCategory"."#, "ExtraCategory.title")]
#[case(
    r#"Unknown argument "contentType" on field "Query.extraCategories"."#,
    "extraCategories.contentType"
)]
#[case(
    "Unknown argument 'contentType' on field 'extraCategories' of type 'Query'. Did you mean 'x'?",
    "extraCategories.contentType"
)]
#[case(r#"Unknown argument "planted@example" on field "Query.extraCategories"."#, "")]
#[case(r#"Cannot query field "}{" on type "Evil type"."#, "")]
#[case("jane@example.com exists", "")]
fn errors_teach(#[case] message: &str, #[case] learned: &str) {
    let mut unsupported = Unsupported::default();
    let error = GraphqlError {
        message: message.to_owned(),
        code: None,
        path: vec![],
    };
    unsupported.learn(&[error], &[Query::CustomFields(ContentType::User).operation()]);
    assert_eq!(unsupported.to_string(), learned);
}

#[rstest]
#[case(
    r#"Field "maxUsers" is not defined by type "UpdateGroupInput"."#,
    "updateGroup.group.maxUsers"
)]
#[case(
    r#"Argument "group" has invalid value {maxUsers: 3}. In field "maxUsers": Unknown field."#,
    "updateGroup.group.maxUsers"
)]
#[case(r#"Unknown argument "id" on field "Mutation.updateGroup"."#, "updateGroup.id")]
#[case(r#"Field "planted" is not defined by type "UpdateGroupInput"."#, "")]
fn errors_about_what_is_sent_teach_as_well(#[case] message: &str, #[case] learned: &str) {
    let group = GroupInput {
        max_users: Some(3),
        ..GroupInput::default()
    };
    let update = Mutation::UpdateGroup { id: "g".into(), group }.operation();
    let error = GraphqlError {
        message: message.to_owned(),
        code: None,
        path: vec![],
    };
    let mut unsupported = Unsupported::default();
    unsupported.learn(&[error], std::slice::from_ref(&update));
    assert_eq!(unsupported.to_string(), learned);
    assert_eq!(unsupported.blocks(&update).is_some(), !learned.is_empty());
}

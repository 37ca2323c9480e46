//! Custom fields and their values.

use serde_json::{Value as Json, json};

use super::{Pluvo, each};

const SET: &str = "mutation ($ref: String, $values: [ExtraCategoryValueInput!]!) {
  updateExtraCategoryValues(contentType: USER, modelRef: $ref, values: $values) {
    extraCategoryValues {
      ... on ExtraCategoryStringValue { category { ref } stringValue }
      ... on ExtraCategoryDatetimeValue { category { ref } datetimeValue }
      ... on ExtraCategoryBooleanValue { category { ref } booleanValue }
      ... on ExtraCategoryChoiceValue { category { ref } choiceValue { stringValue ref } }
    }
  }
}";

#[tokio::test]
async fn values_of_every_kind() {
    let pluvo = Pluvo::start().await;
    let values = json!([
        {"categoryRef": "department", "stringValue": "R&D / Innovation Lab"},
        {"categoryRef": "size", "stringValue": "42.5"},
        {"categoryRef": "start", "datetimeValue": "2026-09-01T00:00:00+02:00"},
        {"categoryRef": "first-aider", "booleanValue": false},
        {"categoryRef": "site", "choiceValues": [{"stringValue": "Utrecht"}]},
        {"categoryRef": "certificates", "choiceValues": [{"ref": "first-aid"}, {"stringValue": "VCA"}]},
    ]);
    let data = pluvo.data_with(SET, json!({"ref": "EMP-001", "values": values})).await;
    let all = data["updateExtraCategoryValues"]["extraCategoryValues"]
        .as_array()
        .expect("values")
        .clone();
    assert_eq!(all.len(), 7, "one row for each option of the multiple choice");
    let start = all
        .iter()
        .find(|value| value["category"]["ref"] == "start")
        .expect("a date");
    assert_eq!(start["datetimeValue"], "2026-08-31T22:00:00+00:00");
    assert_eq!(
        pluvo.look("state").await["users"]["EMP-001"]["customFields"],
        json!({
            "department": "R&D / Innovation Lab", "size": "42.5", "start": "2026-08-31T22:00:00+00:00",
            "first-aider": false, "site": "Utrecht", "certificates": ["VCA", "EHBO"],
        })
    );
    pluvo
        .control("settings", json!({"valuesAnswer": "sent", "showCategoryRefs": false}))
        .await;
    let again = json!([{"categoryRef": "size", "stringValue": "43"}]);
    let data = pluvo.data_with(SET, json!({"ref": "EMP-001", "values": again})).await;
    assert_eq!(
        data["updateExtraCategoryValues"]["extraCategoryValues"],
        json!([{"category": {"ref": null}, "stringValue": "43"}])
    );
}

#[tokio::test]
async fn wrong_values_are_refused_as_a_whole() {
    let pluvo = Pluvo::start().await;
    for (value, code) in [
        (json!({"categoryRef": "nope", "stringValue": "x"}), "NotFound"),
        (
            json!({"categoryRef": "department", "booleanValue": true}),
            "ValidationError",
        ),
        (json!({"categoryRef": "department"}), "ValidationError"),
        (json!({"stringValue": "x"}), "ValidationError"),
        (json!({"categoryRef": "size", "stringValue": "many"}), "ValidationError"),
        (
            json!({"categoryRef": "site", "choiceValues": [{"stringValue": "Paris"}]}),
            "ValidationError",
        ),
        (
            json!({"categoryRef": "site", "choiceValues": [{"stringValue": "Delft"}, {"stringValue": "Utrecht"}]}),
            "ValidationError",
        ),
    ] {
        let values = json!([{"categoryRef": "department", "stringValue": "R&D"}, value]);
        let answer = pluvo.ask_with(SET, json!({"ref": "EMP-001", "values": values})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{value}");
        assert_eq!(answer["errors"][0]["path"], json!(["updateExtraCategoryValues"]));
    }
    let nobody = json!({"ref": "EMP-404", "values": []});
    assert_eq!(
        pluvo.ask_with(SET, nobody).await["errors"][0]["extensions"]["code"],
        "NotFound"
    );
    assert_eq!(pluvo.look("state").await["users"]["EMP-001"]["customFields"], json!({}));
}

#[tokio::test]
async fn fields_are_created_changed_and_archived() {
    let pluvo = Pluvo::start().await;
    let create = r##"mutation { createExtraCategory(extraCategoryInput: {name: "Colour", categoryType: SELECT, forModelTypes: [GROUP], color: "#FF0000", choiceOptions: [{stringValue: "Red"}, {stringValue: "Blue"}]}) { extraCategory { id ref title categoryType choiceOptions { id stringValue } } } }"##;
    let field = pluvo.data(create).await["createExtraCategory"]["extraCategory"].clone();
    let set = "mutation ($id: UUID) { updateExtraCategoryValues(contentType: GROUP, modelRef: \"small\", values: [{categoryId: $id, choiceValues: [{stringValue: \"Blue\"}]}]) { extraCategoryValues { __typename } } }";
    pluvo.data_with(set, json!({"id": field["id"]})).await;
    let update = "mutation ($id: UUID!) { updateExtraCategory(id: $id, extraCategoryInput: {name: \"Color\", choiceOptions: [{stringValue: \"Blue\"}, {stringValue: \"Green\"}]}) { extraCategory { title choiceOptions { id stringValue } } } }";
    let updated =
        pluvo.data_with(update, json!({"id": field["id"]})).await["updateExtraCategory"]["extraCategory"].clone();
    assert_eq!(
        updated["choiceOptions"][0], field["choiceOptions"][1],
        "an option that stays keeps its id"
    );
    let fields = pluvo.data("{ extraCategories(contentType: GROUP) { title } }").await;
    assert_eq!(each(&fields["extraCategories"], "/title"), ["Certificates", "Color"]);

    let archive =
        "mutation ($ids: [UUID!]!) { archiveExtraCategories(archive: true, ids: $ids) { response { succeededIds } } }";
    pluvo.data_with(archive, json!({"ids": [field["id"]]})).await;
    let data = pluvo.data(r#"{ extraCategories(contentType: GROUP) { title } group(ref: "small") { extraCategoryValues { __typename } } }"#).await;
    assert_eq!(each(&data["extraCategories"], "/title"), ["Certificates"]);
    assert_eq!(data["group"]["extraCategoryValues"], json!([]));
    let old = pluvo
        .data(r#"mutation { createExtraCategory(category: {title: "Old"}) { extraCategory { title categoryType } } }"#)
        .await;
    assert_eq!(
        old["createExtraCategory"]["extraCategory"],
        json!({"title": "Old", "categoryType": "TEXT"})
    );
    assert_eq!(
        pluvo.ask_with(set, json!({"id": Json::Null})).await["errors"][0]["extensions"]["code"],
        "ValidationError"
    );
}

//! Portfolios, certificates and the report.

use serde_json::{Value as Json, json};

use super::{Pluvo, each};

const REPORT: &str = "query ($groups: [UUID!], $types: [RelatedObjectType!], $from: Date, $to: Date, $first: Int, $after: String) {
  portfolioReport(userGroupIds: $groups, relatedObjectTypes: $types, completionDateFrom: $from, completionDateTo: $to, first: $first, after: $after) {
    edges { node { user { ref } title progress score completionDate endDate timeSpent { days seconds } } }
    pageInfo { hasNextPage endCursor }
    count
  }
}";

async fn report(pluvo: &Pluvo, variables: Json) -> Json {
    pluvo.data_with(REPORT, variables).await["portfolioReport"].take()
}

fn rows(report: &Json) -> Vec<String> {
    let rows = each(&report["edges"], "/node/user/ref")
        .into_iter()
        .zip(each(&report["edges"], "/node/title"));
    rows.map(|(user, title)| format!("{user} {title}")).collect()
}

async fn certificate(pluvo: &Pluvo) -> Json {
    pluvo
        .data("{ certificates { count edges { node { id name title } } } }")
        .await["certificates"]
        .take()
}

async fn user(pluvo: &Pluvo, reference: &str) -> Json {
    let query = "query ($ref: String) { user(ref: $ref) { id } }";
    pluvo.data_with(query, json!({"ref": reference})).await["user"]["id"].take()
}

#[tokio::test]
async fn a_report_shows_how_far_people_are_page_by_page() {
    let pluvo = Pluvo::start().await;
    let progress = json!({"EMP-002": {"progress": 100.0, "score": 8.5, "completionDate": "2026-02-01", "endDate": "2027-02-01", "timeSpent": "25h"}});
    pluvo
        .control("change", json!({"trainings": {"welcome": {"progress": progress}}}))
        .await;
    let first = report(&pluvo, json!({"first": 1, "types": ["TRAINING"]})).await;
    assert_eq!(
        (&first["count"], &first["pageInfo"]["hasNextPage"]),
        (&json!(2), &json!(true))
    );
    let after = first["pageInfo"]["endCursor"].clone();
    let second = report(&pluvo, json!({"first": 1, "after": after, "types": ["TRAINING"]})).await;
    assert_eq!(
        (rows(&first), rows(&second)),
        (vec!["EMP-001 Welcome".to_owned()], vec!["EMP-002 Welcome".to_owned()])
    );
    let node = &second["edges"][0]["node"];
    assert_eq!(
        (
            &node["progress"],
            &node["score"],
            &node["completionDate"],
            &node["endDate"],
            &node["timeSpent"]
        ),
        (
            &json!(100.0),
            &json!(8.5),
            &json!("2026-02-01"),
            &json!("2027-02-01"),
            &json!({"days": 1, "seconds": 3600})
        )
    );
    for (from, to, found) in [("2026-02-01", "2026-02-01", 1), ("2026-02-02", "2027-01-01", 0)] {
        assert_eq!(
            report(&pluvo, json!({"from": from, "to": to})).await["count"],
            found,
            "{from}"
        );
    }
    let group = pluvo.data(r#"{ group(ref: "small") { id } }"#).await["group"]["id"].clone();
    assert_eq!(report(&pluvo, json!({"groups": [group]})).await["count"], 0);
    let trainings =
        "query ($id: UUID) { paginatedTrainings(userId: $id) { edges { node { userData { progress } } } } }";
    let id = json!({"id": user(&pluvo, "EMP-002").await});
    let found = pluvo.data_with(trainings, id).await;
    assert_eq!(
        found["paginatedTrainings"]["edges"][0]["node"]["userData"]["progress"],
        100.0
    );
}

#[tokio::test]
async fn a_certificate_is_issued_into_the_portfolio_and_the_report() {
    let pluvo = Pluvo::start().await;
    let templates = certificate(&pluvo).await;
    assert_eq!(templates["count"], 1);
    let (id, who) = (
        templates["edges"][0]["node"]["id"].clone(),
        user(&pluvo, "EMP-001").await,
    );
    let generate = "mutation ($id: UUID!, $who: [UUID!]!) {
      generateCertificate(id: $id, userIds: $who, issueDate: \"2026-03-15\") { bulkGenerate { succeededIds failedIds } }
    }";
    let nobody = "00000000-0000-4000-8000-000000000000";
    let variables = json!({"id": id, "who": [who, nobody]});
    let data = pluvo.data_with(generate, variables.clone()).await;
    let expected = json!({"succeededIds": [who], "failedIds": [nobody]});
    assert_eq!(data["generateCertificate"]["bulkGenerate"], expected);
    let issued = report(&pluvo, json!({"types": ["CERTIFICATE"]})).await;
    assert_eq!(rows(&issued), ["EMP-001 Safety certificate"]);
    let node = &issued["edges"][0]["node"];
    assert_eq!(
        (&node["completionDate"], &node["endDate"]),
        (&json!("2026-03-15"), &json!("2027-03-15"))
    );
    assert_eq!((&node["progress"], &node["timeSpent"]), (&json!(null), &json!(null)));

    pluvo.data_with(generate, variables.clone()).await;
    assert_eq!(
        report(&pluvo, json!({"types": ["CERTIFICATE"]})).await["count"],
        2,
        "issued again"
    );
    let settings = json!({"repeatedCertificate": "skip", "certificateIds": "portfolioItems"});
    pluvo.control("settings", settings).await;
    let data = pluvo.data_with(generate, variables).await;
    let items = pluvo
        .data_with(
            "query ($id: UUID) { portfolioItems(userId: $id) { id } }",
            json!({"id": who}),
        )
        .await;
    assert_eq!(
        data["generateCertificate"]["bulkGenerate"]["succeededIds"][0],
        items["portfolioItems"][0]["id"]
    );
    assert_eq!(items["portfolioItems"].as_array().map(Vec::len), Some(2));
    pluvo.control("change", json!({"users": {"EMP-001": null}})).await;
    assert_eq!(
        report(&pluvo, json!({"types": ["CERTIFICATE"]})).await["count"],
        0,
        "erased with the user"
    );
}

#[tokio::test]
async fn an_item_is_created_changed_and_deleted() {
    let pluvo = Pluvo::start().await;
    let create = "mutation ($id: UUID!) {
      createPortfolioItem(input: {userId: $id, title: \"Diploma\", startDate: \"2024-06-01\", files: [\"https://example.com/a.pdf\"]}) {
        portfolioItem { id title startDate endDate files user { ref } }
      }
    }";
    let who = json!({"id": user(&pluvo, "EMP-001").await});
    let item = pluvo.data_with(create, who.clone()).await["createPortfolioItem"]["portfolioItem"].clone();
    assert_eq!(
        (&item["startDate"], &item["user"]["ref"], &item["files"]),
        (
            &json!("2024-06-01T00:00:00+00:00"),
            &json!("EMP-001"),
            &json!(["https://example.com/a.pdf"])
        )
    );
    let id = json!({"id": item["id"]});
    let update = "mutation ($id: UUID!) { updatePortfolioItem(id: $id, input: {title: \"Degree\", endDate: \"2030-01-01\"}) { portfolioItem { title description endDate files } } }";
    let updated = pluvo.data_with(update, id.clone()).await["updatePortfolioItem"]["portfolioItem"].clone();
    assert_eq!(
        (&updated["title"], &updated["files"]),
        (&json!("Degree"), &item["files"])
    );
    let read = "query ($id: UUID!) { portfolioItem(id: $id) { title } }";
    assert_eq!(
        pluvo.data_with(read, id.clone()).await["portfolioItem"]["title"],
        "Degree"
    );
    let report = report(&pluvo, json!({"types": ["CERTIFICATE"]})).await;
    assert_eq!(report["count"], 0, "no certificate was issued");
    let delete = "mutation ($id: UUID!) { deletePortfolioItem(id: $id) { success } }";
    for success in [true, false] {
        let data = pluvo.data_with(delete, id.clone()).await;
        assert_eq!(data["deletePortfolioItem"]["success"], success);
    }
    assert_eq!(
        pluvo.data("{ portfolioItems { id } }").await["portfolioItems"],
        json!([])
    );
}

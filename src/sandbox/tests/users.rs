//! Users: identity, uniqueness, pages and filters.

use serde_json::{Value as Json, json};

use super::{Pluvo, each};

#[tokio::test]
async fn refs_and_addresses_are_unique() {
    let pluvo = Pluvo::start().await;
    for input in [
        r#"{name: "X", email: "ANNA@example.com"}"#,
        r#"{name: "X", email: "chloe@example.com"}"#,
        r#"{name: "X", email: "x@example.com", ref: "EMP-001"}"#,
        r#"{name: "X", email: "no address"}"#,
        r#"{name: "  ", email: "x@example.com"}"#,
        r#"{email: "x@example.com"}"#,
        r#"{name: "X"}"#,
    ] {
        let answer = pluvo
            .ask(&format!(
                "mutation {{ made: createUser(user: {input}) {{ user {{ id }} }} }}"
            ))
            .await;
        assert_eq!(answer["data"]["made"], Json::Null);
        assert_eq!(answer["errors"][0]["extensions"]["code"], "ValidationError", "{input}");
        assert_eq!(answer["errors"][0]["path"], json!(["made"]));
        let message = answer["errors"][0]["message"].as_str().expect("a message");
        assert!(
            !message.contains("example.com") && !message.contains("EMP"),
            "{message}"
        );
    }
    let long = format!(
        r#"mutation {{ updateUser(ref: "EMP-001", user: {{name: "{}"}}) {{ user {{ id }} }} }}"#,
        "x".repeat(256)
    );
    assert_eq!(pluvo.refusal(&long).await.0, "ValidationError");
    assert_eq!(pluvo.look("state").await["users"].as_object().expect("users").len(), 4);
}

#[tokio::test]
async fn a_ref_is_generated_where_none_is_given() {
    let pluvo = Pluvo::start().await;
    let data = pluvo
        .data(r#"{ user(email: "DAAN@example.com") { id ref roles } }"#)
        .await;
    let generated = uuid::Uuid::parse_str(data["user"]["ref"].as_str().expect("a ref")).expect("a UUID");
    assert_eq!(generated.get_version_num(), 4);
    assert_ne!(data["user"]["ref"], data["user"]["id"]);
    assert_eq!(data["user"]["roles"], json!(["PARTICIPANT", "MANAGER"]));
}

#[tokio::test]
async fn update_or_create_looks_up_by_either_key() {
    let pluvo = Pluvo::start().await;
    let data = pluvo
        .data(
            r#"mutation {
              attached: updateOrCreateUser(email: "daan@example.com", user: {ref: "EMP-004"}) { user { ref name } created }
              changed: updateOrCreateUser(ref: "EMP-001", user: {email: "anna.new@example.com"}) { user { email name } created }
              byEmail: updateOrCreateUser(email: "emma@example.com", user: {name: "Emma", ref: "EMP-005"}) { user { email ref } created }
              byRef: updateOrCreateUser(ref: "EMP-006", user: {name: "Femke", email: "femke@example.com"}) { user { ref language archived } created }
            }"#,
        )
        .await;
    assert_eq!(
        data["attached"],
        json!({"user": {"ref": "EMP-004", "name": "Daan"}, "created": false})
    );
    assert_eq!(
        data["changed"]["user"],
        json!({"email": "anna.new@example.com", "name": "Anna"})
    );
    assert_eq!(
        data["byEmail"],
        json!({"user": {"email": "emma@example.com", "ref": "EMP-005"}, "created": true})
    );
    assert_eq!(
        data["byRef"]["user"],
        json!({"ref": "EMP-006", "language": "NL", "archived": false})
    );

    let leaver = r#"mutation { updateOrCreateUser(ref: "nobody", user: {archived: true}) { created } }"#;
    assert_eq!(
        pluvo.refusal(leaver).await.0,
        "ValidationError",
        "a creation without name and address"
    );
    pluvo.control("settings", json!({"creationWithoutName": "allow"})).await;
    assert_eq!(pluvo.data(leaver).await["updateOrCreateUser"]["created"], true);

    let unknown = r#"mutation { updateUser(ref: "EMP-404", user: {name: "X"}) { user { id } } }"#;
    assert_eq!(pluvo.refusal(unknown).await.0, "NotFound");
}

#[tokio::test]
async fn archiving_in_all_its_ways() {
    let pluvo = Pluvo::start().await;
    let id = pluvo.data(r#"{ user(ref: "EMP-001") { id } }"#).await["user"]["id"].clone();
    let stranger = "00000000-0000-4000-8000-000000000000";
    let archive =
        "mutation ($ids: [UUID!]!) { archiveUsers(archive: true, ids: $ids) { response { succeededIds failedIds } } }";
    let data = pluvo.data_with(archive, json!({"ids": [id, stranger]})).await;
    assert_eq!(
        data["archiveUsers"]["response"],
        json!({"succeededIds": [id], "failedIds": [stranger]})
    );
    let user = pluvo
        .data(r#"{ user(ref: "EMP-001") { archived isActive archivedAt participantGroups { ref } } }"#)
        .await;
    assert_eq!(user["user"]["archived"], true);
    assert_eq!(user["user"]["isActive"], false);
    assert_eq!(
        each(&user["user"]["participantGroups"], "/ref"),
        ["all-employees"],
        "memberships stay"
    );
    pluvo
        .data(r#"mutation { updateUser(ref: "EMP-001", user: {isActive: true}) { user { id } } }"#)
        .await;
    assert_eq!(pluvo.look("state").await["users"]["EMP-001"]["archived"], false);
}

#[tokio::test]
async fn pages_are_sorted_by_name_and_complete() {
    let pluvo =
        Pluvo::seeded("clients: [{id: all, secret: s3cret}]\ngenerate: {users: 120, archived: 30, groups: 2}").await;
    let query = "query ($after: String) { paginatedUsers(first: 100, after: $after) { count edges { node { name } } pageInfo { hasNextPage endCursor } } }";
    let (mut names, mut after, mut sizes) = (Vec::new(), Json::Null, Vec::new());
    loop {
        let data = pluvo.data_with(query, json!({"after": after})).await;
        let page = &data["paginatedUsers"];
        assert_eq!(page["count"], 120);
        let rows = each(&page["edges"], "/node/name");
        sizes.push(rows.len());
        names.extend(rows);
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(sizes, [50, 50, 20], "first above 50 is capped");
    assert!(names.is_sorted_by_key(|name| name.to_lowercase()));

    let offset = pluvo
        .data("{ paginatedUsers(offset: 118, archived: null) { edges { node { name } } } }")
        .await;
    assert_eq!(each(&offset["paginatedUsers"]["edges"], "/node/name"), names[118..]);
    let counts = pluvo
        .data("{ a: paginatedUsers(archived: true) { count } b: paginatedUsers(archived: false) { count } }")
        .await;
    assert_eq!(counts, json!({"a": {"count": 30}, "b": {"count": 90}}));

    pluvo.control("settings", json!({"pageTooLarge": "error"})).await;
    assert_eq!(
        pluvo.refusal("{ paginatedUsers(first: 51) { count } }").await.0,
        "ValidationError"
    );
    assert_eq!(
        pluvo.refusal(r#"{ paginatedUsers(after: "x") { count } }"#).await.0,
        "ValidationError"
    );
}

#[tokio::test]
async fn cursors_are_positions_and_shift() {
    let pluvo = Pluvo::start().await;
    let page = pluvo
        .data("{ paginatedUsers(first: 2) { edges { node { ref } } pageInfo { endCursor } } }")
        .await;
    assert_eq!(
        each(&page["paginatedUsers"]["edges"], "/node/ref"),
        ["EMP-001", "EMP-002"]
    );
    pluvo
        .data(r#"mutation { updateUser(ref: "EMP-001", user: {name: "Zoë"}) { user { id } } }"#)
        .await;
    let query = "query ($after: String) { paginatedUsers(after: $after) { edges { node { name } } } }";
    let data = pluvo
        .data_with(query, json!({"after": page["paginatedUsers"]["pageInfo"]["endCursor"]}))
        .await;
    assert_eq!(
        each(&data["paginatedUsers"]["edges"], "/node/name"),
        ["Daan", "Zoë"],
        "Chloé was missed, Zoë seen twice"
    );
}

#[tokio::test]
async fn filters() {
    let pluvo = Pluvo::start().await;
    let group = pluvo.data(r#"{ group(ref: "all-employees") { id } }"#).await["group"]["id"].clone();
    let training = pluvo.data(r#"{ training(ref: "welcome") { id } }"#).await["training"]["id"].clone();
    let value = r#"mutation { updateExtraCategoryValues(contentType: USER, modelRef: "EMP-002", values: [{categoryRef: "department", stringValue: "R&D"}]) { extraCategoryValues { __typename } } }"#;
    pluvo.data(value).await;
    for (arguments, expected) in [
        (r#"q: "CHLO""#.to_owned(), vec!["Chloé"]),
        (
            r#"q: "example.com", archived: false"#.to_owned(),
            vec!["Anna", "bram", "Daan"],
        ),
        ("userRoles: [MANAGER, TRAINER]".to_owned(), vec!["Daan"]),
        (format!("groupIds: [{group}]"), vec!["Anna", "bram"]),
        (format!("trainingIds: [{training}]"), vec!["Anna", "bram"]),
        (format!("groupIds: [{group}], archived: true"), vec![]),
        (r#"lastLogin_Lt: "2024-04-01T00:00:00Z""#.to_owned(), vec!["Anna"]),
        (r#"lastLogin_Gt: "2024-04-01""#.to_owned(), vec!["bram"]),
        (
            r#"extraCategories: [{categoryRef: "department", stringValue: "R&D"}]"#.to_owned(),
            vec!["bram"],
        ),
        (
            "sortBy: {direction: DESC}".to_owned(),
            vec!["Daan", "Chloé", "bram", "Anna"],
        ),
        (
            "sortBy: {field: LAST_LOGIN}, archived: false".to_owned(),
            vec!["Daan", "Anna", "bram"],
        ),
    ] {
        let data = pluvo
            .data(&format!(
                "{{ paginatedUsers({arguments}) {{ count edges {{ node {{ name }} }} }} }}"
            ))
            .await;
        assert_eq!(
            each(&data["paginatedUsers"]["edges"], "/node/name"),
            expected,
            "{arguments}"
        );
        assert_eq!(data["paginatedUsers"]["count"], expected.len());
    }
    pluvo.control("settings", json!({"neverLoggedIn": "include"})).await;
    let data = pluvo
        .data(r#"{ paginatedUsers(lastLogin_Lt: "2024-04-01") { count } users(active: true) { name } }"#)
        .await;
    assert_eq!(data["paginatedUsers"]["count"], 3);
    assert_eq!(each(&data["users"], "/name"), ["Anna", "bram", "Daan"]);
}

#[tokio::test]
async fn invitations_are_in_the_outbox() {
    let pluvo = Pluvo::start().await;
    pluvo
        .data(
            r#"mutation {
              a: createUser(user: {name: "A", email: "a@example.com", ref: "A"}) { user { invitedOn } }
              b: createUser(sendInvite: false, user: {name: "B", email: "b@example.com", ref: "B"}) { user { id } }
              c: updateOrCreateUser(ref: "C", sendInvite: true, user: {name: "C", email: "c@example.com"}) { created }
              d: updateOrCreateUser(ref: "C", sendInvite: true, user: {name: "C"}) { created }
              e: updateOrCreateUser(ref: "E", user: {name: "E", email: "e@example.com"}) { created }
            }"#,
        )
        .await;
    let outbox = pluvo.look("outbox").await;
    assert_eq!(each(&outbox, "/to"), ["A", "C"]);
    assert_eq!(each(&outbox, "/operation"), ["createUser", "updateOrCreateUser"]);
    assert_eq!(
        (&outbox[0]["kind"], &outbox[0]["client"]),
        (&json!("invite"), &json!("all"))
    );
    assert_eq!(pluvo.look("stats").await["mails"], 2);
}

#[tokio::test]
async fn usual_graphql_errors() {
    let pluvo = Pluvo::start().await;
    for (query, message) in [
        (
            "{ user(ref: \"A\") { nickname } }",
            "Cannot query field 'nickname' on type 'User'.",
        ),
        (
            "mutation { updateUser(ref: \"A\", user: {roles: [KING]}) { user { id } } }",
            "KING",
        ),
        ("{ user(", "expected"),
    ] {
        let answer = pluvo.ask(query).await;
        assert!(
            answer["errors"][0]["message"]
                .as_str()
                .expect("a message")
                .contains(message),
            "{answer}"
        );
        assert!(answer.get("data").is_none(), "not executed: {answer}");
    }
    assert!(
        pluvo.look("stats").await["operations"]
            .as_object()
            .expect("counts")
            .is_empty()
    );
    pluvo.control("settings", json!({"rejectedDocumentStatus": 400})).await;
    let answer = pluvo.request("{ nope }", &json!({})).send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 400);
    assert_eq!(
        pluvo.refusal("{ user { id } }").await,
        ("ValidationError".to_owned(), json!(["user"]))
    );
}

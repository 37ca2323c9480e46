//! Offers and their events.

use serde_json::json;

use super::{Pluvo, each};

const EVENT: &str = r#"mutation {
  createOfferEvent(offerRef: "first-aid", offerEvent: {
    title: "October", ref: "october", type: TRAINING, maxSubscriptions: 3, price: "12.50"
    dates: [{startDate: "2026-10-01T10:00:00Z", endDate: "2026-10-01T16:00:00Z"}]
  }) {
    offerEvent {
      id ref title type price enrolledCount spotsAvailable waitingList cancelled publish dates { id startDate endDate }
      offerId isActive maxParticipants trainers { ref } accessCourses { id }
    }
  }
}"#;

#[tokio::test]
async fn an_offer_is_created_changed_archived_and_listed() {
    let pluvo = Pluvo::start().await;
    let create = r#"mutation { createOffer(offer: {title: "Languages", ref: "languages", description: "All"}) { offer { id ref isActive createdAt offerEvents { ref } } } }"#;
    let offer = pluvo.data(create).await["createOffer"]["offer"].clone();
    assert_eq!(
        (&offer["ref"], &offer["isActive"], &offer["offerEvents"]),
        (&json!("languages"), &json!(true), &json!([]))
    );
    assert_eq!(pluvo.refusal(create).await.0, "ValidationError", "the ref is taken");
    let id = json!({"id": offer["id"]});
    let change = "mutation ($id: UUID!) {
      updateOffer(id: $id, offer: {title: \"Dutch\"}) { offer { title description } }
      archiveOffers(archive: true, ids: [$id]) { response { succeededIds failedIds } }
    }";
    let data = pluvo.data_with(change, id).await;
    assert_eq!(
        data["updateOffer"]["offer"],
        json!({"title": "Dutch", "description": "All"})
    );
    assert_eq!(data["archiveOffers"]["response"]["failedIds"], json!([]));
    let data = pluvo
        .data(r#"{ offer(ref: "languages") { archivedAt } offers { ref } }"#)
        .await;
    assert!(data["offer"]["archivedAt"].is_string());
    assert_eq!(each(&data["offers"], "/ref"), ["languages", "first-aid"], "by title");
}

#[tokio::test]
async fn an_offer_has_custom_fields() {
    let pluvo = Pluvo::start().await;
    let create = r#"mutation { createExtraCategory(extraCategoryInput: {name: "Budget", ref: "budget", categoryType: TEXT, forModelTypes: [OFFER]}) { extraCategory { id } } }"#;
    pluvo.data(create).await;
    let set = r#"mutation { updateExtraCategoryValues(contentType: OFFER, modelRef: "first-aid", values: [{categoryRef: "budget", stringValue: "HR"}]) { extraCategoryValues { __typename } } }"#;
    pluvo.data(set).await;
    let read =
        r#"{ offer(ref: "first-aid") { extraCategoryValues { ... on ExtraCategoryStringValue { stringValue } } } }"#;
    assert_eq!(
        pluvo.data(read).await["offer"]["extraCategoryValues"],
        json!([{"stringValue": "HR"}])
    );
    let state = pluvo.look("state").await;
    assert_eq!(state["offers"]["first-aid"]["customFields"], json!({"budget": "HR"}));
}

#[tokio::test]
async fn an_event_is_created_changed_and_deleted() {
    let pluvo = Pluvo::start().await;
    let event = pluvo.data(EVENT).await["createOfferEvent"]["offerEvent"].clone();
    let seen = json!({
        "ref": "october", "title": "October", "type": "TRAINING", "price": "12.50", "enrolledCount": 0,
        "spotsAvailable": 3, "waitingList": false, "cancelled": false, "publish": true, "isActive": true,
        "maxParticipants": 3, "trainers": [], "accessCourses": [],
    });
    for (field, value) in seen.as_object().unwrap() {
        assert_eq!(&event[field], value, "{field}");
    }
    assert_eq!(event["dates"][0]["endDate"], "2026-10-01T16:00:00+00:00");
    let update = r#"mutation { updateOfferEvent(ref: "october", sendNotification: false, offerEvent: {
      waitingList: true, dates: [{startDate: "2026-10-01T10:00:00Z"}, {startDate: "2026-10-08"}]
    }) { offerEvent { title waitingList dates { id start } } } }"#;
    let updated = pluvo.data(update).await["updateOfferEvent"]["offerEvent"].clone();
    assert_eq!(
        (&updated["title"], &updated["waitingList"]),
        (&json!("October"), &json!(true))
    );
    assert_eq!(updated["dates"][0]["id"], event["dates"][0]["id"], "the same date");
    assert_eq!(updated["dates"][1]["start"], "2026-10-08T00:00:00+00:00");
    let id = json!({"id": event["id"]});
    let data = pluvo
        .data_with(
            "mutation ($id: UUID!) { a: deleteOfferEvent(id: $id) { ok } b: deleteOfferEvent(id: $id) { ok } }",
            id,
        )
        .await;
    assert_eq!((&data["a"]["ok"], &data["b"]["ok"]), (&json!(true), &json!(false)));
    assert_eq!(
        pluvo.data(r#"{ offerEvent(ref: "october") { id } }"#).await["offerEvent"],
        json!(null)
    );
}

#[tokio::test]
async fn the_old_forms_of_events_work() {
    let pluvo = Pluvo::start().await;
    let data = pluvo
        .data(r#"{ offer(ref: "first-aid") { id } training(ref: "welcome") { id } }"#)
        .await;
    let ids = json!({"offer": data["offer"]["id"], "training": data["training"]["id"]});
    let create = "mutation ($offer: UUID!, $training: UUID!) {
      createOfferEvent(offerEvent: {offerId: $offer, title: \"Old\", contentId: $training, contentType: TRAINING, maxParticipants: 7}) {
        offerEvent { id type contentId contentType contentTitle maxSubscriptions accessTrainings { ref } }
      }
    }";
    let event = pluvo.data_with(create, ids.clone()).await["createOfferEvent"]["offerEvent"].clone();
    assert_eq!(
        (
            &event["type"],
            &event["contentId"],
            &event["contentTitle"],
            &event["maxSubscriptions"]
        ),
        (&json!("TRAINING"), &ids["training"], &json!("Welcome"), &json!(7))
    );
    let more = "mutation ($id: UUID!) {
      createOfferEventDate(offerEventDate: {offerEventId: $id, start: \"2026-11-01T09:00:00Z\"}) { offerEventDate { offerEventId startDate } }
      archiveOfferEvents(archive: true, ids: [$id]) { response { succeededIds } }
    }";
    let data = pluvo.data_with(more, json!({"id": event["id"]})).await;
    assert_eq!(
        data["createOfferEventDate"]["offerEventDate"]["offerEventId"],
        event["id"]
    );
    let read = "query ($id: UUID!) { offerEvent(id: $id) { isActive dates { startDate } } }";
    let found = pluvo.data_with(read, json!({"id": event["id"]})).await["offerEvent"].clone();
    assert_eq!(
        found,
        json!({"isActive": false, "dates": [{"startDate": "2026-11-01T09:00:00+00:00"}]})
    );
}

#[tokio::test]
async fn what_an_event_cannot_be_is_refused() {
    let pluvo = Pluvo::start().await;
    let create = |offer: &str, event: &str| {
        format!("mutation {{ createOfferEvent({offer}, offerEvent: {{{event}}}) {{ offerEvent {{ id }} }} }}")
    };
    let refused = [
        (create(r#"offerRef: "nothing""#, ""), "NotFound"),
        (
            create(r#"offerRef: "first-aid""#, r#"ref: "first-aid-sept""#),
            "ValidationError",
        ),
        (
            create(r#"offerRef: "first-aid""#, "maxSubscriptions: -1"),
            "ValidationError",
        ),
        (
            create(r#"offerRef: "first-aid""#, r#"price: "free""#),
            "ValidationError",
        ),
        (
            create(r#"offerRef: "first-aid""#, "contentType: TRAINING"),
            "ValidationError",
        ),
        (
            create(
                r#"offerRef: "first-aid""#,
                r#"trainers: ["00000000-0000-4000-8000-000000000000"]"#,
            ),
            "NotFound",
        ),
    ];
    let before = pluvo.look("state").await;
    for (query, code) in refused {
        assert_eq!(pluvo.refusal(&query).await.0, code, "{query}");
    }
    assert_eq!(pluvo.look("state").await, before);
}

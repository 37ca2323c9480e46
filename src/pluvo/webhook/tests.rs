use rstest::rstest;
use serde_json::json;

use super::*;

const BODY: &[u8] = br#"{"event":"GROUP_UPDATED","id":"20000000-0000-4000-8000-000000000001","ref":"group-sales"}"#;

fn keys(keys: &[&str]) -> WebhookKeys {
    keys.iter().map(|key| SecretString::from(*key)).collect()
}

#[rstest]
#[case("salt-1", "k9ZFBPp6pEDK7yrzrlmb9daLh9g")]
#[case("salt-2", "6-gqSranlwB5NW454Ic9UMJHobQ")]
#[case("salt-2", "6+gqSranlwB5NW454Ic9UMJHobQ=")]
#[case("salt-3", "ebBIlX54x4zVOFvvWyQUD-em9Lg")]
fn a_genuine_delivery_is_accepted_in_either_alphabet(#[case] salt: &str, #[case] signature: &str) {
    assert!(keys(&["webhook-key"]).accept(salt, signature, BODY));
    assert!(
        keys(&["new-key", "webhook-key"]).accept(salt, signature, BODY),
        "during a rotation"
    );
    for (keys, salt, signature, body) in [
        (keys(&["other-key"]), salt, signature, BODY),
        (keys(&[]), salt, signature, BODY),
        (keys(&["webhook-key"]), "another", signature, BODY),
        (keys(&["webhook-key"]), salt, &signature[1..], BODY),
        (keys(&["webhook-key"]), salt, "", BODY),
        (keys(&["webhook-key"]), salt, "not base64 at all!", BODY),
        (keys(&["webhook-key"]), salt, signature, &BODY[1..]),
    ] {
        assert!(!keys.accept(salt, signature, body));
    }
}

#[test]
fn keys_are_not_printed() {
    assert!(!format!("{:?}", keys(&["planted"])).contains("planted"));
}

fn achieved() -> Notice {
    Notice::Achieved(Achieved {
        user: "u".into(),
        title: "T".into(),
        on: day("2024-03-15"),
        ends: day("2025-03-15"),
    })
}

#[rstest]
#[case(json!({"event": "USER_DELETED", "id": "u", "ref": null, "email": "a@example.com"}), Ok(Notice::User { id: "u".into(), reference: None, email: Some("a@example.com".into()) }))]
#[case(json!({"event": "GROUP_CREATED", "id": "g", "ref": "r", "new": [1]}), Ok(Notice::Group { id: "g".into(), reference: Some("r".into()) }))]
#[case(json!({"event": "TRAINING_UPDATED", "id": "t"}), Ok(Notice::Training { id: "t".into(), reference: None }))]
#[case(json!({"event": "OFFER_EVENT_ENROLLED", "id": "n", "user": {"id": "u"}, "offer_event": {"id": "e", "kind": "MEETING"}}), Ok(Notice::Enrollment { event: "e".into(), user: "u".into() }))]
#[case(json!({"event": "EVENT_CERTIFICATE_ACHIEVED", "user": {"id": "u"}, "title": "T", "creationDate": "2024-03-15", "expiryDate": "2025-03-15"}), Ok(achieved()))]
#[case(json!({"event": "EVENT_CERTIFICATE_ACHIEVED", "title": "T"}), Err(NoticeError::Malformed))]
#[case(json!({"event": "COURSE_FINISHED", "id": "x"}), Ok(Notice::Other))]
#[case(json!({"event": "SOMETHING_NEW", "id": "x"}), Err(NoticeError::UnknownEvent))]
#[case(json!({"event": "GROUP_UPDATED"}), Err(NoticeError::Malformed))]
#[case(json!({"event": "OFFER_EVENT_ENROLLED", "user": {"id": "u"}}), Err(NoticeError::Malformed))]
#[case(json!({"event": 7}), Err(NoticeError::Malformed))]
#[case(json!([]), Err(NoticeError::Malformed))]
fn bodies(#[case] body: serde_json::Value, #[case] expected: Result<Notice, NoticeError>) {
    assert_eq!(Notice::parse(body.to_string().as_bytes()), expected);
    assert_eq!(
        Notice::parse(b"{\"event\": \"GROUP_UPDATED\""),
        Err(NoticeError::Malformed)
    );
    assert_eq!(Notice::parse(&b"[".repeat(100_000)), Err(NoticeError::Malformed));
}

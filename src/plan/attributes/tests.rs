//! Every kind of attribute, in every mode: what is written, and what is reported.

use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    api::{Kind, Mode, status::DriftKind},
    plan::{
        Cause, ResourceKey,
        observed::{Key, Outcome},
        testing::{Cluster, Pluvo, changes, choice_value, drift, words},
    },
    pluvo::{model::FieldValue, request::ContentType},
};

/// An attribute: a value, another one, and how somebody changes it behind the operator's back.
struct Sample {
    kind: Kind,
    path: &'static str,
    first: Value,
    second: Value,
    tamper: fn(&mut Pluvo),
    /// What the drift shows of Pluvo's value.
    shown: Option<&'static str>,
}

const HIDDEN: Option<&str> = Some("<redacted>");

fn user(path: &'static str, first: Value, second: Value, tamper: fn(&mut Pluvo), shown: &'static str) -> Sample {
    Sample {
        kind: Kind::User,
        path,
        first: json!({path: first}),
        second: json!({path: second}),
        tamper,
        shown: Some(shown),
    }
}

fn group(path: &'static str, first: Value, second: Value, tamper: fn(&mut Pluvo), shown: &'static str) -> Sample {
    Sample {
        kind: Kind::Group,
        ..user(path, first, second, tamper, shown)
    }
}

fn field(first: Value, second: Value, tamper: fn(&mut Pluvo)) -> Sample {
    let of = |value: Value| {
        let mut field = json!({"ref": "f"});
        field
            .as_object_mut()
            .unwrap()
            .extend(value.as_object().unwrap().clone());
        json!({"customFields": [field]})
    };
    Sample {
        kind: Kind::User,
        path: "customFields[f]",
        first: of(first),
        second: of(second),
        tamper,
        shown: HIDDEN,
    }
}

fn set_field(pluvo: &mut Pluvo, value: FieldValue) {
    pluvo.change_user("R", |user| user.extra_category_values[0].value = value);
}

fn name() -> Sample {
    user(
        "name",
        json!("A"),
        json!("B"),
        |pluvo| pluvo.change_user("R", |user| user.name = "X".into()),
        "X",
    )
}

fn email() -> Sample {
    Sample {
        shown: HIDDEN,
        ..user(
            "email",
            json!("a@example.com"),
            json!("b@example.com"),
            |pluvo| pluvo.change_user("R", |user| user.email = Some("x@example.com".into())),
            "",
        )
    }
}

fn no_email() -> Sample {
    Sample {
        tamper: |pluvo| pluvo.change_user("R", |user| user.email = None),
        shown: None,
        ..email()
    }
}

fn roles() -> Sample {
    let tamper: fn(&mut Pluvo) =
        |pluvo| pluvo.change_user("R", |user| user.roles = vec!["TRAINER".into(), "MANAGER".into()]);
    user(
        "roles",
        json!(["TRAINER", "PARTICIPANT"]),
        json!(["MANAGER"]),
        tamper,
        "MANAGER, TRAINER",
    )
}

fn language() -> Sample {
    let tamper: fn(&mut Pluvo) = |pluvo| pluvo.change_user("R", |user| user.language = "FR".into());
    user("language", json!("NL"), json!("EN"), tamper, "FR")
}

fn archived() -> Sample {
    let tamper: fn(&mut Pluvo) = |pluvo| pluvo.change_user("R", |user| user.archived = true);
    user("archived", json!(false), json!(true), tamper, "true")
}

fn text() -> Sample {
    field(json!({"text": "R&D"}), json!({"text": "HR"}), |pluvo| {
        set_field(pluvo, FieldValue::Text("X".into()))
    })
}

fn no_text() -> Sample {
    Sample {
        tamper: |pluvo| pluvo.change_user("R", |user| user.extra_category_values.clear()),
        shown: None,
        ..text()
    }
}

fn date_time() -> Sample {
    field(
        json!({"dateTime": "2026-09-01T00:00:00+02:00"}),
        json!({"dateTime": "2026-09-02T00:00:00+02:00"}),
        |pluvo| set_field(pluvo, FieldValue::DateTime("2026-09-01T00:00:00Z".into())),
    )
}

fn bool() -> Sample {
    field(json!({"bool": true}), json!({"bool": false}), |pluvo| {
        set_field(pluvo, FieldValue::Bool(false));
    })
}

fn choice() -> Sample {
    field(json!({"choice": "Utrecht"}), json!({"choice": "Breda"}), |pluvo| {
        set_field(pluvo, choice_value("Zwolle"));
    })
}

fn choices() -> Sample {
    field(
        json!({"choices": ["VCA", "BHV"]}),
        json!({"choices": ["VCA"]}),
        |pluvo| {
            set_field(pluvo, choice_value("EHBO"));
        },
    )
}

fn group_name() -> Sample {
    let tamper: fn(&mut Pluvo) = |pluvo| pluvo.change_group("R", |group| group.name = "X".into());
    group("name", json!("A"), json!("B"), tamper, "X")
}

fn group_ref() -> Sample {
    let tamper: fn(&mut Pluvo) = |pluvo| pluvo.change_group("R", |group| group.reference = Some("X".into()));
    Sample {
        first: json!({}),
        second: json!({"name": "B"}),
        ..group("ref", json!(""), json!(""), tamper, "X")
    }
}

fn max_users() -> Sample {
    let tamper: fn(&mut Pluvo) = |pluvo| pluvo.change_group("R", |group| group.max_users = 7);
    group("maxUsers", json!(1), json!(2), tamper, "7")
}

fn enable_chat() -> Sample {
    let tamper: fn(&mut Pluvo) = |pluvo| pluvo.change_group("R", |group| group.enable_chat = false);
    group("enableChat", json!(true), json!(false), tamper, "false")
}

fn is_editable() -> Sample {
    let tamper: fn(&mut Pluvo) = |pluvo| pluvo.change_group("R", |group| group.is_editable = true);
    group("isEditable", json!(false), json!(true), tamper, "true")
}

impl Sample {
    /// Applied, and in sync; then the mode is set.
    fn applied(&self, mode: Mode) -> (Cluster, ResourceKey) {
        let mut cluster = Cluster::default();
        cluster.pluvo.has_custom_field("f");
        let mut spec = json!({"ref": "R", "name": "R"});
        if self.kind == Kind::User {
            spec["email"] = "r@example.com".into();
        }
        spec.as_object_mut()
            .unwrap()
            .extend(self.first.as_object().unwrap().clone());
        let key = cluster.declare(self.kind, "r", spec);
        cluster.settle();
        assert_eq!(cluster.reason(&key), "InSync");
        cluster.edit(&key, json!({"mode": mode}));
        assert_eq!(cluster.settle(), [], "a mode is no difference");
        (cluster, key)
    }
}

#[rstest]
fn drift_is_written_in_mode_correct_and_reported_in_all(
    #[values(
        name(),
        email(),
        no_email(),
        roles(),
        language(),
        archived(),
        text(),
        no_text(),
        date_time(),
        bool(),
        choice(),
        choices(),
        group_name(),
        group_ref(),
        max_users(),
        enable_chat(),
        is_editable()
    )]
    sample: Sample,
    #[values(Mode::Observe, Mode::Apply, Mode::Correct)] mode: Mode,
) {
    let (mut cluster, key) = sample.applied(mode);
    (sample.tamper)(&mut cluster.pluvo);
    let decision = cluster.decide(&key);
    assert_eq!((drift(&decision), changes(&decision)), (vec![sample.path], vec![]));
    let shown = decision.drift[0].clone();
    assert_eq!(shown.observed.as_deref(), sample.shown);
    assert_eq!(shown.kind == DriftKind::Missing, sample.shown.is_none());
    let causes: Vec<_> = decision.calls.iter().map(|call| call.cause).collect();
    if mode == Mode::Correct {
        assert_eq!(
            (causes, decision.verdict.reason.as_str()),
            (vec![Cause::Drift], "Correcting")
        );
        assert_eq!(cluster.settle().len(), 1);
        assert_eq!(cluster.reason(&key), "InSync");
        let correction = cluster.status(&key).last_correction.unwrap();
        assert_eq!((correction.count, &*correction.entries[0].path), (1, sample.path));
    } else {
        assert_eq!((causes, decision.verdict.reason.as_str()), (vec![], "DriftReported"));
        assert_eq!(cluster.settle(), []);
        assert_eq!(cluster.status(&key).last_correction, None);
    }
}

#[rstest]
fn changes_are_written_in_all_modes_but_observe(
    #[values(
        name(),
        email(),
        roles(),
        language(),
        archived(),
        text(),
        date_time(),
        bool(),
        choice(),
        choices(),
        group_name(),
        max_users(),
        enable_chat(),
        is_editable()
    )]
    sample: Sample,
    #[values(Mode::Observe, Mode::Apply, Mode::Correct)] mode: Mode,
) {
    let (mut cluster, key) = sample.applied(mode);
    cluster.edit(&key, sample.second.clone());
    let decision = cluster.decide(&key);
    if mode == Mode::Observe {
        assert_eq!((drift(&decision), decision.calls.len()), (vec![sample.path], 0));
        assert_eq!(cluster.settle(), []);
        assert_eq!(cluster.reason(&key), "DriftReported");
    } else {
        assert_eq!((drift(&decision), changes(&decision)), (vec![], vec![sample.path]));
        assert_eq!(cluster.settle().len(), 1, "one call suffices");
        assert_eq!(cluster.reason(&key), "InSync");
        assert_eq!(cluster.status(&key).last_correction, None, "a change is no correction");
    }
}

/// Whatever else is edited meanwhile, drift stays drift.
#[rstest]
fn editing_another_field_makes_no_change_of_drift(
    #[values(
        email(),
        roles(),
        language(),
        archived(),
        text(),
        choices(),
        max_users(),
        enable_chat(),
        group_ref()
    )]
    sample: Sample,
) {
    let (mut cluster, key) = sample.applied(Mode::Apply);
    (sample.tamper)(&mut cluster.pluvo);
    cluster.settle();
    let since = cluster.status(&key).drift.unwrap().entries[0].since.clone();
    cluster.edit(&key, json!({"name": "Another"}));
    let decision = cluster.decide(&key);
    assert_eq!(
        (drift(&decision), changes(&decision)),
        (vec![sample.path], vec!["name"])
    );
    cluster.settle();
    let status = cluster.status(&key);
    assert_eq!(cluster.reason(&key), "DriftReported");
    assert_eq!(status.drift.unwrap().entries[0].since, since);
}

#[rstest]
fn a_field_that_is_not_declared_is_nobodys(
    #[values(roles(), language(), text(), choices(), max_users(), enable_chat(), is_editable())] sample: Sample,
) {
    let (mut cluster, key) = sample.applied(Mode::Correct);
    let undeclared: serde_json::Map<_, _> = sample
        .first
        .as_object()
        .unwrap()
        .keys()
        .map(|name| (name.clone(), Value::Null))
        .collect();
    cluster.edit(&key, undeclared.into());
    cluster.settle();
    (sample.tamper)(&mut cluster.pluvo);
    assert_eq!(cluster.settle(), []);
    assert_eq!(cluster.reason(&key), "InSync");
}

#[test]
fn what_is_written_back_to_the_declared_value_is_in_sync() {
    let (mut cluster, key) = name().applied(Mode::Apply);
    (name().tamper)(&mut cluster.pluvo);
    cluster.settle();
    cluster.edit(&key, json!({"name": "X"}));
    assert_eq!(cluster.settle(), []);
    assert_eq!(cluster.reason(&key), "InSync", "the spec follows Pluvo");
}

#[test]
fn personal_data_is_shown_where_the_connection_says_so() {
    let (mut cluster, key) = email().applied(Mode::Apply);
    cluster.connect(json!({"showPersonalData": true}));
    (email().tamper)(&mut cluster.pluvo);
    let drift = cluster.decide(&key).drift;
    assert_eq!(drift[0].desired.as_deref(), Some("a@example.com"));
    assert_eq!(drift[0].observed.as_deref(), Some("x@example.com"));
}

#[test]
fn refused_drift_stays_drift() {
    let (mut cluster, key) = name().applied(Mode::Correct);
    (name().tamper)(&mut cluster.pluvo);
    cluster.pluvo.refused.insert("A".into());
    cluster.settle();
    assert_eq!(cluster.reason(&key), "ApiRejected");
    assert_eq!(drift(&cluster.decide(&key)), ["name"]);
    assert_eq!(cluster.settle(), []);
}

#[test]
fn a_field_that_pluvo_does_not_have_is_waited_for_and_the_rest_is_applied() {
    let mut cluster = Cluster::default();
    cluster.pluvo.has_custom_field("department");
    let fields = json!([{"ref": "departement", "text": "R&D"}]);
    let user = cluster.declare_user("R", json!({"customFields": fields}));
    assert_eq!(words(&cluster.settle()), ["updateOrCreateUser"]);
    assert_eq!(cluster.reason(&user), "DependencyNotReady");
    let message = cluster.decide(&user).verdict.message;
    assert_eq!(
        message,
        "custom field departement does not exist in Pluvo; there is department"
    );
    cluster.pluvo.has_custom_field("departement");
    assert_eq!(words(&cluster.settle()), ["updateExtraCategoryValues"]);
    assert_eq!(cluster.reason(&user), "InSync");
}

#[test]
fn nothing_is_decided_before_the_fields_are_known() {
    let (mut cluster, key) = text().applied(Mode::Correct);
    cluster.pluvo.unknown = [Key::CustomFields(ContentType::User)].into();
    (text().tamper)(&mut cluster.pluvo);
    assert!(!cluster.decide(&key).observed);
}

/// Where no field tells its ref, values are written once per change, and are no drift.
#[rstest]
#[case::observed(Mode::Observe, 0)]
#[case::applied(Mode::Apply, 1)]
#[case::corrected(Mode::Correct, 1)]
fn fields_that_cannot_be_read_are_written_once(#[case] mode: Mode, #[case] calls: usize) {
    let mut cluster = Cluster::default();
    cluster.pluvo.has_custom_field("f");
    cluster.pluvo.catalogue[0].reference = None;
    cluster.pluvo.has_user("R", json!({}));
    let spec = json!({"mode": mode, "customFields": [{"ref": "f", "text": "a"}]});
    let user = cluster.declare_user("R", spec);
    assert_eq!(cluster.settle().len(), calls);
    assert_eq!(cluster.reason(&user), "InSync");
    cluster.restart();
    assert_eq!(cluster.settle(), []);
    cluster.edit(&user, json!({"customFields": [{"ref": "f", "text": "b"}]}));
    assert_eq!(cluster.settle().len(), calls);
    assert_eq!(cluster.status(&user).drift.unwrap().count, 0);
}

#[test]
fn a_refused_field_is_told_from_one_that_is_not() {
    let (mut cluster, key) = text().applied(Mode::Correct);
    let fields = json!([{"ref": "f", "text": "new"}, {"ref": "g", "text": "new"}]);
    cluster.pluvo.has_custom_field("g");
    cluster.edit(&key, json!({"customFields": fields}));
    let call = cluster.decide(&key).calls.remove(0);
    let together = crate::plan::Write::of_all(&call.writes).to_string();
    cluster
        .pluvo
        .outcomes
        .insert(together, Outcome::Refused("no reason".into()));
    let calls = cluster.decide(&key).calls;
    let paths: Vec<Vec<_>> = calls
        .iter()
        .map(|call| call.writes.iter().map(|write| &*write.path).collect())
        .collect();
    assert_eq!(paths, [["customFields[f]"], ["customFields[g]"]], "each of them alone");
}

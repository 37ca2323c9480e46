//! No mail leaves before it is counted and recorded, and none twice.

use rstest::rstest;
use serde_json::json;

use super::{
    documents::{answered, carry_out, known, resource},
    *,
};
use crate::{
    organization::batch::Batch,
    plan::testing::participants,
    pluvo::{
        error::{Error, TransportError},
        response::Response,
    },
};

const REF: &str = "U0000";

/// Brings the first user into a training, and tells them.
fn invitation() -> (Scene, Call) {
    let (mut scene, ids) = known(3);
    let place = participants(&scene.pluvo.has_group("all", json!({})));
    let mut call = add(&place, &ids[..1]);
    call.mails = vec![REF.into()];
    (scene, call)
}

/// The guard lets through what has settled, and its record is written.
pub(super) fn counted(scene: &mut Scene) {
    assert!(scene.document().is_none(), "it settles");
    scene.tick(scene.state.settings.guard.settle);
    let _ = scene.state.writes_due(false, scene.now);
    assert!(scene.document().is_none(), "it is not recorded that it was counted");
    let revision = scene.state.queue.guard.report().revision;
    scene.state.guard_recorded(revision, scene.now);
}

fn recorded(scene: &mut Scene) {
    scene.state.queue.record_mails(&resource(0), vec![REF.to_owned()]);
}

fn is_unsent(scene: &Scene) -> bool {
    scene.state.view(&resource(0), scene.now).mail_is_unsent(REF)
}

#[test]
fn it_travels_alone_and_leaves_when_it_is_counted_and_recorded() {
    let (mut scene, call) = invitation();
    let ids: Vec<_> = scene.pluvo.users.keys().cloned().collect();
    scene.submit(&resource(0), vec![call.clone()]);
    scene.submit(&resource(1), vec![rename(&ids[1], "New")]);
    scene.submit(&resource(2), vec![rename(&ids[2], "New")]);
    assert_eq!(carry_out(&mut scene), [2]);
    scene.state.take_woken();
    counted(&mut scene);
    let (woken, _) = scene.state.take_woken();
    assert_eq!(Vec::from_iter(woken), [resource(0)], "the status is to record it");
    let to_record = scene.state.view(&resource(0), scene.now).mails_to_record(&call);
    assert_eq!(to_record, [REF]);
    assert_eq!(
        carry_out(&mut scene),
        [] as [usize; 0],
        "the status does not record it yet"
    );
    recorded(&mut scene);
    scene.submit(&resource(0), vec![call]);
    assert_eq!(carry_out(&mut scene), [1]);
    assert!(!is_unsent(&scene));
}

#[test]
fn of_what_has_not_settled_nothing_is_recorded() {
    let (mut scene, call) = invitation();
    let to_record = |scene: &Scene| scene.state.view(&resource(0), scene.now).mails_to_record(&call);
    assert!(to_record(&scene).is_empty());
    scene.submit(&resource(0), vec![call.clone()]);
    assert!(to_record(&scene).is_empty());
}

#[test]
fn what_is_recorded_and_overtaken_is_asked_for_by_the_next_pass() {
    let (mut scene, call) = invitation();
    scene.submit(&resource(0), vec![call.clone()]);
    counted(&mut scene);
    let before = scene.state.view(&resource(0), scene.now).moment();
    recorded(&mut scene);
    scene.state.wake(resource(0));
    scene.state.note_woken();
    assert!(!scene.state.submit(&resource(0), vec![call.clone()], before, scene.now));
    assert!(is_unsent(&scene));
    scene.submit(&resource(0), vec![call]);
    assert_eq!(carry_out(&mut scene), [1]);
}

#[test]
fn of_several_those_leave_who_are_recorded() {
    let (mut scene, ids) = known(2);
    let place = participants(&scene.pluvo.has_group("all", json!({})));
    let mut call = add(&place, &ids);
    call.mails = vec![REF.into(), "U0001".into()];
    scene.submit(&resource(0), vec![call.clone()]);
    counted(&mut scene);
    recorded(&mut scene);
    scene.submit(&resource(0), vec![call]);
    let batch = scene.document().unwrap();
    assert_eq!(batch.entries[0].users(), [&ids[0]]);
    assert_eq!(batch.entries[0].parts[0].1.mails, [REF]);
}

fn refused() -> Response {
    Response {
        data: Some([("m0".to_owned(), serde_json::Value::Null)].into_iter().collect()),
        errors: vec![server::error(&["m0"])],
    }
}

#[rstest]
#[case::refused(Ok(refused()), true)]
#[case::throttled(Err(Error::Throttled { retry_after: None }), true)]
#[case::lost(Err(Error::Transport(TransportError::Timeout)), false)]
fn it_is_asked_for_again_only_if_pluvo_certainly_did_nothing(
    #[case] result: Result<Response, Error>,
    #[case] unsent: bool,
) {
    let (mut scene, batch, _) = under_way();
    answered(&mut scene, &batch, result);
    assert_eq!(is_unsent(&scene), unsent);
}

fn under_way() -> (Scene, Batch, Call) {
    let (mut scene, call) = invitation();
    scene.submit(&resource(0), vec![call.clone()]);
    counted(&mut scene);
    recorded(&mut scene);
    scene.submit(&resource(0), vec![call.clone()]);
    let batch = scene.document().unwrap();
    (scene, batch, call)
}

#[test]
fn what_is_set_aside_is_told_later_and_what_is_gone_is_forgotten() {
    let (mut scene, call) = invitation();
    scene.submit(&resource(0), vec![call.clone()]);
    recorded(&mut scene);
    let before = scene.state.view(&resource(0), scene.now).moment();
    scene.state.withdraw(&resource(0), scene.now);
    let taken = scene.state.submit(&resource(0), vec![call], before, scene.now);
    assert!(!taken, "what a pass was about to ask for is taken back as well");
    assert!(scene.state.queue.is_empty());
    assert!(is_unsent(&scene), "the resource is suspended");
    scene.state.forget(&resource(0), scene.now);
    assert!(!is_unsent(&scene));
}

//! Users in one offer event.

use crate::{
    api::{EventEnrollment, EventEnrollmentSpec, Reason, membership::GroupRole},
    pluvo::{
        model::{Id, OfferEvent},
        request::Keys,
    },
};

use super::{
    Decision, Observed, Subject, Verdict, object,
    observed::{Key, Lookup, Place},
    resource::Plan,
    scope::Scope,
    subjects::{self, Found, Room},
};

impl Plan for EventEnrollment {
    fn plan(&self, subject: &Subject<'_>, scope: &Scope<'_>, observed: &impl Observed) -> Decision {
        plan(&self.spec, false, subject, scope, observed)
    }

    fn plan_deletion(&self, subject: &Subject<'_>, scope: &Scope<'_>, observed: &impl Observed) -> Decision {
        plan(&self.spec, true, subject, scope, observed)
    }
}

fn plan(
    spec: &EventEnrollmentSpec,
    deleting: bool,
    subject: &Subject<'_>,
    scope: &Scope<'_>,
    observed: &impl Observed,
) -> Decision {
    let event = match (&spec.event.reference, &spec.event.id) {
        (Some(reference), _) => observed.offer_event_by_ref(reference),
        (None, Some(id)) => observed.offer_event_by_id(&Id::from(id.as_str())),
        (None, None) => Lookup::Absent,
    };
    if let Some(event) = event.as_found().filter(|_| !deleting)
        && let Some(why) = why_closed(event)
    {
        let message = format!("event {} {why}", spec.event.name());
        return object::known(Verdict::reconciling(Reason::DependencyNotReady, message));
    }
    let found = event.map(|event| Found {
        place: Place::OfferEvent(Keys {
            id: event.id.clone(),
            reference: event.reference.clone().unwrap_or_default(),
        }),
        id: event.id.clone(),
        reference: event.reference.clone(),
        room: room(&event),
    });
    let declared = subjects::Declared {
        noun: "event",
        target: &spec.event,
        role: GroupRole::Participant,
        groups: spec.groups.as_deref().unwrap_or_default(),
        allow_empty: spec.allow_empty,
        mail: spec.send_mail,
        insists: spec.reenroll,
        kind: None,
    };
    subjects::plan_place(&declared, found, Key::OfferEventRef, deleting, subject, scope, observed)
}

/// Why nobody can be enrolled in an event.
fn why_closed(event: &OfferEvent) -> Option<&'static str> {
    if event.cancelled {
        return Some("was called off in Pluvo; nobody is enrolled");
    }
    let nameless = event.reference.is_none();
    nameless.then_some("has no ref, and enrolling names an event by its ref; give it one in Pluvo")
}

/// A full event with a waiting list takes everybody; what Pluvo answers without one is not documented, so it is not
/// asked.
fn room(event: &OfferEvent) -> Option<Room> {
    let spots = event.spots_available.filter(|_| !event.waiting_list)?;
    Some(Room {
        spots: usize::try_from(spots).unwrap_or_default(),
        when_full: Reason::EventFull,
    })
}

#[cfg(test)]
mod tests;

//! What happens in an organization without an operation: seeds, and what a person does behind the API's back.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    ContentType, EventDraft, Group, GroupDraft, Offer, OfferDraft, Refusal, Selector, Store, Training, TrainingDraft,
    UserDraft,
    links::{Seat, SeatRole},
};

/// Changes by ref; null takes a user or a group out for good.
///
/// Memberships and participants are visible at once and heed no limit.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Change {
    /// Any attribute of a user, `lastLogin` and `customFields` included.
    pub users: BTreeMap<String, Option<UserDraft>>,
    /// Attributes and members of a group.
    pub groups: BTreeMap<String, Option<GroupDraft>>,
    /// Attributes, participants and linked groups of a training.
    pub trainings: BTreeMap<String, TrainingDraft>,
    /// Attributes and events of an offer, and who is enrolled in them.
    pub offers: BTreeMap<String, OfferDraft>,
}

impl Store {
    /// Carries out changes. After a refusal the store is half changed: the caller throws it away.
    pub fn change(&mut self, change: &Change, now: Timestamp) -> Result<(), Refusal> {
        for (reference, draft) in &change.users {
            let id = self.users.expect_ref(reference)?.id;
            let Some(draft) = draft else {
                self.erase_user(id);
                continue;
            };
            keeps_its_id(draft.id.as_deref())?;
            self.update_user(id, draft, now)?;
            self.set_plain_values(ContentType::User, id, &draft.custom_fields)?;
        }
        for (reference, draft) in &change.groups {
            let group = self.groups.expect_ref(reference)?.clone();
            let Some(draft) = draft else {
                self.delete_group(group.id);
                continue;
            };
            keeps_its_id(draft.id.as_deref())?;
            self.update_group(&Selector::Id(group.id), draft)?;
            self.fill_group(&group, draft)?;
        }
        for (reference, draft) in &change.trainings {
            let training = self.trainings.expect_ref(reference)?.clone();
            keeps_its_id(draft.id.as_deref())?;
            self.update_training(&Selector::Id(training.id), draft)?;
            self.fill_training(&training, draft)?;
        }
        for (reference, draft) in &change.offers {
            let offer = self.offers.expect_ref(reference)?.clone();
            keeps_its_id(draft.id.as_deref())?;
            self.update_offer(&Selector::Id(offer.id), draft, now)?;
            self.fill_offer(&offer, draft, now)?;
        }
        Ok(())
    }

    /// Values and members of a group, as a seed or a change gives them.
    pub fn fill_group(&mut self, group: &Group, draft: &GroupDraft) -> Result<(), Refusal> {
        self.set_plain_values(ContentType::Group, group.id, &draft.custom_fields)?;
        self.seat(group.id, SeatRole::GroupParticipant, &draft.users, &draft.remove_users)?;
        self.seat(
            group.id,
            SeatRole::GroupManager,
            &draft.managers,
            &draft.remove_managers,
        )
    }

    /// Participants and linked groups of a training, as a seed or a change gives them.
    pub fn fill_training(&mut self, training: &Training, draft: &TrainingDraft) -> Result<(), Refusal> {
        for (groups, linked) in [(&draft.groups, true), (&draft.remove_groups, false)] {
            for group in groups {
                let group = self.groups.expect_ref(group)?.id;
                self.links.link(&self.users, group, training.id, linked);
            }
        }
        self.set_progress(training.id, &draft.progress)?;
        self.seat(
            training.id,
            SeatRole::TrainingParticipant,
            &draft.participants,
            &draft.remove_participants,
        )?;
        self.seat(
            training.id,
            SeatRole::TrainingTrainer,
            &draft.trainers,
            &draft.remove_trainers,
        )?;
        self.seat(
            training.id,
            SeatRole::TrainingMentor,
            &draft.mentors,
            &draft.remove_mentors,
        )
    }

    /// Values and events of an offer, as a seed or a change gives them.
    pub fn fill_offer(&mut self, offer: &Offer, draft: &OfferDraft, now: Timestamp) -> Result<(), Refusal> {
        self.set_plain_values(ContentType::Offer, offer.id, &draft.custom_fields)?;
        for draft in &draft.events {
            let trainings = draft.trainings.iter().flatten();
            let trainings = trainings.map(|training| self.trainings.expect_ref(training).map(|found| found.id));
            let trainings: Vec<_> = trainings.collect::<Result<_, _>>()?;
            let known = draft.reference.clone().map(Selector::Ref);
            let known =
                known.filter(|selector| self.events.find(selector).is_some_and(|event| event.offer == offer.id));
            let filled = EventDraft {
                access_trainings: draft.trainings.is_some().then_some(trainings),
                ..draft.clone()
            };
            let event = match known {
                Some(selector) => self.update_event(&selector, &filled)?,
                None => self.create_event(&Selector::Id(offer.id), &filled)?,
            };
            for (user, status) in &draft.enrollments {
                let user = self.users.expect_ref(user)?.clone();
                match status {
                    Some(status) => _ = self.set_enrollment(&event, &user, *status, now),
                    None => self.unenroll(event.id, user.id),
                }
            }
        }
        Ok(())
    }

    fn seat(&mut self, target: uuid::Uuid, role: SeatRole, add: &[String], remove: &[String]) -> Result<(), Refusal> {
        for (refs, added) in [(add, true), (remove, false)] {
            for reference in refs {
                let user = self.users.expect_ref(reference)?;
                self.links.set_at_once(Seat { role, target }, user, added);
            }
        }
        Ok(())
    }
}

fn keeps_its_id(id: Option<&str>) -> Result<(), Refusal> {
    id.map_or(Ok(()), |_| Err(Refusal::invalid("An id never changes.")))
}

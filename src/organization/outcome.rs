//! What became of a document of mutations.

use std::{collections::HashSet, sync::Arc};

use tokio::time::Instant;

use crate::{
    plan::{
        Call, ResourceKey,
        observed::{Key, Outcome},
    },
    pluvo::{
        error::Error,
        model::{Enrollment, Id, MembershipResult, Standing},
        request::{Keys, MembershipChange, Mutation, MutationAnswer},
        response::{EntryError, GraphqlError, Response},
    },
};

use super::{
    audit::Fate,
    batch::{Batch, Entry},
    state::State,
};

/// What is said where Pluvo answers that an enrollment was not ended.
const UNENROLLMENT: &str = "Pluvo answered that it did not end the enrollment";

impl State {
    /// A document of mutations has come back. `sent`: when it was sent.
    ///
    /// If the answer carries any error, no entry of the document counts as applied: a server may roll the request back
    /// while `data` looks fine. Entries that an error names are refused; what the others did is read, and the passes
    /// that this wakes ask again for what is not there.
    /// Returns what became of each entry.
    pub fn batch_finished(
        &mut self,
        batch: &Batch,
        result: Result<Response, Error>,
        sent: Instant,
        now: Instant,
    ) -> Vec<Fate> {
        self.surveys.stir(now);
        if matches!(result, Ok(_) | Err(Error::Document(_))) {
            self.succeeded();
        }
        let mut suspicious = false;
        let mut fates = vec![Fate::NotExecuted; batch.entries.len()];
        let mut failed = batch.resources();
        match result {
            Ok(response) if response.errors.is_empty() => {
                failed.clear();
                for (index, entry) in batch.entries.iter().enumerate() {
                    let answer = response.answer(index).cloned().unwrap_or_default();
                    let fate = self.entry_answered(entry, entry.mutation.decode(answer), sent, now);
                    if fate != Fate::Acknowledged {
                        failed.extend(entry.parts.iter().map(|(resource, _)| resource.clone()));
                    }
                    fates[index] = fate;
                }
            }
            Ok(response) => (suspicious, fates) = self.batch_failed(batch, &response, now),
            Err(Error::Document(errors)) => suspicious = self.batch_rejected(batch, &errors, now),
            Err(error) => {
                if error.outcome_unknown() {
                    batch.entries.iter().for_each(|entry| self.entry_lost(entry, now));
                    fates.fill(Fate::Unknown);
                }
                self.failed(error, now);
            }
        }
        for (entry, fate) in batch.entries.iter().zip(&fates) {
            if matches!(fate, Fate::NotExecuted | Fate::Refused) {
                self.mails_not_sent(entry);
            }
        }
        self.queue.finish(batch, suspicious, &failed, now);
        for resource in batch.resources() {
            self.wake(resource);
        }
        self.note_woken();
        fates
    }

    /// The document carried errors. Returns whether nobody was named, so that it must be halved, and what became of
    /// each entry.
    fn batch_failed(&mut self, batch: &Batch, response: &Response, now: Instant) -> (bool, Vec<Fate>) {
        let mut fates = Vec::new();
        let named: HashSet<usize> = response.errors.iter().filter_map(GraphqlError::entry).collect();
        for (index, entry) in batch.entries.iter().enumerate() {
            let refused = named.contains(&index) || (named.is_empty() && batch.entries.len() == 1);
            fates.push(if refused { Fate::Refused } else { Fate::Unknown });
            if named.contains(&index) {
                let errors: Vec<_> = response.errors_of(index).cloned().collect();
                self.entry_refused(entry, &refusal(errors), now);
            } else if refused {
                self.entry_refused(entry, &refusal(response.errors.clone()), now);
            } else {
                self.entry_lost(entry, now);
            }
        }
        (named.is_empty(), fates)
    }

    /// The document was rejected before anything was executed.
    fn batch_rejected(&mut self, batch: &Batch, errors: &[GraphqlError], now: Instant) -> bool {
        if let [entry] = batch.entries.as_slice() {
            self.entry_refused(entry, &refusal(errors.to_vec()), now);
        }
        batch.entries.len() > 1
    }

    /// Returns what became of the entry.
    fn entry_answered<E>(
        &mut self,
        entry: &Entry,
        answer: Result<MutationAnswer, E>,
        sent: Instant,
        now: Instant,
    ) -> Fate {
        let Ok(answer) = answer else {
            self.entry_lost(entry, now);
            return Fate::Unknown;
        };
        match answer {
            MutationAnswer::User(user) => self.mirror.answer_user(*user, sent, now),
            MutationAnswer::Group(group) => self.mirror.answer_group(*group, sent, now),
            MutationAnswer::CustomFields(values) => self.custom_fields_answered(entry, &values, sent, now),
            MutationAnswer::Deleted(true) => {
                if let Mutation::DeleteGroup(id) = &entry.mutation {
                    self.mirror.answer_group_deleted(id, now);
                }
            }
            MutationAnswer::Deleted(false) => {
                self.entry_refused(entry, "Pluvo answered that it did not delete it", now);
                return Fate::Refused;
            }
            MutationAnswer::Membership(result) => {
                self.membership_answered(entry, &result, now);
                return Fate::Acknowledged;
            }
            MutationAnswer::Enrolled(enrollments) => {
                self.enrolled(entry, &enrollments, now);
                return Fate::Acknowledged;
            }
            MutationAnswer::Unenrolled(done) => {
                // Whether the enrollment is gone now or reads as cancelled is not documented, and why it may have
                // failed neither.
                for key in keys_of(&entry.mutation) {
                    self.doubt(&key, now);
                }
                if !done {
                    self.note(entry, |_| true, &Outcome::Refused(UNENROLLMENT.into()));
                    return Fate::Refused;
                }
            }
        }
        self.note(entry, |_| true, &Outcome::Acknowledged);
        Fate::Acknowledged
    }

    /// Whether the answer holds all values of the object or those just sent is not documented; where it lacks one that
    /// was sent, the object is read again.
    fn custom_fields_answered(
        &mut self,
        entry: &Entry,
        values: &[crate::pluvo::model::CustomFieldValue],
        sent: Instant,
        now: Instant,
    ) {
        let key = entry.object();
        let Mutation::SetCustomFields { values: wanted, .. } = &entry.mutation else {
            return;
        };
        let fields: HashSet<_> = values.iter().map(|value| &value.category.id).collect();
        if fields.len() < wanted.len() {
            self.doubt(&key, now);
        } else {
            self.mirror.answer_custom_fields(&key, values, sent, now);
        }
    }

    fn membership_answered(&mut self, entry: &Entry, result: &MembershipResult, now: Instant) {
        let Some((place, change)) = entry.membership() else {
            return;
        };
        let accepted: HashSet<&Id> = result.done.iter().chain(&result.already).collect();
        let linked: HashSet<&Id> = result.linked_via_object.iter().collect();
        self.mirror
            .answer_memberships(&place, change, accepted.iter().map(|id| (*id).clone()), now);
        self.note(entry, |user| accepted.contains(user), &Outcome::Acknowledged);
        self.note(entry, |user| linked.contains(user), &Outcome::LinkedViaObject);
        let why = match change {
            MembershipChange::Add => "Pluvo did not add the user, without saying why",
            MembershipChange::Remove => "Pluvo did not remove the user, without saying why",
        };
        self.note(
            entry,
            |user| !accepted.contains(user) && !linked.contains(user),
            &Outcome::Refused(why.into()),
        );
    }

    /// Those whom the answer names stand as it says. Whoever it does not name may have been enrolled before, which is
    /// read; if not, Pluvo has refused them. How many more the event takes is another number now.
    fn enrolled(&mut self, entry: &Entry, enrollments: &[Enrollment], now: Instant) {
        let Mutation::Enroll { event, users, .. } = &entry.mutation else {
            return;
        };
        let mut accepted = HashSet::new();
        for Enrollment { user, status } in enrollments {
            self.mirror.answer_standing(&event.id, &user.id, status.clone(), now);
            if !matches!(status, Standing::Cancelled | Standing::Declined) {
                accepted.insert(&user.id);
            }
        }
        let unnamed = users.iter().filter(|user| !accepted.contains(&user.id));
        for user in unnamed {
            self.doubt(&enrollment(event, user), now);
        }
        self.doubt(&Key::OfferEventId(event.id.clone()), now);
        self.note(entry, |user| accepted.contains(user), &Outcome::Acknowledged);
        let refused = Outcome::Refused("Pluvo did not enroll the user, without saying why".into());
        self.note(entry, |user| !accepted.contains(user), &refused);
    }

    /// An entry was refused. One membership call of many users is tried again in halves, until it is known who it is.
    fn entry_refused(&mut self, entry: &Entry, message: &str, now: Instant) {
        for key in keys_of(&entry.mutation) {
            self.doubt(&key, now);
        }
        // What the server does not understand is not asked for again, and the next pass says why.
        if self.unsupported.blocks(&entry.mutation.operation()).is_some() {
            return;
        }
        if entry.users().len() > 1 {
            self.queue
                .ask_singly(entry.parts.iter().map(|(resource, _)| resource.clone()));
            return;
        }
        self.note(entry, |_| true, &Outcome::Refused(message.into()));
    }

    /// What an entry did is unknown: it is read before anything is decided.
    fn entry_lost(&mut self, entry: &Entry, now: Instant) {
        for key in keys_of(&entry.mutation) {
            self.doubt(&key, now);
        }
    }

    /// The mails of an entry that Pluvo did not carry out are recorded as before, and may be asked for again.
    fn mails_not_sent(&mut self, entry: &Entry) {
        for (resource, call) in &entry.parts {
            self.queue.record_mails(resource, call.mails.clone());
        }
    }

    fn doubt(&mut self, key: &Key, now: Instant) {
        self.mirror.doubt(key, now);
        self.read_again(key.clone(), now);
    }

    fn note(&mut self, entry: &Entry, about: impl Fn(&Id) -> bool, outcome: &Outcome) {
        for (resource, call) in &entry.parts {
            for fingerprint in fingerprints(call, &about) {
                self.note_outcome(resource, fingerprint, outcome.clone());
            }
        }
    }

    fn note_outcome(&mut self, resource: &ResourceKey, fingerprint: Arc<str>, outcome: Outcome) {
        if matches!(outcome, Outcome::Refused(_)) {
            self.queue.note_refused(resource, fingerprint.clone());
        }
        self.outcomes
            .entry(resource.clone())
            .or_default()
            .insert(fingerprint, outcome);
    }
}

/// The fingerprints of a call's writes; of a membership call only those about certain users.
fn fingerprints(call: &Call, about: &impl Fn(&Id) -> bool) -> Vec<Arc<str>> {
    match &call.action {
        crate::plan::Action::Mutate(_) => call.writes.iter().map(|write| write.fingerprint.clone()).collect(),
        crate::plan::Action::Subjects { users, .. } => {
            let writes = users.iter().zip(&call.writes).filter(|(user, _)| about(&user.id));
            writes.map(|(_, write)| write.fingerprint.clone()).collect()
        }
    }
}

/// Everything that a mutation may have changed: the object, and whoever has its new keys.
fn keys_of(mutation: &Mutation) -> Vec<Key> {
    let email = |user: &crate::pluvo::request::UserInput| {
        user.email
            .as_deref()
            .map(|email| Key::UserEmail(crate::plan::value::email(email).into()))
    };
    match mutation {
        Mutation::CreateUser { reference, user, .. } => std::iter::once(Key::UserRef(reference.clone()))
            .chain(email(user))
            .collect(),
        Mutation::UpdateUser { id, user } => {
            let reference = user.reference.clone().map(Key::UserRef);
            std::iter::once(Key::UserId(id.clone()))
                .chain(reference)
                .chain(email(user))
                .collect()
        }
        Mutation::GroupMembers { users, .. } => users.iter().cloned().map(Key::UserId).collect(),
        Mutation::AddToTraining { training, .. } | Mutation::RemoveFromTraining { training, .. } => {
            vec![Key::Participants(training.clone())]
        }
        Mutation::Enroll { event, users, .. } => {
            let enrollments = users.iter().map(|user| enrollment(event, user));
            std::iter::once(Key::OfferEventId(event.id.clone()))
                .chain(enrollments)
                .collect()
        }
        Mutation::Unenroll { event, user } => vec![Key::OfferEventId(event.id.clone()), enrollment(event, user)],
        Mutation::SetCustomFields { .. }
        | Mutation::CreateGroup(_)
        | Mutation::UpdateGroup { .. }
        | Mutation::DeleteGroup(_) => {
            vec![super::batch::object_of(mutation)]
        }
    }
}

fn enrollment(event: &Keys, user: &Keys) -> Key {
    Key::Enrollment(event.id.clone(), user.id.clone())
}

/// A sentence about a refusal. Pluvo's own words may hold values, so it names codes alone.
fn refusal(errors: Vec<GraphqlError>) -> String {
    EntryError::Refused(errors).to_string()
}

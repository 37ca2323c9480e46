//! Offers: what can be enrolled for, in one of its events.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    EventDraft, Refusal, Selector, Store, or_kept, parse_id,
    table::{Table, check_title, entity},
};

/// An offer. Its events stand in a table of their own.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields of the schema's Offer")]
pub struct Offer {
    pub id: Uuid,
    pub reference: Arc<str>,
    pub title: Arc<str>,
    pub description: Option<Arc<str>>,
    pub is_active: bool,
    pub archived_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

entity!(Offer, "offer", title);

/// What a call, a seed or a change sets on an offer; what is left out stays as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct OfferDraft {
    /// Of a new offer in a seed; generated where it is left out.
    pub id: Option<String>,
    /// The integrator's key; generated where a new offer has none.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// Display name.
    pub title: Option<String>,
    /// Passed through.
    pub description: Option<String>,
    /// On for a new offer.
    pub is_active: Option<bool>,
    /// Values by the ref of the custom field, for seeds and changes, as is all that follows.
    pub custom_fields: BTreeMap<String, serde_json::Value>,
    /// Events: those with the ref of one that is there change it, the others are new.
    pub events: Vec<EventDraft>,
}

impl Store {
    /// The offers.
    pub fn offers(&self) -> &Table<Offer> {
        &self.offers
    }

    /// Creates an offer, which must have a title.
    pub fn create_offer(&mut self, draft: &OfferDraft, now: Timestamp) -> Result<Arc<Offer>, Refusal> {
        self.check_offer(draft, None)?;
        let title = draft
            .title
            .as_deref()
            .ok_or_else(|| Refusal::invalid("A new offer needs a title."))?;
        let reference = draft
            .reference
            .clone()
            .unwrap_or_else(|| self.offers.generated_ref(title));
        let id = self.offers.new_id(parse_id(draft.id.as_deref())?, &reference)?;
        Ok(self.offers.put(Offer {
            id,
            reference: reference.into(),
            title: title.into(),
            description: draft.description.as_deref().map(Arc::from),
            is_active: draft.is_active.unwrap_or(true),
            archived_at: None,
            created_at: now,
            updated_at: now,
        }))
    }

    /// Changes an offer.
    pub fn update_offer(
        &mut self,
        selector: &Selector,
        draft: &OfferDraft,
        now: Timestamp,
    ) -> Result<Arc<Offer>, Refusal> {
        let old = self.offers.expect(selector)?.clone();
        self.check_offer(draft, Some(old.id))?;
        Ok(self.offers.put(Offer {
            reference: or_kept(draft.reference.as_deref(), &old.reference),
            title: or_kept(draft.title.as_deref(), &old.title),
            description: draft
                .description
                .as_deref()
                .map(Arc::from)
                .or_else(|| old.description.clone()),
            is_active: draft.is_active.unwrap_or(old.is_active),
            updated_at: now,
            ..(*old).clone()
        }))
    }

    /// Archives an offer, or brings it back; false if there is none.
    pub fn archive_offer(&mut self, id: Uuid, archived: bool, now: Timestamp) -> bool {
        let Some(old) = self.offers.get(id).cloned() else {
            return false;
        };
        self.offers.put(Offer {
            archived_at: archived.then(|| old.archived_at.unwrap_or(now)),
            updated_at: now,
            ..(*old).clone()
        });
        true
    }

    fn check_offer(&self, draft: &OfferDraft, id: Option<Uuid>) -> Result<(), Refusal> {
        check_title(draft.title.as_deref())?;
        self.offers.check_ref(draft.reference.as_deref(), id)
    }
}

//! Offers.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::{
    BulkAction,
    caller::{look, require, try_look, write},
    events::EventNode,
    scalars::{DateTime, Uuid},
    values::{ValueNode, values_of},
};
use crate::{
    scope::Scope,
    store::{Offer, OfferDraft, Selector},
};

/// `Offer`
pub struct OfferNode(pub Arc<Offer>);

#[Object(name = "Offer")]
impl OfferNode {
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    #[graphql(name = "ref")]
    async fn reference(&self) -> Option<&str> {
        Some(&self.0.reference)
    }

    async fn title(&self) -> &str {
        &self.0.title
    }

    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    async fn is_active(&self) -> Option<bool> {
        Some(self.0.is_active)
    }

    async fn archived_at(&self) -> Option<DateTime> {
        self.0.archived_at.map(DateTime)
    }

    async fn created_at(&self) -> Option<DateTime> {
        Some(DateTime(self.0.created_at))
    }

    async fn updated_at(&self) -> Option<DateTime> {
        Some(DateTime(self.0.updated_at))
    }

    async fn offer_events(&self, ctx: &Context<'_>) -> Option<Vec<EventNode>> {
        Some(look(ctx, |store, _| {
            store.events_of(self.0.id).cloned().map(EventNode).collect()
        }))
    }

    async fn extra_category_values(&self, ctx: &Context<'_>) -> Option<Vec<ValueNode>> {
        Some(values_of(ctx, self.0.id))
    }
}

/// Offer queries.
#[derive(Default)]
pub struct OfferQuery;

#[Object]
impl OfferQuery {
    async fn offer(
        &self,
        ctx: &Context<'_>,
        id: Option<Uuid>,
        #[graphql(name = "ref")] reference: Option<String>,
    ) -> Result<Option<OfferNode>> {
        require(ctx, Scope::EventsRead)?;
        try_look(ctx, |store, _| {
            let selector = Selector::exactly_one(id.map(|id| id.0), reference)?;
            Ok(store.offers().find(&selector).cloned().map(OfferNode))
        })
    }

    async fn offers(&self, ctx: &Context<'_>) -> Result<Vec<OfferNode>> {
        require(ctx, Scope::EventsRead)?;
        Ok(look(ctx, |store, _| {
            store.offers().in_order().cloned().map(OfferNode).collect()
        }))
    }
}

#[derive(InputObject)]
struct CreateOfferInput {
    title: String,
    description: Option<String>,
    is_active: Option<bool>,
    #[graphql(name = "ref")]
    reference: Option<String>,
}

#[derive(InputObject)]
struct UpdateOfferInput {
    title: Option<String>,
    description: Option<String>,
    is_active: Option<bool>,
    #[graphql(name = "ref")]
    reference: Option<String>,
}

impl From<UpdateOfferInput> for OfferDraft {
    fn from(input: UpdateOfferInput) -> Self {
        Self {
            reference: input.reference,
            title: input.title,
            description: input.description,
            is_active: input.is_active,
            ..Self::default()
        }
    }
}

#[derive(SimpleObject)]
struct CreateOfferPayload {
    offer: Option<OfferNode>,
}

#[derive(SimpleObject)]
struct UpdateOfferPayload {
    offer: Option<OfferNode>,
}

#[derive(SimpleObject)]
struct ArchiveOffersPayload {
    response: Option<BulkAction>,
}

/// Offer mutations.
#[derive(Default)]
pub struct OfferMutation;

#[Object]
impl OfferMutation {
    async fn create_offer(&self, ctx: &Context<'_>, offer: CreateOfferInput) -> Result<Option<CreateOfferPayload>> {
        let draft = OfferDraft {
            reference: offer.reference,
            title: Some(offer.title),
            description: offer.description,
            is_active: offer.is_active,
            ..OfferDraft::default()
        };
        write(ctx, Scope::EventsWrite, |writing| {
            let offer = writing.store.create_offer(&draft, writing.now)?;
            Ok(CreateOfferPayload {
                offer: Some(OfferNode(offer)),
            })
        })
    }

    async fn update_offer(
        &self,
        ctx: &Context<'_>,
        id: Uuid,
        offer: UpdateOfferInput,
    ) -> Result<Option<UpdateOfferPayload>> {
        let draft = offer.into();
        write(ctx, Scope::EventsWrite, |writing| {
            let offer = writing.store.update_offer(&Selector::Id(id.0), &draft, writing.now)?;
            Ok(UpdateOfferPayload {
                offer: Some(OfferNode(offer)),
            })
        })
    }

    async fn archive_offers(
        &self,
        ctx: &Context<'_>,
        archive: bool,
        ids: Vec<Uuid>,
    ) -> Result<Option<ArchiveOffersPayload>> {
        write(ctx, Scope::EventsWrite, |writing| {
            let response = BulkAction::of(&ids, |id| writing.store.archive_offer(id, archive, writing.now));
            Ok(ArchiveOffersPayload {
                response: Some(response),
            })
        })
    }
}

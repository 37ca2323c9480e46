//! Certificates.

use std::sync::Arc;

use async_graphql::{Context, Object, Result, SimpleObject};

use super::{
    BulkAction,
    caller::{require, try_look, write},
    pages::{Connection, Edge, PageArguments},
    scalars::{DateTime, Uuid},
};
use crate::{
    scope::Scope,
    store::{Certificate, Issue},
};

/// `Certificate`: a template.
pub struct CertificateNode(Arc<Certificate>);

#[Object(name = "Certificate")]
impl CertificateNode {
    async fn id(&self) -> Uuid {
        Uuid(self.0.id)
    }

    async fn name(&self) -> Option<&str> {
        Some(&self.0.name)
    }

    async fn title(&self) -> Option<&str> {
        self.0.title.as_deref()
    }
}

#[derive(SimpleObject)]
struct GenerateCertificate {
    bulk_generate: BulkAction,
}

/// Certificate queries.
#[derive(Default)]
pub struct CertificateQuery;

#[Object]
impl CertificateQuery {
    async fn certificates(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Option<Connection<Edge<CertificateNode>>>> {
        require(ctx, Scope::TrainingsRead)?;
        let page = PageArguments {
            first,
            after,
            offset: None,
            last,
            before,
        };
        try_look(ctx, |store, settings| {
            let total = store.certificates().order().len();
            let window = page.window(total, settings)?;
            let rows = store.certificates().in_order().skip(window.start).take(window.len);
            Ok(Some(Connection::new(total, window, rows.cloned().map(CertificateNode))))
        })
    }
}

/// Certificate mutations.
#[derive(Default)]
pub struct CertificateMutation;

#[Object]
impl CertificateMutation {
    async fn generate_certificate(
        &self,
        ctx: &Context<'_>,
        id: Uuid,
        title: Option<String>,
        user_ids: Vec<Uuid>,
        training_id: Option<Uuid>,
        issue_date: Option<DateTime>,
    ) -> Result<Option<GenerateCertificate>> {
        let issue = Issue {
            certificate: id.0,
            title,
            training: training_id.map(|id| id.0),
            date: issue_date.map(|moment| moment.0),
        };
        write(ctx, Scope::TrainingsWrite, |writing| {
            let users: Vec<_> = user_ids.iter().map(|id| id.0).collect();
            let (succeeded, failed) = writing.store.issue(&issue, &users, writing.settings, writing.now)?;
            Ok(GenerateCertificate {
                bulk_generate: BulkAction {
                    succeeded_ids: succeeded.into_iter().map(Uuid).collect(),
                    failed_ids: failed.into_iter().map(Uuid).collect(),
                },
            })
        })
    }
}

//! From a delivery to the organization that it is about.

use futures::future::BoxFuture;

use crate::{
    plan::ConnectionKey,
    pluvo::webhook::{Notice, WebhookKeys},
    webhook::{Addressee, Outcome, Receiver},
};

use super::{context::Context, secret::SecretSource};

impl Context {
    fn secret_of(&self, to: &Addressee) -> Option<std::sync::Arc<SecretSource>> {
        let (_, _, secret) = self.organizations.running(&connection_of(to))?;
        Some(secret)
    }
}

impl Receiver for Context {
    fn keys(&self, to: &Addressee) -> Option<WebhookKeys> {
        self.secret_of(to)?.webhook_keys()
    }

    fn reread_keys<'a>(&'a self, to: &'a Addressee) -> BoxFuture<'a, Option<WebhookKeys>> {
        Box::pin(async move { self.secret_of(to)?.reread_webhook_keys().await })
    }

    fn take(&self, to: &Addressee, notice: &Notice) -> bool {
        let organization = self.organizations.get(&connection_of(to));
        organization.is_some_and(|organization| organization.hint(notice))
    }

    fn count(&self, to: Option<&Addressee>, outcome: Outcome) {
        let (namespace, connection) = to.map_or(("", ""), |to| (&to.namespace, &to.connection));
        self.metrics.webhook(namespace, connection, outcome.as_str());
    }
}

fn connection_of(to: &Addressee) -> ConnectionKey {
    ConnectionKey::new(&to.namespace, &to.connection)
}

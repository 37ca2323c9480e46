//! Which organization is meant, and how it is reached.

use std::{env, fs, sync::Arc};

use anyhow::{Context, Result, bail};
use clap::Args;
use k8s_openapi::api::core::v1::Secret;

use crate::{
    api::PluvoConnection,
    organization::settings::Settings,
    plan::ConnectionKey,
    pluvo::{
        client::{Client, ClientConfig},
        endpoint::{AllowedHosts, Endpoint},
        token::Credentials,
    },
};

use super::manifests::Manifests;

/// Where an address comes from that no option and no manifest names.
const ENDPOINT: &str = "PLUVO_ENDPOINT";
const CLIENT_ID: &str = "PLUVO_CLIENT_ID";
const CLIENT_SECRET: &str = "PLUVO_CLIENT_SECRET";
const CLIENT_SECRET_FILE: &str = "PLUVO_CLIENT_SECRET_FILE";

/// Which organization is meant.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Organization")]
pub struct TargetArgs {
    /// The organization: the first part of its address, acme in https://acme.pluvo.com.
    ///
    /// Without it and --endpoint, PLUVO_ENDPOINT counts, and then the PluvoConnection in the manifests. Credentials come
    /// from PLUVO_CLIENT_ID and PLUVO_CLIENT_SECRET, or PLUVO_CLIENT_SECRET_FILE, else from the Secret that the
    /// PluvoConnection names, if that is in the manifests.
    #[arg(long, value_name = "NAME", conflicts_with = "endpoint")]
    organization: Option<String>,
    /// The organization's address, where it is not https://NAME.pluvo.com [env: PLUVO_ENDPOINT].
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Address of a pluvo-sandbox that stands in for Pluvo.
    #[arg(long, value_name = "URL", env = "PLUVO_SANDBOX_URL")]
    sandbox: Option<String>,
    /// Hosts besides *.pluvo.com that the `endpoint` of a PluvoConnection may lead to, as host or host:port.
    #[arg(long, value_name = "HOST,...", env = "PLUVO_ALLOWED_HOSTS", value_delimiter = ',')]
    allowed_hosts: Vec<String>,
}

/// One organization, and what the manifests say about it.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its address.
    pub endpoint: Endpoint,
    /// The connection to it, if the manifests hold one.
    pub connection: Option<(ConnectionKey, Arc<PluvoConnection>)>,
}

impl TargetArgs {
    /// The organization that options, environment or manifests name, in this order.
    pub fn resolve(&self, manifests: &Manifests) -> Result<Target> {
        let connections = &manifests.connections;
        if let Some(endpoint) = self.explicit()? {
            let connection = self.connection_to(&endpoint, manifests)?;
            return Ok(Target { endpoint, connection });
        }
        let mut all = connections.iter();
        match (all.next(), all.next()) {
            (None, _) => bail!(
                "which organization? Pass --organization NAME or --endpoint URL, set {ENDPOINT}, or give its \
                 PluvoConnection among the manifests (-f)"
            ),
            (Some((key, connection)), None) => Ok(Target {
                endpoint: self.of_connection(key, connection)?,
                connection: Some((key.clone(), connection.clone())),
            }),
            (Some(_), Some(_)) => bail!(
                "the manifests hold several connections ({}); choose one with --organization or --endpoint",
                names(connections.keys())
            ),
        }
    }

    /// What a person named here is meant, wherever it leads: allowed hosts guard against what others put into
    /// manifests.
    fn explicit(&self) -> Result<Option<Endpoint>> {
        if let Some(name) = &self.organization {
            return Ok(Some(match self.sandbox()? {
                Some(sandbox) => Endpoint::in_sandbox(&sandbox, name)?,
                None => Endpoint::of_organization(name)?,
            }));
        }
        let address = self.endpoint.clone().or_else(|| variable(ENDPOINT));
        address
            .map(|address| Endpoint::parse(&address))
            .transpose()
            .map_err(Into::into)
    }

    fn sandbox(&self) -> Result<Option<Endpoint>> {
        let sandbox = self.sandbox.as_deref().filter(|url| !url.is_empty());
        sandbox.map(Endpoint::parse).transpose().context("--sandbox")
    }

    /// The connection among the manifests that is about an address: the one that leads there, else the only one.
    fn connection_to(
        &self,
        endpoint: &Endpoint,
        manifests: &Manifests,
    ) -> Result<Option<(ConnectionKey, Arc<PluvoConnection>)>> {
        let connections = &manifests.connections;
        let leads_there = connections
            .iter()
            .find(|(_, connection)| self.address(connection).is_ok_and(|address| address == *endpoint));
        let only = connections.iter().next().filter(|_| connections.len() == 1);
        match leads_there.or(only) {
            Some((key, connection)) => Ok(Some((key.clone(), connection.clone()))),
            None if connections.is_empty() => Ok(None),
            None => bail!(
                "the manifests hold several connections ({}), and none of them leads to {endpoint}",
                names(connections.keys())
            ),
        }
    }

    fn of_connection(&self, key: &ConnectionKey, connection: &PluvoConnection) -> Result<Endpoint> {
        let about = || format!("PluvoConnection {key}");
        let endpoint = self.address(connection).with_context(about)?;
        let mut hosts = AllowedHosts::new(&self.allowed_hosts).context("--allowed-hosts")?;
        if let Some(sandbox) = self.sandbox()? {
            hosts = hosts.and(&sandbox);
        }
        hosts.check(&endpoint).with_context(about)?;
        Ok(endpoint)
    }

    /// Where a connection leads to: in a sandbox every organization has a path of its own.
    fn address(&self, connection: &PluvoConnection) -> Result<Endpoint> {
        let spec = &connection.spec;
        let own = match (&spec.organization, &spec.endpoint) {
            (Some(name), _) => Endpoint::of_organization(name)?,
            (None, address) => Endpoint::parse(address.as_deref().unwrap_or_default())?,
        };
        let Some(sandbox) = self.sandbox()? else {
            return Ok(own);
        };
        let host = || own.graphql_url().host_str().unwrap_or_default().replace('.', "-");
        Ok(Endpoint::in_sandbox(
            &sandbox,
            &spec.organization.clone().unwrap_or_else(host),
        )?)
    }
}

impl Target {
    /// How the organization is read and written.
    ///
    /// What reports are made of is read by the operator, and by the command for it, alone.
    pub fn settings(&self) -> Settings {
        let connection = self.connection.as_ref();
        let settings = connection.map(|(_, connection)| Settings::from(&connection.spec));
        Settings {
            surveys: false,
            ..settings.unwrap_or_default()
        }
    }

    /// A client with the credentials of the environment or of the manifests.
    pub fn client(&self, manifests: &Manifests) -> Result<Client> {
        let ca_bundle = self
            .connection
            .as_ref()
            .and_then(|(_, connection)| connection.spec.ca_bundle.clone());
        let config = ClientConfig {
            ca_bundle: ca_bundle.map(String::into_bytes),
            limits: self.settings().limits,
            ..ClientConfig::new(self.endpoint.clone(), Arc::new(self.credentials(manifests)?))
        };
        Ok(Client::new(config)?)
    }

    fn credentials(&self, manifests: &Manifests) -> Result<Credentials> {
        let secret = match (variable(CLIENT_SECRET), variable(CLIENT_SECRET_FILE)) {
            (Some(_), Some(_)) => bail!("{CLIENT_SECRET} and {CLIENT_SECRET_FILE} are both set; which one counts?"),
            (Some(secret), None) => Some(secret),
            (None, Some(file)) => {
                let read = fs::read_to_string(&file).with_context(|| format!("{CLIENT_SECRET_FILE} {file}"))?;
                Some(read.trim().to_owned())
            }
            (None, None) => None,
        };
        match (variable(CLIENT_ID), secret) {
            (Some(client_id), Some(secret)) => Ok(Credentials {
                client_id,
                client_secret: secret.into(),
            }),
            (Some(_), None) => bail!("{CLIENT_ID} is set, and neither {CLIENT_SECRET} nor {CLIENT_SECRET_FILE}"),
            (None, Some(_)) => bail!("there is a client secret in the environment, and no {CLIENT_ID}"),
            (None, None) => self.credentials_in(manifests),
        }
    }

    /// Whoever keeps the Secret of a connection beside it need not repeat it. No other Secret is looked at.
    fn credentials_in(&self, manifests: &Manifests) -> Result<Credentials> {
        let hint = format!("set {CLIENT_ID} and {CLIENT_SECRET}, or {CLIENT_SECRET_FILE}");
        let Some((key, connection)) = &self.connection else {
            bail!("no credentials: {hint}");
        };
        let name = &connection.spec.credentials_secret_ref.name;
        let secret = manifests.secrets.iter().find(|secret| {
            secret.metadata.name.as_ref() == Some(name) && secret.metadata.namespace.as_deref() == Some(&*key.namespace)
        });
        let Some(secret) = secret else {
            bail!(
                "no credentials: {hint}. Secret {}/{name}, which PluvoConnection {key} names, is not among the manifests either",
                key.namespace
            );
        };
        let value = |of: &str| {
            member(secret, of).with_context(|| format!("Secret {}/{name} has no {of}: {hint}", key.namespace))
        };
        Ok(Credentials {
            client_id: value("client-id")?,
            client_secret: value("client-secret")?.into(),
        })
    }
}

fn member(secret: &Secret, name: &str) -> Option<String> {
    let plain = secret.string_data.as_ref().and_then(|data| data.get(name)).cloned();
    let encoded = || {
        let data = secret.data.as_ref()?.get(name)?;
        String::from_utf8(data.0.clone()).ok()
    };
    let value = plain.or_else(encoded)?.trim().to_owned();
    (!value.is_empty()).then_some(value)
}

/// A variable that is set to nothing counts as not set.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}

fn names<'a>(keys: impl Iterator<Item = &'a ConnectionKey>) -> String {
    keys.map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

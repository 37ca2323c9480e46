//! Where an organization is reached, and which addresses may be reached at all.

use std::{fmt, sync::Arc};

use url::{Host, Url};

/// The address of one organization, normalized: two spellings of one address are one organization.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// Ends with a slash, so that paths can be joined to it.
    base: Url,
    key: Arc<str>,
}

/// An address that cannot be that of an organization.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not a URL.
    #[error("the endpoint is not an address: {0}; it looks like https://acme.pluvo.com")]
    NotAnAddress(String),
    /// A part that the address of an organization has not.
    #[error("the endpoint must be the address of the organization alone, like https://acme.pluvo.com: {0}")]
    Part(&'static str),
    /// Not the first label of a host name.
    #[error(
        "an organization is the first part of its address (acme in https://acme.pluvo.com): \
             letters, digits and hyphens"
    )]
    Organization,
}

impl Endpoint {
    /// `https://{organization}.pluvo.com` (developers/getting-started).
    ///
    /// # Errors
    ///
    /// The name is not the label of a host name.
    pub fn of_organization(organization: &str) -> Result<Self, EndpointError> {
        Self::parse(&format!("https://{}.pluvo.com", label(organization)?))
    }

    /// An address as somebody wrote it. A path is kept: a sandbox or a proxy may serve an organization under one.
    ///
    /// # Errors
    ///
    /// It is no http or https address, or has user, query, fragment or the path of one of the two APIs.
    pub fn parse(address: &str) -> Result<Self, EndpointError> {
        let mut base = Url::parse(address.trim()).map_err(|error| EndpointError::NotAnAddress(error.to_string()))?;
        let host = base
            .host_str()
            .map(|host| host.trim_end_matches('.').to_owned())
            .unwrap_or_default();
        let segments: Vec<String> = base
            .path_segments()
            .into_iter()
            .flatten()
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        let wrong = match () {
            () if !["http", "https"].contains(&base.scheme()) => Some("it must begin with https://"),
            () if host.is_empty() => Some("it has no host"),
            () if !base.username().is_empty() || base.password().is_some() => {
                Some("it must hold no user; the credentials are in a Secret")
            }
            () if base.query().is_some() || base.fragment().is_some() => Some("leave out what follows ? or #"),
            () if segments.ends_with(&["graphql".to_owned()]) => Some("leave out /graphql/"),
            () if segments.ends_with(&["oauth".to_owned(), "token".to_owned()]) => Some("leave out /oauth/token/"),
            () => None,
        };
        if let Some(wrong) = wrong {
            return Err(EndpointError::Part(wrong));
        }
        base.set_host(Some(&host))
            .map_err(|error| EndpointError::NotAnAddress(error.to_string()))?;
        let path: String = segments.iter().flat_map(|part| [part, "/"]).collect();
        base.set_path(&path);
        let key = base.as_str().trim_end_matches('/').into();
        Ok(Self { base, key })
    }

    /// The organization as the sandbox at `sandbox` serves it: under its name as a path, so that each keeps an address
    /// and a [`key`](Self::key) of its own.
    ///
    /// # Errors
    ///
    /// The name is not the label of a host name.
    pub fn in_sandbox(sandbox: &Self, organization: &str) -> Result<Self, EndpointError> {
        Self::parse(&format!("{}{}", sandbox.base, label(organization)?))
    }

    /// What tells organizations apart: the normalized address, without a slash at the end.
    #[must_use]
    pub fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// Where documents are posted. The slash at the end is mandatory (developers/introduction).
    #[must_use]
    pub fn graphql_url(&self) -> Url {
        self.join("graphql/")
    }

    /// Where tokens are requested. The slash at the end is mandatory.
    #[must_use]
    pub fn token_url(&self) -> Url {
        self.join("oauth/token/")
    }

    fn join(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path()));
        url
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.key)
    }
}

fn label(organization: &str) -> Result<String, EndpointError> {
    let label = organization.trim().to_ascii_lowercase();
    let characters = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let valid = characters && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-');
    valid.then_some(label).ok_or(EndpointError::Organization)
}

/// Where the operator may send credentials: https to any subdomain of `pluvo.com`, and the hosts that it was started
/// with. Whoever can write a connection must not be able to have credentials sent elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts(Vec<AllowedHost>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct AllowedHost {
    host: Host,
    port: Option<u16>,
}

/// An address that may not be reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is not allowed: endpoints are https on *.pluvo.com, or on a host that the operator was started with \
         (--allowed-hosts)"
)]
pub struct NotAllowed(Endpoint);

/// An entry of the allowed hosts that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a host nor host:port, like pluvo.example.com or localhost:8080")]
pub struct InvalidHost(String);

impl AllowedHosts {
    /// Hosts that are allowed in addition, each as `host` (any port) or `host:port`, with http as well as with https.
    ///
    /// # Errors
    ///
    /// The first entry that is neither.
    pub fn new<S: AsRef<str>>(hosts: impl IntoIterator<Item = S>) -> Result<Self, InvalidHost> {
        hosts
            .into_iter()
            .map(|host| AllowedHost::parse(host.as_ref()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Allows the host and port of `endpoint` too.
    #[must_use]
    pub fn and(mut self, endpoint: &Endpoint) -> Self {
        let host = endpoint.base.host().map(|host| host.to_owned());
        self.0.extend(host.map(|host| AllowedHost {
            host,
            port: endpoint.base.port_or_known_default(),
        }));
        self
    }

    /// Whether credentials may be sent to `endpoint`.
    ///
    /// # Errors
    ///
    /// They may not.
    pub fn check(&self, endpoint: &Endpoint) -> Result<(), NotAllowed> {
        let Endpoint { base, .. } = endpoint;
        let of_pluvo = base.scheme() == "https" && base.host_str().is_some_and(|host| host.ends_with(".pluvo.com"));
        let allowed = self.0.iter().any(|allowed| {
            base.host().is_some_and(|host| host.to_owned() == allowed.host)
                && allowed
                    .port
                    .is_none_or(|port| base.port_or_known_default() == Some(port))
        });
        if of_pluvo || allowed {
            Ok(())
        } else {
            Err(NotAllowed(endpoint.clone()))
        }
    }
}

impl AllowedHost {
    fn parse(text: &str) -> Result<Self, InvalidHost> {
        let wrong = || InvalidHost(text.to_owned());
        // As the authority of an address with a scheme that has no default port: a port is there only if written.
        let url = Url::parse(&format!("ws-host://{}", text.trim())).map_err(|_| wrong())?;
        let bare = url.path().is_empty() && url.query().is_none() && url.username().is_empty();
        let host = url
            .host_str()
            .filter(|host| bare && !host.is_empty())
            .ok_or_else(wrong)?;
        let host = Host::parse(host.trim_end_matches('.')).map_err(|_| wrong())?;
        Ok(Self { host, port: url.port() })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("https://acme.pluvo.com", "https://acme.pluvo.com")]
    #[case(" HTTPS://Acme.PLUVO.com.:443/ ", "https://acme.pluvo.com")]
    #[case("http://127.0.0.1:8080//acme///", "http://127.0.0.1:8080/acme")]
    #[case("http://localhost:80/a/./b/../c", "http://localhost/a/c")]
    #[case("http://[::1]:8080", "http://[::1]:8080")]
    fn spellings_of_one_address_are_one_organization(#[case] written: &str, #[case] key: &str) {
        let endpoint = Endpoint::parse(written).unwrap();
        assert_eq!(&**endpoint.key(), key);
        assert_eq!(endpoint.graphql_url().as_str(), format!("{key}/graphql/"));
        assert_eq!(endpoint.token_url().as_str(), format!("{key}/oauth/token/"));
        assert_eq!(Endpoint::parse(key).unwrap(), endpoint);
    }

    #[rstest]
    #[case("acme.pluvo.com", "not an address")]
    #[case("ftp://acme.pluvo.com", "https://")]
    #[case("https://", "not an address")]
    #[case("https://user:secret@acme.pluvo.com", "no user")]
    #[case("https://acme.pluvo.com/?x=1", "? or #")]
    #[case("https://acme.pluvo.com/graphql/", "leave out /graphql/")]
    #[case("https://acme.pluvo.com/oauth/token", "leave out /oauth/token/")]
    fn what_is_no_address_of_an_organization_is_refused(#[case] written: &str, #[case] says: &str) {
        let error = Endpoint::parse(written).unwrap_err().to_string();
        assert!(error.contains(says) && !error.contains("secret"), "{error}");
    }

    #[test]
    fn organizations_have_addresses_of_their_own() {
        assert_eq!(
            &**Endpoint::of_organization("Acme").unwrap().key(),
            "https://acme.pluvo.com"
        );
        let sandbox = Endpoint::parse("http://127.0.0.1:8080/").unwrap();
        assert_eq!(
            &**Endpoint::in_sandbox(&sandbox, "acme").unwrap().key(),
            "http://127.0.0.1:8080/acme"
        );
        for name in ["", "a.b", "a/b", "evil.com#", "-a", "ünï"] {
            assert_eq!(
                Endpoint::of_organization(name),
                Err(EndpointError::Organization),
                "{name}"
            );
        }
    }

    #[rstest]
    #[case("https://acme.pluvo.com", true)]
    #[case("https://eu.acme.pluvo.com:8443", true)]
    #[case("http://acme.pluvo.com", false)]
    #[case("https://pluvo.com", false)]
    #[case("https://notpluvo.com", false)]
    #[case("https://acme.pluvo.com.evil.com", false)]
    #[case("https://evil.com/acme.pluvo.com", false)]
    #[case("https://10.0.0.1", false)]
    #[case("http://sandbox:8080/acme", true)]
    #[case("http://sandbox:8081/acme", false)]
    #[case("https://any.example.com:9999", true)]
    #[case("http://ANY.example.com", true)]
    #[case("http://sub.any.example.com", false)]
    #[case("http://[::1]:8080", true)]
    #[case("http://[::1]:8081", false)]
    #[case("http://127.0.0.1:9000/acme", true)]
    fn allowed(#[case] address: &str, #[case] expected: bool) {
        let sandbox = Endpoint::parse("http://127.0.0.1:9000").unwrap();
        let hosts = AllowedHosts::new(["sandbox:8080", "Any.example.com", "[::1]:8080"])
            .unwrap()
            .and(&sandbox);
        assert_eq!(hosts.check(&Endpoint::parse(address).unwrap()).is_ok(), expected);
    }

    #[test]
    fn by_default_only_pluvo_is_allowed() {
        let check = |address| AllowedHosts::default().check(&Endpoint::parse(address).unwrap());
        assert_eq!(check("https://acme.pluvo.com"), Ok(()));
        let error = check("http://localhost:8080").unwrap_err().to_string();
        assert!(
            error.starts_with("http://localhost:8080 is not allowed") && error.contains("--allowed-hosts"),
            "{error}"
        );
    }

    #[rstest]
    #[case("")]
    #[case("http://a")]
    #[case("a/b")]
    #[case("a:b")]
    #[case("a:80:80")]
    #[case("user@a")]
    fn what_is_no_host_is_refused(#[case] host: &str) {
        assert!(AllowedHosts::new([host]).is_err());
    }
}

//! What the connection permits. Whoever may write a resource in a namespace gets no more than that.

use crate::{
    api::{Reason, common::Policy, connection::Permit, user::Role},
    pluvo::model::User,
};

use super::{ConnectionKey, Decision, Finalizer, Verdict, object, scope::Scope};

/// What the connection of a resource permits, with what people call that connection.
#[derive(Clone, Copy)]
pub struct Ceiling<'a> {
    permit: &'a Permit,
    connection: &'a ConnectionKey,
}

impl<'a> Ceiling<'a> {
    /// The ceiling over everything on a connection.
    #[must_use]
    pub fn of(scope: &Scope<'a>) -> Option<Self> {
        Some(Self {
            permit: &scope.terms()?.permit,
            connection: scope.connection,
        })
    }

    /// The ceiling of a permit.
    #[must_use]
    pub fn new(permit: &'a Permit, connection: &'a ConnectionKey) -> Self {
        Self { permit, connection }
    }

    /// The permit itself.
    #[must_use]
    pub fn permit(&self) -> &'a Permit {
        self.permit
    }

    /// Refuses roles that are not permitted.
    pub fn roles(&self, roles: &[Role]) -> Result<(), Box<Decision>> {
        match roles.iter().find(|role| !self.permit.roles.contains(role)) {
            Some(role) => Err(self.refuse(
                &format!(
                    "role {} is not among the permitted ones ({})",
                    role.as_str(),
                    self.permitted_roles()
                ),
                "permit.roles",
            )),
            None => Ok(()),
        }
    }

    /// Refuses an e-mail address outside of the permitted domains. The address itself is not repeated.
    pub fn email(&self, email: &str) -> Result<(), Box<Decision>> {
        let domain = email.rsplit_once('@').map_or(email, |(_, domain)| domain).trim();
        let domains = &self.permit.email_domains;
        if domains.is_empty() || domains.iter().any(|permitted| permitted.eq_ignore_ascii_case(domain)) {
            return Ok(());
        }
        let what = format!("e-mail addresses are permitted in {} only", domains.join(", "));
        Err(self.refuse(&what, "permit.emailDomains"))
    }

    /// Refuses a policy that is not permitted.
    pub fn policy(&self, policy: Policy) -> Result<(), Box<Decision>> {
        if policy != Policy::Exclusive || self.permit.exclusive {
            return Ok(());
        }
        Err(self.refuse("policy Exclusive is not permitted", "permit.exclusive"))
    }

    fn refuse(&self, what: &str, field: &str) -> Box<Decision> {
        let message = format!(
            "{what}; nothing is written. Ask for less, or change spec.{field} of PluvoConnection {}",
            self.connection
        );
        Box::new(object::known(Verdict::stalled(Reason::NotPermitted, message)))
    }

    /// A role of an account that is outside of the permit: such an account is never changed.
    #[must_use]
    pub fn protects<'u>(&self, user: &'u User) -> Option<&'u str> {
        let permitted = |role: &str| self.permit.roles.iter().any(|known| known.as_str() == role);
        user.roles.iter().map(|role| &*role.0).find(|role| !permitted(role))
    }

    /// What is said about an account that is not to be changed: everything but the calls.
    #[must_use]
    pub fn spare(&self, mut decision: Decision, title: &str, role: &str) -> Decision {
        if decision.calls.is_empty() {
            return decision;
        }
        let paths: Vec<_> = decision
            .calls
            .iter()
            .flat_map(|call| call.writes.iter().map(|write| &*write.path))
            .collect();
        let message = format!(
            "{title} holds role {role}, which is not among the permitted ones ({}), and is never changed; it differs \
             at {}. Change it in Pluvo, or spec.permit.roles of PluvoConnection {}",
            self.permitted_roles(),
            paths.join(", "),
            self.connection
        );
        decision.verdict = Verdict::stalled(Reason::Protected, message);
        decision.calls.clear();
        decision.identity.adopted = None;
        decision.finalizer = Finalizer::Keep;
        decision
    }

    fn permitted_roles(&self) -> String {
        let roles: Vec<_> = self.permit.roles.iter().map(|role| role.as_str()).collect();
        if roles.is_empty() {
            "none".to_owned()
        } else {
            roles.join(", ")
        }
    }
}

#[cfg(test)]
mod tests;

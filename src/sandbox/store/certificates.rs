//! Certificates: templates, of which users are given one.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    PortfolioDraft, Refusal, Selector, Store, parse_id,
    table::{Table, check_title, entity},
};
use crate::settings::{CertificateIds, RepeatedCertificate, Settings};

/// A template.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields of the schema's Certificate")]
pub struct Certificate {
    pub id: Uuid,
    pub reference: Arc<str>,
    pub name: Arc<str>,
    pub title: Option<Arc<str>>,
    /// How long what is issued is valid.
    pub valid_days: Option<u32>,
}

entity!(Certificate, "certificate", name);

/// A template in a seed. No operation makes one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CertificateDraft {
    /// Generated where it is left out.
    pub id: Option<String>,
    /// For seeds and states: the schema has no ref for certificates.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// Display name.
    pub name: String,
    /// What is on it.
    pub title: Option<String>,
    /// How long what is issued is valid; for ever where it is left out.
    pub valid_days: Option<u32>,
}

/// A certificate to be issued.
#[derive(Clone, Debug)]
pub struct Issue {
    /// The template.
    pub certificate: Uuid,
    /// What is on it, other than the template says.
    pub title: Option<String>,
    /// For which training.
    pub training: Option<Uuid>,
    /// When; now where it is left out.
    pub date: Option<Timestamp>,
}

impl Store {
    /// The templates.
    pub fn certificates(&self) -> &Table<Certificate> {
        &self.certificates
    }

    /// Adds a template.
    pub fn create_certificate(&mut self, draft: &CertificateDraft) -> Result<Arc<Certificate>, Refusal> {
        check_title(Some(&draft.name))?;
        self.certificates.check_ref(draft.reference.as_deref(), None)?;
        let generated = || self.certificates.generated_ref(&draft.name);
        let reference = draft.reference.clone().unwrap_or_else(generated);
        let id = self.certificates.new_id(parse_id(draft.id.as_deref())?, &reference)?;
        Ok(self.certificates.put(Certificate {
            id,
            reference: reference.into(),
            name: draft.name.as_str().into(),
            title: draft.title.as_deref().map(Arc::from),
            valid_days: draft.valid_days,
        }))
    }

    /// Gives users a certificate: an item of their portfolios. Returns what `settings` say is returned for those who
    /// have it now, and who is unknown.
    pub fn issue(
        &mut self,
        issue: &Issue,
        users: &[Uuid],
        settings: &Settings,
        now: Timestamp,
    ) -> Result<(Vec<Uuid>, Vec<Uuid>), Refusal> {
        let certificate = self.certificates.expect(&Selector::Id(issue.certificate))?;
        let start = issue.date.unwrap_or(now);
        let valid = certificate
            .valid_days
            .map(|days| SignedDuration::from_hours(i64::from(days) * 24));
        let title = certificate.title.as_ref().unwrap_or(&certificate.name);
        let draft = PortfolioDraft {
            title: Some(issue.title.clone().unwrap_or_else(|| title.to_string())),
            start: Some(start),
            end: valid.and_then(|valid| start.checked_add(valid).ok()),
            certificate: Some((certificate.id, issue.training)),
            ..PortfolioDraft::default()
        };
        check_title(draft.title.as_deref())?;
        if let Some(training) = issue.training {
            self.trainings.expect(&Selector::Id(training))?;
        }
        let (mut done, mut unknown) = (Vec::new(), Vec::new());
        for user in users {
            let Ok(item) = self.issue_one(&draft, *user, settings, now) else {
                unknown.push(*user);
                continue;
            };
            done.push(match settings.certificate_ids {
                CertificateIds::Users => *user,
                CertificateIds::PortfolioItems => item,
            });
        }
        Ok((done, unknown))
    }

    fn issue_one(
        &mut self,
        draft: &PortfolioDraft,
        user: Uuid,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Uuid, Refusal> {
        let portfolio = self.portfolios().of(Some(user));
        let known = portfolio.iter().find(|item| item.certificate == draft.certificate);
        match known {
            Some(item) if settings.repeated_certificate == RepeatedCertificate::Skip => Ok(item.id),
            _ => self.create_portfolio_item(user, draft, now).map(|item| item.id),
        }
    }
}

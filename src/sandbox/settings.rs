//! What the public documentation leaves open, as settings.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// How one organization answers where the documentation allows more than one reading.
///
/// Each setting's default is the reading that the documentation makes most likely.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[allow(clippy::struct_excessive_bools, reason = "each answers a question of its own")]
pub struct Settings {
    /// How long an accepted change of a membership or of a training's participants stays invisible in reads.
    /// The older documentation speaks of minutes.
    pub visibility_delay: SignedDuration,
    /// How long a token lives.
    pub token_lifetime: SignedDuration,
    /// HTTP status of an answer to a missing, unknown or expired token: 401, or 200 as the older documentation shows.
    pub auth_error_status: u16,
    /// HTTP status of an answer to a document that is rejected before execution: 200, or 400 as some servers do.
    pub rejected_document_status: u16,
    /// `first` above 50.
    pub page_too_large: PageTooLarge,
    /// A creation that lacks a name or an e-mail address.
    pub creation_without_name: Incomplete,
    /// A second add while the first is not visible yet.
    pub second_add: Answer,
    /// Adding somebody to a training who is in it through a group.
    pub add_through_group: Answer,
    /// Whether `paginatedUsers(trainingIds:)` lists trainers and mentors as well.
    pub training_ids_count_trainers: bool,
    /// Whether `ExtraCategory.ref` is readable; as an argument it always works.
    pub show_category_refs: bool,
    /// What `updateExtraCategoryValues` returns.
    pub values_answer: ValuesAnswer,
    /// Whether `lastLogin_Lt` finds users who never logged in.
    pub never_logged_in: NeverLoggedIn,
    /// Enrolling more people in an event without a waiting list than it takes.
    pub full_event: FullEvent,
    /// What becomes of an enrollment that is ended.
    pub unenrolled: Unenrolled,
    /// Whether `createOfferEventEnrollments` lists those who were enrolled already.
    pub list_already_enrolled: bool,
    /// Whether `createOfferEventEnrollments` sends mail where `sendMail` is left out.
    pub enrollment_mails: bool,
    /// What `generateCertificate` returns.
    pub certificate_ids: CertificateIds,
    /// Giving somebody a certificate again, for the same training.
    pub repeated_certificate: RepeatedCertificate,
    /// When webhooks tell that the members of a group have changed.
    pub group_news: GroupNews,
    /// What becomes of texts that operations set (names of users and groups, values of custom fields): a server may
    /// tidy what it is given.
    pub texts: Texts,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            visibility_delay: SignedDuration::ZERO,
            token_lifetime: SignedDuration::from_hours(24),
            auth_error_status: 401,
            rejected_document_status: 200,
            page_too_large: PageTooLarge::default(),
            creation_without_name: Incomplete::default(),
            second_add: Answer::AlreadyAdded,
            add_through_group: Answer::Added,
            training_ids_count_trainers: true,
            show_category_refs: true,
            values_answer: ValuesAnswer::default(),
            never_logged_in: NeverLoggedIn::default(),
            full_event: FullEvent::default(),
            unenrolled: Unenrolled::default(),
            list_already_enrolled: true,
            enrollment_mails: true,
            certificate_ids: CertificateIds::default(),
            repeated_certificate: RepeatedCertificate::default(),
            group_news: GroupNews::default(),
            texts: Texts::default(),
        }
    }
}

/// What happens to people who are to be enrolled in an event that is full and has no waiting list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FullEvent {
    /// Those for whom there is room are enrolled, the others are left out.
    #[default]
    Skip,
    /// The field fails, and nobody is enrolled.
    Refuse,
}

/// What becomes of an enrollment that is ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Unenrolled {
    /// Its status is `CANCELLED`.
    #[default]
    Cancelled,
    /// It is gone.
    Removed,
}

/// What `generateCertificate` returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CertificateIds {
    /// The ids of those who were given one.
    #[default]
    Users,
    /// The ids of what was put into their portfolios.
    PortfolioItems,
}

/// What happens to somebody who has a certificate and is to be given it again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RepeatedCertificate {
    /// There is another one in the portfolio.
    #[default]
    Issue,
    /// The one that is there is meant.
    Skip,
}

/// What becomes of a text that is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Texts {
    /// It stays as it is.
    #[default]
    AsGiven,
    /// It is stored in capitals.
    UpperCase,
}

impl Texts {
    /// A text as it is stored.
    pub fn stored(self, text: String) -> String {
        match self {
            Self::AsGiven => text,
            Self::UpperCase => text.to_uppercase(),
        }
    }
}

/// What happens to `first` above 50.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PageTooLarge {
    /// The page has 50 rows.
    #[default]
    Cap,
    /// The field fails.
    Error,
}

/// What happens to a creation that lacks a name or an e-mail address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Incomplete {
    /// The field fails.
    #[default]
    Refuse,
    /// The user exists from then on, under the e-mail address or the ref as a name.
    Allow,
}

/// In which list of a three-way result a user appears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// `addedIds`, `addedRefs`
    Added,
    /// `alreadyAddedIds`, `alreadyAddedRefs`
    AlreadyAdded,
}

/// What `updateExtraCategoryValues` returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ValuesAnswer {
    /// All values of the object.
    #[default]
    All,
    /// Those of the categories that were sent.
    Sent,
}

/// Whether somebody who never logged in logged in before a given moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NeverLoggedIn {
    /// No, as a comparison with null answers.
    #[default]
    Exclude,
    /// Yes.
    Include,
}

/// When webhooks tell that the members of a group have changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GroupNews {
    /// When the change can be read.
    #[default]
    Visible,
    /// When it is accepted.
    Accepted,
}

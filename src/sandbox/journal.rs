//! What was done: every mutation in order, and the mails that would have been sent.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value as Json;

use super::store::Refusal;

/// Mutations and mails of one organization.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// Mutations in the order of their execution.
    pub entries: Vec<Entry>,
    /// Mails in the order of their sending.
    pub mails: Vec<Mail>,
}

/// One mutation.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// When it was executed.
    pub time: Timestamp,
    /// `client_id` of who asked for it.
    pub client: String,
    /// Which HTTP request brought it; entries of one document have the same number.
    pub request: u64,
    /// Its alias in the document, or its name.
    pub alias: String,
    /// Its name.
    pub operation: String,
    /// Its arguments with variables filled in.
    pub arguments: Json,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What became of a mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Carried out.
    Ok,
    /// Refused.
    Error,
    /// Carried out, and undone with its whole document.
    RolledBack,
}

/// A mail that would have been sent.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mail {
    /// When.
    pub time: Timestamp,
    /// Why.
    pub kind: MailKind,
    /// Ref of the user.
    pub to: String,
    /// The mutation that sent it.
    pub operation: String,
    /// `client_id` of who asked for it.
    pub client: String,
    /// Ref of the training it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training: Option<String>,
    /// Ref of the event it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
}

/// Why a mail is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum MailKind {
    /// An account was made.
    Invite,
    /// Somebody was added to a training.
    TrainingInvite,
    /// Somebody was enrolled in an event, or waits for a place.
    Enrollment,
    /// An event was changed in which somebody is enrolled.
    EventChanged,
}

/// How far a journal had come.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    entries: usize,
    mails: usize,
}

impl Journal {
    /// How far it has come.
    pub fn mark(&self) -> Mark {
        Mark {
            entries: self.entries.len(),
            mails: self.mails.len(),
        }
    }

    /// What was done since.
    pub fn since(&self, mark: Mark) -> &[Entry] {
        self.entries.get(mark.entries..).unwrap_or_default()
    }

    /// Notes that everything since the mark was undone; its mails were never sent.
    pub fn roll_back(&mut self, to: Mark) {
        self.mails.truncate(to.mails);
        for entry in self
            .entries
            .iter_mut()
            .skip(to.entries)
            .filter(|entry| entry.outcome == Outcome::Ok)
        {
            entry.outcome = Outcome::RolledBack;
        }
    }

    /// Notes a mutation and its mails.
    pub fn note<T>(&mut self, mut entry: Entry, result: &Result<T, Refusal>, mails: Vec<Mail>) {
        if let Err(refusal) = result {
            entry.outcome = Outcome::Error;
            entry.error = Some(format!("{}: {refusal}", refusal.code.as_str()));
        }
        self.entries.push(entry);
        self.mails.extend(mails);
    }
}

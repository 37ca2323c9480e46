//! Objects of one type, by id, ref and e-mail address, each with the time at which it was read.

use std::{collections::HashMap, sync::Arc};

use tokio::time::Instant;

use crate::{
    plan::value,
    pluvo::model::{Group, Id, OfferEvent, Training, User},
};

/// An object that Pluvo knows by an id and, mostly, by a ref.
pub trait Row: PartialEq {
    /// Pluvo's key.
    fn id(&self) -> &Id;
    /// The integrator's key.
    fn reference(&self) -> Option<&Arc<str>>;
    /// The e-mail address, normalized.
    fn email(&self) -> Option<String> {
        None
    }
}

impl Row for User {
    fn id(&self) -> &Id {
        &self.id
    }

    fn reference(&self) -> Option<&Arc<str>> {
        self.reference.as_ref()
    }

    fn email(&self) -> Option<String> {
        self.email.as_deref().map(value::email)
    }
}

impl Row for Group {
    fn id(&self) -> &Id {
        &self.id
    }

    fn reference(&self) -> Option<&Arc<str>> {
        self.reference.as_ref()
    }
}

impl Row for Training {
    fn id(&self) -> &Id {
        &self.id
    }

    fn reference(&self) -> Option<&Arc<str>> {
        self.reference.as_ref()
    }
}

impl Row for OfferEvent {
    fn id(&self) -> &Id {
        &self.id
    }

    fn reference(&self) -> Option<&Arc<str>> {
        self.reference.as_ref()
    }
}

#[derive(Debug)]
struct Entry<T> {
    value: Arc<T>,
    /// When the read was sent that brought this value.
    read_sent: Instant,
    /// When the last write was acknowledged, or was lost on the way.
    last_write: Option<Instant>,
    /// A write was lost on the way, or a finished list did not hold the row: it must be read again.
    uncertain: bool,
    /// Both lists were complete and did not hold the row.
    unseen: bool,
}

/// What a merge did.
#[derive(Debug)]
pub struct Change<T> {
    /// The value before, if there was one.
    pub before: Option<Arc<T>>,
    /// The value now, if there is one.
    pub after: Option<Arc<T>>,
    /// Whether the value before was not certain any more: whoever met it looks again, whatever the value is now.
    certain_again: bool,
}

impl<T: PartialEq> Change<T> {
    /// Whether the value is another one than before, and not merely certain again.
    pub fn is_news(&self) -> bool {
        self.before != self.after
    }

    /// Whether somebody must look again who cares for a part of the value. `same`: whether two values are the same in
    /// that part.
    pub fn altered(&self, same: impl Fn(&T, &T) -> bool) -> bool {
        let both = self.before.as_deref().zip(self.after.as_deref());
        self.certain_again || !both.is_some_and(|(before, after)| same(before, after))
    }
}

/// Objects of one type.
#[derive(Debug)]
pub struct Table<T> {
    rows: HashMap<Id, Entry<T>>,
    by_ref: HashMap<Arc<str>, Id>,
    by_email: HashMap<Box<str>, Id>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            rows: HashMap::new(),
            by_ref: HashMap::new(),
            by_email: HashMap::new(),
        }
    }
}

/// What a table says about a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Known<T> {
    /// This value.
    Certain(Arc<T>),
    /// There is a row that must be read again.
    Uncertain,
    /// There is no row.
    Nothing,
}

impl<T: Row> Table<T> {
    /// The row with an id.
    pub fn by_id(&self, id: &Id) -> Known<T> {
        match self.rows.get(id) {
            Some(entry) if entry.uncertain => Known::Uncertain,
            Some(entry) => Known::Certain(entry.value.clone()),
            None => Known::Nothing,
        }
    }

    /// The row with a ref.
    pub fn by_ref(&self, reference: &str) -> Known<T> {
        self.by_ref.get(reference).map_or(Known::Nothing, |id| self.by_id(id))
    }

    /// The row with an e-mail address, normalized.
    pub fn by_email(&self, email: &str) -> Known<T> {
        self.by_email.get(email).map_or(Known::Nothing, |id| self.by_id(id))
    }

    /// The id that goes with a ref, whether or not the row is certain.
    pub fn id_of_ref(&self, reference: &str) -> Option<&Id> {
        self.by_ref.get(reference)
    }

    /// The id that goes with an e-mail address, normalized, whether or not the row is certain.
    pub fn id_of_email(&self, email: &str) -> Option<&Id> {
        self.by_email.get(email)
    }

    /// The last value of a row, certain or not.
    pub fn last(&self, id: &Id) -> Option<&Arc<T>> {
        self.rows.get(id).map(|entry| &entry.value)
    }

    /// All rows, certain or not.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.rows.values().map(|entry| &entry.value)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Takes in a row that a read brought. It is passed over if it was sent before the last write was acknowledged, or
    /// before the read that the entry stems from.
    pub fn merge_read(&mut self, row: Arc<T>, sent: Instant) -> Option<Change<T>> {
        if let Some(entry) = self.rows.get_mut(row.id()) {
            if entry.read_sent > sent || entry.last_write.is_some_and(|write| write >= sent) {
                return None;
            }
            if entry.value == row {
                let was_uncertain = std::mem::take(&mut entry.uncertain);
                entry.read_sent = sent;
                entry.unseen = false;
                return was_uncertain.then(|| Change {
                    before: Some(row.clone()),
                    after: Some(row),
                    certain_again: true,
                });
            }
        }
        Some(self.replace(row, sent, None))
    }

    /// Takes in a row that an acknowledged write answered with.
    pub fn merge_answer(&mut self, row: Arc<T>, sent: Instant, acknowledged: Instant) -> Option<Change<T>> {
        if let Some(entry) = self.rows.get_mut(row.id())
            && entry.value == row
            && !entry.uncertain
        {
            entry.read_sent = sent;
            entry.last_write = Some(acknowledged);
            return None;
        }
        Some(self.replace(row, sent, Some(acknowledged)))
    }

    /// A write of a row was lost on the way: the row is Unknown until a read that is sent from now on.
    pub fn doubt(&mut self, id: &Id, now: Instant) {
        if let Some(entry) = self.rows.get_mut(id) {
            entry.last_write = Some(now);
            entry.uncertain = true;
        }
    }

    /// A finished list did not hold rows that were known before it began: they must be read by themselves. Returns
    /// which they are.
    pub fn doubt_unseen(&mut self, started: Instant, complete: bool) -> Vec<Arc<T>> {
        let mut doubted = Vec::new();
        for entry in self.rows.values_mut() {
            let is_newer = entry.read_sent >= started || entry.last_write.is_some_and(|write| write >= started);
            if !is_newer {
                entry.uncertain = true;
                entry.unseen = complete;
                doubted.push(entry.value.clone());
            }
        }
        doubted
    }

    /// A direct read by id answered null. The row goes only if complete lists did not hold it either: whether a direct
    /// read finds archived users is not documented.
    pub fn merge_absence(&mut self, id: &Id, sent: Instant) -> Option<Change<T>> {
        let entry = self.rows.get(id)?;
        let is_older = entry.last_write.is_none_or(|write| write < sent);
        (entry.unseen && is_older).then(|| self.remove(id)).flatten()
    }

    /// A row is gone for certain.
    pub fn remove(&mut self, id: &Id) -> Option<Change<T>> {
        let entry = self.rows.remove(id)?;
        self.unlink(&entry.value);
        Some(Change {
            before: Some(entry.value),
            after: None,
            certain_again: false,
        })
    }

    fn replace(&mut self, row: Arc<T>, read_sent: Instant, acknowledged: Option<Instant>) -> Change<T> {
        let before = self.rows.remove(row.id());
        let last_write = acknowledged.or_else(|| before.as_ref().and_then(|entry| entry.last_write));
        if let Some(before) = &before {
            self.unlink(&before.value);
        }
        if let Some(reference) = row.reference() {
            self.by_ref.insert(reference.clone(), row.id().clone());
        }
        if let Some(email) = row.email() {
            self.by_email.insert(email.into(), row.id().clone());
        }
        self.rows.insert(
            row.id().clone(),
            Entry {
                value: row.clone(),
                read_sent,
                last_write,
                uncertain: false,
                unseen: false,
            },
        );
        Change {
            certain_again: before.as_ref().is_some_and(|entry| entry.uncertain),
            before: before.map(|entry| entry.value),
            after: Some(row),
        }
    }

    /// Another row may have taken over a key meanwhile: only our own index entries go.
    fn unlink(&mut self, row: &T) {
        if let Some(reference) = row.reference()
            && self.by_ref.get(reference) == Some(row.id())
        {
            self.by_ref.remove(reference);
        }
        if let Some(email) = row.email()
            && self.by_email.get(email.as_str()) == Some(row.id())
        {
            self.by_email.remove(email.as_str());
        }
    }
}

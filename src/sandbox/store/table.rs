//! Objects of one kind: by id, by ref, and in the order of their names.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::Refusal;
use crate::ordered::Ordered;

/// What every kind of object has.
pub trait Entity {
    /// In messages, and in what ids are derived from.
    const KIND: &'static str;
    /// The key that the sandbox made.
    fn id(&self) -> Uuid;
    /// The integrator's key, unique per kind.
    fn reference(&self) -> &Arc<str>;
    /// The name or title that lists are sorted by.
    fn name(&self) -> &str;
}

/// Says which fields of a type are its id, its ref and its name.
macro_rules! entity {
    ($type:ident, $kind:literal, $name:ident) => {
        impl $crate::store::table::Entity for $type {
            const KIND: &'static str = $kind;
            fn id(&self) -> uuid::Uuid {
                self.id
            }
            fn reference(&self) -> &std::sync::Arc<str> {
                &self.reference
            }
            fn name(&self) -> &str {
                &self.$name
            }
        }
    };
}
pub(super) use entity;

/// Place of an object in a list: its name without regard to case, then its id.
pub type NameKey = (Arc<str>, Uuid);

/// The sort key of an object.
pub fn name_key(entity: &impl Entity) -> NameKey {
    (entity.name().to_lowercase().into(), entity.id())
}

/// Names one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// By the sandbox's key.
    Id(Uuid),
    /// By the integrator's key.
    Ref(String),
}

impl Selector {
    /// Exactly one of the two.
    pub fn exactly_one(id: Option<Uuid>, reference: Option<String>) -> Result<Self, Refusal> {
        match (id, reference) {
            (Some(id), None) => Ok(Self::Id(id)),
            (None, Some(reference)) => Ok(Self::Ref(reference)),
            _ => Err(Refusal::invalid("Give either an id or a ref.")),
        }
    }
}

/// Objects of one kind.
#[derive(Clone, Debug)]
pub struct Table<T> {
    by_id: HashMap<Uuid, Arc<T>>,
    by_ref: HashMap<Arc<str>, Uuid>,
    by_name: Ordered<NameKey>,
    retired: HashSet<Uuid>,
    touched: Vec<(Touch, Arc<T>)>,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touch {
    /// It is new.
    Created,
    /// It is another one than before, or something of it is.
    Updated,
    /// It is gone.
    Deleted,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            by_id: HashMap::new(),
            by_ref: HashMap::new(),
            by_name: Ordered::default(),
            retired: HashSet::new(),
            touched: Vec::new(),
        }
    }
}

impl<T: Entity> Table<T> {
    /// The object of an id.
    pub fn get(&self, id: Uuid) -> Option<&Arc<T>> {
        self.by_id.get(&id)
    }

    /// The object that a selector names.
    pub fn find(&self, selector: &Selector) -> Option<&Arc<T>> {
        match selector {
            Selector::Id(id) => self.get(*id),
            Selector::Ref(reference) => self.by_ref.get(reference.as_str()).and_then(|id| self.get(*id)),
        }
    }

    /// The object that a selector names, which must exist.
    pub fn expect(&self, selector: &Selector) -> Result<&Arc<T>, Refusal> {
        self.find(selector)
            .ok_or_else(|| Refusal::not_found(&format!("This {}", T::KIND)))
    }

    /// The object of a ref, which must exist; for people who write seeds, so the message names the ref.
    pub fn expect_ref(&self, reference: &str) -> Result<&Arc<T>, Refusal> {
        self.find(&Selector::Ref(reference.to_owned()))
            .ok_or_else(|| Refusal::not_found(&format!("The {} {reference:?}", T::KIND)))
    }

    /// The objects in the order of their names.
    pub fn in_order(&self) -> impl Iterator<Item = &Arc<T>> {
        self.by_name.iter().filter_map(|(_, id)| self.get(*id))
    }

    /// The order itself.
    pub fn order(&self) -> &Ordered<NameKey> {
        &self.by_name
    }

    /// Checks a ref that is to be given to the object `id`, or to a new one: well-formed and not taken.
    pub fn check_ref(&self, reference: Option<&str>, id: Option<Uuid>) -> Result<(), Refusal> {
        let Some(reference) = reference else { return Ok(()) };
        if reference.trim().is_empty() || reference.chars().count() > 255 {
            return Err(Refusal::invalid("A ref has 1 to 255 characters."));
        }
        match self.by_ref.get(reference) {
            Some(holder) if Some(*holder) != id => {
                Err(Refusal::invalid(format!("A {} with this ref already exists.", T::KIND)))
            }
            _ => Ok(()),
        }
    }

    /// A ref for an object that was given none: a `UUIDv4`, as the documentation says.
    pub fn generated_ref(&self, from: &str) -> String {
        derived(T::KIND, "ref", from, |id| {
            self.by_ref.contains_key(id.to_string().as_str())
        })
        .to_string()
    }

    /// An id for a new object. The same objects have the same ids in every run; an object that was deleted and made
    /// anew has another one.
    pub fn new_id(&self, wanted: Option<Uuid>, reference: &str) -> Result<Uuid, Refusal> {
        let taken = |id: &Uuid| self.by_id.contains_key(id) || self.retired.contains(id);
        match wanted {
            Some(id) if taken(&id) => Err(Refusal::invalid(format!("The id {id} is taken."))),
            Some(id) => Ok(id),
            None => Ok(derived(T::KIND, "id", reference, taken)),
        }
    }

    /// Puts an object in, or in the place of the one with its id.
    pub fn put(&mut self, entity: T) -> Arc<T> {
        let entity = Arc::new(entity);
        let old = self.by_id.insert(entity.id(), entity.clone());
        let touch = if old.is_some() { Touch::Updated } else { Touch::Created };
        self.touched.push((touch, entity.clone()));
        if let Some(old) = old {
            self.by_ref.remove(old.reference());
            self.by_name.remove(&name_key(&*old));
        }
        self.by_ref.insert(entity.reference().clone(), entity.id());
        self.by_name.insert(name_key(&*entity));
        entity
    }

    /// Takes an object out; its id is never given out again.
    pub fn remove(&mut self, id: Uuid) -> Option<Arc<T>> {
        let old = self.by_id.remove(&id)?;
        self.by_ref.remove(old.reference());
        self.by_name.remove(&name_key(&*old));
        self.retired.insert(id);
        self.touched.push((Touch::Deleted, old.clone()));
        Some(old)
    }

    /// Notes that something of an object changed that is kept elsewhere.
    pub fn touch(&mut self, id: Uuid) {
        self.touched
            .extend(self.by_id.get(&id).map(|entity| (Touch::Updated, entity.clone())));
    }

    /// What happened to which objects since this was last asked, each object once.
    pub fn take_touched(&mut self) -> Vec<(Touch, Arc<T>)> {
        let mut once: Vec<(Touch, Arc<T>)> = Vec::new();
        let mut places: HashMap<Uuid, usize> = HashMap::new();
        for (touch, entity) in std::mem::take(&mut self.touched) {
            let at = places.entry(entity.id()).or_insert(once.len());
            if let Some(known) = once.get_mut(*at) {
                // What was made or taken away was also changed.
                let touch = if touch == Touch::Updated { known.0 } else { touch };
                *known = (touch, entity);
            } else {
                once.push((touch, entity));
            }
        }
        once
    }
}

/// A title that is to be given.
pub fn check_title(title: Option<&str>) -> Result<(), Refusal> {
    if title.is_some_and(|title| title.trim().is_empty() || title.chars().count() > 255) {
        return Err(Refusal::invalid("A title has 1 to 255 characters."));
    }
    Ok(())
}

/// The first `UUIDv4` in a sequence that depends on nothing but the arguments, and that is not taken.
pub fn derived(kind: &str, purpose: &str, from: &str, taken: impl Fn(&Uuid) -> bool) -> Uuid {
    let nth = |n: u32| {
        let digest = Sha256::digest(format!("{kind}\0{purpose}\0{from}\0{n}"));
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Builder::from_random_bytes(bytes).into_uuid()
    };
    let mut n = 0;
    loop {
        let id = nth(n);
        if !taken(&id) {
            return id;
        }
        n += 1;
    }
}

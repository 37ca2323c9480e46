//! Resources by something that they have in common.

use std::collections::BTreeSet;

use crate::api::Kind;

use super::key::ResourceKey;

/// Which resources go with a key. One ordered set of pairs: a set for each key would take several times the memory
/// where, as mostly, a key has a single resource.
#[derive(Debug)]
pub struct Index<K>(BTreeSet<(K, ResourceKey)>);

impl<K> Default for Index<K> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<K: Ord + Clone> Index<K> {
    /// Adds a resource to a key.
    pub fn insert(&mut self, key: K, resource: ResourceKey) {
        self.0.insert((key, resource));
    }

    /// Removes a resource from a key.
    pub fn remove(&mut self, key: K, resource: &ResourceKey) {
        self.0.remove(&(key, resource.clone()));
    }

    /// The resources of a key, in order.
    pub fn of(&self, key: K) -> impl Iterator<Item = &ResourceKey> {
        let first = ResourceKey::new(Kind::User, "", "");
        let from_it_on = self.0.range((key.clone(), first)..);
        from_it_on
            .take_while(move |(of, _)| *of == key)
            .map(|(_, resource)| resource)
    }

    /// The keys that have a resource, in order and each once.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        let mut last = None;
        let keys = self.0.iter().map(|(key, _)| key);
        keys.filter(move |key| last.replace(*key) != Some(*key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_own_resources_alone() {
        let resource = |name| ResourceKey::new(Kind::User, "", name);
        let mut index = Index::default();
        for (key, name) in [(1, "b"), (2, ""), (1, "a"), (3, "a"), (1, "a")] {
            index.insert(key, resource(name));
        }
        index.remove(3, &resource("a"));
        index.remove(2, &resource("a"));
        let of = |key| index.of(key).map(|resource| &*resource.name).collect::<Vec<_>>();
        assert_eq!(of(1), ["a", "b"]);
        assert_eq!(of(2), [""]);
        assert_eq!(of(3), [""; 0]);
        assert_eq!(index.keys().collect::<Vec<_>>(), [&1, &2]);
    }
}

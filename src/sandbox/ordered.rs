//! A sorted set that also knows positions.
//!
//! A page is "50 rows from position N", so a row must be found by its position without walking there. The keys stand
//! in chunks of bounded size: a search is binary, a position is found by adding up some hundred chunk lengths, and a
//! write moves one chunk at most. Chunks are shared between clones, which makes a copy of a whole store cheap.

use std::sync::Arc;

/// A chunk of twice this size is split, a chunk of less than a quarter of it joins its neighbour.
const CHUNK: usize = 256;

/// A sorted set of keys with access by position.
#[derive(Clone, Debug)]
pub struct Ordered<K> {
    chunks: Vec<Arc<Vec<K>>>,
    len: usize,
}

impl<K> Default for Ordered<K> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            len: 0,
        }
    }
}

impl<K: Ord + Clone> Ordered<K> {
    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the key is there.
    pub fn contains(&self, key: &K) -> bool {
        let chunk = self.chunk_of(key);
        self.chunks
            .get(chunk)
            .is_some_and(|keys| keys.binary_search(key).is_ok())
    }

    /// Adds a key; false if it was there.
    pub fn insert(&mut self, key: K) -> bool {
        let chunk = self.chunk_of(&key).min(self.chunks.len().saturating_sub(1));
        let Some(keys) = self.chunks.get_mut(chunk) else {
            self.chunks.push(Arc::new(vec![key]));
            self.len = 1;
            return true;
        };
        let Err(at) = keys.binary_search(&key) else {
            return false;
        };
        let keys = Arc::make_mut(keys);
        keys.insert(at, key);
        self.len += 1;
        if keys.len() >= 2 * CHUNK {
            let upper = keys.split_off(CHUNK);
            self.chunks.insert(chunk + 1, Arc::new(upper));
        }
        true
    }

    /// Takes a key out; false if it was not there.
    pub fn remove(&mut self, key: &K) -> bool {
        let chunk = self.chunk_of(key);
        let Some(keys) = self.chunks.get_mut(chunk) else {
            return false;
        };
        let Ok(at) = keys.binary_search(key) else { return false };
        Arc::make_mut(keys).remove(at);
        self.len -= 1;
        self.join_if_small(chunk);
        true
    }

    /// The keys from a position on, in order.
    pub fn starting_at(&self, position: usize) -> impl Iterator<Item = &K> {
        let (mut chunk, mut skip) = (0, position);
        while self.chunks.get(chunk).is_some_and(|keys| skip >= keys.len()) {
            skip -= self.chunks[chunk].len();
            chunk += 1;
        }
        self.chunks[chunk..].iter().flat_map(|keys| keys.iter()).skip(skip)
    }

    /// All keys, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.chunks.iter().flat_map(|keys| keys.iter())
    }

    /// The only chunk that can hold the key; one past the last chunk if the key is greater than all.
    fn chunk_of(&self, key: &K) -> usize {
        self.chunks
            .partition_point(|keys| keys.last().is_some_and(|last| last < key))
    }

    /// Keeps the number of chunks in proportion to the number of keys.
    fn join_if_small(&mut self, chunk: usize) {
        if self.chunks[chunk].len() >= CHUNK / 4 {
            return;
        }
        if self.chunks[chunk].is_empty() {
            self.chunks.remove(chunk);
        } else if let Some(next) = self.chunks.get(chunk + 1)
            && next.len() < CHUNK
        {
            let next = self.chunks.remove(chunk + 1);
            Arc::make_mut(&mut self.chunks[chunk]).extend(next.iter().cloned());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_like_a_sorted_list(steps in proptest::collection::vec((any::<bool>(), 0u16..3000), 0..6000), at in 0usize..3200) {
            let mut ordered = Ordered::default();
            let mut model = BTreeSet::new();
            // Starting full makes removals shrink and join chunks as often as insertions split them.
            for key in (0u16..3000).step_by(2) {
                prop_assert_eq!(ordered.insert(key), model.insert(key));
            }
            for (add, key) in steps {
                if add {
                    prop_assert_eq!(ordered.insert(key), model.insert(key));
                } else {
                    prop_assert_eq!(ordered.remove(&key), model.remove(&key));
                }
            }
            prop_assert_eq!(ordered.len(), model.len());
            prop_assert!(ordered.iter().eq(model.iter()));
            prop_assert!(ordered.starting_at(at).eq(model.iter().skip(at)));
            prop_assert_eq!(ordered.contains(&7), model.contains(&7));
        }
    }

    #[test]
    fn emptied_chunks_leave_nothing_behind() {
        let mut ordered = Ordered::default();
        (0..10_000).for_each(|key| assert!(ordered.insert(key)));
        (0..10_000).rev().for_each(|key| assert!(ordered.remove(&key)));
        assert_eq!((ordered.len(), ordered.chunks.len()), (0, 0));
    }

    #[test]
    fn a_clone_does_not_see_later_writes() {
        let mut ordered = Ordered::default();
        (0..1_000).for_each(|key| assert!(ordered.insert(key)));
        let before = ordered.clone();
        ordered.remove(&500);
        assert!(before.contains(&500) && !ordered.contains(&500));
    }
}

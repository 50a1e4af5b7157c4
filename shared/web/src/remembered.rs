//! What a process remembers of what it has met, so that it need not look again.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// At most `MOST` of them: all are forgotten where there would be one more.
#[derive(Debug)]
pub struct Remembered<K, V, const MOST: usize>(HashMap<K, V>);

impl<K, V, const MOST: usize> Default for Remembered<K, V, MOST> {
    fn default() -> Self {
        Remembered(HashMap::new())
    }
}

impl<K: Eq + Hash, V, const MOST: usize> Remembered<K, V, MOST> {
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    pub fn note(&mut self, key: K, value: V) {
        if self.0.len() >= MOST && !self.0.contains_key(&key) {
            self.0.clear();
        }
        self.0.insert(key, value);
    }

    /// How many there are.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_remembered_and_no_more() {
        let mut remembered = Remembered::<_, _, 3>::default();
        for number in [1, 2, 3, 1] {
            remembered.note(number, "once");
        }
        remembered.note(2, "again");
        assert_eq!((remembered.get(&1), remembered.get(&2), remembered.count()), (Some(&"once"), Some(&"again"), 3));
        remembered.note(4, "once");
        assert_eq!((remembered.get(&1), remembered.get(&4), remembered.count()), (None, Some(&"once"), 1));
    }
}
